"""Change a program's numbers: into the scan's own units and place, or one named dimension at a time."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from cadrecode.errors import Message, ProgramError
from cadrecode.frames import Frame
from cadrecode.program.language import (
    Arc,
    Box,
    Circle,
    Cylinder,
    Extrusion,
    Face,
    Line,
    Loop,
    Mode,
    Operation,
    Placement,
    Plane,
    Point2,
    Point3,
    Program,
    Rect,
    Revolution,
    Sketch,
    SketchStep,
    Solid,
    Sphere,
    Step,
)

HALF = 1e-9  # what computing with floats may add to a half
NOT_LENGTHS = {"taper", "degrees", "direction"}  # fields that neither scale nor are rounded


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
    return Program(tuple(steps), placement)


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
    steps = program.steps if program.placement is None else (Step(Operation.UNION, program),)
    return Program(steps, placement)


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
    moved = tuple(o * scale + d for o, d in zip(solid.plane.origin, offset))
    plane = dataclasses.replace(solid.plane, origin=moved)
    return dataclasses.replace(_map_numbers(solid, lambda value: value * scale), plane=plane)


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

WIDEST = {"degrees": 360, "taper": 60}  # of angles, for sliders


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
    found = list(_named_numbers(program, (), _Counter()))
    reach = max((abs(value) for _, value, _, _ in found), default=1.0) or 1.0
    step = 10.0 ** round(math.log10(reach) - 2.3)  # about 1/200 of the largest number, a power of ten
    listed = []
    for name, value, is_length, path in found:
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


class _Counter:
    """Numbers things of a kind: box 1, box 2, hole 1."""

    def __init__(self):
        self.counts: dict[str, int] = {}

    def __call__(self, kind: str) -> str:
        self.counts[kind] = self.counts.get(kind, 0) + 1
        return f"{kind} {self.counts[kind]}"


_Named = tuple[str, float, bool, tuple[str | int, ...]]  # name, value, is a length, path


def _named_numbers(program: Program, path: tuple, count: _Counter) -> Iterator[_Named]:
    for index, step in enumerate(program.steps):
        here = (*path, "steps", index, "solid")
        match step.solid:
            case Program():
                yield from _named_numbers(step.solid, here, count)
            case Box():
                name = count("box")
                yield from _fields(step.solid, name, here, ("width", "height", "depth"), is_length=True)
                yield from _fields(step.solid, name, here, ("offset",), is_length=False)
                yield from _point(step.solid.center, name, (*here, "center"))
                yield from _origin(step.solid, name, here)
            case Cylinder():
                name = count("cylinder")
                yield from _fields(step.solid, name, here, ("radius", "height"), is_length=True)
                yield from _fields(step.solid, name, here, ("offset",), is_length=False)
                yield from _point(step.solid.center, name, (*here, "center"))
                yield from _origin(step.solid, name, here)
            case Sphere():
                name = count("sphere")
                yield from _fields(step.solid, name, here, ("radius",), is_length=True)
                yield from _fields(step.solid, name, here, ("offset",), is_length=False)
                yield from _point(step.solid.center, name, (*here, "center"))
                yield from _origin(step.solid, name, here)
            case Revolution():
                name = count("revolution")
                yield f"{name} angle", step.solid.degrees, True, (*here, "degrees")
                yield from _sketch_numbers(step.solid.sketch, (*here, "sketch"), count)
                yield from _point(step.solid.start, f"{name} axis", (*here, "start"))
                yield from _origin(step.solid, name, here)
            case Extrusion():
                name = count("extrusion")
                yield f"{name} depth", step.solid.distance, True, (*here, "distance")
                if step.solid.taper:
                    yield f"{name} taper", step.solid.taper, True, (*here, "taper")
                yield from _sketch_numbers(step.solid.sketch, (*here, "sketch"), count)
                yield from _origin(step.solid, name, here)


def _fields(node: Any, name: str, path: tuple, fields: tuple[str, ...], is_length: bool) -> Iterator[_Named]:
    for field in fields:
        yield f"{name} {field}", getattr(node, field), is_length, (*path, field)


def _point(point: Point2, name: str, path: tuple) -> Iterator[_Named]:
    for index, axis in enumerate("xy"):
        yield f"{name} {axis}", point[index], False, (*path, index)


def _origin(solid: Solid, name: str, path: tuple) -> Iterator[_Named]:
    for index, axis in enumerate("xyz"):
        yield f"{name} plane {axis}", solid.plane.origin[index], False, (*path, "plane", "origin", index)


def _sketch_numbers(sketch: Sketch, path: tuple, count: _Counter, inside_hole: bool = False) -> Iterator[_Named]:
    for index, step in enumerate(sketch.steps):
        here = (*path, "steps", index)
        hole = inside_hole or step.mode is Mode.SUBTRACT
        yield from _shape_numbers(step, here, count, hole)


def _shape_numbers(step: SketchStep, path: tuple, count: _Counter, hole: bool) -> Iterator[_Named]:
    where = (*path, "shape")
    match step.shape:
        case Circle(radius):
            name = count("hole" if hole else "circle")
            yield f"{name} radius", radius, True, (*where, "radius")
        case Rect():
            name = count("window" if hole else "rectangle")
            yield from _fields(step.shape, name, where, ("width", "height"), is_length=True)
        case Face(inner):
            yield from _sketch_numbers(inner, (*where, "sketch"), count, hole)
            return
        case Loop():
            name = count("cutout" if hole else "profile")
            yield from _loop_numbers(step.shape, name, where)
            return
    for index, place in enumerate(step.places):
        which = name if len(step.places) == 1 else f"{name} place {index + 1}"
        yield from _point(place, which, (*path, "places", index))


def _loop_numbers(loop: Loop, name: str, path: tuple) -> Iterator[_Named]:
    yield from _point(loop.start, f"{name} point 1", (*path, "start"))
    for index, edge in enumerate(loop.edges):
        here = (*path, "edges", index)
        match edge:
            case Line(end):
                yield from _point(end, f"{name} point {index + 2}", (*here, "end"))
            case Arc(middle, end):
                yield from _point(middle, f"{name} arc {index + 1}", (*here, "middle"))
                yield from _point(end, f"{name} point {index + 2}", (*here, "end"))
