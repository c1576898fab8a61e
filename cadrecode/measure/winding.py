"""The inside of an oriented cloud, by its winding number: the share of the view that its surface fills.

For a closed surface it is 1 inside and 0 outside; for points that each stand for a patch it is nearly so a spacing away
from them (Barill et al. 2018).
"""

from __future__ import annotations

import contourpy
import igl
import numpy as np
from manifold3d import CrossSection, FillRule, OpType
from scipy.spatial import cKDTree

from cadrecode.measure.grid import Grid, along
from cadrecode.program.planes import plane_axes

PATCH_NEIGHBOURS, LOOKED_AT = 8, 24  # of a patch, and of both sides of a sheet
OTHER_SIDE = -0.5  # cosine of two normals: at less, points are of the two sides of a sheet
INSIDE = 0.5
LEAST_SHOWN = 0.7  # of a shadow
LEAST_CELLS = 4  # a contour around fewer cells is noise


def patch_areas(points: np.ndarray) -> np.ndarray:
    """(N,): the area of the surface that each point stands for, from how far its neighbours are."""
    distances, _ = cKDTree(points).query(points, k=min(PATCH_NEIGHBOURS + 1, len(points)))
    return np.pi * distances[:, -1] ** 2 / (distances.shape[1] - 1)


def surface_area(points: np.ndarray, normals: np.ndarray) -> float:
    """The area of the surface that the points lie on, also where it has two sides that are nearer than the points are
    apart: there half of a point's nearest neighbours are not of its own patch."""
    distances, near = cKDTree(points).query(points, k=min(LOOKED_AT + 1, len(points)))
    of_side = np.einsum("nki,ni->nk", normals[near], normals) > OTHER_SIDE
    of_side[:, 0] = False  # the point itself
    counts = np.cumsum(of_side, axis=1)
    last = np.where(counts[:, -1] >= PATCH_NEIGHBOURS, (counts >= PATCH_NEIGHBOURS).argmax(axis=1), -1)
    rows = np.arange(len(points))
    return float((np.pi * distances[rows, last] ** 2 / np.maximum(counts[rows, last], 1)).sum())


def winding_numbers(points: np.ndarray, normals: np.ndarray, areas: np.ndarray, grid: Grid) -> np.ndarray:
    """(nx, ny, nz) float32 at the places of the grid, cut off at -0.5 and 1.5."""
    places = np.stack(np.meshgrid(*grid.places, indexing="ij"), axis=-1).reshape(-1, 3)
    numbers = winding_numbers_at(places, points, normals, areas)
    return np.clip(numbers, -0.5, 1.5).astype(np.float32).reshape(grid.shape)


def winding_numbers_at(places: np.ndarray, points: np.ndarray, normals: np.ndarray, areas: np.ndarray) -> np.ndarray:
    """(n,) at the places (n, 3). No two points may be the same: the tree around them would be divided without end."""
    columns = [np.ascontiguousarray(array, np.float64) for array in (points, normals, areas, places)]
    return igl.fast_winding_number(*columns)


def sections_of(numbers: np.ndarray, grid: Grid, axis: int) -> list[CrossSection]:
    """The cross-section between each two levels along an axis, by the median winding number between them."""
    local = along(numbers, axis)
    sections = []
    for interval in range(len(grid.levels[axis]) - 1):
        field = np.median(local[grid.interval[axis] == interval], axis=0)
        sections.append(contoured(field, *(bordered(grid, k) for k in plane_axes(axis))))
    return sections


def silhouette_of(numbers: np.ndarray, sections: list[CrossSection], grid: Grid, axis: int) -> CrossSection:
    """What a cloud shows along an axis: its sections together; of a part that is bent between two levels, where those
    have hardly anything in common, the shadow of its inside."""
    together = CrossSection.batch_boolean(sections, OpType.Add)
    shadow = contoured(along(numbers, axis).max(axis=0), *(bordered(grid, k) for k in plane_axes(axis)))
    return shadow if together.area() < LEAST_SHOWN * shadow.area() else together


def bordered(grid: Grid, axis: int) -> np.ndarray:
    """The places along an axis with one more on each side, as far outside as the last is inside."""
    low, high, places = grid.levels[axis][0], grid.levels[axis][-1], grid.places[axis]
    return np.concatenate(([2 * low - places[0]], places, [2 * high - places[-1]]))


def contoured(field: np.ndarray, u: np.ndarray, v: np.ndarray) -> CrossSection:
    """`field` is (nu, nv), within the border of u (nu + 2,) and v (nv + 2,)."""
    least = LEAST_CELLS * float(np.median(np.diff(u)) * np.median(np.diff(v)))
    padded = np.pad(np.clip(field, 0, 1), 1)
    polygons = []
    for line in contourpy.contour_generator(u, v, padded.T).lines(INSIDE):
        polygon = np.asarray(line)[:-1]
        if len(polygon) > 3 and CrossSection([polygon], FillRule.EvenOdd).area() > least:
            polygons.append(polygon)
    return CrossSection(polygons, FillRule.EvenOdd) if polygons else CrossSection()
