"""Points from surfaces, few points from many, and the MODEL frame."""

from __future__ import annotations

import numpy as np

from cadrecode.cloud.check import require_points_array
from cadrecode.errors import Message, PointCloudError
from cadrecode.frames import Frame
from cadrecode.geometry import area_vectors, farthest_points, fold_into_triangle, places_on


def normalise(points: np.ndarray, rotation: np.ndarray | None = None) -> tuple[np.ndarray, Frame]:
    """Centre a cloud on its bounding box and scale its longest side to 2.

    Args:
        points: (N, 3) real numbers, RAW, N >= 1.
        rotation: (3, 3) whose columns are the part's own axes, as `align` finds them; None: the axes of the file.
    Returns: (N, 3) float64 in [-1, 1], MODEL, and the frame that undoes it.
    Raises:  PointCloudError: wrong shape, NaN or infinite values, no extent.
    """
    points = require_points_array(points)
    extent = float(np.ptp(points, axis=0).max())
    if not 0 < extent < np.inf:
        reason = Message("it reaches beyond the range of numbers")
        if extent == 0:
            reason = Message("all {n:,} points are the same", n=len(points))
        raise PointCloudError("The cloud has no size to scale: {what}.", what=reason)
    frame = Frame.of(points, rotation)
    return frame.to_model(points), frame


def sample_surface(
    vertices: np.ndarray, faces: np.ndarray, n: int, seed: int | np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw points evenly over a surface: each triangle gets its share of them by area, rounded up or down.

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
        raise PointCloudError(
            "The surface has {n:,} triangles and no area, so no points can be drawn on it.", n=len(faces)
        )
    # a draw in each of n equal strips of the area: steadier than n free draws
    strips = (rng.permutation(n) + rng.random(n)) / n
    points, chosen = places_on(vertices[faces], areas, strips, fold_into_triangle(rng.random((2, n))))
    return points, along_normals[chosen] / areas[chosen, None]


def farthest_point_sample(points: np.ndarray, n: int, seed: int = 0) -> np.ndarray:
    """Choose n points, each the farthest from those before it. The first is random.

    8,192 -> 256 takes some 5 ms; time grows with len(points) * n, so thin a scan of millions first.

    Args:
        points: (N, 3) float, any frame.
        n: how many to choose.
        seed: chooses the first.
    Returns: (n,) int64 row numbers. Where there are fewer than n different points, the order repeats.
    Raises:  PointCloudError: wrong shape, no points, NaN or infinite values.
    """
    points = require_points_array(points)
    start = np.random.default_rng(seed).integers(len(points))
    return farthest_points(points[None], n, np.array([start]))[0]
