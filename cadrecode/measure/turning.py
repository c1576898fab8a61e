"""A solid turned so that a sketch's axes lie along x and y."""

from __future__ import annotations

import numpy as np
from manifold3d import Manifold


def across(solid: Manifold, axis: int) -> Manifold:
    """The solid turned so that `axis` points up and the axes of the sketches across it lie along x and y."""
    rows = np.eye(3)[[(axis + 1) % 3, (axis + 2) % 3, axis]]
    return solid.transform(np.column_stack((rows, np.zeros(3))))
