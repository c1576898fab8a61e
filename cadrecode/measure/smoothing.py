"""A noisy cloud as it is read: its points moved onto the middle of their faces.

Points that noise throws off by as much as they are apart fill a layer: the patches around them seem up to three times
as large as they are, and with them the inside by the winding number.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from cadrecode.cloud.distance import CloudRuler
from cadrecode.cloud.normals import NEIGHBOURS_NOISY, NOISY
from cadrecode.measure.winding import patch_areas, surface_area

FACING = 0.5  # cosine of the normals of points of one face; those of the other side of a sheet face away
WIDTH = 0.5  # of the distance of the farthest neighbour: deviation of the weights
LEFT = 0.4  # of the noise: at most so much is left after averaging over the neighbours
DEVIATIONS_PER_MEDIAN = 1.4826  # of Gaussian noise


@dataclass(frozen=True)
class Smoothed:
    """A cloud on the middle of its faces.

    Args:
        points: (N, 3).
        areas: (N,) of the surface that each point stands for, too small where two sides of a sheet share it.
        area: Of the whole surface.
        noise: How far the points of the cloud lay off their faces.
        left: How far these do.
    """

    points: np.ndarray
    areas: np.ndarray
    area: float
    noise: float
    left: float

    @classmethod
    def of(cls, ruler: CloudRuler) -> Smoothed:
        """The points of a ruler, which has their normals; as they are where their noise is little to their spacing."""
        points, normals = ruler.points, ruler.normals
        distances, near = cKDTree(points).query(points, k=min(NEIGHBOURS_NOISY, len(points)))
        if not normals.noise > NOISY * float(np.median(distances[:, 1])):
            area = surface_area(points, normals.directions)
            return cls(points, patch_areas(points), area, normals.noise, normals.noise)
        ways = normals.directions
        off = np.einsum("nki,ni->nk", points[near] - points[:, None], ways)
        aside = np.sqrt(np.maximum(distances**2 - off**2, 0)) / np.maximum(WIDTH * distances[:, -1:], 1e-9)
        weights = np.exp(-0.5 * aside**2) * (np.einsum("nki,ni->nk", ways[near], ways) > FACING)
        step = (weights * off).sum(axis=1) / weights.sum(axis=1)
        moved = points + step[:, None] * ways
        noise = DEVIATIONS_PER_MEDIAN * float(np.median(np.abs(step)))
        return cls(moved, patch_areas(moved), surface_area(moved, ways), noise, LEFT * noise)
