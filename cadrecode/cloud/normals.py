"""Outward normals of a cloud: of local planes, turned to the side from which a point can be seen.

A surface distance cannot tell a shaft from a tube of the same radii; the side on which the solid lies can.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix
from scipy.spatial import ConvexHull, QhullError, cKDTree

from cadrecode.errors import Message
from cadrecode.geometry import bounding_box

NEIGHBOURS = 12  # points of a local plane in a clean cloud
NEIGHBOURS_NOISY = 40  # and in a noisy cloud
FLATTEST = 0.02  # quantile of the patches' spread that gives the noise; edges and bends thicken other patches
FLATTEST_SPREAD = 0.26  # that quantile for 12-point patches, in units of the noise (Gaussian noise on a plane, drawn)
# `_noise_of_planes`: points of a patch, points on its plane, planes tried
BUNDLE, ON_PLANE, TRIPLES, BUNDLES = 20, 9, 60, 400
# quantile over the patches, and its value in units of the noise (drawn as above)
PLANE_QUANTILE, PLANE_SPREAD = 0.25, 0.29
# `_faces_at`: points of a patch, planes tried, fewest points of a face
CORNERS, CORNER_TRIPLES, FEWEST_ON_FACE = 20, 48, 7
# in neighbour distances, and in units of the noise: how far a face's points lie off it
ON_FACE, ON_FACE_OF_NOISE = 0.03, 2.5
AT_ONCE = 4096  # points whose planes are tried together
NOISY = 0.25  # a cloud is noisy above this noise, in units of the distance to the nearest neighbour
VIEWS = 40  # eyes; twice as many turn another 0.1 % of the points to the right side, in twice the time
VIEW_DISTANCE = 4.0  # of an eye from the centre, in radii of the cloud
HIDING_RADIUS = 100.0  # in largest distances from the eye; a larger radius sees into hollows, and through thin walls
SEEN_POINTS = 8192  # points that the eyes look at; others take the side of their neighbours
CERTAIN_VOTES = 0.2  # share of the views that makes a side certain; with less, a point may be seen through a wall
# `_along_surface`: neighbours, rounds, weight of a sure side in neighbours
SIDE_NEIGHBOURS, SIDE_ROUNDS, OWN_WEIGHT = 16, 150, 6.0
TURNED_ALIKE, CROSSING = 0.25, 0.3  # of the turn between two normals, and the least sine of a line with two faces
GUESSED = 0.4  # confidence of a side that only the neighbours tell
FEWEST_POINTS = 16  # fewer points make no surface
# of `checked_directions`: points looked at, and the share of those seen well whose normals agree with that; of true
# normals of thin parts at least 0.81 do
CHECKED_POINTS, BELIEVED = 2048, 0.7


@dataclass(frozen=True)
class Normals:
    """Outward directions of a cloud's points.

    Args:
        directions: (N, 3) float64, unit length.
        confidence: (N,) float64 in [0, 1]: how many views agree on the side; 0 where the side is not known.
        noise: how far points lie off their local planes, in the cloud's unit.
        estimated: whether they were estimated from the points, and not given.
    """

    directions: np.ndarray
    confidence: np.ndarray
    noise: float
    estimated: bool = False

    def of(self, rows: np.ndarray) -> Normals:
        """The normals of some of the points, by their row numbers."""
        return Normals(self.directions[rows], self.confidence[rows], self.noise, self.estimated)


def given_normals(points: np.ndarray, directions: np.ndarray) -> Normals:
    """The normals of a file, (N, 3) of any length, with full confidence; zeros and NaN have none."""
    lengths = np.linalg.norm(directions, axis=1)
    known = np.isfinite(lengths) & (lengths > 0)
    outward = np.tile((0.0, 0.0, 1.0), (len(points), 1))
    outward[known] = directions[known] / lengths[known, None]
    return Normals(outward, known.astype(np.float64), local_noise(points))


def checked_directions(
    points: np.ndarray, directions: np.ndarray, *, seed: int = 0
) -> tuple[np.ndarray | None, list[Message]]:
    """The normals of a file as far as they point out of the surface that can be seen.

    Args:
        points, directions: (N, 3), of any length.
        seed: Chooses the points that are looked at.
    Returns: (N, 3), turned about where they point inwards, None where they point to both sides; and what was done.
    """
    rows = np.random.default_rng(seed).permutation(len(points))[:CHECKED_POINTS]
    given = given_normals(points[rows], directions[rows])
    votes = given.confidence * _votes(points[rows], given.directions)
    sure = np.abs(votes) > CERTAIN_VOTES * VIEWS / 2
    if np.count_nonzero(sure) < FEWEST_POINTS:
        return directions, []
    outward = float((votes[sure] > 0).mean())
    if outward > BELIEVED:
        return directions, []
    if outward < 1 - BELIEVED:
        return -directions, [Message("The normals of the file point into the part: they were turned about.")]
    return None, [Message("The normals of the file point to both sides: others were estimated.")]


def outward_normals(points: np.ndarray, *, seed: int = 0) -> Normals:
    """Estimate a normal at each point and turn it outward.

    A point is seen from outside: each of VIEWS eyes around the cloud votes on the points that are not hidden from it
    (Katz et al. 2007: the points on the convex hull of the cloud turned inside out around the eye).

    Args:
        points: (N, 3) float, any frame.
        seed: chooses the points that the eyes look at.
    Returns: directions, confidence 0 for all where there are fewer than 16 points or they lie in one plane.
    """
    points = np.asarray(points, np.float64)
    if len(points) < FEWEST_POINTS:
        return Normals(np.tile((0.0, 0.0, 1.0), (len(points), 1)), np.zeros(len(points)), 0.0, True)
    directions, noise = _plane_normals(points, cKDTree(points))
    return turned_outward(points, Normals(directions, np.zeros(len(points)), noise, True), seed=seed)


def turned_outward(
    points: np.ndarray, normals: Normals, *, seed: int = 0, hidden_sides: Sequence[tuple[int, int]] = ()
) -> Normals:
    """Normals of either sign, of at least 16 points, turned outward; see `outward_normals`.

    Args:
        hidden_sides: (axis, -1 or 1) of each side without points, through which no eye may look into the part.
    """
    directions = normals.directions
    chosen = np.sort(np.random.default_rng(seed).permutation(len(points))[:SEEN_POINTS])
    votes = _votes(points[chosen], directions[chosen], hidden_sides)
    own = np.sign(votes) * _confidence(votes)
    sides = _along_surface(points[chosen], directions[chosen], own, normals.noise)
    side, confidence = np.sign(sides), np.abs(sides)
    if len(chosen) < len(points):
        side, confidence = _from_neighbours(points, directions, chosen, sides)
    return Normals(directions * np.where(side < 0, -1.0, 1.0)[:, None], confidence, normals.noise, normals.estimated)


def local_noise(points: np.ndarray) -> float:
    """How far points lie off the planes through their neighbours, in the cloud's unit."""
    points = np.asarray(points, np.float64)
    return _plane_normals(points, cKDTree(points))[1] if len(points) >= FEWEST_POINTS else 0.0


def _plane_normals(points: np.ndarray, tree: cKDTree) -> tuple[np.ndarray, float]:
    """The normal of the plane through each point's neighbours, of either sign, (N, 3); and the noise."""
    distances, near = tree.query(points, k=min(NEIGHBOURS_NOISY, len(points)))
    patches = points[near[:, : min(NEIGHBOURS, len(points))]]
    directions, spread = thinnest(patches)
    noise = _noise(patches, directions)
    if noise > 0:
        noise = min(noise, _noise_of_planes(points, near))
    apart = float(np.median(distances[:, 1]))
    if noise > NOISY * apart:
        return thinnest(points[near])[0], noise
    close = max(ON_FACE * apart, ON_FACE_OF_NOISE * noise)
    thick = np.flatnonzero(spread > close)
    for begin in range(0, len(thick), AT_ONCE):
        rows = thick[begin : begin + AT_ONCE]
        directions[rows] = _faces_at(points, near[rows, :CORNERS], directions[rows], close)
    return directions, noise


def _faces_at(points: np.ndarray, near: np.ndarray, otherwise: np.ndarray, close: float) -> np.ndarray:
    """(n, 3): the normal of the face that each place lies on, where the points around it are of several faces.

    Args:
        near: (n, k) rows of the points around each place; the first is the place itself.
        otherwise: (n, 3) for places with too few points in one plane.
        close: How near to a plane its points lie.
    """
    bundles = points[near] - points[near[:, :1]]
    if bundles.shape[1] < FEWEST_ON_FACE + 1:
        return otherwise
    off = np.abs(np.einsum("nki,nti->ntk", bundles, _planes_through(bundles, CORNER_TRIPLES)))
    lack = np.minimum(off / close, 1).sum(axis=2)
    best = np.take_along_axis(off, lack.argmin(axis=1)[:, None, None], axis=1)[:, 0] < close
    count = best.sum(axis=1)
    middle = np.einsum("nk,nki->ni", best, bundles) / np.maximum(count, 1)[:, None]
    centred = (bundles - middle[:, None]) * best[..., None]
    normals = np.linalg.eigh(centred.transpose(0, 2, 1) @ centred)[1][:, :, 0]
    return np.where((count >= FEWEST_ON_FACE)[:, None], normals, otherwise)


def _planes_through(bundles: np.ndarray, count: int) -> np.ndarray:
    """(n, count, 3): normals of planes through the first of each bundle (n, k, 3), the origin, and two others."""
    rng = np.random.default_rng(0)
    first, second = np.array([rng.choice(np.arange(1, bundles.shape[1]), 2, replace=False) for _ in range(count)]).T
    across = np.cross(bundles[:, first], bundles[:, second])
    return across / np.maximum(np.linalg.norm(across, axis=2, keepdims=True), np.finfo(float).tiny)


def _noise(patches: np.ndarray, directions: np.ndarray) -> float:
    """The noise, from the distances of points to the middle of their own side of the plane.

    A patch of a wall that is thinner than the spacing holds points of both faces: it is thick without any noise.
    """
    off = np.einsum("ijk,ik->ij", patches - patches.mean(axis=1, keepdims=True), directions)
    spread = np.zeros(len(off))
    for side in (off > 0, off <= 0):
        middle = np.sum(off, axis=1, where=side) / np.maximum(side.sum(axis=1), 1)
        spread += np.sum((off - middle[:, None]) ** 2, axis=1, where=side)
    return float(np.quantile(np.sqrt(spread / _spare(patches)), FLATTEST)) / FLATTEST_SPREAD


def _noise_of_planes(points: np.ndarray, near: np.ndarray) -> float:
    """The noise by the best plane through a place: how far the nearest of the points around it lie off that plane.

    Where a part is made of thin walls and narrow gaps, all patches hold points of several faces, and `_noise` takes the
    distance of the faces for noise. A plane through three points of one face is as near to the others of that face as
    the noise allows (least quantile of squares, Rousseeuw 1984).
    """
    rng = np.random.default_rng(0)
    rows = rng.permutation(len(points))[:BUNDLES]
    bundles = points[near[rows, : min(BUNDLE, near.shape[1])]] - points[rows, None]
    if bundles.shape[1] < ON_PLANE + 1:
        return np.inf
    off = np.abs(np.einsum("nki,nti->ntk", bundles, _planes_through(bundles, TRIPLES)))
    nearest = np.partition(off, ON_PLANE - 1, axis=2)[:, :, ON_PLANE - 1].min(axis=1)
    return float(np.quantile(nearest, PLANE_QUANTILE)) / PLANE_SPREAD


def thinnest(patches: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N, k, 3) -> the direction in which each patch is thinnest (N, 3), and its deviation in it (N,)."""
    centred = patches - patches.mean(axis=1, keepdims=True)
    values, vectors = np.linalg.eigh(centred.transpose(0, 2, 1) @ centred)
    return vectors[:, :, 0], np.sqrt(np.maximum(values[:, 0], 0) / _spare(patches))


def _spare(patches: np.ndarray) -> int:
    """Degrees of freedom: a plane through k points always fits three of them."""
    return max(patches.shape[1] - 3, 1)


def _votes(points: np.ndarray, directions: np.ndarray, hidden_sides: Sequence[tuple[int, int]] = ()) -> np.ndarray:
    """(n,): for each point the sum of cosines towards the eyes that see it."""
    centre = bounding_box(points).mean(axis=0)
    radius = float(np.linalg.norm(points - centre, axis=1).max())
    votes = np.zeros(len(points))
    for direction in _spread(VIEWS):
        if any(direction[axis] * way > 0 for axis, way in hidden_sides):
            continue
        eye = centre + direction * radius * VIEW_DISTANCE
        rays = points - eye
        lengths = np.linalg.norm(rays, axis=1, keepdims=True)
        rays /= lengths
        turned = rays * (2 * HIDING_RADIUS * lengths.max() - lengths)
        try:
            hull = ConvexHull(np.vstack((turned, np.zeros(3)))).vertices
        except QhullError:  # seen edge-on, a flat cloud has no hull
            continue
        seen = hull[hull < len(points)]
        cosines = -np.einsum("ij,ij->i", rays[seen], directions[seen])
        votes[seen] += cosines
    return votes


def _confidence(votes: np.ndarray) -> np.ndarray:
    """(n,) in [0, 1]: 0.5 where the votes of a tenth of the views agree.

    Half of the views see a point of a convex part, at a mean cosine of 0.5: it gets a quarter of the votes.
    """
    return np.minimum(np.abs(votes) / (CERTAIN_VOTES * VIEWS), 1.0)


def _spread(count: int) -> np.ndarray:
    """(count, 3) directions, evenly over the sphere: a Fibonacci spiral."""
    index = np.arange(count) + 0.5
    polar, around = np.arccos(1 - 2 * index / count), np.pi * (1 + 5**0.5) * index
    return np.column_stack((np.cos(around) * np.sin(polar), np.sin(around) * np.sin(polar), np.cos(polar)))


def _along_surface(points: np.ndarray, directions: np.ndarray, own: np.ndarray, noise: float) -> np.ndarray:
    """Sides, with their confidence, that agree with those of the points around.

    Two points of one face look the same way. Of points of two faces, a line from one to the other leaves the solid, or
    the air, at both or at none (Koenig and Gumhold 2009). So points that few eyes see learn their side from others.

    Args:
        points, directions: (n, 3).
        own: (n,) in [-1, 1]: the side of each by the views, and how sure it is.
        noise: How far points lie off their faces.
    Returns: (n,) in [-1, 1].
    """
    distances, near = cKDTree(points).query(points, k=min(SIDE_NEIGHBOURS + 1, len(points)))
    apart = float(np.median(distances[:, 1]))
    rows, columns = np.repeat(np.arange(len(points)), near.shape[1] - 1), near[:, 1:].ravel()
    way = points[columns] - points[rows]
    length = np.maximum(np.linalg.norm(way, axis=1), np.finfo(float).tiny)
    leaving = np.einsum("ij,ij->i", directions[rows], way) / length
    arriving = np.einsum("ij,ij->i", directions[columns], way) / length
    cosine = np.einsum("ij,ij->i", directions[rows], directions[columns])
    half_turn = np.sqrt(np.maximum(1 - np.abs(cosine), 0) / 2)  # sine of half the angle
    slack = np.maximum(max(ON_FACE * apart, ON_FACE_OF_NOISE * noise) / length, TURNED_ALIKE * half_turn)
    one_face = np.maximum(abs(np.abs(leaving) - half_turn), abs(np.abs(arriving) - half_turn)) < slack
    one_face &= np.abs(cosine) > 0.7
    crossing = ~one_face & (np.minimum(np.abs(leaving), np.abs(arriving)) > CROSSING)
    alike = np.where(one_face, cosine, np.where(crossing, -leaving * arriving, 0.0))
    graph = coo_matrix((alike, (rows, columns)), shape=(len(points),) * 2).tocsr()
    graph = (graph + graph.T) / 2
    weight = OWN_WEIGHT * np.abs(own)
    total = np.maximum(weight + np.asarray(abs(graph).sum(axis=1)).ravel(), np.finfo(float).tiny)
    sides = own
    for _ in range(SIDE_ROUNDS):
        sides = (weight * np.sign(own) + graph @ sides) / total
    sure = np.where(np.sign(own) == np.sign(sides), np.abs(own), 0.0)
    return np.sign(sides) * np.maximum(sure, GUESSED * np.abs(sides))


def _from_neighbours(
    points: np.ndarray, directions: np.ndarray, chosen: np.ndarray, own: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Sides and confidence of all points; those that were not chosen take them from the nearest of a like plane."""
    side, confidence = np.zeros(len(points)), np.zeros(len(points))
    side[chosen], confidence[chosen] = np.sign(own), np.abs(own)
    others = np.setdiff1d(np.arange(len(points)), chosen, assume_unique=True)
    _, near = cKDTree(points[chosen]).query(points[others], k=min(5, len(chosen)))
    cosines = np.einsum("ij,ikj->ik", directions[others], directions[chosen[near]])
    sums = (cosines * own[near]).sum(axis=1)
    side[others], confidence[others] = np.sign(sums), np.abs(sums) / near.shape[1]
    return side, confidence
