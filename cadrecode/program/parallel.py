"""Closed outlines at a distance from others, as CadQuery's `offset2D` draws them."""

from __future__ import annotations

import math

import numpy as np
from manifold3d import CrossSection, JoinType

from cadrecode.errors import Message, ProgramError
from cadrecode.geometry import polygon_area
from cadrecode.program import language as cad
from cadrecode.program.section import circle_through, cross_section

TANGENT = 1e-6  # radians between edges that go on smoothly
FINE = 1e-3  # of an outline's size: sagitta of arcs that have to be cut into lines
SAME_AREA = 5e-3  # of an area, between its exact outline and the one in straight pieces
FARTHEST_MITER = 100.0  # times the distance


def parallel_shape(shape: cad.Shape, distance: float, is_sharp: bool) -> tuple[cad.Shape, ...]:
    """An outline moved outward by a distance, inward where that is negative; an inward one may fall into several.

    Args:
        is_sharp: corners stay corners; they become arcs otherwise.
    Raises: ProgramError: nothing is left, or it is no outline.
    """
    match shape:
        case cad.Circle(radius) if radius + distance > 0:
            return (cad.Circle(radius + distance),)
        case cad.Rect(width, height):
            wider, higher = width + 2 * distance, height + 2 * distance
            if min(wider, higher) > 0 and (is_sharp or distance < 0):
                return (cad.Rect(wider, higher),)
            return parallel_shape(cad.Loop.through(shape.corners), distance, is_sharp)
        case cad.Loop():
            exact = _moved_edges(shape, distance, is_sharp)
            return _cut_into_lines(shape, distance, is_sharp) if exact is None else (exact,)
    raise ProgramError("Nothing is left of the outline.", expected=Message("a smaller distance"))


def _areas(shape: cad.Shape, distance: float, is_sharp: bool) -> CrossSection:
    """The offset area in straight pieces."""
    area = cross_section(cad.Sketch.of(shape), math.inf)
    low_x, low_y, high_x, high_y = area.bounds()
    size = max(high_x - low_x, high_y - low_y)
    area = cross_section(cad.Sketch.of(shape), FINE * size)
    join = JoinType.Miter if is_sharp else JoinType.Round
    return area.offset(distance, join, FARTHEST_MITER, 64)


def _cut_into_lines(loop: cad.Loop, distance: float, is_sharp: bool) -> tuple[cad.Shape, ...]:
    outlines = _areas(loop, distance, is_sharp).to_polygons()
    if not outlines:
        raise ProgramError("Nothing is left of the outline.", expected=Message("a smaller distance"))
    return tuple(
        cad.Loop.through([tuple(round(float(value), 6) for value in point) for point in outline])
        for outline in outlines
    )


def _moved_edges(loop: cad.Loop, distance: float, is_sharp: bool) -> cad.Loop | None:
    """Each edge moved to its right; None where edges vanish, or meet in a corner with an arc."""
    edges = loop.edges if math.dist(loop.edges[-1].end, loop.start) < TANGENT else (*loop.edges, cad.Line(loop.start))
    starts = [edges[-1].end, *(edge.end for edge in edges[:-1])]
    area = cross_section(cad.Sketch.of(loop), math.inf)
    corners = [place for start, edge in zip(starts, edges) for place in (start, getattr(edge, "middle", start))]
    ahead = 1.0 if polygon_area(np.array(corners)) > 0 else -1.0
    tangents = [tangents_of(start, edge) for start, edge in zip(starts, edges)]
    moved: list[cad.Line | cad.Arc] = []
    first: cad.Point2 | None = None
    for index, (start, edge) in enumerate(zip(starts, edges)):
        (leaving, arriving), following = tangents[index], tangents[(index + 1) % len(edges)][0]
        begin = _aside(start, leaving, ahead * distance)
        end = _aside(edge.end, arriving, ahead * distance)
        turn = math.atan2(arriving[0] * following[1] - arriving[1] * following[0], float(arriving @ following))
        first = first or begin
        opens = turn * ahead * distance > 0
        corner = abs(turn) > TANGENT
        if corner and (is_sharp or not opens) and not isinstance(edges[(index + 1) % len(edges)], cad.Line):
            return None
        if corner and (is_sharp or not opens) and not isinstance(edge, cad.Line):
            return None
        if isinstance(edge, cad.Arc):
            circle = circle_through(start, edge.middle, edge.end)
            if circle is None:
                return None
            x, y, radius = circle
            way = ahead * distance * (1.0 if _turns_left(start, edge) else -1.0)
            if radius + way <= 0:
                return None
            factor = (radius + way) / radius
            middle = (x + (edge.middle[0] - x) * factor, y + (edge.middle[1] - y) * factor)
            moved.append(cad.Arc(_plain(middle), _plain(end)))
        else:
            moved.append(cad.Line(_plain(end)))
        if corner and opens and not is_sharp:
            half = turned_by(arriving, turn / 2)
            after = _aside(edge.end, following, ahead * distance)
            moved.append(cad.Arc(_plain(_aside(edge.end, half, ahead * distance)), _plain(after)))
        elif corner:
            reach = ahead * distance * math.tan(turn / 2)
            tip = _plain((end[0] + arriving[0] * reach, end[1] + arriving[1] * reach))
            moved[-1] = cad.Line(tip)
    if isinstance(moved[-1], cad.Line):
        first = moved[-1].end
    result = cad.Loop(_plain(first), tuple(moved))
    wanted = _areas(loop, distance, is_sharp).area()
    got = cross_section(cad.Sketch.of(result), FINE * math.sqrt(abs(area.area()))).area()
    return result if abs(got - wanted) <= SAME_AREA * wanted else None


def turned_by(direction: np.ndarray, turn: float) -> np.ndarray:
    """A direction turned by so many radians."""
    return np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]]) @ direction


def _aside(point: cad.Point2, direction: np.ndarray, distance: float) -> cad.Point2:
    """The point at a distance to the right of a direction."""
    return point[0] + distance * direction[1], point[1] - distance * direction[0]


def _plain(point: cad.Point2) -> cad.Point2:
    return round(float(point[0]), 9) + 0.0, round(float(point[1]), 9) + 0.0


def _turns_left(start: cad.Point2, arc: cad.Arc) -> bool:
    (x1, y1), (x2, y2), (x3, y3) = start, arc.middle, arc.end
    return (x2 - x1) * (y3 - y1) > (y2 - y1) * (x3 - x1)


def tangents_of(start: cad.Point2, edge: cad.Line | cad.Arc) -> tuple[np.ndarray, np.ndarray]:
    """The directions in which an edge leaves its start and comes to its end."""
    chord = np.subtract(edge.end, start)
    chord = chord / max(float(np.linalg.norm(chord)), 1e-300)
    if isinstance(edge, cad.Line):
        return chord, chord
    first, second = np.subtract(edge.middle, start), np.subtract(edge.end, edge.middle)
    turn = math.atan2(first[0] * second[1] - first[1] * second[0], float(first @ second))
    return turned_by(chord, -turn), turned_by(chord, turn)
