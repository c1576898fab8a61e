"""Change a program's numbers: into the scan's own units and place, or one named dimension at a time."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cadrecode.errors import Message, ProgramError
from cadrecode.frames import Frame
from cadrecode.program import language as cad
from cadrecode.program.naming import Number, named_numbers
from cadrecode.program.outline_sizes import Moves, Path

HALF = 1e-9  # rounding error of a half
NOT_LENGTHS = {"taper", "degrees", "direction", "first", "sweep", "count", "columns", "rows"}  # neither scale nor round


def transform(program: cad.Program, scale: float, offset: cad.Point3 = (0, 0, 0)) -> cad.Program:
    """Every length times `scale`, then everything moved by `offset` (in the new units).

    Raises:
        ProgramError: The scale is not positive.
    """
    if not scale > 0:
        raise ProgramError("The scale is {scale:g}.", expected=Message("a positive number"), scale=scale)
    placement = program.placement
    if placement is not None:
        moved = tuple(o * scale + d for o, d in zip(placement.offset, offset))
        placement, offset = dataclasses.replace(placement, offset=moved), (0, 0, 0)
    steps = (cad.Step(step.operation, _scaled_solid(step.solid, scale, offset)) for step in program.steps)
    finishes = tuple(_scaled_finish(finish, scale, offset) for finish in program.finishes)
    return cad.Program(tuple(steps), placement, finishes)


def to_raw(program: cad.Program, frame: Frame, decimals: int | None = None) -> cad.Program:
    """From the CODE frame to the units and the place of the user's file.

    In a turned frame the part stays in its own axes, centred, and is placed as a whole.

    Args:
        decimals: Decimals of every number; None: enough for 1/50,000 of the longest side.
    """
    if frame.rotation is None:
        moved = transform(program, frame.raw_per_code, frame.center)
    else:
        moved = _placed(transform(program, frame.raw_per_code), cad.Placement(*frame.turn(), frame.center))
    return rounded(moved, raw_decimals(frame) if decimals is None else decimals)


def to_code(program: cad.Program, frame: Frame) -> cad.Program:
    """From the units and the place of the user's file to the CODE frame: `to_raw` undone, but for its rounding.

    Args:
        frame: Turned as the program's placement is, if it has one and is to be written without it.
    """
    scale = 1 / frame.raw_per_code
    if frame.rotation is None or program.placement is None:
        return transform(program, scale, tuple(-c * scale for c in frame.center))
    ((x, y, z),) = frame.to_own_axes(np.subtract([program.placement.offset], frame.center)) * scale
    return transform(dataclasses.replace(program, placement=None), scale, (x, y, z))


def _placed(program: cad.Program, placement: cad.Placement) -> cad.Program:
    if program.placement is not None:
        return cad.Program.of(program, placement)
    return dataclasses.replace(program, placement=placement)


def raw_decimals(frame: Frame) -> int:
    """Decimals that keep five significant digits of the longest side: 3 for a part of 100 mm, 6 for one of 0.1 m."""
    side = 2 * frame.raw_per_model
    decimals = 0
    while side < 50_000 and decimals < 12:
        side, decimals = side * 10, decimals + 1
    return decimals


def rounded(program: cad.Program, decimals: int, *, halves: bool = False) -> cad.Program:
    """Every number rounded; directions of planes, and turns, are left alone.

    Args:
        halves: Half of a round number stays, such as the middle of a length.
    """

    def to_round(value: float) -> float:
        if halves and abs(2 * value - round(2 * float(value), decimals)) < HALF:
            return round(2 * float(value), decimals) / 2
        return round(float(value), decimals)

    return map_numbers(program, to_round)


def _scaled_solid(solid: cad.Solid | cad.Program, scale: float, offset: cad.Point3) -> cad.Solid | cad.Program:
    if isinstance(solid, cad.Program):
        return transform(solid, scale, offset)
    return _on_moved_plane(solid, scale, offset)


def _on_moved_plane(node: cad.Solid | cad.Hole, scale: float, offset: cad.Point3) -> cad.Solid | cad.Hole:
    moved = tuple(o * scale + d for o, d in zip(node.plane.origin, offset))
    plane = dataclasses.replace(node.plane, origin=moved)
    return dataclasses.replace(map_numbers(node, lambda value: value * scale), plane=plane)


def _scaled_finish(finish: cad.Finish, scale: float, offset: cad.Point3) -> cad.Finish:
    if isinstance(finish, cad.Hole):
        return _on_moved_plane(finish, scale, offset)
    scaled = map_numbers(finish, lambda value: value * scale)
    if isinstance(scaled, cad.Mirror):
        return dataclasses.replace(scaled, base=tuple(b + d for b, d in zip(scaled.base, offset)))
    return scaled


def map_numbers(node: Any, function: Callable[[float], float]) -> Any:
    """The same tree with every number mapped, except in planes' directions and in turns."""
    if isinstance(node, cad.Plane):
        return dataclasses.replace(node, origin=tuple(map(function, node.origin)))
    if isinstance(node, cad.Placement):
        return dataclasses.replace(node, offset=tuple(map(function, node.offset)))
    if isinstance(node, bool | str) or node is None:
        return node
    if isinstance(node, int | float):
        return function(node)
    if isinstance(node, tuple):
        return tuple(map_numbers(item, function) for item in node)
    mapped = {
        field.name: map_numbers(getattr(node, field.name), function)
        for field in dataclasses.fields(node)
        if field.name not in NOT_LENGTHS
    }
    return dataclasses.replace(node, **mapped)


# --- named numbers

ANGLES = {"degrees": 360, "taper": 60, "first": 360}  # in degrees, and the widest that a slider offers


@dataclass(frozen=True)
class Parameter:
    """One number of a program.

    Args:
        name: Unique in the program, in words: "plate thickness", "hole 2 diameter", "body edge 1 x".
        value: In the program's units, as a person reads it: a diameter, a positive depth.
        minimum, maximum, step: A sensible range for a slider.
        is_length: A size, which must stay positive; the others are positions and angles.
        moves: What it moves in the tree, and how far when it grows by 1.
    """

    name: str
    value: float
    minimum: float
    maximum: float
    step: float
    is_length: bool
    moves: Moves

    @property
    def is_angle(self) -> bool:
        return self.moves[0][0][-1] in ANGLES


def parameters(program: cad.Program, *, named_like: cad.Program | None = None) -> list[Parameter]:
    """Every number of a program by name, the most telling first, sizes before positions.

    Args:
        named_like: A program of the same structure whose names these numbers keep: a plate that was made thick is
            still the plate.
    """
    named = named_numbers(program)
    if named_like is not None:
        names = {_key(number): number.name for number in named_numbers(named_like)}
        named = [replace(number, name=names.get(_key(number), number.name)) for number in named]
    reach = max((abs(number.value) for number in named), default=1.0) or 1.0
    step = 10.0 ** round(math.log10(reach) - 2.3)  # about 1/200 of the largest number, a power of ten
    listed = []
    for number in named:
        value = float(number.value)
        if number.is_length:
            low, high = sorted((value * 0.05, value * 2.5))
            high = min(high, ANGLES.get(number.moves[0][0][-1], high))
        else:
            low, high = value - 0.5 * reach, value + 0.5 * reach
        moves = number.moves + number.follow
        listed.append(Parameter(number.name, value, float(low), float(high), step, number.is_length, moves))
    return listed


def _key(number: Number) -> frozenset:
    """The identity of a number: which numbers of the tree it moves, and which way."""
    return frozenset((path, factor > 0) for path, factor in number.moves)


def set_parameters(
    program: cad.Program, values: Mapping[str, float], *, named_like: cad.Program | None = None
) -> cad.Program:
    """The program with some of its named numbers replaced. The radius of a diameter can be set as well.

    Args:
        named_like: See `parameters`.
    Raises: ProgramError: an unknown name, or a size that is zero or changes its sign.
    """
    reference = program if named_like is None else named_like
    for name, value in values.items():
        known = {parameter.name: parameter for parameter in parameters(program, named_like=reference)}
        diameter = name.removesuffix("radius") + "diameter"
        parameter, wanted = known.get(name), value
        if parameter is None and name.endswith("radius") and diameter in known:
            parameter, wanted = known[diameter], 2 * value
        if parameter is None:
            raise ProgramError(
                "The program has no number {name!r}.",
                expected=Message("one of: {names}", names=", ".join(known)),
                name=name,
            )
        if parameter.is_length and not wanted * parameter.value > 0:
            sign = Message("positive") if parameter.value > 0 else Message("negative")
            raise ProgramError(
                "{name} is {value:g}.", expected=Message("a {sign} number", sign=sign), name=Message(name), value=value
            )
        for path, factor in parameter.moves:
            moved = number_at(program, path) + factor * (wanted - parameter.value)
            program = replaced(program, path, round(moved, cad.NOISE_DECIMALS))
    return program


def number_at(node: Any, path: Path) -> Any:
    """The number, or the node, at a path."""
    for part in path:
        node = node[part] if isinstance(part, int) else getattr(node, part)
    return node


def replaced(node: Any, path: Path, value: Any) -> Any:
    """The same tree with something else at one place."""
    if not path:
        return value
    first, rest = path[0], path[1:]
    if isinstance(first, int):
        return (*node[:first], replaced(node[first], rest, value), *node[first + 1 :])
    return dataclasses.replace(node, **{first: replaced(getattr(node, first), rest, value)})
