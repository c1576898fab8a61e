"""Bootstrap intervals of a statistic over shapes (Efron 1979)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

RESAMPLES = 10_000
LEVEL = (5, 95)  # percentiles: 90 of 100 redrawings lie between them


def interval(values: np.ndarray, statistic: Callable[..., np.ndarray]) -> tuple[float, float]:
    """Between which figures 90 of 100 redrawings of the values lie; the same for the same values.

    Args:
        values: (n,) float, n >= 1.
        statistic: `np.mean` or `np.median`.
    """
    redrawn = values[np.random.default_rng(0).integers(0, len(values), (RESAMPLES, len(values)))]
    low, high = np.percentile(statistic(redrawn, axis=1), LEVEL)
    return float(low), float(high)
