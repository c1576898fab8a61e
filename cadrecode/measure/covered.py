"""Outlines without what another feature fills anyway: a section across a foot and its housing draws the foot again."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeGuard

import numpy as np
from manifold3d import CrossSection, JoinType, Manifold

from cadrecode.measure.features import Feature, Finished, Prism, exchanged, numbers_of, with_holes
from cadrecode.measure.judge import Judge, better
from cadrecode.measure.proposals import Reader, region_of
from cadrecode.measure.turning import across
from cadrecode.program.language import Operation
from cadrecode.program.solid import bounds, through_holes

HEIGHTS = np.array([0.02, 0.2, 0.4, 0.6, 0.8, 0.98])  # of a feature: where the other is cut
NARROW = 0.002  # of a sketch's longer side: pieces that are left and narrower than twice that are dropped
LEAST_COVERED, LEAST_LEFT = 0.01, 0.05  # of a sketch's area
FEW_NUMBERS = 7  # of a sketch: a shorter one gains nothing


def uncovered(features: tuple[Feature, ...], readers: Sequence[Reader], judge: Judge) -> tuple[Feature, ...]:
    """The features with shorter outlines that leave out what another fills over their whole length, where that pays."""
    for index, place in itertools.permutations(range(len(features)), 2):
        feature, other = features[index], features[place]
        if judge.out_of_time:
            break
        if not _may_be_shorter(feature) or isinstance(other, Finished) or other.operation is not Operation.UNION:
            continue
        left = _left_of(feature, judge.solid_of(other))
        if left is None:
            continue
        for tolerance in readers[feature.axis].tolerances:
            steps = with_holes(*readers[feature.axis].outlines(left, tolerance))
            changed = exchanged(features, index, replace(feature, steps=steps))
            if steps and judge.makes_a_solid(changed) and _says_the_same(changed, features, judge):
                features = better(features, changed, judge)
    return features


def _may_be_shorter(feature: Feature) -> TypeGuard[Prism]:
    is_joined = isinstance(feature, Prism) and feature.operation is Operation.UNION
    return is_joined and numbers_of(feature.steps) > FEW_NUMBERS


def _says_the_same(changed: tuple[Feature, ...], features: tuple[Feature, ...], judge: Judge) -> bool:
    """Whether features explain the part as well as others, but for what one number is worth, with as many holes."""
    if judge.iou(changed) <= judge.iou(features) - judge.price:
        return False
    return through_holes(judge.build(changed)) == through_holes(judge.build(features))


def _left_of(feature: Prism, other: Manifold) -> CrossSection | None:
    """What another solid leaves of a sketch; None where that is all or hardly anything."""
    heights = feature.low + HEIGHTS * (feature.high - feature.low)
    low, high = bounds(other)[:, feature.axis]
    if low > heights[0] or high < heights[-1]:
        return None
    region, turned = region_of(feature.steps), across(other, feature.axis)
    covered = region
    for height in heights:
        covered = covered ^ turned.slice(float(height))
    if covered.area() < LEAST_COVERED * region.area():
        return None
    left, bottom, right, top = region.bounds()
    narrow = NARROW * max(right - left, top - bottom)
    rest = (region - covered).offset(-narrow, JoinType.Miter).offset(narrow, JoinType.Miter) ^ region
    return rest if rest.area() > LEAST_LEFT * region.area() else None
