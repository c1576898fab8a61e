"""Features that a cloud speaks for though they fill little of it: holes and pins by their round walls, steps, flats and
pockets by their floors. Each is added if the points that it explains pay for its numbers.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from cadrecode.geometry import bounding_box
from cadrecode.links import linked_within
from cadrecode.measure.cloud_judge import CloudJudge
from cadrecode.measure.features import OVERSHOOT, Feature, Prism, Tilted, exchanged
from cadrecode.measure.grid import Grid
from cadrecode.measure.judge import better
from cadrecode.measure.outlines import rect_between
from cadrecode.measure.round_walls import FEWEST, FEWEST_SECTORS, NEAR_BY_RADIUS, RoundWall, sectors_with_points
from cadrecode.program.language import Circle, Mode, Operation, Rect, SketchStep
from cadrecode.program.planes import plane_axes
from cadrecode.program.solid import bounds, through_holes

Hole = TypeVar("Hole", Prism, Tilted)

ON_LEVEL = 0.02  # of the size: a wall's points may end so far before its ends
SAME_RADIUS = 0.05  # of the radius: circles of one span that differ by less are equal
HOLE_NUMBERS = 3  # that a hole costs where others like it share the rest
NEARLY_SQUARE = 0.15  # of the longer side: how much shorter the other is
END_NUMBERS = 2  # of a cut that is left out of a wall: where it ends, and where it begins again
FACING = 0.4  # mean outward part of the normals around a pin, at least
SKIN = 3.0  # nats: how much likelier it is that a hole goes on into the air than that a skin covers its end
WIDEST_COUNTERBORE = 3.5  # of the radius of its hole
AS_GOOD = 0.5  # nats: a hole that goes on through air is as good as one that ends with its wall
ACROSS = 0.93  # cosine of a floor's normals with its axis
HALF_EXPLAINED = 2.5  # nats: points that cost more are left unexplained
FEWEST_ON_FLOOR = 10  # points
LINK = 3.0  # mean distances between points: farther apart, they are of two floors
MOST_STEPS, MOST_FLOORS = 8, 8  # blocks added, and floors tried for each


def with_bores(
    features: tuple[Feature, ...], walls: Sequence[RoundWall], grid: Grid, judge: CloudJudge
) -> tuple[Feature, ...]:
    """The features with holes and pins added for round walls that they do not explain, and for those around their
    holes: counterbores."""
    added: list[Prism] = []
    waiting = list(walls)
    while waiting and not judge.out_of_time:
        wall, before = waiting.pop(0), (*features, *added)
        least = judge.nats_per_number * HOLE_NUMBERS
        if _most_gain(wall, judge.costs(before), judge) > least:
            # normals in a small hole may say nothing, on a pin they do
            operation = Operation.UNION if wall.facing > FACING else Operation.CUT
            bore, gain = _bore_along(before, wall, operation, grid.levels[wall.axis], judge)
            if gain > least:
                added.append(bore)
                if operation is Operation.CUT:
                    waiting = [*_walls_around(wall, judge.costs((*before, bore)), judge), *waiting]
    return (*features, *grouped(added, _of_one_span, SAME_RADIUS))


def _bore_along(
    features: tuple[Feature, ...], wall: RoundWall, operation: Operation, levels: np.ndarray, judge: CloudJudge
) -> tuple[Prism, float]:
    """A bore along a wall and how much it explains. It ends with the wall's points or at the level next to them; a hole
    may go on into the air, and does so where a skin over its end would be as likely."""
    ends, gain = [wall.low, wall.high], -np.inf
    for index, way in enumerate((-1, 1)):
        end = ends[index]
        nearest = float(levels[np.abs(levels - end).argmin()])
        if abs(nearest - end) < ON_LEVEL * float(levels[-1] - levels[0]) + OVERSHOOT:
            ends[index] = nearest
        options = [(ends[index], 0.0), (end, 0.0)]
        if operation is Operation.CUT:
            beyond = sorted((float(h) for h in levels if (h - end) * way > 0), key=lambda height: abs(height - end))
            options += [(beyond[0], SKIN)] if beyond else []
            options.append((float(levels[-index]) + way * OVERSHOOT, SKIN))
        worth = {}
        for height, bonus in dict(options).items():
            tried = [height, ends[1]] if index == 0 else [ends[0], height]
            if tried[0] < tried[1]:
                worth[height] = judge.evidence(features, (*features, _bore(wall, operation, *tried))), bonus
        if not worth:
            return _bore(wall, operation, *sorted(ends)), -np.inf
        ends[index] = max(worth, key=lambda height: sum(worth[height]))
        gain = worth[ends[index]][0]
    return _bore(wall, operation, *ends), gain


def _walls_around(wall: RoundWall, costs: np.ndarray, judge: CloudJudge) -> list[RoundWall]:
    """The wall of a wider bore about the line of a hole, by the points that are left unexplained; none, or one."""
    away = judge.points[:, plane_axes(wall.axis)] - (wall.x, wall.y)
    distance, heights = np.hypot(*away.T), judge.points[:, wall.axis]
    within = (distance > wall.radius + 2 * judge.close) & (distance < WIDEST_COUNTERBORE * wall.radius)
    within &= costs > HALF_EXPLAINED
    within &= (heights > wall.low - WIDEST_COUNTERBORE * wall.radius) & (
        heights < wall.high + WIDEST_COUNTERBORE * wall.radius
    )
    rows = np.flatnonzero(within)[np.argsort(distance[within])]
    if len(rows) < FEWEST:
        return []
    slack = 2 * judge.close + NEAR_BY_RADIUS * wall.radius
    last = np.searchsorted(distance[rows], distance[rows] + slack, side="right")
    first = int((last - np.arange(len(rows))).argmax())
    on = rows[first : last[first]]
    if len(on) < FEWEST or sectors_with_points(away[on]) < FEWEST_SECTORS:
        return []
    radius, low, high = float(np.median(distance[on])), float(heights[on].min()), float(heights[on].max())
    return [replace(wall, radius=radius, low=low, high=high, count=len(on))] if high > low else []


def opened(features: tuple[Feature, ...], judge: CloudJudge) -> tuple[Feature, ...]:
    """The features with cuts that end with a face gone on into the air before it: two faces in one place may leave a
    skin between them, once the numbers are those of another unit."""
    for index, feature in enumerate(features):
        if not isinstance(feature, Prism | Tilted) or feature.operation is not Operation.CUT or not index:
            continue
        heights = judge.points @ feature.normal
        lowest, highest = heights.min() - OVERSHOOT / 2, heights.max() + OVERSHOOT / 2
        for end, way in (("low", -1), ("high", 1)):
            height = getattr(features[index], end)
            if lowest <= height <= highest:
                longer = replace(features[index], **{end: round(height + way * OVERSHOOT, 3)})
                changed = exchanged(features, index, longer)
                if judge.evidence(features, changed) > -AS_GOOD:
                    features = changed
    return features


def turned_about(features: tuple[Feature, ...], judge: CloudJudge) -> tuple[Feature, ...]:
    """The features with cuts that end within the part made from the other side, where that explains more: in a narrow
    groove, whose walls hide its floor, estimated normals may face the wrong way."""
    for index, feature in enumerate(features):
        if not isinstance(feature, Prism) or feature.operation is not Operation.CUT or not index:
            continue
        heights = judge.points[:, feature.axis]
        bottom, top = float(heights.min()), float(heights.max())
        for low, high in ((feature.high, top + OVERSHOOT), (bottom - OVERSHOOT, feature.low)):
            if bottom < low < top or bottom < high < top:
                other = replace(feature, low=round(low, 3), high=round(high, 3))
                features = better(features, exchanged(features, index, other), judge)
    return features


def parted(features: tuple[Feature, ...], grid: Grid, judge: CloudJudge) -> tuple[Feature, ...]:
    """The features with cuts that go through several walls left out of those whose points lie in the mouth of the hole,
    where that pays for the numbers of another cut."""
    for index in reversed(range(1, len(features))):
        feature = features[index]
        if not isinstance(feature, Prism) or feature.operation is not Operation.CUT:
            continue
        levels = [float(level) for level in grid.levels[feature.axis] if feature.low < level < feature.high]
        for low, high in itertools.pairwise(levels):
            if judge.out_of_time:
                return features
            parts = replace(feature, high=low), replace(feature, low=high)
            changed = exchanged(features, index, *parts)
            if judge.evidence(features, changed) > END_NUMBERS * judge.nats_per_number:
                features = changed
                break
    return features


def rounder(features: tuple[Feature, ...], judge: CloudJudge) -> tuple[Feature, ...]:
    """The features with round holes in place of nearly square ones, along whichever axis, where that pays."""
    for index, feature in enumerate(features):
        is_cut = isinstance(feature, Prism) and feature.operation is Operation.CUT and index > 0
        if not is_cut or len(feature.steps) > 1 or not isinstance(feature.steps[0].shape, Rect):
            continue
        low, high = bounds(judge.solid_of(feature))
        for axis in range(3):
            across = list(plane_axes(axis))
            sides, middle = (high - low)[across], ((low + high) / 2)[across]
            if np.ptp(sides) < NEARLY_SQUARE * sides.max() and not judge.out_of_time:
                step = SketchStep(
                    Circle(round(float(sides.mean()) / 2, 3)), places=(tuple(np.round(middle, 3).tolist()),)
                )
                bore = Prism(Operation.CUT, axis, float(low[axis]), float(high[axis]), (step,))
                features = better(features, exchanged(features, index, bore), judge)
    return features


def redrilled(features: tuple[Feature, ...], judge: CloudJudge) -> tuple[Feature, ...]:
    """The features with cuts, and holes of sketches, that a later feature fills cut after it, where that pays."""
    for index in reversed(range(len(features))):
        feature = features[index]
        if not isinstance(feature, Prism) or judge.out_of_time:
            continue
        later = [other for other in features[index + 1 :] if other.operation is Operation.UNION]
        if not later:
            continue
        if feature.operation is Operation.CUT:
            features = better(features, (*exchanged(features, index), feature), judge)
            continue
        holes = tuple(step for step in feature.steps if step.mode is Mode.SUBTRACT)
        for hole in holes:
            rest = replace(feature, steps=tuple(step for step in feature.steps if step is not hole))
            cut = replace(feature, operation=Operation.CUT, steps=(replace(hole, mode=Mode.ADD),))
            features = better(features, (*exchanged(features, index, rest), cut), judge)
            feature = features[index]
    return features


def _most_gain(wall: RoundWall, costs: np.ndarray, judge: CloudJudge) -> float:
    """Nats that a bore along a wall brings at most: its points explained, and no points to expect where it opens."""
    away, heights = judge.points[:, plane_axes(wall.axis)] - (wall.x, wall.y), judge.points[:, wall.axis]
    near = (np.abs(np.hypot(*away.T) - wall.radius) < judge.reach) & (heights > wall.low - judge.reach)
    near &= heights < wall.high + judge.reach
    return float(costs[near].sum()) + 2 * np.pi * wall.radius**2 * judge.per_area


def _bore(wall: RoundWall, operation: Operation, low: float, high: float) -> Prism:
    step = SketchStep(Circle(round(wall.radius, 3)), places=((round(wall.x, 3), round(wall.y, 3)),))
    return Prism(operation, wall.axis, round(low, 3), round(high, 3), (step,))


def _of_one_span(bore: Prism, other: Prism) -> bool:
    return replace(bore, steps=()) == replace(other, steps=())


def grouped(holes: Sequence[Hole], may_join: Callable[[Hole, Hole], bool], tolerance: float) -> list[Hole]:
    """Equal round holes as one feature, which is as long as all of them together.

    Args:
        may_join: Whether a hole may be one feature with the first of a group.
        tolerance: By how much of its radius it may differ from that one.
    """
    groups: list[list[Hole]] = []
    for hole in holes:
        radius = hole.steps[0].shape.radius
        for group in groups:
            if may_join(group[0], hole) and abs(group[0].steps[0].shape.radius - radius) < tolerance * radius:
                group.append(hole)
                break
        else:
            groups.append([hole])
    made = []
    for group in groups:
        radius = round(float(np.mean([hole.steps[0].shape.radius for hole in group])), 3)
        places = tuple(hole.steps[0].places[0] for hole in group)
        low, high = min(hole.low for hole in group), max(hole.high for hole in group)
        made.append(replace(group[0], low=low, high=high, steps=(SketchStep(Circle(radius), places=places),)))
    return made


@dataclass(frozen=True)
class Floor:
    """A flat patch of points across an axis that a body does not explain.

    Args:
        facing: 1 where it looks up, -1 where it looks down.
        low, high: (2,) corners of the rectangle around it, on the plane of a sketch across the axis.
    """

    axis: int
    facing: int
    height: float
    low: np.ndarray
    high: np.ndarray
    count: int


def with_steps(features: tuple[Feature, ...], grid: Grid, judge: CloudJudge) -> tuple[Feature, ...]:
    """The features with steps, flats and pockets cut, and blocks joined, for flat patches that they do not explain."""
    tried: list[Floor] = []
    for _ in range(MOST_STEPS):
        floors = [floor for floor in _floors(features, judge) if not any(_same(floor, other) for other in tried)]
        gained = None
        for floor in floors[:MOST_FLOORS]:
            if judge.out_of_time:
                return features
            tried.append(floor)
            gained = _with_step(features, floor, grid, judge)
            if gained is not None:
                break
        if gained is None:
            return features
        features = gained
    return features


def _same(first: Floor, second: Floor) -> bool:
    return (first.axis, first.facing) == (second.axis, second.facing) and np.allclose(
        (first.height, *first.low, *first.high), (second.height, *second.low, *second.high), atol=1e-6
    )


def _with_step(
    features: tuple[Feature, ...], floor: Floor, grid: Grid, judge: CloudJudge
) -> tuple[Feature, ...] | None:
    """The features with the best block that ends at a floor; None where none pays."""
    levels = grid.levels[floor.axis]
    best, most = None, 0.0
    behind = [float(h) for h in levels if (h - floor.height) * floor.facing < -judge.close]
    ahead = [float(h) for h in levels if (h - floor.height) * floor.facing > judge.close]
    last = float(levels[-1 if floor.facing > 0 else 0]) + floor.facing * OVERSHOOT
    ends = [(Operation.CUT, last)]
    if ahead:
        ends.append((Operation.CUT, min(ahead, key=lambda h: abs(h - floor.height))))
    if behind:
        ends.append((Operation.UNION, min(behind, key=lambda h: abs(h - floor.height))))
    for operation, end in ends:
        waiting = _rectangles(floor, grid, judge)
        while waiting:
            rectangle = waiting.pop(0)
            block = _block(floor, operation, end, rectangle)
            changed = (*features, block)
            gain = judge.evidence(features, changed) - judge.nats_per_number * block.numbers
            if gain > most and not (operation is Operation.UNION and _closes_a_ring(features, changed, judge)):
                best, most, waiting = block, gain, _wider(rectangle, judge.spacing)
    return None if best is None else (*features, best)


def _closes_a_ring(features: Sequence[Feature], changed: Sequence[Feature], judge: CloudJudge) -> bool:
    """Whether a joined block makes a through hole, which its own points do not show."""
    return through_holes(judge.build(changed)) > through_holes(judge.build(features))


def _block(floor: Floor, operation: Operation, end: float, rectangle: np.ndarray) -> Prism:
    shape, middle = rect_between(*rectangle)
    low, high = sorted((round(floor.height, 3), round(end, 3)))
    return Prism(operation, floor.axis, low, high, (SketchStep(shape, places=(middle,)),))


def _rectangles(floor: Floor, grid: Grid, judge: CloudJudge) -> list[np.ndarray]:
    """(2, 2) low and high corners: the rectangle around a floor's points, and the same with edges on levels."""
    on_levels = np.array((floor.low, floor.high))
    for k, axis in enumerate(plane_axes(floor.axis)):
        levels = grid.levels[axis]
        for end in range(2):
            nearest = float(levels[np.abs(levels - on_levels[end, k]).argmin()])
            if abs(nearest - on_levels[end, k]) < 2 * judge.spacing:
                beyond = OVERSHOOT if nearest in (levels[0], levels[-1]) else 0.0
                on_levels[end, k] = nearest + (2 * end - 1) * beyond
    around = np.array((floor.low, floor.high))
    return [around, on_levels] if not np.array_equal(around, on_levels) else [around]


def _wider(rectangle: np.ndarray, by: float) -> list[np.ndarray]:
    """The rectangle with each of its sides moved out, one at a time."""
    moved = []
    for end in range(2):
        for k in range(2):
            wider = rectangle.copy()
            wider[end, k] += (2 * end - 1) * by
            moved.append(wider)
    return moved


def _floors(features: tuple[Feature, ...], judge: CloudJudge) -> list[Floor]:
    """Flat patches of points that the features leave unexplained, most points first."""
    lost = judge.costs(features) > HALF_EXPLAINED
    points, normals = judge.points[lost], judge.normals[lost]
    link = LINK * judge.spacing
    floors = []
    for axis in range(3):
        for facing in (1, -1):
            rows = np.flatnonzero(facing * normals[:, axis] > ACROSS)
            for crowd in _crowds(points[rows, axis], 2 * judge.close):
                patch = points[rows[crowd]]
                flat = patch[:, plane_axes(axis)]
                pieces = linked_within(flat, link)
                for piece, count in enumerate(np.bincount(pieces).tolist()):
                    if count >= FEWEST_ON_FLOOR:
                        own = pieces == piece
                        height = float(np.median(patch[own, axis]))
                        low, high = bounding_box(flat[own])
                        floors.append(Floor(axis, facing, height, low, high, count))
    return sorted(floors, key=lambda floor: -floor.count)


def _crowds(heights: np.ndarray, near: float) -> list[np.ndarray]:
    """Rows of the heights that lie within `near` of each other, in runs without a wide gap."""
    if len(heights) < FEWEST_ON_FLOOR:
        return []
    order = np.argsort(heights)
    runs = np.split(order, np.flatnonzero(np.diff(heights[order]) > near / 2) + 1)
    return [run for run in runs if len(run) >= FEWEST_ON_FLOOR and np.std(heights[run]) < near]
