"""How invented parts are put together: each family draws a list of slabs, in arbitrary units, for `invent` to check.

`general` is what the embedded base model is trained on; its weights follow what real programs use (counts over the
CAD-Recode and Fusion 360 programs: one solid in 28 % and 54 %, two in 49 % and 23 %, three in 20 % and 13 %).
The other families are narrow on purpose: dialects to fine-tune on.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from cadrecode.program.outlines import (
    CircleOutline,
    LoopOutline,
    Outline,
    RectOutline,
    draw_outline,
    mirrored,
    rounded,
)

LOCAL_AXES = {2: (0, 1), 0: (1, 2), 1: (2, 0)}  # the world axes of a slab's local x and y, by its own axis


@dataclass(frozen=True)
class Slab:
    """Outlines pulled along a world axis from `low` to `high`; holes go all the way through; `cut` takes it away."""

    axis: int
    low: float
    high: float
    outers: tuple[Outline, ...]
    holes: tuple[Outline, ...] = field(default=())
    cut: bool = False

    def bounds(self) -> np.ndarray:
        """(2, 3): lowest and highest corner."""
        boxes = np.array([outline.bounds() for outline in self.outers])
        x_axis, y_axis = LOCAL_AXES[self.axis]
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


# --- holes


def draw_holes(rng: np.random.Generator, outline: Outline) -> tuple[Outline, ...]:
    """Holes for an outline, in the patterns of real parts; some may miss the material, which `invent` sees."""
    w, h = _size(outline)
    x, y = _center(outline)
    small = min(w, h)
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
        return _corner_holes(rng, x, y, w, h)
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


def _bolt_circle(rng, x, y, radius, center: bool) -> tuple[Outline, ...]:
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


def _pair(rng, x, y, w, h) -> tuple[Outline, ...]:
    hole = min(w, h) / 2 * rng.uniform(0.12, 0.55)
    margin = hole * rng.uniform(1.3, 2.5)
    if w >= h:
        reach = w / 2 - margin
        return CircleOutline(x - reach, y, hole), CircleOutline(x + reach, y, hole)
    reach = h / 2 - margin
    return CircleOutline(x, y - reach, hole), CircleOutline(x, y + reach, hole)


def _corner_holes(rng, x, y, w, h) -> tuple[Outline, ...]:
    hole = min(w, h) / 2 * rng.uniform(0.08, 0.28)
    margin = hole * rng.uniform(1.4, 2.6)
    a, b = w / 2 - margin, h / 2 - margin
    holes: tuple[Outline, ...] = tuple(CircleOutline(x + i * a, y + j * b, hole) for i in (-1, 1) for j in (-1, 1))
    if rng.random() < 0.3:
        holes += (CircleOutline(x, y, (min(a, b) - hole) * rng.uniform(0.3, 0.9)),)
    return holes


def _row(rng, x, y, w, h) -> tuple[Outline, ...]:
    count = int(rng.integers(3, 6))
    length, across = max(w, h), min(w, h)
    pitch = length / (count + rng.uniform(-0.1, 0.6))
    hole = min(pitch / 2, across / 2) * rng.uniform(0.3, 0.75)
    shifts = (np.arange(count) - (count - 1) / 2) * pitch
    return tuple(CircleOutline(x + s, y, hole) if w >= h else CircleOutline(x, y + s, hole) for s in shifts)


def _scattered(rng, outline: Outline) -> tuple[Outline, ...]:
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


# --- general parts


def _base(rng) -> Slab:
    """The slab that a part begins with: a plate, a block or a bar along any axis."""
    w = 100.0
    h = w if rng.random() < 0.25 else w * rng.uniform(0.2, 1.0)
    if rng.random() < 0.5:
        w, h = h, w
    kind = rng.random()
    if kind < 0.45:  # plate
        depth = max(w, h) * math.exp(rng.uniform(math.log(0.025), math.log(0.25)))
    elif kind < 0.8:  # block
        depth = max(w, h) * rng.uniform(0.2, 1.1)
    else:  # bar
        depth = max(w, h) * rng.uniform(1.1, 4.0)
    outline = draw_outline(rng, w, h)
    holes = draw_holes(rng, outline) if rng.random() < 0.38 else ()
    return Slab(int(rng.integers(3)), 0.0, depth, (outline,), holes)


def _on_top(rng, base: Slab, top: Slab | None = None) -> list[Slab]:
    """One more slab along the same axis, on one face of the part or, mirrored, on both."""
    below = base if top is None else top
    outline = below.outers[0]
    w, h = _size(outline)
    x, y = _center(outline)
    a, b = (rng.uniform(0.2, 0.95, 2) if rng.random() < 0.75 else rng.uniform(0.6, 1.7, 2)) * (w, h)
    upper = draw_outline(rng, a, b)
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
    holes = draw_holes(rng, upper) if rng.random() < 0.22 else ()
    low, high = below.low, below.high
    depth = (high - low) * rng.uniform(0.2, 3.0) if rng.random() < 0.6 else max(w, h) * rng.uniform(0.1, 1.2)
    if rng.random() < 0.5:
        first = Slab(base.axis, high, high + depth, (upper,), holes)
        opposite = Slab(base.axis, low - depth, low, (upper,), holes)
    else:
        first = Slab(base.axis, low - depth, low, (upper,), holes)
        opposite = Slab(base.axis, high, high + depth, (upper,), holes)
    return [first, opposite] if rng.random() < 0.12 else [first]


def _wall(rng, base: Slab) -> list[Slab]:
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
    x_axis, y_axis = LOCAL_AXES[thin]
    extent = {wide: span, up: z1 - z0}
    shift = {wide: middle, up: (z0 + z1) / 2}
    names = ["rect"] * 6 + ["d", "trapezoid", "triangle", "chamfered", "rounded_rect"]
    outline = draw_outline(rng, extent[x_axis], extent[y_axis], str(rng.choice(names)))
    outline = outline.moved(shift[x_axis], shift[y_axis])
    holes = draw_holes(rng, outline) if rng.random() < 0.3 else ()
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


def _crossing(rng, base: Slab) -> list[Slab]:
    """A slab along another axis that runs through the part, or starts inside of it."""
    corners = base.bounds()
    size, middle = corners[1] - corners[0], corners.mean(axis=0)
    axis = int(rng.choice([a for a in range(3) if a != base.axis]))
    x_axis, y_axis = LOCAL_AXES[axis]
    w, h = rng.uniform(0.2, 1.2, 2) * (size[x_axis], size[y_axis])
    outline = draw_outline(rng, w, h, "circle" if rng.random() < 0.4 else None)
    shift = [0.0, 0.0] if rng.random() < 0.5 else list(rng.uniform(-0.4, 0.4, 2) * (size[x_axis], size[y_axis]))
    outline = outline.moved(middle[x_axis] + shift[0], middle[y_axis] + shift[1])
    holes = draw_holes(rng, outline) if rng.random() < 0.2 else ()
    length = size[axis] * rng.uniform(0.3, 1.8)
    if rng.random() < 0.4:
        low = middle[axis] - length / 2
    else:
        low = rng.choice([middle[axis], corners[1, axis] - 0.0, corners[0, axis]])
        if rng.random() < 0.5:
            low -= length
    return [Slab(axis, low, low + length, (outline,), holes)]


def _pocket(rng, base: Slab) -> list[Slab]:
    """A cut from one face: a blind pocket, a groove along the whole part, a notch at an edge or a hole across."""
    corners = base.bounds()
    size = corners[1] - corners[0]
    axis = base.axis if rng.random() < 0.5 else int(rng.integers(3))
    x_axis, y_axis = LOCAL_AXES[axis]
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
    outline = draw_outline(rng, w, h, name)
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


def _sketch_union(rng) -> list[Slab]:
    """One slab whose sketch adds several shapes: a plate with ears, overlapping discs and bars."""
    base = _base(rng)
    w, h = _size(base.outers[0])
    outers: list[Outline] = [base.outers[0]]
    ear = draw_outline(rng, *(rng.uniform(0.2, 0.8, 2) * (w, h)), str(rng.choice(["circle", "rect", "rounded_rect"])))
    along_x = rng.random() < 0.5
    moved = ear.moved(w / 2, 0) if along_x else ear.moved(0, h / 2)
    outers.append(moved)
    if rng.random() < 0.5:
        outers.append(mirrored(moved) if along_x else ear.moved(0, -h / 2))
    return [Slab(base.axis, base.low, base.high, tuple(outers), base.holes if rng.random() < 0.5 else ())]


def _general(rng) -> list[Slab]:
    if rng.random() < 0.08:
        return shafts(rng)
    if rng.random() < 0.06:
        return _sketch_union(rng)
    base = _base(rng)
    slabs = [base]
    wanted = int(rng.choice([1, 2, 3, 4], p=[0.4, 0.34, 0.19, 0.07]))
    last: Slab | None = None
    while len(slabs) < wanted:
        choice = rng.random()
        if choice < 0.42:
            new = _on_top(rng, base, last if rng.random() < 0.3 else None)
            last = new[0]
        elif choice < 0.6:
            new = _wall(rng, base)
        elif choice < 0.74:
            new = _crossing(rng, base)
        else:
            new = _pocket(rng, base)
        slabs.extend(new[: wanted - len(slabs)])
    return slabs


# --- narrow families


def brackets(rng) -> list[Slab]:
    """Flanged brackets: a foot plate with bolt holes, an upright flange with a bore, often a rib between them."""
    width, foot, height = 100.0, rng.uniform(45, 110), rng.uniform(40, 120)
    thickness = rng.uniform(6, 16)
    bolt = rng.uniform(0.04, 0.075) * width
    inset = bolt * rng.uniform(1.6, 2.4)
    x = width / 2 - inset
    y0, y1 = thickness + inset, foot - inset
    rows = (y0, y1) if y1 - y0 > 5 * bolt else ((thickness + foot) / 2,)
    bolts = tuple(CircleOutline(side * x, y, bolt) for side in (-1, 1) for y in rows)
    if rng.random() < 0.5:
        sole: Outline = RectOutline(-width / 2, 0, width / 2, foot)
    else:
        corners = [(-width / 2, 0), (width / 2, 0), (width / 2, foot), (-width / 2, foot)]
        sole = rounded(corners, inset * 0.9)
    plate = Slab(2, 0.0, thickness, (sole,), bolts)
    bore = min(height - thickness, width) * rng.uniform(0.14, 0.3)
    bore_z = thickness + (height - thickness) * rng.uniform(0.5, 0.6)
    # the flange stands on the ZX plane: its local x is the world's z, its local y the world's x
    if rng.random() < 0.5:
        flange: Outline = RectOutline(0, -width / 2, height, width / 2)
    else:
        top = min(width / 2, height * 0.45)
        straight = height - top
        flange = LoopOutline(
            ((0, -width / 2), (straight, -width / 2), (straight, width / 2), (0, width / 2)),
            (None, (height, 0.0), None, None),
        )
    upright = Slab(1, 0.0, thickness, (flange,), (CircleOutline(bore_z, 0, bore),))
    return [plate, upright]


def plates(rng) -> list[Slab]:
    """Flat plates with bolt patterns and a window."""
    w, h = 100.0, rng.uniform(35, 100)
    outline = draw_outline(rng, w, h, str(rng.choice(["rect", "rounded_rect", "chamfered", "slot"])))
    if not isinstance(outline, RectOutline):
        outline = rounded([(-w / 2, -h / 2), (w / 2, -h / 2), (w / 2, h / 2), (-w / 2, h / 2)], rng.uniform(4, 14))
    holes = _corner_holes(rng, 0, 0, w, h)[:4]
    if rng.random() < 0.6:
        a, b = w * rng.uniform(0.12, 0.28), h * rng.uniform(0.12, 0.25)
        holes += (RectOutline(-a, -b, a, b) if rng.random() < 0.5 else CircleOutline(0, 0, min(a, b)),)
    return [Slab(int(rng.integers(3)), 0.0, rng.uniform(3, 14), (outline,), holes)]


def shafts(rng) -> list[Slab]:
    """Stepped shafts and flanged hubs: coaxial cylinders, some bored through, some with a bolt circle."""
    axis = int(rng.integers(3))
    count = int(rng.integers(2, 4))
    radii = rng.uniform(10, 50, count)
    lengths = rng.uniform(8, 90, count)
    bore = radii.min() * rng.uniform(0.3, 0.8) if rng.random() < 0.4 else 0.0
    slabs: list[Slab] = []
    z = 0.0
    for index, (radius, length) in enumerate(zip(radii, lengths)):
        holes: tuple[Outline, ...] = (CircleOutline(0, 0, bore),) if bore else ()
        if index == int(radii.argmax()) and rng.random() < 0.4:
            inner = np.delete(radii, index).max()
            if inner < 0.7 * radius:
                ring = (radius + inner) / 2
                hole = (radius - inner) / 2 * rng.uniform(0.35, 0.7)
                bolts = int(rng.choice([3, 4, 6]))
                holes += tuple(
                    CircleOutline(ring * math.cos(k * math.tau / bolts), ring * math.sin(k * math.tau / bolts), hole)
                    for k in range(bolts)
                )
        slabs.append(Slab(axis, z, z + length, (CircleOutline(0, 0, radius),), holes))
        z += length
    return slabs


DRAWERS: dict[str, Callable[[np.random.Generator], list[Slab]]] = {
    "general": _general,
    "brackets": brackets,
    "plates": plates,
    "shafts": shafts,
}
DESCRIPTIONS: dict[str, str] = {
    "general": "one to four solids of every kind; what the embedded base is trained on",
    "brackets": "flanged brackets with bolt holes and a bore",
    "plates": "flat plates with bolt patterns and a window",
    "shafts": "stepped shafts and flanged hubs",
}
