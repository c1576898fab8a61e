"""What makes points a usable cloud, whatever they came from."""

from __future__ import annotations

import numpy as np

from cadrecode.errors import PointCloudError
from cadrecode.formats.rows import require_finite

MIN_DISTINCT = 32  # fewer different points say too little about a part
FLAT_RATIO = 1e-4  # thinner than this part of its length, and a program's integers cannot tell it from a plane
_BLOCK = 1 << 16


def require_points_array(points: np.ndarray, name: str = "The cloud") -> np.ndarray:
    """(N, 3) float64, finite, N >= 1, or PointCloudError."""
    try:
        points = np.asarray(points)
        if np.iscomplexobj(points):
            raise TypeError("complex numbers")
        points = points.astype(np.float64, copy=False)
    except (TypeError, ValueError) as error:
        raise PointCloudError(f"{name} is not an array of real numbers ({error}). Shape (N, 3) is needed.") from error
    if points.ndim != 2 or points.shape[1] != 3:
        raise PointCloudError(f"{name} has shape {points.shape}; (N, 3) is needed, a row x, y, z for each point.")
    if not len(points):
        raise PointCloudError(f"{name} holds no points.")
    finite = np.isfinite(points).all(axis=1)
    require_finite(name, int(np.count_nonzero(~finite)), int(np.argmin(finite)) + 1, len(points), "points")
    return points


def require_distinct(points: np.ndarray, name: str) -> None:
    """Refuse fewer than 32 different points. Stops looking once it has found that many."""
    distinct = np.empty((0, 3))
    for start in range(0, len(points), _BLOCK):
        distinct = np.unique(np.concatenate([distinct, points[start : start + _BLOCK]]), axis=0)
        if len(distinct) >= MIN_DISTINCT:
            return
    if len(distinct) == 1 and len(points) > 1:
        where = ", ".join(f"{c:g}" for c in distinct[0])
        raise PointCloudError(
            f"{name} repeats one point, ({where}), {len(points):,} times. "
            f"At least {MIN_DISTINCT} different points are needed."
        )
    repeated = f" among {len(points):,}" if len(points) > len(distinct) else ""
    raise PointCloudError(
        f"{name} has {len(distinct)} different point{'s' * (len(distinct) != 1)}{repeated}. "
        f"At least {MIN_DISTINCT} are needed, and some hundreds for a good result."
    )


def flatness_warnings(points: np.ndarray, name: str) -> list[str]:
    """A warning for a cloud in one plane or on one line, in any direction; else nothing."""
    centred = points - points.mean(axis=0)
    scale = np.abs(centred).max()
    centred /= scale  # keeps the squares in range for any unit
    _, axes = np.linalg.eigh(centred.T @ centred)
    thin, middle, longest = np.ptp(centred @ axes, axis=0) * scale
    size = f"{longest:.4g} long, {middle:.4g} wide and {thin:.4g} thick"
    if middle < FLAT_RATIO * longest:
        return [f"{name} lies on one line ({size}). A solid cannot be told from a line; expect a guess."]
    if thin < FLAT_RATIO * longest:
        return [f"{name} lies in one plane ({size}). The thickness of the part will be a guess."]
    return []
