"""How far a surface is from a cloud. The home of igl, whose point-to-triangle distances are exact.

A sampled Chamfer distance has noise as large as the errors we rank by. Exact distances have none on the cloud's side,
and on the surface's side nothing counts that is closer to a point than the cloud's own points are to each other.
"""

from __future__ import annotations

import igl
import numpy as np
from scipy.spatial import cKDTree

from cadrecode.cloud import sample_surface

MAX_RULER_POINTS = 8192  # more points cost time and tell nothing that changes a ranking
SURFACE_SAMPLES = 4096
SPACING_QUANTILE, SPACING_FACTOR = (
    0.95,
    1.5,
)  # of evenly random points, 1 in 1,000 places is farther from a point than this


def point_to_surface(points: np.ndarray, vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Exact unsigned distance from each point to a triangle mesh.

    Args:    points: (N, 3); vertices: (n, 3); faces: (m, 3) int, m >= 1; all in one frame.
    Returns: (N,) float64, in that frame's unit.
    """
    if not len(faces):
        raise ValueError("A mesh without faces has no surface to measure to.")
    squared, _, _ = igl.point_mesh_squared_distance(
        np.ascontiguousarray(points, np.float64),
        np.ascontiguousarray(vertices, np.float64),
        np.ascontiguousarray(faces, np.int64),
    )
    return np.sqrt(np.maximum(squared, 0.0))


class CloudRuler:
    """Measures surfaces against one cloud. Made once for a cloud, used for each of its candidates.

    Args:
        points: (N, 3) float, any frame, the surfaces' too. Larger clouds are thinned to 8,192 points.
        seed: of the thinning and of the samples on the surfaces.

    Attributes:
        spacing: how far apart neighbours in the cloud may lie; surface closer than that to a point is supported.
    """

    def __init__(self, points: np.ndarray, *, seed: int = 0):
        points = np.asarray(points, np.float64)
        if len(points) > MAX_RULER_POINTS:
            points = points[np.random.default_rng(seed).permutation(len(points))[:MAX_RULER_POINTS]]
        self.points = points
        self.seed = seed
        self._tree = cKDTree(points)
        to_neighbour = self._tree.query(points, k=min(2, len(points)))[0].reshape(len(points), -1)[:, -1]
        apart = to_neighbour[to_neighbour > 0]  # points that occur twice say nothing about the spacing
        self.spacing = SPACING_FACTOR * float(np.quantile(apart, SPACING_QUANTILE)) if len(apart) else 0.0

    def distance(self, vertices: np.ndarray, faces: np.ndarray) -> float:
        """Mean distance of the points to the surface, plus that of the surface to the points, beyond their spacing.

        Args:    vertices: (n, 3), faces: (m, 3): a mesh in the cloud's frame.
        Returns: one length in the cloud's unit, 0 when the surface passes through all points and nothing sticks out.
        """
        missed = point_to_surface(self.points, vertices, faces).mean()
        surface, _ = sample_surface(vertices, faces, SURFACE_SAMPLES, self.seed)
        unsupported = np.maximum(self._tree.query(surface)[0] - self.spacing, 0.0).mean()
        return float(missed + unsupported)


def cloud_distance(points: np.ndarray, vertices: np.ndarray, faces: np.ndarray, *, seed: int = 0) -> float:
    """`CloudRuler.distance` for a single surface."""
    return CloudRuler(points, seed=seed).distance(vertices, faces)
