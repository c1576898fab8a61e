"""Where planes and placed bodies stand in space."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from cadrecode.program.language import Placement, Plane, Point3


@lru_cache(maxsize=256)
def _axes(x_direction: tuple, normal: tuple) -> np.ndarray:
    """(3, 3) with local x, y and normal as columns; x is made square to the normal, as CadQuery does."""
    n = np.array(normal, float) / math.hypot(*normal)
    x = np.array(x_direction, float)
    x = x - n * (x @ n)
    x /= np.linalg.norm(x)
    return np.column_stack((x, np.cross(n, x), n))


def axes(plane: Plane) -> np.ndarray:
    """(3, 3) float64: a plane's local x, y and normal, as columns."""
    return _axes(tuple(plane.x_direction), tuple(plane.normal))


def plane_axes(axis: int) -> list[int]:
    """The axes of space along the local x and y of the plane across an axis, see `Plane.across`."""
    return [(axis + 1) % 3, (axis + 2) % 3]


def matrix_of(plane: Plane, local: Point3 = (0, 0, 0)) -> np.ndarray:
    """(3, 4) float64: from a plane's own coordinates, moved by `local`, to those of space."""
    rotation = axes(plane)
    return np.column_stack((rotation, rotation @ np.array(local, float) + plane.origin))


def placing(placement: Placement) -> np.ndarray:
    """(3, 4): rotation and offset. Rodrigues' formula."""
    x, y, z = np.array(placement.axis, float) / math.hypot(*placement.axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = math.radians(placement.degrees)
    rotation = np.eye(3) + math.sin(angle) * cross + (1 - math.cos(angle)) * cross @ cross
    return np.column_stack((rotation, placement.offset))


def placement_of(plane: Plane) -> Placement:
    """The motion that brings what stands on XY to a plane."""
    rotation = axes(plane)
    turn = math.acos(max(-1.0, min(1.0, (float(np.trace(rotation)) - 1) / 2)))
    if turn < 1e-12:
        return Placement(offset=plane.origin)
    if math.pi - turn < 1e-6:  # half a turn: the axis is the column of R + 1 that is longest
        columns = rotation + np.eye(3)
        axis = columns[:, int(np.argmax(np.linalg.norm(columns, axis=0)))]
    else:
        axis = np.array(
            [rotation[2, 1] - rotation[1, 2], rotation[0, 2] - rotation[2, 0], rotation[1, 0] - rotation[0, 1]]
        )
    axis = axis / np.abs(axis).max()
    return Placement(tuple(round(float(v), 9) + 0.0 for v in axis), round(math.degrees(turn), 9), plane.origin)
