"""Arcs of outlines: followed on the points of their wall into filled corners, and the discs that they are of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from cadrecode.measure.pieces import MOST_SWEEP, Piece, crossing
from cadrecode.measure.walls import Walls, circle_through_all
from cadrecode.program.language import Arc, Loop

MOST_FOLLOWED = 5  # pieces in which a contour may go round a corner
FILLED = 2.0  # of the reach: how far the contour of a filled corner may lie off the wall
LONGEST = np.pi / 2  # how much longer an arc may become at one end
HALF = np.radians(175)


def followed(pieces: list[Piece], walls: Walls) -> list[Piece]:
    """The pieces, with arcs in place of the lines beside them where the points of the wall go on along the circle.

    Where a wall meets another at a sharp angle, winding numbers fill the corner, and the contour leaves the wall before
    it ends.
    """
    for _ in range(2):  # from the other end, too
        place = 0
        while place < len(pieces):
            if pieces[place].circle is not None:
                pieces, place = _longer(pieces, place, walls)
            place += 1
        pieces = [_turned(piece) for piece in pieces[::-1]]
    return pieces


def discs_of(loop: Loop) -> Iterator[tuple[float, float, float]]:
    """(x, y, radius) of each circle of which a loop has half or more: a disc was joined with something there."""
    for start, edge in loop.sides:
        if isinstance(edge, Arc):
            start, middle, end = places = np.array((start, edge.middle, edge.end))
            x, y, radius = circle_through_all(places)
            halves = _angle(start, middle, np.array((x, y))), _angle(middle, end, np.array((x, y)))
            if abs(sum(halves)) > HALF and halves[0] * halves[1] > 0:
                yield x, y, radius


def _turned(piece: Piece) -> Piece:
    return replace(piece, start=piece.end, end=piece.start, direction=-piece.direction)


def _longer(pieces: list[Piece], place: int, walls: Walls) -> tuple[list[Piece], int]:
    """The pieces with the arc at a place as long as its wall, and its place then."""
    arc = pieces[place]
    rest = [*pieces[place + 1 :], *pieces[:place]]
    for count in range(min(MOST_FOLLOWED, len(rest) - 1), 0, -1):
        between, after = rest[:count], rest[count]
        end = _end(arc, between, after, walls)
        if end is not None:
            longer = [replace(arc, end=end, middle=arc.end), replace(after, start=end), *rest[count + 1 :]]
            return longer, 0
    return pieces, place


def _end(arc: Piece, between: Sequence[Piece], after: Piece, walls: Walls) -> np.ndarray | None:
    """Where the arc ends on the line after those between; None where its wall does not go on to there."""
    if after.circle is not None:
        return None
    center, radius = np.array(arc.circle[:2]), arc.circle[2]
    corners = np.array([piece.end for piece in between])
    if np.abs(np.hypot(*(corners - center).T) - radius).max() > FILLED * walls.reach:
        return None
    end = crossing(after, arc, after.start)
    if end is None:
        return None
    sweep, longer = _sweep(arc), _angle(arc.end, end, center)
    longer *= np.sign(sweep)
    if not 0 < longer < LONGEST or abs(sweep) + longer > MOST_SWEEP:
        return None
    return end if walls.follow(center, radius, arc.end, np.sign(sweep) * longer) else None


def _sweep(arc: Piece) -> float:
    """Radians from the start of an arc to its end, positive counter-clockwise."""
    center = np.array(arc.circle[:2])
    first, second = _angle(arc.start, arc.middle, center), _angle(arc.start, arc.end, center)
    if first % (2 * np.pi) <= second % (2 * np.pi):
        return second % (2 * np.pi)
    return second % (2 * np.pi) - 2 * np.pi


def _angle(start: np.ndarray, end: np.ndarray, center: np.ndarray) -> float:
    """Radians from one place to another as seen from the center, in (-pi, pi]."""
    (ax, ay), (bx, by) = start - center, end - center
    return float(np.arctan2(ax * by - ay * bx, ax * bx + ay * by))
