"""Outlines that reach beyond a cloud, cut off where it ends: an arc that is read too far beyond a side makes a tip."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cadrecode.measure.cloud_judge import CloudJudge
from cadrecode.measure.features import Feature, Prism, exchanged
from cadrecode.measure.grid import Grid
from cadrecode.measure.judge import Judge
from cadrecode.measure.mirror_sketches import Axis
from cadrecode.program.language import ORIGIN, Loop, Mode, Operation
from cadrecode.program.planes import plane_axes
from cadrecode.program.solid import bounds, through_holes

BEYOND = 4e-3  # of the size: tips that are shorter may stay, since the box of the part still agrees with the cloud's


def trimmed(features: tuple[Feature, ...], grid: Grid, judge: CloudJudge) -> tuple[Feature, ...]:
    """The features with no tip beyond the ends of the cloud, where that loses no more than the numbers of its corners.

    Points say nothing of a tip: hardly any are to be expected there.
    """
    ends = np.array([(levels[0], levels[-1]) for levels in grid.levels]).T  # (2, 3)
    for index, feature in enumerate(features):
        if not isinstance(feature, Prism) or feature.operation is not Operation.UNION:
            continue
        for local, axis in enumerate(plane_axes(feature.axis)):
            for end, way in ((0, 1), (1, -1)):
                if -way * (bounds(judge.build(features))[end, axis] - ends[end, axis]) > BEYOND * judge.size:
                    line = Axis(local, float(ends[end, axis]))
                    features = _trimmed(features, index, line, way, judge)
    return features


def _trimmed(features: tuple[Feature, ...], index: int, line: Axis, way: int, judge: Judge) -> tuple[Feature, ...]:
    prism = features[index]
    for place, step in enumerate(prism.steps):
        if isinstance(step.shape, Loop) and step.places == ORIGIN and step.mode is Mode.ADD:
            loop = line.clipped(step.shape, way)
            if loop is not None:
                steps = exchanged(prism.steps, place, replace(step, shape=loop))
                other = exchanged(features, index, replace(prism, steps=steps))
                same = through_holes(judge.build(other)) == through_holes(judge.build(features))
                more = sum(f.numbers for f in other) - sum(f.numbers for f in features)
                if same and judge.score(other) > judge.score(features) - judge.price * (more + 1):
                    features = other
                    prism = features[index]
    return features
