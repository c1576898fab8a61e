"""Whether a mesh is the boundary of a solid, so that parts can be compared with it by volume."""

from __future__ import annotations

import numpy as np

from cadrecode.errors import Message, ProgramError
from cadrecode.geometry import edge_numbers, three_cornered, weld
from cadrecode.program.solid import from_mesh

MOST_FACES = 1_000_000  # a finer mesh is a scan, and Manifold would need 1 GB for it

Surface = tuple[np.ndarray, np.ndarray]  # vertices (V, 3) float64 and faces (F, 3) int64


def closed_surface(vertices: np.ndarray, faces: np.ndarray) -> tuple[Surface | None, Message]:
    """A mesh whose triangles face outward and enclose a solid, or None; and in words how the mesh is used.

    Args:
        vertices: (V, 3) float, RAW.
        faces: (F, 3) int. A mesh that is closed and inside out is turned.
    """
    if len(faces) > MOST_FACES:
        return None, Message("the mesh has {n:,} triangles: treated as points", n=len(faces))
    count = open_edges(vertices, faces)
    if count:
        return None, Message("the mesh is open ({n:,} edges): treated as points", n=count)
    for triangles in (faces, faces[:, ::-1]):
        try:
            if from_mesh(vertices, triangles).volume() > 0:
                return (vertices, triangles), Message("closed mesh: compared by volume")
        except ProgramError:  # its triangles cross or touch, or face inward
            continue
    return None, Message("the mesh is closed but encloses no solid: treated as points")


def open_edges(vertices: np.ndarray, faces: np.ndarray) -> int:
    """The number of edges with an odd number of faces, once equal vertices are joined."""
    _, numbers = weld(vertices)
    triangles = three_cornered(numbers[faces])
    counts = np.unique(edge_numbers(triangles, len(vertices)), return_counts=True)[1]
    return int(np.count_nonzero(counts % 2))
