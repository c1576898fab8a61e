"""Round holes along no axis, by the facets of their walls: sections across the axes show them as slanted slots."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from manifold3d import Manifold
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from cadrecode.geometry import corner_crosses, edge_numbers, square_to, unit
from cadrecode.measure.features import OVERSHOOT, Feature, Tilted
from cadrecode.measure.judge import Judge, better
from cadrecode.measure.outlines import DECIMALS, short
from cadrecode.measure.walls import circle_through_all
from cadrecode.program.language import Circle, Operation, SketchStep
from cadrecode.program.solid import mesh_of
from cadrecode.program.topology import SHARP

FEWEST_FACETS = 12  # of a round wall
LEAST_TILT = np.radians(2)  # from each axis of the part
FLAT = 1e-3  # mean square of the normals along the axis of a round wall
ALL_AROUND = 0.5  # the lesser of the two other mean squares, of the greater
ON_WALL = 0.02, 0.01  # CODE, and of the radius: how far corners may be off the circle
DIRECTION_DECIMALS = 4


def with_slanted_holes(features: tuple[Feature, ...], judge: Judge) -> tuple[Feature, ...]:
    """The features with the holes along no axis that pay for their numbers, and without what they make needless."""
    for hole in _slanted_holes(judge.solid):
        if judge.out_of_time:
            break
        features = better(features, (*features, hole), judge)
        for index in reversed(range(1, len(features))):
            if features[index].operation is Operation.CUT and features[index] != hole:
                features = better(features, (*features[:index], *features[index + 1 :], hole), judge)
    return features


def _slanted_holes(solid: Manifold) -> Iterator[Tilted]:
    """Cuts, each a little longer than the wall that was seen, or as long where it ends in the part."""
    vertices, triangles = mesh_of(solid)
    corners = vertices[triangles]
    crosses = corner_crosses(corners)
    normals, areas = unit(crosses), np.linalg.norm(crosses, axis=1)
    walls = _smooth_faces(triangles, normals)
    for wall in np.flatnonzero(np.bincount(walls) >= FEWEST_FACETS):
        chosen = walls == wall
        squares, ways = np.linalg.eigh((normals[chosen].T * areas[chosen]) @ normals[chosen] / areas[chosen].sum())
        normal = np.round(ways[:, 0], DIRECTION_DECIMALS) + 0.0
        if squares[0] > FLAT or squares[1] < ALL_AROUND * squares[2] or np.abs(normal).max() > np.cos(LEAST_TILT):
            continue
        aside = np.round(square_to(ways[:, 0])[:, 0], DIRECTION_DECIMALS) + 0.0
        rows = np.stack((aside, np.cross(normal, aside), normal))
        on_wall = corners[chosen] @ rows.T
        x, y, radius = circle_through_all(on_wall[..., :2].reshape(-1, 2))
        off = np.abs(np.hypot(*(on_wall[..., :2].reshape(-1, 2) - (x, y)).T) - radius).max()
        inward = (normals[chosen] @ rows[:2].T * (on_wall[..., :2].mean(axis=1) - (x, y))).sum(axis=1) < 0
        if off > ON_WALL[0] + ON_WALL[1] * radius or not inward.all():
            continue
        step = SketchStep(Circle(round(radius, DECIMALS)), places=((short(x), short(y)),))
        ends = on_wall[..., 2].min(), on_wall[..., 2].max()
        low, high = (round(float(end), DECIMALS) for end in ends)
        for first, last in ((low - OVERSHOOT, high + OVERSHOOT), (low, high + OVERSHOOT), (low - OVERSHOOT, high)):
            directions = tuple(map(float, aside)), tuple(map(float, normal))
            yield Tilted(Operation.CUT, *directions, round(first, DECIMALS), round(last, DECIMALS), (step,))


def _smooth_faces(triangles: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """(m,): which face each triangle of a closed mesh belongs to, where smooth edges join triangles."""
    sides = np.argsort(edge_numbers(triangles.astype(np.int64), int(triangles.max()) + 1))
    left, right = (sides % len(triangles)).reshape(-1, 2).T
    smooth = (normals[left] * normals[right]).sum(axis=1) > np.cos(SHARP)
    joined = left[smooth], right[smooth]
    pairs = coo_array((np.ones(smooth.sum()), joined), shape=(len(triangles), len(triangles)))
    return connected_components(pairs, directed=False)[1]
