"""Rounded corners of outlines: where the points of a wall lie on an arc that touches both sides of a corner.

The contour of a cloud is no closer to a wall than the points are apart, and a bevel or a sharp corner is as close to it
as a fillet of a few spacings. The points themselves are closer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from cadrecode.geometry import lines_meet, turned_left
from cadrecode.measure.pieces import Piece
from cadrecode.measure.walls import Walls

MOST_BETWEEN = 3  # short lines that a contour may have in place of an arc
LEAST_TURN, MOST_TURN = np.radians(25), np.radians(155)
FEWEST = 5  # points of an arc
NUMBERS_OF_ARC, NUMBERS_OF_LINE = 4, 2
NUMBERS_OF_FILLET = 1  # of an arc that touches both sides
NATS_PER_NUMBER = 4.5  # half the logarithm of the number of points
FLOOR, OFF_SIDES = 0.02, 0.05  # of the reach: no closer do points lie on an arc; so far off both sides are those of it
ON_ARC = 3.0  # times the median: points farther from the arc are of something else
MOST_ELSEWHERE = 0.25  # of the points at a corner


@dataclass(frozen=True)
class Corner:
    """Where two sides would meet.

    Args:
        place: (2,).
        before, after: (2,) directions of the sides.
        turn: Radians between them.
    """

    place: np.ndarray
    before: np.ndarray
    after: np.ndarray
    turn: float

    @classmethod
    def between(cls, before: Piece, after: Piece) -> Corner | None:
        """None where the sides hardly turn, or turn back."""
        first, second = _way(before), _way(after)
        turn = float(np.arctan2(abs(turned_left(first) @ second), first @ second))
        if not LEAST_TURN < turn < MOST_TURN:
            return None
        return cls(lines_meet(before.middle, first, after.middle, second), first, second, turn)

    def inside(self, points: np.ndarray) -> np.ndarray:
        """(n,): how far points, (n, 2), are from the nearer of both sides; negative beyond one of them."""
        offs = [(points - self.place) @ (across * np.sign(across @ self.inward)) for across in self._across]
        return np.minimum(*offs)

    @property
    def _across(self) -> tuple[np.ndarray, np.ndarray]:
        return turned_left(self.before), turned_left(self.after)

    @property
    def inward(self) -> np.ndarray:
        """(2,): from the corner to the centre of an arc that touches both sides."""
        way = self.after - self.before
        return way / np.hypot(*way)

    def radii(self, points: np.ndarray) -> np.ndarray:
        """(n,) of the arcs that touch both sides, turn towards the corner and pass through points, (n, 2)."""
        away, half = points - self.place, self.turn / 2
        toward = away @ self.inward / np.cos(half)
        root = np.sqrt(np.maximum(toward**2 - np.tan(half) ** 2 * (away**2).sum(axis=1), 0))
        return (toward + root) / np.tan(half) ** 2

    def center(self, radius: float) -> np.ndarray:
        return self.place + radius / np.cos(self.turn / 2) * self.inward

    def arc(self, radius: float) -> Piece:
        half = self.turn / 2
        start, end = (self.place + way * radius * np.tan(half) for way in (-self.before, self.after))
        middle = self.center(radius) - radius * self.inward
        return Piece(start, end, (*self.center(radius), radius), middle, end - start)


def with_fillets(pieces: Sequence[Piece], walls: Walls) -> list[Piece]:
    """The pieces with arcs that points speak for at corners, or in place of short pieces between two sides."""
    lines = [index for index, piece in enumerate(pieces) if piece.circle is None]
    if len(lines) < 2:
        return list(pieces)
    first = max(lines, key=lambda index: pieces[index].length)
    waiting = [*pieces[first:], *pieces[:first]]
    after_all = len(waiting)
    made, place = [waiting[0]], 1
    while place <= after_all:
        ends = range(place, min(place + MOST_BETWEEN, after_all) + 1)
        tried = [(_gain(made[-1], waiting[place:end], waiting[end % after_all], walls), end) for end in ends]
        (gain, arc), end = max(tried, key=lambda pair: pair[0][0])
        if arc is not None and gain > 0:
            made.append(arc)
            waiting[end % after_all] = replace(waiting[end % after_all], start=arc.end)
            place = end
        if place < after_all:
            made.append(waiting[place])
        place += 1
    made[0] = replace(made[0], start=waiting[0].start)
    return made


def _way(piece: Piece) -> np.ndarray:
    """The direction of a line from its start to its end; that of a line along an axis may be the other."""
    return piece.direction * np.copysign(1.0, piece.direction @ (piece.end - piece.start))


def _gain(before: Piece, between: Sequence[Piece], after: Piece, walls: Walls) -> tuple[float, Piece | None]:
    """The arc in place of what is between two sides, and how much better it explains the points there, in nats, beyond
    what its numbers cost."""
    none = -np.inf, None
    if before.circle is not None or after.circle is not None or before is after:
        return none
    corner = Corner.between(before, after)
    room = min(before.length, after.length)
    if corner is None or any(piece.length > room for piece in between):
        return none
    ends = np.array([place for piece in (*between, after) for place in (piece.start, piece.end)][:-1])
    farthest = np.hypot(*(ends - corner.place).T).max() + walls.reach
    off_lines = np.min([piece.off(walls.points) for piece in (before, *between, after)], axis=0)
    near = (np.hypot(*(walls.points - corner.place).T) < farthest) & (off_lines < walls.reach)
    near &= corner.inside(walls.points) > OFF_SIDES * walls.reach + walls.noise
    if np.count_nonzero(near) < FEWEST:
        return none
    points, off_lines = walls.points[near], off_lines[near]
    radius = float(np.median(corner.radii(points)))
    off = np.abs(np.hypot(*(points - corner.center(radius)).T) - radius)
    least = max(FLOOR * walls.reach, walls.noise)
    on = off < ON_ARC * max(float(np.median(off)), least)
    touch = radius * np.tan(corner.turn / 2)
    if np.mean(~on) > MOST_ELSEWHERE or touch > room + walls.reach:
        return none
    by_lines, by_arc = (max(float(np.sqrt(np.mean(gaps[on] ** 2))), least) for gaps in (off_lines, off))
    known = sum(NUMBERS_OF_LINE if piece.circle is None else NUMBERS_OF_ARC for piece in between)
    is_arc = any(piece.circle is not None for piece in between)  # else a fillet must be sure, as any arc must
    numbers = NUMBERS_OF_FILLET - known if is_arc else max(NUMBERS_OF_ARC - known, NUMBERS_OF_FILLET)
    gain = np.count_nonzero(on) * np.log(by_lines / by_arc) - NATS_PER_NUMBER * numbers
    return float(gain), corner.arc(radius)
