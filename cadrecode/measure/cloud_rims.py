"""Fillets and chamfers of the rims of a part's outermost faces in a cloud: points near the end of the part, whose
normals lean out of the face, and which no other feature explains."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np

from cadrecode.errors import ProgramError
from cadrecode.measure.cloud_judge import CloudJudge
from cadrecode.measure.edges import EDGES, NAMES, best_joined, faces_alike, with_best_rim_size
from cadrecode.measure.evidence import HALF_EXPLAINED
from cadrecode.measure.features import Feature, Finished, Prism, Rim, exchanged, program_of
from cadrecode.measure.judge import better
from cadrecode.measure.spelling import respelled, sharpened_ends
from cadrecode.program.language import Blend, Line, Loop, Mode, Operation, SketchStep
from cadrecode.program.solid import bounds, build, through_holes

LEANS = 0.15, 0.97  # cosine with the axis of the normals of a rim's points
WIDEST = 0.12  # of the size: rims that are looked for
FEWEST = 24  # such points
DEPTH = 0.95  # quantile of their depths below the face: the size of the rim
# sizes that are tried, of that depth: points near the faces beside a fillet are explained without it
SHARES = {Blend.CHAMFER: (0.9, 1.1), Blend.FILLET: (1.1, 1.5, 2.0)}
MOST_RIMS = 2


def with_cloud_rims(features: tuple[Feature, ...], judge: CloudJudge) -> tuple[Feature, ...]:
    """The features with the fillets and chamfers that the points pay for, in place of bevels that are cut."""
    plain = without_bevels(features)
    if not plain or isinstance(plain[0], Finished):
        return features
    holes = through_holes(judge.build(features))
    for body in dict.fromkeys((sharpened_ends(plain), plain)):
        body = _without_bounds(respelled(body, judge), judge)  # a rim goes round corners that are smooth
        for tried in (body, _rimmed(body, judge)):
            sound = judge.makes_a_solid(tried) and _is_written(tried)
            if sound and through_holes(judge.build(tried)) >= holes:  # the points of a small hole pay for little
                features = better(features, tried, judge)
    return features


def _without_bounds(features: tuple[Feature, ...], judge: CloudJudge) -> tuple[Feature, ...]:
    """Without intersections that take nothing away any more, once the ends of their outlines are sharp."""
    for index in reversed(range(1, len(features))):
        if isinstance(features[index], Prism) and features[index].operation is Operation.INTERSECT:
            features = better(features, exchanged(features, index), judge)
    return features


def _rimmed(features: tuple[Feature, ...], judge: CloudJudge) -> tuple[Feature, ...]:
    for _ in range(MOST_RIMS):
        groups = sorted(faces_alike(_depths(features, judge)).items(), key=lambda group: group[1])
        best = features
        for blend, shares in SHARES.items():  # each in its best size: only then does one fit better than the other
            rims = [
                Rim(blend, round(share * depth, 3), faces, edges)
                for (faces, depth), edges, share in itertools.product(groups, EDGES, shares)
            ]
            rimmed = best_joined(features, rims, features, judge)
            if rimmed != features:
                best = better(best, with_best_rim_size(features, rimmed, judge), judge)
        if best == features:
            break
        features = best
    return features


def _is_written(features: tuple[Feature, ...]) -> bool:
    """Whether the program of the features can be built, whose circles are finer than the judge's."""
    try:
        build(program_of(features))
    except ProgramError:
        return False
    return True


def without_bevels(features: tuple[Feature, ...]) -> tuple[Feature, ...]:
    """The features without cuts whose sides lie along no axis, as `with_slopes` makes them."""
    return tuple(itertools.chain.from_iterable(map(_without_bevels, features)))


def _without_bevels(feature: Feature) -> tuple[Feature, ...]:
    if not isinstance(feature, Prism) or feature.operation is Operation.INTERSECT:
        return (feature,)
    cuts = Mode.ADD if feature.operation is Operation.CUT else Mode.SUBTRACT
    steps = tuple(step for step in feature.steps if step.mode is not cuts or not _is_slanted(step))
    return (replace(feature, steps=steps),) if steps else ()


def _is_slanted(step: SketchStep) -> bool:
    return isinstance(step.shape, Loop) and all(
        isinstance(edge, Line) and min(np.abs(np.subtract(edge.end, start))) > 0 for start, edge in step.shape.sides
    )


def _depths(features: tuple[Feature, ...], judge: CloudJudge) -> dict[str, float]:
    """For the selector of each outermost face the depth of the unexplained points that lean out of it."""
    low, high = bounds(judge.build(features))
    lost = judge.costs(features) > HALF_EXPLAINED
    depths = {}
    for axis in range(3):
        for sign, way, end in ((">", 1, high[axis]), ("<", -1, low[axis])):
            depth = way * (end - judge.points[:, axis])
            leaning = way * judge.normals[:, axis]
            near = lost & (depth < WIDEST * judge.size) & (leaning > LEANS[0]) & (leaning < LEANS[1])
            if np.count_nonzero(near) >= FEWEST:
                depths[f"{sign}{NAMES[axis]}"] = float(np.quantile(depth[near], DEPTH))
    return {face: depth for face, depth in depths.items() if depth > 0}
