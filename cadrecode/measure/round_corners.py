"""Outlines whose corners are rounded by arcs: a person draws them as a polygon and a radius."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np

from cadrecode.geometry import lines_meet, turned_left
from cadrecode.measure.outlines import rect_between, short
from cadrecode.program.language import Arc, Blend, Corners, Line, Loop, Point2, SketchStep

NEAR = 0.03  # CODE: how far an outline may be from its shorter spelling
SAME_RADIUS = 0.2  # largest relative difference of the radii of an outline; coarse facets hide where arcs begin
LEAST_TURN = np.radians(25)  # of a corner that is rounded
RADIUS_DECIMALS = 0, 1, 2
NEAR_HALF = 0.1  # of a slot's width or length: how far its ends may be from half circles, and its sides from equal
SELECTORS = {None: (0, 0), ">X": (1, 0), "<X": (-1, 0), ">Y": (0, 1), "<Y": (0, -1)}  # the farthest corners that way

Edge = Line | Arc


def sharpened(loop: Loop) -> Iterator[tuple[SketchStep, Corners]]:
    """The loop of lines and the corners that its arcs may round, with the fewest digits first."""
    found = _corners_of(loop)
    if found is None:
        return
    points, radii, by_middles = found
    rounded = [radius for radius in radii if radius > 0]
    radius = float(np.median(rounded))
    if np.ptp(rounded) > max(SAME_RADIUS * radius, NEAR):
        return
    selector = _selector(points, [radius > 0 for radius in radii])
    if selector is False:
        return
    drawn = _polygon(points)
    slack = max(NEAR / 2, np.ptp(rounded) / 2)
    for between in (radius, float(np.median(by_middles))):  # of points, an arc's ends are rougher than its middle
        for size in (round(between, decimals) for decimals in RADIUS_DECIMALS):
            if size > 0 and abs(size - between) <= slack:
                yield drawn, Corners(Blend.FILLET, size, selector)


def is_slot(loop: Loop) -> bool:
    """Whether two equal parallel lines are joined by half circles."""
    starts, edges = zip(*loop.sides)
    if sorted(type(edge).__name__ for edge in edges) != ["Arc", "Arc", "Line", "Line"]:
        return False
    starts = np.array(starts)
    sides = [np.subtract(edge.end, start) for start, edge in zip(starts, edges) if isinstance(edge, Line)]
    if np.hypot(*(sides[0] + sides[1])) > NEAR_HALF * np.hypot(*sides[0]) or np.hypot(*sides[0]) < NEAR:
        return False
    across = turned_left(sides[0] / np.hypot(*sides[0]))
    for start, edge in zip(starts, edges):
        if isinstance(edge, Arc):
            width = np.subtract(edge.end, start)
            bulge = np.subtract(edge.middle, start + width / 2)
            outward = start + width / 2 - np.mean(starts, axis=0)
            round_enough = abs(np.hypot(*bulge) - np.hypot(*width) / 2) < NEAR_HALF * np.hypot(*width)
            round_enough &= bool(bulge @ outward > 0)
            if not round_enough or abs(abs(width @ across) - np.hypot(*width)) > NEAR_HALF * np.hypot(*width):
                return False
    return True


def _corners_of(loop: Loop) -> tuple[list[Point2], list[float], list[float]] | None:
    """The corners between the lines of a loop and the radius that each is rounded by, 0 where it is sharp, and of those
    that are not sharp the radius by the middles of arcs; None where an arc does not round a corner."""
    starts, edges = zip(*loop.sides)
    if not any(isinstance(edge, Arc) for edge in edges):
        return None
    points, radii, by_middles = [], [], []
    for i, edge in enumerate(edges):
        before, after = edges[i - 1], edges[(i + 1) % len(edges)]
        if isinstance(edge, Line):
            if isinstance(before, Line):
                points.append(starts[i])
                radii.append(0.0)
            continue
        if isinstance(before, Arc) or isinstance(after, Arc):
            return None
        corner = _rounded_corner((starts[i - 1], starts[i]), (edge.end, after.end), edge)
        if corner is None:
            return None
        points.append(corner[0])
        radii.append(corner[1])
        by_middles.append(corner[2])
    return points, radii, by_middles


def _rounded_corner(
    before: tuple[Point2, Point2], after: tuple[Point2, Point2], arc: Arc
) -> tuple[Point2, float, float] | None:
    """The point where two lines meet, and the radius of the arc between them, by its ends and by its middle; None where
    it does not touch both."""
    (a, b), (c, d) = np.array(before), np.array(after)
    lengths = np.hypot(*(b - a)), np.hypot(*(d - c))
    if min(lengths) < NEAR:
        return None
    first, second = (b - a) / lengths[0], (d - c) / lengths[1]
    turn = math.atan2(turned_left(first) @ second, first @ second)
    if not LEAST_TURN < abs(turn) < np.pi - LEAST_TURN:
        return None
    corner = lines_meet(b, first, c, second)
    setbacks = float((corner - b) @ first), float((c - corner) @ second)
    radius = sum(setbacks) / 2 / math.tan(abs(turn) / 2)
    center = b + radius * math.copysign(1, turn) * turned_left(first)
    touches = min(setbacks) > 0 and abs(setbacks[0] - setbacks[1]) < max(2 * NEAR, SAME_RADIUS * radius)
    on_arc = abs(math.dist(arc.middle, center) - radius) < max(2 * NEAR, SAME_RADIUS * radius)
    if not touches or not on_arc:
        return None
    return few_digits(corner), radius, math.dist(corner, arc.middle) / (1 / math.cos(turn / 2) - 1)


def _selector(points: Sequence[Point2], is_rounded: Sequence[bool]) -> str | bool | None:
    """The selector of the rounded corners, None for all corners; False where there is none."""
    for selector, (x, y) in SELECTORS.items():
        reach = [x * point[0] + y * point[1] for point in points]
        if [value > max(reach) - NEAR for value in reach] == list(is_rounded):
            return selector
    return False


def _polygon(points: Sequence[Point2]) -> SketchStep:
    """A rectangle along the axes, or a loop of lines."""
    low, high = np.min(points, axis=0), np.max(points, axis=0)
    if len(points) == 4 and set(points) == set(itertools.product(*zip(low, high))):
        shape, middle = rect_between(low, high)
        return SketchStep(shape, places=(middle,))
    return SketchStep(Loop.through(points))


def few_digits(point: np.ndarray) -> Point2:
    return short(point[0]), short(point[1])
