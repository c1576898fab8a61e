"""Faces with any number of corners to triangles, and their checks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cadrecode.errors import PointCloudError


def fan_rows(rows: np.ndarray) -> np.ndarray:
    """(M, K) corner numbers of M faces -> (M * (K - 2), 3) int64 triangles around each first corner."""
    rows = rows.astype(np.int64)
    corners = rows.shape[1]
    if corners < 3:
        return np.empty((0, 3), np.int64)
    triangles = [rows[:, [0, k, k + 1]] for k in range(1, corners - 1)]
    return np.stack(triangles, axis=1).reshape(-1, 3)


def fan(polygons: Sequence[np.ndarray]) -> np.ndarray:
    """Faces of different sizes -> (M, 3) int64 triangles, in order of the faces."""
    sizes = np.array([len(p) for p in polygons])
    if len(sizes) and (sizes == sizes[0]).all():
        return fan_rows(np.stack(polygons))
    triangles = [fan_rows(np.asarray(p)[None]) for p in polygons]
    return np.concatenate(triangles) if triangles else np.empty((0, 3), np.int64)


def require_indices(faces: np.ndarray, n_vertices: int, name: str) -> None:
    """Refuse faces that name vertices which do not exist."""
    wrong = ((faces < 0) | (faces >= n_vertices)).any(axis=1)
    if wrong.any():
        first = int(np.argmax(wrong))
        raise PointCloudError(
            f"{name}: triangle {first + 1:,} names vertices {', '.join(map(str, faces[first]))}, but there are "
            f"{n_vertices:,} (0 to {n_vertices - 1:,}). The file is damaged: export it again."
        )


def area_vectors(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Vectors along the normals of triangles, as long as their shares of the area.

    In units of the size of the whole, so that neither nanometres nor light years leave the range of numbers.

    Args:    vertices: (V, 3) float; faces: (F, 3) int.
    Returns: (F, 3) float64; all zero where the surface has no size.
    """
    corners = vertices[faces]  # (F, 3, 3)
    with np.errstate(over="ignore", invalid="ignore"):
        size = np.ptp(corners.reshape(-1, 3), axis=0).max(initial=0)
        if not 0 < size < np.inf:
            return np.zeros((len(faces), 3))
        return np.cross((corners[:, 1] - corners[:, 0]) / size, (corners[:, 2] - corners[:, 0]) / size)


def merge_vertices(corners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Join the equal corners of separate triangles.

    Args:    corners: (M, 3, 3) float.
    Returns: (V, 3) float64 vertices and (M, 3) int64 faces.
    """
    points = corners.reshape(-1, 3).astype(np.float64) + 0.0  # -0.0 becomes 0.0, so that both are one vertex
    order = np.lexsort(points.T)
    ordered = points[order]
    new = np.ones(len(points), bool)
    new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    faces = np.empty(len(points), np.int64)
    faces[order] = np.cumsum(new) - 1
    return ordered[new], faces.reshape(-1, 3)
