"""Parts and clouds as 3D scenes and as small pictures."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cadrecode.geometry import face_normals, unit, weld
from cadrecode.ui.draw.glb import Layer, write_glb

if TYPE_CHECKING:
    from PIL import ImageDraw
    from PIL.Image import Image

PART = (0.78, 0.83, 0.81)  # the viewer's light adds some violet
EDGE = (0.16, 0.20, 0.28)
CLOUD = (0.86, 0.40, 0.09)  # burnt orange, which colour-blind people can tell from the part

MAX_POINTS_SHOWN = 4000  # a browser on a laptop still turns this many octahedra without a stutter
POINT_RADIUS = 0.0035  # of the diagonal
SHADE = 16  # of 256: colours that differ by less are drawn alike, since each colour is a layer of its own
SHARP_DEGREES = 25.0  # an edge is drawn between two faces that meet at a larger angle

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


def sharp_edges(vertices: np.ndarray, faces: np.ndarray, normals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where two faces meet at an angle, or a face has no neighbour.

    Returns: (E, 2) int vertex indices, and (E, 3) float64 outward directions.
    """
    _, welded = weld(np.round(vertices, 9))  # STL repeats its corners
    ends = faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    owner = np.repeat(np.arange(len(faces)), 3)
    keys = np.sort(welded[ends], axis=1)
    order = np.lexsort((keys[:, 1], keys[:, 0]))
    keys, ends, owner = keys[order], ends[order], owner[order]
    starts = np.flatnonzero(np.r_[True, (keys[1:] != keys[:-1]).any(axis=1)])
    counts = np.diff(np.r_[starts, len(keys)])
    other = owner[np.minimum(starts + 1, len(owner) - 1)]
    cosines = (normals[owner[starts]] * normals[other]).sum(1)
    sharp = (counts != 2) | (cosines < np.cos(np.radians(SHARP_DEGREES)))
    outward = normals[owner[starts]] + np.where((counts == 2)[:, None], normals[other], 0)
    outward = unit(outward)
    return ends[starts][sharp], outward[sharp]


# --- small pictures -------------------------------------------------------------------------------------------------

# From the front right, a little above: rows are screen right, screen up, towards the eye.
_TURN, _TILT = np.radians(35), np.radians(28)
VIEW = np.array(
    [
        (np.cos(_TURN), np.sin(_TURN), 0),
        (-np.sin(_TURN) * np.sin(_TILT), np.cos(_TURN) * np.sin(_TILT), np.cos(_TILT)),
        (np.sin(_TURN) * np.cos(_TILT), -np.cos(_TURN) * np.cos(_TILT), np.sin(_TILT)),
    ]
)


def small_picture(
    mesh: tuple[np.ndarray, np.ndarray] | None,
    points: np.ndarray | None = None,
    *,
    colours: np.ndarray | None = None,
    pixels: int = 200,
) -> Image:
    """A square picture of a part or a cloud on white; an empty frame where both are None.

    Args: colours: (N, 3) uint8 for the points; without them all points have one colour, which fades with distance.
    """
    from PIL import Image, ImageDraw

    fine = 2 * pixels  # drawn twice as large and shrunk, for smooth lines
    image = Image.new("RGB", (fine, fine), "white")
    draw = ImageDraw.Draw(image)
    if mesh is not None and len(mesh[1]):
        _draw_part(draw, *mesh, fine)
    elif points is not None and len(points):
        picked = np.linspace(0, len(points) - 1, min(len(points), 1500 if colours is None else 6000)).astype(int)
        _draw_cloud(draw, points[picked], None if colours is None else colours[picked] / 255, fine)
    return image.resize((pixels, pixels), Image.Resampling.LANCZOS)


def _draw_cloud(draw: ImageDraw.ImageDraw, points: np.ndarray, colours: np.ndarray | None, pixels: int) -> None:
    """Draw points, far points first. Given colours do not fade with distance, because they stand for numbers."""
    shown = _on_screen(points, pixels)
    order = np.argsort(shown[:, 2])
    if colours is None:
        fade = np.linspace(0.55, 0, len(shown))[:, None]
        painted = np.array(CLOUD) * (1 - fade) + fade
    else:
        painted = colours[order] * 0.94  # so that white, the middle of the scale, is visible on white
    for (x, y, _), colour in zip(shown[order], painted):
        draw.ellipse((x - 2.2, y - 2.2, x + 2.2, y + 2.2), fill=_rgb(colour))


def _draw_part(draw: ImageDraw.ImageDraw, vertices: np.ndarray, faces: np.ndarray, pixels: int) -> None:
    """Draw faces by the painter's algorithm, far faces first."""
    screen = _on_screen(vertices, pixels)
    normals = face_normals(vertices, faces) @ VIEW.T
    light = 0.62 + 0.38 * np.clip(normals @ np.array([0.35, 0.65, 0.67]), 0, 1)
    edges, _ = sharp_edges(vertices, faces, face_normals(vertices, faces))
    lines: dict[int, list] = {}
    facing = np.flatnonzero(normals[:, 2] > 0)
    of_vertex: dict[tuple[int, int], list[int]] = {}
    for face in facing:
        a, b, c = faces[face]
        for edge in ((a, b), (b, c), (c, a)):
            of_vertex.setdefault(tuple(sorted(edge)), []).append(face)
    depth = screen[faces][:, :, 2].mean(1)
    for edge in edges:
        owners = of_vertex.get(tuple(sorted(edge)), [])
        if owners:  # an edge is drawn with the nearest of its faces
            lines.setdefault(max(owners, key=lambda f: depth[f]), []).append(edge)
    for face in facing[np.argsort(depth[facing])]:
        draw.polygon([tuple(p) for p in screen[faces[face], :2]], fill=_rgb(np.array(PART) * light[face]))
        for a, b in lines.get(face, ()):
            draw.line([tuple(screen[a, :2]), tuple(screen[b, :2])], fill=_rgb(EDGE), width=2)


def _on_screen(vertices: np.ndarray, pixels: int) -> np.ndarray:
    """(V, 3) RAW -> (V, 3): x and y in pixels, and how near a vertex is."""
    turned = np.asarray(vertices, np.float64) @ VIEW.T
    low, high = turned.min(0), turned.max(0)
    scale = 0.88 * pixels / max(float((high - low)[:2].max()), 1e-12)
    x, y, near = ((turned - (low + high) / 2) * scale).T
    return np.stack((pixels / 2 + x, pixels / 2 - y, near), axis=1)


def _rgb(colour: Iterable[float]) -> tuple[int, int, int]:
    return tuple(round(255 * min(max(float(c), 0.0), 1.0)) for c in colour)


def data_address(image: Image) -> str:
    """A picture as a data address, which a page needs no file for."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
