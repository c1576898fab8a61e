"""The language model that reads point clouds. Importing this package imports neither torch nor transformers."""
