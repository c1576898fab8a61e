"""Shapes that a data set must not hold: by geometry, since elsewhere a part has another name and another program."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from scipy.spatial import cKDTree

from cadrecode.errors import ProgramError
from cadrecode.program import from_mesh
from cadrecode.program.solid import Manifold, bounds
from cadrecode.scoring.targets import Skipped, load_targets

TOLERANCE = 0.005  # of a side, a volume or a surface: a coarse mesh of a round part differs by about as much


def proportions(solid: Manifold) -> np.ndarray:
    """(4,) float64: the shorter sides of the bounding box, and the logarithms of volume and surface.

    They are those of the part with a longest side of 1, so that they are the same wherever the part stands, however
    large it is, and where it is turned or mirrored onto the axes.
    """
    low, high = bounds(solid)
    first, second, longest = sorted((high - low).tolist())
    volume, surface = solid.volume() / longest**3, solid.surface_area() / longest**2
    return np.array([first / longest, second / longest, math.log(volume), math.log(surface)])


class Apart:
    """Shapes to stay away from.

    Args:
        sources: What `scoring.targets.load_targets` reads: meshes, STEP files, true programs, held-out invented parts.
    Raises: DatasetError: a source is none of these.
    """

    def __init__(self, sources: Iterable[str]):
        rows = [row for source in sources for row in _proportions_in(source)]
        self.count = len(rows)
        self._tree = cKDTree(np.stack(rows)) if rows else None

    def holds(self, shape: np.ndarray) -> bool:
        """Whether one of them has these `proportions`, (4,), within TOLERANCE each."""
        if self._tree is None:
            return False
        return bool(self._tree.query(shape, p=math.inf, distance_upper_bound=TOLERANCE)[0] <= TOLERANCE)


def _proportions_in(source: str) -> Iterable[np.ndarray]:
    for shape in load_targets(source):
        if isinstance(shape, Skipped):
            continue
        try:
            yield proportions(from_mesh(shape.vertices, shape.faces))
        except ProgramError:  # no closed solid: nothing can be measured on it, and nothing be equal to it
            continue
