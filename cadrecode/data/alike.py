"""Programs of a family written alike, where measuring happened to write them in another order or direction.

A model learns from few parts only what their programs have in common. Which of two solids was found first, or whether
a plate was pulled up or down, says nothing about a part.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, groupby

import numpy as np

from cadrecode.program import build, iou
from cadrecode.program import language as cad
from cadrecode.program.planes import axes
from cadrecode.program.solid import bounds

SAME = 0.9999  # IoU of two orders of the same solids
CLOSE = 1e-6  # CODE, of planes


def alike(program: cad.Program) -> cad.Program:
    """An equal part, whose solids stand on their planes and come in an order that sizes hardly change.

    Additions come before cuts where that is the same part, what is single before what is repeated, large before small.
    What stands on another addition goes down through it. A row's spacing across itself, which places nothing, is 1.
    """
    steps = tuple(replace(step, solid=_standing(step.solid)) for step in program.steps)
    solid = build(program)
    ordered = replace(program, steps=_ordered(steps))
    if ordered.steps != steps and not iou(build(ordered), solid) > SAME:
        runs = groupby(steps, lambda step: step.operation)
        ordered = replace(program, steps=tuple(chain.from_iterable(_ordered(tuple(run)) for _, run in runs)))
    for number in range(len(steps)):
        for lower in _lowered(ordered.steps, number):
            changed = replace(ordered, steps=(*ordered.steps[:number], lower, *ordered.steps[number + 1 :]))
            if iou(build(changed), solid) > SAME:
                ordered = changed
                break
    return ordered


def _lowered(steps: tuple[cad.Step, ...], number: int) -> Iterator[cad.Step]:
    """An addition begun where another one begins that reaches up to it, the lowest first."""
    step = steps[number]
    if not _is_wall(step):
        return
    depths = []
    for other in steps:
        if _is_wall(other) and replace(other.solid.plane, origin=step.solid.plane.origin) == step.solid.plane:
            apart = np.subtract(step.solid.plane.origin, other.solid.plane.origin)
            along = float(apart @ axes(step.solid.plane)[:, 2])
            if CLOSE < along <= other.solid.distance + CLOSE and np.linalg.norm(apart) < along + CLOSE:
                depths.append((along, other.solid.plane))
    for along, plane in sorted(depths, key=lambda depth: -depth[0]):
        distance = round(step.solid.distance + along, cad.NOISE_DECIMALS)
        yield replace(step, solid=replace(step.solid, plane=plane, distance=distance))


def _is_wall(step: cad.Step) -> bool:
    """An addition pulled straight up."""
    solid = step.solid
    return (
        step.operation is cad.Operation.UNION and isinstance(solid, cad.Extrusion) and not (solid.both or solid.taper)
    )


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
