"""The calls of a sketch: `w0.sketch().rect(20,10).vertices().fillet(2).finalize()`."""

from __future__ import annotations

import ast
import math
from dataclasses import replace
from typing import Any

from cadrecode.errors import Message
from cadrecode.program import language as cad
from cadrecode.program.arguments import Arguments, error_at, tuple_of
from cadrecode.program.selectors import check_selector
from cadrecode.program.states import Drawing, Stack
from cadrecode.program.weight import checked_steps

CLOSED_WITHIN = 1e-6  # the end of a loop that lies nearer than this to its start is its start


def _segment(sketch: Drawing, arguments: Arguments) -> Drawing:
    return _edge(sketch, arguments, 1)


def _arc(sketch: Drawing, arguments: Arguments) -> Drawing:
    return _edge(sketch, arguments, 2)


def _edge(sketch: Drawing, arguments: Arguments, needed: int) -> Drawing:
    """A segment takes one point more, an arc two; one further in front starts a loop."""
    points = [tuple_of(node, 2, arguments.scope) for node in arguments.positional]
    arguments.used = len(points)
    if len(points) == needed + 1:
        if sketch.edges and (sketch.closed or math.dist(_end(sketch), points[0]) > CLOSED_WITHIN):
            raise error_at(
                arguments.call, "A second loop begins before the first one is assembled.", Message("`.assemble()`")
            )
        if not sketch.edges:
            sketch = replace(sketch, start=points[0])
        points = points[1:]
    elif sketch.closed:
        raise error_at(arguments.call, "The loop is closed already.", Message("`.assemble()`"))
    if len(points) != needed or sketch.start is None:
        first = Message("{count} points to begin a loop", count=needed + 1)
        wanted = first if sketch.start is None else Message("{few} or {many} points", few=needed, many=needed + 1)
        raise error_at(
            arguments.call, "`{name}` has {count} points.", wanted, name=arguments.name, count=len(arguments.positional)
        )
    if math.dist(_end(sketch), points[-1]) <= CLOSED_WITHIN:
        raise error_at(
            arguments.call, "`{name}` ends where it begins.", Message("two different points"), name=arguments.name
        )
    edge = cad.Line(points[0]) if needed == 1 else cad.Arc(points[0], points[1])
    return replace(sketch, edges=(*sketch.edges, edge))


def _end(sketch: Drawing) -> cad.Point2:
    return sketch.edges[-1].end if sketch.edges else sketch.start


def _close(sketch: Drawing, arguments: Arguments) -> Drawing:
    if not sketch.edges or sketch.closed:
        raise error_at(
            arguments.call, "There is no open loop to close.", Message("`.segment(...)` or `.arc(...)` before it")
        )
    return replace(sketch, closed=True)


def _assemble(sketch: Drawing, arguments: Arguments) -> Drawing:
    if not sketch.edges:
        raise error_at(
            arguments.call, "There are no edges to assemble.", Message("`.segment(...)` or `.arc(...)` before it")
        )
    if not sketch.closed and math.dist(_end(sketch), sketch.start) > CLOSED_WITHIN:
        raise error_at(arguments.call, "The loop is open.", Message("`.close()` before `.assemble()`"))
    loop = loop_of(sketch.start, sketch.edges, arguments.call)
    return _with_step(sketch, loop, arguments, start=None, edges=(), closed=False)


def loop_of(start: cad.Point2, edges: tuple[cad.Line | cad.Arc, ...], node: ast.AST) -> cad.Loop:
    """A closed outline. Raises: ProgramError: it encloses nothing."""
    if len(edges) > 1 and isinstance(edges[-1], cad.Line) and math.dist(edges[-1].end, start) <= CLOSED_WITHIN:
        edges = edges[:-1]  # the straight edge back to the start goes without saying
    if len(edges) < 2 and not isinstance(edges[0], cad.Arc):
        raise error_at(node, "The loop is a single line.", Message("three straight edges or an arc"))
    return cad.Loop(start, edges)


def _with_step(sketch: Drawing, shape: cad.Shape, arguments: Arguments, **changes: Any) -> Drawing:
    places = cad.ORIGIN if isinstance(shape, cad.Loop) and not sketch.places else sketch.places or cad.ORIGIN
    step = cad.SketchStep(shape, arguments.mode(), places)
    return replace(sketch, steps=checked_steps((*sketch.steps, step), arguments.call), corners=None, **changes)


def _push(sketch: Drawing, arguments: Arguments) -> Drawing:
    return replace(sketch, places=arguments.points("locs", 0), corners=None)


def _reset(sketch: Drawing, arguments: Arguments) -> Drawing:
    return replace(sketch, places=None, corners=None)


def _center(places: cad.Places | None, arguments: Arguments) -> cad.Point2:
    points = cad.ORIGIN if places is None else cad.points_of(places)
    if len(points) != 1:
        raise error_at(arguments.call, "An array of arrays is not in the language.", Message("a single place"))
    return points[0]


def _ring(sketch: Drawing, arguments: Arguments) -> Drawing:
    sizes = (arguments.number(name, at) for at, name in enumerate(("r", "a1", "da")))
    ring = cad.Ring(_center(sketch.places, arguments), *sizes, count=arguments.count("n", 3))
    turned = arguments.flag("rotate", 4, True)
    return replace(sketch, places=ring if turned else cad.points_of(ring), corners=None)


def _grid(sketch: Drawing, arguments: Arguments) -> Drawing:
    dx, dy = (arguments.number(name, at) for at, name in enumerate(("xs", "ys")))
    columns, rows = arguments.counts(("nx", "ny"), 2)
    grid = cad.Grid(_center(sketch.places, arguments), dx, dy, columns, rows)
    return replace(sketch, places=grid, corners=None)


def _circle(sketch: Drawing, arguments: Arguments) -> Drawing:
    return _with_step(sketch, cad.Circle(arguments.length("r", 0)), arguments)


def _rect(sketch: Drawing, arguments: Arguments) -> Drawing:
    shape = cad.Rect(arguments.length("w", 0), arguments.length("h", 1))
    if arguments.number("angle", 2, 0):
        raise error_at(arguments.call, "A turned rectangle is not in the language.", Message("a loop"))
    return _with_step(sketch, shape, arguments)


def _regular(sketch: Drawing, arguments: Arguments) -> Drawing:
    radius, count = arguments.length("r", 0), arguments.count("n", 1)
    return _with_step(sketch, regular_polygon(radius, count, arguments.number("angle", 2, 0)), arguments)


def regular_polygon(radius: float, count: int, angle: float = 0) -> cad.Loop:
    turns = [math.radians(angle) + math.tau * index / count for index in range(count)]
    points = [(round(radius * math.cos(turn), 9), round(radius * math.sin(turn), 9)) for turn in turns]
    return cad.Loop(points[0], tuple(map(cad.Line, points[1:])))


def _polygon(sketch: Drawing, arguments: Arguments) -> Drawing:
    points = arguments.points("pts", 0)
    return _with_step(sketch, loop_of(points[0], tuple(map(cad.Line, points[1:])), arguments.call), arguments)


def _slot(sketch: Drawing, arguments: Arguments) -> Drawing:
    """CadQuery's: `w` between the centres of its ends, `h` across."""
    length, width = arguments.length("w", 0), arguments.length("h", 1)
    return _with_step(sketch, slot(length + width, width, arguments.number("angle", 2, 0)), arguments)


def slot(length: float, width: float, angle: float = 0) -> cad.Loop:
    """Rounded at its ends; `length` over all."""
    half, radius, turn = (length - width) / 2, width / 2, math.radians(angle)

    def at(x: float, y: float) -> cad.Point2:
        turned = x * math.cos(turn) - y * math.sin(turn), x * math.sin(turn) + y * math.cos(turn)
        return tuple(round(value, 9) for value in turned)

    last = cad.Arc(at(-half - radius, 0), at(-half, -radius))
    return cad.Loop(
        at(-half, -radius),
        (
            cad.Line(at(half, -radius)),
            cad.Arc(at(half + radius, 0), at(half, radius)),
            cad.Line(at(-half, radius)),
            last,
        ),
    )


def _face(sketch: Drawing, arguments: Arguments) -> Drawing:
    node = arguments.need("b", 0)
    inner = arguments.scope.value(node)
    if not isinstance(inner, Drawing) or not inner.steps or inner.edges:
        raise error_at(
            node,
            "Not a finished sketch.",
            Message("a sketch that ends in `.assemble()`, `.circle(...)` or `.rect(...)`"),
        )
    return _with_step(sketch, cad.Face(inner.sketch), arguments)


def _vertices(sketch: Drawing, arguments: Arguments) -> Drawing:
    node = arguments.node("s", 0)
    selector = None if node is None else arguments.scope.value(node)
    if sketch.places is not None and sketch.places != cad.ORIGIN:
        raise error_at(arguments.call, "Places are chosen, no corners.", Message("`.reset()` before `.vertices()`"))
    if selector is not None:
        _check(selector, node)
    return replace(sketch, corners=selector or "")


def _check(selector: object, node: ast.expr) -> None:
    if not isinstance(selector, str):
        raise error_at(node, "Not a selector.", Message("a text such as '>Z'"))
    check_selector(selector)


def _blend(blend: cad.Blend):
    def corners(sketch: Drawing, arguments: Arguments) -> Drawing:
        if sketch.corners is None:
            raise error_at(arguments.call, "No corners are chosen.", Message("`.vertices()` before it"))
        step = cad.Corners(blend, arguments.length("d", 0), sketch.corners or None)
        return replace(sketch, steps=checked_steps((*sketch.steps, step), arguments.call))

    return corners


def _clean(sketch: Drawing, arguments: Arguments) -> Drawing:
    return sketch


def _finalize(sketch: Drawing, arguments: Arguments) -> Stack:
    if sketch.edges:
        raise error_at(arguments.call, "The loop is not assembled.", Message("`.assemble()` before `.finalize()`"))
    if not sketch.steps:
        raise error_at(arguments.call, "The sketch is empty.", Message("a loop, circle or rectangle"))
    if sketch.on is None:
        raise error_at(arguments.call, "The sketch stands on no plane.", Message("`.placeSketch(...)`"))
    return replace(
        sketch.on, wires=(*sketch.on.wires, cad.SketchStep(cad.Face(sketch.sketch), cad.Mode.ADD, cad.ORIGIN))
    )


def _too_early(sketch: Drawing, arguments: Arguments) -> Drawing:
    name = arguments.name
    raise error_at(
        arguments.call, "The sketch is not finalized.", Message("`.finalize()` before `.{name}(...)`", name=name)
    )


METHODS = {
    "segment": _segment,
    "arc": _arc,
    "close": _close,
    "assemble": _assemble,
    "push": _push,
    "reset": _reset,
    "parray": _ring,
    "rarray": _grid,
    "circle": _circle,
    "rect": _rect,
    "regularPolygon": _regular,
    "polygon": _polygon,
    "slot": _slot,
    "face": _face,
    "vertices": _vertices,
    "fillet": _blend(cad.Blend.FILLET),
    "chamfer": _blend(cad.Blend.CHAMFER),
    "clean": _clean,
    "finalize": _finalize,
    "extrude": _too_early,
    "revolve": _too_early,
}
