"""The cheapest chain of lines and arcs for a path, by dynamic programming over all pairs of its corners.

How far the path is from a line or an arc comes from sums of moments along its sides, so that every pair is looked at in
one stroke.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cadrecode.geometry import turned_left

ON_CIRCLE = 0.03  # corners of a round outline lie on its circle as near as this, whatever the sides cut off
MOST_TURN = np.radians(37)  # from one side of a round outline to the next: a nonagon is round, an octagon is not
FEWEST_SIDES = 4  # of an arc
MOST_SWEEP = np.radians(356)  # of an arc
LEAST_SWEEP = np.radians(25)  # of an arc of a contour
LARGEST_RADIUS = 2000.0
LINE, ARC = 2.0, 4.2  # cost of a piece: its numbers, and a little more for an arc
EVERYWHERE = 0.25  # of the tolerance: how far a piece may lie from the polygon, root mean square, however long it is
AT_A_CORNER = 3.0  # of its cube: integral of the squared distance allowed beside that, where a piece cuts a corner
MISFIT = 0.5  # cost of a piece that is off by the tolerance
GAUSS = (0.5 - np.sqrt(0.15), 0.5, 0.5 + np.sqrt(0.15)), (5 / 18, 8 / 18, 5 / 18)  # exact to the fifth power


def angles_between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.arctan2(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0], (a * b).sum(axis=1))


@dataclass(frozen=True)
class Piece:
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

    @property
    def length(self) -> float:
        """The distance from end to end."""
        return float(np.hypot(*(self.end - self.start)))

    def off(self, points: np.ndarray) -> np.ndarray:
        """(n,): how far points, (n, 2), are from its line or circle, which go on beyond its ends."""
        if self.circle is None:
            return np.abs((points - self.middle) @ turned_left(self.direction))
        return np.abs(np.hypot(*(points - self.circle[:2]).T) - self.circle[2])


def crossing(line: Piece, arc: Piece, near: np.ndarray, deepest: float = 1.0) -> np.ndarray | None:
    """(2,): where a line crosses the circle of an arc; of two places the nearer to `near`. None where it does not.

    Args:
        deepest: Radii from the circle's center: a line that passes farther out does not cross it.
    """
    center, radius = np.array(arc.circle[:2]), arc.circle[2]
    along = (center - line.middle) @ line.direction
    away = float(np.hypot(*(center - line.middle - along * line.direction)))
    if away >= deepest * radius:
        return None
    half = np.sqrt(radius**2 - away**2)
    places = [line.middle + (along + side * half) * line.direction for side in (-1, 1)]
    return min(places, key=lambda place: float(np.hypot(*(place - near))))


def cheapest_pieces(path: np.ndarray, tolerance: float, *, contour: bool) -> list[Piece] | None:
    """(n + 1, 2) from a corner back to it -> the cheapest pieces; None where no chain is within the tolerance.

    Args:
        contour: Whether the path is drawn around cells, so that its corners mean nothing and turn either way.
    """
    origin = path.mean(axis=0)
    local = path - origin
    count = len(path)
    from_, to = np.triu_indices(count, 1)
    sums = _moments(local)
    along = sums[to] - sums[from_]
    line_off = _off_line(along)
    arc, arc_off = _arcs(local, from_, to, along, tolerance) if not contour else _contour_arcs(along, from_, to)
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
        pieces.append(Piece(path[before], path[node], circle, middle + origin, direction))
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
    """(x, y, radius) for each pair of corners, of the circle nearest to the corners, or to the sides where the corners
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
    """The least, the greatest and the whole turn at the corners between each pair."""
    count = len(local)
    turn = np.zeros(count)
    sides = np.diff(local, axis=0)
    turn[1:-1] = angles_between(sides[:-1], sides[1:])
    low, high = np.zeros((count, count)), np.zeros((count, count))
    for start in range(count - 2):
        low[start, start + 2 :] = np.minimum.accumulate(turn[start + 1 : -1])
        high[start, start + 2 :] = np.maximum.accumulate(turn[start + 1 : -1])
    whole = np.cumsum(turn)
    return low[from_, to], high[from_, to], whole[to - 1] - whole[from_]
