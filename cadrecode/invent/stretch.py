"""The same program with another length along each axis: flush faces stay flush, and a pattern stays a pattern.

What is round keeps the two axes of its plane alike, but for several equal circles, as of posts and holes: they stay
circles, and move apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from cadrecode.program import language as cad
from cadrecode.program.planes import axes

SPREAD = 0.2  # deviation of the logarithm of an axis's factor
FLAT = 1e-6  # of a direction: its largest component along another axis


def stretched(program: cad.Program, rng: np.random.Generator) -> cad.Program:
    """The program with other proportions. It is as it was where its planes lie aslant to each other."""
    factors = np.exp(rng.normal(0, SPREAD, 3))
    for together in _axes_alike(program):
        factors[together] = factors[together[0]]
    return program if np.ptp(factors) == 0 else _whole(program, factors)


def _axes_alike(program: cad.Program) -> Iterator[list[int]]:
    """World axes that must have a factor in common."""
    for solid in program.solids():
        matrix = np.abs(axes(solid.plane))
        if isinstance(solid, cad.Sphere | cad.Revolution) or (np.sort(matrix, axis=0)[1] > FLAT).any():
            yield [0, 1, 2]
        elif isinstance(solid, cad.Cylinder) or (isinstance(solid, cad.Extrusion) and _is_round(solid.sketch)):
            yield [axis for axis in range(3) if axis != matrix[:, 2].argmax()]
    if program.finishes:  # holes are round, and selectors and corners may depend on proportions
        yield [0, 1, 2]


def _is_round(sketch: cad.Sketch) -> bool:
    return any(isinstance(step, cad.Corners) or _is_round_step(step) for step in sketch.steps)


def _is_round_step(step: cad.SketchStep) -> bool:
    match step.shape:
        case cad.Circle():
            return isinstance(step.places, cad.Ring) or cad.count_of(step.places) == 1
        case cad.Loop(_, edges):
            return isinstance(step.places, cad.Ring) or any(isinstance(edge, cad.Arc) for edge in edges)
        case cad.Face(sketch):
            return isinstance(step.places, cad.Ring) or _is_round(sketch)
    return isinstance(step.places, cad.Ring)


def _whole(program: cad.Program, factors: np.ndarray) -> cad.Program:
    return replace(program, steps=tuple(replace(step, solid=_solid(step.solid, factors)) for step in program.steps))


def _solid(solid: cad.Solid | cad.Program, factors: np.ndarray) -> cad.Solid | cad.Program:
    if isinstance(solid, cad.Program):
        return _whole(solid, factors)
    x, y, z = (np.abs(axes(solid.plane)).T @ factors).tolist()
    plane = replace(solid.plane, origin=tuple((factors * solid.plane.origin).tolist()))
    match solid:
        case cad.Extrusion():
            return replace(solid, plane=plane, sketch=_sketch(solid.sketch, x, y), distance=solid.distance * z)
        case cad.Box(_, offset, center, width, height, depth):
            return cad.Box(plane, offset * z, _point(center, x, y), width * x, height * y, depth * z)
        case cad.Cylinder(_, offset, center, height, radius):
            return cad.Cylinder(plane, offset * z, _point(center, x, y), height * z, radius * x)
        case cad.Sphere(_, offset, center, radius):
            return cad.Sphere(plane, offset * z, _point(center, x, y), radius * x)
    return replace(solid, plane=plane, sketch=_sketch(solid.sketch, x, y), start=_point(solid.start, x, y))


def _sketch(sketch: cad.Sketch, x: float, y: float) -> cad.Sketch:
    return cad.Sketch(tuple(step if isinstance(step, cad.Corners) else _step(step, x, y) for step in sketch.steps))


def _step(step: cad.SketchStep, x: float, y: float) -> cad.SketchStep:
    match step.places:
        case cad.Ring(center, radius):
            places: cad.Places = replace(step.places, center=_point(center, x, y), radius=radius * x)
        case cad.Grid(center, dx, dy):
            places = replace(step.places, center=_point(center, x, y), dx=dx * x, dy=dy * y)
        case _:
            places = tuple(_point(place, x, y) for place in step.places)
    return replace(step, shape=scaled_shape(step.shape, x, y), places=places)


def scaled_shape(shape: cad.Shape, x: float, y: float) -> cad.Shape:
    """A shape times x and y along its plane's axes; a circle by the smaller."""
    match shape:
        case cad.Circle(radius):
            return cad.Circle(radius * min(x, y))
        case cad.Rect(width, height):
            return cad.Rect(width * x, height * y)
        case cad.Loop(start, edges):
            return cad.Loop(_point(start, x, y), tuple(_edge(edge, x, y) for edge in edges))
        case cad.Face(sketch):
            return cad.Face(_sketch(sketch, x, y))


def _point(point: cad.Point2, x: float, y: float) -> cad.Point2:
    return point[0] * x, point[1] * y


def _edge(edge: cad.Line | cad.Arc, x: float, y: float) -> cad.Line | cad.Arc:
    if isinstance(edge, cad.Line):
        return cad.Line(_point(edge.end, x, y))
    return cad.Arc(_point(edge.middle, x, y), _point(edge.end, x, y))
