"""A part that is equal on both sides of a plane, written as half of it and its image where that is shorter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from cadrecode.errors import ProgramError
from cadrecode.measure.features import AXIS_PLANES, PLANE_NUMBERS, Feature, Finished, Prism, program_of
from cadrecode.measure.judge import SAGITTA
from cadrecode.measure.mirror_sketches import Axis
from cadrecode.measure.mirrors import MirrorPlane
from cadrecode.measure.outlines import DECIMALS
from cadrecode.measure.proposals import region_of
from cadrecode.measure.spelling import respelled_steps
from cadrecode.program.language import (
    ORIGIN,
    Face,
    Loop,
    Mirror,
    Mode,
    Operation,
    Point2,
    Program,
    Rect,
    SketchStep,
    points_of,
)
from cadrecode.program.shapes import build_solid
from cadrecode.program.solid import bounds, build, iou, through_holes
from cadrecode.program.write import write

SAME = 0.9999  # IoU of half and its image with the whole
NEAR = 0.02  # CODE: corners of an outline so near to the plane lie on it
TOUCHING = 1e-6  # CODE: what reaches no farther over the plane stands on one side of it


def halved(
    written: Sequence[Feature], plain: Sequence[Feature], planes: Sequence[MirrorPlane], program: Program
) -> Program | None:
    """A shorter program of the same solid, of half of its features and their image; None where there is none.

    Args:
        written: The features as they are written in `program`.
        plain: The same before outlines were spelled in fewer words.
    """
    best, mirrors = program, ()
    numbers, characters = sum(feature.numbers for feature in written), len(write(program))
    for plane in planes:
        half = _half(plain, plane)
        if half is None:
            continue
        base = tuple(plane.place if axis == plane.axis else 0.0 for axis in range(3))
        tried = Mirror(AXIS_PLANES[plane.axis], base, union=True), *mirrors
        spelled = [replace(f, steps=respelled_steps(f.steps)) if isinstance(f, Prism) else f for f in half]
        own = sum(f.numbers for f in spelled) + sum(1 + PLANE_NUMBERS * any(mirror.base) for mirror in tried)
        shorter = program_of(spelled)
        shorter = replace(shorter, finishes=(*tried, *shorter.finishes))
        if own < numbers and len(write(shorter)) < characters and _is_same(shorter, program):
            best, mirrors, plain, numbers, characters = shorter, tried, half, own, len(write(shorter))
    return None if best is program else best


def _is_same(first: Program, second: Program) -> bool:
    try:
        one, other = build(first, SAGITTA), build(second, SAGITTA)  # circles of both are drawn alike
    except ProgramError:
        return False
    same = through_holes(one) == through_holes(other) and len(one.decompose()) == len(other.decompose())
    return same and iou(one, other) >= SAME


def _half(features: Sequence[Feature], plane: MirrorPlane) -> list[Feature] | None:
    """The features on the upper side of a plane, and what of others is needed there; None where that is not known."""
    half: list[Feature] = []
    for feature in features:
        if isinstance(feature, Finished):
            half.append(feature)
            continue
        low, high = bounds(build_solid(feature.solid(), SAGITTA))[:, plane.axis] - plane.place
        if high <= TOUCHING:
            continue
        if low < -TOUCHING and isinstance(feature, Prism):
            halved = _half_of(feature, plane)
            if halved is None:
                return None
            feature = halved
        half.append(feature)
    return half if half and not isinstance(half[0], Finished) else None


def _half_of(prism: Prism, plane: MirrorPlane) -> Prism | None:
    if prism.axis == plane.axis:
        return prism if prism.operation is Operation.CUT else replace(prism, low=plane.place)
    line, steps = plane.line(prism.axis, NEAR), []
    for step in prism.steps:
        half = _half_step(step, line, is_cut=prism.operation is Operation.CUT)
        if half is None:
            return None
        steps += half
    return replace(prism, steps=tuple(steps)) if steps and steps[0].mode is Mode.ADD else None


def _half_step(step: SketchStep, line: Axis, *, is_cut: bool) -> list[SketchStep] | None:
    """The steps that stand for one on the upper side of a line, none or one for each place; None where it has no half.

    What is cut away in the middle is cut away whole: it does no harm on the other side.
    """
    region = region_of([replace(step, places=ORIGIN, mode=Mode.ADD)]).bounds()
    low, high = region[line.local], region[line.local + 2]
    ends = {place: np.array((low, high)) + place[line.local] - line.place for place in points_of(step.places)}
    upper = tuple(place for place in ends if ends[place][0] >= -TOUCHING)
    crossing = [place for place in ends if ends[place][0] < -TOUCHING and ends[place][1] > TOUCHING]
    kept = [replace(step, places=upper)] if upper else []
    if not crossing:
        return kept
    if isinstance(step.shape, Loop) and step.places == ORIGIN:
        half = line.half(step.shape, 1)
        return None if half is None else [replace(step, shape=half)]
    if is_cut or step.mode is not Mode.ADD:
        return [replace(step, places=(*upper, *crossing))]
    if isinstance(step.shape, Rect):
        return [*(_half_rect(step, step.shape, place, line) for place in crossing), *kept]
    return None if isinstance(step.shape, Face) else [replace(step, places=(*upper, *crossing))]


def _half_rect(step: SketchStep, rect: Rect, place: Point2, line: Axis) -> SketchStep:
    sizes, middle = [rect.width, rect.height], list(place)
    end = middle[line.local] + sizes[line.local] / 2
    sizes[line.local] = round(end - line.place, DECIMALS)
    middle[line.local] = round((end + line.place) / 2, DECIMALS + 1)
    return replace(step, shape=Rect(*sizes), places=((middle[0], middle[1]),))
