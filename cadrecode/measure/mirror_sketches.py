"""Sketches and a line across one of their axes: images, halves, and outlines that are made equal on both sides."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from cadrecode.measure.judge import SAGITTA
from cadrecode.measure.outlines import DECIMALS
from cadrecode.program.language import ORIGIN, Arc, Circle, Line, Loop, Point2, Rect, SketchStep
from cadrecode.program.section import arc_points, circle_through

Side = tuple[Point2, Line | Arc]


@dataclass(frozen=True)
class Axis:
    """A line across an axis of a sketch.

    Args:
        local: The axis, 0 or 1.
        place: Where the line meets it.
        near: Points so near to the line lie on it.
    """

    local: int
    place: float
    near: float = 0.0

    def image(self, point: Point2) -> Point2:
        return self._at(point, round(2 * self.place - point[self.local], DECIMALS) + 0.0)

    def foot(self, point: Point2) -> Point2:
        return self._at(point, self.place)

    def height(self, point: Point2) -> float:
        """How far a point lies on the upper side of the line; 0 on it."""
        height = point[self.local] - self.place
        return 0.0 if abs(height) <= self.near else height

    def _at(self, point: Point2, place: float) -> Point2:
        return (place, point[1]) if self.local == 0 else (point[0], place)

    def step_image(self, step: object) -> SketchStep | None:
        """The image of a step; None where no step says it."""
        if not isinstance(step, SketchStep) or not isinstance(step.places, tuple):
            return None
        if isinstance(step.shape, Circle | Rect):
            return replace(step, places=tuple(map(self.image, step.places)))
        if isinstance(step.shape, Loop) and step.places == ORIGIN:
            return replace(step, shape=self.loop_image(step.shape))
        return None

    def loop_image(self, loop: Loop) -> Loop:
        """The image of a loop, which turns the same way."""
        sides = loop.sides
        return _loop_of(self._back(sides))

    def _back(self, sides: Sequence[Side]) -> list[Side]:
        """The images of sides, drawn back from the end of the last to the start of the first."""
        back = []
        for start, edge in reversed(sides):
            end = self.image(start)
            image = Arc(self.image(edge.middle), end) if isinstance(edge, Arc) else Line(end)
            back.append((self.image(edge.end), image))
        return back

    def half(self, loop: Loop, way: int) -> Loop | None:
        """The part of a loop on one side of the line; None where that is not one piece between two places on it."""
        chain = self._chain(loop, way)
        return None if chain is None else Loop(chain[0][0], tuple(edge for _, edge in chain))

    def clipped(self, loop: Loop, way: int) -> Loop | None:
        """The loop without what reaches beyond the line, on the side away from `way`; None where nothing is left."""
        kept: list[Side] = []
        for start, edge in loop.sides:
            inside, ends_inside = (way * self.height(point) >= 0 for point in (start, edge.end))
            if inside and ends_inside:
                kept.append((start, edge))
            elif inside or ends_inside:
                cut = self._cut((start, edge))
                if cut is None:
                    return None
                kept.append(cut[0] if inside else cut[1])
        sides: list[Side] = []
        for side, after in zip(kept, [*kept[1:], *kept[:1]]):
            sides.append(side)
            if side[1].end != after[0]:
                sides.append((side[1].end, Line(after[0])))
        return _loop_of(sides) if len(sides) > 2 else None

    def evened(self, loop: Loop, way: int) -> Loop | None:
        """The loop with its other side as the image of this one; None as for `half`."""
        chain = self._chain(loop, way)
        if chain is None or len(chain) < 2:
            return None
        sides: list[Side | None] = [*chain, *self._back(chain)]
        for first in (0, len(chain)):  # where the sides meet on the line
            before, after = sides[first - 1], sides[first]
            joined = None if before is None or after is None else self._joined(before, after)
            if joined is not None:
                sides[first - 1], sides[first] = joined, None
        left = [side for side in sides if side is not None]
        return _loop_of(left) if len(left) > 1 else None

    def _joined(self, before: Side, after: Side) -> Side | None:
        """Two sides that are images of each other as one, where they meet without a corner."""
        (start, edge), (corner, other) = before, after
        if isinstance(edge, Line) and isinstance(other, Line):
            square = abs(start[1 - self.local] - corner[1 - self.local]) <= self.near
            return (start, Line(other.end)) if square else None
        if isinstance(edge, Arc) and isinstance(other, Arc):
            circle = circle_through(start, edge.middle, corner)
            if circle is not None and abs(circle[self.local] - self.place) <= max(self.near, 1e-3):
                return start, Arc(corner, other.end)
        return None

    def _chain(self, loop: Loop, way: int) -> list[Side] | None:
        """The sides on one side of the line, from a place on it to another; None where they are not one chain."""
        sides = loop.sides
        heights = [way * self.height(start) for start, _ in sides]
        begins = [index for index, height in enumerate(heights) if height > 0 >= heights[index - 1]]
        if len(begins) != 1:
            return None
        order = [(begins[0] + step) % len(sides) for step in range(sum(height > 0 for height in heights))]
        before = sides[order[0] - 1]
        if heights[order[0] - 1] < 0:
            cut = self._cut(before)
            if cut is None:
                return None
            before = cut[1]
        chain = [(self.foot(before[0]), before[1]), *(sides[index] for index in order)]
        if heights[(order[-1] + 1) % len(sides)] < 0:
            cut = self._cut(chain[-1])
            if cut is None:
                return None
            chain[-1] = cut[0]
        start, edge = chain[-1]
        chain[-1] = start, replace(edge, end=self.foot(edge.end))
        return chain

    def _cut(self, side: Side) -> tuple[Side, Side] | None:
        """A side that crosses the line in two; None of an arc that the line hardly meets."""
        start, edge = side
        if isinstance(edge, Line):
            from_, to = start[self.local] - self.place, edge.end[self.local] - self.place
            share = from_ / (from_ - to)
            place = tuple(a + share * (b - a) for a, b in zip(start, edge.end))
            place = self.foot((round(place[0], DECIMALS), round(place[1], DECIMALS)))
            return (start, Line(place)), (place, edge)
        circle = circle_through(start, edge.middle, edge.end)
        if circle is None:
            return self._cut((start, Line(edge.end)))
        center, radius = np.array(circle[:2]), circle[2]
        square = radius**2 - (self.place - center[self.local]) ** 2
        if square <= 0:
            return None
        drawn = np.array([start, *arc_points(start, edge.middle, edge.end, SAGITTA), edge.end])
        feet = [self.foot((float(v), float(v))) for v in center[1 - self.local] + np.sqrt(square) * np.array((-1, 1))]
        place = min(feet, key=lambda foot: float(np.hypot(*(drawn - foot).T).min()))
        place = self.foot((round(place[0], DECIMALS), round(place[1], DECIMALS)))
        first = int(np.flatnonzero(np.diff(np.sign(drawn[:, self.local] - self.place)))[0])  # the last before the line
        parts = drawn[: first + 1], drawn[first + 1 :]
        middles = [_middle_of(center, radius, *ends) for ends in ((parts[0][0], place), (place, parts[1][-1]))]
        return (start, Arc(middles[0], place)), (place, Arc(middles[1], edge.end))


def _loop_of(sides: Sequence[Side]) -> Loop:
    """A closed loop; a straight side back to its start is left out."""
    edges = [edge for _, edge in sides]
    return Loop(sides[0][0], tuple(edges[:-1] if isinstance(edges[-1], Line) else edges))


def _middle_of(center: np.ndarray, radius: float, start: Sequence[float], end: Sequence[float]) -> Point2:
    """The middle of the shorter arc of a circle between two places."""
    way = np.mean((start, end), axis=0) - center
    x, y = center + radius * way / max(math.hypot(*way), 1e-9)
    return round(float(x), DECIMALS), round(float(y), DECIMALS)
