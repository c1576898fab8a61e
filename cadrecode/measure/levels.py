"""Levels: the heights along an axis at which a part has faces across that axis."""

from __future__ import annotations

import numpy as np

from cadrecode.measure.outlines import DECIMALS

ACROSS = 0.999  # cosine: how squarely a face lies across the axis
SAME_LEVEL = 5e-4  # of the size: faces of one side that are nearer than this are one level
SAME_PLACE = 1e-4  # of the size: a face that looks up and one that looks down so near share their level
LEAST_FACE = 2e-4  # of the size squared: a smaller level is left out
POINTS_ACROSS = 0.95  # the same for points, whose normals are estimated
RIM_ACROSS = 0.8  # and on a narrow face, all of which is near its rims, where estimated normals lean
FROM_RIM = 0.02  # of the size: rims of a wide face are nearer to it
POINTS_SAME_LEVEL = 5e-4  # of the size
TAILS = 4.0  # deviations of the noise: points of one face lie so near to its level
BESIDE_FACE = 0.25  # spacings of the points: so near to a face, points of low walls have its normal
LEAST_PEAK, SLENDER = 1.2e-3, 2.5  # of the longest side times itself, or times so many middle sides where that is less
FEWEST_POINTS = 5  # of a level, beyond those that chance puts there
CROWD, CLEAR = 6, 6.0  # strips beside a level, and how many times as many points it has as one of them; where a
# cylinder's wall is square to the axis, there are 4.5 times as many
# of `end_of_walls`: share of a strip's points that lie beyond an end that walls run up to; its width in deviations
# of the noise
BEYOND, BLUR = 0.2, 2.0
FARTHEST_IN = 4.0  # deviations: an end is no farther in from the outermost point
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
    clusters: list[tuple[float, float]] = []  # area, height
    for side in (facing > ACROSS, facing < -ACROSS):
        clusters += _clusters(heights[side], areas[side], SAME_LEVEL * size)
    clusters = [cluster for cluster in clusters if cluster[0] > LEAST_FACE * size * size]
    return _largest(clusters, ends, SAME_PLACE * size)


def levels_of_points(
    heights: np.ndarray,
    facing: np.ndarray,
    areas: np.ndarray,
    ends: tuple[float, float],
    size: float,
    noise: float,
    aside: float | None = None,
    middle: float = np.inf,
) -> np.ndarray:
    """The levels along one axis of a cloud: heights that many more of its points share than the heights beside them.

    Args:
        heights, facing, areas, ends, size: See `levels_of_faces`.
        noise: How far points lie off their faces.
        aside: How far they lie beyond the rims of their faces, where that is more.
        middle: The part's middle side by length; the part is not slender where it is not given.
    """
    least = LEAST_PEAK * size * min(size, SLENDER * middle)
    near = max(POINTS_SAME_LEVEL * size, 2 * noise)
    tails = max(near, TAILS * noise, BESIDE_FACE * float(np.sqrt(np.median(areas))))
    peaks: list[tuple[float, float]] = []
    for side in (facing > POINTS_ACROSS, facing < -POINTS_ACROSS):
        peaks += _peaks(heights[side], areas[side], near, tails, least)
    sure = [*ends, *(height for _, height in peaks)]
    for side in (facing > RIM_ACROSS, facing < -RIM_ACROSS):
        narrow = _peaks(heights[side], areas[side], near, tails, least)
        peaks += [peak for peak in narrow if all(abs(peak[1] - height) > FROM_RIM * size for height in sure)]
    blur = noise if aside is None else aside
    by_walls = end_of_walls(-heights, -ends[0], blur), end_of_walls(heights, ends[1], blur)
    outer = [
        next((h for _, h in sorted(peaks, reverse=True) if abs(h - end) < 2 * near), wall)
        for end, wall in zip(ends, (-by_walls[0], by_walls[1]))
    ]
    return _largest(peaks, (outer[0], outer[1]), max(SAME_PLACE * size, 2 * noise))


def end_of_walls(heights: np.ndarray, highest: float, noise: float) -> float:
    """Where a part ends that has no face there: its outermost points lie beyond its end by several times the noise."""
    out = np.sort(heights[heights > highest - (FARTHEST_IN + BLUR) * noise])[::-1]
    within = np.searchsorted(-out, BLUR * noise - out, side="right")  # points beyond each, and in the strip below it
    beyond = np.arange(1, len(out) + 1)
    blurred = np.flatnonzero((beyond < BEYOND * within) & (out > highest - FARTHEST_IN * noise))
    return float(out[blurred[-1]]) if len(blurred) else highest


def _peaks(
    heights: np.ndarray, areas: np.ndarray, near: float, tails: float, least: float
) -> list[tuple[float, float]]:
    """Area and median height of each crowd of heights within `near`, the largest first, `tails` apart."""
    order = np.argsort(heights)
    heights, areas = heights[order], areas[order]
    peaks = []
    while len(heights) >= FEWEST_POINTS:
        up_to = np.concatenate(([0.0], np.cumsum(areas)))
        last = np.searchsorted(heights, heights + near, side="right")
        crowd = up_to[last] - up_to[:-1]
        first = int(crowd.argmax())
        inside = slice(first, int(last[first]))
        middle = float(np.median(heights[inside]))
        wide = np.abs(heights - middle) < CROWD * near
        count = int(last[first]) - first
        beside = (np.count_nonzero(wide) - count) / (2 * CROWD - 1)  # in a strip as wide
        if crowd[first] < least or count < FEWEST_POINTS:
            break
        if count > CLEAR * beside + FEWEST_POINTS:
            peaks.append((float(crowd[first]), middle))
        left = np.abs(heights - middle) > tails
        heights, areas = heights[left], areas[left]
    return peaks


def _largest(clusters: list[tuple[float, float]], ends: tuple[float, float], apart: float) -> np.ndarray:
    """The heights of the largest faces between the ends, and the ends."""
    clusters = sorted(clusters, reverse=True)
    levels = list(ends)
    for _, height in clusters:
        if len(levels) > MOST_LEVELS:
            break
        if ends[0] < height < ends[1] and all(abs(height - other) > apart for other in levels):
            levels.append(height)
    return np.round(sorted(levels), DECIMALS)


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
