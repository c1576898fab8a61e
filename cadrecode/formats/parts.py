"""Many parts in their places, as scenes hold them, joined to a single mesh."""

from __future__ import annotations

import numpy as np

from cadrecode.errors import PointCloudError
from cadrecode.formats.limits import require_memory
from cadrecode.formats.polygons import TRIANGLE_BYTES, require_indices
from cadrecode.formats.rows import FileContents

MOST_PLACED = 100_000  # parts of a scene, those in groups counted each time; an engine has some thousand
_VERTEX_BYTES = 48  # of memory: a vertex, and its copy on the way


class Parts:
    """Takes the parts of a scene one by one.

    Args:
        allowed: bytes that all of them may take.
    """

    def __init__(self, name: str, allowed: int):
        self.name, self.allowed = name, allowed
        self._vertices: list[np.ndarray] = []
        self._faces: list[np.ndarray] = []
        self._points: list[np.ndarray] = []
        self._count, self._bytes, self._visited = 0, 0, 0

    def visit(self) -> None:
        """Count a place in the scene, whether a part lies there or not. Raises: PointCloudError: there are too many."""
        self._visited += 1
        if self._visited > MOST_PLACED:
            raise PointCloudError(
                "{name} is a scene of more than {most:,} parts. Export the parts that you need.",
                name=self.name,
                most=MOST_PLACED,
            )

    def add(self, vertices: np.ndarray, faces: np.ndarray | None, matrix: np.ndarray) -> None:
        """Args:
        vertices: (V, 3) float, in the part's own frame.
        faces: (F, 3) int, or None where the part is points alone.
        matrix: (4, 4) from there to the scene.
        """
        self._bytes += _VERTEX_BYTES * len(vertices) + (0 if faces is None else TRIANGLE_BYTES * len(faces))
        require_memory(self.name, self._bytes, self.allowed)
        with np.errstate(over="ignore", invalid="ignore"):
            placed = vertices.astype(np.float64) @ matrix[:3, :3].T + matrix[:3, 3]
        if faces is None:
            self._points.append(placed)
            return
        faces = faces.astype(np.int64)
        require_indices(faces, len(placed), self.name)
        if np.linalg.det(matrix[:3, :3]) < 0:  # a mirrored part would be inside out
            faces = faces[:, ::-1]
        self._vertices.append(placed)
        self._faces.append(faces + self._count)
        self._count += len(placed)

    def joined(self) -> FileContents:
        """Raises: PointCloudError: there are none."""
        if self._faces:
            return FileContents(np.concatenate(self._vertices), faces=np.concatenate(self._faces))
        if self._points:
            points = np.concatenate(self._points)
            return FileContents(points, faces=np.empty((0, 3), np.int64), announced=len(points))
        raise PointCloudError("{name} holds no surface and no points: the scene is empty.", name=self.name)
