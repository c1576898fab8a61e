"""A program's levels on the flat faces of the mesh that it was read off."""

from __future__ import annotations

import numpy as np

from cadrecode.geometry import corner_crosses
from cadrecode.program import Program
from cadrecode.snapping.levels import moved

FLAT = 1e-5  # how far a face's normal may be off its axis
REACH = 0.6  # CODE: measured levels are off by less
LEAST_AREA = 1e-4  # of the mesh's surface: smaller faces are splinters
SAME = 1e-5  # CODE: faces nearer to each other than this are one


def face_places(vertices: np.ndarray, faces: np.ndarray) -> list[np.ndarray]:
    """Where the flat faces of a mesh that look along each axis lie.

    Args:
        vertices, faces: (n, 3) CODE and (m, 3).
    Returns: Three sorted arrays.
    """
    corners = vertices[faces]
    normals = corner_crosses(corners)
    twice = np.linalg.norm(normals, axis=1)
    places = []
    for axis in range(3):
        flat = np.abs(normals[:, axis]) >= (1 - FLAT) * np.maximum(twice, np.finfo(float).tiny)
        heights = corners[flat].mean(axis=1)[:, axis]
        keys, group = np.unique(np.round(heights / SAME), return_inverse=True)
        area = np.bincount(group, weights=twice[flat], minlength=len(keys))
        places.append(keys[area > LEAST_AREA * twice.sum()] * SAME)
    return places


def onto_faces(program: Program, places: list[np.ndarray]) -> Program:
    """The program with each level on the nearest face, where there is one within REACH.

    Args:
        program: CODE.
        places: From `face_places`.
    """

    def move(axis: int, level: float) -> float:
        if not len(places[axis]):
            return level
        nearest = float(places[axis][np.abs(places[axis] - level).argmin()])
        return nearest if abs(nearest - level) <= REACH else level

    return moved(program, move, centers=False)
