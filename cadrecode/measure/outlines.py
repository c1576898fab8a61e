"""Closed polygons read as circles, rectangles and loops of lines and arcs.

A polygon's corners are where a line or an arc may end. The cheapest chain of pieces is found by dynamic programming
over all pairs of corners; how far the polygon is from a line or an arc comes from sums of moments along its sides,
so that every pair is looked at in one stroke.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from manifold3d import CrossSection, FillRule

from cadrecode.measure.walls import Walls, circle_through_all
from cadrecode.program.language import Arc, Circle, Line, Loop, Point2, Rect, Shape

DECIMALS = 3  # of CODE numbers read off a part: `build` takes sums of such numbers as exact, so that faces meet
FLAT = 0.1  # of the tolerance: a corner nearer to the line between its neighbours is none
MOST_CORNERS = 220  # a polygon with more is thinned first
ON_CIRCLE = 0.03  # corners of a round outline lie on its circle as near as this, whatever the sides cut off
MOST_TURN = np.radians(37)  # from one side of a round outline to the next: a nonagon is round, an octagon is not
COARSE_CIRCLE = 0.4  # CODE: an octagon whose sides cut no deeper into its circle is a small hole of a coarse mesh
FEWEST_SIDES = 4  # of an arc
MOST_SWEEP = np.radians(330)  # of an arc
LEAST_SWEEP = np.radians(25)  # of an arc of a contour
LARGEST_RADIUS = 2000.0
LINE, ARC = 2.0, 4.2  # what a piece costs: its numbers, and a little for an arc
EVERYWHERE = 0.25  # of the tolerance: how far a piece may lie from the polygon, root mean square, however long it is
AT_A_CORNER = 3.0  # of its cube: what its squared distance may sum up to beside that, where it cuts a corner
ROUGHNESS = 0.12  # of the radius of a small hole: how far its contour may lie off
SMALL = 4.0  # times as far as the points of a wall may be: a hole of this radius has a contour that says little
LEAST_ROUNDNESS = 0.83  # of a contour, 1 for a circle: that of a square is 0.785
MISFIT = 0.5  # what a piece costs that lies off by the tolerance
ON_LEVEL = 0.02  # CODE: an edge so near to a level lies on it
UNSEEN_LEAN = np.radians(25)  # a side without points that leans less from an axis is along it
NEARLY_AXIAL = np.radians(1.2)
SHARP = np.sin(np.radians(6))  # two lines that meet at less have no corner worth computing
GAUSS = (0.5 - np.sqrt(0.15), 0.5, 0.5 + np.sqrt(0.15)), (5 / 18, 8 / 18, 5 / 18)  # exact to the fifth power


@dataclass(frozen=True)
class Outline:
    """A shape and where it stands on its plane.

    Args:
        area: Negative for a hole.
    """

    shape: Shape
    place: Point2
    area: float


def signed_area(polygon: np.ndarray) -> float:
    """Of (n, 2); positive counter-clockwise."""
    x, y = polygon.T
    return 0.5 * float(x @ np.roll(y, -1) - y @ np.roll(x, -1))


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
    area = signed_area(polygon)
    circle = _whole_circle(corners, tolerance) if walls is None else _round_contour(polygon, area, tolerance, walls)
    if circle is not None:
        return Outline(Circle(_short(circle[2])), (_short(circle[0]), _short(circle[1])), area)
    sides = np.roll(corners, -1, axis=0) - corners
    corners = np.roll(corners, -1 - int(np.hypot(*sides.T).argmax()), axis=0)
    pieces = _pieces(np.vstack((corners, corners[:1])), tolerance, walls)
    if pieces is not None and walls is not None and len(pieces) > 1:  # a contour's longest side may begin anywhere
        begins = int(np.abs(corners - pieces[1].start).sum(axis=1).argmin())
        corners = np.roll(corners, -begins, axis=0)
        pieces = _pieces(np.vstack((corners, corners[:1])), tolerance, walls)
    if pieces is not None and walls is not None:
        pieces = [_on_walls(piece, walls) for piece in pieces]
    return None if pieces is None else _shape_of(pieces, tolerance, area)


def _on_walls(piece: _Piece, walls: Walls) -> _Piece:
    if piece.circle is None:
        middle, direction = walls.line(piece.start, piece.end) or (piece.middle, _guessed(piece.direction))
        return replace(piece, middle=middle, direction=direction)
    return replace(piece, circle=walls.arc(*piece.circle, piece.start, piece.end, piece.middle) or piece.circle)


def _short(value: float) -> float:
    return round(float(value), DECIMALS) + 0.0


def _corners(polygon: np.ndarray, tolerance: float) -> np.ndarray:
    """(n, 2): the polygon without corners at which it hardly turns, counter-clockwise."""
    slack = FLAT * tolerance
    area = CrossSection([polygon], FillRule.EvenOdd)
    while True:
        parts = area.simplify(slack).to_polygons()
        if not parts:
            return np.empty((0, 2))
        kept = np.asarray(max(parts, key=lambda part: abs(signed_area(np.asarray(part)))), np.float64)
        if len(kept) <= MOST_CORNERS:
            return kept
        slack *= 2


def _whole_circle(corners: np.ndarray, tolerance: float) -> tuple[float, float, float] | None:
    """(x, y, radius) where the corners lie on a circle and are many enough to mean one."""
    sides = np.roll(corners, -1, axis=0) - corners
    turns = np.abs(_angles_between(np.roll(sides, 1, axis=0), sides))
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
    around = float(np.hypot(*(np.roll(polygon, -1, axis=0) - polygon).T).sum())
    off = np.hypot(polygon[:, 0] - x, polygon[:, 1] - y) - radius
    near = np.sqrt(np.mean(off**2)) < max(tolerance, ROUGHNESS * radius * small)
    is_round = 4 * np.pi * abs(area) > LEAST_ROUNDNESS * around**2 and near
    if not is_round and not small:
        return None
    middle = polygon.mean(axis=0)
    by_points = walls.circle(x, y, radius) if is_round else None
    if by_points is None and small:
        by_points = walls.circle_around(*middle, np.sqrt(abs(area) / np.pi))
    if by_points is not None:
        return by_points
    return (x, y, radius) if is_round and not walls.has_points_near(polygon) else None


def _angles_between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.arctan2(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0], (a * b).sum(axis=1))


# --- the cheapest chain of lines and arcs


def _guessed(direction: np.ndarray) -> np.ndarray:
    """Of a side without points: along an axis where it is not far from it."""
    axis = np.eye(2)[np.abs(direction).argmax()]
    return axis if abs(direction @ axis) > np.cos(UNSEEN_LEAN) else direction


@dataclass(frozen=True)
class _Piece:
    """A line or an arc between two corners.

    Args:
        start, end: (2,) corners of the polygon.
        circle: (x, y, radius), None for a line.
        middle, direction: (2,) of the line of least squares; the middle of an arc is a place that it passes.
    """

    start: np.ndarray
    end: np.ndarray
    circle: tuple[float, float, float] | None
    middle: np.ndarray
    direction: np.ndarray


def _pieces(path: np.ndarray, tolerance: float, walls: Walls | None) -> list[_Piece] | None:
    """(n + 1, 2) from a corner back to it -> the cheapest pieces."""
    origin = path.mean(axis=0)
    local = path - origin
    count = len(path)
    from_, to = np.triu_indices(count, 1)
    sums = _moments(local)
    along = sums[to] - sums[from_]
    line_off = _off_line(along)
    arc, arc_off = _arcs(local, from_, to, along, tolerance) if walls is None else _contour_arcs(along, from_, to)
    length = along[:, 0]
    allowed = np.sqrt((EVERYWHERE * tolerance) ** 2 + AT_A_CORNER * tolerance**3 / np.maximum(length, 1e-9))
    line_cost = np.where(line_off <= allowed, LINE + MISFIT * (line_off / allowed) ** 2, np.inf)
    arc_cost = np.where(arc_off <= allowed, ARC + MISFIT * (arc_off / allowed) ** 2, np.inf)
    cheapest = np.full((count, count), np.inf)
    cheapest[from_, to] = np.minimum(line_cost, arc_cost)
    total, came_from = np.full(count, np.inf), np.zeros(count, int)
    total[0] = 0
    for node in range(1, count):
        through = total[:node] + cheapest[:node, node]
        came_from[node] = int(through.argmin())
        total[node] = through[came_from[node]]
    if not np.isfinite(total[-1]):
        return None
    row_of = np.full((count, count), -1)
    row_of[from_, to] = np.arange(len(from_))
    pieces, node = [], count - 1
    while node > 0:
        before = int(came_from[node])
        row = row_of[before, node]
        is_arc = arc_cost[row] < line_cost[row]
        middle, direction = _line_through(along[row])
        circle = None
        if is_arc:
            circle = (*(arc[row, :2] + origin), arc[row, 2])
            middle = path[(before + node) // 2] - origin
        pieces.append(_Piece(path[before], path[node], circle, middle + origin, direction))
        node = before
    return pieces[::-1]


def _moments(path: np.ndarray) -> np.ndarray:
    """(n, 10) sums along the path up to each corner: of 1, x, y, xx, xy, yy, z, zx, zy, zz with z = xx + yy."""
    start, step = path[:-1], np.diff(path, axis=0)
    length = np.hypot(*step.T)
    total = np.zeros((len(start), 10))
    for at, share in zip(*GAUSS):
        x, y = (start + at * step).T
        z = x * x + y * y
        total += (share * length)[:, None] * _powers(x, y, z)
    return np.vstack((np.zeros(10), np.cumsum(total, axis=0)))


def _powers(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    return np.column_stack((np.ones_like(x), x, y, x * x, x * y, y * y, z, z * x, z * y, z * z))


def _off_line(sums: np.ndarray) -> np.ndarray:
    """Root mean square distance to the line of least squares."""
    weight = np.maximum(sums[:, 0], 1e-12)
    mx, my = sums[:, 1] / weight, sums[:, 2] / weight
    xx, xy, yy = sums[:, 3] / weight - mx * mx, sums[:, 4] / weight - mx * my, sums[:, 5] / weight - my * my
    smaller = (xx + yy) / 2 - np.sqrt(((xx - yy) / 2) ** 2 + xy**2)
    return np.sqrt(np.maximum(smaller, 0))


def _line_through(sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Middle and unit direction of the line of least squares, (2,) each."""
    middle = sums[1:3] / sums[0]
    xx, xy, yy = sums[3:6] / sums[0] - np.array((middle[0] ** 2, middle[0] * middle[1], middle[1] ** 2))
    direction = np.linalg.eigh(np.array(((xx, xy), (xy, yy))))[1][:, 1]
    return middle, direction


def _arcs(
    local: np.ndarray, from_: np.ndarray, to: np.ndarray, along: np.ndarray, tolerance: float
) -> tuple[np.ndarray, np.ndarray]:
    """For each pair of corners (x, y, radius) of the circle nearest to the corners, or to the sides where the corners
    are too few or too far off, and how far it is off; infinite where no arc is meant."""
    x, y = local.T
    at_corners = np.vstack((np.zeros(10), np.cumsum(_powers(x, y, x * x + y * y), axis=0)))
    circle, off = _circles(at_corners[to + 1] - at_corners[from_])
    by_sides, off_sides = _circles(along)
    turn_low, turn_high, turned = _turns(local, from_, to)
    even = (turn_high > 0) == (turn_low > 0)
    most = np.maximum(np.abs(turn_low), np.abs(turn_high))
    is_arc = even & (to - from_ >= 3) & (np.abs(turned) < MOST_SWEEP)
    on_corners = is_arc & (off <= ON_CIRCLE) & (to - from_ >= FEWEST_SIDES) & (most <= MOST_TURN)
    off_sides = np.where(is_arc & (by_sides[:, 2] < LARGEST_RADIUS), off_sides, np.inf)
    near = off_sides <= tolerance
    use_corners = on_corners | (near & (off <= tolerance))
    circle = np.where(use_corners[:, None], circle, by_sides)
    return circle, np.where(on_corners, np.minimum(off, off_sides), np.where(near, np.maximum(off_sides, off), np.inf))


def _contour_arcs(along: np.ndarray, from_: np.ndarray, to: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """As `_arcs`, for a contour, whose corners turn either way."""
    circle, off = _circles(along)
    sweep = along[:, 0] / circle[:, 2]
    is_arc = (to - from_ >= 3) & (sweep < MOST_SWEEP) & (sweep > LEAST_SWEEP)
    return circle, np.where(is_arc, off, np.inf)


def _circles(sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(m, 3) x, y and radius of the circles of least squares, and (m,) how far what was summed lies off them."""
    weight, x, y, xx, xy, yy, z, zx, zy, zz = sums.T
    matrix = np.stack((np.stack((xx, xy, x), -1), np.stack((xy, yy, y), -1), np.stack((x, y, weight), -1)), -2)
    right = np.column_stack((zx, zy, z))
    scale = np.trace(matrix, axis1=1, axis2=2)
    matrix = matrix + (1e-13 * scale)[:, None, None] * np.eye(3)
    answer = np.linalg.solve(matrix, right[..., None])[..., 0]
    left_over = np.maximum(zz - (answer * right).sum(axis=1), 0) / np.maximum(weight, 1e-12)
    center = answer[:, :2] / 2
    radius = np.sqrt(np.maximum(answer[:, 2] + (center**2).sum(axis=1), 1e-12))
    return np.column_stack((center, radius)), np.sqrt(left_over) / (2 * radius)


def _turns(local: np.ndarray, from_: np.ndarray, to: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each pair of corners the least, the greatest and the whole turn at the corners between them."""
    count = len(local)
    turn = np.zeros(count)
    sides = np.diff(local, axis=0)
    turn[1:-1] = _angles_between(sides[:-1], sides[1:])
    low, high = np.zeros((count, count)), np.zeros((count, count))
    for start in range(count - 2):
        low[start, start + 2 :] = np.minimum.accumulate(turn[start + 1 : -1])
        high[start, start + 2 :] = np.maximum.accumulate(turn[start + 1 : -1])
    whole = np.cumsum(turn)
    return low[from_, to], high[from_, to], whole[to - 1] - whole[from_]


# --- pieces to a shape


def _shape_of(pieces: list[_Piece], tolerance: float, area: float) -> Outline | None:
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
    points = [(_short(x), _short(y)) for x, y in ends]
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


def _axial(piece: _Piece) -> _Piece:
    """A line that is nearly along an axis, along it."""
    if piece.circle is not None:
        return piece
    for axis in np.eye(2):
        if abs(piece.direction @ axis) > np.cos(NEARLY_AXIAL):
            return _Piece(piece.start, piece.end, None, piece.middle, axis)
    return piece


def _meeting(before: _Piece, after: _Piece, tolerance: float) -> np.ndarray:
    """Where two pieces meet, near the corner between them."""
    corner = after.start
    if before.circle is None and after.circle is None:
        cross = before.direction[0] * after.direction[1] - before.direction[1] * after.direction[0]
        if abs(cross) < SHARP:
            return corner
        away = after.middle - before.middle
        along = (away[0] * after.direction[1] - away[1] * after.direction[0]) / cross
        place = before.middle + along * before.direction
        return place if np.hypot(*(place - corner)) < 4 * tolerance + 0.05 else corner
    if before.circle is not None and after.circle is not None:
        return corner
    line = before if before.circle is None else after
    return line.middle + ((corner - line.middle) @ line.direction) * line.direction


def _middle(arc: _Piece, start: np.ndarray, end: np.ndarray) -> Point2:
    """The point half-way along an arc whose ends may have moved a little."""
    center, radius = np.array(arc.circle[:2]), arc.circle[2]
    first, last = (np.arctan2(*(place - center)[::-1]) for place in (start, end))
    through = np.arctan2(*(arc.middle - center)[::-1])
    sweep = (last - first) % (2 * np.pi)
    if (through - first) % (2 * np.pi) > sweep:  # clockwise
        sweep -= 2 * np.pi
    angle = first + sweep / 2
    return _short(center[0] + radius * np.cos(angle)), _short(center[1] + radius * np.sin(angle))


def _rect(lines: list[_Piece], ends: list[np.ndarray], area: float) -> Outline | None:
    if len(lines) != 4 or any(np.abs(line.direction).min() > 1e-9 for line in lines):
        return None
    (left, low), (right, high) = np.min(ends, axis=0), np.max(ends, axis=0)
    left, low, right, high = map(_short, (left, low, right, high))
    if not (right > left and high > low):
        return None
    return _rect_between(left, low, right, high, area)


def _rect_between(left: float, low: float, right: float, high: float, area: float) -> Outline:
    middle = round((left + right) / 2, DECIMALS + 1), round((low + high) / 2, DECIMALS + 1)
    return Outline(Rect(_short(right - left), _short(high - low)), middle, area)


def on_levels(outline: Outline, levels: Sequence[np.ndarray], near: float = ON_LEVEL) -> Outline:
    """The outline with its straight edges on the levels that they nearly lie on.

    Args:
        levels: For the two axes of the sketch.
        near: How far an edge may be from the level that it lies on.
    """

    def on(value: float, axis: int) -> float:
        heights = levels[axis]
        nearest = float(heights[np.abs(heights - value).argmin()])
        return _short(nearest if abs(nearest - value) < near else value)

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
