"""Program tree -> CadQuery text, always in the same order and spelling: that of the CAD-Recode programs.

Workplanes first (w0, w1, ... in the order in which solids stand on them), then `r=` with all solids in one expression;
where the whole part is placed, a last line turns and moves it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from cadrecode.program.language import (
    ORIGIN,
    Box,
    Circle,
    Cylinder,
    Face,
    Line,
    Loop,
    Mode,
    Operation,
    Placement,
    Plane,
    Point2,
    Program,
    Rect,
    Revolution,
    Sketch,
    Solid,
    Sphere,
)

DECIMALS = 6  # finer than any cloud, coarser than float noise


def write(program: Program) -> str:
    """The canonical text of a program. `parse(write(p))` builds the same solid; no line break at the end."""
    planes: dict[Plane, str] = {}
    for solid in program.solids():
        planes.setdefault(solid.plane, f"w{len(planes)}")
    lines = ["import cadquery as cq"]
    lines += [f"{name}={_plane(plane)}" for plane, name in planes.items()]
    lines.append(f"r={_steps(program, planes)}")
    if program.placement is not None:
        lines.append(f"r=r{_placement(program.placement)}")
    return "\n".join(lines)


def number(value: float) -> str:
    """A number as a person would write it: 3, -0.5, 12.25."""
    rounded = round(float(value), DECIMALS)
    if rounded == int(rounded):
        return str(int(rounded))
    return f"{rounded:.{DECIMALS}f}".rstrip("0")


def _numbers(values: Iterable[float]) -> str:
    return f"({','.join(number(value) for value in values)})"


def _plane(plane: Plane) -> str:
    if plane.name is not None:
        return f"cq.Workplane('{plane.name}',origin={_numbers(plane.origin)})"
    directions = ",".join(_numbers(vector) for vector in (plane.origin, plane.x_direction, plane.normal))
    return f"cq.Workplane(cq.Plane({directions}))"


def _placement(placement: Placement) -> str:
    turn = f".rotate((0,0,0),{_numbers(placement.axis)},{number(placement.degrees)})" if placement.degrees else ""
    return f"{turn}.translate({_numbers(placement.offset)})"


def _body(program: Program, planes: dict[Plane, str]) -> str:
    return _steps(program, planes) + (_placement(program.placement) if program.placement is not None else "")


def _steps(program: Program, planes: dict[Plane, str]) -> str:
    text = ""
    for step in program.steps:
        inner = _body(step.solid, planes) if isinstance(step.solid, Program) else _solid(step.solid, planes)
        text = f"{text}.{step.operation}({inner})" if text else inner
        assert text != inner or step.operation is Operation.UNION, "the first step of a program is a union"
    return text


def _solid(solid: Solid, planes: dict[Plane, str]) -> str:
    name = planes[solid.plane]
    if isinstance(solid, Box | Cylinder | Sphere):
        offset = number(solid.offset) if isinstance(solid, Sphere) else _half(solid.offset)
        place = f"{name}.workplane(offset={offset})"
        if solid.center != (0, 0):
            place += f".moveTo{_numbers(solid.center)}"
        if isinstance(solid, Box):
            return f"{place}.box{_numbers((solid.width, solid.height, solid.depth))}"
        if isinstance(solid, Cylinder):
            return f"{place}.cylinder{_numbers((solid.height, solid.radius))}"
        return f"{place}.sphere({number(solid.radius)})"
    sketch = f"{_sketch(solid.sketch, name)}.finalize()"
    if isinstance(solid, Revolution):
        end = tuple(a + b for a, b in zip(solid.start, solid.direction))
        return f"{sketch}.revolve({number(solid.degrees)},{_numbers(solid.start)},{_numbers(end)})"
    both = "both=True" if solid.both else ""
    taper = f"taper={number(solid.taper)}" if solid.taper else ""
    return f"{sketch}.extrude({_comma(number(solid.distance), both, taper)})"


def _half(offset: float) -> str:
    """Half of a number of at most one decimal is written as such, so that a box's offset shows its depth: 15/2."""
    twice = 2 * offset
    return f"{number(twice)}/2" if math.isclose(twice, round(twice, 1), abs_tol=10**-DECIMALS) else number(offset)


def _sketch(sketch: Sketch, plane_name: str) -> str:
    text, places = f"{plane_name}.sketch()", ORIGIN
    for step in sketch.steps:
        mode = "" if step.mode is Mode.ADD else f"mode='{step.mode}'"
        if step.places != places:
            text += ".reset()" if step.places == ORIGIN else f".push([{_points(step.places)}])"
            places = step.places
        match step.shape:
            case Circle(radius):
                text += f".circle({_comma(number(radius), mode)})"
            case Rect(width, height):
                text += f".rect({_comma(number(width), number(height), mode)})"
            case Face(inner):
                text += f".face({_comma(_sketch(inner, plane_name), mode)})"
            case Loop():
                text += f"{_loop(step.shape)}.assemble({mode})"
    return text


def _comma(*parts: str) -> str:
    return ",".join(part for part in parts if part)


def _points(points: tuple[Point2, ...]) -> str:
    return ",".join(_numbers(point) for point in points)


def _loop(loop: Loop) -> str:
    text = ""
    for index, edge in enumerate(loop.edges):
        method, points = ("segment", (edge.end,)) if isinstance(edge, Line) else ("arc", (edge.middle, edge.end))
        text += f".{method}({_points((loop.start, *points) if index == 0 else points)})"
    return text if loop.edges[-1].end == loop.start else f"{text}.close()"
