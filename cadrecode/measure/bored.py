"""Small features that a cloud's round walls speak for: holes and pins, by the points that they explain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from cadrecode.measure.bores import RoundWall
from cadrecode.measure.cloud_judge import CloudJudge
from cadrecode.measure.features import OVERSHOOT, Feature, Prism
from cadrecode.measure.grid import Grid
from cadrecode.program.language import Circle, Operation, SketchStep

ON_LEVEL = 0.02  # of the size: a wall's points may end so far before its ends
SAME_RADIUS = 0.05  # of the radius: circles of one span that differ by less are equal
HOLE_NUMBERS = 3  # that a hole costs where others like it share the rest


def with_bores(
    features: tuple[Feature, ...], walls: Sequence[RoundWall], grid: Grid, judge: CloudJudge
) -> tuple[Feature, ...]:
    """The features with holes and pins added for round walls that they do not explain."""
    added: list[Prism] = []
    for wall in walls:
        if judge.out_of_time:
            break
        best, most = None, judge.nats_per_number * HOLE_NUMBERS
        for operation in (Operation.CUT, Operation.UNION):
            for low, high in _spans(wall, grid.levels[wall.axis]):
                bore = _bore(wall, operation, low, high)
                gain = judge.evidence((*features, *added), (*features, *added, bore))
                if gain > most:
                    best, most = bore, gain
            if best is not None:
                break
        if best is not None:
            added.append(best)
    return (*features, *_grouped(added))


def _spans(wall: RoundWall, levels: np.ndarray) -> list[tuple[float, float]]:
    """Where a wall may begin and end: at the levels next to its points, or beyond the part."""
    size = max(float(levels[-1] - levels[0]), 1e-9)
    ends = []
    for end, first, way in ((wall.low, levels[0], -1), (wall.high, levels[-1], 1)):
        nearest = float(levels[np.abs(levels - end).argmin()])
        options = {nearest if abs(nearest - end) < ON_LEVEL * size + 2 else end, float(first) + way * OVERSHOOT}
        if nearest == first:
            options = {float(first) + way * OVERSHOOT}
        ends.append(sorted(options))
    return [(low, high) for low in ends[0] for high in ends[1] if high > low]


def _bore(wall: RoundWall, operation: Operation, low: float, high: float) -> Prism:
    step = SketchStep(Circle(round(wall.radius, 3)), places=((round(wall.x, 3), round(wall.y, 3)),))
    return Prism(operation, wall.axis, round(low, 3), round(high, 3), (step,))


def _grouped(bores: Sequence[Prism]) -> list[Prism]:
    """Equal bores of one span as one feature."""
    groups: list[list[Prism]] = []
    for bore in bores:
        radius = bore.steps[0].shape.radius
        for group in groups:
            other = group[0]
            same_span = (other.operation, other.axis, other.low, other.high) == (
                bore.operation,
                bore.axis,
                bore.low,
                bore.high,
            )
            if same_span and abs(other.steps[0].shape.radius - radius) < SAME_RADIUS * radius:
                group.append(bore)
                break
        else:
            groups.append([bore])
    made = []
    for group in groups:
        radius = round(float(np.mean([bore.steps[0].shape.radius for bore in group])), 3)
        places = tuple(bore.steps[0].places[0] for bore in group)
        made.append(replace(group[0], steps=(SketchStep(Circle(radius), places=places),)))
    return made
