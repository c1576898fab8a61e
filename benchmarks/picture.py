"""A part under its cloud, coloured by deviation, as a .png: two views, drawn with a depth buffer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from cadrecode.cloud.signed import signed_nearest
from cadrecode.scoring import Deviation
from cadrecode.scoring.deviation import colours
from cadrecode.ui.draw.show import PART, VIEW, face_normals

SIDE, FINE = 560, 2  # pixels of a view; drawn so many times as large and shrunk, for smooth edges
POINT_PIXELS = 5  # before shrinking
MOST_DRAWN = 20_000  # points
FROM_BELOW = np.diag([-1.0, 1.0, -1.0]) @ VIEW  # from behind and below: what the first view hides
LIGHT = np.array([0.35, 0.65, 0.67])
STRIP = 56  # pixels for words below


def picture(path: Path, mesh: tuple[np.ndarray, np.ndarray], deviation: Deviation, unit: str, words: str) -> Path:
    """Draw a part, (n, 3) and (m, 3), and its cloud, all RAW. Points inside of the part are drawn on its surface."""
    signed, places = signed_nearest(deviation.points, *mesh)
    shown = np.where(signed[:, None] < 0, places, deviation.points)
    step = -(-len(shown) // MOST_DRAWN)
    shown, shades = shown[::step], colours(signed, deviation.limit)[::step]
    image = Image.new("RGB", (2 * SIDE, SIDE + STRIP), "white")
    for index, view in enumerate((VIEW, FROM_BELOW)):
        image.paste(_view(view, *mesh, shown, shades), (index * SIDE, 0))
    _legend(image, deviation.limit, unit, words)
    image.save(path)
    return path


def _view(view: np.ndarray, vertices, faces, points, shades) -> Image.Image:
    pixels = SIDE * FINE
    everything = np.concatenate((vertices, points)) @ view.T
    low, high = everything.min(axis=0), everything.max(axis=0)
    scale = 0.9 * pixels / float((high - low)[:2].max())
    screen = (everything - (low + high) / 2) * scale  # x right, y up, z near; pixels
    screen = screen * (1, -1, 1) + (pixels / 2, pixels / 2, 0)
    corners, dots = screen[: len(vertices)], screen[len(vertices) :]
    depth = np.full((pixels, pixels), -np.inf)
    colour = np.full((pixels, pixels, 3), 255, np.uint8)
    normals = face_normals(vertices, faces) @ view.T
    for face in np.flatnonzero(normals[:, 2] > 1e-6):
        light = 0.62 + 0.38 * max(float(normals[face] @ LIGHT), 0)
        _fill(depth, colour, corners[faces[face]], np.array(PART) * light * 255)
    _dots(depth, colour, dots, shades)
    return Image.fromarray(colour).resize((SIDE, SIDE), Image.Resampling.LANCZOS)


def _fill(depth: np.ndarray, colour: np.ndarray, triangle: np.ndarray, shade: np.ndarray) -> None:
    """Draw a triangle, (3, 3) pixels, where nothing is nearer."""
    (x0, y0), (x1, y1) = np.floor(triangle.min(0)[:2]).astype(int), np.ceil(triangle.max(0)[:2]).astype(int)
    x, y = np.meshgrid(np.arange(max(x0, 0), x1 + 1), np.arange(max(y0, 0), y1 + 1))
    a, b, c = triangle
    area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
    if abs(area) < 1e-9:
        return
    v = ((x - a[0]) * (c[1] - a[1]) - (y - a[1]) * (c[0] - a[0])) / area
    w = ((b[0] - a[0]) * (y - a[1]) - (b[1] - a[1]) * (x - a[0])) / area
    near = a[2] + v * (b[2] - a[2]) + w * (c[2] - a[2])
    covered = (v >= -1e-9) & (w >= -1e-9) & (v + w <= 1 + 1e-9) & (near > depth[y, x])
    depth[y[covered], x[covered]] = near[covered]
    colour[y[covered], x[covered]] = shade


def _dots(depth: np.ndarray, colour: np.ndarray, dots: np.ndarray, shades: np.ndarray) -> None:
    """Draw points as small squares, the nearest last, where the part does not hide their middle."""
    x, y = np.round(dots[:, :2]).astype(int).T
    inside = (x >= 0) & (y >= 0) & (x < depth.shape[1]) & (y < depth.shape[0])
    seen = np.flatnonzero(inside)[dots[inside, 2] > depth[y[inside], x[inside]] - 2 * FINE]
    half = POINT_PIXELS // 2
    for index in seen[np.argsort(dots[seen, 2])]:
        rows = slice(max(y[index] - half, 0), y[index] + half + 1)
        colour[rows, max(x[index] - half, 0) : x[index] + half + 1] = shades[index]


def _legend(image: Image.Image, limit: float, unit: str, words: str) -> None:
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(15)
    draw.text((16, SIDE + 6), words, "black", font)
    bar = colours(np.linspace(-limit, limit, 160), limit)[None].repeat(12, axis=0)
    image.paste(Image.fromarray(bar), (16, SIDE + 32))
    draw.text(
        (186, SIDE + 29), f"-{limit:.3g} {unit} inside ... +{limit:.3g} {unit} outside of the part", "black", font
    )
