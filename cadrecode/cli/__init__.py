"""The command line: words in, one verb called, its result printed. Decides nothing and computes nothing."""

from cadrecode.cli.verbs import inference_main, main, merge_main, train_main

__all__ = ["inference_main", "main", "merge_main", "train_main"]
