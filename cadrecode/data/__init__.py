"""Pairs of cloud and program: `dataset` reads and checks programs, `stream` invents them, `batches` makes tensors."""
