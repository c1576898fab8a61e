"""Points from surfaces, few points from many, and the MODEL frame."""

from __future__ import annotations

import numpy as np

from cadrecode.cloud.check import require_points_array
from cadrecode.errors import PointCloudError
from cadrecode.formats.polygons import area_vectors
from cadrecode.frames import Frame

_CACHE_POINTS = 1 << 14  # clouds handled together, so that the working arrays stay in the processor's cache


def normalise(points: np.ndarray, rotation: np.ndarray | None = None) -> tuple[np.ndarray, Frame]:
    """Centre a cloud on its bounding box and scale its longest side to 2.

    Args:
        points: (N, 3) real numbers, RAW, N >= 1.
        rotation: (3, 3) whose columns are the part's own axes, as `align` finds them; None: the file's.
    Returns: (N, 3) float64 in [-1, 1], MODEL, and the frame that undoes it.
    Raises:  PointCloudError: wrong shape, NaN or infinite values, no extent.
    """
    points = require_points_array(points)
    extent = float(np.ptp(points, axis=0).max())
    if not 0 < extent < np.inf:
        found = f"all {len(points):,} points are the same" if extent == 0 else "it reaches beyond the range of numbers"
        raise PointCloudError(f"The cloud has no size to scale: {found}.")
    frame = Frame.of(points, rotation)
    return frame.to_model(points), frame


def sample_surface(
    vertices: np.ndarray, faces: np.ndarray, n: int, seed: int | np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw points evenly over a surface: a triangle gets as many as its share of the area, give or take one.

    Args:
        vertices: (V, 3) float, any frame.
        faces: (F, 3) int.
        n: points to draw.
        seed: the same seed draws the same points.
    Returns: (n, 3) float64 points in random order, and (n, 3) the unit normals of their triangles.
    Raises:  PointCloudError: no faces, or no area.
    """
    rng = np.random.default_rng(seed)
    vertices, faces = np.asarray(vertices, np.float64), np.asarray(faces, np.int64).reshape(-1, 3)
    along_normals = area_vectors(vertices, faces) if len(faces) else np.zeros((0, 3))
    areas = np.linalg.norm(along_normals, axis=1)
    if not areas.sum() > 0:
        raise PointCloudError(f"The surface has {len(faces):,} triangles and no area, so no points can be drawn on it.")
    # one draw in each of n equal strips of the area: steadier than n free draws
    strips = (rng.permutation(n) + rng.random(n)) / n
    area_up_to = np.cumsum(areas)
    chosen = np.searchsorted(area_up_to, strips * area_up_to[-1], side="right").clip(0, len(faces) - 1)
    chosen = np.where(areas[chosen] > 0, chosen, int(np.argmax(areas)))
    u, v = rng.random((2, n))
    over = u + v > 1  # the other half of the parallelogram folds back onto the triangle
    u[over], v[over] = 1 - u[over], 1 - v[over]
    a, b, c = vertices[faces[chosen]].transpose(1, 0, 2)
    points = a + u[:, None] * (b - a) + v[:, None] * (c - a)
    return points, along_normals[chosen] / areas[chosen, None]


def farthest_point_sample(points: np.ndarray, n: int, seed: int = 0) -> np.ndarray:
    """Choose n points, each the farthest from those before it, from a random start.

    8,192 -> 256 takes some 5 ms; time grows with len(points) * n, so thin a scan of millions first.

    Args:    points: (N, 3) float, any frame.
    Returns: (n,) int64 row numbers. Where there are fewer than n different points, the order repeats.
    Raises:  PointCloudError: wrong shape, no points, NaN or infinite values.
    """
    points = require_points_array(points)
    start = np.random.default_rng(seed).integers(len(points))
    return farthest_point_sample_batch(points[None], n, np.array([start]))[0]


def farthest_point_sample_batch(points: np.ndarray, n: int, starts: np.ndarray) -> np.ndarray:
    """farthest_point_sample for clouds of equal size.

    Args:
        points: (B, N, 3) float, finite, any frame.
        n: rows to choose from each cloud.
        starts: (B,) int, the first row chosen in each.
    Returns: (B, n) int64.
    Raises:  PointCloudError: wrong shape, no points.
    """
    if points.ndim != 3 or points.shape[2] != 3 or not points.shape[1]:
        raise PointCloudError(f"Farthest-point sampling needs clouds of shape (B, N, 3), N >= 1; got {points.shape}.")
    chosen = np.empty((len(points), n), np.int64)
    step = max(1, _CACHE_POINTS // points.shape[1])
    for i in range(0, len(points), step):
        chosen[i : i + step] = _farthest(points[i : i + step], n, np.asarray(starts)[i : i + step])
    return chosen


def _farthest(points: np.ndarray, n: int, starts: np.ndarray) -> np.ndarray:
    """(b, N, 3), (b,) -> (b, n). Squared distances in float32 of centred, scaled clouds, one array an axis."""
    low, high = points.min(axis=1, keepdims=True), points.max(axis=1, keepdims=True)
    scale = np.maximum((high - low).max(axis=2, keepdims=True), np.finfo(np.float32).tiny)
    unit = ((points - low) / scale).astype(np.float32)
    axes = [np.ascontiguousarray(unit[:, :, k]) for k in range(3)]  # (b, N) each
    nearest = np.full(axes[0].shape, np.inf, np.float32)  # squared distance to the nearest chosen point
    square, term = np.empty_like(nearest), np.empty_like(nearest)
    clouds = np.arange(len(points))
    chosen = np.empty((len(points), n), np.int64)
    distinct = np.full(len(points), n)
    current = starts
    for i in range(n):
        chosen[:, i] = current
        for k, axis in enumerate(axes):
            np.subtract(axis, axis[clouds, current][:, None], out=term)
            np.multiply(term, term, out=square if k == 0 else term)
            if k:
                np.add(square, term, out=square)
        np.minimum(nearest, square, out=nearest)
        current = nearest.argmax(axis=1)
        used_up = nearest[clouds, current] == 0  # every different point is chosen
        distinct[used_up & (distinct == n)] = i + 1
    for row in np.flatnonzero(distinct < n):
        chosen[row] = np.resize(chosen[row, : distinct[row]], n)
    return chosen
