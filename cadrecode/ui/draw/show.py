"""Parts and clouds as 3D scenes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cadrecode.geometry import face_normals
from cadrecode.pictures import CLOUD, EDGE, PART, sharp_edges
from cadrecode.ui.draw.glb import Layer, write_glb

MAX_POINTS_SHOWN = 4000  # a browser on a laptop still turns this many octahedra without a stutter
POINT_RADIUS = 0.0035  # of the diagonal
SHADE = 16  # of 256: colours that differ by less are drawn alike, since each colour is a layer of its own

OCTAHEDRON = np.array([(1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1)], float)
OCTAHEDRON_FACES = np.array(
    [(0, 2, 4), (2, 1, 4), (1, 3, 4), (3, 0, 4), (2, 0, 5), (1, 2, 5), (3, 1, 5), (0, 3, 5)], np.int64
)


def scene(
    path: Path,
    *,
    mesh: tuple[np.ndarray, np.ndarray] | None = None,
    points: np.ndarray | None = None,
    colours: np.ndarray | None = None,
    extent: np.ndarray | None = None,
) -> Path:
    """Write a GLB of a part, a cloud, or the cloud over the part.

    Args:
        path: The .glb to write.
        mesh: (V, 3) float RAW vertices and (F, 3) int faces.
        points: (N, 3) float RAW; at most MAX_POINTS_SHOWN of them are drawn, evenly picked.
        colours: (N, 3) uint8 for the points; a single colour where it is None.
        extent: (M, 3) float RAW points that set the middle and the scale, so that a part stays in place when layers
            come and go. By default what is drawn.
    """
    drawn = [a for a in (mesh[0] if mesh else None, points) if a is not None]
    extent = np.concatenate(drawn) if extent is None else extent
    low, high = extent.min(0), extent.max(0)
    diagonal = float(np.linalg.norm(high - low)) or 1.0
    layers = []
    if mesh:
        layers += _part_layers(*mesh, diagonal)
    if points is not None:
        layers += _cloud_layers(points, colours, diagonal)
    return write_glb(path, layers, (low + high) / 2, diagonal)


def _part_layers(vertices: np.ndarray, faces: np.ndarray, diagonal: float) -> list[Layer]:
    """Faces with flat normals, and sharp edges a little in front of the faces so that they do not flicker."""
    normals = face_normals(vertices, faces)
    corners = vertices[faces].reshape(-1, 3)
    solid = Layer(corners, np.arange(len(corners)).reshape(-1, 3), PART, np.repeat(normals, 3, axis=0))
    edges, outward = sharp_edges(vertices, faces, normals)
    ends = vertices[edges].reshape(-1, 3) + np.repeat(outward, 2, axis=0) * (0.0015 * diagonal)
    return [solid, Layer(ends, np.arange(len(ends)).reshape(-1, 2), EDGE)]


def _cloud_layers(points: np.ndarray, colours: np.ndarray | None, diagonal: float) -> list[Layer]:
    """An octahedron for each point, because the viewer draws a point as a single pixel; a layer for each shade."""
    picked = np.linspace(0, len(points) - 1, min(len(points), MAX_POINTS_SHOWN)).astype(int)
    shown = points[picked]
    if colours is None:
        return [_octahedra(shown, CLOUD, diagonal)]
    steps = colours[picked].astype(int) // SHADE * SHADE + SHADE // 2
    shades, of_point = np.unique(steps, axis=0, return_inverse=True)
    of_point = of_point.reshape(-1)
    return [_octahedra(shown[of_point == i], tuple(shade / 255), diagonal) for i, shade in enumerate(shades)]


def _octahedra(points: np.ndarray, colour: tuple[float, float, float], diagonal: float) -> Layer:
    vertices = points[:, None] + OCTAHEDRON * (POINT_RADIUS * diagonal)  # (N, 6, 3)
    faces = OCTAHEDRON_FACES + 6 * np.arange(len(points))[:, None, None]  # (N, 8, 3)
    return Layer(vertices.reshape(-1, 3), faces.reshape(-1, 3), colour)
