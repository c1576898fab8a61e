"""What a person calls the numbers of a program."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cadrecode.program.language import (
    NAMED_PLANES,
    Arc,
    Blend,
    Box,
    Circle,
    Corners,
    Counterbore,
    Countersink,
    Cylinder,
    Edges,
    Extrusion,
    Face,
    Finish,
    Grid,
    Hole,
    Line,
    Loop,
    Mirror,
    Mode,
    Places,
    Point2,
    Program,
    Rect,
    Revolution,
    Ring,
    Shell,
    Sketch,
    SketchStep,
    Solid,
    Sphere,
)

ALONE = ("fillet", "chamfer", "corner fillet", "corner chamfer", "shell", "mirror")  # numbered only where there are two


class _Counter:
    """Numbers things of a kind: box 1, box 2, hole 1."""

    def __init__(self):
        self.counts: dict[str, int] = {}

    def __call__(self, kind: str) -> str:
        self.counts[kind] = self.counts.get(kind, 0) + 1
        return f"{kind} {self.counts[kind]}"


Named = tuple[str, float, bool, tuple[str | int, ...]]  # name, value, is a length, path


def named_numbers(program: Program) -> Iterator[Named]:
    """Every number of a program. The only one of its kind has no number in its name: "fillet radius"."""
    named = list(_numbers(program, (), _Counter()))
    single = [kind for kind in ALONE if not any(name.startswith(f"{kind} 2 ") for name, *_ in named)]
    for name, *rest in named:
        kind = next((kind for kind in single if name.startswith(f"{kind} 1 ")), None)
        yield (name if kind is None else name.replace(f"{kind} 1 ", f"{kind} ", 1), *rest)


def _numbers(program: Program, path: tuple, count: _Counter) -> Iterator[Named]:
    for index, step in enumerate(program.steps):
        here = (*path, "steps", index, "solid")
        match step.solid:
            case Program():
                yield from _numbers(step.solid, here, count)
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
    for index, finish in enumerate(program.finishes):
        yield from _finish_numbers(finish, (*path, "finishes", index), count)


def _finish_numbers(finish: Finish, path: tuple, count: _Counter) -> Iterator[Named]:
    match finish:
        case Hole():
            name = count("hole")
            yield f"{name} diameter", finish.diameter, True, (*path, "diameter")
            if finish.depth is not None:
                yield f"{name} depth", finish.depth, True, (*path, "depth")
            head = (*path, "head")
            match finish.head:
                case Counterbore(diameter, depth):
                    yield f"{name} counterbore diameter", diameter, True, (*head, "diameter")
                    yield f"{name} counterbore depth", depth, True, (*head, "depth")
                case Countersink(diameter, degrees):
                    yield f"{name} countersink diameter", diameter, True, (*head, "diameter")
                    yield f"{name} countersink angle", degrees, True, (*head, "degrees")
            yield from _places(finish.places, name, (*path, "places"))
            yield from _origin(finish, name, path)
        case Edges(blend, size):
            what = "radius" if blend is Blend.FILLET else "length"
            yield f"{count(str(blend))} {what}", size, True, (*path, "size")
        case Shell(thickness):
            yield f"{count('shell')} thickness", thickness, True, (*path, "thickness")
        case Mirror(plane):
            axis = [abs(part) for part in NAMED_PLANES[plane][1]].index(1)
            yield f"{count('mirror')} plane {'xyz'[axis]}", finish.base[axis], False, (*path, "base", axis)


def _places(places: Places, name: str, path: tuple) -> Iterator[Named]:
    match places:
        case Ring():
            yield f"{name} pitch circle radius", places.radius, True, (*path, "radius")
            yield f"{name} first angle", places.first, False, (*path, "first")
            yield from _point(places.center, f"{name} pitch circle", (*path, "center"))
        case Grid():
            for axis, field, number in (("x", "dx", places.columns), ("y", "dy", places.rows)):
                if number > 1:
                    yield f"{name} spacing {axis}", getattr(places, field), True, (*path, field)
            yield from _point(places.center, f"{name} grid", (*path, "center"))
        case _:
            for index, place in enumerate(places):
                which = name if len(places) == 1 else f"{name} place {index + 1}"
                yield from _point(place, which, (*path, index))


def _fields(node: Any, name: str, path: tuple, fields: tuple[str, ...], is_length: bool) -> Iterator[Named]:
    for field in fields:
        yield f"{name} {field}", getattr(node, field), is_length, (*path, field)


def _point(point: Point2, name: str, path: tuple) -> Iterator[Named]:
    for index, axis in enumerate("xy"):
        yield f"{name} {axis}", point[index], False, (*path, index)


def _origin(solid: Solid | Hole, name: str, path: tuple) -> Iterator[Named]:
    for index, axis in enumerate("xyz"):
        yield f"{name} plane {axis}", solid.plane.origin[index], False, (*path, "plane", "origin", index)


def _sketch_numbers(sketch: Sketch, path: tuple, count: _Counter, inside_hole: bool = False) -> Iterator[Named]:
    for index, step in enumerate(sketch.steps):
        here = (*path, "steps", index)
        if isinstance(step, Corners):
            what = "radius" if step.blend is Blend.FILLET else "length"
            yield f"{count(f'corner {step.blend}')} {what}", step.size, True, (*here, "size")
            continue
        hole = inside_hole or step.mode is Mode.SUBTRACT
        yield from _shape_numbers(step, here, count, hole)


def _shape_numbers(step: SketchStep, path: tuple, count: _Counter, hole: bool) -> Iterator[Named]:
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
    yield from _places(step.places, name, (*path, "places"))


def _loop_numbers(loop: Loop, name: str, path: tuple) -> Iterator[Named]:
    yield from _point(loop.start, f"{name} point 1", (*path, "start"))
    for index, edge in enumerate(loop.edges):
        here = (*path, "edges", index)
        match edge:
            case Line(end):
                yield from _point(end, f"{name} point {index + 2}", (*here, "end"))
            case Arc(middle, end):
                yield from _point(middle, f"{name} arc {index + 1}", (*here, "middle"))
                yield from _point(end, f"{name} point {index + 2}", (*here, "end"))
