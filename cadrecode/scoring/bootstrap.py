"""Bootstrap intervals of a statistic over shapes (Efron 1979)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

BLOCKS, PER_BLOCK = 20, 500  # 10,000 redrawings, a block in memory at a time
LEVEL = (5, 95)  # percentiles: 90 of 100 redrawings lie between them


def interval(values: np.ndarray, statistic: Callable[..., np.ndarray]) -> tuple[float, float]:
    """Between which figures 90 of 100 redrawings of the values lie; the same for the same values.

    Args:
        values: (n,) float, n >= 1.
        statistic: `np.mean` or `np.median`.
    """
    rng = np.random.default_rng(0)
    drawn = (values[rng.integers(0, len(values), (PER_BLOCK, len(values)))] for _ in range(BLOCKS))
    low, high = np.percentile(np.concatenate([statistic(block, axis=1) for block in drawn]), LEVEL)
    return float(low), float(high)
