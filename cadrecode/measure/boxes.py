"""Boxes, and boxes with their edges along one axis rounded: right for a scanned part whose other features are smaller
than the unevenness of its faces."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from cadrecode.program import language as cad
from cadrecode.program.planes import plane_axes

if TYPE_CHECKING:
    from cadrecode.cloud.distance import CloudRuler

OUTER = 0.25  # of the length: the points at that end of it
FACES = 0.9  # cosine of a normal that faces along an axis
RADII = np.arange(0.05, 0.46, 0.05)  # of the shorter side across the axis
FINER = 0.02, 0.005  # of it, to both sides of the best
DECIMALS = 2  # CODE, of a radius


def boxes(ruler: CloudRuler, cost: Callable[[cad.Program], tuple]) -> Iterator[cad.Program]:
    """The box whose faces lie in the middle of the points that face their way, and the best with round edges.

    Args:
        ruler: Measures by the cloud, CODE, with its normals.
        cost: Of a program; lower is better.
    """
    low, high = ruler.box.copy()
    for axis in range(3):
        for ends, side in ((low, -1), (high, 1)):
            outer = side * (ruler.points[:, axis] - ends[axis]) > -OUTER * np.ptp(ruler.box[:, axis])
            faces = ruler.points[outer & (side * ruler.normals.directions[:, axis] > FACES), axis]
            if len(faces):
                ends[axis] = np.median(faces)
    yield _extruded(2, low, high, 0.0)
    radius, axis = min(
        ((share * _short_side(axis, low, high), axis) for axis in range(3) for share in RADII),
        key=lambda rounded: cost(_extruded(rounded[1], low, high, rounded[0])),
    )
    for step in np.multiply(FINER, _short_side(axis, low, high)):
        near = radius + step * np.arange(-2, 3)
        radius = min(near, key=lambda tried: cost(_extruded(axis, low, high, tried)))
    yield _extruded(axis, low, high, radius)


def _short_side(axis: int, low: np.ndarray, high: np.ndarray) -> float:
    return min((high - low)[k] for k in plane_axes(axis))


def _extruded(axis: int, low: np.ndarray, high: np.ndarray, radius: float) -> cad.Program:
    """The box between two corners, with a radius at its edges along an axis."""
    x, y = plane_axes(axis)
    origin = ((low + high) / 2).tolist()
    origin[axis] = float(low[axis])
    width, depth, height = ((high - low)[k].item() for k in (x, y, axis))
    sketch = cad.Sketch.of(cad.Rect(width, depth))
    if (radius := round(radius, DECIMALS)) > 0:
        sketch = cad.Sketch((*sketch.steps, cad.Corners(cad.Blend.FILLET, radius)))
    plane = cad.Plane.named(cad.AXIS_PLANES[axis], tuple(origin))
    return cad.Program.of(cad.Extrusion(plane, sketch, height))
