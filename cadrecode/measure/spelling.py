"""Shorter spellings of what is drawn: rounded corners as such, and outlines that are equal once."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from cadrecode.geometry import bounding_box, perimeter
from cadrecode.measure.features import SAME_SIZE, Feature, Prism, exchanged, numbers_of, same_shape
from cadrecode.measure.judge import Judge, better
from cadrecode.measure.proposals import region_of
from cadrecode.measure.round_corners import NEAR, RADIUS_DECIMALS, Edge, few_digits, sharpened
from cadrecode.measure.rounding import ROUNDING_LOSS
from cadrecode.measure.sizes import with_best_size
from cadrecode.program import language as cad


def respelled(features: tuple[Feature, ...], judge: Judge) -> tuple[Feature, ...]:
    """The features in fewer words; they cover what they covered, but for what round radii lose: a number's price."""
    for index, feature in enumerate(features):
        if isinstance(feature, Prism) and not judge.out_of_time:
            shorter = replace(feature, steps=respelled_steps(feature.steps))
            changed = _with_radii(exchanged(features, index, shorter), index, judge)
            features = changed if judge.score(changed) > judge.score(features) - judge.price else features
            features = _with_likely_corners(features, index, judge)
    return features


def _with_likely_corners(features: tuple[Feature, ...], index: int, judge: Judge) -> tuple[Feature, ...]:
    """The features with the corners of one rounded whose arcs are not quite such, where that is better: arcs that are
    read off points end anywhere near the lines beside them."""
    for place, step in enumerate(features[index].steps):
        if isinstance(step.shape, cad.Loop) and step.places == cad.ORIGIN:
            for likeliest in list(sharpened(step.shape))[-1:]:
                changed = _with_sketch(features, index, place, likeliest)
                features = better(features, _with_radii(changed, index, judge), judge)
    return features


def _with_radii(features: tuple[Feature, ...], index: int, judge: Judge) -> tuple[Feature, ...]:
    """The features with the best radii of the round corners of one, in few digits: of coarse facets the first hardly
    leave the sides."""
    for place, step in enumerate(features[index].steps):
        if isinstance(step.shape, cad.Face) and isinstance(step.shape.sketch.steps[-1], cad.Corners):
            changed = functools.partial(_with_radius, features, index, place)
            best, size = with_best_size(features, step.shape.sketch.steps[-1].size, changed, judge)
            few = (changed(round(size, decimals)) for decimals in RADIUS_DECIMALS)
            features = next((tried for tried in few if judge.score(tried) > judge.score(best) - ROUNDING_LOSS), best)
    return features


def _with_radius(features: tuple[Feature, ...], index: int, place: int, size: float) -> tuple[Feature, ...]:
    """The features with another radius of the corners in a step of one of them."""
    *drawn, corners = features[index].steps[place].shape.sketch.steps
    return _with_sketch(features, index, place, (*drawn, replace(corners, size=size)))


def _with_sketch(
    features: tuple[Feature, ...], index: int, place: int, drawn: Sequence[cad.SketchStep | cad.Corners]
) -> tuple[Feature, ...]:
    """The features with the face of a sketch of its own in a step of one of them."""
    steps = features[index].steps
    own = replace(steps[place], shape=cad.Face(cad.Sketch(tuple(drawn))))
    return exchanged(features, index, replace(features[index], steps=exchanged(steps, place, own)))


def sharpened_ends(features: tuple[Feature, ...]) -> tuple[Feature, ...]:
    """The features with the corners sharp that are rounded at one end of an outline: a face there may be rounded."""
    return tuple(
        replace(feature, steps=tuple(map(_with_sharp_end, feature.steps))) if isinstance(feature, Prism) else feature
        for feature in features
    )


def _with_sharp_end(step: cad.SketchStep) -> cad.SketchStep:
    if isinstance(step.shape, cad.Loop) and step.places == cad.ORIGIN:
        for drawn, corners in sharpened(step.shape):
            return step if corners.selector is None else replace(drawn, mode=step.mode)
    return step


def respelled_steps(steps: Sequence[cad.SketchStep]) -> tuple[cad.SketchStep, ...]:
    """Steps of a sketch with fewer numbers."""
    rounded = tuple(_with_round_corners(step) for step in steps)
    pooled = _pooled(rounded)
    return pooled if numbers_of(pooled) < numbers_of(rounded) and _same_region(pooled, rounded) else rounded


def _same_region(first: Sequence[cad.SketchStep], second: Sequence[cad.SketchStep]) -> bool:
    """Whether the outlines of two sketches are nowhere much apart."""
    one, other = region_of(first), region_of(second)
    around = sum(map(perimeter, one.to_polygons()))
    return (one - other).area() + (other - one).area() < NEAR * around


# --- rounded corners


def _with_round_corners(step: cad.SketchStep) -> cad.SketchStep:
    """A loop whose arcs round its corners as a rectangle or a loop of lines with its corners rounded."""
    if not isinstance(step.shape, cad.Loop) or step.places != cad.ORIGIN:
        return step
    for drawn, corners in sharpened(step.shape):
        shorter = replace(step, shape=cad.Face(cad.Sketch((drawn, corners))))
        if _same_region([cad.SketchStep(step.shape)], [cad.SketchStep(shorter.shape)]):
            return shorter
    return step


# --- equal outlines


def _pooled(steps: Sequence[cad.SketchStep]) -> tuple[cad.SketchStep, ...]:
    """Outlines that are equal as one step with the places of all; nothing moves over a step of another mode."""
    pooled: list[cad.SketchStep] = []
    for step in steps:
        for index in reversed(range(len(pooled))):
            if pooled[index].mode is not step.mode:
                pooled.append(step)
                break
            together = _together(pooled[index], step)
            if together is not None:
                pooled[index] = together
                break
        else:
            pooled.append(step)
    return tuple(pooled)


def _together(first: cad.SketchStep, second: cad.SketchStep) -> cad.SketchStep | None:
    """Two steps as one, where their outlines are equal."""
    host, other = _about_middle(first), _about_middle(second)
    if host is None or other is None or not _alike(host.shape.sketch, other.shape.sketch):
        return None
    return replace(host, places=(*host.places, *other.places))


def _about_middle(step: cad.SketchStep) -> cad.SketchStep | None:
    """A single loop, or a sketch that begins with one or with a rectangle, as a sketch about its own middle that stands
    at its place."""
    if step.places != cad.ORIGIN:
        return step if isinstance(step.shape, cad.Face) and isinstance(step.places, tuple) else None
    drawn, *rest = step.shape.sketch.steps if isinstance(step.shape, cad.Face) else (cad.SketchStep(step.shape),)
    match drawn.shape:
        case cad.Loop() if drawn.places == cad.ORIGIN and not any(isinstance(other, cad.SketchStep) for other in rest):
            center = few_digits(bounding_box(_points(drawn.shape)).mean(axis=0))
            drawn = cad.SketchStep(_shifted(drawn.shape, center))
        case cad.Rect() if isinstance(drawn.places, tuple) and len(drawn.places) == 1 and rest:
            (center,) = drawn.places
            drawn = replace(drawn, places=cad.ORIGIN)
        case _:
            return None
    return replace(step, shape=cad.Face(cad.Sketch((drawn, *rest))), places=(center,))


def _alike(first: cad.Sketch, second: cad.Sketch) -> bool:
    if len(first.steps) != len(second.steps):
        return False
    for a, b in zip(first.steps, second.steps):
        if isinstance(a, cad.Corners) or isinstance(b, cad.Corners):
            same = isinstance(a, cad.Corners) and isinstance(b, cad.Corners) and a.selector == b.selector
            same = same and abs(a.size - b.size) < SAME_SIZE
        elif isinstance(a.shape, cad.Loop) and isinstance(b.shape, cad.Loop):
            same = _congruent(a.shape, b.shape)
        else:
            same = same_shape(a.shape, b.shape)
        if not same:
            return False
    return True


def _congruent(first: cad.Loop, second: cad.Loop) -> bool:
    """Whether one loop is the other, begun at any of its corners."""
    if len(first.sides) != len(second.sides):
        return False
    a, b = (np.array([[_middle(edge, start), edge.end] for start, edge in loop.sides]) for loop in (first, second))
    return any(np.abs(a - np.roll(b, shift, axis=0)).max() < SAME_SIZE for shift in range(len(a)))


def _middle(edge: Edge, start: cad.Point2) -> cad.Point2:
    return edge.middle if isinstance(edge, cad.Arc) else ((start[0] + edge.end[0]) / 2, (start[1] + edge.end[1]) / 2)


def _points(loop: cad.Loop) -> np.ndarray:
    return np.array([_middle(edge, start) if part else start for start, edge in loop.sides for part in range(2)])


def _shifted(loop: cad.Loop, center: cad.Point2) -> cad.Loop:
    """A loop with its origin at `center`."""

    def at(point: cad.Point2) -> cad.Point2:
        return few_digits(np.subtract(point, center))

    edges = (cad.Arc(at(e.middle), at(e.end)) if isinstance(e, cad.Arc) else cad.Line(at(e.end)) for e in loop.edges)
    return cad.Loop(at(loop.start), tuple(edges))
