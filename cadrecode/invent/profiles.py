"""The outlines that parts are made of, each filling the box width x height around the origin."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cadrecode.invent.outlines import CircleOutline, LoopOutline, Outline, RectOutline, polygon, rounded, turned
from cadrecode.program.language import Point2


def _rect(rng: np.random.Generator, w: float, h: float) -> RectOutline:
    return RectOutline(-w / 2, -h / 2, w / 2, h / 2)


def _circle(rng: np.random.Generator, w: float, h: float) -> CircleOutline:
    return CircleOutline(0, 0, min(w, h) / 2)


def _corners(w: float, h: float) -> list[Point2]:
    return [(-w / 2, -h / 2), (w / 2, -h / 2), (w / 2, h / 2), (-w / 2, h / 2)]


def _rounded_rect(rng: np.random.Generator, w: float, h: float) -> LoopOutline:
    return rounded(_corners(w, h), min(w, h) * rng.uniform(0.08, 0.4))


def _l_shape(rng: np.random.Generator, w: float, h: float) -> LoopOutline:
    a, b = w * rng.uniform(0.15, 0.7), h * rng.uniform(0.15, 0.7)
    points = [
        (-w / 2, -h / 2),
        (w / 2, -h / 2),
        (w / 2, -h / 2 + b),
        (-w / 2 + a, -h / 2 + b),
        (-w / 2 + a, h / 2),
        (-w / 2, h / 2),
    ]
    return polygon(points) if rng.random() < 0.8 else rounded(points, min(a, b) * rng.uniform(0.1, 0.45))


def _t_shape(rng: np.random.Generator, w: float, h: float) -> LoopOutline:
    a, b = w * rng.uniform(0.15, 0.6) / 2, h * rng.uniform(0.15, 0.6)
    y = h / 2 - b
    return polygon(
        [(-a, -h / 2), (a, -h / 2), (a, y), (w / 2, y), (w / 2, h / 2), (-w / 2, h / 2), (-w / 2, y), (-a, y)]
    )


def _u_shape(rng: np.random.Generator, w: float, h: float) -> LoopOutline:
    t, b = w * rng.uniform(0.1, 0.35), h * rng.uniform(0.1, 0.6)
    x, y = w / 2 - t, -h / 2 + b
    return polygon(
        [(-w / 2, -h / 2), (w / 2, -h / 2), (w / 2, h / 2), (x, h / 2), (x, y), (-x, y), (-x, h / 2), (-w / 2, h / 2)]
    )


def _step_shape(rng: np.random.Generator, w: float, h: float) -> LoopOutline:
    x1, x2 = np.sort(rng.uniform(-0.4, 0.4, 2)) * w
    y1, y2 = np.sort(rng.uniform(-0.4, 0.4, 2)) * h
    return polygon(
        [(-w / 2, -h / 2), (w / 2, -h / 2), (w / 2, y1), (x2, y1), (x2, y2), (x1, y2), (x1, h / 2), (-w / 2, h / 2)]
    )


def _h_shape(rng: np.random.Generator, w: float, h: float) -> LoopOutline:
    a, b = w * rng.uniform(0.15, 0.35), h * rng.uniform(0.1, 0.35)
    x, y = w / 2 - a, b / 2 if rng.random() < 0.5 else h / 2 - b
    plus = rng.random() < 0.5
    quarter = [(w / 2, y), (x, y), (x, h / 2)] if plus else [(w / 2, h / 2), (x, h / 2), (x, y)]
    lower = [(-u, -v) for u, v in quarter] + [(u, -v) for u, v in reversed(quarter)]
    return polygon(lower + [(-u, -v) for u, v in lower])


def _chamfered(rng: np.random.Generator, w: float, h: float) -> LoopOutline:
    c = min(w, h) * rng.uniform(0.1, 0.45)
    points: list[Point2] = []
    cut = rng.random(4) < rng.choice([0.35, 1.0])
    if not cut.any():
        cut[rng.integers(4)] = True
    corners = np.array(_corners(w, h))
    for i in range(4):
        before, corner, after = corners[i - 1], corners[i], corners[(i + 1) % 4]
        if cut[i]:
            points.append(corner + (before - corner) / np.linalg.norm(before - corner) * c)
            points.append(corner + (after - corner) / np.linalg.norm(after - corner) * c)
        else:
            points.append(corner)
    return polygon(points)


def _slot(rng: np.random.Generator, w: float, h: float) -> LoopOutline:
    if w < h:
        return turned(_slot(rng, h, w), 1)
    r, x = h / 2, w / 2 - h / 2
    if x < 0.05 * w:
        return _circle(rng, w, h)
    return LoopOutline(((-x, -r), (x, -r), (x, r), (-x, r)), (None, (x + r, 0.0), None, (-x - r, 0.0)))


def _d_shape(rng: np.random.Generator, w: float, h: float) -> LoopOutline:
    """A straight side and a circular one: from a tongue with a round end to a half disc or a segment of one."""
    bulge = min(h / 2, w * rng.uniform(0.25, 1.0))
    x = w / 2 - bulge
    if x <= -w / 2 + 0.02 * w:
        return LoopOutline(((-w / 2, -h / 2), (-w / 2, h / 2)), ((w / 2, 0.0), None))
    return LoopOutline(((-w / 2, -h / 2), (x, -h / 2), (x, h / 2), (-w / 2, h / 2)), (None, (w / 2, 0.0), None, None))


def _arch(rng: np.random.Generator, w: float, h: float) -> LoopOutline:
    """A band bent to an arc: a half ring with straight ends."""
    r = min(w / 2, h)
    inner = r * rng.uniform(0.35, 0.85)
    y = -r / 2
    return LoopOutline(((-r, y), (-inner, y), (inner, y), (r, y)), (None, (0.0, y + inner), None, (0.0, y + r)))


def _trapezoid(rng: np.random.Generator, w: float, h: float) -> LoopOutline:
    a, b = np.array([rng.uniform(0.1, 0.8), rng.uniform(-0.5, 0.5)]) * w
    left = np.clip(b - a / 2, -w / 2, w / 2)
    right = np.clip(b + a / 2, -w / 2, w / 2)
    if rng.random() < 0.5:
        left, right = -a / 2, a / 2
    return polygon([(-w / 2, -h / 2), (w / 2, -h / 2), (right, h / 2), (left, h / 2)])


def _triangle(rng: np.random.Generator, w: float, h: float) -> LoopOutline:
    top = rng.choice([-w / 2, 0, w / 2, rng.uniform(-w / 2, w / 2)])
    return polygon([(-w / 2, -h / 2), (w / 2, -h / 2), (top, h / 2)])


def _regular(rng: np.random.Generator, w: float, h: float) -> LoopOutline:
    sides = int(rng.choice([5, 6, 6, 6, 8]))
    angles = np.arange(sides) / sides * math.tau + (math.pi / sides if rng.random() < 0.5 else 0)
    return polygon(np.column_stack((np.cos(angles), np.sin(angles))) * min(w, h) / 2)


def _freeform(rng: np.random.Generator, w: float, h: float) -> LoopOutline:
    """A star-shaped loop of 3 to 8 corners, some of its edges bent."""
    count = int(rng.integers(3, 9))
    angles = (np.arange(count) + rng.uniform(-0.3, 0.3, count)) / count * math.tau + rng.uniform(0, math.tau)
    radii = rng.uniform(0.45, 1.0, count)
    points = np.column_stack((np.cos(angles) * radii * w / 2, np.sin(angles) * radii * h / 2))
    middles: list[Point2 | None] = []
    for a, b in zip(points, np.roll(points, -1, 0)):
        if rng.random() < 0.35:
            across = np.array([b[1] - a[1], a[0] - b[0]])
            middles.append(tuple((a + b) / 2 + across * rng.uniform(0.08, 0.45) * rng.choice([1, 1, -1])))
        else:
            middles.append(None)
    return LoopOutline(tuple(map(tuple, points)), tuple(middles))


def _rectilinear(rng: np.random.Generator, w: float, h: float) -> LoopOutline:
    """A block with notches: a staircase up and another one down, all corners square."""
    count = int(rng.integers(2, 5))
    xs = np.concatenate(([-w / 2], np.sort(rng.uniform(-0.45, 0.45, count - 1)) * w, [w / 2]))
    if np.diff(xs).min() < 0.06 * w:
        xs = np.linspace(-w / 2, w / 2, count + 1)
    tops = rng.uniform(0.0, 0.5, count) * h
    tops[rng.integers(count)] = h / 2
    bottoms = np.full(count, -h / 2)
    if rng.random() < 0.3:
        bottoms = -rng.uniform(0.1, 0.5, count) * h
        bottoms[rng.integers(count)] = -h / 2
    lower = [point for i in range(count) for point in ((xs[i], bottoms[i]), (xs[i + 1], bottoms[i]))]
    upper = [point for i in reversed(range(count)) for point in ((xs[i + 1], tops[i]), (xs[i], tops[i]))]
    return polygon(lower + upper)


# --- outlines of human designs, for `DESIGNS` alone


def _segment(rng: np.random.Generator, w: float, h: float) -> LoopOutline:
    """A segment of a disc, at most half of it: two edges."""
    rise = min(w, h / 2 * rng.uniform(0.3, 1.0))
    return LoopOutline(((-rise / 2, -h / 2), (-rise / 2, h / 2)), ((rise / 2, 0.0), None))


def _lens(rng: np.random.Generator, w: float, h: float) -> LoopOutline:
    """Two arcs over one chord: a lens with an arc on either side, or a crescent with both on the same side."""
    right = min(w, h) / 2 * rng.uniform(0.4, 1.0)
    left = right * rng.uniform(-0.8, 0.8)
    x = -(right - max(left, 0.0)) / 2
    return LoopOutline(((x, -h / 2), (x, h / 2)), ((x + right, 0.0), (x - left, 0.0)))


def _sector(rng: np.random.Generator, w: float, h: float) -> LoopOutline:
    """A piece of a pie, often a quarter."""
    if rng.random() < 0.6:
        r = min(w, h)
        low, middle = -r / 2, -r / 2 + r * math.sqrt(0.5)
        return LoopOutline(((low, low), (r / 2, low), (low, r / 2)), (None, (middle, middle), None))
    angle = rng.uniform(0.4, 1.5)
    r = min(w, h / 2 / math.sin(angle))
    x, y = r * math.cos(angle) - r / 2, r * math.sin(angle)
    return LoopOutline(((-r / 2, 0.0), (x, -y), (x, y)), (None, (r / 2, 0.0), None))


def _flats(rng: np.random.Generator, w: float, h: float) -> LoopOutline:
    """A disc with two flat sides."""
    r, share = min(w, h) / 2, rng.uniform(0.4, 0.95)
    x, y = r * math.sqrt(1 - share**2), r * share
    return LoopOutline(((-x, -y), (x, -y), (x, y), (-x, y)), (None, (r, 0.0), None, (-r, 0.0)))


def _bulged(rng: np.random.Generator, w: float, h: float) -> LoopOutline:
    """A rectangle with one side bent, or two opposite ones, outward or inward."""
    bend = min(w * rng.uniform(0.05, 0.4), h / 2)
    outward = rng.random() < 0.6
    edge, middle = (w / 2 - bend, w / 2) if outward else (w / 2, w / 2 - bend)
    both = rng.random() < 0.35
    left, left_middle = (-edge, (-middle, 0.0)) if both else (-w / 2, None)
    return LoopOutline(
        ((left, -h / 2), (edge, -h / 2), (edge, h / 2), (left, h / 2)), (None, (middle, 0.0), None, left_middle)
    )


def _quadrilateral(rng: np.random.Generator, w: float, h: float) -> LoopOutline:
    """A corner on each side of the box."""
    (x0, x1), (y0, y1) = rng.uniform(-0.5, 0.5, 2) * w, rng.uniform(-0.5, 0.5, 2) * h
    return polygon([(-w / 2, y0), (x0, -h / 2), (w / 2, y1), (x1, h / 2)])


def _tilted(rng: np.random.Generator, w: float, h: float) -> LoopOutline:
    """A rectangle that stands askew."""
    angle, ratio = math.radians(rng.uniform(8, 82)), rng.uniform(0.15, 1.0)
    cos, sin = math.cos(angle), math.sin(angle)
    a = min(w / (cos + ratio * sin), h / (sin + ratio * cos)) / 2
    return polygon((cos * x - sin * y, sin * x + cos * y) for x, y in _corners(2 * a, 2 * a * ratio))


def _partly_rounded(rng: np.random.Generator, w: float, h: float) -> LoopOutline:
    """A rectangle with one to three rounded corners."""
    r = min(w, h) * rng.uniform(0.1, 0.48)
    round_ones = set(rng.permutation(4)[: int(rng.integers(1, 4))].tolist())
    corners: list[Point2] = []
    middles: list[Point2 | None] = []
    for index, (x, y) in enumerate(_corners(w, h)):
        if index not in round_ones:
            corners.append((x, y))
            middles.append(None)
            continue
        inward_x, inward_y = -math.copysign(r, x), -math.copysign(r, y)
        ends = [(x + inward_x, y), (x, y + inward_y)]
        corners += ends if index in (1, 3) else ends[::-1]  # counter-clockwise from the lower left
        middles += [(x + inward_x * (1 - math.sqrt(0.5)), y + inward_y * (1 - math.sqrt(0.5))), None]
    return LoopOutline(tuple(corners), tuple(middles))


def _filleted(rng: np.random.Generator, w: float, h: float) -> LoopOutline:
    """A shape of straight edges with every corner rounded a little."""
    shape = (_l_shape, _u_shape, _t_shape, _trapezoid, _triangle)[rng.integers(5)](rng, w, h)
    straight = all(middle is None for middle in shape.middles)
    return rounded(shape.corners, min(w, h) * rng.uniform(0.02, 0.1)) if straight else shape


def _comb(rng: np.random.Generator, w: float, h: float) -> LoopOutline:
    teeth = int(rng.integers(3, 7))
    pitch, root = w / (2 * teeth - 1), h * rng.uniform(-0.2, 0.3)
    points = [(-w / 2, -h / 2), (w / 2, -h / 2)]
    for tooth in reversed(range(teeth)):
        x = -w / 2 + 2 * tooth * pitch
        points += [(x + pitch, h / 2), (x, h / 2)]
        if tooth:
            points += [(x, root), (x - pitch, root)]
    return polygon(points)


def _gear(rng: np.random.Generator, w: float, h: float) -> LoopOutline:
    teeth, root = int(rng.integers(5, 11)), rng.uniform(0.7, 0.88)
    radii = np.tile([root, 1.0, 1.0, root], teeth) * min(w, h) / 2
    angles = (np.arange(teeth)[:, None] + [0.0, 0.12, 0.38, 0.5]).ravel() / teeth * math.tau
    return polygon(np.column_stack((np.cos(angles), np.sin(angles))) * radii[:, None])


@dataclass(frozen=True)
class Weights:
    """Which outlines are drawn, and how often."""

    names: tuple[str, ...]
    shares: np.ndarray

    @classmethod
    def of(cls, **weights: float) -> Weights:
        shares = np.array(list(weights.values()))
        return cls(tuple(weights), shares / shares.sum())


DRAWERS: dict[str, Callable[[np.random.Generator, float, float], Outline]] = {
    "rect": _rect,
    "circle": _circle,
    "rounded_rect": _rounded_rect,
    "l": _l_shape,
    "t": _t_shape,
    "u": _u_shape,
    "step": _step_shape,
    "h": _h_shape,
    "chamfered": _chamfered,
    "slot": _slot,
    "d": _d_shape,
    "arch": _arch,
    "trapezoid": _trapezoid,
    "triangle": _triangle,
    "regular": _regular,
    "freeform": _freeform,
    "rectilinear": _rectilinear,
    "segment": _segment,
    "lens": _lens,
    "sector": _sector,
    "flats": _flats,
    "bulged": _bulged,
    "quadrilateral": _quadrilateral,
    "tilted": _tilted,
    "partly_rounded": _partly_rounded,
    "filleted": _filleted,
    "comb": _comb,
    "gear": _gear,
}
# fmt: off
GENERAL = Weights.of(
    rect=0.27, circle=0.2, rounded_rect=0.09, l=0.06, t=0.03, u=0.04, step=0.02, h=0.02, chamfered=0.04, slot=0.05,
    d=0.04, arch=0.02, trapezoid=0.03, triangle=0.02, regular=0.02, freeform=0.05, rectilinear=0.05,
)
DESIGNS = Weights.of(
    rect=0.21, circle=0.24, segment=0.055, lens=0.03, sector=0.03, triangle=0.03, slot=0.03, d=0.025, arch=0.015,
    flats=0.012, bulged=0.02, quadrilateral=0.02, tilted=0.02, trapezoid=0.02, l=0.04, partly_rounded=0.025, u=0.02,
    chamfered=0.02, rounded_rect=0.03, regular=0.015, step=0.01, freeform=0.045, t=0.012, h=0.012, filleted=0.04,
    rectilinear=0.04, comb=0.015, gear=0.015,
)
# fmt: on


def draw_outline(
    rng: np.random.Generator, w: float, h: float, name: str | None = None, weights: Weights = GENERAL
) -> Outline:
    """An outline that about fills the box w x h around the origin, turned by a random quarter where that matters."""
    name = name or weights.names[rng.choice(len(weights.names), p=weights.shares)]
    if name in ("rect", "circle"):
        return DRAWERS[name](rng, w, h)
    quarter = int(rng.integers(4))
    outline = DRAWERS[name](rng, *((h, w) if quarter % 2 else (w, h)))
    return turned(outline, quarter)
