"""Pairs of cloud and program. `dataset` reads and checks programs (numpy alone); `batches` makes tensors of them."""

from cadrecode.data.dataset import DatasetReport, Pair, Programs, Skipped, load_programs

__all__ = ["DatasetReport", "Pair", "Programs", "Skipped", "load_programs"]
