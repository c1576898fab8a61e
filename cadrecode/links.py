"""Groups of things that pairs of them link."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree


def linked(count: int, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(count,) int: the group of each thing, numbered from 0.

    Args:
        first, second: (n,) int, the two things of each pair.
    """
    pairs = coo_array((np.ones(len(first), bool), (first, second)), shape=(count, count))
    return connected_components(pairs, directed=False)[1]


def linked_within(places: np.ndarray, reach: float) -> np.ndarray:
    """(N,) int: the group of each place (N, 2 or 3), whose places hang together over steps of at most `reach`."""
    return linked(len(places), *cKDTree(places).query_pairs(reach, output_type="ndarray").T)
