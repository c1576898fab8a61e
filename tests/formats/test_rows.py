"""Blocks of rows: counted across block borders, and never all in memory."""

import tracemalloc

import numpy as np
import pytest

from cadrecode.errors import PointCloudError
from cadrecode.formats.rows import RowCollector


def test_bad_rows_are_counted_across_blocks():
    collector = RowCollector("a.xyz", 1000, 0)
    for k in range(10):
        block = np.zeros((50, 3))
        block[[7, 30], 1] = [np.nan, np.inf] if k in (3, 8) else 0
        collector.add(block)
    with pytest.raises(PointCloudError, match=r"in 4 of its 500 points, first in row 158\."):
        collector.finish()


def test_what_is_left_out_does_not_stay_in_memory(monkeypatch):
    monkeypatch.setattr("cadrecode.formats.rows.ROWS_PER_BLOCK", 1000)
    collector = RowCollector("a.xyz", 2000, 0)
    tracemalloc.start()
    for _ in range(500):  # 16 MB in all
        collector.add(np.zeros((1000, 3)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert collector.seen == 500_000
    assert len(collector.finish()[0]) == 2000
    assert peak < 1_000_000
