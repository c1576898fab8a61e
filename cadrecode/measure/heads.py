"""Holes with a head: where a round hole is wider at its mouth, a countersink or a counterbore."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from manifold3d import Manifold

from cadrecode.geometry import polygon_area
from cadrecode.measure.features import AXIS_PLANES, Drilled, Feature, Prism
from cadrecode.measure.judge import Judge, better
from cadrecode.measure.outlines import DECIMALS
from cadrecode.measure.turning import across
from cadrecode.program import language as cad
from cadrecode.program.planes import axes, plane_axes
from cadrecode.program.solid import bounds

BELOW = 0.02  # CODE: how far below a face the mouth is measured
LEAST_WIDER = 0.4  # CODE: by which a mouth is wider than its hole
SAME = 0.03  # largest relative difference of the mouths of equal holes
USUAL_DEGREES, NEAR_DEGREES = (60, 82, 90, 100, 120), 4  # of countersinks, ISO 15065 and ASME B18.3 among them
STEEPEST, FLATTEST = 30, 140  # degrees
STRAIGHT = 0.05  # of its width: how far the wall of a head may be bent, which a rounded rim's is
FACING_DOWN = "ZY", "XZ", "YX"  # the planes whose normals point against the axes


def with_heads(features: tuple[Feature, ...], judge: Judge) -> tuple[Feature, ...]:
    """The features, whose round holes have a head where that pays for its numbers."""
    turned: dict[int, Manifold] = {}
    for prism in [feature for feature in features if isinstance(feature, Prism)]:
        if prism.axis not in turned:
            turned[prism.axis] = across(judge.solid, prism.axis)
        for step in round_holes(prism):
            for hole in _with_head(turned[prism.axis], prism, step):
                if judge.out_of_time:
                    return features
                if _has(features, prism.axis, step):
                    others = _without_mouths(without_step(features, prism.axis, step), prism.axis, step)
                    features = better(features, (*others, Drilled(hole)), judge)
    return features


def round_holes(prism: Prism) -> list[cad.SketchStep]:
    mode = cad.Mode.ADD if prism.operation is cad.Operation.CUT else cad.Mode.SUBTRACT
    return [
        step
        for step in prism.steps
        if isinstance(step.shape, cad.Circle) and step.mode is mode and isinstance(step.places, tuple)
    ]


def _has(features: Sequence[Feature], axis: int, step: cad.SketchStep) -> bool:
    return any(isinstance(feature, Prism) and feature.axis == axis and step in feature.steps for feature in features)


def without_step(features: Sequence[Feature], axis: int, step: cad.SketchStep) -> tuple[Feature, ...]:
    """The features without a step of the sketches across an axis; a feature with no other step is dropped."""
    left: list[Feature] = []
    for feature in features:
        if isinstance(feature, Prism) and feature.axis == axis and step in feature.steps:
            steps = tuple(other for other in feature.steps if other != step)
            left += [replace(feature, steps=steps)] if steps else []
        else:
            left.append(feature)
    return tuple(left)


def _without_mouths(features: tuple[Feature, ...], axis: int, hole: cad.SketchStep) -> tuple[Feature, ...]:
    """Without wider round cuts at the places of holes: the heads stand for them."""
    prisms = [feature for feature in features if isinstance(feature, Prism) and feature.axis == axis]
    for step in itertools.chain.from_iterable(map(round_holes, prisms)):
        if step.shape.radius > hole.shape.radius and set(step.places) == set(hole.places):
            features = without_step(features, axis, step)
    return features


def _with_head(turned: Manifold, prism: Prism, step: cad.SketchStep) -> Iterator[cad.Hole]:
    """Holes that may stand for the circles of a sketch: with heads at either end, through all or as long as they are.

    Args:
        turned: The solid, with the axis of the prism along z.
    """
    low, high = turned.bounding_box()[2::3]
    bottom, top = max(prism.low, low), min(prism.high, high)
    for end, into in ((top, -1), (bottom, 1)):
        head = _head(turned, end, into, step.shape.radius, step.places)
        if head is None:
            continue
        hole = hole_at(prism.axis, end, -into, step.shape.radius, step.places, head)
        yield hole
        if top - bottom < high - low - BELOW:
            yield replace(hole, depth=round(top - bottom, DECIMALS))


def with_drilled_holes(features: tuple[Feature, ...], axis: int, end: str, judge: Judge) -> tuple[Feature, ...]:
    """The features with the round holes that go through the whole part along an axis drilled after all else, with
    wider cuts at one end as their heads.

    Args:
        end: ">" or "<", the end of the part that they are drilled from.
    """
    low, high = (float(side[axis]) for side in bounds(judge.build(features)))
    at, way = (high, 1) if end == ">" else (low, -1)
    prisms = [feature for feature in features if isinstance(feature, Prism) and feature.axis == axis]
    through = [prism for prism in prisms if prism.low < low + BELOW and prism.high > high - BELOW]
    for step in itertools.chain.from_iterable(map(round_holes, through)):
        mouth, head = _counterbore(step, prisms, at, high - low) or (None, None)
        for taken in (step, mouth):
            features = features if taken is None else without_step(features, axis, taken)
        features = (*features, Drilled(hole_at(axis, at, way, step.shape.radius, step.places, head)))
    return features


def _counterbore(
    hole: cad.SketchStep, prisms: Sequence[Prism], end: float, length: float
) -> tuple[cad.SketchStep, cad.Counterbore] | None:
    """The wider cut into one end of the part about the same lines as a hole, and the head that it is."""
    for prism in prisms:
        floor = prism.low if end - prism.low > prism.high - end else prism.high
        depth = abs(end - floor)
        if prism.low < end + BELOW and prism.high > end - BELOW and BELOW < depth < length - BELOW:
            for mouth in round_holes(prism):
                if mouth.shape.radius > hole.shape.radius and set(mouth.places) == set(hole.places):
                    return mouth, cad.Counterbore(round(2 * mouth.shape.radius, DECIMALS), round(depth, DECIMALS))
    return None


def hole_at(
    axis: int,
    end: float,
    way: int,
    radius: float,
    places: Sequence[cad.Point2],
    head: cad.Counterbore | cad.Countersink | None,
) -> cad.Hole:
    """Equal holes through all of the part, from a plane across an axis.

    Args:
        end: Where the plane is along the axis.
        way: 1 or -1: along the axis or against it, out of the holes.
        places: Of a sketch across the axis.
    """
    names = AXIS_PLANES if way > 0 else FACING_DOWN
    plane = cad.Plane.named(names[axis], tuple(round(end, DECIMALS) if k == axis else 0.0 for k in range(3)))
    return cad.Hole(plane, _on_plane(plane, axis, places), round(2 * radius, DECIMALS), None, head)


def _on_plane(plane: cad.Plane, axis: int, places: Sequence[cad.Point2]) -> tuple[cad.Point2, ...]:
    """Places of a sketch across an axis in the coordinates of a plane that faces along it or against it."""
    points = np.zeros((len(places), 3))
    points[:, plane_axes(axis)] = places
    return tuple((float(x), float(y)) for x, y in (points @ axes(plane)[:, :2]).round(DECIMALS) + 0.0)


def _head(
    turned: Manifold, end: float, into: int, radius: float, places: Sequence[cad.Point2]
) -> cad.Counterbore | cad.Countersink | None:
    """The head at one end of equal holes; None where there is none, or where it differs between holes."""
    mouth = _radius(turned, end + into * BELOW, places)
    if mouth is None or mouth < radius + LEAST_WIDER:
        return None
    step = (mouth - radius) / 6  # a cone of 90 degrees is as deep as it is wider
    below = _radius(turned, end + into * (BELOW + step), places)
    if below is None or below < radius * (1 - SAME):
        return None
    if below > mouth - step * math.tan(math.radians(STEEPEST / 2)):
        deep = _depth(turned, end, into, (mouth + radius) / 2, places)
        return None if deep is None else cad.Counterbore(round(2 * mouth, DECIMALS), round(deep, DECIMALS))
    deeper = _radius(turned, end + into * (BELOW + 2 * step), places)
    if deeper is None or abs(mouth - 2 * below + deeper) > STRAIGHT * (mouth - radius):
        return None
    degrees = 2 * math.degrees(math.atan2(mouth - below, step))
    degrees = usual_angle(degrees, NEAR_DEGREES)
    if degrees > FLATTEST:
        return None
    return cad.Countersink(round(2 * (mouth + BELOW * math.tan(math.radians(degrees / 2))), DECIMALS), degrees)


def usual_angle(degrees: float, near: float) -> int:
    """The angle of a countersink: the usual angle that is less than `near` degrees away, or the whole number next."""
    usual = min(USUAL_DEGREES, key=lambda angle: abs(angle - degrees))
    return usual if abs(usual - degrees) < near else round(degrees)


def _depth(turned: Manifold, end: float, into: int, between: float, places: Sequence[cad.Point2]) -> float | None:
    """How deep holes are wider than `between`, by bisection; None where they are so all the way."""
    low, high = turned.bounding_box()[2::3]
    near, far = BELOW, (high - low) - BELOW
    at_far = _radius(turned, end + into * far, places)
    if at_far is not None and at_far > between:
        return None
    while far - near > BELOW / 2:
        middle = (near + far) / 2
        wide = _radius(turned, end + into * middle, places)
        near, far = (middle, far) if wide is not None and wide > between else (near, middle)
    return (near + far) / 2


def _radius(turned: Manifold, height: float, places: Sequence[cad.Point2]) -> float | None:
    """The radius of the round holes at all places of a section; None where one is missing, or they differ."""
    holes = [polygon for part in turned.slice(height).to_polygons() if polygon_area(polygon := np.asarray(part)) < 0]
    radii = []
    for place in places:
        near = [hole for hole in holes if np.hypot(*(hole.min(axis=0) + hole.max(axis=0) - 2 * np.array(place))) < 0.2]
        if not near:
            return None
        radii.append(min(float(np.hypot(*(hole - place).T).max()) for hole in near))
    return float(np.mean(radii)) if np.ptp(radii) < SAME * max(radii) else None
