"""Levels: the heights along an axis at which a part has faces across that axis."""

from __future__ import annotations

import numpy as np

from cadrecode.measure.outlines import DECIMALS

ACROSS = 0.999  # cosine: how squarely a face lies across the axis
SAME_LEVEL = 5e-4  # of the size: faces of one side that are nearer than this are one level
SAME_PLACE = 1e-4  # of the size: a face that looks up and one that looks down so near share their level
LEAST_FACE = 2e-4  # of the size squared: a smaller level is left out
MOST_LEVELS = 18  # along one axis; those of the largest faces are kept


def levels_of_faces(heights: np.ndarray, facing: np.ndarray, areas: np.ndarray, ends: tuple[float, float], size: float):
    """The levels along one axis, lowest first, with both ends of the part.

    Faces that look up are kept apart from those that look down, so that the two sides of a thin sheet stay two levels.

    Args:
        heights: (n,) of the middles of faces, or of points.
        facing: (n,) cosines of their normals with the axis.
        areas: (n,) that each stands for.
        ends: Lowest and highest place of the part along the axis.
        size: Longest side of the part.
    Returns: (L + 1,) float64.
    """
    found: list[tuple[float, float]] = []  # area, height
    for side in (facing > ACROSS, facing < -ACROSS):
        found += _clusters(heights[side], areas[side], SAME_LEVEL * size)
    found = sorted((c for c in found if c[0] > LEAST_FACE * size * size), reverse=True)
    kept = list(ends)
    for _, height in found:
        if len(kept) > MOST_LEVELS:
            break
        if all(abs(height - other) > SAME_PLACE * size for other in kept):
            kept.append(height)
    return np.round(sorted(kept), DECIMALS)


def _clusters(heights: np.ndarray, areas: np.ndarray, near: float) -> list[tuple[float, float]]:
    """Area and mean height of each group of heights without a wide gap in it."""
    if not len(heights):
        return []
    order = np.argsort(heights)
    heights, areas = heights[order], areas[order]
    starts = np.flatnonzero(np.concatenate(([True], np.diff(heights) > near)))
    total = np.add.reduceat(areas, starts)
    middle = np.add.reduceat(areas * heights, starts) / np.maximum(total, np.finfo(float).tiny)
    return list(zip(total.tolist(), middle.tolist()))
