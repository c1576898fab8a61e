"""Clouds and meshes that several of this room's tests write to files."""

import numpy as np
import pytest


@pytest.fixture
def points() -> np.ndarray:
    """(100, 3) float64, off-centre, of mixed signs."""
    return np.random.default_rng(7).uniform(-30, 50, (100, 3))


@pytest.fixture
def cube() -> tuple[np.ndarray, np.ndarray]:
    """A 2 x 4 x 6 box away from the origin: (8, 3) vertices and (12, 3) faces, outward."""
    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], float) * [2, 4, 6] + [10, -5, 3]
    quads = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
    faces = np.array([t for a, b, c, d in quads for t in ([a, b, c], [a, c, d])])
    return corners, faces
