"""The state of a chain of calls, from left to right: a workplane with the shapes on it, or a sketch."""

from __future__ import annotations

import ast
import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from cadrecode.errors import Message
from cadrecode.program import language as cad
from cadrecode.program.arguments import error_at
from cadrecode.program.planes import axes
from cadrecode.program.weight import checked


@dataclass(frozen=True, slots=True)
class Chosen:
    """Faces, edges or vertices of a body that the next call is about.

    Args:
        body: whose they are.
        faces, edges: the selectors that named them; "" names all, None none.
        vertices: in space.
    """

    body: cad.Program
    faces: str | None = None
    edges: str | None = None
    vertices: tuple[cad.Point3, ...] = ()


@dataclass(frozen=True, slots=True)
class Stack:
    """A workplane, its body, and what is drawn on it. Frozen, so that `w0` may be used many times.

    Args:
        offset: the plane is lifted by that much.
        body: what was built so far.
        is_solid: the last call made the body.
        points: places at which the next shapes are put; None: the plane's origin.
        wires: closed outlines and sketches that wait for an extrusion.
        start, edges: the outline that is being drawn.
        rows: corners of construction lines, for `.vertices()`.
        before: the state before the last call, for `.end()`.
    """

    plane: cad.Plane
    offset: float = 0
    body: cad.Program | None = None
    is_solid: bool = False
    points: cad.Places | None = None
    wires: tuple[cad.SketchStep, ...] = ()
    start: cad.Point2 | None = None
    edges: tuple[cad.Line | cad.Arc, ...] = ()
    rows: tuple[cad.Point2, ...] = ()
    chosen: Chosen | None = None
    tags: tuple[tuple[str, Stack], ...] = ()
    before: Stack | None = field(default=None, compare=False, repr=False)

    @property
    def kind(self) -> Message:
        if self.chosen is not None:
            return Message("a selection")
        return Message("a solid") if self.is_solid else Message("a workplane")

    @property
    def places(self) -> cad.Places:
        return cad.ORIGIN if self.points is None else self.points

    @property
    def lifted(self) -> cad.Plane:
        """The plane with its offset."""
        if self.offset == 0:
            return self.plane
        length = math.hypot(*self.plane.normal)
        origin = tuple(o + self.offset * n / length for o, n in zip(self.plane.origin, self.plane.normal))
        return replace(self.plane, origin=tuple(map(plain, origin)))

    def moved(self, x: float, y: float, z: float = 0) -> cad.Plane:
        """The lifted plane with its origin elsewhere, in its own coordinates."""
        plane = self.lifted
        origin = axes(plane) @ np.array([x, y, z], float) + plane.origin
        return replace(plane, origin=tuple(map(plain, origin)))

    def with_body(self, body: cad.Program, node: ast.AST) -> Stack:
        """Raises: ProgramError: the body is more than a program may hold."""
        return Stack(self.plane, self.offset, checked(body, node), True, tags=self.tags)

    def with_solids(
        self, solids: list[cad.Solid], node: ast.AST, operation: cad.Operation | None = cad.Operation.UNION
    ) -> Stack:
        """With more solids; where the operation is None, they stand alone, without the body so far."""
        body = None if operation is None else self.body
        operation = operation or cad.Operation.UNION
        for solid in solids:
            joining = cad.Program.of(solid)
            if body is None and operation is not cad.Operation.UNION:
                raise error_at(node, "There is no solid before it.", Message("a solid to cut from"))
            body = joining if body is None else united(body, operation, joining)
        return self.with_body(body, node)

    def finished(self, finish: cad.Finish, node: ast.AST) -> Stack:
        body = self.body
        assert body is not None, "whoever finishes a body has one"
        if body.placement is not None:
            body = cad.Program.of(body)
        return self.with_body(replace(body, finishes=(*body.finishes, finish)), node)

    def joined_by(self, node: ast.AST, op: ast.operator, other: Any) -> Stack:
        """a + b, a - b, a * b, a & b and a | b of solids, as CadQuery has them."""
        operation = {
            ast.Add: cad.Operation.UNION,
            ast.BitOr: cad.Operation.UNION,
            ast.Sub: cad.Operation.CUT,
            ast.Mult: cad.Operation.INTERSECT,
            ast.BitAnd: cad.Operation.INTERSECT,
        }.get(type(op))
        if operation is None or not isinstance(other, Stack) or self.body is None or other.body is None:
            raise error_at(node, "Not in the language.", Message("+, - or & between two solids"))
        return self.with_body(united(self.body, operation, other.body), node)


@dataclass(frozen=True, slots=True)
class Drawing:
    """A sketch on its way; `on` is None for `cq.Sketch()`, which stands on no plane.

    `loops` are closed and wait, with the edges that are being drawn, for `.assemble()`.

    As in CadQuery, what is chosen stays chosen until something else is: `places`, or the vertices that the selector
    `corners` names ("" names all) of the first `chosen_at` steps.
    """

    on: Stack | None
    steps: tuple = ()
    places: cad.Places | None = None
    start: cad.Point2 | None = None
    edges: tuple[cad.Line | cad.Arc, ...] = ()
    closed: bool = False
    loops: tuple[cad.SketchStep, ...] = ()
    corners: str | None = None
    chosen_at: int = 0

    kind = Message("a sketch")

    @property
    def sketch(self) -> cad.Sketch:
        return cad.Sketch(self.steps)


def united(body: cad.Program, operation: cad.Operation, other: cad.Program) -> cad.Program:
    """The union of two bodies as one body; a single solid joins as itself."""
    alone = len(other.steps) == 1 and other.is_plain
    before = body.steps if body.is_plain else (cad.Step(cad.Operation.UNION, body),)
    return cad.Program((*before, cad.Step(operation, other.steps[0].solid if alone else other)))


def sketch_of(wires: tuple[cad.SketchStep, ...]) -> cad.Sketch:
    """Outlines as a sketch; a sketch that is alone is itself."""
    if len(wires) == 1 and wires[0] == cad.SketchStep(wires[0].shape) and isinstance(wires[0].shape, cad.Face):
        return wires[0].shape.sketch
    return cad.Sketch(wires)


def plain(value: float) -> float:
    """The value without rounding errors of floats; a whole number as an int."""
    value = round(float(value), cad.NOISE_DECIMALS) + 0.0
    return int(value) if value == int(value) else value
