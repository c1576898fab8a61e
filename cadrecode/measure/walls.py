"""Points of walls, seen along an axis: the lines and circles of outlines are moved onto them."""

from __future__ import annotations

import numpy as np

from cadrecode.geometry import turned_left
from cadrecode.program.planes import plane_axes

LEAN = 0.35  # cosine of a wall's normal with the axis, at most
ALIGNED = 0.9  # cosine between a point's normal and that of the line or the circle it may lie on
LOOSELY = 0.6  # the same where the middle of the circle is not known well
FEWEST_LINE, FEWEST_CIRCLE = 4, 6
# of the reach, and of the noise: points of a circle lie on it as near as this, in the median
ON_CIRCLE, ON_CIRCLE_OF_NOISE = 0.25, 0.5
LINE_ROUNDS = 3  # of a line's fit, each without the points that the one before left far off
COLLINEAR = 1e-10  # of the sum of squares: points so near to a line are solved for with more care
TRIM = 3.0  # median deviations: points farther off are of something else
LEAST_SPREAD = 0.4  # of a line's length: points that cover less of it do not turn it
MOST_BARE = 0.25  # of an arc's length: how much of it may be far from points
LEAST_AROUND = 0.55  # of a circle's resultant: points all on one side (1.0) say little about its middle


class Walls:
    """The wall points of one slab, on the plane of its sketch.

    Args:
        points, normals: (n, 2) CODE, normals of length 1.
        reach: How far an outline may be from its points.
        noise: How far points lie off their walls.
    """

    def __init__(self, points: np.ndarray, normals: np.ndarray, reach: float, noise: float = 0.0):
        self.points, self.normals, self.reach, self.noise = points, normals, reach, noise

    @classmethod
    def between(
        cls, points: np.ndarray, normals: np.ndarray, axis: int, low: float, high: float, reach: float, noise: float
    ) -> Walls:
        """The walls of a cloud, (N, 3) each, between two heights along an axis."""
        chosen = (np.abs(normals[:, axis]) < LEAN) & (points[:, axis] > low) & (points[:, axis] < high)
        across = plane_axes(axis)
        flat = normals[chosen][:, across]
        flat = flat / np.maximum(np.hypot(*flat.T), 1e-9)[:, None]
        return cls(points[chosen][:, across], flat, reach, noise)

    def line(self, start: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """Middle and direction of the line through the points near a side; None where there are too few."""
        length = float(np.hypot(*(end - start)))
        direction = (end - start) / max(length, 1e-9)
        normal = turned_left(direction)
        away = self.points - start
        along = away @ direction
        margin = min(0.5 * self.reach, 0.2 * length)
        near = (np.abs(away @ normal) < self.reach) & (along > margin) & (along < length - margin)
        near &= np.abs(self.normals @ normal) > ALIGNED
        points = self.points[near]
        if len(points) < FEWEST_LINE:
            return None
        for _ in range(LINE_ROUNDS):
            points = points[_kept((points - points.mean(axis=0)) @ normal)]
            middle = points.mean(axis=0)
            if np.ptp(points @ direction) < LEAST_SPREAD * length or len(points) < FEWEST_LINE:
                return middle, direction
            fitted = np.linalg.svd(points - middle, full_matrices=False)[2][0]
            direction = fitted * np.sign(fitted @ direction)
            normal = turned_left(direction)
        return middle, direction

    def circle(self, x: float, y: float, radius: float) -> tuple[float, float, float] | None:
        """The circle through the points near one; None where there are too few, all on one side, or off it."""
        near, radial = self._near_circle(x, y, radius)
        if np.count_nonzero(near) < FEWEST_CIRCLE or np.hypot(*radial[near].mean(axis=0)) > LEAST_AROUND:
            return None
        fitted = self._through(near, x, y, radius)
        if fitted is None or not fitted[2] > 2 * self.noise:
            return fitted
        # squares of distances are summed, to which noise adds that of both of its directions
        return fitted[0], fitted[1], float(np.sqrt(fitted[2] ** 2 - 2 * self.noise**2))

    def circle_around(self, x: float, y: float, radius: float) -> tuple[float, float, float] | None:
        """`circle`, for a hole so small that its middle and its size are known no better than the reach."""
        away = self.points - (x, y)
        distance = np.hypot(*away.T)
        facing = np.abs((away * self.normals).sum(axis=1)) > LOOSELY * distance
        points = self.points[facing & (distance < 1.3 * radius + 1.5 * self.reach)]
        return self.circle(*circle_through_all(points)) if len(points) >= FEWEST_CIRCLE else None

    def arc(
        self, x: float, y: float, radius: float, start: np.ndarray, end: np.ndarray, middle: np.ndarray
    ) -> tuple[float, float, float] | None:
        """`circle`, by the points between two ends of an arc."""
        near, radial = self._near_circle(x, y, radius)
        toward = (middle - (x, y)) / max(np.hypot(*(middle - (x, y))), 1e-9)
        widest = min(((place - (x, y)) / max(np.hypot(*(place - (x, y))), 1e-9)) @ toward for place in (start, end))
        near &= radial @ toward > widest
        return self._through(near, x, y, radius) if np.count_nonzero(near) >= FEWEST_CIRCLE else None

    def follow(self, center: np.ndarray, radius: float, start: np.ndarray, sweep: float) -> bool:
        """Whether points lie all along an arc, but for the corner at its end: gaps longer than the reach are few.

        Args:
            start: (2,), where it begins.
            sweep: Radians, positive counter-clockwise.
        """
        near, radial = self._near_circle(center[0], center[1], radius)
        off = np.abs(np.hypot(*(self.points - center).T) - radius)
        near &= off < ON_CIRCLE * self.reach + ON_CIRCLE_OF_NOISE * self.noise
        (x, y), begin = radial[near].T, (start - center) / radius
        angles = np.arctan2(begin[0] * y - begin[1] * x, begin[0] * x + begin[1] * y) * np.sign(sweep)
        angles = np.sort(angles[(angles > 0) & (angles < abs(sweep))])
        gaps = np.diff(angles, prepend=0.0, append=max(abs(sweep) - self.reach / radius, 0.0))
        bare = np.maximum(gaps * radius - self.reach, 0.0).sum()
        return len(angles) >= FEWEST_LINE and bool(bare < MOST_BARE * abs(sweep) * radius)

    def has_points_near(self, polygon: np.ndarray) -> bool:
        """Whether enough points lie about a contour to say more of it than the contour itself."""
        low, high = polygon.min(axis=0) - self.reach, polygon.max(axis=0) + self.reach
        return np.count_nonzero(((self.points > low) & (self.points < high)).all(axis=1)) >= 2 * FEWEST_CIRCLE

    def _near_circle(self, x: float, y: float, radius: float) -> tuple[np.ndarray, np.ndarray]:
        away = self.points - (x, y)
        distance = np.hypot(*away.T)
        radial = away / np.maximum(distance, 1e-9)[:, None]
        near = np.abs(distance - radius) < min(self.reach, 0.6 * radius)
        return near & (np.abs((radial * self.normals).sum(axis=1)) > ALIGNED - 0.2), radial

    def _through(self, near: np.ndarray, x: float, y: float, radius: float) -> tuple[float, float, float] | None:
        points = self.points[near]
        for _ in range(2):
            circle = circle_through_all(points)
            off = np.hypot(*(points - circle[:2]).T) - circle[2]
            points = points[_kept(off)]
        circle = circle_through_all(points)
        off = np.hypot(*(self.points[near] - circle[:2]).T) - circle[2]
        close = np.hypot(circle[0] - x, circle[1] - y) < self.reach and abs(circle[2] - radius) < self.reach
        most = ON_CIRCLE * self.reach + ON_CIRCLE_OF_NOISE * self.noise
        return circle if close and np.median(np.abs(off)) < most else None


def _kept(off: np.ndarray) -> np.ndarray:
    """(n,) bool: those that are not far from the median."""
    from_median = np.abs(off - np.median(off))
    return from_median <= TRIM * np.median(from_median) + 1e-6


def circle_through_all(points: np.ndarray) -> tuple[float, float, float]:
    """(x, y, radius) of the circle nearest to (n, 2) points, by linear least squares (Kasa 1976)."""
    middle = points.mean(axis=0)
    local = points - middle
    squares = np.einsum("ij,ij->i", local, local)
    (xx, xy), (_, yy) = 2 * (local.T @ local)
    right = local.T @ squares
    determinant = xx * yy - xy * xy
    if determinant > COLLINEAR * (xx + yy) ** 2:
        x, y = (yy * right[0] - xy * right[1]) / determinant, (xx * right[1] - xy * right[0]) / determinant
    else:
        x, y = np.linalg.lstsq(2 * local, squares - squares.mean(), rcond=None)[0]
    rest = float(squares.mean())  # the sums of the local coordinates are 0
    return float(x + middle[0]), float(y + middle[1]), float(np.sqrt(max(rest + x * x + y * y, 0)))


def circles_through(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """(n, 3): the circles through three points each, (n, 2)."""
    b, c = b - a, c - a
    twice = 2 * (b[:, 0] * c[:, 1] - b[:, 1] * c[:, 0])
    bb, cc = (b**2).sum(axis=1), (c**2).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        x, y = (c[:, 1] * bb - b[:, 1] * cc) / twice, (b[:, 0] * cc - c[:, 0] * bb) / twice
        return np.column_stack((a[:, 0] + x, a[:, 1] + y, np.hypot(x, y)))
