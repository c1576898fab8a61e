"""Closed polygons read as circles, rectangles and loops of lines and arcs.

The corners of a mesh's section mean something: a round outline has them on its circle. A contour that is drawn around
cells has none of its own; its lines and circles are moved onto the points of the cloud's walls.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from manifold3d import CrossSection, FillRule

from cadrecode.geometry import lines_meet, perimeter, polygon_area, turned_left
from cadrecode.measure.arcs import followed
from cadrecode.measure.corners import with_fillets
from cadrecode.measure.pieces import MOST_TURN, ON_CIRCLE, Piece, angles_between, cheapest_pieces, crossing
from cadrecode.measure.walls import Walls, circle_through_all
from cadrecode.program.language import Arc, Circle, Line, Loop, Point2, Rect, Shape

DECIMALS = 3  # of CODE numbers read off a part: `build` takes sums of such numbers as exact, so that faces meet
FLAT = 0.1  # of the tolerance: a corner nearer to the line between its neighbours is none
MOST_CORNERS = 220  # a polygon with more is thinned first
COARSE_CIRCLE = 0.4  # CODE: an octagon whose sides cut no deeper into its circle is a small hole of a coarse mesh
ROUGHNESS = 0.12  # of the radius of a small hole: how far its contour may lie off
SMALL = 4.0  # times as far as the points of a wall may be: a hole of this radius has a contour that says little
LEAST_ROUNDNESS = 0.83  # of a contour, 1 for a circle: that of a square is 0.785
ON_LEVEL = 0.02  # CODE: an edge so near to a level lies on it
UNSEEN_LEAN = np.radians(25)  # a side without points that leans less from an axis is along it
NEARLY_AXIAL, AXIAL_OF_NOISE = np.radians(1.2), 1.5  # a side along an axis: its lean; its offset, over the noise
BEND, ON_ONE_WALL = np.radians(3), 1.5  # pieces that turn by less, and lie as near in tolerances, are of one wall
NEARLY_PARALLEL, PARALLEL_OFF = np.radians(2), 0.5  # and of the tolerance: how far a turned line's end may move
STEPPED = np.radians(6)  # lines that turn by less are the two levels of a step
LEAST_CROSSING = np.radians(15)  # between a line and an arc that cross; at less they touch
SHARP = np.sin(np.radians(6))  # two lines that meet at less have no corner worth computing


@dataclass(frozen=True)
class Outline:
    """A shape and where it stands on its plane.

    Args:
        area: Negative for a hole.
    """

    shape: Shape
    place: Point2
    area: float


def outline_of(polygon: np.ndarray, tolerance: float, walls: Walls | None = None) -> Outline | None:
    """The shape of a closed polygon; None where there is none within the tolerance.

    Args:
        polygon: (n, 2) CODE, closed without a repeated corner.
        tolerance: How far the shape may lie from the polygon, root mean square.
        walls: Points that lines and circles are moved onto, where the polygon is only near them.
    """
    corners = _corners(polygon, tolerance)
    if len(corners) < 3:
        return None
    area = polygon_area(polygon)
    circle = _whole_circle(corners, tolerance) if walls is None else _round_contour(polygon, area, tolerance, walls)
    if circle is not None:
        return Outline(Circle(short(circle[2])), (short(circle[0]), short(circle[1])), area)
    sides = np.roll(corners, -1, axis=0) - corners
    corners = np.roll(corners, -1 - int(np.hypot(*sides.T).argmax()), axis=0)
    pieces = cheapest_pieces(np.vstack((corners, corners[:1])), tolerance, contour=walls is not None)
    if pieces is not None and walls is not None and _goes_on(pieces):  # a contour's longest side may begin anywhere
        begins = int(np.abs(corners - pieces[1].start).sum(axis=1).argmin())
        corners = np.roll(corners, -begins, axis=0)
        pieces = cheapest_pieces(np.vstack((corners, corners[:1])), tolerance, contour=walls is not None)
    if pieces is not None and walls is not None:
        pieces = _without_bends([_on_walls(piece, walls) for piece in pieces], walls, tolerance)
        pieces = [_on_walls(piece, walls) for piece in followed(pieces, walls)]
        pieces = with_fillets(_squared(_with_steps(pieces, walls, tolerance), tolerance), walls)
    return None if pieces is None else _shape_of(pieces, tolerance, area)


def _goes_on(pieces: Sequence[Piece]) -> bool:
    """Whether the last piece may be the beginning of the first."""
    first, last = pieces[0], pieces[-1]
    if len(pieces) < 2 or (first.circle is None) is not (last.circle is None):
        return False
    return first.circle is not None or bool(first.direction @ last.direction > np.cos(UNSEEN_LEAN))


def _without_bends(pieces: list[Piece], walls: Walls, tolerance: float) -> list[Piece]:
    """Lines that follow each other on one wall as one line, and arcs of one circle as one arc."""
    joined: list[Piece] = []
    for piece in pieces:
        joined.append(piece)
        for count in (2, 3):
            together = _as_one(joined[-count:], walls, tolerance) if len(joined) >= count else None
            if together is not None:
                joined[-count:] = [together]
    return joined


def _with_steps(pieces: list[Piece], walls: Walls, tolerance: float) -> list[Piece]:
    """The pieces, with a side between two parallel lines that are not of one wall: the tolerance left it out."""
    stepped: list[Piece] = []
    for before, after in zip([pieces[-1], *pieces[:-1]], pieces):
        if before.circle is None and after.circle is None:
            across = turned_left(before.direction)
            step = float((after.middle - before.middle) @ across)
            if before.direction @ after.direction > np.cos(STEPPED) and abs(step) > ON_ONE_WALL * tolerance:
                low, high = (
                    line.middle + ((after.start - line.middle) @ line.direction) * line.direction
                    for line in (before, after)
                )
                stepped.append(_on_walls(Piece(low, high, None, (low + high) / 2, np.sign(step) * across), walls))
        stepped.append(after)
    return stepped


def _squared(pieces: list[Piece], tolerance: float) -> list[Piece]:
    """The pieces, with lines that are nearly parallel, or at right angles, to a longer line turned so that they are."""
    known: list[np.ndarray] = []
    squared = list(pieces)
    for index in sorted(range(len(pieces)), key=lambda index: -pieces[index].length):
        line = _axial(pieces[index])
        if line.circle is not None:
            continue
        for way in known:
            aligned = max((way, -way, turned_left(way), -turned_left(way)), key=lambda way: float(way @ line.direction))
            lean = float(np.arccos(min(aligned @ line.direction, 1.0)))
            if lean < NEARLY_PARALLEL and lean * line.length / 2 < PARALLEL_OFF * tolerance:
                squared[index] = replace(line, direction=aligned)
                break
        else:
            known.append(line.direction)
    return squared


def _as_one(pieces: Sequence[Piece], walls: Walls, tolerance: float) -> Piece | None:
    """Two pieces, or two arcs with a line between them, as one; None where they are not of one wall."""
    first, last = pieces[0], pieces[-1]
    near = ON_ONE_WALL * tolerance
    if first.circle is not None and last.circle is not None:
        widest = max((first, last), key=lambda arc: float(np.hypot(*(arc.end - arc.start))))
        places = np.array([place for piece in pieces for place in (piece.start, piece.middle, piece.end)])
        off = np.abs(np.hypot(*(places - widest.circle[:2]).T) - widest.circle[2]).max()
        whole = replace(widest, start=first.start, end=last.end, middle=last.start)
        return _on_walls(whole, walls) if off < near else None
    if len(pieces) > 2 or first.circle is not None or last.circle is not None:
        return None
    across = turned_left(first.direction)
    if first.direction @ last.direction < np.cos(BEND) or abs((last.middle - first.middle) @ across) > near:
        return None
    way = last.end - first.start
    if not way.any():
        return None
    return _on_walls(Piece(first.start, last.end, None, (first.start + last.end) / 2, way / np.hypot(*way)), walls)


def _on_walls(piece: Piece, walls: Walls) -> Piece:
    if piece.circle is None:
        middle, direction = walls.line(piece.start, piece.end) or (piece.middle, _guessed(piece.direction))
        axis = np.eye(2)[np.abs(direction).argmax()]
        lean = piece.length * np.abs(direction).min()
        return replace(piece, middle=middle, direction=axis if lean < AXIAL_OF_NOISE * walls.noise else direction)
    return replace(piece, circle=walls.arc(*piece.circle, piece.start, piece.end, piece.middle) or piece.circle)


def short(value: float) -> float:
    """A number as it is written into a program; never -0."""
    return round(float(value), DECIMALS) + 0.0


def _corners(polygon: np.ndarray, tolerance: float) -> np.ndarray:
    """(n, 2): the polygon without corners at which it hardly turns, counter-clockwise."""
    slack = FLAT * tolerance
    area = CrossSection([polygon], FillRule.EvenOdd)
    while True:
        parts = area.simplify(slack).to_polygons()
        if not parts:
            return np.empty((0, 2))
        largest = np.asarray(max(parts, key=lambda part: abs(polygon_area(np.asarray(part)))), np.float64)
        if len(largest) <= MOST_CORNERS:
            return largest
        slack *= 2


def _whole_circle(corners: np.ndarray, tolerance: float) -> tuple[float, float, float] | None:
    """(x, y, radius) where the corners lie on a circle and are many enough to mean one."""
    sides = np.roll(corners, -1, axis=0) - corners
    turns = np.abs(angles_between(np.roll(sides, 1, axis=0), sides))
    if len(corners) < 7 or turns.max() > max(MOST_TURN, 3 * np.median(turns)):
        return None
    x, y, radius = circle_through_all(corners)
    off = np.abs(np.hypot(corners[:, 0] - x, corners[:, 1] - y) - radius).max()
    cut_off = radius * (1 - np.cos(turns.max() / 2))  # how deep the sides cut into the circle
    is_fine = turns.max() <= MOST_TURN or cut_off < COARSE_CIRCLE
    return (x, y, radius) if off <= max(ON_CIRCLE, tolerance) and is_fine else None


def _round_contour(
    polygon: np.ndarray, area: float, tolerance: float, walls: Walls
) -> tuple[float, float, float] | None:
    """(x, y, radius) where a contour, which has no corners of its own, is round: by its points, where it has any."""
    x, y, radius = circle_through_all(polygon)
    small = np.sqrt(abs(area) / np.pi) < SMALL * walls.reach
    around = perimeter(polygon)
    off = np.hypot(polygon[:, 0] - x, polygon[:, 1] - y) - radius
    near = np.sqrt(np.mean(off**2)) < max(tolerance, ROUGHNESS * radius * small)
    is_round = 4 * np.pi * abs(area) > LEAST_ROUNDNESS * around**2 and near
    if not is_round and not small:
        return None
    middle = polygon.mean(axis=0)
    by_points = walls.circle(x, y, radius) if is_round else None
    if by_points is None and small:
        by_points = walls.circle_around(middle[0], middle[1], np.sqrt(abs(area) / np.pi))
    if by_points is not None:
        return by_points
    return (x, y, radius) if is_round and not walls.has_points_near(polygon) else None


def _guessed(direction: np.ndarray) -> np.ndarray:
    """The direction of a side without points: along an axis where it is not far from it."""
    axis = np.eye(2)[np.abs(direction).argmax()]
    return axis if abs(direction @ axis) > np.cos(UNSEEN_LEAN) else direction


def _shape_of(pieces: list[Piece], tolerance: float, area: float) -> Outline | None:
    # CadQuery cannot assemble some second loops of a sketch that begin with an arc (2 of 25 designs)
    first = next((i for i, piece in enumerate(pieces) if piece.circle is None), 0)
    pieces = pieces[first:] + pieces[:first]
    lines = [_axial(piece) for piece in pieces]
    ends = [_meeting(lines[i - 1], lines[i], tolerance) for i in range(len(pieces))]
    if all(piece.circle is None for piece in lines):
        if len(pieces) < 3:
            return None
        rect = _rect(lines, ends, area)
        if rect is not None:
            return rect
    if len(pieces) < 2:
        return None
    points = [(short(x), short(y)) for x, y in ends]
    edges: list[Line | Arc] = []
    for i, piece in enumerate(lines):
        end = points[(i + 1) % len(points)]
        if end == points[i]:
            return None
        edges.append(
            Line(end) if piece.circle is None else Arc(_middle(piece, ends[i], ends[(i + 1) % len(ends)]), end)
        )
    if isinstance(edges[-1], Line):
        edges.pop()
    return Outline(Loop(points[0], tuple(edges)), (0.0, 0.0), area) if edges else None


def _axial(piece: Piece) -> Piece:
    """A line that is nearly along an axis, along it."""
    if piece.circle is not None:
        return piece
    for axis in np.eye(2):
        if abs(piece.direction @ axis) > np.cos(NEARLY_AXIAL):
            return Piece(piece.start, piece.end, None, piece.middle, axis)
    return piece


def _meeting(before: Piece, after: Piece, tolerance: float) -> np.ndarray:
    """The point where two pieces meet, near the corner between them."""
    corner = after.start
    if before.circle is None and after.circle is None:
        if abs(turned_left(before.direction) @ after.direction) < SHARP:
            return corner
        place = lines_meet(before.middle, before.direction, after.middle, after.direction)
        return place if np.hypot(*(place - corner)) < 4 * tolerance + 0.05 else corner
    if before.circle is not None and after.circle is not None:
        return corner
    line, arc = (before, after) if before.circle is None else (after, before)
    foot = line.middle + ((corner - line.middle) @ line.direction) * line.direction
    place = crossing(line, arc, corner, np.cos(LEAST_CROSSING))
    touch = place is None or np.hypot(*(place - corner)) >= 4 * tolerance + 0.05
    return foot if touch else place


def _middle(arc: Piece, start: np.ndarray, end: np.ndarray) -> Point2:
    """The point half-way along an arc whose ends may have moved a little."""
    center, radius = np.array(arc.circle[:2]), arc.circle[2]
    first, last = (np.arctan2(*(place - center)[::-1]) for place in (start, end))
    through = np.arctan2(*(arc.middle - center)[::-1])
    sweep = (last - first) % (2 * np.pi)
    if (through - first) % (2 * np.pi) > sweep:  # clockwise
        sweep -= 2 * np.pi
    angle = first + sweep / 2
    return short(center[0] + radius * np.cos(angle)), short(center[1] + radius * np.sin(angle))


def _rect(lines: list[Piece], ends: list[np.ndarray], area: float) -> Outline | None:
    if len(lines) != 4 or any(np.abs(line.direction).min() > 1e-9 for line in lines):
        return None
    (left, low), (right, high) = np.min(ends, axis=0), np.max(ends, axis=0)
    left, low, right, high = map(short, (left, low, right, high))
    if not (right > left and high > low):
        return None
    return _rect_between(left, low, right, high, area)


def _rect_between(left: float, low: float, right: float, high: float, area: float) -> Outline:
    return Outline(*rect_between((left, low), (right, high)), area)


def rect_between(low: Sequence[float], high: Sequence[float]) -> tuple[Rect, Point2]:
    """The rectangle between two opposite corners, and its middle."""
    (width, height), (x, y) = np.subtract(high, low), np.add(low, high) / 2
    return Rect(short(width), short(height)), (round(float(x), DECIMALS + 1), round(float(y), DECIMALS + 1))


def on_levels(outline: Outline, levels: Sequence[np.ndarray], near: float = ON_LEVEL) -> Outline:
    """The outline with its straight edges on the levels that they nearly lie on.

    Args:
        levels: For the two axes of the sketch.
        near: How far an edge may be from the level that it lies on.
    """

    def on(value: float, axis: int) -> float:
        heights = levels[axis]
        nearest = float(heights[np.abs(heights - value).argmin()])
        return short(nearest if abs(nearest - value) < near else value)

    def point(place: Point2) -> Point2:
        return on(place[0], 0), on(place[1], 1)

    match outline.shape:
        case Rect(width, height):
            (x, y) = outline.place
            left, low = point((x - width / 2, y - height / 2))
            right, high = point((x + width / 2, y + height / 2))
            return _rect_between(left, low, right, high, outline.area) if right > left and high > low else outline
        case Loop(start, edges):
            moved = tuple(replace(edge, end=point(edge.end)) for edge in edges)
            return replace(outline, shape=Loop(point(start), moved))
    return outline
