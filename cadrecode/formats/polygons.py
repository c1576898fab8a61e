"""Faces with any number of corners to triangles, and their checks."""

from __future__ import annotations

from array import array
from collections.abc import Iterable

import numpy as np

from cadrecode.errors import PointCloudError
from cadrecode.formats.limits import require_memory

TRIANGLE_BYTES = 100  # of memory: a triangle, what it was read as, its area and its normal
LARGEST_INDEX = 2**62  # of a vertex, as a file may write it; whether there is such a vertex is checked later


def fan_rows(rows: np.ndarray) -> np.ndarray:
    """(M, K) corner numbers of M faces -> (M * (K - 2), 3) int64 triangles around each first corner."""
    return _fans(rows.astype(np.int64).ravel(), np.full(len(rows), rows.shape[1]))


class Polygons:
    """Faces of any number of corners, taken one by one.

    Args:
        allowed: bytes that their triangles may take.
    """

    def __init__(self, name: str, allowed: int):
        self.name, self.allowed = name, allowed
        self._corners, self._sizes = array("q"), array("q")

    def __len__(self) -> int:
        return len(self._sizes)

    def add(self, corners: Iterable[int]) -> None:
        """Raises: OverflowError: a number beyond 64 bits."""
        before = len(self._corners)
        self._corners.extend(corners)
        self._sizes.append(len(self._corners) - before)

    def triangles(self) -> np.ndarray:
        """(M, 3) int64 triangles, in order of the faces. Raises: PointCloudError: there are too many."""
        require_memory(self.name, TRIANGLE_BYTES * len(self._corners), self.allowed)
        return _fans(np.array(self._corners, np.int64), np.array(self._sizes, np.int64))


def _fans(corners: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """(C,) corner numbers of faces in a row, and (M,) how many each has -> (T, 3) triangles."""
    if (sizes == 3).all():
        return corners.reshape(-1, 3)
    counts = np.maximum(sizes - 2, 0)
    first = np.repeat(np.cumsum(sizes) - sizes, counts)  # where the corners of each triangle's face begin
    along = np.arange(len(first)) - np.repeat(np.cumsum(counts) - counts, counts)
    triangles = np.empty((len(first), 3), np.int64)
    triangles[:, 0], triangles[:, 1], triangles[:, 2] = (
        corners[first],
        corners[first + along + 1],
        corners[first + along + 2],
    )
    return triangles


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
