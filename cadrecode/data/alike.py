"""Programs of a family written alike: what measuring happened to write in another order or direction.

A model learns from few parts only what their programs have in common. Which of two solids was found first, or whether
a plate was pulled up or down, says nothing about a part.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import chain, groupby

from cadrecode.program import build, iou
from cadrecode.program import language as cad
from cadrecode.program.planes import axes
from cadrecode.program.solid import bounds

SAME = 0.9999  # IoU of two orders of the same solids


def alike(program: cad.Program) -> cad.Program:
    """An equal part, whose solids stand on their planes and come in an order that sizes hardly change.

    Additions come before cuts where that is the same part, what is single before what is repeated, large before small.
    The spacing of a row across itself, which places nothing, is 1.
    """
    steps = tuple(replace(step, solid=_standing(step.solid)) for step in program.steps)
    ordered = replace(program, steps=_ordered(steps))
    if ordered.steps != steps and not iou(build(ordered), build(program)) > SAME:
        runs = groupby(steps, lambda step: step.operation)
        ordered = replace(program, steps=tuple(chain.from_iterable(_ordered(tuple(run)) for _, run in runs)))
    return ordered


def _ordered(steps: tuple[cad.Step, ...]) -> tuple[cad.Step, ...]:
    """Additions, cuts, then what is left of steps that overlap."""
    operations = list(cad.Operation)

    def place(step: cad.Step) -> tuple:
        low, high = bounds(build(cad.Program((replace(step, operation=cad.Operation.UNION),))))
        box = float((high - low).prod())
        return operations.index(step.operation), _is_repeated(step.solid), -round(box), tuple(low.round(1).tolist())

    return tuple(sorted(steps, key=place))


def _is_repeated(solid: cad.Solid | cad.Program) -> bool:
    if not isinstance(solid, cad.Extrusion | cad.Revolution):
        return False
    return any(isinstance(step, cad.SketchStep) and cad.count_of(step.places) > 1 for step in solid.sketch.steps)


def _standing(solid: cad.Solid | cad.Program) -> cad.Solid | cad.Program:
    """The solid with its plane at its lower end, and rows that have no spacing across themselves."""
    if isinstance(solid, cad.Program):
        return alike(solid)
    if isinstance(solid, cad.Extrusion | cad.Revolution):
        solid = replace(solid, sketch=_in_rows(solid.sketch))
    if not isinstance(solid, cad.Extrusion) or solid.taper or not (solid.both or solid.distance < 0):
        return solid
    down = -abs(solid.distance)
    origin = (axes(solid.plane)[:, 2] * down + solid.plane.origin).round(cad.NOISE_DECIMALS) + 0.0
    height = -down * (2 if solid.both else 1)
    plane = replace(solid.plane, origin=tuple(origin.tolist()))
    return replace(solid, plane=plane, distance=height, both=False)


def _in_rows(sketch: cad.Sketch) -> cad.Sketch:
    return cad.Sketch(tuple(_in_row(step) if isinstance(step, cad.SketchStep) else step for step in sketch.steps))


def _in_row(step: cad.SketchStep) -> cad.SketchStep:
    if not isinstance(step.places, cad.Grid):
        return step
    columns, rows = step.places.columns, step.places.rows
    places = replace(step.places, dx=step.places.dx if columns > 1 else 1, dy=step.places.dy if rows > 1 else 1)
    return replace(step, places=places)
