"""Programs read off a closed mesh: its levels, its exact sections, and the few features that fill it."""

from __future__ import annotations

import time

import numpy as np
from manifold3d import CrossSection, Manifold

from cadrecode.measure.features import program_of
from cadrecode.measure.finish import PRICE, Judge, finish
from cadrecode.measure.grid import Grid, along
from cadrecode.measure.levels import levels_of_faces
from cadrecode.measure.proposals import Proposal, Reader, Section, proposals
from cadrecode.measure.measured import Measured
from cadrecode.measure.search import search
from cadrecode.program.solid import bounds, mesh_of
from cadrecode.program.solid import from_mesh as solid_from_mesh

SEARCH_SHARE = 0.5  # of the time, for the search on the grid
FINISHED = 2  # states that are finished on the exact solid

SAME_SECTION = 0.02  # of the area: sections of one interval that differ by more are of something slanted
MARGIN = 0.04  # of an interval: sections are taken this far from its ends
MOST_INTERVALS = 30  # along one axis
STEPS = 3  # into which such an interval is divided


def _levels(solid: Manifold, size: float) -> list[np.ndarray]:
    """The levels along the three axes."""
    vertices, faces = mesh_of(solid)
    corners = vertices[faces]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    twice = np.linalg.norm(across, axis=1)
    middles = corners.mean(axis=1)
    low, high = bounds(solid)
    facing = across / np.maximum(twice, np.finfo(float).tiny)[:, None]
    return [
        levels_of_faces(middles[:, k], facing[:, k], twice / 2, (float(low[k]), float(high[k])), size) for k in range(3)
    ]


def from_mesh(vertices: np.ndarray, faces: np.ndarray, *, seconds: float = 10.0, price: float = PRICE) -> list[Measured]:
    """Programs that fill a closed mesh, best first.

    Args:
        vertices, faces: (n, 3) CODE and (m, 3).
        seconds: At most about this long.
        price: IoU that each number of a program must bring.
    Returns: At least one program, unless the time was too short for any.
    Raises: ProgramError: The mesh is not a closed solid.
    """
    started = time.monotonic()
    solid = solid_from_mesh(vertices, faces)
    grid, cells, found = _read(solid)
    states = search(cells, found, grid, price=price, deadline=started + SEARCH_SHARE * seconds)
    judge = Judge(solid, price, started + seconds)
    finished = [finish(state.features, found, judge, grid) for state in states[:FINISHED]]
    finished.sort(key=lambda features: -judge.score(features))
    return [Measured(program_of(features), judge.score(features), "sections") for features in finished if features]


def _read(solid: Manifold) -> tuple[Grid, np.ndarray, list[Proposal]]:
    """The grid of a part, the cells that it fills, and what it might be made of."""
    low, high = bounds(solid)
    size = float((high - low).max())
    levels, sections, silhouettes = [], [], []
    for axis, heights in enumerate(_levels(solid, size)):
        turned = across(solid, axis)
        heights, taken = _sections(turned, heights, size)
        levels.append(heights)
        sections.append(taken)
        silhouettes.append(turned.project())
    grid = Grid.between(levels)
    reader = Reader(size)
    found = [p for axis in range(3) for p in proposals(axis, sections[axis], silhouettes[axis], grid, reader)]
    return grid, _cells(solid, grid), found


def across(solid: Manifold, axis: int) -> Manifold:
    """The solid turned so that `axis` points up and the axes of its sketches lie along x and y."""
    rows = np.eye(3)[[(axis + 1) % 3, (axis + 2) % 3, axis]]
    return solid.transform(np.column_stack((rows, np.zeros(3))))


def _sections(turned: Manifold, heights: np.ndarray, size: float) -> tuple[np.ndarray, list[Section]]:
    """The levels, with more where a section changes between two of them, and the sections between the levels."""
    finer: list[float] = [float(heights[0])]
    for low, high in zip(heights, heights[1:]):
        first, last = (turned.slice(float(low + share * (high - low))) for share in (MARGIN, 1 - MARGIN))
        changes = not first.is_empty() and not last.is_empty() and _changed(first, last)
        steps = STEPS if changes and high - low > STEPS * 0.01 * size and len(heights) + STEPS < MOST_INTERVALS else 1
        finer += [float(low + (high - low) * (step + 1) / steps) for step in range(steps)]
    taken = []
    for interval, (low, high) in enumerate(zip(finer, finer[1:])):
        taken.append(Section(interval, turned.slice((low + high) / 2)))
    return np.array(finer), taken


def _changed(one: CrossSection, other: CrossSection) -> bool:
    return (one ^ other).area() < (1 - SAME_SECTION) * max(one.area(), other.area())


def _cells(solid: Manifold, grid: Grid) -> np.ndarray:
    """(nx, ny, nz) bool: which cells of the grid the solid fills, by slices across the axis with the fewest."""
    axis = int(np.argmin(grid.shape))
    turned = across(solid, axis)
    cells = np.zeros(grid.shape, bool)
    for row, height in enumerate(grid.places[axis]):
        polygons = [np.asarray(part, np.float64) for part in turned.slice(float(height)).to_polygons()]
        along(cells, axis)[row] = grid.mask(polygons, axis)
    return cells
