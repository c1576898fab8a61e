"""The calls of a workplane that draw on it: `.moveTo(0,0).lineTo(10,0)...close()`, `.pushPoints(...).circle(3)`."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from cadrecode.errors import Message
from cadrecode.program import language as cad
from cadrecode.program.arguments import Arguments, check_places, error_at
from cadrecode.program.parallel import parallel_shape, tangents_of
from cadrecode.program.sketching import CLOSED_WITHIN, ellipse, loop_of, regular_polygon, slot
from cadrecode.program.states import Drawing, Stack
from cadrecode.program.weight import checked_steps
from cadrecode.program.workplanes import on_object


def here(stack: Stack) -> cad.Point2:
    """The current point."""
    if stack.edges:
        return stack.edges[-1].end
    return stack.start or cad.points_of(stack.places)[-1]


# --- places


def _move_to(stack: Stack, arguments: Arguments) -> Stack:
    return _at(stack, (arguments.number("x", 0, 0), arguments.number("y", 1, 0)))


def _move(stack: Stack, arguments: Arguments) -> Stack:
    x, y = here(stack)
    return _at(stack, (x + arguments.number("xDist", 0, 0), y + arguments.number("yDist", 1, 0)))


def _at(stack: Stack, point: cad.Point2) -> Stack:
    return replace(stack, points=(point,), start=None, edges=(), rows=(), is_solid=False, chosen=None)


def _push_points(stack: Stack, arguments: Arguments) -> Stack:
    return replace(stack, points=arguments.points("pntList", 0), is_solid=False, chosen=None)


def _polar(stack: Stack, arguments: Arguments) -> Stack:
    radius, first, sweep = (arguments.number(n, at) for at, n in enumerate(("radius", "startAngle", "angle")))
    count = arguments.count("count", 3)
    if not arguments.flag("fill", 4, True):
        sweep = sweep * (count - 1) if math.remainder(sweep * count, 360) else sweep * count
    ring = cad.Ring((0, 0), radius, first, sweep, count)
    turned = arguments.flag("rotate", 5, True)
    return replace(stack, points=ring if turned else cad.points_of(ring), is_solid=False, chosen=None)


def _grid(stack: Stack, arguments: Arguments) -> Stack:
    dx, dy = (arguments.number(name, at) for at, name in enumerate(("xSpacing", "ySpacing")))
    columns, rows = arguments.counts(("xCount", "yCount"), 2)
    along = arguments.flags("center", 4, 2)
    center = (0 if along[0] else dx * (columns - 1) / 2, 0 if along[1] else dy * (rows - 1) / 2)
    return replace(stack, points=cad.Grid(center, dx, dy, columns, rows), is_solid=False, chosen=None)


# --- closed outlines


def _with_wire(stack: Stack, shape: cad.Shape, arguments: Arguments, corners: tuple[cad.Point2, ...] = ()) -> Stack:
    """The shape at each place, or its corners where it is for construction alone."""
    stack = on_object(stack, arguments)
    if arguments.flag("forConstruction"):
        check_places(cad.count_of(stack.places) * len(corners), arguments.call)
        rows = tuple((x + dx, y + dy) for dx, dy in cad.points_of(stack.places) for x, y in corners)
        return replace(stack, rows=rows, is_solid=False, chosen=None)
    wires = checked_steps((*stack.wires, cad.SketchStep(shape, cad.Mode.ADD, stack.places)), arguments.call)
    return replace(stack, wires=wires, is_solid=False, chosen=None)


def _circle(stack: Stack, arguments: Arguments) -> Stack:
    return _with_wire(stack, cad.Circle(arguments.length("radius", 0)), arguments)


def _rect(stack: Stack, arguments: Arguments) -> Stack:
    stack = on_object(stack, arguments)
    width, height = arguments.length("xLen", 0), arguments.length("yLen", 1)
    middles = arguments.flags("centered", 2, 2)
    dx, dy = (0 if middle else size / 2 for middle, size in zip(middles, (width, height)))
    if (dx, dy) != (0, 0):
        stack = replace(stack, points=tuple((x + dx, y + dy) for x, y in cad.points_of(stack.places)))
    corners = tuple((x * width / 2, y * height / 2) for x in (-1, 1) for y in (-1, 1))
    return _with_wire(stack, cad.Rect(width, height), arguments, corners)


def _polygon(stack: Stack, arguments: Arguments) -> Stack:
    count, radius = arguments.count("nSides", 0), arguments.length("diameter", 1) / 2
    angle = 0.0
    if arguments.flag("circumscribed"):
        radius, angle = radius / math.cos(math.pi / count), 180 / count
    loop = regular_polygon(radius, count, angle)
    return _with_wire(stack, loop, arguments, loop.corners)


def _slot(stack: Stack, arguments: Arguments) -> Stack:
    length, width = arguments.length("length", 0), arguments.length("diameter", 1)
    if length <= width:
        raise arguments.wrong("The slot is wider than long.", Message("a length above its diameter"))
    return _with_wire(stack, slot(length, width, arguments.number("angle", 2, 0)), arguments)


def _ellipse(stack: Stack, arguments: Arguments) -> Stack:
    radii = arguments.length("x_radius", 0), arguments.length("y_radius", 1)
    return _with_wire(stack, ellipse(*radii, arguments.number("rotation_angle", 2, 0)), arguments)


def _offset(stack: Stack, arguments: Arguments) -> Stack:
    """All outlines that wait are replaced by their offsets."""
    distance, kind = arguments.number("d", 0), arguments.text("kind", 1, "arc")
    if kind not in ("arc", "intersection"):
        raise arguments.wrong("Unknown kind of offset.", Message("'arc' or 'intersection'"))
    stack = drawn(stack, arguments)
    wires = tuple(
        replace(wire, shape=shape)
        for wire in stack.wires
        for shape in parallel_shape(wire.shape, distance, kind == "intersection")
    )
    if arguments.flag("forConstruction"):
        ends = [_as_loop(wire).corners for wire in wires]
        check_places(sum(cad.count_of(wire.places) * len(loop) for wire, loop in zip(wires, ends)), arguments.call)
        rows = tuple(
            (x + dx, y + dy)
            for wire, loop in zip(wires, ends)
            for dx, dy in cad.points_of(wire.places)
            for x, y in loop
        )
        return replace(stack, wires=(), rows=rows)
    return replace(stack, wires=checked_steps(wires, arguments.call))


def _as_loop(wire: cad.SketchStep) -> cad.Loop:
    match wire.shape:
        case cad.Rect():
            return cad.Loop.through(wire.shape.corners)
        case cad.Circle(radius):
            return cad.Loop((radius, 0), (cad.Arc((-radius, 0), (radius, 0)),))
    return wire.shape


def _place_sketch(stack: Stack, arguments: Arguments) -> Stack:
    stack = on_object(stack, arguments)
    for node in arguments.positional:
        drawing = arguments.scope.value(node)
        if not isinstance(drawing, Drawing) or not drawing.steps or drawing.edges:
            raise error_at(node, "Not a finished sketch.", Message("a sketch with a face"))
        wires = (*stack.wires, cad.SketchStep(cad.Face(drawing.sketch), cad.Mode.ADD, stack.places))
        stack = replace(stack, wires=checked_steps(wires, node), is_solid=False, chosen=None)
    arguments.used = len(arguments.positional)
    return stack


# --- an outline edge by edge


def _with_edge(stack: Stack, edge: cad.Line | cad.Arc, arguments: Arguments) -> Stack:
    if arguments.flag("forConstruction"):
        return _at(stack, edge.end)
    if math.dist(here(stack), edge.end) <= CLOSED_WITHIN:
        raise arguments.wrong("`{name}` ends where it begins.", Message("two different points"), name=arguments.name)
    start = here(stack) if not stack.edges else stack.start
    return replace(stack, start=start, edges=(*stack.edges, edge), points=None, is_solid=False, chosen=None)


def _line(way: Callable[[float, float, Arguments], cad.Point2]) -> Callable[[Stack, Arguments], Stack]:
    """A straight edge whose end is computed from the current point and the call's numbers."""

    def draw(stack: Stack, arguments: Arguments) -> Stack:
        return _with_edge(stack, cad.Line(way(*here(stack), arguments)), arguments)

    return draw


def _polar_line(to_place: bool) -> Callable[[Stack, Arguments], Stack]:
    def end(x: float, y: float, arguments: Arguments) -> cad.Point2:
        distance, turn = arguments.number("distance", 0), math.radians(arguments.number("angle", 1))
        if to_place:
            x = y = 0
        return round(x + distance * math.cos(turn), 9), round(y + distance * math.sin(turn), 9)

    return _line(end)


def _three_points(stack: Stack, arguments: Arguments) -> Stack:
    return _with_edge(stack, cad.Arc(arguments.point("point1", 0), arguments.point("point2", 1)), arguments)


def _sagitta(stack: Stack, arguments: Arguments) -> Stack:
    end, sag = arguments.point("endPoint", 0), arguments.number("sag", 1)
    return _with_edge(stack, _bulge(here(stack), end, sag), arguments)


def _bulge(start: cad.Point2, end: cad.Point2, sag: float) -> cad.Arc:
    """An arc to the left of the way where the sagitta is positive."""
    (x1, y1), (x2, y2) = start, end
    length = math.dist(start, end) or 1.0
    return cad.Arc(((x1 + x2) / 2 - sag * (y2 - y1) / length, (y1 + y2) / 2 + sag * (x2 - x1) / length), end)


def _radius(stack: Stack, arguments: Arguments) -> Stack:
    end, radius = arguments.point("endPoint", 0), arguments.number("radius", 1)
    rest = radius**2 - (math.dist(here(stack), end) / 2) ** 2
    if rest < -1e-9 * radius**2:
        raise arguments.wrong("The arc's radius does not reach its end.", Message("a larger radius"))
    sag = math.copysign(abs(radius) - math.sqrt(max(rest, 0)), radius)
    return _with_edge(stack, _bulge(here(stack), end, sag), arguments)


def _tangent(stack: Stack, arguments: Arguments) -> Stack:
    if not stack.edges:
        raise arguments.wrong("There is no edge to be tangent to.", Message("an edge before it"))
    x, y = here(stack)
    dx, dy = arguments.point("endpoint", 0)
    end = (x + dx, y + dy) if arguments.flag("relative", 2, True) else (dx, dy)
    before = stack.edges[-2].end if len(stack.edges) > 1 else stack.start
    along = tangents_of(before, stack.edges[-1])[1]
    chord = np.subtract(end, (x, y))
    turn = math.atan2(along[0] * chord[1] - along[1] * chord[0], float(along @ chord))
    sag = -math.hypot(*chord) / 2 * math.tan(turn / 2)
    return _with_edge(stack, _bulge((x, y), end, sag), arguments)


def _polyline(stack: Stack, arguments: Arguments) -> Stack:
    points = arguments.points("listOfXYTuple", 0)
    onward = arguments.flag("includeCurrent") or bool(stack.edges)
    if not onward:
        stack, points = replace(_at(stack, points[0]), wires=stack.wires), points[1:]
    elif math.dist(here(stack), points[0]) <= CLOSED_WITHIN:
        points = points[1:]
    for point in points:
        stack = _with_edge(stack, cad.Line(point), arguments)
    return stack


def _close(stack: Stack, arguments: Arguments) -> Stack:
    if not stack.edges:
        raise arguments.wrong("There is no open outline to close.", Message("`.lineTo(...)` before it"))
    return _closed(stack, arguments.call)


def _closed(stack: Stack, node: ast.AST) -> Stack:
    loop = loop_of(stack.start, stack.edges, node)
    wires = checked_steps((*stack.wires, cad.SketchStep(loop)), node)
    return replace(stack, wires=wires, start=None, edges=(), points=None)


def _wire(stack: Stack, arguments: Arguments) -> Stack:
    arguments.skip("forConstruction")
    return outlines(stack, arguments.call)


def _mirror(axis: int):
    """The call that closes the outline so far with its mirror image."""

    def mirrored(stack: Stack, arguments: Arguments) -> Stack:
        if not stack.edges or max(abs(stack.start[axis]), abs(here(stack)[axis])) > CLOSED_WITHIN:
            raise arguments.wrong(
                "The outline does not begin and end on the axis.", Message("ends on the mirror's axis")
            )

        def image(point: cad.Point2) -> cad.Point2:
            return tuple(-value if index == axis else value for index, value in enumerate(point))

        ends = (stack.start, *(edge.end for edge in stack.edges))
        back = [
            cad.Line(image(start)) if isinstance(edge, cad.Line) else cad.Arc(image(edge.middle), image(start))
            for start, edge in reversed(list(zip(ends, stack.edges)))
        ]
        return _closed(replace(stack, edges=(*stack.edges, *back)), arguments.call)

    return mirrored


# --- what is extruded


def outlines(stack: Stack, node: ast.AST) -> Stack:
    """The stack with its last outline closed, if that ends where it starts. Raises: ProgramError: it is open."""
    if not stack.edges:
        return stack
    if math.dist(stack.start, here(stack)) > CLOSED_WITHIN:
        raise error_at(node, "The outline is open.", Message("`.close()` before it"))
    return _closed(stack, node)


def drawn(stack: Stack, arguments: Arguments) -> Stack:
    """As `outlines`, for calls that need an outline. Raises: ProgramError: there is none, or it is open."""
    stack = outlines(stack, arguments.call)
    if not stack.wires:
        raise arguments.wrong("Nothing is drawn.", Message("an outline, circle or rectangle before it"))
    return stack


def first_vertices(stack: Stack) -> Stack:
    """The corners of construction lines as places."""
    return replace(stack, points=stack.rows or cad.ORIGIN, rows=())


METHODS = {
    "moveTo": _move_to,
    "move": _move,
    "pushPoints": _push_points,
    "polarArray": _polar,
    "rarray": _grid,
    "circle": _circle,
    "rect": _rect,
    "polygon": _polygon,
    "slot2D": _slot,
    "ellipse": _ellipse,
    "offset2D": _offset,
    "placeSketch": _place_sketch,
    "lineTo": _line(lambda x, y, a: (a.number("x", 0), a.number("y", 1))),
    "line": _line(lambda x, y, a: (x + a.number("xDist", 0), y + a.number("yDist", 1))),
    "hLine": _line(lambda x, y, a: (x + a.number("distance", 0), y)),
    "vLine": _line(lambda x, y, a: (x, y + a.number("distance", 0))),
    "hLineTo": _line(lambda x, y, a: (a.number("xCoord", 0), y)),
    "vLineTo": _line(lambda x, y, a: (x, a.number("yCoord", 0))),
    "polarLine": _polar_line(False),
    "polarLineTo": _polar_line(True),
    "threePointArc": _three_points,
    "sagittaArc": _sagitta,
    "radiusArc": _radius,
    "tangentArcPoint": _tangent,
    "polyline": _polyline,
    "close": _close,
    "wire": _wire,
    "mirrorX": _mirror(1),
    "mirrorY": _mirror(0),
}
