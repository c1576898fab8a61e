"""Removes points that do not belong to the part: lone points, the table under it, pieces of something else.

Each step reports what it removed and why. A clean cloud loses hardly a point: a closed part covers its own bottom face,
so that no face of it looks like a table, and its surface is a single piece.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import ConvexHull, QhullError, cKDTree

from cadrecode.cloud.check import MIN_DISTINCT
from cadrecode.cloud.normals import local_noise
from cadrecode.cloud.read import Cloud
from cadrecode.geometry import square_to
from cadrecode.links import linked_within

NEIGHBOURS = 12  # neighbours whose mean distance is the isolation of a point
LONELY = 3.0  # a point is alone if its isolation is this many times that of its neighbours
CROWD = 0.9  # or this many times this quantile of the isolation of all points
SAMPLE = 20_000  # points used for the noise and the table; more of a dense scan do not change them
PLANES_TRIED = 600  # triples of points, as in RANSAC (Fischler & Bolles 1981)
TABLE_SHARE = 0.1  # least share of the points that lie on a table
BEYOND = 0.01  # largest share of the points that may lie behind a table: a part stands on it
UNCOVERED = 0.3  # least share of a table's points with nothing above them; a face of a closed part has none
AROUND = 0.65  # least share of all directions in which a table goes on; the top of a box seen from a corner has half
DIRECTIONS = 36
FEWEST_ABOVE = 6  # cells of the part near a place under it
ONE_SIDED = 0.5  # length of their mean direction: 2/pi at an edge
LINK = 2.0  # points nearer than this many distances to the fourth neighbour are in the same piece
PIECE = 0.03  # of the largest piece: a larger piece may be a face whose surroundings the scanner did not see
APART = 0.5  # least share of a piece's points outside of the hull of the largest piece; walls of a bore lie inside


@dataclass(frozen=True)
class Cleaned:
    """A cloud after cleaning.

    Args:
        cloud: the remaining points, RAW.
        outliers: number of lone points removed.
        table: number of points of the table removed.
        pieces: number of points removed in pieces of something else.
        remaining: (N,) bool, which of the points before cleaning are in `cloud`.
    """

    cloud: Cloud
    outliers: int
    table: int
    pieces: int
    remaining: np.ndarray

    def __str__(self) -> str:
        total = len(self.remaining)
        taken = [
            (self.outliers, "lone points, far from their neighbours"),
            (self.table, "on the plane that the part stands on"),
            (self.pieces, "in pieces apart from the part"),
        ]
        reasons = [f"{count:,} {what}" for count, what in taken if count]
        return f"took {'; '.join(reasons)}; of {total:,}" if reasons else f"nothing to take from {total:,} points"


def clean(cloud: Cloud, *, surroundings: bool = True, seed: int = 0) -> Cleaned:
    """Remove points that do not belong to the part.

    Args:
        cloud: RAW.
        surroundings: remove the supporting plane and separate pieces too; False: lone points alone.
        seed: chooses the planes that are tried.
    Returns: the cloud without them. Steps that would leave fewer than 32 points remove nothing.
    """
    points = cloud.points
    remaining = ~lonely(points)
    if np.count_nonzero(remaining) < MIN_DISTINCT:
        remaining[:] = True
    outliers = len(points) - np.count_nonzero(remaining)
    table = pieces = 0
    if surroundings and len(points) > MIN_DISTINCT:
        table = _take(remaining, _on_a_table(points[remaining], seed))
        pieces = _take(remaining, _in_other_pieces(points[remaining]))
    normals = None if cloud.normals is None else cloud.normals[remaining]
    left = cloud if remaining.all() else replace(cloud, points=points[remaining], normals=normals)
    return Cleaned(left, int(outliers), table, pieces, remaining)


def _take(remaining: np.ndarray, taken: np.ndarray) -> int:
    """Clear `taken` points in the mask of the remaining, in place, unless hardly any would remain. Returns how many."""
    count = int(np.count_nonzero(taken))
    if np.count_nonzero(remaining) - count < MIN_DISTINCT:
        return 0
    remaining[np.flatnonzero(remaining)[taken]] = False
    return count


def lonely(points: np.ndarray) -> np.ndarray:
    """(N,) bool: points much farther from their neighbours than their neighbours are from theirs.

    A local outlier factor (Breunig et al. 2000) in its simplest form: sparse places of a scan stay.
    Groups of strays are compared with the whole cloud instead.
    """
    if len(points) <= NEIGHBOURS:
        return np.zeros(len(points), bool)
    distances, near = cKDTree(points).query(points, k=NEIGHBOURS + 1)
    own = distances[:, 1:].mean(axis=1)
    usual = np.median(own[near[:, 1:]], axis=1)
    return own > np.minimum(LONELY * np.maximum(usual, np.median(own) / LONELY), LONELY * np.quantile(own, CROWD))


# --- the table


def _on_a_table(points: np.ndarray, seed: int) -> np.ndarray:
    """(N,) bool: points on a plane that the other points stand on or before, and that goes on around them."""
    rng = np.random.default_rng(seed)
    few = points if len(points) <= SAMPLE else points[rng.choice(len(points), SAMPLE, replace=False)]
    size = float(np.ptp(points, axis=0).max())
    thickness = max(4 * local_noise(few), 2e-3 * size)
    spacing = float(np.median(cKDTree(few).query(few, k=2)[0][:, 1]))
    reach = max(4 * spacing, 2 * thickness, 0.02 * size)
    left = np.ones(len(few), bool)
    for _ in range(3):  # a table, or a face larger than it
        plane = _largest_plane(few[left], thickness, rng)
        if plane is None:
            break
        normal, level = plane
        heights = few @ normal - level
        on = np.abs(heights) < thickness
        if on.mean() < TABLE_SHARE:
            break
        for side in (1, -1):
            above, beyond = side * heights > thickness, side * heights < -thickness
            if beyond.mean() > BEYOND or above.mean() < BEYOND:
                continue
            if _goes_on_around(_flat(few[on], normal), _flat(few[above], normal), reach):
                return _on_or_behind(points, side * normal, side * level, thickness, reach)
        left &= ~on
    return np.zeros(len(points), bool)


def _largest_plane(points: np.ndarray, thickness: float, rng: np.random.Generator) -> tuple[np.ndarray, float] | None:
    """The plane with most points within `thickness`: its normal, and its height along it."""
    if len(points) < 3:
        return None
    tried = points[rng.permutation(len(points))[:2000]]
    a, b, c = tried[rng.integers(len(tried), size=(3, PLANES_TRIED))]
    normals = np.cross(b - a, c - a)
    lengths = np.linalg.norm(normals, axis=1)
    good = lengths > 1e-9 * lengths.max() if lengths.max() > 0 else lengths > 0
    if not good.any():
        return None
    normals, a = normals[good] / lengths[good, None], a[good]
    levels = np.einsum("ij,ij->i", normals, a)
    counts = (np.abs(tried @ normals.T - levels) < thickness).sum(axis=0)
    normal, level = normals[counts.argmax()], levels[counts.argmax()]
    for _ in range(3):
        on = points[np.abs(points @ normal - level) < thickness]
        if len(on) < 3:
            break
        middle = on.mean(axis=0)
        normal = np.linalg.eigh((on - middle).T @ (on - middle))[1][:, 0]
        level = float(middle @ normal)
    return normal, level


def _flat(points: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """(N, 2): points seen along a normal."""
    return points @ square_to(normal)


def _goes_on_around(plane: np.ndarray, part: np.ndarray, reach: float) -> bool:
    """Whether a plane is a table and no face of the part: much of it has nothing above it, in most directions.

    Args:
        plane: (K, 2), its points, seen along its normal.
        part: (M, 2), the points above it.
        reach: largest distance at which a point of the part covers a place of the plane.
    """
    uncovered = cKDTree(part).query(plane)[0] > reach
    if uncovered.mean() < UNCOVERED:
        return False
    try:
        hull = ConvexHull(part)
    except QhullError:  # all on a line: a wall, and no table goes on all around it
        return False
    outside = (plane @ hull.equations[:, :2].T + hull.equations[:, 2]).max(axis=1) > reach
    away = plane[outside] - part[hull.vertices].mean(axis=0)
    seen = np.unique(np.floor(np.arctan2(away[:, 1], away[:, 0]) / (2 * np.pi) * DIRECTIONS))
    return len(seen) >= AROUND * DIRECTIONS


def _on_or_behind(points: np.ndarray, normal: np.ndarray, level: float, thickness: float, reach: float) -> np.ndarray:
    """(N,) bool: points on a table or behind it, without the bottom face of the part.

    A part that does not reach down to the plane stands before it, and has no bottom there.
    """
    heights = points @ normal - level
    taken = heights < thickness
    if np.quantile(heights[~taken], 0.005) < thickness + reach:
        seen = _flat(points, normal)
        taken[taken] = ~_under(seen[taken], seen[~taken], reach) | (heights[taken] < -thickness)
    return taken


def _under(places: np.ndarray, part: np.ndarray, reach: float) -> np.ndarray:
    """(K,) bool: places with points of the part on all sides; a place beside the part has them on a single side."""
    cells = np.unique(np.round(part / (reach / 2)), axis=0) * (reach / 2)  # a wall seen from above counts once
    many = min(60, len(cells))
    distances, near = cKDTree(cells).query(places, k=many, distance_upper_bound=2 * reach)
    near_part = np.isfinite(distances) & (distances > 0)
    steps = cells[np.minimum(near, len(cells) - 1)] - places[:, None]
    directions = np.where(near_part[..., None], steps / np.where(near_part, distances, 1)[..., None], 0)
    counts = near_part.sum(axis=1)
    one_sided = np.linalg.norm(directions.sum(axis=1), axis=1) / np.maximum(counts, 1)
    return (counts >= FEWEST_ABOVE) & (one_sided < ONE_SIDED)


# --- other pieces


def _in_other_pieces(points: np.ndarray) -> np.ndarray:
    """(N,) bool: points of small pieces that lie apart from the largest piece and outside of its hull."""
    spacing = float(np.quantile(cKDTree(points).query(points, k=5)[0][:, -1], 0.9))
    piece = linked_within(points, LINK * spacing)
    sizes = np.bincount(piece)
    largest = int(sizes.argmax())
    outside = _outside(points, points[piece == largest], spacing)
    share = np.bincount(piece, weights=outside) / sizes
    apart = (sizes < PIECE * sizes[largest]) & (share > APART)
    return apart[piece]


def _outside(points: np.ndarray, of: np.ndarray, margin: float) -> np.ndarray:
    """(N,) bool: points outside of the convex hull of other points, by more than the margin."""
    try:
        planes = ConvexHull(of).equations
    except QhullError:  # flat: there is no inside
        return np.ones(len(points), bool)
    outside = np.zeros(len(points), bool)
    for normal_and_level in planes:
        outside |= points @ normal_and_level[:3] + normal_and_level[3] > margin
    return outside
