"""CadQuery text -> program tree. The text is read with `ast`; nothing in it is ever executed."""

from __future__ import annotations

import ast
import math
from dataclasses import dataclass, replace
from typing import Any

from cadrecode.errors import Message, ProgramError, foreign
from cadrecode.program.arguments import Arguments, error_at, number_of, tuple_of
from cadrecode.program.language import (
    NAMED_PLANES,
    ORIGIN,
    Arc,
    Box,
    Circle,
    Cylinder,
    Extrusion,
    Face,
    Line,
    Loop,
    Operation,
    Placement,
    Plane,
    Point2,
    Program,
    Rect,
    Revolution,
    Shape,
    Sketch,
    SketchStep,
    Solid,
    Sphere,
    Step,
)
from cadrecode.program.planes import axes

CLOSED_WITHIN = 1e-6  # the end of a loop that lies nearer than this to its start is its start
LONGEST_PROGRAM = 100_000  # characters; a real one has under 2,000
STEEPEST_TAPER = 85  # degrees
DEEPEST_NESTING = 150  # calls in one chain; keeps the recursion, here and in ast, far from Python's limit


# What a chain of calls stands at, from left to right. Frozen, so that `w0` may be used many times.
@dataclass(frozen=True, slots=True)
class _OnPlane:
    plane: Plane
    offset: float = 0
    center: Point2 | None = None


@dataclass(frozen=True, slots=True)
class _InSketch:
    on: _OnPlane
    steps: tuple[SketchStep, ...] = ()
    places: tuple[Point2, ...] = ()
    start: Point2 | None = None
    edges: tuple[Line | Arc, ...] = ()
    closed: bool = False
    finalized: bool = False


_State = _OnPlane | _InSketch | Program
_STATE_WORDS = {_OnPlane: Message("a workplane"), _InSketch: Message("a sketch"), Program: Message("a solid")}


def parse(text: str) -> Program:
    """Read a program.

    Args:    text: a CadQuery program in the language, which assigns its part to `r` (or `result`).
    Returns: the tree.
    Raises:  ProgramError: with line, column and what was expected there.
    """
    if len(text) > LONGEST_PROGRAM:
        raise ProgramError(
            "The program has {n:,} characters.",
            expected=Message("at most {most:,} in this language", most=LONGEST_PROGRAM),
            n=len(text),
        )
    try:
        module = ast.parse(text)
    except SyntaxError as error:
        raise ProgramError(
            "Not Python: {error}.", error.lineno or 1, error.offset or 1, error=foreign(error.msg)
        ) from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise ProgramError("Not readable as Python: {error}.", 1, 1, error=error or type(error).__name__) from None
    names: dict[str, _State] = {}
    for statement in module.body:
        if _is_cadquery_import(statement):
            continue
        if not (
            isinstance(statement, ast.Assign)
            and len(statement.targets) == 1
            and isinstance(statement.targets[0], ast.Name)
        ):
            raise error_at(
                statement, "This statement is not in the language.", Message("`name=...` or `import cadquery as cq`")
            )
        names[statement.targets[0].id] = _chain(statement.value, names)
    result = names.get("r", names.get("result"))
    if result is None:
        raise ProgramError("The program does not assign r.", expected=Message("`r=` with the finished part"))
    if not isinstance(result, Program):
        raise ProgramError(
            "r is {what}.", expected=Message("a solid, for example by `.extrude(10)`"), what=_STATE_WORDS[type(result)]
        )
    return result


def _is_cadquery_import(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Import)
        and len(statement.names) == 1
        and (statement.names[0].name, statement.names[0].asname) == ("cadquery", "cq")
    )


def _chain(node: ast.expr, names: dict[str, _State]) -> _State:
    """Evaluate `head.call(...).call(...)`, its calls collected first so that long chains do not recurse."""
    calls: list[ast.Call] = []
    head = node
    while isinstance(head, ast.Call) and isinstance(head.func, ast.Attribute) and not _is_cq(head.func.value):
        calls.append(head)
        head = head.func.value
    if len(calls) > DEEPEST_NESTING * 20:
        raise error_at(node, "A chain of {n} calls.", Message("fewer"), n=len(calls))
    if isinstance(head, ast.Name):
        if head.id not in names:
            known = ", ".join(sorted(names)) or Message("none")
            raise error_at(
                head, "The name {name} is not assigned.", Message("one of: {names}", names=known), name=head.id
            )
        state = names[head.id]
    elif isinstance(head, ast.Call):
        state = _workplane(head)
    else:
        raise error_at(head, "Not in the language.", Message("a workplane, a sketch or a solid"))
    for call in reversed(calls):
        state = _apply(state, call, names)
    return state


def _is_cq(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "cq"


def _workplane(call: ast.Call) -> _OnPlane:
    if not (isinstance(call.func, ast.Attribute) and call.func.attr == "Workplane"):
        what = f"cq.{call.func.attr}" if isinstance(call.func, ast.Attribute) else Message("This call")
        raise error_at(call, "{what} is not in the language.", "cq.Workplane(...)", what=what)
    arguments = Arguments(call)
    first = arguments.node("inPlane", 0)
    origin = arguments.node("origin", 1)
    arguments.done()
    if isinstance(first, ast.Call) and isinstance(first.func, ast.Attribute) and first.func.attr == "Plane":
        if origin is not None:
            raise error_at(origin, "A cq.Plane brings its own origin.", Message("no second origin"))
        return _OnPlane(_plane(first))
    name = "XY" if first is None else first.value if isinstance(first, ast.Constant) else None
    if name not in NAMED_PLANES:
        raise error_at(
            first or call, "Unknown plane.", Message("one of {names} or cq.Plane(...)", names=", ".join(NAMED_PLANES))
        )
    return _OnPlane(Plane.named(name, tuple_of(origin, 3) if origin is not None else (0, 0, 0)))


def _plane(call: ast.Call) -> Plane:
    arguments = Arguments(call)
    origin, x_direction, normal = (
        tuple_of(arguments.need(name, index), 3) for index, name in enumerate(("origin", "xDir", "normal"))
    )
    arguments.done()
    cross = [
        x_direction[(i + 1) % 3] * normal[(i + 2) % 3] - x_direction[(i + 2) % 3] * normal[(i + 1) % 3]
        for i in range(3)
    ]
    if math.hypot(*cross) < 1e-9:
        raise error_at(call, "xDir and normal are parallel or zero.", Message("two different directions"))
    return Plane(origin, x_direction, normal, None)


def _apply(state: _State, call: ast.Call, names: dict[str, _State]) -> _State:
    methods = _METHODS[type(state)]
    name = call.func.attr
    if name not in methods:
        raise ProgramError(
            "`{name}` is not in the language here, after {what}.",
            call.func.end_lineno,
            call.func.end_col_offset - len(name) + 1,
            Message("one of {names}", names=", ".join(methods)),
            name=name,
            what=_STATE_WORDS[type(state)],
        )
    arguments = Arguments(call)
    after = methods[name](state, arguments, names)
    arguments.done()
    return after


# --- on a workplane


def _workplane_offset(on: _OnPlane, arguments: Arguments, _: object) -> _OnPlane:
    return replace(on, offset=on.offset + arguments.number("offset", 0))


def _move_to(on: _OnPlane, arguments: Arguments, _: object) -> _OnPlane:
    return replace(on, center=(arguments.number("x", 0), arguments.number("y", 1)))


def _box(on: _OnPlane, arguments: Arguments, _: object) -> Program:
    sizes = (arguments.length(name, position) for position, name in enumerate(("length", "width", "height")))
    return _body(Box(on.plane, on.offset, on.center or (0, 0), *sizes))


def _cylinder(on: _OnPlane, arguments: Arguments, _: object) -> Program:
    height, radius = arguments.length("height", 0), arguments.length("radius", 1)
    return _body(Cylinder(on.plane, on.offset, on.center or (0, 0), height, radius))


def _sphere(on: _OnPlane, arguments: Arguments, _: object) -> Program:
    return _body(Sphere(on.plane, on.offset, on.center or (0, 0), arguments.length("radius", 0)))


def _sketch(on: _OnPlane, arguments: Arguments, _: object) -> _InSketch:
    return _InSketch(on)


def _body(solid: Solid) -> Program:
    return Program((Step(Operation.UNION, solid),))


# --- in a sketch


def _segment(sketch: _InSketch, arguments: Arguments, _: object) -> _InSketch:
    return _edge(sketch, arguments, 1)


def _arc(sketch: _InSketch, arguments: Arguments, _: object) -> _InSketch:
    return _edge(sketch, arguments, 2)


def _edge(sketch: _InSketch, arguments: Arguments, needed: int) -> _InSketch:
    """A segment takes one point more, an arc two; one further in front starts a loop."""
    points = [tuple_of(node, 2) for node in arguments.positional]
    arguments.used = len(points)
    name = arguments.call.func.attr
    if len(points) == needed + 1:
        if sketch.edges and (sketch.closed or math.dist(_end(sketch), points[0]) > CLOSED_WITHIN):
            raise error_at(arguments.call, "A second loop begins before the first one is assembled.", "`.assemble()`")
        if not sketch.edges:
            sketch = replace(sketch, start=points[0])
        points = points[1:]
    elif sketch.closed:
        raise error_at(arguments.call, "The loop is closed already.", "`.assemble()`")
    if len(points) != needed or sketch.start is None:
        first = Message("{needed} points to begin a loop", needed=needed + 1)
        wanted = first if sketch.start is None else Message("{n} or {m} points", n=needed, m=needed + 1)
        raise error_at(arguments.call, "`{name}` has {n} points.", wanted, name=name, n=len(arguments.positional))
    if math.dist(_end(sketch), points[-1]) <= CLOSED_WITHIN:
        raise error_at(arguments.call, "`{name}` ends where it begins.", Message("two different points"), name=name)
    edge = Line(points[0]) if needed == 1 else Arc(points[0], points[1])
    return replace(sketch, edges=(*sketch.edges, edge))


def _end(sketch: _InSketch) -> Point2:
    return sketch.edges[-1].end if sketch.edges else sketch.start


def _close(sketch: _InSketch, arguments: Arguments, _: object) -> _InSketch:
    if not sketch.edges or sketch.closed:
        raise error_at(
            arguments.call, "There is no open loop to close.", Message("`.segment(...)` or `.arc(...)` before it")
        )
    return replace(sketch, closed=True)


def _assemble(sketch: _InSketch, arguments: Arguments, _: object) -> _InSketch:
    if not sketch.edges:
        raise error_at(
            arguments.call, "There are no edges to assemble.", Message("`.segment(...)` or `.arc(...)` before it")
        )
    if not sketch.closed and math.dist(_end(sketch), sketch.start) > CLOSED_WITHIN:
        raise error_at(arguments.call, "The loop is open.", Message("`.close()` before `.assemble()`"))
    edges = sketch.edges
    if len(edges) > 1 and isinstance(edges[-1], Line) and math.dist(edges[-1].end, sketch.start) <= CLOSED_WITHIN:
        edges = edges[:-1]  # the straight edge back to the start goes without saying
    if len(edges) < 2 and not isinstance(edges[0], Arc):
        raise error_at(arguments.call, "The loop is a single line.", Message("three straight edges or an arc"))
    return _with_step(sketch, Loop(sketch.start, edges), arguments, start=None, edges=(), closed=False)


def _with_step(sketch: _InSketch, shape: Shape, arguments: Arguments, **changes: Any) -> _InSketch:
    step = SketchStep(shape, arguments.mode(), sketch.places or ORIGIN)
    return replace(sketch, steps=(*sketch.steps, step), **changes)


def _push(sketch: _InSketch, arguments: Arguments, _: object) -> _InSketch:
    node = arguments.need("locs", 0)
    if not isinstance(node, ast.List | ast.Tuple) or not node.elts:
        raise error_at(node, "Not a list of points.", "[(x,y),...]")
    return replace(sketch, places=tuple(tuple_of(element, 2) for element in node.elts))


def _reset(sketch: _InSketch, arguments: Arguments, _: object) -> _InSketch:
    return replace(sketch, places=())


def _circle(sketch: _InSketch, arguments: Arguments, _: object) -> _InSketch:
    return _with_step(sketch, Circle(arguments.length("r", 0)), arguments)


def _rect(sketch: _InSketch, arguments: Arguments, _: object) -> _InSketch:
    return _with_step(sketch, Rect(arguments.length("w", 0), arguments.length("h", 1)), arguments)


def _face(sketch: _InSketch, arguments: Arguments, names: dict[str, _State]) -> _InSketch:
    node = arguments.need("b", 0)
    inner = _chain(node, names)
    if not isinstance(inner, _InSketch) or inner.finalized or not inner.steps or inner.edges:
        raise error_at(
            node,
            "Not a finished sketch.",
            Message("a sketch that ends in `.assemble()`, `.circle(...)` or `.rect(...)`"),
        )
    return _with_step(sketch, Face(Sketch(inner.steps)), arguments)


def _finalize(sketch: _InSketch, arguments: Arguments, _: object) -> _InSketch:
    if sketch.edges:
        raise error_at(arguments.call, "The loop is not assembled.", Message("`.assemble()` before `.finalize()`"))
    if not sketch.steps:
        raise error_at(arguments.call, "The sketch is empty.", Message("a loop, circle or rectangle"))
    return replace(sketch, finalized=True)


def _extrude(sketch: _InSketch, arguments: Arguments, _: object) -> Program:
    plane = _plane_of(sketch, arguments)
    node = arguments.need("until", 0)
    distance = number_of(node)
    if distance == 0:
        raise error_at(node, "The extrusion's distance is zero.", Message("any other number"))
    both = arguments.node("both")
    if both is not None and not (isinstance(both, ast.Constant) and isinstance(both.value, bool)):
        raise error_at(both, "both is neither True nor False.", Message("True or False"))
    angle = arguments.node("taper")
    taper = 0 if angle is None else number_of(angle)
    if not abs(taper) < STEEPEST_TAPER:
        raise error_at(
            angle,
            "The taper is {taper:g} degrees.",
            Message("less than {most:g} either way", most=STEEPEST_TAPER),
            taper=taper,
        )
    return _body(Extrusion(plane, Sketch(sketch.steps), distance, both is not None and both.value, taper))


def _revolve(sketch: _InSketch, arguments: Arguments, _: object) -> Program:
    """CadQuery's rules: whole turns are left out, and an axis without an end is the plane's own y."""
    plane = _plane_of(sketch, arguments)
    angle, first, last = (arguments.node(name, at) for at, name in enumerate(("angleDegrees", "axisStart", "axisEnd")))
    degrees = (360 if angle is None else number_of(angle)) % 360 or 360
    start = (0, 0) if first is None else _on_plane(first)
    if last is None:
        world = axes(plane) @ (*start, 0) + plane.origin
        end = (0, float(world[1]) if world[1] else 1)
    else:
        end = _on_plane(last)
    direction = (end[0] - start[0], end[1] - start[1])
    if math.hypot(*direction) < CLOSED_WITHIN:
        raise error_at(last or arguments.call, "The axis has no direction.", Message("an end away from its start"))
    return _body(Revolution(plane, Sketch(sketch.steps), degrees, start, direction))


def _on_plane(node: ast.expr) -> Point2:
    """A point of a plane, which may be written with a third coordinate of zero."""
    if isinstance(node, ast.Tuple | ast.List) and len(node.elts) == 3:
        x, y, z = tuple_of(node, 3)
        if z == 0:
            return x, y
    return tuple_of(node, 2)


def _plane_of(sketch: _InSketch, arguments: Arguments) -> Plane:
    if not sketch.finalized:
        name = arguments.call.func.attr
        raise error_at(
            arguments.call, "The sketch is not finalized.", Message("`.finalize()` before `.{name}(...)`", name=name)
        )
    return _lifted(sketch.on, arguments.call)


def _lifted(on: _OnPlane, call: ast.Call) -> Plane:
    """The plane of a sketch: an offset workplane is written as a plane whose origin is moved along the normal."""
    if on.center is not None:
        raise error_at(
            call, "A sketch after moveTo is not in the language.", Message("`.sketch()` on the workplane itself")
        )
    if on.offset == 0:
        return on.plane
    length = math.hypot(*on.plane.normal)
    origin = tuple(o + on.offset * n / length for o, n in zip(on.plane.origin, on.plane.normal))
    return replace(on.plane, origin=origin)


# --- on solids


def _join(operation: Operation):
    def join(body: Program, arguments: Arguments, names: dict[str, _State]) -> Program:
        node = arguments.need("toUnion", 0)
        other = _chain(node, names)
        if not isinstance(other, Program):
            raise error_at(
                node,
                "`{verb}` takes a solid, this is {what}.",
                Message("a solid"),
                verb=operation,
                what=_STATE_WORDS[type(other)],
            )
        alone = len(other.steps) == 1 and other.placement is None
        before = body.steps if body.placement is None else (Step(Operation.UNION, body),)
        return Program((*before, Step(operation, other.steps[0].solid if alone else other)))

    return join


def _rotate(body: Program, arguments: Arguments, _: object) -> Program:
    """A turn about an axis through the origin; what was turned or moved before becomes a body within a body."""
    start, end = (arguments.need(name, index) for index, name in enumerate(("axisStartPoint", "axisEndPoint")))
    if tuple_of(start, 3) != (0, 0, 0):
        raise error_at(start, "The axis does not start at the origin.", "(0,0,0)")
    axis = tuple_of(end, 3)
    if math.hypot(*axis) < 1e-9:
        raise error_at(end, "The axis has no direction.", Message("a point away from the origin"))
    degrees = arguments.number("angleDegrees", 2)
    steps = body.steps if body.placement is None else (Step(Operation.UNION, body),)
    return Program(steps, Placement(axis, degrees))


def _translate(body: Program, arguments: Arguments, _: object) -> Program:
    offset = tuple_of(arguments.need("vec", 0), 3)
    before = body.placement or Placement()
    moved = tuple(a + b for a, b in zip(before.offset, offset))
    return replace(body, placement=replace(before, offset=moved))


_METHODS = {
    _OnPlane: {
        "workplane": _workplane_offset,
        "moveTo": _move_to,
        "box": _box,
        "cylinder": _cylinder,
        "sphere": _sphere,
        "sketch": _sketch,
    },
    _InSketch: {
        "segment": _segment,
        "arc": _arc,
        "close": _close,
        "assemble": _assemble,
        "push": _push,
        "reset": _reset,
        "circle": _circle,
        "rect": _rect,
        "face": _face,
        "finalize": _finalize,
        "extrude": _extrude,
        "revolve": _revolve,
    },
    Program: {str(operation): _join(operation) for operation in Operation}
    | {"rotate": _rotate, "translate": _translate},
}
