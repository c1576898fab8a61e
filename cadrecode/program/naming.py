"""Names of the numbers of a program, in words: plate thickness, hole 1 diameter, pitch circle diameter."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from cadrecode.program import language as cad
from cadrecode.program.contacts import Body
from cadrecode.program.outline_sizes import (
    Moves,
    Path,
    Size,
    loop_sizes,
    move_of,
    place_sizes,
    slot_sizes,
    turned_sizes,
)
from cadrecode.program.roles import SECTION, Role, axis_of, is_round, is_turned_profile, main_step, obround, roles_of

NUMBERED = {"hole", "slot", "pocket", "window", "cutout", "step"}  # also where there is a single one: "hole 1 diameter"
BODY, FEATURE, FINISH, MINOR, PLACE = range(5)  # ranks: what a person looks for first; MINOR is no dimension
OTHER = {
    cad.Operation.UNION: cad.Operation.CUT,
    cad.Operation.CUT: cad.Operation.UNION,
    cad.Operation.INTERSECT: cad.Operation.CUT,
}
NOTHING: Mapping[str, Moves] = {}
CUTS = {"circle": "hole", "rectangle": "window", "profile": "cutout"}  # what a shape is where it is taken away


@dataclass(frozen=True)
class Number:
    """One number of a program, as a person reads it.

    Args:
        name: Unique in the program, in words.
        value: As shown: a diameter where the program has a radius, a positive depth where it has a negative distance.
        moves: Where it stands in the tree, and how far each number there moves when the shown one grows by 1.
        is_length: A size, which must stay positive; the others are positions and angles.
        rank: The most telling first: BODY, FEATURE, FINISH, MINOR, PLACE.
        follow: What else moves with it, so that what stands on a face stays on it.
    """

    name: str
    value: float
    moves: Moves
    is_length: bool = True
    rank: int = FEATURE
    follow: Moves = ()


def named_numbers(program: cad.Program) -> list[Number]:
    """Every number of a program by name, the most telling first. The only one of its kind is not numbered."""
    return list(_named(program))


@functools.lru_cache(maxsize=8)  # making numbers simple asks for those of the same few programs for each number
def _named(program: cad.Program) -> tuple[Number, ...]:
    namer = _Namer(program)
    named = [replace(number, name=namer.unnumbered(number.name)) for number in namer.numbers]
    return tuple(sorted(named, key=lambda number: number.rank))


def named_features(program: cad.Program) -> dict[Path, str]:
    """The name of each solid and of each finish, by its path in the tree: ("steps", 0, "solid") -> "plate"."""
    namer = _Namer(program)
    return {path: namer.unnumbered(f"{name} ").strip() for path, name in namer.features.items()}


class _Namer:
    """Walks a program and collects its numbers."""

    def __init__(self, program: cad.Program) -> None:
        self.counts: dict[str, int] = {}
        self.numbers: list[Number] = []
        self.features: dict[Path, str] = {}  # the solids and the finishes, by their places in the tree
        self.is_turned = False  # the body begins with a cylinder or a disk
        self.body(Body.of(program))

    def name(self, noun: str) -> str:
        """The next of its kind: box 1, box 2, hole 1."""
        self.counts[noun] = self.counts.get(noun, 0) + 1
        return f"{noun} {self.counts[noun]}"

    def unnumbered(self, name: str) -> str:
        """ "fillet 1 radius" -> "fillet radius" where there is no second fillet."""
        noun, _, rest = name.partition(" 1 ")
        return f"{noun} {rest}" if self.counts.get(noun) == 1 and noun not in NUMBERED else name

    def size(self, name: str, value: float, moves: Moves, rank: int = FEATURE, follow: Moves = ()) -> None:
        if value:
            self.numbers.append(Number(name, value, moves, True, rank, follow))

    def place(self, name: str, value: float, moves: Moves) -> None:
        self.numbers.append(Number(name, value, moves, False, PLACE))

    def sizes(self, name: str, sizes: Iterable[Size], rank: int, follow: Mapping[str, Moves] = NOTHING) -> None:
        for what, value, moves, is_length in sizes:
            if is_length:
                self.size(f"{name} {what}", value, moves, rank, follow.get(what, ()))
            else:
                self.place(f"{name} {what}", value, moves)

    def point(self, point: cad.Point2, name: str, path: Path) -> None:
        for index, axis in enumerate("xy"):
            self.place(f"{name} {axis}", point[index], move_of(*path, index))

    def body(self, body: Body) -> None:
        program, path = body.program, body.path
        base, main = program.steps[0].solid, main_step(program)
        self.is_turned = not isinstance(base, cad.Program) and is_round(base)
        for index, (step, role) in enumerate(zip(program.steps, roles_of(program))):
            if role is None:
                self.body(Body.of(step.solid, (*path, "steps", index, "solid"), (body, index)))
            else:
                self.solid(body, index, role, BODY if index == main or role == SECTION else FEATURE)
        for index, finish in enumerate(program.finishes):
            self.finish(finish, (*path, "finishes", index))

    def solid(self, body: Body, index: int, role: Role, rank: int) -> None:
        step, path = body.step(index), (*body.path, "steps", index, "solid")
        solid, name = step.solid, self.name(role.noun)
        self.features[path] = name
        minor = MINOR if role.is_through else rank
        match solid:
            case cad.Box():
                for axis, (what, field) in enumerate((("width", "width"), ("length", "height"))):
                    follow = body.both_ends(index, axis)
                    self.size(f"{name} {what}", getattr(solid, field), move_of(*path, field), rank, follow)
                self._centred(name, role.along, body, index, "depth", minor)
            case cad.Cylinder():
                self.size(f"{name} diameter", 2 * solid.radius, move_of(*path, "radius", factor=0.5), rank)
                self._centred(name, role.along, body, index, "height", minor)
            case cad.Sphere():
                self.size(f"{name} diameter", 2 * solid.radius, move_of(*path, "radius", factor=0.5), rank)
                self.place(f"{name} offset", solid.offset, move_of(*path, "offset"))
                self.point(solid.center, name, (*path, "center"))
            case cad.Revolution() if is_turned_profile(solid):
                where = (*path, "sketch", "steps", 0, "shape")
                length = "length" if role.noun == "hollow" else role.along
                is_cut = step.operation is cad.Operation.CUT
                profile = solid.sketch.steps[0].shape
                self.sizes(name, turned_sizes(profile, where, length, is_cut=is_cut), rank)
                self.size(f"{name} angle", solid.degrees, move_of(*path, "degrees"), MINOR)
            case cad.Revolution():
                self.sketch(solid.sketch, (*path, "sketch"), name, step.operation, rank)
                self.size(
                    f"{name} angle", solid.degrees, move_of(*path, "degrees"), MINOR if solid.degrees == 360 else rank
                )
                self.point(solid.start, f"{name} axis", (*path, "start"))
            case cad.Extrusion():
                self.sketch(solid.sketch, (*path, "sketch"), name, step.operation, rank, body.outline(index))
                factor = (0.5 if solid.both else 1.0) * (-1.0 if solid.distance < 0 else 1.0)
                follow = body.both_ends(index) if solid.both else body.far_end(index)
                self.size(
                    f"{name} {role.along}",
                    solid.distance / factor,
                    move_of(*path, "distance", factor=factor),
                    minor,
                    follow,
                )
                self.size(f"{name} taper", solid.taper, move_of(*path, "taper"), FINISH)
        self.origin(solid, name, path)

    def _centred(self, name: str, along: str, body: Body, index: int, field: str, rank: int) -> None:
        """The size of a box or a cylinder along its normal; one that stands on its plane stays there."""
        solid, path = body.step(index).solid, (*body.path, "steps", index, "solid")
        value, moves = getattr(solid, field), move_of(*path, field)
        if value and abs(abs(2 * solid.offset) - value) < 1e-6 * value:
            moves += move_of(*path, "offset", factor=0.5 if solid.offset > 0 else -0.5)
            follow = body.far_end(index)
        else:
            follow = body.both_ends(index)
            self.place(f"{name} offset", solid.offset, move_of(*path, "offset"))
        self.size(f"{name} {along}", value, moves, rank, follow)
        self.point(solid.center, name, (*path, "center"))

    def origin(self, solid: cad.Solid | cad.Hole, name: str, path: Path) -> None:
        """Where the plane lies: along its normal, and across it where nothing else says where the solid is."""
        axis = axis_of(solid.plane)
        shown = _places_of(solid)
        for index, letter in enumerate("xyz"):
            if index == axis or not shown:
                place = move_of(*path, "plane", "origin", index)
                self.place(f"{name} plane {letter}", solid.plane.origin[index], place)

    def finish(self, finish: cad.Finish, path: Path) -> None:
        match finish:
            case cad.Hole():
                name = self.features[path] = self.name("hole")
                self.size(f"{name} diameter", finish.diameter, move_of(*path, "diameter"))
                if finish.depth is not None:
                    self.size(f"{name} depth", finish.depth, move_of(*path, "depth"))
                head = (*path, "head")
                match finish.head:
                    case cad.Counterbore(diameter, depth):
                        self.size(f"{name} counterbore diameter", diameter, move_of(*head, "diameter"))
                        self.size(f"{name} counterbore depth", depth, move_of(*head, "depth"))
                    case cad.Countersink(diameter, degrees):
                        self.size(f"{name} countersink diameter", diameter, move_of(*head, "diameter"))
                        self.size(f"{name} countersink angle", degrees, move_of(*head, "degrees"))
                self.places(finish.places, name, (*path, "places"), self.is_turned)
                self.origin(finish, name, path)
            case cad.Edges(blend, size):
                what = "radius" if blend is cad.Blend.FILLET else "length"
                name = self.features[path] = self.name(str(blend))
                self.size(f"{name} {what}", size, move_of(*path, "size"), FINISH)
                if finish.second is not None:
                    self.size(f"{name} second length", finish.second, move_of(*path, "second"), FINISH)
            case cad.Shell(thickness):
                factor = -1.0 if thickness < 0 else 1.0
                moves = move_of(*path, "thickness", factor=factor)
                name = self.features[path] = self.name("shell")
                self.size(f"{name} thickness", abs(thickness), moves, FINISH)
            case cad.Mirror(plane):
                axis = [abs(part) for part in cad.NAMED_PLANES[plane][1]].index(1)
                name = self.features[path] = self.name("mirror")
                self.place(f"{name} plane {'xyz'[axis]}", finish.base[axis], move_of(*path, "base", axis))

    def sketch(
        self,
        sketch: cad.Sketch,
        path: Path,
        owner: str,
        operation: cad.Operation,
        rank: int,
        follow: Mapping[str, Moves] = NOTHING,
    ) -> None:
        """The numbers of a sketch. Its first shape has the name of the solid that it makes.

        Args:
            follow: What follows the width and the length of the first shape.
        """
        first: str | None = owner
        begins_round = isinstance(getattr(sketch.steps[0], "shape", None), cad.Circle)
        is_turned = begins_round if operation is cad.Operation.UNION else self.is_turned
        for index, step in enumerate(sketch.steps):
            here = (*path, "steps", index)
            if isinstance(step, cad.Corners):
                what = "radius" if step.blend is cad.Blend.FILLET else "length"
                self.size(f"{self.name(f'corner {step.blend}')} {what}", step.size, move_of(*here, "size"), FINISH)
                continue
            name, own_rank = first or self._shape(step, operation), rank if first else FEATURE
            if isinstance(step.shape, cad.Face):
                added = operation if step.mode is cad.Mode.ADD else OTHER[operation]
                before = len(self.numbers)
                self.sketch(step.shape.sketch, (*here, "shape", "sketch"), name, added, own_rank)
                if step.places != cad.ORIGIN:  # which its copies stand at; places within them are of no interest
                    self.numbers[before:] = [number for number in self.numbers[before:] if number.is_length]
                    self.places(step.places, name, (*here, "places"), is_turned)
            else:
                self.shape(step, here, name, own_rank, is_turned, follow if first else NOTHING)
            first = None

    def _shape(self, step: cad.SketchStep, operation: cad.Operation) -> str:
        """The name of a further shape of a sketch."""
        shape = _alone(step.shape)
        plain = {cad.Circle: "circle", cad.Rect: "rectangle"}.get(type(shape), "profile")
        takes_away = (operation is cad.Operation.CUT) == (step.mode is cad.Mode.ADD)
        if not takes_away:
            return self.name(plain if operation is not cad.Operation.CUT else "island")
        is_slot = isinstance(shape, cad.Loop) and obround(shape) is not None
        return self.name("slot" if is_slot else CUTS[plain])

    def shape(
        self, step: cad.SketchStep, path: Path, name: str, rank: int, is_turned: bool, follow: Mapping[str, Moves]
    ) -> None:
        where = (*path, "shape")
        match step.shape:
            case cad.Circle(radius):
                self.size(f"{name} diameter", 2 * radius, move_of(*where, "radius", factor=0.5), rank)
            case cad.Rect(width, height):
                self.size(f"{name} width", width, move_of(*where, "width"), rank, follow.get("width", ()))
                self.size(f"{name} length", height, move_of(*where, "height"), rank, follow.get("length", ()))
            case cad.Loop() as loop:
                slot = obround(loop)
                if slot is None:
                    self.sizes(name, loop_sizes(loop, where), rank, follow)
                else:
                    self.sizes(name, slot_sizes(loop, slot, where), rank)
                if step.places == cad.ORIGIN:
                    return
        if rank != BODY or step.places != cad.ORIGIN:
            self.places(step.places, name, (*path, "places"), is_turned)

    def places(self, places: Any, name: str, path: Path, is_turned: bool) -> None:
        """Where equal shapes are: the pitch circle, the spacings and the middle of a pattern, or each place."""
        for what, value, moves, is_length in place_sizes(places, path, is_turned):
            owner = self.name("pitch circle") if what == "pitch circle diameter" else name
            if is_length:
                self.size(f"{owner} {what.removeprefix('pitch circle ')}", value, moves)
            else:
                self.place(f"{name} {what}", value, moves)


def _alone(shape: cad.Shape) -> cad.Shape:
    """The only shape that a face draws, or the face."""
    while isinstance(shape, cad.Face):
        drawn = [step for step in shape.sketch.steps if isinstance(step, cad.SketchStep)]
        if len(drawn) > 1:
            break
        shape = drawn[0].shape
    return shape


def _places_of(solid: cad.Solid | cad.Hole) -> bool:
    """Whether a solid has numbers of its own that say where it is on its plane."""
    if not isinstance(solid, cad.Extrusion | cad.Revolution):
        return True
    steps = [step for step in solid.sketch.steps if isinstance(step, cad.SketchStep)]
    return any(step.places != cad.ORIGIN or isinstance(step.shape, cad.Loop) for step in steps)
