"""Round holes in a cloud along no axis: through a slanted wall of the body, or where the normals of their own walls say
so."""

from __future__ import annotations

import numpy as np
from scipy.optimize import least_squares
from scipy.spatial import cKDTree

from cadrecode.geometry import square_to, unit
from cadrecode.measure.cloud_judge import CloudJudge
from cadrecode.measure.evidence import FACING, HALF_EXPLAINED, HOLE_NUMBERS, SAME_RADIUS, SKIN, grouped
from cadrecode.measure.features import OVERSHOOT, TILT_NUMBERS, Feature, Tilted
from cadrecode.measure.gaps import View, tilts
from cadrecode.measure.judge import better
from cadrecode.measure.round_walls import FEWEST, RoundWall, round_walls
from cadrecode.measure.slanted import DIRECTION_DECIMALS, LEAST_TILT
from cadrecode.measure.walls import circle_through_all
from cadrecode.program.language import Circle, Operation, SketchStep

AROUND = 24  # nearest unexplained points of each, whose normals may tell a direction
BENT, STRAIGHT = 0.03, 0.15  # mean square of their normals across the direction at least, and along it, of that
ALIKE = np.cos(np.radians(6))  # cosine of directions that are of one hole
SAME = np.cos(np.radians(0.5))  # of those that are looked along once
LOOSE = 0.1  # of its radius: how far points lie off a cylinder whose direction is not exact yet
FEWEST_ALIKE = 20  # points that tell a direction
MOST_DIRECTIONS = 3  # told by normals
ENOUGH, MOST_ROUNDS = 300, 20  # points that a cylinder is fitted to, and rounds of it
ON_CYLINDER = 0.4  # of the points
NO_LEVELS = (np.array([np.inf]),) * 3  # all points that are left unexplained may be of a hole
BEYOND = 1.5  # spacings: a wall's points end so far before its face does


def with_slanted_bores(features: tuple[Feature, ...], judge: CloudJudge) -> tuple[Feature, ...]:
    """The features with holes along no axis cut, each where the points that it explains pay for its numbers."""
    added: list[Tilted] = []
    for normal, least in _directions(features, judge):
        if judge.out_of_time:
            break
        view = View.tilted(normal, judge)
        lost = judge.costs((*features, *added)) > HALF_EXPLAINED
        walls = round_walls(
            view.points[lost],
            judge.normals[lost] @ view.rows.T,
            2,
            NO_LEVELS,
            judge.size,
            judge.noise,
            judge.per_area,
            judge.deadline,
        )
        own: list[Tilted] = []
        for wall in [wall for wall in walls if wall.facing < FACING and wall.count >= least]:
            if judge.out_of_time:
                break
            hole, gain = _hole_along((*features, *added, *own), wall, view, judge)
            if gain > judge.nats_per_number * (HOLE_NUMBERS if own else HOLE_NUMBERS + TILT_NUMBERS):
                own.append(hole)
        added += grouped(own, _overlap, 2 * SAME_RADIUS)  # along one direction
    for hole in added:
        features = better(features, (*features, hole), judge)
    return features


def _directions(features: tuple[Feature, ...], judge: CloudJudge) -> list[tuple[np.ndarray, int]]:
    """(3,) unit vectors along no axis that holes may have, and of how many points each hole must be: those that the
    normals around lines tell, and those across slanted walls."""
    directions: list[np.ndarray] = []
    lost = judge.costs(features) > HALF_EXPLAINED  # of a deep hole, directions are known, though not their sides
    points, normals = judge.points[lost], judge.normals[lost]
    if len(points) > AROUND:
        near = cKDTree(points).query(points, k=AROUND)[1]
        squares, ways = np.linalg.eigh(np.einsum("nki,nkj->nij", normals[near], normals[near]) / AROUND)
        told = (squares[:, 1] > BENT) & (squares[:, 0] < STRAIGHT * squares[:, 1])
        told &= np.abs(ways[:, :, 0]).max(axis=1) < np.cos(LEAST_TILT)
        directions = _by_normals(points[told], ways[told, :, 0], near[told], points, judge)
    walls = tilts(judge.build(features), judge.size)
    walls = [normal for normal in walls if all(abs(normal @ other) < SAME for other in directions)]
    return [*((normal, FEWEST_ALIKE) for normal in directions), *((normal, FEWEST) for normal in walls)]


def _by_normals(
    places: np.ndarray, ways: np.ndarray, near: np.ndarray, points: np.ndarray, judge: CloudJudge
) -> list[np.ndarray]:
    """Directions that many places agree on, each made exact by the round wall around one of the places.

    Args:
        places, ways: (n, 3), and the direction that the normals around each tell.
        near: (n, k) rows of the points around each.
    """
    directions: list[np.ndarray] = []
    left, tried = np.ones(len(places), bool), 0
    while tried < MOST_DIRECTIONS and np.count_nonzero(left) >= FEWEST_ALIKE:
        alike = (np.abs(ways[left] @ ways[left].T) > ALIKE).sum(axis=1)
        if alike.max() < FEWEST_ALIKE:
            break
        seed = np.flatnonzero(left)[alike.argmax()]
        own = left & (np.abs(ways @ ways[seed]) > ALIKE)
        normal = np.linalg.eigh(ways[own].T @ ways[own])[1][:, -1]
        rows = np.unique(near[own])
        exact = _exact(normal, points[rows[:: 1 + len(rows) // ENOUGH]], judge.close)
        if exact is not None and np.abs(exact).max() < np.cos(LEAST_TILT):
            directions.append(np.round(exact, DIRECTION_DECIMALS) + 0.0)
        tried += 1
        left &= ~own
    return directions


def _exact(normal: np.ndarray, points: np.ndarray, close: float) -> np.ndarray | None:
    """(3,): the direction of the cylinder that many of some points lie on, from one near to it; None where there is
    none."""
    aside = square_to(normal)

    def way(turn: np.ndarray) -> np.ndarray:
        return unit((normal + aside @ turn)[None])[0]

    def off(numbers: np.ndarray) -> np.ndarray:
        direction = way(numbers[:2])
        across = (points - points.mean(axis=0) - aside @ numbers[2:4]) @ _square_to_near(direction, aside)
        return np.hypot(*across.T) - numbers[4]

    flat = (points - points.mean(axis=0)) @ aside
    x, y, radius = circle_through_all(flat)
    numbers = np.array((0.0, 0.0, x, y, radius))
    for scale in (max(LOOSE * radius, close), close):  # what lies off by more is of something else
        numbers = least_squares(off, numbers, loss="cauchy", f_scale=scale, max_nfev=MOST_ROUNDS).x
    on = np.count_nonzero(np.abs(off(numbers)) < 2 * close)
    return way(numbers[:2]) if on > ON_CYLINDER * len(points) else None


def _square_to_near(direction: np.ndarray, aside: np.ndarray) -> np.ndarray:
    """(3, 2): two unit vectors square to a direction, as near as possible to two others."""
    return np.linalg.qr(np.column_stack((direction, aside)))[0][:, 1:]


def _hole_along(features: tuple[Feature, ...], wall: RoundWall, view: View, judge: CloudJudge) -> tuple[Tilted, float]:
    """A hole along a wall, and how much it explains. It ends with the wall's points, a little farther where the air may
    begin there, or goes on through all, where that is as likely."""
    ends = [wall.low, wall.high]
    gain = judge.evidence(features, (*features, _hole(wall, view, *ends)))
    if gain < 0:  # by chance on a circle
        return _hole(wall, view, *ends), gain
    beyond = view.points[:, 2].min() - OVERSHOOT, view.points[:, 2].max() + OVERSHOOT
    for index, way in enumerate((-1, 1)):
        worth = {}
        for height, bonus in (
            (ends[index], 0.0),
            (ends[index] + way * BEYOND * judge.spacing, SKIN),
            (float(beyond[index]), SKIN),
        ):
            tried = [height, ends[1]] if index == 0 else [ends[0], height]
            worth[height] = judge.evidence(features, (*features, _hole(wall, view, *tried))), bonus
        ends[index] = max(worth, key=lambda height: sum(worth[height]))
        gain = worth[ends[index]][0]
    return _hole(wall, view, *ends), gain


def _hole(wall: RoundWall, view: View, low: float, high: float) -> Tilted:
    step = SketchStep(Circle(round(wall.radius, 3)), places=((round(wall.x, 3), round(wall.y, 3)),))
    aside, _, normal = (tuple(map(float, row)) for row in view.rows)
    return Tilted(Operation.CUT, aside, normal, round(low, 3), round(high, 3), (step,))


def _overlap(hole: Tilted, other: Tilted) -> bool:
    return hole.low < other.high and other.low < hole.high
