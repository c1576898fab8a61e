"""The area of a sketch on its plane, as polygons.

Circles become inscribed polygons, with as many sides as the size of the whole part asks for: SAGITTA is how far a side
may cut into its circle. A circle as large as the part gets 96 sides and loses 0.07 % of its area; a screw hole gets 24.
"""

from __future__ import annotations

import math

import manifold3d
import numpy as np
from manifold3d import CrossSection, FillRule

from cadrecode.program import budget
from cadrecode.program import language as cad
from cadrecode.program.corners import blended

SAGITTA = 5.4e-4  # of the part's half side
FEWEST_SEGMENTS, MOST_SEGMENTS = 16, 128  # of a full circle


def segments_of(radius: float, sagitta: float) -> int:
    """Sides of the polygon for a full circle: a multiple of 4, so that it touches the bounding box of its circle."""
    if sagitta >= radius:
        return FEWEST_SEGMENTS
    wanted = math.pi / math.acos(1 - sagitta / radius)
    return min(max(4 * math.ceil(wanted / 4), FEWEST_SEGMENTS), MOST_SEGMENTS)


def cross_section(sketch: cad.Sketch, sagitta: float) -> CrossSection:
    """The area of a sketch, on its plane."""
    area = CrossSection()
    for step in sketch.steps:
        if isinstance(step, cad.Corners):
            area = blended(area, step, segments_of(step.size, sagitta))
            continue
        shape = _placed(_shape(step.shape, sagitta), step.places)
        if step.mode is cad.Mode.ADD:
            area = shape if area.is_empty() else area + shape
        elif step.mode is cad.Mode.SUBTRACT:
            area = area - shape
        else:
            area = area ^ shape
    return area


def _placed(shape: CrossSection, places: cad.Places) -> CrossSection:
    if places == cad.ORIGIN:
        return shape
    budget.check_triangles(2 * shape.num_vert() * cad.count_of(places))  # of the two ends of what is made of it
    turned = [shape.rotate(angle) for angle in places.angles()] if isinstance(places, cad.Ring) else None
    points = cad.points_of(places)
    moved = [copy.translate((float(x), float(y))) for copy, (x, y) in zip(turned or [shape] * len(points), points)]
    return moved[0] if len(moved) == 1 else CrossSection.batch_boolean(moved, manifold3d.OpType.Add)


def _shape(shape: cad.Circle | cad.Rect | cad.Loop | cad.Face, sagitta: float) -> CrossSection:
    match shape:
        case cad.Circle(radius):
            return CrossSection.circle(float(radius), segments_of(radius, sagitta))
        case cad.Rect(width, height):
            return CrossSection.square((float(width), float(height)), True)
        case cad.Face(sketch):
            return cross_section(sketch, sagitta)
        case cad.Loop():
            return CrossSection([np.array(loop_points(shape, sagitta), np.float64)], FillRule.EvenOdd)


def loop_points(loop: cad.Loop, sagitta: float) -> list[cad.Point2]:
    """The corners of a loop, its arcs cut into straight pieces; the first point is not repeated."""
    points = [loop.start]
    for edge in loop.edges:
        if isinstance(edge, cad.Arc):
            points.extend(arc_points(points[-1], edge.middle, edge.end, sagitta))
        points.append(edge.end)
    if math.dist(points[-1], points[0]) < 1e-9:
        points.pop()
    return points


def arc_points(start: cad.Point2, middle: cad.Point2, end: cad.Point2, sagitta: float) -> list[cad.Point2]:
    """Points strictly between the ends of the circular arc through three points; one, `middle`, if they are in line."""
    circle = circle_through(start, middle, end)
    if circle is None:
        return [middle]
    cx, cy, radius = circle
    (x1, y1), (x2, y2), (x3, y3) = start, middle, end
    first, last = math.atan2(y1 - cy, x1 - cx), math.atan2(y3 - cy, x3 - cx)
    turn = (last - first) % math.tau
    if (x2 - x1) * (y3 - y1) < (y2 - y1) * (x3 - x1):  # the three points run clockwise
        turn -= math.tau
    pieces = max(2, math.ceil(abs(turn) / math.tau * segments_of(radius, sagitta)))
    return [
        (cx + radius * math.cos(first + turn * k / pieces), cy + radius * math.sin(first + turn * k / pieces))
        for k in range(1, pieces)
    ]


def circle_through(start: cad.Point2, middle: cad.Point2, end: cad.Point2) -> tuple[float, float, float] | None:
    """(x, y, radius) of the circle through three points; None if they are in line."""
    (x1, y1), (x2, y2), (x3, y3) = start, middle, end
    twice_area = x1 * (y2 - y3) + x2 * (y3 - y1) + x3 * (y1 - y2)
    span = max(math.dist(start, middle), math.dist(middle, end), math.dist(start, end))
    if abs(twice_area) <= 1e-9 * span * span:
        return None
    # the circumscribed circle, by its Cartesian formula
    s1, s2, s3 = x1 * x1 + y1 * y1, x2 * x2 + y2 * y2, x3 * x3 + y3 * y3
    x = (s1 * (y2 - y3) + s2 * (y3 - y1) + s3 * (y1 - y2)) / (2 * twice_area)
    y = (s1 * (x3 - x2) + s2 * (x1 - x3) + s3 * (x2 - x1)) / (2 * twice_area)
    return x, y, math.hypot(x1 - x, y1 - y)


def corners(sketch: cad.Sketch) -> list[cad.Point2]:
    """Points that span about as much as the sketch."""
    spanning: list[cad.Point2] = []
    for step in sketch.steps:
        if isinstance(step, cad.Corners):
            continue
        match step.shape:
            case cad.Circle(radius):
                local = [(-radius, -radius), (radius, radius)]
            case cad.Rect(width, height):
                local = [(-width / 2, -height / 2), (width / 2, height / 2)]
            case cad.Face(inner):
                local = corners(inner)
            case cad.Loop(start, edges):
                local = [start, *(edge.end for edge in edges), *(e.middle for e in edges if isinstance(e, cad.Arc))]
        spanning += (
            local
            if step.places == cad.ORIGIN
            else [(x + dx, y + dy) for x, y in local for dx, dy in cad.points_of(step.places)]
        )
    return spanning
