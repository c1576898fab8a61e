"""Slanted faces: cuts above flat patches of points whose normals lie along no axis."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from manifold3d import Manifold
from scipy.spatial import cKDTree

from cadrecode.geometry import bounding_box, turned_left
from cadrecode.links import linked
from cadrecode.measure.cloud_judge import CloudJudge
from cadrecode.measure.evidence import HALF_EXPLAINED, LINK
from cadrecode.measure.features import OVERSHOOT, Feature, Prism
from cadrecode.measure.grid import Grid
from cadrecode.measure.outlines import DECIMALS
from cadrecode.measure.turning import turned_by
from cadrecode.program.language import Loop, Operation, SketchStep
from cadrecode.program.planes import plane_axes
from cadrecode.program.solid import bounds, mesh_of

ALIKE = 0.97  # cosine of the normals of two points of one face
SLANTED = 0.996  # of a normal with an axis: more is a face across it
ALONG = 0.03  # of a normal along an axis: less is none
FEWEST_ON_SLOPE = 14  # points
FLAT = 1.5  # times what a surface explains: deviation of a flat patch
MOST_SLOPES = 8
OUTWARD = 2.0  # spacings: a patch's points end so far before its face does


@dataclass(frozen=True)
class Slope:
    """A flat patch of points that is slanted about an axis.

    Args:
        axis: That the patch is parallel to.
        normal: (2,) where it looks, on the plane of a sketch across that axis.
        height: Of its plane along the normal.
        sides: (2, 2): where its points begin and end to the left of the normal, and along the axis.
        count: The number of its points.
    """

    axis: int
    normal: np.ndarray
    height: float
    sides: np.ndarray
    count: int

    def cut(self, sides: np.ndarray, top: float) -> Prism:
        """All above the plane, between two sides, up to a height along the normal."""
        aside = turned_left(self.normal)
        ends = (0, self.height), (1, self.height), (1, top), (0, top)
        corners = [(sides[end, 0] * aside + height * self.normal).round(DECIMALS) for end, height in ends]
        places = [(float(x) + 0.0, float(y) + 0.0) for x, y in corners]
        low, high = (round(float(side), DECIMALS) for side in sides[:, 1])
        return Prism(Operation.CUT, self.axis, low, high, (SketchStep(Loop.through(places)),))


def with_slopes(features: tuple[Feature, ...], grid: Grid, judge: CloudJudge) -> tuple[Feature, ...]:
    """The features with what is above slanted faces cut, where the points that it explains pay for its numbers."""
    for slope in _slopes(features, judge)[:MOST_SLOPES]:
        best, most, body = None, 0.0, judge.build(features)
        waiting = list(_sides(slope, grid, judge))
        while waiting and not judge.out_of_time:
            sides = waiting.pop(0)
            cut = slope.cut(sides, _top(slope, sides, body, judge))
            gain = judge.evidence(features, (*features, cut)) - judge.nats_per_number * cut.numbers
            if gain > most:
                best, most, waiting = cut, gain, [*_wider(sides, judge.spacing)]
        if best is not None:
            features = (*features, best)
    return features


def _top(slope: Slope, sides: np.ndarray, body: Manifold, judge: CloudJudge) -> float:
    """The top of the material that stands on a slope; material beyond a gap above it stays."""
    rows = np.zeros((2, 3))
    rows[:, plane_axes(slope.axis)] = turned_left(slope.normal), slope.normal
    turned = turned_by(body, np.vstack((rows[0], np.eye(3)[slope.axis], rows[1])))
    vertices, _ = mesh_of(turned)
    highest = float(vertices[:, 2].max()) + OVERSHOOT
    size = (*(sides[1] - sides[0]), highest - slope.height)
    block = Manifold.cube(size).translate((*sides[0], slope.height))
    tops = [bounds(part) for part in (turned ^ block).decompose() if bounds(part)[0][2] < slope.height + judge.close]
    return max((float(high[2]) for _, high in tops), default=highest - OVERSHOOT) + OVERSHOOT


def _sides(slope: Slope, grid: Grid, judge: CloudJudge) -> Iterator[np.ndarray]:
    """Where a cut may begin and end: with the points, and farther out, along the axis at the levels that are near."""
    yield slope.sides
    wider = slope.sides + OUTWARD * judge.spacing * np.array(((-1, -1), (1, 1)))
    levels = grid.levels[slope.axis]
    for end, way in enumerate((-1, 1)):
        nearest = float(levels[np.abs(levels - slope.sides[end, 1]).argmin()])
        if abs(nearest - slope.sides[end, 1]) < OUTWARD * judge.spacing:
            beyond = OVERSHOOT if nearest in (levels[0], levels[-1]) else 0.0
            wider[end, 1] = nearest + way * beyond
    yield wider


def _wider(sides: np.ndarray, by: float) -> Iterator[np.ndarray]:
    for end, way in enumerate((-1, 1)):
        for k in range(2):
            moved = sides.copy()
            moved[end, k] += way * by
            yield moved


def _slopes(features: Sequence[Feature], judge: CloudJudge) -> list[Slope]:
    """Flat patches that look along no axis and that the features leave unexplained, most points first."""
    normals = judge.normals
    lost = judge.costs(tuple(features)) > HALF_EXPLAINED
    lost &= (np.abs(normals).max(axis=1) < SLANTED) & (np.abs(normals).min(axis=1) < np.sqrt(1 - ALIKE**2))
    points, ways = judge.points[lost], normals[lost]
    if len(points) < FEWEST_ON_SLOPE:
        return []
    pairs = cKDTree(points).query_pairs(LINK * judge.spacing, output_type="ndarray")
    pairs = pairs[np.einsum("ij,ij->i", ways[pairs[:, 0]], ways[pairs[:, 1]]) > ALIKE]
    labels = linked(len(points), *pairs.T)
    slopes = []
    for index in np.flatnonzero(np.bincount(labels) >= FEWEST_ON_SLOPE):
        slope = _slope_of(points[labels == index], ways[labels == index], judge)
        if slope is not None:
            slopes.append(slope)
    return sorted(slopes, key=lambda slope: -slope.count)


def _slope_of(patch: np.ndarray, ways: np.ndarray, judge: CloudJudge) -> Slope | None:
    """The plane of a patch; None where it is bent or parallel to no axis."""
    normal = np.linalg.svd(patch - patch.mean(axis=0), full_matrices=False)[2][2]
    normal = normal * np.sign(normal @ ways.mean(axis=0))
    axis = int(np.abs(normal).argmin())
    off = (patch - patch.mean(axis=0)) @ normal
    if abs(normal[axis]) > ALONG or np.sqrt(np.mean(off**2)) > FLAT * judge.close:
        return None
    across = plane_axes(axis)
    flat = normal[across] / np.hypot(*normal[across])
    if np.abs(flat).max() > SLANTED:
        return None
    places = np.column_stack((patch[:, across] @ turned_left(flat), patch[:, axis]))
    height = float(np.median(patch[:, across] @ flat))
    return Slope(axis, flat, height, bounding_box(places), len(patch))
