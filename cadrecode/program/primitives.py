"""Boxes, cylinders, cones and spheres: as calls of a workplane, and as `cq.Solid.makeBox(...)`."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from cadrecode.errors import Message
from cadrecode.program import language as cad
from cadrecode.program.arguments import Arguments, error_at, tuple_of
from cadrecode.program.planes import axes
from cadrecode.program.states import Stack
from cadrecode.program.workplanes import named, on_object, rounded

UP: cad.Point3 = (0, 0, 1)


def operation_of(arguments: Arguments, position: int | None) -> cad.Operation | None:
    """How the new solid joins the body, by the argument `combine`; None where it stands alone."""
    arguments.skip("clean")
    value = arguments.value("combine", position, True)
    known = {
        True: cad.Operation.UNION,
        "a": cad.Operation.UNION,
        "cut": cad.Operation.CUT,
        "s": cad.Operation.CUT,
        False: None,
    }
    if not isinstance(value, bool | str) or value not in known:
        raise arguments.wrong("Unknown value of combine.", Message("True, False, 'cut' or 's'"))
    return known[value]


def _box(stack: Stack, arguments: Arguments) -> Stack:
    stack = on_object(stack, arguments)
    sizes = [arguments.length(name, position) for position, name in enumerate(("length", "width", "height"))]
    x, y, z = (0 if middle else size / 2 for middle, size in zip(arguments.flags("centered", 3, 3), sizes))
    return _at_places(stack, arguments, lambda c: cad.Box(stack.plane, stack.offset + z, (c[0] + x, c[1] + y), *sizes))


def _cylinder(stack: Stack, arguments: Arguments) -> Stack:
    stack = on_object(stack, arguments)
    height, radius = arguments.length("height", 0), arguments.length("radius", 1)
    node, middle = arguments.node("direct", 2), arguments.flags("centered", 4, 3)
    _whole_turn(arguments, arguments.number("angle", 3, 360))
    x, y = (0 if along else radius for along in middle[:2])
    direct = UP if node is None else tuple_of(node, 3, arguments.scope)
    if direct != UP:
        if (x, y) != (0, 0):
            raise error_at(node, "A turned cylinder away from its centre is not in the language.")
        lift = 0 if middle[2] else height / 2

        def turned(c: cad.Point2) -> cad.Solid:
            plane = _plane_along(stack.moved(*c).origin, rounded(axes(stack.plane) @ direct))
            return cad.Cylinder(plane, lift, (0, 0), height, radius)

        return _at_places(stack, arguments, turned)
    lift = stack.offset + (0 if middle[2] else height / 2)
    return _at_places(stack, arguments, lambda c: cad.Cylinder(stack.plane, lift, (c[0] + x, c[1] + y), height, radius))


def _sphere(stack: Stack, arguments: Arguments) -> Stack:
    stack = on_object(stack, arguments)
    radius = arguments.length("radius", 0)
    node = arguments.node("direct", 1)
    if node is not None and tuple_of(node, 3, arguments.scope) != UP:
        raise error_at(node, "A turned sphere is not in the language.", Message("(0,0,1)"))
    latitudes = arguments.number("angle1", 2, -90), arguments.number("angle2", 3, 90)
    _whole_turn(arguments, arguments.number("angle3", 4, 360))
    x, y, z = (0 if middle else radius for middle in arguments.flags("centered", 5, 3))
    if latitudes == (-90, 90):
        return _at_places(
            stack, arguments, lambda c: cad.Sphere(stack.plane, stack.offset + z, (c[0] + x, c[1] + y), radius)
        )
    normal = rounded(axes(stack.plane)[:, 2])
    return _at_places(
        stack, arguments, lambda c: _zone(stack.moved(c[0] + x, c[1] + y, z).origin, normal, radius, *latitudes)
    )


def _whole_turn(arguments: Arguments, degrees: float) -> None:
    if degrees != 360:
        raise arguments.wrong("A part of a turn is not in the language here.", Message("`.revolve(...)`"))


def _at_places(stack: Stack, arguments: Arguments, make: Callable[[cad.Point2], cad.Solid]) -> Stack:
    solids = [make(point) for point in cad.points_of(stack.places)]
    return stack.with_solids(solids, arguments.call, operation_of(arguments, None))


# --- about an axis


def _plane_along(origin: cad.Point3, normal: cad.Point3) -> cad.Plane:
    """A plane across a direction, with its name where it has one."""
    for name, (_, other) in cad.NAMED_PLANES.items():
        if normal == other:
            return cad.Plane.named(name, origin)
    aside = np.cross(normal, np.eye(3)[int(np.argmin(np.abs(normal)))])
    return named(origin, rounded(aside / np.linalg.norm(aside)), normal)


def _turned(origin: cad.Point3, axis: cad.Point3, loop: cad.Loop) -> cad.Revolution:
    """A loop of points (distance from the axis, way along it), turned about an axis."""
    along = np.array(axis, float) / math.hypot(*axis)
    across = axes(_plane_along(origin, axis))[:, 0]
    plane = named(origin, rounded(across), rounded(np.cross(across, along)))
    return cad.Revolution(plane, cad.Sketch.of(loop))


def _zone(origin: cad.Point3, axis: cad.Point3, radius: float, low: float, high: float) -> cad.Revolution:
    """A sphere between two latitudes, in degrees."""
    turns = [math.radians(angle) for angle in (low, (low + high) / 2, high)]
    first, middle, last = ((round(radius * math.cos(t), 9), round(radius * math.sin(t), 9)) for t in turns)
    ends = [cad.Line((0, last[1]))] if last[0] > 0 else []
    if first[0] > 0:
        loop = cad.Loop((0, first[1]), (cad.Line(first), cad.Arc(middle, last), *ends))
    else:
        loop = cad.Loop(first, (cad.Arc(middle, last), *ends))
    return _turned(origin, axis, loop)


def made_solid(arguments: Arguments) -> Stack | None:
    """`cq.Solid.makeBox(...)` and its like; None where the name is another."""
    name = arguments.name
    sizes = {
        "makeBox": ("length", "width", "height"),
        "makeCylinder": ("radius", "height"),
        "makeCone": ("radius1", "radius2", "height"),
        "makeSphere": ("radius",),
    }.get(name)
    if sizes is None:
        return None
    values = [abs(arguments.number(size, position)) for position, size in enumerate(sizes)]
    origin = arguments.vector("pnt", len(sizes), (0, 0, 0))
    axis = arguments.vector("dir", len(sizes) + 1, UP)
    if not math.hypot(*axis) or max(values) == 0 or (name != "makeCone" and min(values) == 0):
        raise arguments.wrong("A size is zero.", Message("positive numbers"))
    match name:
        case "makeBox":
            if axis != UP:
                raise arguments.wrong("A turned box is not in the language here.", Message("(0,0,1)"))
            length, width, height = values
            solid = cad.Box(cad.Plane(origin), height / 2, (length / 2, width / 2), length, width, height)
        case "makeCylinder":
            radius, height = values
            solid = cad.Cylinder(_plane_along(origin, axis), height / 2, (0, 0), height, radius)
        case "makeCone":
            low, high, height = values
            wall = [place for place in ((low, 0), (high, height)) if place[0]]
            solid = _turned(origin, axis, cad.Loop.through([(0, 0), *wall, (0, height)]))
        case _:
            latitudes = arguments.number("angleDegrees1", 3, 0), arguments.number("angleDegrees2", 4, 90)
            solid = _zone(origin, axis, values[0], *latitudes)
    last = {"makeSphere": ("angleDegrees3", 5)}.get(name, ("angleDegrees", len(sizes) + 2))
    _whole_turn(arguments, arguments.number(*last, 360))
    arguments.done()
    return Stack(cad.Plane()).with_solids([solid], arguments.call)


METHODS = {"box": _box, "cylinder": _cylinder, "sphere": _sphere}
