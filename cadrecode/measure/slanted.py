"""Round holes along no axis, by the facets of their walls: sections across the axes show them as slanted slots."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from manifold3d import Manifold

from cadrecode.geometry import edge_numbers, square_to
from cadrecode.links import linked
from cadrecode.measure.features import OVERSHOOT, Feature, Finished, Tilted, exchanged
from cadrecode.measure.judge import Judge, better
from cadrecode.measure.outlines import DECIMALS, short
from cadrecode.measure.walls import circle_through_all
from cadrecode.program.language import Circle, Operation, Point2, SketchStep
from cadrecode.program.solid import mesh_of, triangles_of
from cadrecode.program.topology import SHARP

FEWEST_FACETS = 12  # of a round wall
LEAST_TILT = np.radians(2)  # from each axis of the part
FLAT = 1e-3  # mean square of the normals along the axis of a round wall
ALL_AROUND = 0.5  # the lesser of the two other mean squares, of the greater
ON_WALL = 0.02, 0.01  # CODE, and of the radius: how far corners may be off the circle
DIRECTION_DECIMALS = 4
SAME_WAY = np.cos(np.radians(0.1))  # of the directions of two walls
SAME_WALL = 0.1  # CODE: sizes of walls that differ by less are equal


@dataclass(frozen=True)
class _Wall:
    """A round wall along no axis, looked at from outside.

    Args:
        rows: (3, 3): the directions of a sketch's axes, and that of the wall, which walls of one direction share.
        low, high: Where it begins and ends along its direction.
    """

    rows: np.ndarray
    place: Point2
    radius: float
    low: float
    high: float

    def is_like(self, other: _Wall) -> bool:
        """Whether one sketch may say both."""
        apart = self.radius - other.radius, self.low - other.low, self.high - other.high
        return self.rows is other.rows and max(map(abs, apart)) < SAME_WALL


def with_slanted_holes(features: tuple[Feature, ...], judge: Judge) -> tuple[Feature, ...]:
    """The features with the holes along no axis that pay for their numbers, and without what they make needless."""
    groups: list[list[_Wall]] = []
    for wall in _walls(judge.solid):
        own = next((group for group in groups if group[0].is_like(wall)), None)
        if own is None:
            groups.append([wall])
        else:
            own.append(wall)
    for group in groups:
        drilled = _drilled(features, group, judge)
        if drilled == features and len(group) > 1:
            for wall in group:
                drilled = _drilled(drilled, [wall], judge)
        features = drilled
    return features


def _drilled(features: tuple[Feature, ...], walls: Sequence[_Wall], judge: Judge) -> tuple[Feature, ...]:
    """The features with holes along equal walls: a little longer than these, or as long where they end in the part."""
    aside, _, normal = (tuple(map(float, row)) for row in walls[0].rows)
    step = SketchStep(Circle(round(walls[0].radius, DECIMALS)), places=tuple(wall.place for wall in walls))
    low, high = round(walls[0].low, DECIMALS), round(walls[0].high, DECIMALS)
    best = features
    for first, last in ((low - OVERSHOOT, high + OVERSHOOT), (low, high + OVERSHOOT), (low - OVERSHOOT, high)):
        if judge.out_of_time:
            break
        ends = round(first, DECIMALS), round(last, DECIMALS)
        best = better(best, _with_hole(features, Tilted(Operation.CUT, aside, normal, *ends, (step,)), judge), judge)
    return best


def _with_hole(features: tuple[Feature, ...], hole: Tilted, judge: Judge) -> tuple[Feature, ...]:
    """The features with a hole, and with it in the place of cuts that it meets, where that is worth more."""
    features = better(features, (*features, hole), judge)
    for index in reversed(range(1, len(features))):
        other = features[index]
        if isinstance(other, Finished) or other.operation is not Operation.CUT or other == hole:
            continue
        if (judge.solid_of(other) ^ judge.solid_of(hole)).is_empty():
            continue
        rest = exchanged(features, index)
        features = better(features, rest if hole in rest else (*rest, hole), judge)
    return features


def _walls(solid: Manifold) -> Iterator[_Wall]:
    """The round walls of holes along no axis."""
    corners, normals, areas = triangles_of(solid)
    walls = _smooth_faces(mesh_of(solid)[1], normals)
    directions: list[np.ndarray] = []
    for wall in np.flatnonzero(np.bincount(walls) >= FEWEST_FACETS):
        chosen = walls == wall
        squares, ways = np.linalg.eigh((normals[chosen].T * areas[chosen]) @ normals[chosen] / areas[chosen].sum())
        way = ways[:, 0]
        if squares[0] > FLAT or squares[1] < ALL_AROUND * squares[2] or np.abs(way).max() > np.cos(LEAST_TILT):
            continue
        rows = next((rows for rows in directions if abs(rows[2] @ way) > SAME_WAY * np.linalg.norm(rows[2])), None)
        if rows is None:
            normal, aside = (np.round(axis, DIRECTION_DECIMALS) + 0.0 for axis in (way, square_to(way)[:, 0]))
            directions.append(rows := np.stack((aside, np.cross(normal, aside), normal)))
        on_wall = corners[chosen] @ rows.T
        x, y, radius = circle_through_all(on_wall[..., :2].reshape(-1, 2))
        off = np.abs(np.hypot(*(on_wall[..., :2].reshape(-1, 2) - (x, y)).T) - radius).max()
        inward = (normals[chosen] @ rows[:2].T * (on_wall[..., :2].mean(axis=1) - (x, y))).sum(axis=1) < 0
        if off < ON_WALL[0] + ON_WALL[1] * radius and inward.all():
            ends = float(on_wall[..., 2].min()), float(on_wall[..., 2].max())
            yield _Wall(rows, (short(x), short(y)), radius, *ends)


def _smooth_faces(triangles: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """(m,): which face each triangle of a closed mesh belongs to, where smooth edges join triangles."""
    sides = np.argsort(edge_numbers(triangles.astype(np.int64), int(triangles.max()) + 1))
    left, right = (sides % len(triangles)).reshape(-1, 2).T
    smooth = (normals[left] * normals[right]).sum(axis=1) > np.cos(SHARP)
    return linked(len(triangles), left[smooth], right[smooth])
