"""Checks of points: whether they make a usable cloud."""

from __future__ import annotations

import numpy as np

from cadrecode.errors import Message, PointCloudError
from cadrecode.formats.rows import require_finite

MIN_DISTINCT = 32  # fewer different points say too little about a part
FLAT_RATIO = 1e-4  # a cloud thinner than this part of its length is a plane to the numbers of a program
LARGEST = 1e100  # of a coordinate
_BLOCK = 1 << 16


def require_points_array(points: np.ndarray, name: str = Message("The cloud")) -> np.ndarray:
    """(N, 3) float64, finite, N >= 1, or PointCloudError."""
    try:
        points = np.asarray(points)
        if np.iscomplexobj(points):
            raise TypeError("complex numbers")
        points = points.astype(np.float64, copy=False)
    except (TypeError, ValueError) as error:
        raise PointCloudError(
            "{name} is not an array of real numbers ({error}). Shape (N, 3) is needed.", name=name, error=error
        ) from error
    if points.ndim != 2 or points.shape[1] != 3:
        raise PointCloudError(
            "{name} has shape {shape}; (N, 3) is needed, a row x, y, z for each point.", name=name, shape=points.shape
        )
    if not len(points):
        raise PointCloudError("{name} holds no points.", name=name)
    finite = np.isfinite(points).all(axis=1)
    require_finite(name, int(np.count_nonzero(~finite)), int(np.argmin(finite)) + 1, len(points), Message("points"))
    return points


def require_distinct(points: np.ndarray, name: str) -> None:
    """Refuse coordinates whose cubes no float holds, and fewer than 32 different points. Stops at the 32nd."""
    largest = max(points.max(), -points.min())
    if largest > LARGEST:
        raise PointCloudError(
            "{name} has coordinates up to {largest:.3g}; at most {most:g} are read.",
            name=name,
            largest=largest,
            most=LARGEST,
        )
    distinct = np.empty((0, 3))
    for start in range(0, len(points), _BLOCK):
        distinct = np.unique(np.concatenate([distinct, points[start : start + _BLOCK]]), axis=0)
        if len(distinct) >= MIN_DISTINCT:
            return
    if len(distinct) == 1 and len(points) > 1:
        where = ", ".join(f"{c:g}" for c in distinct[0])
        raise PointCloudError(
            "{name} repeats one point, ({where}), {n:,} times. At least {least} different points are needed.",
            name=name,
            where=where,
            n=len(points),
            least=MIN_DISTINCT,
        )
    repeated = Message(" among {n:,}", n=len(points)) if len(points) > len(distinct) else ""
    raise PointCloudError(
        "{name} has {n} different point{_s}{repeated}. At least {least} are needed, and some hundreds for a "
        "good result.",
        name=name,
        n=len(distinct),
        _s="s" * (len(distinct) != 1),
        repeated=repeated,
        least=MIN_DISTINCT,
    )


def flatness_warnings(points: np.ndarray, name: str) -> list[str]:
    """A warning for a cloud in a plane or on a line of any direction; else nothing."""
    blocks = [points[start : start + _BLOCK] for start in range(0, len(points), _BLOCK)]
    low, high = (np.array([pick(block, axis=0) for block in blocks]) for pick in (np.min, np.max))
    center, scale = low.min(axis=0), np.ptp(np.concatenate((low, high)), axis=0).max()
    center = center + sum((block - center).sum(axis=0) / len(points) for block in blocks)
    squares = np.zeros((3, 3))
    for block in blocks:
        centred = (block - center) / scale  # keeps the squares in range for any unit
        squares += centred.T @ centred
    _, axes = np.linalg.eigh(squares)
    ends = np.array([pick((block - center) / scale @ axes, axis=0) for block in blocks for pick in (np.min, np.max)])
    thin, middle, longest = np.ptp(ends, axis=0) * scale
    size = Message(
        "{longest:.4g} long, {middle:.4g} wide and {thin:.4g} thick", longest=longest, middle=middle, thin=thin
    )
    if middle < FLAT_RATIO * longest:
        return [
            Message(
                "{name} lies on one line ({size}). A solid cannot be told from a line; expect a guess.",
                name=name,
                size=size,
            )
        ]
    if thin < FLAT_RATIO * longest:
        return [
            Message(
                "{name} lies in one plane ({size}). The thickness of the part will be a guess.", name=name, size=size
            )
        ]
    return []
