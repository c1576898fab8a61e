"""Procedural parts: valid, normalised, single-body programs, for training and for measuring.

A part is drawn as a few slabs (a profile with holes, pulled along an axis) that are added or cut. It is then put on the
grid of the CODE frame in one canonical form (`spelling`), so that parts that look the same get the same text.
A part is drawn anew when it has more than one shell, when a step changes almost nothing, or when rounding broke it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from manifold3d import Manifold

from cadrecode.errors import Message, ProgramError
from cadrecode.invent import families, machined
from cadrecode.invent.outlines import Degenerate, whole
from cadrecode.invent.pieces import Slab
from cadrecode.invent.spelling import HALF_SIDE, GridSlab, Spelled, as_program, clipped, ends_of, in_order, spelled
from cadrecode.invent.turn import Turn
from cadrecode.program.edit import transform
from cadrecode.program.language import Program
from cadrecode.program.solid import bounds, build, is_single_body
from cadrecode.program.write import write

THINNEST_SIDE = 3  # CODE; thinner parts are within what rounding destroys
LEAST_GAIN = 0.012  # of the part's volume: the least change by a step that is seen in 256 points
LONGEST_TEXT = 1100  # characters
MOST_ATTEMPTS = 2000  # far beyond what any family needs; a family that never succeeds is a bug and says so

FAMILIES = (*families.DRAWERS, families.MACHINED)


@dataclass(frozen=True)
class Invention:
    """A program in the CODE frame, and its solid, which making it has built anyway."""

    program: Program
    solid: Manifold


def invent(rng: np.random.Generator, family: str = "general", *, height_steps: int = 1) -> Program:
    """Draw one program of a family: CODE frame, centred, longest side 200, one closed body.

    Args:
        height_steps: see `spelling.GridSlab`.
    Raises: ProgramError: there is no such family.
    """
    return invent_solid(rng, family, height_steps=height_steps).program


def invent_solid(
    rng: np.random.Generator, family: str = "general", *, turn: bool = False, height_steps: int = 1
) -> Invention:
    """`invent`, with the solid; with `turn`, turned or mirrored at random onto the axes.

    Raises: ProgramError: there is no such family.
    """
    if family == families.MACHINED:
        return _machined(rng)
    if family not in families.DRAWERS:
        raise ProgramError(
            "There is no family {family!r}.",
            expected=Message("one of {names}", names=", ".join(FAMILIES)),
            family=family,
        )
    draw = families.DRAWERS[family]
    for _ in range(MOST_ATTEMPTS):
        try:
            slabs = draw(rng)
            if turn:
                slabs = [*map(Turn.draw(rng).slab, slabs)]
            invention = _checked(spelled(_on_grid(slabs, height_steps)))
        except (Degenerate, ProgramError):
            continue
        if invention is not None:
            return invention
    raise AssertionError(f"family {family!r} drew {MOST_ATTEMPTS} parts and none was valid")


def _machined(rng: np.random.Generator) -> Invention:
    for _ in range(MOST_ATTEMPTS):
        program = machined.draw(rng)
        try:
            solid = build(program)
            low, high = bounds(solid)
            middle = tuple(-whole(round(float(value))) for value in (low + high) / 2)
            program = transform(program, 1, middle)
            text = write(program)
            solid = solid.translate(middle)
        except (Degenerate, ProgramError):
            continue
        longest = float((high - low).max())
        if len(text) <= LONGEST_TEXT and abs(longest - 2 * HALF_SIDE) <= 2 and is_single_body(solid):
            return Invention(program, solid)
    raise AssertionError(f"the family {families.MACHINED!r} drew {MOST_ATTEMPTS} parts and none was valid")


def _on_grid(slabs: list[Slab], height_steps: int) -> list[GridSlab]:
    """Scale and centre the drawing as a whole; from here on everything is rounded."""
    added = [slab for slab in slabs if not slab.cut]
    corners = np.array([slab.bounds() for slab in added])  # (S, 2, 3)
    low, high = corners[:, 0].min(axis=0), corners[:, 1].max(axis=0)
    scale = 2 * HALF_SIDE / float((high - low).max())
    x, y, z = ((low + high) / 2).tolist()
    slabs = [clipped(slab, low, high) if slab.cut else slab for slab in slabs]
    return [GridSlab(slab, scale, (x, y, z), height_steps, ends_of(slabs)) for slab in slabs]


def _checked(steps: list[Spelled]) -> Invention | None:
    """The part in canonical order; None where nothing can be learned from it."""
    steps = in_order(steps)
    volumes: list[float] = []
    body = Manifold()
    for step in steps:
        body = body - step.built if step.cut else body + step.built
        volumes.append(body.volume())
    changes = np.abs(np.diff(volumes, prepend=0.0))
    if changes.min() < LEAST_GAIN * max(volumes) or volumes[-1] < 0.03 * max(volumes):
        return None
    low, high = bounds(body)
    sides = high - low
    if np.abs(low + high).max() > 2 or np.abs(sides.max() - 2 * HALF_SIDE) > 2 or sides.min() < THINNEST_SIDE:
        return None
    if not is_single_body(body):
        return None
    program = as_program(steps)
    return Invention(program, body) if len(write(program)) <= LONGEST_TEXT else None
