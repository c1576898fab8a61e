"""Shapes as short texts that gallery.js draws: whole numbers of 16 bits, compressed."""

from __future__ import annotations

import base64
import contextlib
import gzip

import numpy as np

from cadrecode.errors import ProgramError
from cadrecode.geometry import bounding_box
from cadrecode.pictures import sharp_edges
from cadrecode.program import from_mesh, mesh_of

FLAT = 0.1  # CODE: triangles nearer to a plane than this are joined; a picture's pixel is wider than 1
MOST_TRIANGLES = 20_000  # more would make the page large
MOST_POINTS = 1500
STEPS = 32767  # from the middle to the farthest place


def packed_mesh(vertices: np.ndarray, faces: np.ndarray) -> str:
    """A closed mesh; empty where it has too many triangles.

    Args:
        vertices: (n, 3) float, CODE.
        faces: (m, 3) int.
    """
    with contextlib.suppress(ProgramError):  # a mesh that is not closed is drawn as it is
        vertices, faces = mesh_of(from_mesh(vertices, faces).simplify(FLAT))
    if len(faces) > MOST_TRIANGLES:
        return ""
    return _packed(vertices, faces, sharp_edges(vertices, faces))


def packed_points(points: np.ndarray) -> str:
    """Some of (n, 3) points, CODE."""
    rng = np.random.default_rng(0)
    some = points[rng.permutation(len(points))[:MOST_POINTS]]
    return _packed(some, np.empty((0, 3)), np.empty((0, 2)))


def _packed(places: np.ndarray, faces: np.ndarray, edges: np.ndarray) -> str:
    """The farthest coordinate from the middle, three counts, the faces, the edges, and the places from the middle."""
    places = places - bounding_box(places).mean(axis=0)
    farthest = max(float(np.abs(places).max()), 1e-9)
    head = np.array([farthest], "<f4").tobytes() + np.array([len(places), len(faces), len(edges)], "<u4").tobytes()
    whole = np.round(places / farthest * STEPS).astype("<i2")
    content = head + b"".join(array.tobytes() for array in (faces.astype("<u4"), edges.astype("<u4"), whole))
    return base64.b64encode(gzip.compress(content, mtime=0)).decode()
