"""The pieces of invented parts: a first slab, then slabs on, beside, across or cut out of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from cadrecode.invent.outlines import CircleOutline, LoopOutline, Outline, RectOutline, mirrored
from cadrecode.invent.profiles import Weights, draw_outline
from cadrecode.program.planes import plane_axes

SHEETS = 0.015, 0.05  # thickness by the longest side; rounding destroys thinner sheets


@dataclass(frozen=True)
class Slab:
    """Outlines pulled along a world axis from `low` to `high`; holes go all the way through; `cut` takes it away."""

    axis: int
    low: float
    high: float
    outers: tuple[Outline, ...]
    holes: tuple[Outline, ...] = field(default=())
    cut: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether it is a box or a cylinder."""
        return len(self.outers) == 1 and not self.holes and not isinstance(self.outers[0], LoopOutline)

    def bounds(self) -> np.ndarray:
        """(2, 3): lowest and highest corner."""
        boxes = np.array([outline.bounds() for outline in self.outers])
        x_axis, y_axis = plane_axes(self.axis)
        corners = np.zeros((2, 3))
        corners[:, self.axis] = self.low, self.high
        corners[:, x_axis] = boxes[:, 0].min(), boxes[:, 2].max()
        corners[:, y_axis] = boxes[:, 1].min(), boxes[:, 3].max()
        return corners


def _size(outline: Outline) -> tuple[float, float]:
    x0, y0, x1, y1 = outline.bounds()
    return x1 - x0, y1 - y0


def _center(outline: Outline) -> tuple[float, float]:
    x0, y0, x1, y1 = outline.bounds()
    return (x0 + x1) / 2, (y0 + y1) / 2


@dataclass(frozen=True)
class Mix:
    """How often a family draws each kind of piece; shares are between 0 and 1.

    Args:
        outlines: weights of the outlines of slabs.
        solids: shares of parts with 1, 2, ... solids.
        sheets, plates, blocks: shares of first slabs; the others are bars.
        thinnest: thickness of the thinnest plate, by its longest side.
        holed: share of first slabs that have holes.
        single: share of slabs with holes that have a single hole of any shape in place of a pattern.
        on_top, wall, crossing: shares of further slabs; the others are cuts.
    """

    outlines: Weights
    solids: tuple[float, ...]
    sheets: float
    plates: float
    blocks: float
    thinnest: float
    holed: float
    single: float
    on_top: float
    wall: float
    crossing: float


# --- holes


def draw_holes(rng: np.random.Generator, outline: Outline, single: float) -> tuple[Outline, ...]:
    """Holes for an outline, in the patterns of real parts; some may miss the material, which `invent` sees.

    Args:
        single: share of outlines with a single hole, in the middle or off it.
    """
    w, h = _size(outline)
    x, y = _center(outline)
    small = min(w, h)
    if single and rng.random() < single:
        return _one_hole(rng, x, y, w, h)
    if isinstance(outline, LoopOutline) and len(outline.corners) in (6, 8) and rng.random() < 0.5:
        return _scattered(rng, outline)
    choice = rng.random()
    if isinstance(outline, CircleOutline):
        if choice < 0.55:
            return (CircleOutline(x, y, outline.radius * rng.uniform(0.15, 0.88)),)
        if choice < 0.9:
            return _bolt_circle(rng, x, y, outline.radius, center=rng.random() < 0.5)
        return (RectOutline(x - small * 0.2, y - small * 0.15, x + small * 0.2, y + small * 0.15),)
    if choice < 0.25:
        return (CircleOutline(x, y, small / 2 * rng.uniform(0.15, 0.8)),)
    if choice < 0.4:
        return _pair(rng, x, y, w, h)
    if choice < 0.62:
        return corner_holes(rng, x, y, w, h)
    if choice < 0.72:
        a, b = w / 2 * rng.uniform(0.2, 0.85), h / 2 * rng.uniform(0.2, 0.85)
        return (RectOutline(x - a, y - b, x + a, y + b),)
    if choice < 0.8:
        wall = small * rng.uniform(0.05, 0.25)
        inner = draw_outline(rng, w - 2 * wall, h - 2 * wall, rng.choice(["rect", "rounded_rect", "slot", "chamfered"]))
        return (inner.moved(x, y),)
    if choice < 0.88:
        return _row(rng, x, y, w, h)
    if choice < 0.93:
        return _bolt_circle(rng, x, y, small / 2, center=rng.random() < 0.6)
    return _scattered(rng, outline)


def _one_hole(rng: np.random.Generator, x: float, y: float, w: float, h: float) -> tuple[Outline, ...]:
    names = ["circle"] * 6 + ["rect"] * 2 + ["slot", "rounded_rect", "d", "segment", "flats", "regular"]
    a, b = rng.uniform(0.12, 0.85, 2) * (w, h)
    hole = draw_outline(rng, a, b, str(rng.choice(names)))
    if rng.random() < 0.35:
        x, y = x + rng.uniform(-0.5, 0.5) * (w - a), y + rng.uniform(-0.5, 0.5) * (h - b)
    return (hole.moved(x, y),)


def _bolt_circle(rng: np.random.Generator, x: float, y: float, radius: float, center: bool) -> tuple[Outline, ...]:
    count = int(rng.choice([3, 4, 4, 4, 6, 6, 8]))
    ring = radius * rng.uniform(0.6, 0.82)
    hole = min(radius - ring, ring * math.sin(math.pi / count)) * rng.uniform(0.25, 0.75)
    start = rng.choice([0.0, math.pi / count, math.pi / 2])
    holes: list[Outline] = [
        CircleOutline(
            x + ring * math.cos(start + k * math.tau / count), y + ring * math.sin(start + k * math.tau / count), hole
        )
        for k in range(count)
    ]
    if center:
        holes.append(CircleOutline(x, y, (ring - hole) * rng.uniform(0.25, 0.85)))
    return tuple(holes)


def _pair(rng: np.random.Generator, x: float, y: float, w: float, h: float) -> tuple[Outline, ...]:
    hole = min(w, h) / 2 * rng.uniform(0.12, 0.55)
    margin = hole * rng.uniform(1.3, 2.5)
    if w >= h:
        reach = w / 2 - margin
        return CircleOutline(x - reach, y, hole), CircleOutline(x + reach, y, hole)
    reach = h / 2 - margin
    return CircleOutline(x, y - reach, hole), CircleOutline(x, y + reach, hole)


def corner_holes(rng: np.random.Generator, x: float, y: float, w: float, h: float) -> tuple[Outline, ...]:
    hole = min(w, h) / 2 * rng.uniform(0.08, 0.28)
    margin = hole * rng.uniform(1.4, 2.6)
    a, b = w / 2 - margin, h / 2 - margin
    holes: tuple[Outline, ...] = tuple(CircleOutline(x + i * a, y + j * b, hole) for i in (-1, 1) for j in (-1, 1))
    if rng.random() < 0.3:
        holes += (CircleOutline(x, y, (min(a, b) - hole) * rng.uniform(0.3, 0.9)),)
    return holes


def _row(rng: np.random.Generator, x: float, y: float, w: float, h: float) -> tuple[Outline, ...]:
    count = int(rng.integers(3, 6))
    length, across = max(w, h), min(w, h)
    pitch = length / (count + rng.uniform(-0.1, 0.6))
    hole = min(pitch / 2, across / 2) * rng.uniform(0.3, 0.75)
    shifts = (np.arange(count) - (count - 1) / 2) * pitch
    return tuple(CircleOutline(x + s, y, hole) if w >= h else CircleOutline(x, y + s, hole) for s in shifts)


def _scattered(rng: np.random.Generator, outline: Outline) -> tuple[Outline, ...]:
    x0, y0, x1, y1 = outline.bounds()
    small = min(x1 - x0, y1 - y0)
    holes: list[Outline] = []
    for _ in range(int(rng.choice([1, 1, 2]))):
        hole = small * rng.uniform(0.05, 0.18)
        if hole * 2.4 > small:
            continue
        x, y = rng.uniform(x0 + 1.2 * hole, x1 - 1.2 * hole), rng.uniform(y0 + 1.2 * hole, y1 - 1.2 * hole)
        if rng.random() < 0.75:
            holes.append(CircleOutline(x, y, hole))
        else:
            a, b = hole, hole * rng.uniform(0.5, 1.5)
            holes.append(RectOutline(x - a, y - b, x + a, y + b))
    return tuple(holes)


# --- slabs


def first_slab(rng: np.random.Generator, mix: Mix) -> Slab:
    """The slab that a part begins with: a plate, a block or a bar along any axis."""
    w = 100.0
    h = w if rng.random() < 0.25 else w * rng.uniform(0.2, 1.0)
    if rng.random() < 0.5:
        w, h = h, w
    kind = rng.random()
    if kind < mix.sheets:
        depth = max(w, h) * rng.uniform(*SHEETS)
    elif kind < mix.sheets + mix.plates:
        depth = max(w, h) * math.exp(rng.uniform(math.log(mix.thinnest), math.log(0.25)))
    elif kind < mix.sheets + mix.plates + mix.blocks:
        depth = max(w, h) * rng.uniform(0.2, 1.1)
    else:  # bar
        depth = max(w, h) * rng.uniform(1.1, 4.0)
    outline = draw_outline(rng, w, h, weights=mix.outlines)
    holes = draw_holes(rng, outline, mix.single) if rng.random() < mix.holed else ()
    return Slab(int(rng.integers(3)), 0.0, depth, (outline,), holes)


def on_top(rng: np.random.Generator, mix: Mix, base: Slab, top: Slab | None = None) -> list[Slab]:
    """A further slab along the same axis, on one face of the part or, mirrored, on both."""
    below = base if top is None else top
    outline = below.outers[0]
    w, h = _size(outline)
    x, y = _center(outline)
    a, b = (rng.uniform(0.2, 0.95, 2) if rng.random() < 0.75 else rng.uniform(0.6, 1.7, 2)) * (w, h)
    upper = draw_outline(rng, a, b, weights=mix.outlines)
    a, b = _size(upper)
    place = rng.random()
    if place < 0.5:
        dx, dy = 0.0, 0.0
    elif place < 0.8:  # flush with one side, or with a corner
        dx, dy = rng.choice([-1, 1]) * (w - a) / 2, rng.choice([-1, 0, 0, 1]) * (h - b) / 2
        if rng.random() < 0.5:
            dx, dy = rng.choice([-1, 0, 0, 1]) * (w - a) / 2, rng.choice([-1, 1]) * (h - b) / 2
    else:
        dx, dy = rng.uniform(-0.5, 0.5, 2) * (abs(w - a), abs(h - b))
    upper = upper.moved(x + dx, y + dy)
    holes = draw_holes(rng, upper, mix.single) if rng.random() < 0.22 else ()
    low, high = below.low, below.high
    depth = (high - low) * rng.uniform(0.2, 3.0) if rng.random() < 0.6 else max(w, h) * rng.uniform(0.1, 1.2)
    if rng.random() < 0.5:
        first = Slab(base.axis, high, high + depth, (upper,), holes)
        opposite = Slab(base.axis, low - depth, low, (upper,), holes)
    else:
        first = Slab(base.axis, low - depth, low, (upper,), holes)
        opposite = Slab(base.axis, high, high + depth, (upper,), holes)
    return [first, opposite] if rng.random() < 0.12 else [first]


def wall(rng: np.random.Generator, mix: Mix, base: Slab) -> list[Slab]:
    """An upright plate on an edge or across the middle of the base, one or a mirrored pair."""
    corners = base.bounds()
    along, up = [axis for axis in range(3) if axis != base.axis], base.axis
    if rng.random() < 0.5:
        along = along[::-1]
    thin, wide = along
    size = corners[1] - corners[0]
    thickness = size[thin] * rng.uniform(0.06, 0.3)
    height = max(size[thin], size[wide]) * rng.uniform(0.2, 1.0)
    span = size[wide] * (1.0 if rng.random() < 0.6 else rng.uniform(0.3, 0.95))
    upward = rng.random() < 0.6
    z0, z1 = (corners[1, up], corners[1, up] + height) if upward else (corners[0, up] - height, corners[0, up])
    if rng.random() < 0.5:  # stands beside the base's full depth, as one sheet bent up
        z0, z1 = min(z0, corners[0, up]), max(z1, corners[1, up])
    middle = (corners[0, wide] + corners[1, wide]) / 2
    if span < size[wide] and rng.random() < 0.3:
        middle += rng.choice([-1, 1]) * (size[wide] - span) / 2
    x_axis, y_axis = plane_axes(thin)
    extent = {wide: span, up: z1 - z0}
    shift = {wide: middle, up: (z0 + z1) / 2}
    names = ["rect"] * 6 + ["d", "trapezoid", "triangle", "chamfered", "rounded_rect"]
    outline = draw_outline(rng, extent[x_axis], extent[y_axis], str(rng.choice(names)))
    outline = outline.moved(shift[x_axis], shift[y_axis])
    holes = draw_holes(rng, outline, mix.single) if rng.random() < 0.3 else ()
    place = rng.random()
    if place < 0.65:
        low = corners[0, thin] if rng.random() < 0.5 else corners[1, thin] - thickness
    else:
        low = (corners[0, thin] + corners[1, thin] - thickness) / 2
    wall = Slab(thin, low, low + thickness, (outline,), holes)
    if place < 0.2:
        mirror = corners[0, thin] + corners[1, thin] - low - thickness
        return [wall, Slab(thin, mirror, mirror + thickness, (outline,), holes)]
    return [wall]


def crossing(rng: np.random.Generator, mix: Mix, base: Slab) -> list[Slab]:
    """A slab along another axis that runs through the part, or starts inside of it."""
    corners = base.bounds()
    size, middle = corners[1] - corners[0], corners.mean(axis=0)
    axis = int(rng.choice([a for a in range(3) if a != base.axis]))
    x_axis, y_axis = plane_axes(axis)
    w, h = rng.uniform(0.2, 1.2, 2) * (size[x_axis], size[y_axis])
    outline = draw_outline(rng, w, h, "circle" if rng.random() < 0.4 else None, mix.outlines)
    shift = [0.0, 0.0] if rng.random() < 0.5 else list(rng.uniform(-0.4, 0.4, 2) * (size[x_axis], size[y_axis]))
    outline = outline.moved(middle[x_axis] + shift[0], middle[y_axis] + shift[1])
    holes = draw_holes(rng, outline, mix.single) if rng.random() < 0.2 else ()
    length = size[axis] * rng.uniform(0.3, 1.8)
    if rng.random() < 0.4:
        low = middle[axis] - length / 2
    else:
        low = rng.choice([middle[axis], corners[1, axis] - 0.0, corners[0, axis]])
        if rng.random() < 0.5:
            low -= length
    return [Slab(axis, low, low + length, (outline,), holes)]


def pocket(rng: np.random.Generator, mix: Mix, base: Slab) -> list[Slab]:
    """A cut from one face: a blind pocket, a groove along the whole part, a notch at an edge or a hole across."""
    corners = base.bounds()
    size = corners[1] - corners[0]
    axis = base.axis if rng.random() < 0.5 else int(rng.integers(3))
    x_axis, y_axis = plane_axes(axis)
    w, h = rng.uniform(0.12, 0.75, 2) * (size[x_axis], size[y_axis])
    kind = rng.random()
    name = (
        str(rng.choice(["rect", "rect", "circle", "circle", "slot", "rounded_rect"])) if rng.random() < 0.85 else None
    )
    if kind < 0.25:  # groove
        if rng.random() < 0.5:
            w = size[x_axis] * 1.1
        else:
            h = size[y_axis] * 1.1
        name = "rect"
    outline = draw_outline(rng, w, h, name, mix.outlines)
    x, y = (corners[0] + corners[1])[[x_axis, y_axis]] / 2
    if 0.25 <= kind < 0.5:  # notch
        if rng.random() < 0.5:
            x = corners[int(rng.integers(2)), x_axis]
        else:
            y = corners[int(rng.integers(2)), y_axis]
    elif rng.random() < 0.4:
        x += rng.uniform(-0.3, 0.3) * size[x_axis]
        y += rng.uniform(-0.3, 0.3) * size[y_axis]
    depth = size[axis] * rng.uniform(0.15, 0.85)
    if rng.random() < (0.7 if axis != base.axis else 0.25):
        depth = size[axis] * 1.1
    low = corners[1, axis] - depth if rng.random() < 0.5 else corners[0, axis] - 0.05 * size[axis]
    high = corners[1, axis] + 0.05 * size[axis] if low > corners[0, axis] else corners[0, axis] + depth
    return [Slab(axis, low, high, (outline.moved(x, y),), cut=True)]


def sketch_union(rng: np.random.Generator, mix: Mix) -> list[Slab]:
    """A slab whose sketch adds several shapes: a plate with ears, overlapping discs and bars."""
    base = first_slab(rng, mix)
    w, h = _size(base.outers[0])
    outers: list[Outline] = [base.outers[0]]
    a, b = rng.uniform(0.2, 0.8, 2) * (w, h)
    ear = draw_outline(rng, a, b, str(rng.choice(["circle", "rect", "rounded_rect"])))
    along_x = rng.random() < 0.5
    moved = ear.moved(w / 2, 0) if along_x else ear.moved(0, h / 2)
    outers.append(moved)
    if rng.random() < 0.5:
        outers.append(mirrored(moved) if along_x else ear.moved(0, -h / 2))
    return [Slab(base.axis, base.low, base.high, tuple(outers), base.holes if rng.random() < 0.5 else ())]
