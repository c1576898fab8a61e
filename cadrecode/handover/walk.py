"""The walk over a program that every writer shares: solids, how they are joined, and what is done to the body.

A writer is a table of words (`Words`): how its system says circle, extruded, cut. The walk says in which order, gives
each feature the name that a person would give it, and puts the names of the sizes in place of their numbers. What a
system cannot say comes as points: an outline as its polygons, a body as its mesh, with a comment that says so.
"""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from cadrecode.errors import ProgramError
from cadrecode.program import language as cad
from cadrecode.program.naming import named_features
from cadrecode.program.outline_sizes import Path
from cadrecode.program.section import cross_section
from cadrecode.program.shapes import half_side
from cadrecode.program.solid import bounds, build, mesh_of
from cadrecode.program.write import Marked, number

FINE, COARSE = 5e-7, 5e-5  # of the half side: how far the sides of what comes as points may cut into a circle
FEWEST = 2.0  # so many diagonals of the body is what "through all" reaches


def step_of(ring: cad.Ring) -> float:
    """Degrees from one place of a ring to the next; 0 for a single place."""
    angles = ring.angles()
    return angles[1] - angles[0] if ring.count > 1 else 0.0


def numbers(values: Sequence[float], brackets: str = "()") -> str:
    """(1, 2.5) or [1, 2.5]."""
    return f"{brackets[0]}{', '.join(number(value) for value in values)}{brackets[1]}"


class Words(ABC):
    """The expressions of a CAD system. Every method returns an expression, in the system's own language.

    Args:
        marked: The program that is written, with the marks of its named sizes.
    """

    comment = "#"
    has_tapers = True  # of any outline; where not, `taper_takes` says which
    has_corners = True  # of outlines
    has_finishes = True  # rounded edges and shells
    taken: frozenset[str] = frozenset()  # names that mean something else in the language
    prefix = ""  # of the names of sizes

    def __init__(self, marked: Marked):
        self.marked = marked

    @abstractmethod
    def top(self, name: str) -> str:
        """The lines before the first feature: imports, the sizes by name."""

    @abstractmethod
    def assigned(self, name: str, expression: str) -> tuple[str, str]:
        """The statement that gives an expression a name, and the expression that means it from then on."""

    @abstractmethod
    def end(self, name: str, body: str) -> str:
        """The lines after the last feature."""

    # outlines, each on its own plane

    @abstractmethod
    def circle(self, radius: float) -> str: ...

    @abstractmethod
    def rectangle(self, width: float, height: float) -> str: ...

    @abstractmethod
    def loop(self, loop: cad.Loop) -> str: ...

    @abstractmethod
    def outlines(self, polygons: list[np.ndarray]) -> str:
        """An area by the corners of its outlines, of which those of holes run clockwise."""

    @abstractmethod
    def corners(self, area: str, corners: cad.Corners) -> str: ...

    @abstractmethod
    def at(self, shape: str, places: cad.Places, *, is_solid: bool = False) -> str:
        """A shape at each of the places."""

    @abstractmethod
    def joined(self, operation: cad.Operation, first: str, second: str) -> str:
        """Two areas or two solids as one."""

    # solids, each standing on XY until it is `placed`

    @abstractmethod
    def extruded(self, area: str, solid: cad.Extrusion) -> str: ...

    @abstractmethod
    def revolved(self, area: str, solid: cad.Revolution, true: cad.Revolution) -> str:
        """`true` is without marks."""

    @abstractmethod
    def box(self, solid: cad.Box) -> str: ...

    @abstractmethod
    def cylinder(self, solid: cad.Cylinder) -> str: ...

    @abstractmethod
    def sphere(self, solid: cad.Sphere) -> str: ...

    @abstractmethod
    def drill(self, diameter: float, depth: float) -> str:
        """A cylinder from the origin downward."""

    @abstractmethod
    def sink(self, head: cad.Countersink) -> str:
        """A cone from its mouth at the origin downward to its tip."""

    @abstractmethod
    def placed(self, plane: cad.Plane, solid: str) -> str: ...

    @abstractmethod
    def moved(self, placement: cad.Placement, body: str) -> str: ...

    # finishes of a body

    @abstractmethod
    def edges(self, body: str, finish: cad.Edges) -> str: ...

    @abstractmethod
    def shell(self, body: str, finish: cad.Shell) -> str: ...

    @abstractmethod
    def mirrored(self, body: str, finish: cad.Mirror) -> str:
        """The image alone."""

    @abstractmethod
    def mesh(self, vertices: np.ndarray, faces: np.ndarray) -> str:
        """A body by its triangles, for systems without `has_finishes`."""

    def taper_takes(self, sketch: cad.Sketch) -> bool:
        """Whether an extrusion of this sketch can be tapered as it is."""
        return self.has_tapers


class Walk:
    """Writes one program.

    Args:
        words: The system that it is written for.
    """

    def __init__(self, program: cad.Program, words: type[Words]):
        self.program, self.marked = program, Marked.of(program)
        self.words = words(self.marked)
        self.names = named_features(program)
        self.used = set(self.marked.sizes) | self.words.taken
        self.lines: list[str] = []

    def text(self, name: str) -> str:
        body = self._body(self.marked.program, self.program, ())
        words = self.words
        text = "\n".join([*self.lines, words.end(name, body)])
        return f"{words.top(name)}\n{self.marked.named(text, words.prefix)}\n"

    def _assign(self, wanted: str, expression: str, note: str = "") -> str:
        name = stem = re.sub(r"\W+", "_", wanted)
        count = 1
        while name in self.used:
            count += 1
            name = f"{stem}_{count}"
        self.used.add(name)
        statement, reference = self.words.assigned(name, expression)
        if note:
            self.lines.append(f"{self.words.comment} {note}")
        self.lines.append(statement)
        return reference

    def _body(self, program: cad.Program, true: cad.Program, path: Path) -> str:
        """A body: its solids one after the other, then its finishes, then its place."""
        words, body = self.words, ""
        for index, (step, true_step) in enumerate(zip(program.steps, true.steps)):
            here = (*path, "steps", index, "solid")
            name = self.names.get(here, "body")
            if isinstance(step.solid, cad.Program):
                solid = self._body(step.solid, true_step.solid, here)
            else:
                solid = self._assign(name, *self._solid(step.solid, true_step.solid))
            body = solid if not body else self._assign(f"with_{name}", words.joined(step.operation, body, solid))
        for index, finish in enumerate(program.finishes):
            so_far = replace(true, finishes=true.finishes[: index + 1], placement=None)
            body = self._finish(body, finish, so_far, self.names[(*path, "finishes", index)])
        if program.placement is not None:
            body = self._assign("placed", words.moved(program.placement, body))
        return body

    def _solid(self, solid: cad.Solid, true: cad.Solid) -> tuple[str, str]:
        """A solid's expression, and what there is to say of it."""
        words, note = self.words, ""
        match solid:
            case cad.Box():
                made = words.box(solid)
            case cad.Cylinder():
                made = words.cylinder(solid)
            case cad.Sphere():
                made = words.sphere(solid)
            case cad.Revolution():
                area, note = self._sketch(solid.sketch, true.sketch)
                made = words.revolved(area, solid, true)
            case cad.Extrusion(taper=taper) if taper and not words.has_tapers:
                flat = replace(true, plane=cad.Plane())
                made = words.mesh(*_fine_mesh(cad.Program.of(flat)))
                note = "Walls that lean come as a mesh: there is no taper of any outline."
            case cad.Extrusion():
                if solid.taper and not words.taper_takes(solid.sketch):
                    area, note = (
                        self._polygons(true.sketch),
                        "The outline comes as points: only one loop can be tapered.",
                    )
                else:
                    area, note = self._sketch(solid.sketch, true.sketch)
                made = words.extruded(area, solid)
        return words.placed(solid.plane, made), note

    def _sketch(self, sketch: cad.Sketch, true: cad.Sketch) -> tuple[str, str]:
        """An area: its shapes one after the other. Where the system has no corners, all of it comes as points."""
        if not self.words.has_corners and _has_corners(sketch):
            return self._polygons(true), "The outline comes as points: corners of it are rounded or bevelled."
        return self._area(sketch), ""

    def _area(self, sketch: cad.Sketch) -> str:
        words, area = self.words, ""
        for step in sketch.steps:
            if isinstance(step, cad.Corners):
                area = words.corners(area, step)
                continue
            match step.shape:
                case cad.Circle(radius):
                    shape = words.circle(radius)
                case cad.Rect(width, height):
                    shape = words.rectangle(width, height)
                case cad.Loop():
                    shape = words.loop(step.shape)
                case cad.Face(inner):
                    shape = self._area(inner)
            if step.places != cad.ORIGIN:
                shape = words.at(shape, step.places)
            operation = cad.Operation({"a": "union", "s": "cut", "i": "intersect"}[step.mode])
            area = words.joined(operation, area, shape) if area else shape
        return area

    def _polygons(self, sketch: cad.Sketch) -> str:
        extent = half_side(cad.Extrusion(cad.Plane(), sketch, 1e-9))
        return self.words.outlines(cross_section(sketch, FINE * extent).to_polygons())

    def _finish(self, body: str, finish: cad.Finish, true: cad.Program, name: str) -> str:
        """A body with one finish more.

        Args:
            true: The body with it, as a program, to be meshed where the system has no such finish.
        """
        words = self.words
        match finish:
            case cad.Hole():
                tools = words.placed(finish.plane, words.at(self._drill(finish, true), finish.places, is_solid=True))
                return self._assign(f"with_{name}", words.joined(cad.Operation.CUT, body, self._assign(name, tools)))
            case cad.Mirror():
                image = self._assign(name, words.mirrored(body, finish))
                return (
                    self._assign(f"with_{name}", words.joined(cad.Operation.UNION, body, image))
                    if finish.union
                    else image
                )
        if not words.has_finishes:
            made = words.mesh(*_fine_mesh(true))
            what = "A shell" if isinstance(finish, cad.Shell) else "Rounded or bevelled edges"
            return self._assign(f"with_{name}", made, f"{what} come as a mesh of all that stands so far.")
        made = words.edges(body, finish) if isinstance(finish, cad.Edges) else words.shell(body, finish)
        return self._assign(f"with_{name}", made)

    def _drill(self, hole: cad.Hole, true: cad.Program) -> str:
        """The tool that cuts one hole."""
        words, depth = self.words, hole.depth
        if depth is None:
            box = bounds(build(replace(true, finishes=true.finishes[:-1])))
            depth = float(math.ceil(FEWEST * math.dist(*box)))
        tool = words.drill(hole.diameter, depth)
        match hole.head:
            case cad.Counterbore(diameter, deep):
                return words.joined(cad.Operation.UNION, tool, words.drill(diameter, deep))
            case cad.Countersink():
                return words.joined(cad.Operation.UNION, tool, words.sink(hole.head))
        return tool


def _fine_mesh(program: cad.Program) -> tuple[np.ndarray, np.ndarray]:
    """A body's mesh as fine as it can be built: the parallel surface of a shell has no room for the finest fillets."""
    extent = max(map(half_side, program.solids()))
    try:
        return mesh_of(build(program, FINE * extent))
    except ProgramError:
        return mesh_of(build(program, COARSE * extent))


def _has_corners(sketch: cad.Sketch) -> bool:
    return any(
        isinstance(step, cad.Corners) or (isinstance(step.shape, cad.Face) and _has_corners(step.shape.sketch))
        for step in sketch.steps
    )
