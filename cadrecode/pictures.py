"""Small pictures of parts and clouds, drawn in numpy and PIL: for lists, reports and pages of a file."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from cadrecode.geometry import bounding_box, face_normals, weld

if TYPE_CHECKING:
    from PIL import ImageDraw
    from PIL.Image import Image

PART = (0.78, 0.83, 0.81)
EDGE = (0.16, 0.20, 0.28)
CLOUD = (0.86, 0.40, 0.09)  # burnt orange, which colour-blind people can tell from the part
QUALITY = 85  # of WebP, for pictures of flat colours
SHARP_DEGREES = 25.0  # an edge is drawn between two faces that meet at a larger angle

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
    """A square picture of a part or a cloud without a ground, RGBA; nothing on it where both are None.

    Args:
        colours: (N, 3) uint8 for the points; without them all points have one colour, which fades with distance.
    """
    from PIL import Image, ImageDraw

    fine = 2 * pixels  # drawn twice as large and shrunk, for smooth lines
    image = Image.new("RGBA", (fine, fine))
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
    if colours is None:  # far points let the ground through
        painted = np.column_stack((np.tile(CLOUD, (len(shown), 1)), np.linspace(0.45, 1, len(shown))))
    else:
        painted = colours[order] * 0.94  # so that white, the middle of the scale, is visible on white
    for (x, y, _), colour in zip(shown[order], painted):
        draw.ellipse((x - 2.2, y - 2.2, x + 2.2, y + 2.2), fill=_rgb(colour))


def _draw_part(draw: ImageDraw.ImageDraw, vertices: np.ndarray, faces: np.ndarray, pixels: int) -> None:
    """Draw faces by the painter's algorithm, far faces first."""
    screen = _on_screen(vertices, pixels)
    normals = face_normals(vertices, faces) @ VIEW.T
    light = 0.62 + 0.38 * np.clip(normals @ np.array([0.35, 0.65, 0.67]), 0, 1)
    edges = sharp_edges(vertices, faces)
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
    low, high = bounding_box(turned)
    scale = 0.88 * pixels / max(float((high - low)[:2].max()), 1e-12)
    x, y, near = ((turned - (low + high) / 2) * scale).T
    return np.stack((pixels / 2 + x, pixels / 2 - y, near), axis=1)


def _rgb(colour: Iterable[float]) -> tuple[int, int, int]:
    return tuple(round(255 * min(max(float(c), 0.0), 1.0)) for c in colour)


def data_address(image: Image) -> str:
    """A picture as a data address, which a page needs no file for."""
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=QUALITY, alpha_quality=QUALITY)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()


def sharp_edges(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(E, 2) int: the vertices between which two faces meet at an angle, or a face has no neighbour."""
    ends, owner, other, closed = neighbours(vertices, faces)
    normals = face_normals(vertices, faces)
    cosines = (normals[owner] * normals[other]).sum(1)
    return ends[~closed | (cosines < np.cos(np.radians(SHARP_DEGREES)))]


def neighbours(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The edges of a mesh.

    Returns: (E, 2) int vertices, (E,) int one of its triangles, (E,) int the other, and (E,) bool whether it has just
        these two.
    """
    _, welded = weld(np.round(vertices, 9))  # STL repeats its corners
    ends = faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    owner = np.repeat(np.arange(len(faces)), 3)
    keys = np.sort(welded[ends], axis=1)
    order = np.lexsort((keys[:, 1], keys[:, 0]))
    keys, ends, owner = keys[order], ends[order], owner[order]
    starts = np.flatnonzero(np.r_[True, (keys[1:] != keys[:-1]).any(axis=1)])
    counts = np.diff(np.r_[starts, len(keys)])
    return ends[starts], owner[starts], owner[np.minimum(starts + 1, len(owner) - 1)], counts == 2
