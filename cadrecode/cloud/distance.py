"""How far a surface is from a cloud. The home of igl, whose point-to-triangle distances are exact.

A sampled Chamfer distance has noise as large as the errors that rank candidates. Distances from the cloud's points are
exact here; places on the surface that are closer to a point than the cloud's points are to each other count as 0.
A distance does not know on which side the solid lies, so the cloud's normals count too, where they are known.
"""

from __future__ import annotations

from dataclasses import dataclass

import igl
import numpy as np
from scipy.spatial import cKDTree

from cadrecode.cloud.normals import Normals
from cadrecode.geometry import bounding_box, corner_crosses, face_normals, fold_into_triangle, places_on

MAX_RULER_POINTS = 8192  # more points cost time and change no ranking
MOST_POINTS = 200_000  # of a cloud whose normals are kept; the others are kept without
SURFACE_SAMPLES = 4096
SPACING_QUANTILE, SPACING_FACTOR = 0.95, 1.5  # of evenly random points, 1 in 1,000 places is farther from a point
SURE = 0.5  # normals of less confidence may have the wrong sign
SUPPORTERS = 12  # nearest points of a place that are tried for a normal that agrees with its own
ONE_SIDED = 0.12  # length of the mean normal: of a closed surface it is 0, of a box without its bottom 0.2
UNEXPLAINED = 5.0  # nats: cost of a point that lies on no surface
AWAY = -0.5  # cosine; a normal at an edge lies between the normals of its faces, and supports both
ROUNDING = 1.25e-3  # of the longest side, a quarter of a CODE unit: shorter distances count by their squares
WRONG_SIDE = 0.02  # of the longest side: the cost of a point on a surface that faces the other way
UNSUPPORTED_WEIGHT = 2.0  # surface far from all points is seldom large, and always wrong
GOLDEN = 0.7548776662466927, 0.5698402909980532  # steps of the even sequence in a square (Roberts' R2)


def point_to_surface(points: np.ndarray, vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Exact unsigned distance from each point to a triangle mesh.

    Args:
        points: (N, 3), in the frame of the mesh.
        vertices: (n, 3).
        faces: (m, 3) int, m >= 1.
    Returns: (N,) float64, in that frame's unit.
    """
    return nearest_on_surface(points, vertices, faces)[0]


def nearest_on_surface(
    points: np.ndarray, vertices: np.ndarray, faces: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distances (N,) from points to a triangle mesh, the nearest triangles (N,) and the places on them (N, 3)."""
    if not len(faces):
        raise ValueError("A mesh without faces has no surface to measure to.")
    squared, triangles, places = igl.point_mesh_squared_distance(
        np.ascontiguousarray(points, np.float64),
        np.ascontiguousarray(vertices, np.float64),
        np.ascontiguousarray(faces, np.int64),
    )
    return np.sqrt(np.maximum(squared, 0.0)), triangles, places


def signed_gaps(points: np.ndarray, vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """`point_to_surface`, negative for points behind the nearest triangle.

    Near an edge that may be the wrong side; `cloud.signed` is right there, and slower.
    """
    gaps, triangles, places = nearest_on_surface(points, vertices, faces)
    return _signed(gaps, points - places, corner_crosses(vertices[faces[triangles]]))


def _signed(gaps: np.ndarray, ways: np.ndarray, facing: np.ndarray) -> np.ndarray:
    """(N,): gaps, negative where the way (N, 3) from surface to point goes against the surface's normal (N, 3)."""
    return np.where(np.einsum("ij,ij->i", ways, facing) >= 0, gaps, -gaps)


def surprise(
    points: np.ndarray, normals: np.ndarray | None, vertices: np.ndarray, faces: np.ndarray, close: float
) -> np.ndarray:
    """(N,) nats that each point costs beside a surface: none on it, UNEXPLAINED far from it or where it faces the other
    way.

    Args:
        points: (N, 3), in the frame of the mesh.
        normals: (N, 3) of the points; rows of zeros where they are not sure.
        close: How far the points of a surface lie off it.
    """
    gaps, triangles, _ = nearest_on_surface(points, vertices, faces)
    costs = np.minimum(np.log1p((gaps / close) ** 2), UNEXPLAINED)
    if normals is None:
        return costs
    facing = np.einsum("ij,ij->i", face_normals(vertices, faces)[triangles], normals)
    return np.where(facing < AWAY, UNEXPLAINED, costs)


@dataclass(frozen=True)
class Measured:
    """A comparison of a surface with a cloud, in the cloud's unit.

    Args:
        gaps: (N,) from each point to the surface; positive outside of the solid, negative inside.
        facing: (N, 3) unit normals of the surface where it is nearest to each point.
        agreement: (N,) cosines between the cloud's normals and the surface's; 1 where the cloud's are not sure.
        samples: (M, 3) places on the surface.
        unsupported: (M,) how much farther than the spacing each place is from every point whose normal agrees.
        gap: the mean of the gaps, softened by the ruler's floor.
        distance: see `CloudRuler.distance`.
    """

    gaps: np.ndarray
    facing: np.ndarray
    agreement: np.ndarray
    samples: np.ndarray
    unsupported: np.ndarray
    gap: float
    distance: float


class CloudRuler:
    """Measures surfaces against a cloud. Made once for a cloud, used for each of its candidates.

    Args:
        points: (N, 3) float, in the frame of the surfaces. Larger clouds are thinned to 8,192 points.
        normals: their normals; without them the side on which the solid lies does not count.
        further: (M, 3) points of the same surface, in random order, whose normals are not known.
        seed: decides which points thinning takes.

    Attributes:
        points: (n, 3) the points that are measured.
        all_points, all_normals: the whole cloud, or 200,000 of its points; in random order where there are more than
            8,192.
        further: As above, for what is too small for those.
        box: (2, 3) lowest and highest corner of the cloud's bounding box.
        size: its longest side.
        spacing: how far apart neighbours in the cloud may lie; surface closer than that to a point is supported.
        noise: how far points lie off the surface.
        is_noisy: whether the noise is larger than the error of rounded numbers.
        floor: errors below it count by their squares: the cloud's noise, at least ROUNDING.
    """

    def __init__(
        self, points: np.ndarray, normals: Normals | None = None, *, further: np.ndarray | None = None, seed: int = 0
    ):
        points = np.asarray(points, np.float64)
        self.further = np.empty((0, 3)) if further is None else np.asarray(further, np.float64)
        self.box = bounding_box(points)
        self.all_points, self.all_normals = points, normals
        if len(points) > MAX_RULER_POINTS:
            rows = np.random.default_rng(seed).permutation(len(points))[:MOST_POINTS]  # scanners write line after line
            points, normals = points[rows], normals and normals.of(rows)
            self.all_points, self.all_normals = points, normals
            points, normals = points[:MAX_RULER_POINTS], normals and normals.of(np.arange(MAX_RULER_POINTS))
        self.points, self.normals = points, normals
        self.size = float(np.ptp(points, axis=0).max())
        self.spacing = _spacing(points)
        self.noise = normals.noise if normals else 0.0
        self.is_noisy = self.noise > ROUNDING * self.size
        self.floor = max(ROUNDING * self.size, self.noise)
        self._tree, self._tree_normals = cKDTree(points), normals
        self._set_samples(SURFACE_SAMPLES)

    def coarse(self, n_points: int, n_samples: int, seed: int = 0) -> CloudRuler:
        """A ruler of fewer points and places on the surface, for a first look at candidates of the same cloud."""
        ruler = object.__new__(CloudRuler)
        ruler.__dict__.update(self.__dict__)
        if len(self.points) > n_points:
            chosen = np.sort(np.random.default_rng(seed).permutation(len(self.points))[:n_points])
            ruler.points, ruler.normals = self.points[chosen], self.normals and self.normals.of(chosen)
        ruler._set_samples(min(n_samples, len(self._shares)))
        return ruler

    def _set_samples(self, count: int) -> None:
        self._shares = (np.arange(count) + 0.5) / count
        self._in_triangle = fold_into_triangle(np.outer(GOLDEN, np.arange(1, count + 1)) % 1)

    def distance(self, vertices: np.ndarray, faces: np.ndarray) -> float:
        """Mean distance of the points to the surface, plus that of the surface to the points beyond their spacing, plus
        a cost for points on the wrong side of it.

        Args:
            vertices: (n, 3), in the cloud's frame.
            faces: (m, 3) int.
        Returns: a length in the cloud's unit, 0 when the surface passes through all points and all of it is supported.
        """
        return self.measure(vertices, faces).distance

    def measure(self, vertices: np.ndarray, faces: np.ndarray) -> Measured:
        """`distance`, with its parts."""
        gaps, triangles, places = nearest_on_surface(self.points, vertices, faces)
        corners = vertices[faces]  # (m, 3 corners, 3)
        cross = corner_crosses(corners)
        areas = np.linalg.norm(cross, axis=1)
        directions = cross / np.maximum(areas, np.finfo(float).tiny)[:, None]

        facing = directions[triangles]
        agreement, wrong = np.ones(len(gaps)), 0.0
        if self.normals is not None:
            sure = self.normals.confidence >= SURE
            agreement[sure] = np.einsum("ij,ij->i", facing[sure], self.normals.directions[sure])
            wrong = WRONG_SIDE * self.size * float((np.maximum(-agreement, 0) * self.normals.confidence).mean())

        samples, chosen = places_on(corners, areas, self._shares, self._in_triangle)
        unsupported = self._unsupported(samples, directions[chosen])
        gap = self._softened(gaps)
        distance = gap + UNSUPPORTED_WEIGHT * self._softened(unsupported) + wrong
        gaps = _signed(gaps, self.points - places, facing)
        return Measured(gaps, facing, agreement, samples, unsupported, gap, distance)

    def soft_gaps(self, points: np.ndarray, vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
        """(N,): the terms of the first mean in `distance`, for other points (N, 3) in the cloud's frame."""
        return self._soft(nearest_on_surface(points, vertices, faces)[0])

    def _unsupported(self, samples: np.ndarray, directions: np.ndarray) -> np.ndarray:
        """(M,): how much farther than the spacing each place is from the nearest point that supports it."""
        nearest, near = self._tree.query(samples)
        if self._tree_normals is not None:
            doubtful = np.flatnonzero((nearest > self.spacing) | self._face_away(directions, near))
            if len(doubtful):
                nearest[doubtful] = self._to_supporters(samples[doubtful], directions[doubtful])
        return np.maximum(nearest - self.spacing, 0.0)

    def _to_supporters(self, samples: np.ndarray, directions: np.ndarray) -> np.ndarray:
        """(M,): distances to the nearest point that does not face away; at least twice the spacing where all do."""
        apart, near = self._tree.query(samples, k=min(SUPPORTERS, self._tree.n))
        apart, near = apart.reshape(len(samples), -1), near.reshape(len(samples), -1)
        none = np.maximum(apart[:, -1:], 2 * self.spacing)  # all near points lie on the other side of a wall
        return np.where(self._face_away(directions[:, None], near), none, apart).min(axis=1)

    def _face_away(self, directions: np.ndarray, points: np.ndarray) -> np.ndarray:
        """Whether the normals of points, by number, surely point away from directions (..., 3)."""
        cosines = np.einsum("...j,...j->...", directions, self._tree_normals.directions[points])
        return (cosines < AWAY) & (self._tree_normals.confidence[points] >= SURE)

    def _softened(self, lengths: np.ndarray) -> float:
        """The mean of lengths, where lengths below the floor count by their squares."""
        return float(self._soft(lengths).mean())

    def _soft(self, lengths: np.ndarray) -> np.ndarray:
        return np.sqrt(lengths**2 + self.floor**2) - self.floor


def _spacing(points: np.ndarray) -> float:
    """The largest distance between neighbours that is expected, from the distances that occur."""
    to_neighbour = cKDTree(points).query(points, k=min(2, len(points)))[0].reshape(len(points), -1)[:, -1]
    apart = to_neighbour[to_neighbour > 0]  # points that occur twice say nothing about the spacing
    return SPACING_FACTOR * float(np.quantile(apart, SPACING_QUANTILE)) if len(apart) else 0.0
