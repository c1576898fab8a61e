"""A solid turned so that a sketch's axes lie along x and y."""

from __future__ import annotations

import numpy as np
from manifold3d import Manifold

from cadrecode.program.planes import plane_axes


def across(solid: Manifold, axis: int) -> Manifold:
    """The solid turned so that `axis` points up and the axes of the sketches across it lie along x and y."""
    return turned_by(solid, rows_of(axis))


def rows_of(axis: int) -> np.ndarray:
    """(3, 3): the directions of a sketch's axes, and of the axis that it stands across."""
    return np.eye(3)[[*plane_axes(axis), axis]]


def turned_by(solid: Manifold, rows: np.ndarray) -> Manifold:
    """The solid turned so that three directions, (3, 3), lie along x, y and z."""
    return solid.transform(np.column_stack((rows, np.zeros(3))))
