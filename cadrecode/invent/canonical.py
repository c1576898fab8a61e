"""Somebody's program in the embedded base's own spelling (`spelling`): an equal shape, another text.

A designer pulls sketches to either side, draws a disc as four arcs, cuts a hole through a plate as a solid of its own,
in whatever order. The base has seen one way to write each of these; a fine-tuning on other ways learns the ways, and
forgets shapes. So a program is read back as a drawing (`drawing`), its slabs are made as few and as small as the shape
allows, and spelled anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import groupby
from typing import Any

import numpy as np
from manifold3d import Manifold, OpType

from cadrecode.errors import ProgramError
from cadrecode.invent.outlines import Degenerate, Outline, mapped
from cadrecode.invent.pieces import Slab
from cadrecode.invent.regions import regions
from cadrecode.invent.spelling import (
    A_PATTERN,
    GRID_SAGITTA,
    Ends,
    GridSlab,
    Spelled,
    as_program,
    clipped,
    ends_of,
    in_order,
    spelled,
)
from cadrecode.invent.turn import Turn
from cadrecode.invent.warp import Warp
from cadrecode.program import language as cad
from cadrecode.program.planes import axes, plane_axes
from cadrecode.program.solid import bounds, build, iou

EQUAL = 0.995  # least IoU of two spellings of a shape that are equal but for rounding
LEAST_LIKE = 0.9  # least IoU of a shape before and after rounding
SAME = 0.9999  # least IoU of a drawing before and after a simplification
MOST_TRIED = 8  # slabs; beyond that a plainer drawing takes seconds to find, and the base knows four solids
TURNED = 0.5  # of warped programs
EXACT = 1000  # steps of a unit, for clouds
FLAT = 1e-6  # of a direction: its largest component along another axis


class NotDrawn(ValueError):
    """The program is more than slabs along the axes that are added, then cut."""


def canonical(program: cad.Program, height_steps: int = 1) -> cad.Program:
    """The program in the base's spelling; the program itself where the base cannot spell its shape.

    Args:
        program: CODE frame.
        height_steps: here and below, see `spelling.GridSlab`.
    Raises: ProgramError: the program builds nothing.
    """
    solid = build(program, GRID_SAGITTA)
    try:
        slabs = drawing(program)
        rounded = _body(_spelled(slabs, height_steps))
        if not iou(rounded, solid) > LEAST_LIKE:
            return program
        return respelled(simplified(slabs, height_steps), rounded, height_steps) or program
    except (NotDrawn, Degenerate, ProgramError):
        return program


def respelled(slabs: Sequence[Slab], solid: Manifold, height_steps: int = 1) -> cad.Program | None:
    """The text of a drawing, in canonical order or, where that is another shape, in its own; None if both are.

    Args:
        solid: the shape that is meant, before rounding.
    """
    try:
        steps = _spelled(slabs, height_steps)
    except (Degenerate, ProgramError):
        return None
    for ordered in (in_order(steps), steps):
        if not ordered[0].cut and iou(_body(ordered), solid) > EQUAL:
            return as_program(ordered)
    return None


def turned(program: cad.Program, turn: Turn, height_steps: int = 1) -> cad.Program | None:
    """A canonical program's part, turned or mirrored onto the axes, in canonical spelling; None where there is none.

    Raises: ProgramError: the program builds nothing.
    """
    matrix = np.column_stack((turn.points(np.eye(3)).T, np.zeros(3)))
    solid = build(program, GRID_SAGITTA).transform(matrix)
    try:
        return respelled([turn.slab(slab) for slab in drawing(program)], solid, height_steps)
    except NotDrawn:
        return None


@dataclass(frozen=True)
class Warped:
    """A canonical program, and the part that it was made for, before rounding; both in the CODE frame."""

    program: cad.Program
    solid: Manifold


def warped(
    program: cad.Program, rng: np.random.Generator, height_steps: int = 1, *, gentle: bool = False
) -> Warped | None:
    """A part of other proportions in the design of a canonical program (`Warp`); every other part is turned, too.

    Args:
        gentle: much the same part, with other numbers.
    Returns: None where the program is more than slabs along the axes, or rounding breaks what would come out.
    """
    try:
        slabs = drawing(program)
        warp = Warp.draw(slabs, rng, gentle=gentle)
        slabs = [warp.slab(slab) for slab in slabs]
        body = _body(_spelled(slabs, EXACT, everywhere=True))
        if not body.volume() > 0:
            return None
        frame = Warp.onto_frame(*bounds(body))  # cuts may have taken an end away
        slabs = [frame.slab(slab) for slab in slabs]
        if rng.random() < TURNED:
            turn = Turn.draw(rng)
            slabs = [turn.slab(slab) for slab in slabs]
        solid = _body(_spelled(slabs, EXACT, everywhere=True))
        rounded = _body(_spelled(slabs, height_steps))
        program_of_it = respelled(slabs, rounded, height_steps)
        like = program_of_it is not None and iou(rounded, solid) > LEAST_LIKE
        return Warped(program_of_it, solid) if like else None
    except (NotDrawn, Degenerate, ProgramError):
        return None


def _spelled(slabs: Sequence[Slab], height_steps: int, everywhere: bool = False) -> list[Spelled]:
    ends = None if everywhere or height_steps == 1 else ends_of(slabs)
    return [_spelled_one(slab, height_steps, ends) for slab in slabs]


@lru_cache(maxsize=1024)
def _spelled_one(slab: Slab, height_steps: int, ends: Ends | None) -> Spelled:
    """Cached, since drawings that are compared differ in a slab or two."""
    return spelled([GridSlab(slab, height_steps=height_steps, ends=ends)], GRID_SAGITTA)[0]


def _body(steps: Sequence[Spelled]) -> Manifold:
    body = Manifold()
    for cut, together in groupby(steps, lambda step: step.cut):
        solids = Manifold.batch_boolean([step.built for step in together], OpType.Add)
        body = body - solids if cut else body + solids
    return body


# --- a program as a drawing


def drawing(program: cad.Program) -> list[Slab]:
    """The slabs of a program, in its order. Raises: NotDrawn."""
    if not program.is_plain:
        raise NotDrawn
    return [slab for operation, solid in _flat(program) for slab in _slabs(operation, solid)]


def _flat(program: cad.Program) -> Iterator[tuple[cad.Operation, cad.Solid]]:
    """Solids, and how they join; a body that is a union of solids may stand for them."""
    for step in program.steps:
        if step.operation is cad.Operation.INTERSECT:
            raise NotDrawn
        if not isinstance(step.solid, cad.Program):
            yield step.operation, step.solid
            continue
        if not step.solid.is_plain or any(s.operation is not cad.Operation.UNION for s in step.solid.steps):
            raise NotDrawn
        yield from ((step.operation, solid) for _, solid in _flat(step.solid))


def _slabs(operation: cad.Operation, solid: cad.Solid) -> list[Slab]:
    axis = _axis(solid.plane)
    sketch, low, high = _as_sketch(solid)
    if any(isinstance(step, cad.Corners) or not isinstance(step.places, tuple) for step in sketch.steps):
        raise NotDrawn
    low, high = sorted(solid.plane.origin[axis] + axes(solid.plane)[axis, 2] * end for end in (low, high))
    point = _to_world(solid.plane, axis)
    areas = regions(sketch, GRID_SAGITTA)
    pieces: list[tuple[tuple[Outline, ...], tuple[Outline, ...]]] = [((r.outer,), r.holes) for r in areas]
    if len(areas) >= A_PATTERN and len({_likeness(region.outer) for region in areas}) == 1:
        pieces = [(tuple(region.outer for region in areas), tuple(hole for region in areas for hole in region.holes))]
    return [
        Slab(
            axis,
            low,
            high,
            tuple(mapped(outline, point) for outline in outers),
            tuple(mapped(outline, point) for outline in holes),
            cut=operation is cad.Operation.CUT,
        )
        for outers, holes in pieces
    ]


def _likeness(outline: Outline) -> tuple:
    x0, y0, x1, y1 = outline.bounds()
    return type(outline), round(x1 - x0), round(y1 - y0)


def _as_sketch(solid: cad.Solid) -> tuple[cad.Sketch, float, float]:
    """The sketch of a solid, and between which heights over its plane it is pulled. Raises: NotDrawn."""
    match solid:
        case cad.Extrusion(_, sketch, distance, both, 0):
            return sketch, -distance if both else 0, distance
        case cad.Box():
            shape, depth = cad.Rect(solid.width, solid.height), solid.depth
        case cad.Cylinder():
            shape, depth = cad.Circle(solid.radius), solid.height
        case _:
            raise NotDrawn
    sketch = cad.Sketch.of(shape, (solid.center,))
    return sketch, solid.offset - depth / 2, solid.offset + depth / 2


def _axis(plane: cad.Plane) -> int:
    """The world axis along which a plane's normal lies. Raises: NotDrawn: it does not, or x does not."""
    matrix = np.abs(axes(plane))
    if (np.sort(matrix, axis=0)[1] > FLAT).any():
        raise NotDrawn
    return int(matrix[:, 2].argmax())


def _to_world(plane: cad.Plane, axis: int) -> Callable:
    """From a plane's own coordinates to those along `plane_axes`."""
    matrix, rows = axes(plane), plane_axes(axis)
    turn, move = np.round(matrix[rows, :2]), np.array(plane.origin, float)[rows]
    return lambda point: tuple((turn @ point + move).tolist())


# --- as little as the shape allows


def simplified(slabs: Sequence[Slab], height_steps: int) -> list[Slab]:
    """The drawing without slabs, holes and lengths that its shape does not need.

    Raises: Degenerate, ProgramError: it cannot be put on the grid.
    """
    slabs = _stacked(list(slabs))
    added = np.array([slab.bounds() for slab in slabs if not slab.cut])
    if len(added):
        low, high = added[:, 0].min(axis=0), added[:, 1].max(axis=0)
        slabs = [clipped(slab, low, high) if slab.cut else slab for slab in slabs]
    if not 1 < len(slabs) <= MOST_TRIED:
        return slabs
    body = _body(_spelled(slabs, height_steps))
    for changes in (_without_one, _without_a_hole, _shorter, _without_one, _holes_for_cuts):
        slabs = _while_same(slabs, body, changes, height_steps)
    return slabs


def _stacked(slabs: list[Slab]) -> list[Slab]:
    """Join slabs of the same outline that follow each other along their axis, where no cut stands between them."""
    done: list[Slab] = []
    for slab in slabs:
        for index, other in enumerate(done):
            alike = replace(slab, low=other.low, high=other.high) == other
            if alike and slab.low <= other.high and other.low <= slab.high:
                done[index] = replace(other, low=min(slab.low, other.low), high=max(slab.high, other.high))
                break
        else:
            done.append(slab)
    return done


def _while_same(slabs: list[Slab], body: Manifold, changes: Callable, height_steps: int) -> list[Slab]:
    """Each change made that leaves the shape as it is."""
    accepted, volume = True, body.volume()
    while accepted:
        accepted = False
        for changed in changes(slabs):
            try:
                tried = _body(_spelled(changed, height_steps))
            except (Degenerate, ProgramError):
                continue
            if abs(tried.volume() - volume) <= (1 - SAME) * volume and iou(tried, body) > SAME:
                slabs, accepted = changed, True
                break
    return slabs


def _without_one(slabs: list[Slab]) -> Iterator[list[Slab]]:
    for index in range(len(slabs)):
        if len(slabs) > 1:
            yield slabs[:index] + slabs[index + 1 :]


def _without_a_hole(slabs: list[Slab]) -> Iterator[list[Slab]]:
    """A hole that another slab fills."""
    for index, slab in enumerate(slabs):
        for hole in range(len(slab.holes)) if len(slabs) > 1 else ():
            yield _with(slabs, index, holes=slab.holes[:hole] + slab.holes[hole + 1 :])


def _shorter(slabs: list[Slab]) -> Iterator[list[Slab]]:
    """Shorten a slab that begins or ends within another slab or a cut, to where that one ends."""
    for index, slab in enumerate(slabs):
        for other in slabs:
            if other is slab or slab.cut:
                continue
            low, high = other.bounds()[:, slab.axis]
            if slab.low < high < slab.high:
                yield _with(slabs, index, low=float(high))
            if slab.low < low < slab.high:
                yield _with(slabs, index, high=float(low))


def _holes_for_cuts(slabs: list[Slab]) -> Iterator[list[Slab]]:
    """Turn a cut that goes all the way through a slab into a hole of that slab."""
    for index, cut in enumerate(slabs):
        for other, slab in enumerate(slabs):
            through = cut.axis == slab.axis and cut.low <= slab.low and cut.high >= slab.high
            if cut.cut and not slab.cut and through and not cut.holes:
                pierced = _with(slabs, other, holes=(*slab.holes, *cut.outers))
                yield pierced[:index] + pierced[index + 1 :]


def _with(slabs: list[Slab], index: int, **changes: Any) -> list[Slab]:
    return [*slabs[:index], replace(slabs[index], **changes), *slabs[index + 1 :]]
