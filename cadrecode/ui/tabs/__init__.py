"""One tab a file: its handlers, which know no widgets, and `build`, which only wires them."""
