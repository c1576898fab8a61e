"""Round walls along an axis, found by the places of points alone: estimated normals are wrong in small holes.

Each point proposes circles through itself and two of its neighbours; those that many of its neighbours lie on, all
around, are fitted to all points of the cloud (RANSAC, Fischler & Bolles 1981).
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from cadrecode.measure.walls import circle_through_all, circles_through
from cadrecode.program.planes import plane_axes

NEIGHBOURS, TRIPLES = 20, 8  # of each point: those looked at, and circles proposed
STRIDES = 1, 4, 16  # every so many points: neighbours in a thinner cloud reach around larger circles
LEAST_RADIUS, MOST_RADIUS = 0.003, 0.3  # of the size
NEAR, NEAR_BY_RADIUS = 7e-4, 0.015  # of the size, of the radius (facets): how near to a circle its points lie
FEWEST = 6  # points of a wall
SECTORS, FEWEST_SECTORS = 8, 6  # around a circle, and those that hold points
MOST_IN_TWO = 0.55  # of a circle's points, in two of its sectors: more are those of walls that it touches
MOST_WITHIN = 0.15  # points within a circle, for each on it
MOST_TRIED, MOST_WALLS = 500, 60  # circles, along one axis
SAME_HEIGHT = 0.05  # of the size: circles of one place whose heights differ by less are tried once
FLAT = 0.98  # cosine of a normal with another axis: points of a flat wall; with its own: of a floor
ENDS = 0.05, 0.95  # quantiles of a wall's heights: beyond, points within it may be of a floor
CLEAR = 2.0  # times as many points on a circle as on those beside it
SURE = 9.0  # nats by which points on a circle are more than by chance: thousands of circles are tried
LEAST_DENSE = 0.45  # of the density of the whole cloud
LONGEST_GAP = 7.0  # mean distances between points along a wall: beyond, another wall begins


@dataclass(frozen=True)
class RoundWall:
    """A cylinder, or most of one, that points lie on.

    Args:
        axis: 0, 1 or 2; x and y are those of a sketch across it.
        low, high: Where its points begin and end along the axis.
        count: The number of its points.
        facing: The mean outward part of their normals: 1 around a pin, -1 around a hole, near 0 where the estimated
            normals of a small hole say nothing.
    """

    axis: int
    x: float
    y: float
    radius: float
    low: float
    high: float
    count: int
    facing: float


def round_walls(
    points: np.ndarray,
    normals: np.ndarray,
    axis: int,
    levels: Sequence[np.ndarray],
    size: float,
    noise: float,
    per_area: float,
    deadline: float = np.inf,
) -> list[RoundWall]:
    """Those along an axis, most points first.

    Args:
        points, normals: (N, 3).
        levels: Heights of the faces across the three axes: points on them are left out.
        size: Longest side of the part.
        noise: How far points lie off their faces.
        per_area: Points to expect on each unit of surface.
        deadline: On time.thread_time().
    """
    near = max(NEAR * size, 2.5 * noise)
    free = np.ones(len(points), bool)
    for k in range(3):
        on_level = np.abs(points[:, k, None] - levels[k][None]).min(axis=1) < near
        free &= ~(on_level & ((k == axis) | (np.abs(normals[:, k]) > FLAT)))
    order = [*plane_axes(axis), axis]
    local, ways = points[free][:, order], normals[free][:, order]
    if len(local) < FEWEST:
        return []
    flat = cKDTree(local[:, :2])
    walls: list[RoundWall] = []
    tried: set[tuple[int, ...]] = set()
    for circle, height in _proposed(local, size, near):
        if time.thread_time() > deadline or len(walls) == MOST_WALLS or len(tried) == MOST_TRIED:
            break
        key = tuple(np.round((*circle / near, height / (SAME_HEIGHT * size))).astype(int).tolist())
        known = key in tried or any(
            np.hypot(wall.x - circle[0], wall.y - circle[1]) + abs(wall.radius - circle[2]) < 3 * near
            and wall.low - near <= height <= wall.high + near
            for wall in walls
        )
        if not known:  # a large hole is proposed thousands of times
            tried.add(key)
            walls += _fitted(local, ways, flat, circle, height, near, axis)
    walls = [w for w in walls if w.count > LEAST_DENSE * per_area * 2 * np.pi * w.radius * (w.high - w.low)]
    return sorted(_without_doubles(walls, near), key=lambda wall: -wall.count)


def _proposed(local: np.ndarray, size: float, near: float) -> list[tuple[np.ndarray, float]]:
    """Circles (x, y, radius) and a height of each, those that most neighbours lie on first."""
    rng = np.random.default_rng(0)
    circles, heights, counts = [], [], []
    for stride in STRIDES:
        chosen = local[rng.permutation(len(local))[: len(local) // stride]]
        if len(chosen) <= NEIGHBOURS:
            break
        around = chosen[cKDTree(chosen).query(chosen, k=NEIGHBOURS)[1]]  # (n, k, 3)
        for _ in range(TRIPLES):
            second, third = rng.choice(np.arange(1, NEIGHBOURS), 2, replace=False)
            circle = circles_through(around[:, 0, :2], around[:, second, :2], around[:, third, :2])
            with np.errstate(invalid="ignore"):
                possible = (circle[:, 2] > LEAST_RADIUS * size) & (circle[:, 2] < MOST_RADIUS * size)
            circle, patch = circle[possible], around[possible]
            away = patch[..., :2] - circle[:, None, :2]
            on = np.abs(np.hypot(away[..., 0], away[..., 1]) - circle[:, 2:]) < _near(near, circle[:, 2:])
            sector = ((np.arctan2(away[..., 1], away[..., 0]) / (2 * np.pi) + 1) * SECTORS).astype(int) % SECTORS
            covered = np.array([(on & (sector == index)).any(axis=1) for index in range(SECTORS)]).sum(axis=0)
            good = (covered >= FEWEST_SECTORS - 1) & (on.sum(axis=1) >= FEWEST)
            circles.append(circle[good])
            heights.append(patch[good, 0, 2])
            counts.append(on[good].sum(axis=1))
    if not circles:
        return []
    circle, height, count = map(np.concatenate, (circles, heights, counts))
    order = np.argsort(-count, kind="stable")
    return list(zip(circle[order], height[order]))


def _near(near: float, radius: np.ndarray | float) -> np.ndarray | float:
    return near + NEAR_BY_RADIUS * radius


def _fitted(
    local: np.ndarray, ways: np.ndarray, flat: cKDTree, circle: np.ndarray, height: float, near: float, axis: int
) -> list[RoundWall]:
    """The wall of a circle about a height, by all points; none where they do not go around it, or lie beside it too."""
    for share in (1.5, 1.0, 1.0):
        x, y, radius = circle
        reach = share * _near(near, radius)
        rows = np.array(flat.query_ball_point((x, y), radius + 3 * reach), int)
        if len(rows) < FEWEST:
            return []
        off = np.hypot(*(local[rows, :2] - (x, y)).T) - radius
        on = rows[np.abs(off) < reach]
        if len(on) < FEWEST:
            return []
        on = on[run_about(local[on, 2], height)]
        if len(on) < FEWEST:
            return []
        circle = np.array(circle_through_all(local[on, :2]))
    walls = on[np.abs(ways[on, 2]) < FLAT]  # a floor where a bore becomes narrower has points on any circle
    if len(walls) >= FEWEST:  # in small holes, normals may be anything
        on = walls
    if abs(circle[2] - radius) > reach or not _is_round(local[on, :2] - circle[:2]):
        return []
    low, high = local[on, 2].min(), local[on, 2].max()
    first, last = np.quantile(local[on, 2], ENDS)
    between = (local[rows, 2] >= first) & (local[rows, 2] <= last)
    beside = between & (np.abs(off) >= reach) & (np.abs(off) < 3 * reach)
    within = between & (off < -2 * reach)
    if len(on) < CLEAR * np.count_nonzero(beside) / 2 or np.count_nonzero(within) > MOST_WITHIN * len(on):
        return []
    if _surprise(len(on), np.count_nonzero(beside) / 2) < SURE:
        return []
    x, y, fitted = map(float, circle)
    away = local[on, :2] - circle[:2]
    facing = float(np.mean((away * ways[on, :2]).sum(axis=1) / np.hypot(*away.T)))
    return [RoundWall(axis, x, y, fitted, float(low), float(high), len(on), facing)]


def _surprise(count: int, expected: float) -> float:
    """Nats by which a count of a Poisson process is more than expected, where that was counted too."""
    expected += 0.5
    return count * math.log(count / expected) - (count - expected)


def run_about(heights: np.ndarray, about: float) -> np.ndarray:
    """Rows of the heights that follow each other without a wide gap, around one height."""
    order = np.argsort(heights)
    ordered = heights[order]
    gap = LONGEST_GAP * (ordered[-1] - ordered[0]) / len(ordered)
    piece = np.concatenate(([0], np.cumsum(np.diff(ordered) > max(gap, 1e-9))))
    return order[piece == piece[np.abs(ordered - about).argmin()]]


def _is_round(away: np.ndarray) -> bool:
    counts = _by_sector(away)
    return np.count_nonzero(counts) >= FEWEST_SECTORS and np.sort(counts)[-2:].sum() <= MOST_IN_TWO * len(away)


def sectors_with_points(away: np.ndarray) -> int:
    """The number of the eight sectors around the origin that hold some of the points (n, 2)."""
    return np.count_nonzero(_by_sector(away))


def _by_sector(away: np.ndarray) -> np.ndarray:
    sector = ((np.arctan2(away[:, 1], away[:, 0]) / (2 * np.pi) + 1) * SECTORS).astype(int) % SECTORS
    return np.bincount(sector, minlength=SECTORS)


def _without_doubles(walls: list[RoundWall], near: float) -> list[RoundWall]:
    distinct: list[RoundWall] = []
    for wall in sorted(walls, key=lambda wall: -wall.count):
        double = any(
            np.hypot(wall.x - other.x, wall.y - other.y) < 2 * near + 0.1 * wall.radius
            and abs(wall.radius - other.radius) < 2 * near + 0.1 * wall.radius
            and wall.low < other.high
            and wall.high > other.low
            for other in distinct
        )
        if not double:
            distinct.append(wall)
    return distinct
