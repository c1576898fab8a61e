"""Sketches of a cloud's sections that a search by volume passes over: closer outlines of what stands, and features
whose walls explain points. Each is taken if the points that it explains pay for its numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cadrecode.cloud.distance import ONE_SIDED
from cadrecode.geometry import nearest_on_rims
from cadrecode.measure.cloud_judge import CloudJudge
from cadrecode.measure.evidence import FEWEST_ON_FLOOR, HALF_EXPLAINED
from cadrecode.measure.features import Feature, Prism, exchanged
from cadrecode.measure.grid import Grid
from cadrecode.measure.judge import better
from cadrecode.measure.proposals import Proposal, Survey, region_of
from cadrecode.program.language import Operation
from cadrecode.program.planes import plane_axes

SIMILAR = 0.8  # IoU of the columns that two sketches cover of which one may take the place of the other
WALL = 0.3  # cosine of a wall's normals with the axis of its sketch, at most
MOST_ADDED, MOST_TRIED = 6, 8  # features, and sketches that are tried for each


def outlined(features: tuple[Feature, ...], part: Survey, judge: CloudJudge) -> tuple[Feature, ...]:
    """The features with both, but for those of what was seen from one side alone, whose sections are a guess."""
    if np.linalg.norm(judge.normals.mean(axis=0)) > ONE_SIDED:
        return features
    return with_outlines(resketched(features, part, judge), part, judge)


def resketched(features: tuple[Feature, ...], part: Survey, judge: CloudJudge) -> tuple[Feature, ...]:
    """The features with closer or shorter outlines in place of similar ones, where that pays."""
    for index, feature in enumerate(features):
        if not isinstance(feature, Prism):
            continue
        own = part.grid.mask(region_of(feature.steps).to_polygons(), feature.axis)
        for proposal in _sketches(part):
            if judge.out_of_time:
                return features
            fits = proposal.axis == feature.axis and (proposal.adds or feature.operation is Operation.CUT)
            if fits and (own & proposal.mask).sum() > SIMILAR * (own | proposal.mask).sum():
                features = better(features, exchanged(features, index, replace(feature, steps=proposal.steps)), judge)
    return features


def with_outlines(features: tuple[Feature, ...], part: Survey, judge: CloudJudge) -> tuple[Feature, ...]:
    """The features with those sketches joined or cut on whose walls they leave many points unexplained."""
    lost = judge.costs(features) > HALF_EXPLAINED
    points, normals = judge.points[lost], judge.normals[lost]
    beside = []
    for proposal in _sketches(part):
        if judge.out_of_time:
            return features
        beside.append((proposal, _on_walls(proposal, points, normals, 2 * judge.close)))
    for _ in range(MOST_ADDED):
        left = judge.costs(features)[lost] > HALF_EXPLAINED
        beside = [(proposal, on) for proposal, on in beside if np.count_nonzero(on & left) >= FEWEST_ON_FLOOR]
        beside.sort(key=lambda pair: -np.count_nonzero(pair[1] & left))
        before = features
        for proposal, on in beside[:MOST_TRIED]:
            if judge.out_of_time:
                return features
            span = _span(points[on & left, proposal.axis], part.grid, proposal.axis)
            for operation in (Operation.CUT, Operation.UNION) if proposal.adds else (Operation.CUT,):
                features = better(features, (*before, proposal.feature(operation, span, part.grid)), judge)
        if features == before:
            return features
    return features


def _sketches(part: Survey) -> list[Proposal]:
    return [proposal for proposal in part.proposals if isinstance(proposal, Proposal)]


def _on_walls(proposal: Proposal, points: np.ndarray, normals: np.ndarray, near: float) -> np.ndarray:
    """(n,) bool: the points on the walls of a sketch, however high they are."""
    on = np.abs(normals[:, proposal.axis]) < WALL
    flat = points[on][:, plane_axes(proposal.axis)]
    on[on] = np.linalg.norm(flat - nearest_on_rims(flat, region_of(proposal.steps).to_polygons()), axis=1) < near
    return on


def _span(heights: np.ndarray, grid: Grid, axis: int) -> tuple[int, int]:
    """The levels between which the points of a wall lie, but for a tenth at either end, by their indices."""
    levels = grid.levels[axis]
    low, high = np.quantile(heights, (0.1, 0.9))
    first = int(np.searchsorted(levels, low, side="right")) - 1
    last = int(np.searchsorted(levels, high))
    first = min(max(first, 0), len(levels) - 2)
    return first, min(max(last, first + 1), len(levels) - 1)
