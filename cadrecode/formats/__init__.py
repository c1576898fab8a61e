"""File formats to rows of numbers and meshes, and back: one file a format, and what they share."""
