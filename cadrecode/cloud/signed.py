"""Signed distances of points to closed meshes, exact at edges and corners too."""

from __future__ import annotations

import igl
import numpy as np


def signed_distance(points: np.ndarray, vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Exact distance from each point to a closed mesh: positive outside of the solid, negative inside, 0 on it.

    Arguments and errors are those of `signed_nearest`.
    Returns: (N,) float64, in the frame's unit.
    """
    return signed_nearest(points, vertices, faces)[0]


def signed_nearest(points: np.ndarray, vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`signed_distance`, and the nearest place on the mesh.

    The side comes from angle-weighted normals (Bærentzen and Aanæs 2005), which are right at edges and corners too;
    the normal of the nearest triangle alone is not.

    Args:
        points: (N, 3), in the frame of the mesh.
        vertices: (n, 3), each corner once, as in Manifold's meshes.
        faces: (m, 3) int, m >= 1.
    Returns: (N,) float64, in that frame's unit, and (N, 3) float64.
    Raises:  ValueError: there are no faces.
    """
    if not len(faces):
        raise ValueError("A mesh without faces has no surface to measure to.")
    signed, _, places, _ = igl.signed_distance(
        np.ascontiguousarray(points, np.float64),
        np.ascontiguousarray(vertices, np.float64),
        np.ascontiguousarray(faces, np.int64),
        igl.SignedDistanceType.SIGNED_DISTANCE_TYPE_PSEUDONORMAL,
    )
    return np.asarray(signed, np.float64).reshape(-1), np.asarray(places, np.float64).reshape(-1, 3)
