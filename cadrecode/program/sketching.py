"""The calls of a sketch: `w0.sketch().rect(20,10).vertices().fillet(2).finalize()`."""

from __future__ import annotations

import ast
import math
from dataclasses import replace
from typing import Any

from cadrecode.errors import Message
from cadrecode.program import language as cad
from cadrecode.program.arguments import Arguments, error_at, tuple_of
from cadrecode.program.section import cross_section
from cadrecode.program.selectors import Item, check_selector, selected
from cadrecode.program.states import Drawing, Stack
from cadrecode.program.vertices import ELLIPSE_ARCS, vertices_of
from cadrecode.program.weight import checked_steps

COARSE = 1e-3  # sagitta, of an outline's size, where only its place matters
CLOSED_WITHIN = 1e-6  # the end of a loop that lies nearer than this to its start is its start


def _segment(sketch: Drawing, arguments: Arguments) -> Drawing:
    return _edge(sketch, arguments, 1)


def _arc(sketch: Drawing, arguments: Arguments) -> Drawing:
    """An arc through points, or by centre, radius, first angle and sweep."""
    arguments.skip("tag")
    if len(arguments.positional) + len(arguments.keywords) != 4:
        return _edge(sketch, arguments, 2)
    (x, y), radius = arguments.point("c", 0), arguments.length("r", 1)
    first, sweep = (math.radians(arguments.number(name, at)) for at, name in ((2, "a"), (3, "da")))

    def at(turn: float) -> cad.Point2:
        return round(x + radius * math.cos(turn), 9), round(y + radius * math.sin(turn), 9)

    if sketch.edges:
        sketch = _kept(sketch, arguments) if math.dist(_end(sketch), at(first)) > CLOSED_WITHIN else sketch
    start = sketch.start if sketch.edges else at(first)
    if abs(sweep) < math.tau - CLOSED_WITHIN:
        return replace(sketch, start=start, edges=(*sketch.edges, cad.Arc(at(first + sweep / 2), at(first + sweep))))
    circle = cad.SketchStep(cad.Circle(radius), cad.Mode.ADD, ((x, y),))
    return replace(sketch, loops=(*sketch.loops, circle))


def _kept(sketch: Drawing, arguments: Arguments) -> Drawing:
    """The drawing with its current loop finished, so that the next loop can begin."""
    if not sketch.closed and math.dist(_end(sketch), sketch.start) > CLOSED_WITHIN:
        raise arguments.wrong(
            "A second loop begins before the first one is assembled.", Message("`.close()` before it")
        )
    loop = cad.SketchStep(loop_of(sketch.start, sketch.edges, arguments.call))
    return replace(sketch, loops=(*sketch.loops, loop), start=None, edges=(), closed=False)


def _edge(sketch: Drawing, arguments: Arguments, needed: int) -> Drawing:
    """A segment takes one point more, an arc two; one further in front starts a loop."""
    points = [tuple_of(node, 2, arguments.scope) for node in arguments.positional]
    arguments.used = len(points)
    if len(points) == needed + 1:
        if sketch.edges and (sketch.closed or math.dist(_end(sketch), points[0]) > CLOSED_WITHIN):
            sketch = _kept(sketch, arguments)
        if not sketch.edges:
            sketch = replace(sketch, start=points[0])
        points = points[1:]
    elif sketch.closed:
        raise arguments.wrong("The loop is closed already.", Message("`.assemble()`"))
    if len(points) != needed or sketch.start is None:
        first = Message("{count} points to begin a loop", count=needed + 1)
        wanted = first if sketch.start is None else Message("{few} or {many} points", few=needed, many=needed + 1)
        raise arguments.wrong(
            "`{name}` has {count} points.", wanted, name=arguments.name, count=len(arguments.positional)
        )
    if math.dist(_end(sketch), points[-1]) <= CLOSED_WITHIN:
        raise arguments.wrong("`{name}` ends where it begins.", Message("two different points"), name=arguments.name)
    edge = cad.Line(points[0]) if needed == 1 else cad.Arc(points[0], points[1])
    return replace(sketch, edges=(*sketch.edges, edge))


def _end(sketch: Drawing) -> cad.Point2:
    return sketch.edges[-1].end if sketch.edges else sketch.start


def _close(sketch: Drawing, arguments: Arguments) -> Drawing:
    if not sketch.edges or sketch.closed:
        raise arguments.wrong("There is no open loop to close.", Message("`.segment(...)` or `.arc(...)` before it"))
    return replace(sketch, closed=True)


def _assemble(sketch: Drawing, arguments: Arguments) -> Drawing:
    if not sketch.edges and not sketch.loops:
        raise arguments.wrong("There are no edges to assemble.", Message("`.segment(...)` or `.arc(...)` before it"))
    if sketch.edges and not sketch.closed and math.dist(_end(sketch), sketch.start) > CLOSED_WITHIN:
        raise arguments.wrong("The loop is open.", Message("`.close()` before `.assemble()`"))
    loops = (_kept(sketch, arguments) if sketch.edges else sketch).loops
    whole = loops[0].shape if len(loops) == 1 and loops[0].places == cad.ORIGIN else None
    if whole is None:
        whole = cad.Face(cad.Sketch(nested(loops)))
    return _with_step(sketch, whole, arguments, start=None, edges=(), closed=False, loops=())


def loop_of(start: cad.Point2, edges: tuple[cad.Line | cad.Arc, ...], node: ast.AST) -> cad.Loop:
    """A closed outline. Raises: ProgramError: it encloses nothing."""
    if len(edges) > 1 and isinstance(edges[-1], cad.Line) and math.dist(edges[-1].end, start) <= CLOSED_WITHIN:
        edges = edges[:-1]  # the straight edge back to the start goes without saying
    if len(edges) < 2 and not isinstance(edges[0], cad.Arc):
        raise error_at(node, "The loop is a single line.", Message("three straight edges or an arc"))
    return cad.Loop(start, edges)


def nested(wires: tuple[cad.SketchStep, ...]) -> tuple[cad.SketchStep, ...]:
    """Outlines within others become holes in them, and those within holes material again; outer ones first."""
    if len(wires) < 2:
        return wires
    size = max(abs(value) for wire in wires for value in cross_section(cad.Sketch((wire,)), math.inf).bounds())
    areas = [(cross_section(cad.Sketch((wire,)), COARSE * size), wire) for wire in wires]
    areas.sort(key=lambda pair: -pair[0].area())
    depths: list[int] = []
    for index, (area, _) in enumerate(areas):
        around = [at for at in range(index) if (areas[at][0] ^ area).area() > 0.99 * area.area()]
        depths.append(max((depths[at] + 1 for at in around), default=0))
    ordered = sorted(zip(depths, areas), key=lambda pair: pair[0])
    return tuple(replace(wire, mode=cad.Mode.SUBTRACT if depth % 2 else cad.Mode.ADD) for depth, (_, wire) in ordered)


def _with_step(sketch: Drawing, shape: cad.Shape, arguments: Arguments, **changes: Any) -> Drawing:
    arguments.skip("tag")
    step = cad.SketchStep(shape, arguments.mode(), _places(sketch, arguments))
    return replace(sketch, steps=checked_steps((*sketch.steps, step), arguments.call), **changes)


def _places(sketch: Drawing, arguments: Arguments) -> cad.Places:
    """The places of the next shape: those that were pushed, or the vertices that were chosen, as they were then."""
    if sketch.corners is None:
        return cad.ORIGIN if sketch.places is None else sketch.places
    points = vertices_of(cad.Sketch(sketch.steps[: sketch.chosen_at]))
    if points is None:
        raise arguments.wrong(
            "The sketch has shapes that overlap, ellipses or blended corners, whose vertices are unknown here.",
            Message("`.push([...])` with the places"),
        )
    chosen = (
        selected([Item((*point, 0.0)) for point in points], sketch.corners) if sketch.corners else range(len(points))
    )
    if not chosen:
        raise arguments.wrong("There is no such corner.", Message("a selector of corners"))
    return tuple(points[index] for index in chosen)


def _push(sketch: Drawing, arguments: Arguments) -> Drawing:
    return replace(sketch, places=arguments.points("locs", 0), corners=None)


def _reset(sketch: Drawing, arguments: Arguments) -> Drawing:
    return replace(sketch, places=None, corners=None)


def _center(sketch: Drawing, arguments: Arguments) -> cad.Point2:
    places = _places(sketch, arguments)
    points = cad.points_of(places)
    if len(points) != 1 or (isinstance(places, cad.Ring) and places.first % 360):  # which is turned
        raise arguments.wrong("An array of arrays is not in the language.", Message("a single place"))
    return points[0]


def _ring(sketch: Drawing, arguments: Arguments) -> Drawing:
    sizes = (arguments.number(name, at) for at, name in enumerate(("r", "a1", "da")))
    ring = cad.Ring(_center(sketch, arguments), *sizes, count=arguments.count("n", 3))
    turned = arguments.flag("rotate", 4, True)
    return replace(sketch, places=ring if turned else cad.points_of(ring), corners=None)


def _grid(sketch: Drawing, arguments: Arguments) -> Drawing:
    dx, dy = (arguments.number(name, at) for at, name in enumerate(("xs", "ys")))
    columns, rows = arguments.counts(("nx", "ny"), 2)
    grid = cad.Grid(_center(sketch, arguments), dx, dy, columns, rows)
    return replace(sketch, places=grid, corners=None)


def _circle(sketch: Drawing, arguments: Arguments) -> Drawing:
    return _with_step(sketch, cad.Circle(arguments.length("r", 0)), arguments)


def _rect(sketch: Drawing, arguments: Arguments) -> Drawing:
    width, height, angle = arguments.length("w", 0), arguments.length("h", 1), arguments.number("angle", 2, 0)
    if not angle:
        return _with_step(sketch, cad.Rect(width, height), arguments)
    return _with_step(sketch, _loop_through(cad.Rect(width, height).corners, angle), arguments)


def _trapezoid(sketch: Drawing, arguments: Arguments) -> Drawing:
    width, height, first = arguments.length("w", 0), arguments.length("h", 1), arguments.number("a1", 2)
    second, x, y = arguments.number("a2", 3, first), width / 2, height / 2
    left, right = (height / math.tan(math.radians(angle)) for angle in (first, second))
    points = ((-x, -y), (x, -y), (x - right, y), (left - x, y))
    return _with_step(sketch, _loop_through(points, arguments.number("angle", 4, 0)), arguments)


def _turned(x: float, y: float, degrees: float) -> cad.Point2:
    """A point turned about the origin."""
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return round(x * cosine - y * sine, 9), round(x * sine + y * cosine, 9)


def _loop_through(points: tuple[cad.Point2, ...], degrees: float) -> cad.Loop:
    """Straight edges through points that are turned about the origin."""
    return cad.Loop.through([_turned(x, y, degrees) for x, y in points])


def _ellipse(sketch: Drawing, arguments: Arguments) -> Drawing:
    radii = arguments.length("a1", 0), arguments.length("a2", 1)
    return _with_step(sketch, ellipse(*radii, arguments.number("angle", 2, 0)), arguments)


def ellipse(x_radius: float, y_radius: float, degrees: float = 0) -> cad.Loop:
    """An ellipse as ELLIPSE_ARCS circular arcs."""

    def at(half: int) -> cad.Point2:
        turn = math.pi * half / ELLIPSE_ARCS
        return _turned(x_radius * math.cos(turn), y_radius * math.sin(turn), degrees)

    arcs = [cad.Arc(at(2 * arc + 1), at(2 * arc + 2)) for arc in range(ELLIPSE_ARCS)]
    return cad.Loop(at(0), tuple(arcs))


def _regular(sketch: Drawing, arguments: Arguments) -> Drawing:
    """CadQuery's: the first vertex is at the top, that of a workplane's `polygon` on the right."""
    radius, count = arguments.length("r", 0), arguments.count("n", 1)
    return _with_step(sketch, regular_polygon(radius, count, arguments.number("angle", 2, 0) + 90), arguments)


def regular_polygon(radius: float, count: int, angle: float) -> cad.Loop:
    turns = [math.radians(angle) + math.tau * index / count for index in range(count)]
    points = [(round(radius * math.cos(turn), 9), round(radius * math.sin(turn), 9)) for turn in turns]
    return cad.Loop.through(points)


def _polygon(sketch: Drawing, arguments: Arguments) -> Drawing:
    points = arguments.points("pts", 0)
    return _with_step(sketch, loop_of(points[0], tuple(map(cad.Line, points[1:])), arguments.call), arguments)


def _slot(sketch: Drawing, arguments: Arguments) -> Drawing:
    """CadQuery's: `w` between the centres of its ends, `h` across."""
    length, width = arguments.length("w", 0), arguments.length("h", 1)
    return _with_step(sketch, slot(length + width, width, arguments.number("angle", 2, 0)), arguments)


def slot(length: float, width: float, angle: float = 0) -> cad.Loop:
    """Rounded at its ends; `length` over all."""
    half, radius = (length - width) / 2, width / 2

    def at(x: float, y: float) -> cad.Point2:
        return _turned(x, y, angle)

    right = cad.Line(at(half, -radius)), cad.Arc(at(half + radius, 0), at(half, radius))
    left = cad.Line(at(-half, radius)), cad.Arc(at(-half - radius, 0), at(-half, -radius))
    return cad.Loop(at(-half, -radius), (*right, *left))


def _face(sketch: Drawing, arguments: Arguments) -> Drawing:
    node = arguments.need("b", 0)
    inner = arguments.scope.value(node)
    if not isinstance(inner, Drawing) or not inner.steps or inner.edges:
        raise error_at(
            node,
            "Not a finished sketch.",
            Message("a sketch that ends in `.assemble()`, `.circle(...)` or `.rect(...)`"),
        )
    alone = inner.steps[0] if len(inner.steps) == 1 else None
    again = any(isinstance(step, cad.SketchStep) and isinstance(step.shape, cad.Loop) for step in sketch.steps)
    if (
        again
        and isinstance(alone, cad.SketchStep)
        and alone == cad.SketchStep(alone.shape)
        and isinstance(alone.shape, cad.Loop)
    ):
        return _with_step(sketch, alone.shape, arguments)  # `write` spells a second loop so
    return _with_step(sketch, cad.Face(inner.sketch), arguments)


def _vertices(sketch: Drawing, arguments: Arguments) -> Drawing:
    """All vertices of the sketch; of those that are chosen already, a selector names some."""
    if sketch.edges or sketch.loops:
        raise arguments.wrong("The loop is not assembled.", Message("`.assemble()` before it"))
    if not sketch.steps:
        raise arguments.wrong("The sketch is empty.", Message("a loop, circle or rectangle"))
    node = arguments.node("s", 0)
    selector = None if node is None else arguments.scope.value(node)
    if sketch.places is not None:
        raise arguments.wrong("Places are chosen, no corners.", Message("`.reset()` before `.vertices()`"))
    if selector is not None:
        _check(selector, node)
    if sketch.corners is None:
        return replace(sketch, corners=selector or "", chosen_at=len(sketch.steps))
    if selector and sketch.corners:
        raise arguments.wrong("Corners are chosen already.", Message("`.reset()` before `.vertices()`"))
    return replace(sketch, corners=selector or sketch.corners)


def _check(selector: object, node: ast.expr) -> None:
    if not isinstance(selector, str):
        raise error_at(node, "Not a selector.", Message("a text such as '>Z'"))
    check_selector(selector)


def _blend(blend: cad.Blend):
    """The call that blends the chosen corners, which stay chosen: later shapes are put where they were."""

    def corners(sketch: Drawing, arguments: Arguments) -> Drawing:
        if sketch.corners is None:
            raise arguments.wrong("No corners are chosen.", Message("`.vertices()` before it"))
        if len(sketch.steps) != sketch.chosen_at:  # CadQuery would look for the old corners, and change nothing
            raise arguments.wrong(
                "The sketch has changed since its corners were chosen.", Message("`.reset().vertices()` before it")
            )
        step = cad.Corners(blend, arguments.length("d", 0), sketch.corners or None)
        return replace(sketch, steps=checked_steps((*sketch.steps, step), arguments.call))

    return corners


def _clean(sketch: Drawing, arguments: Arguments) -> Drawing:
    return sketch


def _finalize(sketch: Drawing, arguments: Arguments) -> Stack:
    if sketch.edges or sketch.loops:
        raise arguments.wrong("The loop is not assembled.", Message("`.assemble()` before `.finalize()`"))
    if not sketch.steps:
        raise arguments.wrong("The sketch is empty.", Message("a loop, circle or rectangle"))
    if sketch.on is None:
        raise arguments.wrong("The sketch stands on no plane.", Message("`.placeSketch(...)`"))
    return replace(
        sketch.on, wires=(*sketch.on.wires, cad.SketchStep(cad.Face(sketch.sketch), cad.Mode.ADD, cad.ORIGIN))
    )


def _too_early(sketch: Drawing, arguments: Arguments) -> Drawing:
    name = arguments.name
    raise arguments.wrong("The sketch is not finalized.", Message("`.finalize()` before `.{name}(...)`", name=name))


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
    "trapezoid": _trapezoid,
    "ellipse": _ellipse,
    "face": _face,
    "vertices": _vertices,
    "fillet": _blend(cad.Blend.FILLET),
    "chamfer": _blend(cad.Blend.CHAMFER),
    "clean": _clean,
    "finalize": _finalize,
    "extrude": _too_early,
    "revolve": _too_early,
}
