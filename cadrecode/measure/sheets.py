"""Sheets that are thinner than the points of a cloud are apart, where its winding number says little.

Their outline is that of the points on both of their faces together.
"""

from __future__ import annotations

import itertools

import numpy as np
from scipy.ndimage import distance_transform_edt
from scipy.spatial import cKDTree

from cadrecode.measure.grid import Grid, along
from cadrecode.measure.outlines import DECIMALS
from cadrecode.program.planes import plane_axes

THIN, THIN_OF_NOISE = 1.2, 2.0  # spacings, and noise: a thicker sheet has an inside by the winding number
FACING = 0.9  # cosine of the normals of a sheet's faces with its axis, at least
FEWEST_ON_SHEET = 60  # points
CLOSING, INSET = 1.6, 0.45  # spacings on the sheet: the widest gap between its points, and how far they end before it
FAR, PIXELS = 3.0, 4  # spacings: places farther from its points are not the sheet's; pixels to a spacing
MIXED, LEAST_APART = 4.0, 0.5  # noise: faces that are nearer share points; nearer still, and they cannot be told apart
MIXING_ROUNDS = 60
FIFTH = 5  # nearest point, whose median distance gives the spacing


def with_sheets(
    numbers: np.ndarray, points: np.ndarray, normals: np.ndarray, spacing: float, noise: float, grid: Grid
) -> np.ndarray:
    """The winding numbers, where two faces of a sheet are next to each other those that its outline gives.

    Args:
        numbers: (nx, ny, nz) winding numbers at the places of the grid.
        points, normals: (N, 3) of the cloud.
        spacing: How far its points are apart.
        noise: How far they lay off their faces.
    """
    numbers = numbers.copy()
    thin = THIN * spacing + THIN_OF_NOISE * noise
    for axis in range(3):
        levels, heights, facing = grid.levels[axis], points[:, axis], normals[:, axis]
        for low, high in itertools.combinations(range(len(levels)), 2):
            if levels[high] - levels[low] > thin:
                continue
            near = (levels[high] - levels[low]) / 4
            counts = [
                np.count_nonzero((np.abs(heights - levels[end]) < near) & (way * facing > FACING))
                for end, way in ((low, -1), (high, 1))
            ]
            if min(counts) < FEWEST_ON_SHEET:
                continue
            within = (heights > levels[low] - near) & (heights < levels[high] + near)
            flat = points[within][:, plane_axes(axis)]
            covered = _covered(flat, *grid.across(axis))
            local, here = along(numbers, axis), (grid.interval[axis] >= low) & (grid.interval[axis] < high)
            local[here] = np.where(np.isnan(covered), local[here], covered)
    return numbers


def unmixed(levels: np.ndarray, heights: np.ndarray, facing: np.ndarray, noise: float) -> np.ndarray:
    """The levels along an axis, those of the two faces of a sheet in the middle of two crowds of heights that overlap.

    Where noise mixes the faces, points between them seem to be of the nearer face, which puts the faces too far apart.

    Args:
        heights, facing: (N,) of the cloud as it is, and cosines of its normals with the axis.
        noise: How far points lie off their faces.
    """
    levels = levels.copy()
    for index in np.flatnonzero(np.diff(levels) < MIXED * noise):
        ends = levels[index : index + 2]
        near = (heights > ends[0] - MIXED * noise) & (heights < ends[1] + MIXED * noise) & (np.abs(facing) > FACING)
        crowd = heights[near]
        if min(np.count_nonzero(facing[near] > 0), np.count_nonzero(facing[near] < 0)) < FEWEST_ON_SHEET:
            continue
        middles, spread, share = ends.copy(), noise, 0.5
        for _ in range(MIXING_ROUNDS):  # expectation, maximisation
            odds = (crowd - middles.mean()) * (middles[1] - middles[0]) / spread**2 + np.log(share / (1 - share))
            upper = 1 / (1 + np.exp(-np.clip(odds, -50, 50)))
            share = float(np.clip(upper.mean(), 0.1, 0.9))
            middles = np.array((np.average(crowd, weights=1 - upper), np.average(crowd, weights=upper)))
            off = upper * (crowd - middles[1]) ** 2 + (1 - upper) * (crowd - middles[0]) ** 2
            spread = float(np.sqrt(off.mean()))
        if middles[1] - middles[0] > LEAST_APART * noise and np.abs(middles - ends).max() < noise:
            levels[index : index + 2] = np.round(middles, DECIMALS)
    return levels


def _covered(flat: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """(nu, nv) in [0, 1]: 1 where points (n, 2) lie all around, 0.5 at their outline, 0 beyond, NaN far from them."""
    nearest = cKDTree(flat).query(flat, k=FIFTH)[0][:, -1]
    spacing = float(np.median(nearest)) / np.sqrt((FIFTH - 1) / np.pi)
    pixel, margin = spacing / PIXELS, FAR * spacing
    low = flat.min(axis=0) - margin
    counts = np.ceil((np.ptp(flat, axis=0) + 2 * margin) / pixel).astype(int)
    is_empty = np.ones(counts, bool)
    is_empty[tuple(((flat - low) / pixel).astype(int).T)] = False
    away = distance_transform_edt(is_empty) * pixel
    near = away < CLOSING * spacing
    depth = (distance_transform_edt(near) - distance_transform_edt(~near)) * pixel - (CLOSING - INSET) * spacing
    cell = float(min(np.median(np.diff(u)), np.median(np.diff(v))))
    covered = np.where(away < margin, np.clip(0.5 + depth / (2 * cell), 0, 1), np.nan)
    columns = [((places - low[k]) / pixel).astype(int) for k, places in enumerate((u, v))]
    inside = [(column >= 0) & (column < count) for column, count in zip(columns, counts)]
    result = np.full((len(u), len(v)), np.nan)
    result[np.ix_(*inside)] = covered[np.ix_(*(column[known] for column, known in zip(columns, inside)))]
    return result
