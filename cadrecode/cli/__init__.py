"""The command line: reads arguments, calls one verb, prints its result. Decides nothing and computes nothing."""

from cadrecode.cli.verbs import inference_main, main, merge_main, train_main

__all__ = ["inference_main", "main", "merge_main", "train_main"]
