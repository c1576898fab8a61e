"""Numbers with as few digits as the part keeps its shape with."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from manifold3d import Manifold

from cadrecode.measure.features import Drilled, Feature, Finished, Prism, Rim, Tilted, patterned
from cadrecode.measure.judge import Judge
from cadrecode.measure.patterns import rounded_places
from cadrecode.program.language import Arc, Circle, Counterbore, Countersink, Hole, Line, Loop, Point2, Rect, SketchStep
from cadrecode.program.solid import iou, through_holes

ROUNDING_LOSS = 1.5e-4  # of the score, for each feature, that fewer digits may cost
MOST_CHANGED = 0.003  # IoU: points that no feature explains say nothing of how well the others are kept
DECIMALS = 0, 1, 2
SAME_CIRCLE = 0.05  # of its radius
STUB = 1e-3  # CODE


def rounded(features: tuple[Feature, ...], judge: Judge) -> tuple[Feature, ...]:
    """The features with as few digits as they keep their shape and their holes with. One level stays one level."""
    features = tuple(map(_without_stubs, features))
    allowed = judge.score(features) - ROUNDING_LOSS * len(features)
    if not np.isfinite(allowed):
        return features
    body = judge.build(features)
    for decimals in DECIMALS:
        shorter = tuple(_rounded(feature, decimals) for feature in features)
        is_sound = _is_sound(shorter) and _keeps_circles(features, shorter)
        if is_sound and judge.score(shorter) > allowed and _alike(judge.build(shorter), body):
            return shorter
    return features


def _without_stubs(feature: Feature) -> Feature:
    """The feature without edges as short as a rounding error, which neither `parse` nor OpenCASCADE takes."""
    if isinstance(feature, Finished):
        return feature
    steps = tuple(
        replace(step, shape=_loop_without_stubs(step.shape)) if isinstance(step.shape, Loop) else step
        for step in feature.steps
    )
    return feature if steps == feature.steps else replace(feature, steps=steps)


def _loop_without_stubs(loop: Loop) -> Loop:
    edges: list[Arc | Line] = []
    for start, edge in loop.sides:
        if isinstance(edge, Arc) or math.dist(start, edge.end) >= STUB:
            edges.append(edge)
        elif edges:
            edges[-1] = replace(edges[-1], end=edge.end)
    return loop if len(edges) == len(loop.sides) else replace(loop, edges=tuple(edges))


def _alike(first: Manifold, second: Manifold) -> bool:
    return through_holes(first) == through_holes(second) and iou(first, second) > 1 - MOST_CHANGED


def _rounded(feature: Feature, decimals: int) -> Feature:
    if isinstance(feature, Rim):
        return replace(feature, size=round(feature.size, decimals))
    if isinstance(feature, Drilled):
        return Drilled(_rounded_hole(feature.finish, decimals))
    steps = tuple(_rounded_step(patterned(step), decimals) for step in feature.steps)
    if isinstance(feature, Prism):
        return replace(feature, low=round(feature.low, decimals), high=round(feature.high, decimals), steps=steps)
    if isinstance(feature, Tilted):  # outwards: its ends are on no level
        unit = 10.0**-decimals
        low, high = unit * math.floor(feature.low / unit), unit * math.ceil(feature.high / unit)
        return replace(feature, low=round(low, decimals), high=round(high, decimals), steps=steps)
    return replace(feature, center=_rounded_point(feature.center, decimals), steps=steps)


def _rounded_hole(hole: Hole, decimals: int) -> Hole:
    head = hole.head
    if isinstance(head, Counterbore):
        head = Counterbore(round(head.diameter, decimals), round(head.depth, decimals))
    elif isinstance(head, Countersink):
        head = replace(head, diameter=round(head.diameter, decimals))
    return replace(
        hole,
        plane=replace(hole.plane, origin=tuple(round(part, decimals) + 0.0 for part in hole.plane.origin)),
        places=rounded_places(hole.places, decimals),
        diameter=round(hole.diameter, decimals),
        depth=None if hole.depth is None else round(hole.depth, decimals),
        head=head,
    )


def _rounded_point(point: Point2, decimals: int) -> Point2:
    return round(point[0], decimals) + 0.0, round(point[1], decimals) + 0.0


def _is_sound(features: Sequence[Feature]) -> bool:
    """Whether no size has been rounded to nothing, and no edge ends where it begins."""
    for feature in features:
        if isinstance(feature, Prism | Tilted) and not feature.high > feature.low:
            return False
        if isinstance(feature, Finished):
            if not (feature.size if isinstance(feature, Rim) else feature.hole.diameter) > 0:
                return False
            continue
        for step in feature.steps:
            if isinstance(step.shape, Circle) and not step.shape.radius > 0:
                return False
            if isinstance(step.shape, Rect) and not min(step.shape.width, step.shape.height) > 0:
                return False
            if isinstance(step.shape, Loop) and any(start == edge.end for start, edge in step.shape.sides):
                return False
    return True


def _keeps_circles(before: Sequence[Feature], after: Sequence[Feature]) -> bool:
    """Whether no circle is another one: of a very small hole too few points may lie on the wall to tell."""
    radii = (
        (step.shape.radius, other.shape.radius)
        for feature, changed in zip(before, after)
        if not isinstance(feature, Finished)
        for step, other in zip(feature.steps, changed.steps)
        if isinstance(step.shape, Circle)
    )
    return all(abs(other - radius) <= SAME_CIRCLE * radius for radius, other in radii)


def _rounded_step(step: SketchStep, decimals: int) -> SketchStep:
    def point(place: Point2) -> Point2:
        return _rounded_point(place, decimals)

    match step.shape:
        case Circle(radius):
            return replace(step, shape=Circle(round(radius, decimals)), places=rounded_places(step.places, decimals))
        case Rect(width, height) if not isinstance(step.places, tuple):
            shape = Rect(round(width, decimals), round(height, decimals))
            return replace(step, shape=shape, places=rounded_places(step.places, decimals))
        case Rect(width, height):
            (x, y), *_ = step.places
            low = point((round(x - width / 2, 6), round(y - height / 2, 6)))
            high = point((round(x + width / 2, 6), round(y + height / 2, 6)))
            shape = Rect(round(high[0] - low[0], 6), round(high[1] - low[1], 6))
            middle = round((low[0] + high[0]) / 2, 6), round((low[1] + high[1]) / 2, 6)
            moved = tuple(
                (round(middle[0] + round(px - x, decimals), 6), round(middle[1] + round(py - y, decimals), 6))
                for px, py in step.places
            )
            return replace(step, shape=shape, places=moved)
        case Loop(start, edges):
            turned = tuple(
                Line(point(edge.end)) if isinstance(edge, Line) else Arc(point(edge.middle), point(edge.end))
                for edge in edges
            )
            return replace(step, shape=Loop(point(start), turned))
    return step
