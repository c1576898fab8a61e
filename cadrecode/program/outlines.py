"""Closed curves that invented parts are drawn with, kept by their edges so that rounding keeps what is aligned.

Units are arbitrary until `snapped` puts an outline on the integer grid of the CODE frame.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cadrecode.program.language import Arc, Circle, Line, Loop, Mode, Point2, Rect, SketchStep

Snap = Callable[[float], int]


class Degenerate(ValueError):
    """Rounding has left nothing of this outline; the part is drawn anew."""


@dataclass(frozen=True, slots=True)
class RectOutline:
    """From corner (x0, y0) to corner (x1, y1)."""

    x0: float
    y0: float
    x1: float
    y1: float

    def bounds(self) -> tuple[float, float, float, float]:
        return self.x0, self.y0, self.x1, self.y1

    def moved(self, dx: float, dy: float) -> RectOutline:
        return RectOutline(self.x0 + dx, self.y0 + dy, self.x1 + dx, self.y1 + dy)

    def snapped(self, snap_x: Snap, snap_y: Snap, length: Snap) -> tuple[Rect, Point2]:
        """The shape and its place on the grid. Raises: Degenerate."""
        x0, y0, x1, y1 = snap_x(self.x0), snap_y(self.y0), snap_x(self.x1), snap_y(self.y1)
        if x1 <= x0 or y1 <= y0:
            raise Degenerate
        return Rect(x1 - x0, y1 - y0), (whole((x0 + x1) / 2), whole((y0 + y1) / 2))


@dataclass(frozen=True, slots=True)
class CircleOutline:
    x: float
    y: float
    radius: float

    def bounds(self) -> tuple[float, float, float, float]:
        return self.x - self.radius, self.y - self.radius, self.x + self.radius, self.y + self.radius

    def moved(self, dx: float, dy: float) -> CircleOutline:
        return CircleOutline(self.x + dx, self.y + dy, self.radius)

    def snapped(self, snap_x: Snap, snap_y: Snap, length: Snap) -> tuple[Circle, Point2]:
        radius = length(self.radius)
        if radius < 1:
            raise Degenerate
        return Circle(radius), (snap_x(self.x), snap_y(self.y))


@dataclass(frozen=True, slots=True)
class LoopOutline:
    """Corners in order; `middles[i]` makes the edge from corner i to the next an arc through that point."""

    corners: tuple[Point2, ...]
    middles: tuple[Point2 | None, ...]

    def bounds(self) -> tuple[float, float, float, float]:
        # an arc's middle lies farthest out on the arcs drawn here (at most half a turn, symmetric)
        points = np.array([*self.corners, *(m for m in self.middles if m is not None)])
        return (*points.min(axis=0), *points.max(axis=0))

    def moved(self, dx: float, dy: float) -> LoopOutline:
        return self.mapped(lambda p: (p[0] + dx, p[1] + dy))

    def mapped(self, function: Callable[[Point2], Point2]) -> LoopOutline:
        """The same loop with every point mapped."""
        return LoopOutline(
            tuple(function(p) for p in self.corners), tuple(None if m is None else function(m) for m in self.middles)
        )

    def snapped(self, snap_x: Snap, snap_y: Snap, length: Snap) -> tuple[Loop, Point2]:
        """Counter-clockwise, from the leftmost (then lowest) corner, without needless corners."""
        on_grid = self.mapped(lambda p: (snap_x(p[0]), snap_y(p[1])))
        corners, middles = _without_repeats(on_grid.corners, on_grid.middles)
        if _signed_area(corners, middles) < 0:
            corners = corners[::-1]
            middles = [*middles[-2::-1], middles[-1]]
        first = min(range(len(corners)), key=lambda i: corners[i])
        corners, middles = corners[first:] + corners[:first], middles[first:] + middles[:first]
        corners, middles = _without_straight_corners(corners, middles)
        if len(corners) < 2 or (len(corners) == 2 and all(m is None for m in middles)):
            raise Degenerate
        ends = [*corners[1:], corners[0]]
        edges = [Line(end) if middle is None else Arc(middle, end) for middle, end in zip(middles, ends)]
        if isinstance(edges[-1], Line):
            edges.pop()
        return Loop(corners[0], tuple(edges)), (0, 0)


Outline = RectOutline | CircleOutline | LoopOutline


def whole(value: float) -> float:
    """7.0 as 7, 7.5 as it is."""
    return int(value) if value == int(value) else value


def _cross(a: Point2, b: Point2, c: Point2) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _without_repeats(corners, middles) -> tuple[list[Point2], list[Point2 | None]]:
    kept = [i for i in range(len(corners)) if corners[i] != corners[(i + 1) % len(corners)]]
    new_corners, new_middles = [corners[i] for i in kept], []
    for i in kept:
        start, middle, end = corners[i], middles[i], corners[(i + 1) % len(corners)]
        # an arc whose three points fall in line, or on each other, has become a line
        new_middles.append(None if middle is None or _cross(start, middle, end) == 0 else middle)
    if len(new_corners) < 2:
        raise Degenerate
    return new_corners, new_middles


def _without_straight_corners(corners, middles) -> tuple[list[Point2], list[Point2 | None]]:
    count = len(corners)
    kept = [
        i
        for i in range(count)
        if middles[i - 1] is not None
        or middles[i] is not None
        or _cross(corners[i - 1], corners[i], corners[(i + 1) % count]) != 0
    ]
    return [corners[i] for i in kept], [middles[i] for i in kept]


def _signed_area(corners, middles) -> float:
    points: list[Point2] = []
    for corner, middle in zip(corners, middles):
        points.append(corner)
        if middle is not None:
            points.append(middle)
    area = sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(points, [*points[1:], points[0]])) / 2
    if area == 0:
        raise Degenerate
    return area


def polygon(points) -> LoopOutline:
    """Straight edges between the points."""
    corners = tuple((float(x), float(y)) for x, y in points)
    return LoopOutline(corners, (None,) * len(corners))


def rounded(points, radius: float) -> LoopOutline:
    """A polygon whose corners are filleted; `radius` is cut back where an edge is too short for it."""
    points = np.asarray(points, float)
    corners: list[Point2] = []
    middles: list[Point2 | None] = []
    for before, corner, after in zip(np.roll(points, 1, 0), points, np.roll(points, -1, 0)):
        to_before, to_after = before - corner, after - corner
        length_before, length_after = np.linalg.norm(to_before), np.linalg.norm(to_after)
        to_before, to_after = to_before / length_before, to_after / length_after
        half_angle = math.acos(float(np.clip(to_before @ to_after, -1, 1))) / 2
        reach = min(radius / math.tan(half_angle), 0.48 * length_before, 0.48 * length_after)
        fillet = reach * math.tan(half_angle)
        bisector = (to_before + to_after) / np.linalg.norm(to_before + to_after)
        middle = corner + bisector * (fillet / math.sin(half_angle) - fillet)
        corners += [tuple(corner + to_before * reach), tuple(corner + to_after * reach)]
        middles += [tuple(middle), None]
    return LoopOutline(tuple(corners), tuple(middles))


# --- the outlines that parts are made of, each filling the box width x height around the origin


def _rect(rng, w, h):
    return RectOutline(-w / 2, -h / 2, w / 2, h / 2)


def _circle(rng, w, h):
    return CircleOutline(0, 0, min(w, h) / 2)


def _corners(w, h):
    return [(-w / 2, -h / 2), (w / 2, -h / 2), (w / 2, h / 2), (-w / 2, h / 2)]


def _rounded_rect(rng, w, h):
    return rounded(_corners(w, h), min(w, h) * rng.uniform(0.08, 0.4))


def _l_shape(rng, w, h):
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


def _t_shape(rng, w, h):
    a, b = w * rng.uniform(0.15, 0.6) / 2, h * rng.uniform(0.15, 0.6)
    y = h / 2 - b
    return polygon(
        [(-a, -h / 2), (a, -h / 2), (a, y), (w / 2, y), (w / 2, h / 2), (-w / 2, h / 2), (-w / 2, y), (-a, y)]
    )


def _u_shape(rng, w, h):
    t, b = w * rng.uniform(0.1, 0.35), h * rng.uniform(0.1, 0.6)
    x, y = w / 2 - t, -h / 2 + b
    return polygon(
        [(-w / 2, -h / 2), (w / 2, -h / 2), (w / 2, h / 2), (x, h / 2), (x, y), (-x, y), (-x, h / 2), (-w / 2, h / 2)]
    )


def _step_shape(rng, w, h):
    x1, x2 = np.sort(rng.uniform(-0.4, 0.4, 2)) * w
    y1, y2 = np.sort(rng.uniform(-0.4, 0.4, 2)) * h
    return polygon(
        [(-w / 2, -h / 2), (w / 2, -h / 2), (w / 2, y1), (x2, y1), (x2, y2), (x1, y2), (x1, h / 2), (-w / 2, h / 2)]
    )


def _h_shape(rng, w, h):
    a, b = w * rng.uniform(0.15, 0.35), h * rng.uniform(0.1, 0.35)
    x, y = w / 2 - a, b / 2 if rng.random() < 0.5 else h / 2 - b
    plus = rng.random() < 0.5
    if plus:
        return polygon(
            [
                (-w / 2, -y),
                (-x, -y),
                (-x, -h / 2),
                (x, -h / 2),
                (x, -y),
                (w / 2, -y),
                (w / 2, y),
                (x, y),
                (x, h / 2),
                (-x, h / 2),
                (-x, y),
                (-w / 2, y),
            ]
        )
    return polygon(
        [
            (-w / 2, -h / 2),
            (-x, -h / 2),
            (-x, -y),
            (x, -y),
            (x, -h / 2),
            (w / 2, -h / 2),
            (w / 2, h / 2),
            (x, h / 2),
            (x, y),
            (-x, y),
            (-x, h / 2),
            (-w / 2, h / 2),
        ]
    )


def _chamfered(rng, w, h):
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


def _slot(rng, w, h):
    if w < h:
        return turned(_slot(rng, h, w), 1)
    r, x = h / 2, w / 2 - h / 2
    if x < 0.05 * w:
        return _circle(rng, w, h)
    return LoopOutline(((-x, -r), (x, -r), (x, r), (-x, r)), (None, (x + r, 0.0), None, (-x - r, 0.0)))


def _d_shape(rng, w, h):
    """A straight side and a circular one: from a tongue with a round end to a half disc or a segment of one."""
    bulge = min(h / 2, w * rng.uniform(0.25, 1.0))
    x = w / 2 - bulge
    if x <= -w / 2 + 0.02 * w:
        return LoopOutline(((-w / 2, -h / 2), (-w / 2, h / 2)), ((w / 2, 0.0), None))
    return LoopOutline(((-w / 2, -h / 2), (x, -h / 2), (x, h / 2), (-w / 2, h / 2)), (None, (w / 2, 0.0), None, None))


def _arch(rng, w, h):
    """A band bent to an arc: a half ring with straight ends."""
    r = min(w / 2, h)
    inner = r * rng.uniform(0.35, 0.85)
    y = -r / 2
    return LoopOutline(
        ((-r, y), (-inner, y), (inner, y), (r, y)),
        (None, (0.0, y + inner), None, (0.0, y + r)),
    )


def _trapezoid(rng, w, h):
    a, b = np.array([rng.uniform(0.1, 0.8), rng.uniform(-0.5, 0.5)]) * w
    left = np.clip(b - a / 2, -w / 2, w / 2)
    right = np.clip(b + a / 2, -w / 2, w / 2)
    if rng.random() < 0.5:
        left, right = -a / 2, a / 2
    return polygon([(-w / 2, -h / 2), (w / 2, -h / 2), (right, h / 2), (left, h / 2)])


def _triangle(rng, w, h):
    top = rng.choice([-w / 2, 0, w / 2, rng.uniform(-w / 2, w / 2)])
    return polygon([(-w / 2, -h / 2), (w / 2, -h / 2), (top, h / 2)])


def _regular(rng, w, h):
    sides = int(rng.choice([5, 6, 6, 6, 8]))
    angles = np.arange(sides) / sides * math.tau + (math.pi / sides if rng.random() < 0.5 else 0)
    return polygon(np.column_stack((np.cos(angles), np.sin(angles))) * min(w, h) / 2)


def _freeform(rng, w, h):
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


def _rectilinear(rng, w, h):
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


OUTLINES: dict[str, tuple[Callable, float]] = {  # name: (drawer, weight among the outlines of real parts)
    "rect": (_rect, 0.27),
    "circle": (_circle, 0.2),
    "rounded_rect": (_rounded_rect, 0.09),
    "l": (_l_shape, 0.06),
    "t": (_t_shape, 0.03),
    "u": (_u_shape, 0.04),
    "step": (_step_shape, 0.02),
    "h": (_h_shape, 0.02),
    "chamfered": (_chamfered, 0.04),
    "slot": (_slot, 0.05),
    "d": (_d_shape, 0.04),
    "arch": (_arch, 0.02),
    "trapezoid": (_trapezoid, 0.03),
    "triangle": (_triangle, 0.02),
    "regular": (_regular, 0.02),
    "freeform": (_freeform, 0.05),
    "rectilinear": (_rectilinear, 0.05),
}
_NAMES = list(OUTLINES)
_WEIGHTS = np.array([weight for _, weight in OUTLINES.values()])
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()


def draw_outline(rng: np.random.Generator, w: float, h: float, name: str | None = None) -> Outline:
    """An outline that about fills the box w x h around the origin, turned by a random quarter where that matters."""
    name = name or _NAMES[rng.choice(len(_NAMES), p=_WEIGHTS)]
    if name in ("rect", "circle"):
        return OUTLINES[name][0](rng, w, h)
    quarter = int(rng.integers(4))
    outline = OUTLINES[name][0](rng, *((h, w) if quarter % 2 else (w, h)))
    return turned(outline, quarter)


def turned(outline: Outline, quarters: int) -> Outline:
    """The outline turned by so many quarters of a turn about the origin."""
    if not isinstance(outline, LoopOutline):
        return outline
    cos, sin = [(1, 0), (0, 1), (-1, 0), (0, -1)][quarters % 4]
    return outline.mapped(lambda p: (cos * p[0] - sin * p[1], sin * p[0] + cos * p[1]))


def mirrored(outline: Outline) -> Outline:
    """The outline mirrored left to right."""
    match outline:
        case RectOutline(x0, y0, x1, y1):
            return RectOutline(-x1, y0, -x0, y1)
        case CircleOutline(x, y, radius):
            return CircleOutline(-x, y, radius)
        case LoopOutline():
            return outline.mapped(lambda p: (-p[0], p[1]))


def mapped(outline: Outline, point: Callable[[Point2], Point2]) -> Outline:
    """The outline with every point mapped by quarter turns, mirrorings and moves of the plane."""
    match outline:
        case RectOutline(x0, y0, x1, y1):
            (x0, y0), (x1, y1) = point((x0, y0)), point((x1, y1))
            return RectOutline(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))
        case CircleOutline(x, y, radius):
            return CircleOutline(*point((x, y)), radius)
        case LoopOutline():
            return outline.mapped(point)


def as_step(outline: Outline, mode: Mode, snap_x: Snap, snap_y: Snap, length: Snap) -> SketchStep:
    """The outline on the grid as one step of a sketch. Raises: Degenerate."""
    shape, place = outline.snapped(snap_x, snap_y, length)
    return SketchStep(shape, mode, (place,))
