"""Program tree -> CadQuery text, always in the same order and spelling: that of the CAD-Recode programs.

Workplanes first (w0, w1, ... in the order in which solids stand on them), then `r=` with all solids in one expression;
where the whole part is placed, a last line turns and moves it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from cadrecode.program import language as cad
from cadrecode.program.edit import number_at, replaced
from cadrecode.program.naming import MINOR, named_numbers
from cadrecode.program.outline_sizes import SAME
from cadrecode.program.selectors import THEN

FIRST_MARK = 700_000_001.001  # larger than any number of a program, and half of none
MARK = re.compile(r"\b7\d{8}\.001\b")
DECIMALS = 6  # finer than any cloud, coarser than float noise


def write(program: cad.Program, *, names: bool = False) -> str:
    """The canonical text of a program. `parse(write(p))` builds the same solid; no line break at the end.

    Args:
        names: sizes stand at the top, as variables with their names: `plate_thickness=8`.
    """
    if names:
        return _named(program)
    planes: dict[cad.Plane, str] = {}
    for plane in _planes_of(program):
        planes.setdefault(plane, f"w{len(planes)}")
    lines = ["import cadquery as cq"]
    lines += [f"{name}={_plane(plane)}" for plane, name in planes.items()]
    lines.append(f"r={_unplaced(program, planes)}")
    if placed := _placement(program.placement):
        lines.append(f"r=r{placed}")
    return "\n".join(lines)


def _planes_of(program: cad.Program) -> Iterator[cad.Plane]:
    """Every plane in order: those of each body's solids, then those of its holes."""
    for step in program.steps:
        if isinstance(step.solid, cad.Program):
            yield from _planes_of(step.solid)
        else:
            yield step.solid.plane
    yield from (finish.plane for finish in program.finishes if isinstance(finish, cad.Hole))


@dataclass(frozen=True)
class Marked:
    """A program with a number in place of each size that nothing else has, so that a written text can be searched.

    Args:
        program: The tree with the marks.
        sizes: Name -> value, as a person reads them.
        marks: Mark -> the name that it stands for, the factor and the value that it replaced.
    """

    program: cad.Program
    sizes: dict[str, float]
    marks: dict[float, tuple[str, float, float]]

    @classmethod
    def of(cls, program: cad.Program) -> Marked:
        sizes: dict[str, float] = {}
        marks: dict[float, tuple[str, float, float]] = {}
        marked = program
        for size in named_numbers(program):
            stored = [(path, factor, number_at(program, path)) for path, factor in size.moves]
            if (
                not size.is_length
                or size.rank == MINOR
                or any(
                    abs(factor) not in (0.5, 1) or abs(value - factor * size.value) > SAME
                    for _, factor, value in stored
                )
            ):
                continue  # no dimension, or a distance between numbers of the program, which none of them is
            name = size.name.replace(" ", "_")
            sizes[name] = size.value
            for path, factor, value in stored:
                mark = FIRST_MARK + len(marks)
                marks[mark] = (name, factor, value)
                marked = replaced(marked, path, mark)
        return cls(marked, sizes, marks)

    def named(self, text: str, prefix: str = "") -> str:
        """A text that was written of the marked program, with names in place of the marks."""

        def expression(match: re.Match[str]) -> str:
            name, factor, _ = self.marks[float(match[0])]
            return f"{'-' if factor < 0 else ''}{prefix}{name}{'/2' if abs(factor) == 0.5 else ''}"

        return MARK.sub(expression, text)

    def value(self, stored: float) -> float:
        """The number of the program itself."""
        return self.marks[stored][2] if stored in self.marks else stored


def _named(program: cad.Program) -> str:
    """Sizes as variables at the top."""
    marked = Marked.of(program)
    first, *lines = marked.named(write(marked.program)).split("\n")
    return "\n".join([first, *(f"{name}={number(value)}" for name, value in marked.sizes.items()), *lines])


def number(value: float) -> str:
    """A number as a person would write it: 3, -0.5, 12.25."""
    rounded = round(float(value), DECIMALS)
    if rounded == int(rounded):
        return str(int(rounded))
    return f"{rounded:.{DECIMALS}f}".rstrip("0")


def _numbers(values: Iterable[float]) -> str:
    return f"({','.join(number(value) for value in values)})"


def _plane(plane: cad.Plane) -> str:
    if plane.name is not None:
        return f"cq.Workplane('{plane.name}',origin={_numbers(plane.origin)})"
    directions = ",".join(_numbers(vector) for vector in (plane.origin, plane.x_direction, plane.normal))
    return f"cq.Workplane(cq.Plane({directions}))"


def _placement(placement: cad.Placement | None) -> str:
    """The turn and the move of a body, each where there is one."""
    if placement is None:
        return ""
    turn = f".rotate((0,0,0),{_numbers(placement.axis)},{number(placement.degrees)})" if placement.degrees else ""
    offset = _numbers(placement.offset)
    return turn if offset == "(0,0,0)" else f"{turn}.translate({offset})"


def _body(program: cad.Program, planes: dict[cad.Plane, str]) -> str:
    return _unplaced(program, planes) + _placement(program.placement)


def _unplaced(program: cad.Program, planes: dict[cad.Plane, str]) -> str:
    return _steps(program, planes) + "".join(_finish(finish, planes) for finish in program.finishes)


def _finish(finish: cad.Finish, planes: dict[cad.Plane, str]) -> str:
    match finish:
        case cad.Hole():
            return f".copyWorkplane({planes[finish.plane]}){_hole_places(finish.places)}{_hole(finish)}"
        case cad.Edges(blend, size, faces, edges, second):
            sizes = _comma(number(size), "" if second is None else number(second))
            chosen = "".join(f".edges({_quoted(part)})" for part in (edges or "").split(THEN))
            return f"{_faces(faces)}{chosen}.{blend}({sizes})"
        case cad.Shell(thickness, faces, sharp):
            kind = "kind='intersection'" if sharp else ""
            return f"{_faces(faces)}.shell({_comma(number(thickness), kind)})"
        case cad.Mirror(plane, base, union):
            joined = "union=True" if union else ""
            return f".mirror({_comma(_quoted(plane), _numbers(base), joined)})"


def _faces(selector: str | None) -> str:
    return "" if selector is None else "".join(f".faces({_quoted(part)})" for part in selector.split(THEN))


def _quoted(selector: str | None) -> str:
    return f"'{selector}'" if selector else ""


def _hole_places(places: cad.Places) -> str:
    if isinstance(places, tuple):
        return f".pushPoints([{_points(places)}])"
    center = "" if places.center == (0, 0) else f".center{_numbers(places.center)}"
    return f"{center}{_array(places, 'polarArray')}"


def _array(places: cad.Ring | cad.Grid, ring_call: str) -> str:
    if isinstance(places, cad.Ring):
        return f".{ring_call}{_numbers((places.radius, places.first, places.sweep, places.count))}"
    return f".rarray{_numbers((places.dx, places.dy, places.columns, places.rows))}"


def _hole(hole: cad.Hole) -> str:
    depth = "" if hole.depth is None else number(hole.depth)
    match hole.head:
        case cad.Counterbore(diameter, deep):
            sizes = (number(hole.diameter), number(diameter), number(deep))
            return f".cboreHole({_comma(*sizes, depth)})"
        case cad.Countersink(diameter, degrees):
            sizes = (number(hole.diameter), number(diameter), number(degrees))
            return f".cskHole({_comma(*sizes, depth)})"
    return f".hole({_comma(number(hole.diameter), depth)})"


def _steps(program: cad.Program, planes: dict[cad.Plane, str]) -> str:
    text = ""
    for step in program.steps:
        inner = _body(step.solid, planes) if isinstance(step.solid, cad.Program) else _solid(step.solid, planes)
        text = f"{text}.{step.operation}({inner})" if text else inner
        assert text != inner or step.operation is cad.Operation.UNION, "the first step of a program is a union"
    return text


def _solid(solid: cad.Solid, planes: dict[cad.Plane, str]) -> str:
    name = planes[solid.plane]
    if isinstance(solid, cad.Box | cad.Cylinder | cad.Sphere):
        offset = number(solid.offset) if isinstance(solid, cad.Sphere) else _half(solid.offset)
        place = f"{name}.workplane(offset={offset})"
        if solid.center != (0, 0):
            place += f".moveTo{_numbers(solid.center)}"
        if isinstance(solid, cad.Box):
            return f"{place}.box{_numbers((solid.width, solid.height, solid.depth))}"
        if isinstance(solid, cad.Cylinder):
            return f"{place}.cylinder{_numbers((solid.height, solid.radius))}"
        return f"{place}.sphere({number(solid.radius)})"
    sketch = f"{_sketch(solid.sketch, name)}.finalize()"
    if isinstance(solid, cad.Revolution):
        end = tuple(a + b for a, b in zip(solid.start, solid.direction))
        return f"{sketch}.revolve({number(solid.degrees)},{_numbers(solid.start)},{_numbers(end)})"
    both = "both=True" if solid.both else ""
    taper = f"taper={number(solid.taper)}" if solid.taper else ""
    return f"{sketch}.extrude({_comma(number(solid.distance), both, taper)})"


def _half(offset: float) -> str:
    """Half of a number of at most one decimal is written as such, so that a box's offset shows its depth: 15/2."""
    twice = 2 * offset
    return f"{number(twice)}/2" if abs(twice - round(twice, 1)) <= 10**-DECIMALS else number(offset)


def _sketch(sketch: cad.Sketch, plane_name: str) -> str:
    text, places, assembled = f"{plane_name}.sketch()", cad.ORIGIN, False
    for step in sketch.steps:
        if isinstance(step, cad.Corners):
            reset = "" if places == cad.ORIGIN else ".reset()"
            text += f"{reset}.vertices({_quoted(step.selector)}).{step.blend}({number(step.size)}).reset()"
            places = cad.ORIGIN
            continue
        mode = "" if step.mode is cad.Mode.ADD else f"mode='{step.mode}'"
        if step.places != places:
            text += _sketch_places(step.places, places)
            places = step.places
        match step.shape:
            case cad.Circle(radius):
                text += f".circle({_comma(number(radius), mode)})"
            case cad.Rect(width, height):
                text += f".rect({_comma(number(width), number(height), mode)})"
            case cad.Face(inner):
                text += f".face({_comma(_sketch(inner, plane_name), mode)})"
            case cad.Loop() if assembled:  # CadQuery would assemble the edges of the first loop once more
                inner = f"{plane_name}.sketch(){_loop(step.shape)}.assemble()"
                text += f".face({_comma(inner, mode)})"
            case cad.Loop():
                text += f"{_loop(step.shape)}.assemble({mode})"
                assembled = True
    return text


def _sketch_places(places: cad.Places, before: cad.Places) -> str:
    if isinstance(places, tuple):
        return ".reset()" if places == cad.ORIGIN else f".push([{_points(places)}])"
    center = "" if before == cad.ORIGIN else ".reset()"
    if places.center != (0, 0):
        center = f".push([{_numbers(places.center)}])"
    return f"{center}{_array(places, 'parray')}"


def _comma(*parts: str) -> str:
    return ",".join(part for part in parts if part)


def _points(points: tuple[cad.Point2, ...]) -> str:
    return ",".join(_numbers(point) for point in points)


def _loop(loop: cad.Loop) -> str:
    text = ""
    for index, edge in enumerate(loop.edges):
        method, points = ("segment", (edge.end,)) if isinstance(edge, cad.Line) else ("arc", (edge.middle, edge.end))
        text += f".{method}({_points((loop.start, *points) if index == 0 else points)})"
    return text if loop.edges[-1].end == loop.start else f"{text}.close()"
