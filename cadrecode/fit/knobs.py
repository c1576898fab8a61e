"""The knobs of a program: its numbers, with those tied together that a person would tie.

Corners of a loop that share an x or a y share a knob, so straight edges stay square; so do places of a pattern that are
in line, and solids on one plane. Numbers with the same effect as others (a plane's origin across its normal) have none.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from cadrecode.program import language as cad
from cadrecode.program.edit import number_at, replaced
from cadrecode.program.outline_sizes import SAME, Path


@dataclass(frozen=True)
class Knob:
    """Numbers that move together.

    Args:
        moves: Where they stand, and how far each moves when the knob moves by 1.
        is_length: Whether they are sizes, which must stay positive.
    """

    moves: tuple[tuple[Path, float], ...]
    is_length: bool = False

    def turned(self, program: cad.Program, by: float) -> cad.Program | None:
        """The program with the knob moved; None where a size would become zero or change its sign."""
        for path, factor in self.moves:
            before = number_at(program, path)
            after = before + factor * by
            if self.is_length and not after * before > 1e-3 * before * before:
                return None
            program = replaced(program, path, after)
        return program


def shape_of(node: Any) -> Any:
    """A tree without its numbers: equal for programs that differ in numbers alone."""
    if isinstance(node, bool | str) or node is None:
        return node
    if isinstance(node, int | float):
        return "number"
    if isinstance(node, tuple):
        return tuple(map(shape_of, node))
    return type(node), tuple(shape_of(getattr(node, field.name)) for field in dataclasses.fields(node))


def knobs_of(program: cad.Program) -> list[Knob]:
    """Every knob of a program."""
    knobs: list[Knob] = []
    lifts: dict[cad.Plane, list[tuple[Path, float]]] = {}  # plane -> moves of the solids on it
    for path, solid in solids_of(program):
        match solid:
            case cad.Box() | cad.Cylinder() | cad.Sphere():
                names = ("width", "height", "depth", "radius")
                knobs += [_size(*path, name) for name in names if hasattr(solid, name)]
                knobs += _positions(path)
            case cad.Revolution():
                if solid.degrees != 360:
                    knobs.append(_size(*path, "degrees"))
                knobs += _sketch_knobs(solid.sketch, (*path, "sketch"))
                knobs += [_place(*path, "start", axis) for axis in range(2)]
                knobs += [_place(*path, "plane", "origin", axis) for axis in range(3)]
            case cad.Extrusion():
                knobs.append(_size(*path, "distance"))
                knobs += _sketch_knobs(solid.sketch, (*path, "sketch"))
                normal = solid.plane.normal
                lift = [((*path, "plane", "origin", axis), float(n)) for axis, n in enumerate(normal) if n]
                lifts.setdefault(solid.plane, []).extend(lift)
                if solid.taper:
                    knobs.append(_size(*path, "taper"))
                if not solid.both:  # the far face stays where it is
                    knobs.append(Knob((*lift, ((*path, "distance"), -1.0))))
    for path, finish in finishes_of(program):
        knobs += _finish_knobs(finish, path)
    return knobs + [Knob(tuple(moves)) for moves in lifts.values()]


def solids_of(program: cad.Program, path: Path = ()) -> Iterator[tuple[Path, cad.Solid]]:
    """Every solid and where it stands, those of nested bodies too."""
    for index, step in enumerate(program.steps):
        here = (*path, "steps", index, "solid")
        if isinstance(step.solid, cad.Program):
            yield from solids_of(step.solid, here)
        else:
            yield here, step.solid


def finishes_of(program: cad.Program, path: Path = ()) -> Iterator[tuple[Path, cad.Finish]]:
    """Every hole, rounded edge, shell and mirror and where it stands, those of nested bodies too."""
    for index, step in enumerate(program.steps):
        if isinstance(step.solid, cad.Program):
            yield from finishes_of(step.solid, (*path, "steps", index, "solid"))
    for index, finish in enumerate(program.finishes):
        yield (*path, "finishes", index), finish


def _size(*path: str | int) -> Knob:
    return Knob(((path, 1.0),), True)


def _place(*path: str | int) -> Knob:
    return Knob(((path, 1.0),))


def _positions(path: Path) -> list[Knob]:
    return [_place(*path, "center", 0), _place(*path, "center", 1), _place(*path, "offset")]


def _sketch_knobs(sketch: cad.Sketch, path: Path) -> Iterator[Knob]:
    for index, step in enumerate(sketch.steps):
        here = (*path, "steps", index)
        if isinstance(step, cad.Corners):
            yield _size(*here, "size")
            continue
        match step.shape:
            case cad.Circle():
                yield _size(*here, "shape", "radius")
            case cad.Rect():
                for name in ("width", "height"):
                    yield _size(*here, "shape", name)
            case cad.Face(inner):
                yield from _sketch_knobs(inner, (*here, "shape", "sketch"))
                continue
            case cad.Loop():
                yield from _tied(_corners(step.shape, (*here, "shape")))
        if not (isinstance(step.shape, cad.Loop) and cad.count_of(step.places) == 1):  # its corners say where it is
            yield from _place_knobs(step.places, (*here, "places"))


def _place_knobs(places: cad.Places, path: Path) -> Iterator[Knob]:
    if isinstance(places, tuple):
        yield from _tied([((*path, index), place) for index, place in enumerate(places)])
        return
    sizes = ("radius",) if isinstance(places, cad.Ring) else ("dx", "dy")
    yield from (_size(*path, name) for name in sizes if number_at(places, (name,)))
    if isinstance(places, cad.Ring):
        yield _place(*path, "first")
    yield from (_place(*path, "center", axis) for axis in range(2))


def _finish_knobs(finish: cad.Finish, path: Path) -> Iterator[Knob]:
    match finish:
        case cad.Hole():
            yield _size(*path, "diameter")
            if finish.depth is not None:
                yield _size(*path, "depth")
            if finish.head is not None:
                yield _size(*path, "head", "diameter")
            if isinstance(finish.head, cad.Counterbore):
                yield _size(*path, "head", "depth")
            yield from _place_knobs(finish.places, (*path, "places"))
        case cad.Edges():
            yield _size(*path, "size")
            if finish.second is not None:
                yield _size(*path, "second")
        case cad.Shell():
            yield _size(*path, "thickness")


def _corners(loop: cad.Loop, path: Path) -> Iterator[tuple[Path, tuple[float, float]]]:
    yield (*path, "start"), loop.start
    for index, edge in enumerate(loop.edges):
        here = (*path, "edges", index)
        if isinstance(edge, cad.Arc):
            yield (*here, "middle"), edge.middle
        if isinstance(edge, cad.Line | cad.Arc):
            yield (*here, "end"), edge.end


def _tied(points: Iterable[tuple[Path, cad.Point2]]) -> Iterator[Knob]:
    """A knob for each different x and y."""
    points = list(points)
    for axis in range(2):
        groups: dict[int, list[tuple[Path, float]]] = {}
        for path, point in points:
            groups.setdefault(round(point[axis] / SAME), []).append(((*path, axis), 1.0))
        for moves in groups.values():
            yield Knob(tuple(moves))
