"""Change a program's numbers: into the scan's own units and place, or one named dimension at a time."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from cadrecode.errors import Message, ProgramError
from cadrecode.frames import Frame
from cadrecode.program.language import (
    Finish,
    Hole,
    Mirror,
    Operation,
    Placement,
    Plane,
    Point3,
    Program,
    Solid,
    Step,
)
from cadrecode.program.naming import named_numbers

HALF = 1e-9  # what computing with floats may add to a half
NOT_LENGTHS = {"taper", "degrees", "direction", "first", "sweep", "count", "columns", "rows"}  # neither scale nor round


def transform(program: Program, scale: float, offset: Point3 = (0, 0, 0)) -> Program:
    """Every length times `scale`, then everything moved by `offset` (in the new units).

    Raises: ProgramError: the scale is not positive.
    """
    if not scale > 0:
        raise ProgramError("The scale is {scale:g}.", expected=Message("a positive number"), scale=scale)
    placement = program.placement
    if placement is not None:
        moved = tuple(o * scale + d for o, d in zip(placement.offset, offset))
        placement, offset = dataclasses.replace(placement, offset=moved), (0, 0, 0)
    steps = (Step(step.operation, _scaled_solid(step.solid, scale, offset)) for step in program.steps)
    finishes = tuple(_scaled_finish(finish, scale, offset) for finish in program.finishes)
    return Program(tuple(steps), placement, finishes)


def to_raw(program: Program, frame: Frame, decimals: int | None = None) -> Program:
    """From the CODE frame to the units and the place of the user's file.

    In a turned frame the part stays in its own axes, centred, and is placed as a whole.
    Args: decimals: round every number to so many; enough for 1/50,000 of the longest side when None.
    """
    if frame.rotation is None:
        moved = transform(program, frame.raw_per_code, frame.center)
    else:
        moved = _placed(transform(program, frame.raw_per_code), Placement(*frame.turn(), frame.center))
    return rounded(moved, raw_decimals(frame) if decimals is None else decimals)


def to_code(program: Program, frame: Frame) -> Program:
    """From the units and the place of the user's file to the CODE frame: `to_raw` undone, but for its rounding.

    Args: frame: turned as the program's placement is, if it has one and is to be written without it.
    """
    scale = 1 / frame.raw_per_code
    if frame.rotation is None or program.placement is None:
        return transform(program, scale, tuple(-c * scale for c in frame.center))
    ((x, y, z),) = frame.to_own_axes(np.subtract([program.placement.offset], frame.center)) * scale
    return transform(dataclasses.replace(program, placement=None), scale, (x, y, z))


def _placed(program: Program, placement: Placement) -> Program:
    if program.placement is not None:
        return Program((Step(Operation.UNION, program),), placement)
    return dataclasses.replace(program, placement=placement)


def raw_decimals(frame: Frame) -> int:
    """Decimals that keep five significant digits of the longest side: 2 for a part of 100 mm, 5 for one of 0.1 m."""
    side = 2 * frame.raw_per_model
    decimals = 0
    while side < 50_000 and decimals < 12:
        side, decimals = side * 10, decimals + 1
    return decimals


def rounded(program: Program, decimals: int, *, halves: bool = False) -> Program:
    """Every number rounded; directions of planes, and turns, are left alone.

    Args: halves: a number that is half of a round one stays, such as the middle of a length.
    """

    def round_one(value: float) -> float:
        if halves and abs(2 * value - round(2 * float(value), decimals)) < HALF:
            return round(2 * float(value), decimals) / 2
        return round(float(value), decimals)

    return _map_numbers(program, round_one)


def _scaled_solid(solid: Solid | Program, scale: float, offset: Point3) -> Solid | Program:
    if isinstance(solid, Program):
        return transform(solid, scale, offset)
    return _on_moved_plane(solid, scale, offset)


def _on_moved_plane(node: Solid | Hole, scale: float, offset: Point3) -> Solid | Hole:
    moved = tuple(o * scale + d for o, d in zip(node.plane.origin, offset))
    plane = dataclasses.replace(node.plane, origin=moved)
    return dataclasses.replace(_map_numbers(node, lambda value: value * scale), plane=plane)


def _scaled_finish(finish: Finish, scale: float, offset: Point3) -> Finish:
    if isinstance(finish, Hole):
        return _on_moved_plane(finish, scale, offset)
    scaled = _map_numbers(finish, lambda value: value * scale)
    if isinstance(scaled, Mirror):
        return dataclasses.replace(scaled, base=tuple(b + d for b, d in zip(scaled.base, offset)))
    return scaled


def _map_numbers(node: Any, function: Callable[[float], float]) -> Any:
    """The same tree with every number mapped, except in planes' directions and in turns."""
    if isinstance(node, Plane):
        return dataclasses.replace(node, origin=tuple(map(function, node.origin)))
    if isinstance(node, Placement):
        return dataclasses.replace(node, offset=tuple(map(function, node.offset)))
    if isinstance(node, bool | str) or node is None:
        return node
    if isinstance(node, int | float):
        return function(node)
    if isinstance(node, tuple):
        return tuple(_map_numbers(item, function) for item in node)
    mapped = {
        field.name: _map_numbers(getattr(node, field.name), function)
        for field in dataclasses.fields(node)
        if field.name not in NOT_LENGTHS
    }
    return dataclasses.replace(node, **mapped)


# --- named numbers

WIDEST = {"degrees": 360, "taper": 60, "sweep": 360}  # of angles, for sliders


@dataclass(frozen=True)
class Parameter:
    """One number of a program.

    Args:
        name: unique in the program, in words: "box 1 width", "hole 2 radius", "profile 1 point 3 x".
        value: in the program's units.
        minimum, maximum, step: a sensible range for a slider.
        is_length: a size, which must stay positive; the others are positions.
        path: where it stands in the tree.
    """

    name: str
    value: float
    minimum: float
    maximum: float
    step: float
    is_length: bool
    path: tuple[str | int, ...]


def parameters(program: Program) -> list[Parameter]:
    """Every number of a program by name: sizes first, then positions."""
    named = list(named_numbers(program))
    reach = max((abs(value) for _, value, _, _ in named), default=1.0) or 1.0
    step = 10.0 ** round(math.log10(reach) - 2.3)  # about 1/200 of the largest number, a power of ten
    listed = []
    for name, value, is_length, path in named:
        if is_length:
            low, high = sorted((value * 0.05, value * 2.5))
            high = min(high, WIDEST.get(path[-1], high))
        else:
            low, high = value - 0.5 * reach, value + 0.5 * reach
        listed.append(Parameter(name, float(value), float(low), float(high), step, is_length, path))
    return sorted(listed, key=lambda parameter: not parameter.is_length)


def set_parameters(program: Program, values: Mapping[str, float]) -> Program:
    """The program with some of its named numbers replaced.

    Raises: ProgramError: an unknown name, or a size that is zero or changes its sign.
    """
    known = {parameter.name: parameter for parameter in parameters(program)}
    for name, value in values.items():
        if name not in known:
            raise ProgramError(
                "The program has no number {name!r}.",
                expected=Message("one of: {names}", names=", ".join(known)),
                name=name,
            )
        parameter = known[name]
        if parameter.is_length and not value * parameter.value > 0:
            sign = Message("positive") if parameter.value > 0 else Message("negative")
            raise ProgramError(
                "{name} is {value:g}.", expected=Message("a {sign} number", sign=sign), name=name, value=value
            )
        program = replaced(program, parameter.path, value)
    return program


def replaced(node: Any, path: tuple[str | int, ...], value: Any) -> Any:
    """The same tree with something else at one place."""
    if not path:
        return value
    first, rest = path[0], path[1:]
    if isinstance(first, int):
        return (*node[:first], replaced(node[first], rest, value), *node[first + 1 :])
    return dataclasses.replace(node, **{first: replaced(getattr(node, first), rest, value)})
