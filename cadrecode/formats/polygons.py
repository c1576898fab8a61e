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
            "{name}: triangle {first:,} names vertices {corners}, but there are {total:,} (0 to {last:,}). The "
            "file is damaged: export it again.",
            name=name,
            first=first + 1,
            corners=", ".join(map(str, faces[first])),
            total=n_vertices,
            last=n_vertices - 1,
        )
