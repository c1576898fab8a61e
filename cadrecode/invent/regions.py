"""A sketch as the area that it is: outlines and their holes, however its loops, circles and rectangles make them up.

The area is computed with its arcs cut into straight pieces; afterwards, pieces that lie on one of the sketch's circles
become arcs of that circle again.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from cadrecode.geometry import polygon_area
from cadrecode.invent.outlines import CircleOutline, LoopOutline, Outline, RectOutline
from cadrecode.program.language import Arc, Circle, Corners, Face, Loop, Point2, Sketch, SketchStep, points_of
from cadrecode.program.section import circle_through, cross_section, segments_of

EXACT = 1e-3  # CODE; what computing the area may move a point by
ONE_CIRCLE = 0.75  # CODE; consecutive arcs whose points lie this near to a common circle are joined into one arc
AS_WRITTEN = 1.0  # CODE; an arc's middle this near to the middle that the sketch has is replaced by it
THIN = 0.2  # CODE; thinner pieces and holes are gaps between arcs that rounding moved apart


@dataclass(frozen=True)
class Region:
    """A connected piece of a sketch."""

    outer: Outline
    holes: tuple[Outline, ...] = ()


def regions(sketch: Sketch, sagitta: float) -> list[Region]:
    """The connected pieces of a sketch.

    Args:
        sagitta: how far a side may cut into its circle while the area is computed.
    """
    arcs = list(_arcs(sketch))
    pieces = []
    for piece in cross_section(sketch, sagitta).decompose():
        contours = [np.asarray(contour, float) for contour in piece.to_polygons()]
        outlines = [
            (polygon_area(contour), _outline(contour, arcs, sagitta)) for contour in contours if not _is_thin(contour)
        ]
        outers = [outline for area, outline in outlines if area > 0]
        if len(outers) == 1:
            pieces.append(Region(outers[0], tuple(outline for area, outline in outlines if area < 0)))
    return pieces


def _is_thin(contour: np.ndarray) -> bool:
    length = np.linalg.norm(np.roll(contour, -1, 0) - contour, axis=1).sum()
    return 2 * abs(polygon_area(contour)) < THIN * length


_Circle = tuple[float, float, float]  # x and y of the middle, radius


@dataclass(frozen=True)
class _Round:
    """A circle that some edge of the sketch lies on, and the middle of that edge where it is an arc."""

    circle: _Circle
    middle: Point2 | None = None


def _arcs(sketch: Sketch) -> Iterator[_Round]:
    """Every round edge of a sketch."""
    for step in sketch.steps:
        if isinstance(step, Corners):
            continue
        for edge in _arcs_of(step):
            (x, y, radius), middle = edge.circle, edge.middle
            for dx, dy in points_of(step.places):
                moved = None if middle is None else (middle[0] + dx, middle[1] + dy)
                yield _Round((x + dx, y + dy, radius), moved)


def _arcs_of(step: SketchStep) -> Iterator[_Round]:
    match step.shape:
        case Circle(radius):
            yield _Round((0, 0, radius))
        case Face(sketch):
            yield from _arcs(sketch)
        case Loop(start, edges):
            for begin, edge in zip([start, *(edge.end for edge in edges)], edges):
                if isinstance(edge, Arc) and (circle := circle_through(begin, edge.middle, edge.end)) is not None:
                    yield _Round(circle, edge.middle)


def _outline(contour: np.ndarray, arcs: list[_Round], sagitta: float) -> Outline:
    """(N, 2) corners -> the outline with its arcs."""
    on = _circle_of_each_edge(contour, [arc.circle for arc in arcs], sagitta)
    count = len(contour)
    breaks = [i for i in range(count) if on[i] < 0 or on[i] != on[i - 1]]
    if not breaks:
        return CircleOutline(*arcs[on[0]].circle)
    written = [arc.middle for arc in arcs if arc.middle is not None]
    corners: list[Point2] = []
    middles: list[Point2 | None] = []
    for begin, end in zip(breaks, [*breaks[1:], breaks[0] + count]):
        corners.append(tuple(map(float, contour[begin])))
        if on[begin] < 0:
            middles.append(None)
            continue
        middle = _middle(contour[np.arange(begin, end + 1) % count], arcs[on[begin]].circle)
        near = min(written, key=lambda point: math.dist(point, middle), default=middle)
        middles.append(near if math.dist(near, middle) < AS_WRITTEN else middle)
    return plainest(LoopOutline(tuple(corners), tuple(middles)))


def _circle_of_each_edge(contour: np.ndarray, circles: list[_Circle], sagitta: float) -> list[int]:
    """The number of the circle that the edge from each corner to the next is a side of, or -1."""
    count = len(contour)
    on = np.full(count, -1)
    sides = np.linalg.norm(np.roll(contour, -1, 0) - contour, axis=1)
    for number in sorted(range(len(circles)), key=lambda n: circles[n][2]):  # where two circles agree, the larger wins
        x, y, radius = circles[number]
        outward = np.hypot(contour[:, 0] - x, contour[:, 1] - y) - radius
        near = (outward < EXACT) & (outward > -sagitta - EXACT)
        side = 2 * radius * math.sin(math.pi / segments_of(radius, sagitta))
        on[near & np.roll(near, -1) & (sides < side + EXACT)] = number
    return on.tolist()


def _middle(points: np.ndarray, circle: _Circle) -> Point2:
    """The point halfway along the arc that passes these points in order."""
    x, y, radius = circle
    angles = np.unwrap(np.arctan2(points[:, 1] - y, points[:, 0] - x))
    half = float(angles[0] + angles[-1]) / 2
    return x + radius * math.cos(half), y + radius * math.sin(half)


def plainest(loop: LoopOutline) -> Outline:
    """The outline as a circle or a rectangle, where it is one; else with as few arcs and corners as possible."""
    corners, middles = _without_needless(list(loop.corners), list(loop.middles))
    if len(corners) == 2 and None not in middles:
        circle = circle_through(corners[0], middles[0], corners[1])
        if circle is not None and _lies_on(middles[1], circle):
            return CircleOutline(*circle)
    if len(corners) == 4 and middles == [None] * 4:
        (x0, y0), (x1, y1) = np.min(corners, axis=0).tolist(), np.max(corners, axis=0).tolist()
        if all(min(abs(x - x0), abs(x - x1)) < EXACT and min(abs(y - y0), abs(y - y1)) < EXACT for x, y in corners):
            return RectOutline(x0, y0, x1, y1)
    return LoopOutline(tuple(corners), tuple(middles))


def _lies_on(point: Point2, circle: _Circle) -> bool:
    x, y, radius = circle
    return abs(math.dist(point, (x, y)) - radius) < ONE_CIRCLE


def _without_needless(corners: list[Point2], middles: list[Point2 | None]):
    """Without corners between two straight edges in line, or between two arcs of one circle."""
    index = 0
    while index < len(corners) and len(corners) > 2:
        before, here, after = corners[index - 1], corners[index], corners[(index + 1) % len(corners)]
        first, second = middles[index - 1], middles[index]
        if first is None and second is None:
            needless, joined = _in_line(before, here, after), None
        else:
            joined = _one_arc(before, first, here, second, after)
            needless = joined is not None
        if needless:
            middles[index - 1] = joined
            del corners[index], middles[index]
            index = max(index - 1, 0)
        else:
            index += 1
    return corners, middles


def _in_line(before: Point2, here: Point2, after: Point2) -> bool:
    (x0, y0), (x1, y1), (x2, y2) = before, here, after
    cross = (x1 - x0) * (y2 - y0) - (y1 - y0) * (x2 - x0)
    return abs(cross) <= EXACT * math.dist(before, after)


def _one_arc(before: Point2, first: Point2 | None, here: Point2, second: Point2 | None, after: Point2) -> Point2 | None:
    """The middle of the arc that two arcs in a row make up, if they do."""
    if first is None or second is None:
        return None
    circle, half = circle_through(before, here, after), circle_through(before, first, here)
    if circle is None or half is None or not (_lies_on(first, circle) and _lies_on(second, circle)):
        return None
    swept = np.array([before, first, here, second, after])
    steps = np.diff(np.unwrap(np.arctan2(swept[:, 1] - circle[1], swept[:, 0] - circle[0])))
    if not (all(steps > 0) or all(steps < 0)):
        return None  # there and back
    return _middle(swept, circle)
