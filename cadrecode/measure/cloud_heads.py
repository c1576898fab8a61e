"""Countersinks in a cloud: points that lie on a cone about round holes, which no outline across an axis can say."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from cadrecode.measure.cloud_judge import CloudJudge
from cadrecode.measure.evidence import HALF_EXPLAINED
from cadrecode.measure.features import Drilled, Feature, Prism
from cadrecode.measure.grid import Grid
from cadrecode.measure.heads import hole_at, round_holes, usual_angle, without_step
from cadrecode.measure.judge import better
from cadrecode.measure.outlines import DECIMALS
from cadrecode.program import language as cad

SAME_HOLE = 0.25  # of the radius: holes that differ by less may be of one drill
WIDEST = 3.0  # radii of the hole: the mouth of a countersink
LOOKS_OUT = 0.2  # cosine of the normals of a countersink with the way out of it, at least
FEWEST = 8  # points on the cones of equal holes
STEEPEST, FLATTEST = 30, 140  # degrees
NEAR_DEGREES = 8  # how far a usual angle may be from the one that the points have
ROUNDS, FAR = 4, 2.5  # of fitting the cone, and times the median: points that are farther from it are left out
SHORT = 0.3  # of the depth of a countersink: how far from the face its points may end


@dataclass(frozen=True)
class _Drill:
    """Round holes along one axis that one drill may have made, with the steps of the sketches that cut them."""

    axis: int
    cuts: tuple[tuple[Prism, cad.SketchStep], ...]

    @property
    def radius(self) -> float:
        return float(np.median([step.shape.radius for _, step in self.cuts]))

    @property
    def places(self) -> tuple[cad.Point2, ...]:
        return tuple(dict.fromkeys(place for _, step in self.cuts for place in step.places))


def with_countersinks(features: tuple[Feature, ...], grid: Grid, judge: CloudJudge) -> tuple[Feature, ...]:
    """The features, whose round holes have a countersink where the points pay for its numbers."""
    for drill in _drills(features):
        lost = judge.costs(features) > HALF_EXPLAINED
        for way in (1, -1):
            cone = _cone(drill, way, lost, judge)
            for hole in () if cone is None else _holes(drill, way, cone, grid.levels[drill.axis]):
                if judge.out_of_time:
                    return features
                others = features
                for _, step in drill.cuts:
                    others = without_step(others, drill.axis, step)
                for rest in dict.fromkeys((others, _without_wider(others, drill))):
                    features = better(features, (*rest, Drilled(hole)), judge) if rest else features
    return features


def _without_wider(features: tuple[Feature, ...], drill: _Drill) -> tuple[Feature, ...]:
    """Without wider round cuts about the same lines, as which a countersink may have been read."""
    prisms = [feature for feature in features if isinstance(feature, Prism) and feature.axis == drill.axis]
    for step in [step for prism in prisms for step in round_holes(prism)]:
        apart = np.linalg.norm(np.subtract(np.array(step.places)[:, None], drill.places), axis=2).min(axis=1)
        if drill.radius < step.shape.radius < WIDEST * drill.radius and apart.max() < SAME_HOLE * drill.radius:
            features = without_step(features, drill.axis, step)
    return features


def _drills(features: Sequence[Feature]) -> list[_Drill]:
    drills: list[_Drill] = []
    for prism in [feature for feature in features if isinstance(feature, Prism)]:
        for step in round_holes(prism):
            for index, drill in enumerate(drills):
                if drill.axis == prism.axis and abs(drill.radius - step.shape.radius) < SAME_HOLE * drill.radius:
                    drills[index] = replace(drill, cuts=(*drill.cuts, (prism, step)))
                    break
            else:
                drills.append(_Drill(prism.axis, ((prism, step),)))
    return drills


@dataclass(frozen=True)
class _Cone:
    """Where the points of countersinks lie: their distance from the line of the hole by their height along the way out.

    Args:
        slope, offset: The distance is `offset + slope * height`.
        top: The height of the highest of the points.
    """

    slope: float
    offset: float
    top: float


def _cone(drill: _Drill, way: int, lost: np.ndarray, judge: CloudJudge) -> _Cone | None:
    """The cone that unexplained points lie on about the holes; None where too few do.

    Args:
        way: Along the axis, out of the holes.
        lost: (N,) bool.
    """
    across = [(drill.axis + 1) % 3, (drill.axis + 2) % 3]
    facing = lost & (way * judge.normals[:, drill.axis] > LOOKS_OUT)
    flat, heights = judge.points[facing][:, across], way * judge.points[facing, drill.axis]
    away = np.hypot(*(flat[:, None] - np.array(drill.places)).transpose(2, 0, 1)).min(axis=1)
    on = (away > drill.radius - judge.close) & (away < WIDEST * drill.radius)
    if np.count_nonzero(on) < FEWEST or np.ptp(heights[on]) == 0:
        return None
    for _ in range(ROUNDS):
        slope, offset = np.polyfit(heights[on], away[on], 1)
        off = np.abs(offset + slope * heights - away)
        kept = on & (off < max(FAR * float(np.median(off[on])), judge.close))
        if np.count_nonzero(kept) < FEWEST or np.ptp(heights[kept]) == 0:
            return None
        on = kept
    degrees = 2 * math.degrees(math.atan(slope))
    if not STEEPEST < degrees < FLATTEST:
        return None
    return _Cone(float(slope), float(offset), float(heights[on].max()))


def _holes(drill: _Drill, way: int, cone: _Cone, levels: np.ndarray) -> Iterator[cad.Hole]:
    """Holes with that cone at the level where it ends: through all, and as long as they are."""
    end = float(levels[np.abs(way * levels - cone.top).argmin()])
    mouth = cone.offset + cone.slope * way * end
    deep = (mouth - drill.radius) / cone.slope
    if not deep > 0 or abs(way * end - cone.top) > SHORT * deep:
        return
    degrees = 2 * math.degrees(math.atan(cone.slope))
    head = cad.Countersink(round(2 * mouth, DECIMALS), usual_angle(degrees, NEAR_DEGREES))
    hole = hole_at(drill.axis, end, way, drill.radius, drill.places, head)
    yield hole
    far = min(way * prism.low if way > 0 else way * prism.high for prism, _ in drill.cuts)
    if far > (way * levels).min():
        yield replace(hole, depth=round(way * end - far, DECIMALS))
