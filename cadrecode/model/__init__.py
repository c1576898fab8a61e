"""The language model with eyes: point encoder, network, tokens, loading, adapters, decoding.

Importing this package imports neither torch nor transformers; its modules do.
"""
