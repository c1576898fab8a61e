"""A search's features on the exact solid: holes added, needless features dropped, sketches merged, numbers rounded.

Volume alone would leave out every small hole: a screw hole of 0.3 % of the volume does not pay for its numbers. So a
through hole too few or too many has a price of its own.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from manifold3d import Manifold

from cadrecode.measure.features import Feature, sketch_steps
from cadrecode.measure.grid import Grid
from cadrecode.measure.outlines import Outline
from cadrecode.measure.proposals import Proposal
from cadrecode.program.language import Arc, Circle, Line, Loop, Mode, Operation, Point2, Rect, SketchStep
from cadrecode.program.solid import build_solid, iou

PRICE = 0.0004  # IoU that a number must bring
HOLE_PRICE = 0.012  # IoU that the right count of through holes is worth, each
BODY_PRICE = 0.03  # and the right count of bodies
SAGITTA = 0.05  # CODE: how finely circles are drawn
ROUNDING_LOSS = 1.5e-4  # IoU that rounding a feature's numbers by one more digit may cost
DECIMALS = 0, 1, 2


def through_holes(solid: Manifold) -> int:
    """How many: the genus of all shells together."""
    return sum(shell.genus() for shell in solid.decompose())


class Judge:
    """What features are worth against the exact solid.

    Args:
        solid: CODE.
        price: IoU that a number must bring.
        deadline: On time.monotonic().
    """

    def __init__(self, solid: Manifold, price: float, deadline: float):
        self.solid, self.price, self.deadline = solid, price, deadline
        self.shells = len(solid.decompose())
        self.holes = through_holes(solid)
        self._solids: dict[Feature, Manifold] = {}
        self._scores: dict[tuple[Feature, ...], tuple[float, float]] = {}

    @property
    def out_of_time(self) -> bool:
        return time.monotonic() >= self.deadline

    def solid_of(self, feature: Feature) -> Manifold:
        if feature not in self._solids:
            self._solids[feature] = build_solid(feature.extrusion(feature.low), SAGITTA)
        return self._solids[feature]

    def build(self, features: Sequence[Feature]) -> Manifold:
        body = self.solid_of(features[0])
        for feature in features[1:]:
            solid = self.solid_of(feature)
            if feature.operation is Operation.UNION:
                body = body + solid
            elif feature.operation is Operation.CUT:
                body = body - solid
            else:
                body = body ^ solid
        return body

    def score(self, features: Sequence[Feature]) -> float:
        return self._judged(features)[0]

    def iou(self, features: Sequence[Feature]) -> float:
        return self._judged(features)[1]

    def _judged(self, features: Sequence[Feature]) -> tuple[float, float]:
        key = tuple(features)
        if key not in self._scores:
            self._scores[key] = self._measure(key)
        return self._scores[key]

    def _measure(self, features: tuple[Feature, ...]) -> tuple[float, float]:
        if not features:
            return -np.inf, 0.0
        body = self.build(features)
        if body.is_empty():
            return -np.inf, 0.0
        overlap = iou(body, self.solid)
        shells = body.decompose()
        wrong_holes = abs(sum(shell.genus() for shell in shells) - self.holes)
        wrong_bodies = abs(len(shells) - self.shells)
        numbers = sum(feature.numbers for feature in features)
        return overlap - self.price * numbers - HOLE_PRICE * wrong_holes - BODY_PRICE * wrong_bodies, overlap


def finish(
    features: Sequence[Feature], proposals: Sequence[Proposal], judge: Judge, grid: Grid
) -> tuple[Feature, ...]:
    """The features with holes that the grid was too coarse for, without those that are not needed, and rounded."""
    best = tuple(features)
    best = with_missing_holes(best, proposals, judge, grid)
    for _ in range(2):
        before = best
        for change in (dropped, merged, respanned):
            best = change(best, judge, grid)
        if best == before:
            break
    return rounded(best, judge)


def better(best: tuple[Feature, ...], other: tuple[Feature, ...], judge: Judge) -> tuple[Feature, ...]:
    return other if judge.score(other) > judge.score(best) + 1e-9 else best


# --- holes


def with_missing_holes(
    features: tuple[Feature, ...], proposals: Sequence[Proposal], judge: Judge, grid: Grid
) -> tuple[Feature, ...]:
    """Cuts added where the part is empty within the outline of a hole and the features are not."""
    extra = judge.build(features) - judge.solid
    for proposal in sorted((p for p in proposals if not p.adds), key=lambda p: -p.numbers):
        if judge.out_of_time:
            break
        levels = grid.levels[proposal.axis]
        column = Feature(Operation.CUT, proposal.axis, float(levels[0]), float(levels[-1]), proposal.steps)
        spans = _empty_spans(column, judge, levels, extra)
        for low, high in spans:
            after = better(features, (*features, replace(column, low=low, high=high)), judge)
            if after != features:
                features, extra = after, judge.build(after) - judge.solid
    return features


def _empty_spans(column: Feature, judge: Judge, levels: np.ndarray, extra: Manifold) -> list[tuple[float, float]]:
    """Runs of intervals in which the part leaves the column empty, where some of it is filled and should not be."""
    prism = judge.solid_of(column)
    area = prism.volume() / (column.high - column.low)
    too_much = prism ^ extra
    if too_much.is_empty() or too_much.volume() < 0.3 * area * float(np.diff(levels).min()):
        return []
    filled = prism ^ judge.solid
    empty = [
        _volume_between(filled, column.axis, low, high) < 0.03 * area * (high - low)
        for low, high in zip(levels, levels[1:])
    ]
    spans, start = [], None
    for index, is_empty in enumerate([*empty, False]):
        if is_empty and start is None:
            start = index
        if not is_empty and start is not None:
            spans.append((float(levels[start]), float(levels[index])))
            start = None
    return spans


def _volume_between(solid: Manifold, axis: int, low: float, high: float) -> float:
    if solid.is_empty():
        return 0.0
    direction = tuple(float(axis == k) for k in range(3))
    above = solid.trim_by_plane(direction, float(low))
    below = above.trim_by_plane(tuple(-d for d in direction), float(-high))
    return below.volume()


# --- fewer


def dropped(features: tuple[Feature, ...], judge: Judge, grid: Grid) -> tuple[Feature, ...]:
    """Without features, steps and places that are not worth their numbers."""
    for index in reversed(range(len(features))):
        if len(features) > 1 and not judge.out_of_time:
            features = better(features, features[:index] + features[index + 1 :], judge)
    for index in reversed(range(len(features))):
        for step in reversed(range(len(features[index].steps))):
            steps = features[index].steps
            fewer = steps[:step] + steps[step + 1 :]
            if fewer and fewer[0].mode is Mode.ADD and not judge.out_of_time:
                changed = replace(features[index], steps=fewer)
                features = better(features, (*features[:index], changed, *features[index + 1 :]), judge)
    return features


def merged(features: tuple[Feature, ...], judge: Judge, grid: Grid) -> tuple[Feature, ...]:
    """Cuts written as holes of a sketch before them, and cuts of one span written as one."""
    index = 1
    while index < len(features) and not judge.out_of_time:
        feature = features[index]
        for host in range(index):
            together = _joined(features[host], feature)
            if together is None:
                continue
            changed = (*features[:host], together, *features[host + 1 : index], *features[index + 1 :])
            if judge.score(changed) > judge.score(features) + 1e-9:
                features = changed
                index -= 1
                break
        index += 1
    return features


def _joined(host: Feature, feature: Feature) -> Feature | None:
    """One feature for two; None where no sketch says both."""
    if host.axis != feature.axis:
        return None
    same_span = (host.low, host.high) == (feature.low, feature.high)
    if feature.operation is host.operation and same_span and feature.operation is not Operation.INTERSECT:
        if any(step.mode is not Mode.ADD for step in (*host.steps, *feature.steps)):
            return None
        return replace(host, steps=_pooled((*host.steps, *feature.steps)))
    covers = feature.low <= host.low and feature.high >= host.high
    if feature.operation is Operation.CUT and host.operation is Operation.UNION and covers:
        if all(step.mode is Mode.ADD for step in feature.steps):
            cut = tuple(replace(step, mode=Mode.SUBTRACT) for step in feature.steps)
            return replace(host, steps=_pooled((*host.steps, *cut)))
    return None


def _pooled(steps: Sequence[SketchStep]) -> tuple[SketchStep, ...]:
    """Steps of one shape and mode as one, as long as no other mode stands between them."""
    pooled: list[SketchStep] = []
    for step in steps:
        for index, earlier in enumerate(pooled):
            if earlier.mode is step.mode and earlier.shape == step.shape and not isinstance(step.shape, Loop):
                places = tuple(dict.fromkeys((*earlier.places, *step.places)))
                pooled[index] = replace(earlier, places=places)
                break
        else:
            pooled.append(step)
    return tuple(pooled)


def respanned(features: tuple[Feature, ...], judge: Judge, grid: Grid) -> tuple[Feature, ...]:
    """Each feature's ends moved to the next levels where that pays."""
    for index in range(len(features)):
        feature = features[index]
        levels = grid.levels[feature.axis]
        for end in ("low", "high"):
            at = int(np.abs(levels - getattr(features[index], end)).argmin())
            for other in (at - 1, at + 1):
                if not 0 <= other < len(levels) or judge.out_of_time:
                    continue
                moved = replace(features[index], **{end: float(levels[other])})
                if moved.high > moved.low:
                    features = better(features, (*features[:index], moved, *features[index + 1 :]), judge)
    return features


# --- numbers


def rounded(features: tuple[Feature, ...], judge: Judge) -> tuple[Feature, ...]:
    """The features with as few digits as they keep their shape with. One level stays one level."""
    features = tuple(_rounded(feature, 3) for feature in features)
    allowed = ROUNDING_LOSS * len(features)
    start = judge.score(features)
    for decimals in DECIMALS:
        shorter = tuple(_rounded(feature, decimals) for feature in features)
        if _is_sound(shorter) and judge.score(shorter) > start - allowed * (1 + decimals == 1):
            return shorter
    return features


def _rounded(feature: Feature, decimals: int) -> Feature:
    steps = tuple(_rounded_step(step, decimals) for step in feature.steps)
    return replace(feature, low=round(feature.low, decimals), high=round(feature.high, decimals), steps=steps)


def _is_sound(features: Sequence[Feature]) -> bool:
    """Whether no size has been rounded to nothing."""
    for feature in features:
        if not feature.high > feature.low:
            return False
        for step in feature.steps:
            if isinstance(step.shape, Circle) and not step.shape.radius > 0:
                return False
            if isinstance(step.shape, Rect) and not min(step.shape.width, step.shape.height) > 0:
                return False
            if isinstance(step.shape, Loop) and len({step.shape.start, *(e.end for e in step.shape.edges)}) < 2:
                return False
    return True


def _rounded_step(step: SketchStep, decimals: int) -> SketchStep:
    def point(p: Point2) -> Point2:
        return round(p[0], decimals) + 0.0, round(p[1], decimals) + 0.0

    match step.shape:
        case Circle(radius):
            return replace(step, shape=Circle(round(radius, decimals)), places=tuple(map(point, step.places)))
        case Rect(width, height):
            (x, y), *_ = step.places
            low = point((x - width / 2, y - height / 2))
            high = point((x + width / 2, y + height / 2))
            shape = Rect(round(high[0] - low[0], 6), round(high[1] - low[1], 6))
            middle = round((low[0] + high[0]) / 2, 6), round((low[1] + high[1]) / 2, 6)
            moved = tuple((middle[0] + round(px - x, decimals), middle[1] + round(py - y, decimals)) for px, py in step.places)
            return replace(step, shape=shape, places=moved)
        case Loop(start, edges):
            turned = tuple(
                Line(point(edge.end)) if isinstance(edge, Line) else Arc(point(edge.middle), point(edge.end))
                for edge in edges
            )
            return replace(step, shape=Loop(point(start), turned))
    return step


def outlines_of(step: SketchStep) -> tuple[Outline, ...]:
    """A step's places as outlines of their own."""
    return tuple(Outline(step.shape, place, 1.0) for place in step.places)


__all__ = ["Judge", "finish", "sketch_steps"]
