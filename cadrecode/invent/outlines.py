"""Closed curves that invented parts are drawn with, stored edge by edge, so that rounding keeps what is aligned.

Units are arbitrary until `snapped` puts an outline on the grid of the CODE frame.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from cadrecode.program.language import NOISE_DECIMALS, Arc, Circle, Line, Loop, Mode, Point2, Rect, SketchStep

Snap = Callable[[float], float]


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
        return Rect(whole(x1 - x0), whole(y1 - y0)), (whole((x0 + x1) / 2), whole((y0 + y1) / 2))


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
        if any(start == end for start, end in zip(corners, ends)):  # a spike was there, out and back
            raise Degenerate
        edges = [Line(end) if middle is None else Arc(middle, end) for middle, end in zip(middles, ends)]
        if isinstance(edges[-1], Line):
            edges.pop()
        return Loop(corners[0], tuple(edges)), (0, 0)


Outline = RectOutline | CircleOutline | LoopOutline


def whole(value: float) -> float:
    """A whole number as an int, others without the noise of floats: 7.0 -> 7, 0.1 + 0.2 -> 0.3."""
    value = round(value, NOISE_DECIMALS)
    return int(value) if value == int(value) else value


def _cross(a: Point2, b: Point2, c: Point2) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _without_repeats(
    corners: Sequence[Point2], middles: Sequence[Point2 | None]
) -> tuple[list[Point2], list[Point2 | None]]:
    stay = [i for i in range(len(corners)) if corners[i] != corners[(i + 1) % len(corners)]]
    new_corners, new_middles = [corners[i] for i in stay], []
    for i in stay:
        start, middle, end = corners[i], middles[i], corners[(i + 1) % len(corners)]
        # an arc whose three points fall in line, or on each other, has become a line
        new_middles.append(None if middle is None or _cross(start, middle, end) == 0 else middle)
    if len(new_corners) < 2:
        raise Degenerate
    return new_corners, new_middles


def _without_straight_corners(
    corners: Sequence[Point2], middles: Sequence[Point2 | None]
) -> tuple[list[Point2], list[Point2 | None]]:
    count = len(corners)
    stay = [
        i
        for i in range(count)
        if middles[i - 1] is not None
        or middles[i] is not None
        or _cross(corners[i - 1], corners[i], corners[(i + 1) % count]) != 0
    ]
    return [corners[i] for i in stay], [middles[i] for i in stay]


def _signed_area(corners: Sequence[Point2], middles: Sequence[Point2 | None]) -> float:
    points: list[Point2] = []
    for corner, middle in zip(corners, middles):
        points.append(corner)
        if middle is not None:
            points.append(middle)
    area = sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(points, [*points[1:], points[0]])) / 2
    if area == 0:
        raise Degenerate
    return area


def polygon(points: Iterable[Point2] | np.ndarray) -> LoopOutline:
    """Straight edges between the points."""
    corners = tuple((float(x), float(y)) for x, y in points)
    return LoopOutline(corners, (None,) * len(corners))


def rounded(points: Iterable[Point2] | np.ndarray, radius: float) -> LoopOutline:
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


def turned(outline: Outline, quarters: int) -> Outline:
    """The outline turned by so many quarters of a turn about the origin."""
    if not isinstance(outline, LoopOutline):
        return outline
    cos, sin = [(1, 0), (0, 1), (-1, 0), (0, -1)][quarters % 4]
    return outline.mapped(lambda p: (cos * p[0] - sin * p[1], sin * p[0] + cos * p[1]))


def mirrored(outline: Outline) -> Outline:
    """The outline mirrored left to right."""
    return mapped(outline, lambda p: (-p[0], p[1]))


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
