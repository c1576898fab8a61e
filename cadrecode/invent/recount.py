"""The same design with other counts and other sizes: 13 fins become 8 to 16, 4 holes 3 to 8.

`warp` makes other proportions of a drawing, in which a pattern is no more than its places. Here the program itself is
changed, so that `rarray` and `parray` stay, and a model learns to count. Two posts, or two by two, stay as many.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from cadrecode.errors import ProgramError
from cadrecode.invent.spelling import GRID_SAGITTA
from cadrecode.invent.stretch import scaled_shape, stretched
from cadrecode.program import build
from cadrecode.program import language as cad
from cadrecode.program.edit import parameters, set_parameters
from cadrecode.program.section import cross_section
from cadrecode.program.solid import shells, through_holes

FEWEST = 3  # repeats that are a pattern
DOWN, UP, AT_LEAST_TO = 0.6, 1.25, 8  # 13 become 8 to 16; 4 become 3 to 8
RESIZED, SIZE_SPREAD = 0.15, 0.12  # share of lengths that change, and the deviation of the logarithm
TRIES = 4


class _Touching(ValueError):
    """Repeats would touch that stood apart."""


def recounted(program: cad.Program, rng: np.random.Generator) -> cad.Program | None:
    """A program in which every pattern has another count, each axis another length, and some sizes are others.

    A pair, or two by two, keeps its count.

    Returns: None where nothing repeats, or no such part is sound: as many bodies, no hole lost, its repeats apart.
    """
    if not _repeats(program, 2):
        return None
    bodies = shells(build(program))
    for _ in range(TRIES):
        try:
            other = _walk(program, rng)
            changed = _resized(stretched(other, rng), rng)
            solid, same_sizes = build(changed), build(other)
            if shells(solid) == bodies and through_holes(solid) == through_holes(same_sizes) and changed != program:
                return changed
        except (ProgramError, _Touching):
            continue
    return None


def _repeats(node: Any, fewest: int = FEWEST) -> bool:
    """Whether something in a tree is repeated so often along a row or a ring."""
    if isinstance(node, cad.Ring):
        return node.count >= fewest
    if isinstance(node, cad.Grid):
        return max(node.columns, node.rows) >= fewest
    if isinstance(node, tuple):
        return any(_repeats(item, fewest) for item in node)
    fields = dataclasses.fields(node) if dataclasses.is_dataclass(node) else ()
    return any(_repeats(getattr(node, field.name), fewest) for field in fields)


def _walk(node: Any, rng: np.random.Generator) -> Any:
    """The tree with other counts. Raises: _Touching."""
    if isinstance(node, tuple):
        return tuple(_walk(item, rng) for item in node)
    if not dataclasses.is_dataclass(node) or isinstance(node, type):
        return node
    if isinstance(node, cad.SketchStep | cad.Hole) and _repeats(node.places):
        return _other_count(node, rng)
    return dataclasses.replace(node, **{f.name: _walk(getattr(node, f.name), rng) for f in dataclasses.fields(node)})


def _other_count(node: cad.SketchStep | cad.Hole, rng: np.random.Generator) -> cad.SketchStep | cad.Hole:
    changed = with_places(node, _redrawn(node.places, rng))
    if isinstance(changed, cad.Hole):
        return changed
    if _pieces(node) == cad.count_of(node.places) and _pieces(changed) != cad.count_of(changed.places):
        raise _Touching
    return changed


def with_places(node: cad.SketchStep | cad.Hole, places: cad.Ring | cad.Grid) -> cad.SketchStep | cad.Hole:
    """A shape or a hole at other places, on the same ring or in the same grid: it keeps its share of the pitch."""
    if isinstance(places, cad.Ring):
        along, across = node.places.count / places.count, 1.0
    else:
        along = places.dx / node.places.dx if places.columns > 1 else 1.0
        across = places.dy / node.places.dy if places.rows > 1 else 1.0
    if isinstance(node, cad.Hole):
        return dataclasses.replace(node, places=places, diameter=node.diameter * min(along, across, 1.0))
    scale = (across, along) if isinstance(places, cad.Ring) else (along, across)
    return dataclasses.replace(node, places=places, shape=_narrowed(node.shape, *scale))


def _redrawn(places: cad.Ring | cad.Grid, rng: np.random.Generator) -> cad.Ring | cad.Grid:
    """Places of another count over the same length."""
    if isinstance(places, cad.Ring):
        return dataclasses.replace(places, count=_drawn(places.count, rng))
    columns, rows = (_drawn(count, rng) for count in (places.columns, places.rows))
    wide, high = ((old - 1) / max(new - 1, 1) for old, new in ((places.columns, columns), (places.rows, rows)))
    return dataclasses.replace(places, columns=columns, rows=rows, dx=places.dx * wide, dy=places.dy * high)


def _drawn(count: int, rng: np.random.Generator) -> int:
    if count < FEWEST:
        return count
    low, high = max(FEWEST, math.ceil(DOWN * count)), max(AT_LEAST_TO, round(UP * count))
    return int(rng.integers(low, high + 1))


def _narrowed(shape: cad.Shape, x: float, y: float) -> cad.Shape:
    """A repeated shape that keeps its share of the pitch; a circle shrinks with it, and does not grow."""
    return scaled_shape(shape, min(x, 1.0), min(y, 1.0)) if isinstance(shape, cad.Circle) else scaled_shape(shape, x, y)


def _pieces(step: cad.SketchStep) -> int:
    """Separate areas of a step alone."""
    return len(cross_section(cad.Sketch((dataclasses.replace(step, mode=cad.Mode.ADD),)), GRID_SAGITTA).decompose())


def _resized(program: cad.Program, rng: np.random.Generator) -> cad.Program:
    """Some sizes are others, but equal sizes stay equal, and the pitch of a pattern is left alone.

    Raises: ProgramError: the part does not allow another size.
    """
    sizes = [n for n in parameters(program) if n.is_length and not n.is_angle and n.moves[0][0][-2] != "places"]
    factors = {
        value: math.exp(rng.normal(0, SIZE_SPREAD)) if rng.random() < RESIZED else 1.0
        for value in sorted({_key(number.value) for number in sizes})
    }
    values = {number.name: number.value * factors[_key(number.value)] for number in sizes}
    return set_parameters(program, values, named_like=program)


def _key(value: float) -> float:
    return round(abs(value), cad.NOISE_DECIMALS)
