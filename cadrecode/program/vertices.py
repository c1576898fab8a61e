"""The vertices of a sketch, which `.vertices()` chooses as places of further shapes."""

from __future__ import annotations

import math

import numpy as np
from manifold3d import CrossSection

from cadrecode.program import language as cad
from cadrecode.program.section import cross_section

ELLIPSE_ARCS = 16  # of an ellipse in the language; OpenCASCADE's is a single edge
DECIMALS = 6  # of a vertex
FINE = 1e-4  # sagitta, of a sketch's size, where outlines may cross
ALIKE = 1e-6  # of an area: a smaller difference is none


def vertices_of(sketch: cad.Sketch) -> tuple[cad.Point2, ...] | None:
    """The ends of all edges, as OpenCASCADE has them: a circle's is on the right.

    Returns: None where the tree does not say them: outlines cross, nothing is left, or corners were blended.
    """
    found: dict[cad.Point2, None] = {}
    for step in sketch.steps:
        ends = None if isinstance(step, cad.Corners) or step.mode is cad.Mode.INTERSECT else _ends(step.shape)
        if ends is None:
            return None
        found |= dict.fromkeys(_placed(ends, step.places))
    return None if _is_crossed(sketch) else tuple(found)


def _ends(shape: cad.Shape) -> tuple[cad.Point2, ...] | None:
    """The vertices of one shape, before it is placed."""
    match shape:
        case cad.Circle(radius):
            return ((radius, 0),)
        case cad.Face(sketch):
            return vertices_of(sketch)
        case cad.Loop(_, edges) if len(edges) == ELLIPSE_ARCS and all(isinstance(edge, cad.Arc) for edge in edges):
            return None
    return shape.corners


def _placed(points: tuple[cad.Point2, ...], places: cad.Places) -> list[cad.Point2]:
    """The points at each of the places; on a ring they turn."""
    middles = cad.points_of(places)
    angles = places.angles() if isinstance(places, cad.Ring) else [0.0] * len(middles)
    placed = []
    for middle, angle in zip(middles, angles):
        cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
        turned = np.array(points) @ [[cosine, sine], [-sine, cosine]] + middle
        placed += [(round(x, DECIMALS) + 0.0, round(y, DECIMALS) + 0.0) for x, y in turned.tolist()]
    return placed


def _is_crossed(sketch: cad.Sketch) -> bool:
    """Whether some shape does not lie wholly outside those before it, or inside where it is subtracted, or nothing is
    left.
    """
    sagitta = FINE * max(abs(value) for value in cross_section(sketch, math.inf).bounds())
    area = CrossSection()
    for step in sketch.steps:
        assert isinstance(step, cad.SketchStep), "blended corners were refused"
        alone = cross_section(cad.Sketch.of(step.shape), sagitta).area() * cad.count_of(step.places)
        placed = cross_section(cad.Sketch.of(step.shape, step.places), sagitta)
        joined = area + placed if step.mode is cad.Mode.ADD else area - placed
        if abs(abs(joined.area() - area.area()) - alone) > ALIKE * alone:
            return True
        area = joined
    return area.is_empty()
