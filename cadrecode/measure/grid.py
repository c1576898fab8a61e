"""A grid of places in a part's bounding box, on which unions, cuts and intersections are counted instead of built.

Its cells end at the part's levels, so that faces across an axis lie between cells and never within one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cadrecode.program.planes import plane_axes

CELLS = 88  # along the longest side
FEWEST_CELLS = 2  # between two levels
FEWEST_ALONG = 20  # along each axis


@dataclass(frozen=True)
class Grid:
    """Places along the three axes, and how much of the axis each stands for.

    Args:
        levels: For each axis (L + 1,), lowest first.
        places: For each axis (n,), the middles of the cells.
        widths: For each axis (n,), the lengths of the cells.
        interval: For each axis (n,) int: between which two levels each cell lies.
    """

    levels: tuple[np.ndarray, ...]
    places: tuple[np.ndarray, ...]
    widths: tuple[np.ndarray, ...]
    interval: tuple[np.ndarray, ...]

    @classmethod
    def between(cls, levels: Sequence[np.ndarray], cells: int = CELLS) -> Grid:
        """The grid whose cells end at the levels, about `cells` of them along the longest side."""
        longest = max(float(heights[-1] - heights[0]) for heights in levels)
        places, widths, interval = [], [], []
        for heights in levels:
            lengths = np.diff(heights)
            cell = min(longest / cells, float(heights[-1] - heights[0]) / FEWEST_ALONG)
            counts = np.full(len(lengths), FEWEST_CELLS)
            if cell > 0:  # a line or a plane has no extent
                counts = np.maximum(np.round(lengths / cell).astype(int), FEWEST_CELLS)
            index = np.repeat(np.arange(len(counts)), counts)
            width = (lengths / counts)[index]
            number = np.arange(len(index)) - np.repeat(np.cumsum(counts) - counts, counts)
            places.append(heights[:-1][index] + width * (number + 0.5))
            widths.append(width)
            interval.append(index)
        return cls(tuple(levels), tuple(places), tuple(widths), tuple(interval))

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(map(len, self.places))

    def across(self, axis: int) -> tuple[np.ndarray, np.ndarray]:
        """Places along the two axes of a sketch that stands across `axis`."""
        u, v = plane_axes(axis)
        return self.places[u], self.places[v]

    def mask(self, polygons: Sequence[np.ndarray], axis: int) -> np.ndarray:
        """(nu, nv) bool: which columns along `axis` lie in the polygons, (n, 2) each, by the even-odd rule."""
        return inside(polygons, *self.across(axis))

    def area_weights(self, axis: int) -> np.ndarray:
        """(nu * nv,) float32: the area that each column along `axis` stands for."""
        return np.outer(*(self.widths[k] for k in plane_axes(axis))).astype(np.float32).ravel()

    def by_interval(self, cells: np.ndarray, axis: int) -> np.ndarray:
        """(L, nu * nv) float32: for each column along `axis` the filled length between two levels.

        Args:
            cells: (nx, ny, nz) bool.
        """
        local = along(cells, axis)
        into = np.zeros((len(self.levels[axis]) - 1, len(local)), np.float32)
        into[self.interval[axis], np.arange(len(local))] = self.widths[axis]
        return into @ local.reshape(len(local), -1).astype(np.float32)

    def volume(self, cells: np.ndarray) -> float:
        """The volume of the filled cells."""
        x, y, z = self.widths
        return float(np.einsum("ijk,i,j,k->", cells, x, y, z, optimize=True))


def along(cells: np.ndarray, axis: int) -> np.ndarray:
    """A view of (nx, ny, nz) with the axis first, then the two axes of a sketch that stands across it."""
    return np.transpose(cells, (axis, *plane_axes(axis)))


def inside(polygons: Sequence[np.ndarray], u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """(nu, nv) bool: which places lie in the polygons, by the even-odd rule.

    Args:
        polygons: (n, 2) each, closed without a repeated corner; u, v: ascending.
    """
    if not polygons:
        return np.zeros((len(u), len(v)), bool)
    start = np.concatenate(polygons)
    end = np.concatenate([np.roll(polygon, -1, axis=0) for polygon in polygons])
    first = np.searchsorted(v, np.minimum(start[:, 1], end[:, 1]))
    rows = np.searchsorted(v, np.maximum(start[:, 1], end[:, 1])) - first
    edge = np.repeat(np.arange(len(start)), rows)
    row = np.arange(len(edge)) - np.repeat(np.cumsum(rows) - rows, rows) + first[edge]
    step = end[edge] - start[edge]
    crossing = start[edge, 0] + (v[row] - start[edge, 1]) * step[:, 0] / step[:, 1]
    column = np.searchsorted(u, crossing)
    toggles = np.bincount(column * len(v) + row, minlength=(len(u) + 1) * len(v))
    return np.cumsum(toggles.reshape(len(u) + 1, len(v)), axis=0)[:-1] % 2 == 1
