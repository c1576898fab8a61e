"""How far the places of a flat face are from its points: where a gap may be, and which points lie around it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import distance_transform_edt


@dataclass(frozen=True)
class Emptiness:
    """Distances of the places of a face from the nearest of its points.

    Args:
        u, v: (nu,), (nv,) places along the axes of a sketch, `pixel` apart.
        away: (nu, nv) distances, a little too long where two points share a pixel.
    """

    u: np.ndarray
    v: np.ndarray
    pixel: float
    away: np.ndarray

    @classmethod
    def of(cls, points: np.ndarray, bounds: tuple[float, float, float, float], pixel: float) -> Emptiness:
        """Look at a face.

        Args:
            points: (N, 2), N >= 1; those beyond the bounds count as if they lay on them.
            bounds: The lowest u and v of the places, and the highest.
        """
        left, low, right, high = bounds
        u, v = (a + pixel * (np.arange(math.ceil((b - a) / pixel)) + 0.5) for a, b in ((left, right), (low, high)))
        empty = cls(u, v, pixel, np.zeros((len(u), len(v))))
        rows = np.full(empty.away.shape, -1)
        rows[empty.places_of(points)] = np.arange(len(points))
        i, j = distance_transform_edt(rows < 0, return_distances=False, return_indices=True)
        nearest = points[rows[i, j]]
        np.hypot(nearest[..., 0] - u[:, None], nearest[..., 1] - v, out=empty.away)
        return empty

    def places_of(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(N,), (N,) rows and columns of the places nearest to points (N, 2)."""
        i, j = np.floor((points - (self.u[0], self.v[0])) / self.pixel + 0.5).astype(np.int64).T
        return np.clip(i, 0, len(self.u) - 1), np.clip(j, 0, len(self.v) - 1)

    def around_gaps(self, points: np.ndarray, lost: np.ndarray, wide: float, narrow: float) -> np.ndarray:
        """(N,) bool: which points may bound a circle without a point in it that is wide, or narrow with lost points on
        it.

        Args:
            points: (N, 2).
            lost: (N,) bool.
            wide, narrow: The least radii of either kind.
        """
        middles = self.away > wide - self.pixel
        if narrow < wide and lost.any():
            middles |= (self.away > narrow - self.pixel) & self._within(wide, self.places_of(points[lost]))
        return self._within(wide, np.nonzero(middles))[self.places_of(points)]

    def _within(self, radius: float, places: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        """(nu, nv) bool: which places are as near as a radius, and two pixels, to some of them."""
        others = np.ones(self.away.shape, bool)
        others[places] = False
        if others.all():
            return ~others
        return self.pixel * distance_transform_edt(others) < radius + 2 * self.pixel
