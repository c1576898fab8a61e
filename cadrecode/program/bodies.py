"""The calls that make a body of what is drawn, choose its faces and edges, and finish it."""

from __future__ import annotations

import ast
import math
from dataclasses import replace

import numpy as np

from cadrecode.errors import Message
from cadrecode.program import language as cad
from cadrecode.program import primitives
from cadrecode.program.arguments import Arguments, error_at, flat_point, number_of
from cadrecode.program.drawing import drawn, first_vertices
from cadrecode.program.planes import axes, placement_of, placing
from cadrecode.program.primitives import operation_of
from cadrecode.program.reach import distance_to
from cadrecode.program.scope import Facts, Function
from cadrecode.program.selectors import THEN, check_selector
from cadrecode.program.sketching import CLOSED_WITHIN, nested
from cadrecode.program.solid import bounds, build
from cadrecode.program.states import Chosen, Drawing, Stack, sketch_of, united
from cadrecode.program.workplanes import body_of, center_of_mass, corners_of, diagonal_of, on_object, plane_of_faces

STEEPEST_TAPER = 85  # degrees
NAMES_OF_NORMALS = {normal: name for name, (_, normal) in cad.NAMED_PLANES.items()}


def _drawn(stack: Stack, arguments: Arguments) -> tuple[Stack, cad.Plane]:
    """With closed outlines alone, and the plane on which they lie."""
    stack = drawn(stack, arguments)
    return replace(stack, wires=nested(stack.wires)), stack.lifted


def _extrude(stack: Stack, arguments: Arguments) -> Stack:
    stack, plane = _drawn(stack, arguments)
    node = arguments.need("until", 0)
    operation = operation_of(arguments, 1)
    distance = _until(stack, plane, node, arguments, operation is cad.Operation.CUT)
    both = arguments.flag("both", 3)
    solid = cad.Extrusion(plane, sketch_of(stack.wires), distance, both, _taper(arguments, 4))
    return stack.with_solids([solid], arguments.call, operation)


def _until(stack: Stack, plane: cad.Plane, node: ast.expr, arguments: Arguments, cutting: bool) -> float:
    """How far a sketch is pulled: a number, or up to the 'next' or the 'last' face."""
    value = arguments.scope.value(node)
    if value in ("next", "last"):
        body = body_of(stack, arguments)
        return distance_to(body, plane, sketch_of(stack.wires), value, cutting)
    distance = number_of(node, arguments.scope)
    if distance == 0:
        raise error_at(
            node,
            "The cut's depth is zero." if cutting else "The extrusion's distance is zero.",
            Message("any other number"),
        )
    return distance


def _taper(arguments: Arguments, position: int) -> float:
    node = arguments.node("taper", position)
    taper = 0 if node is None else number_of(node, arguments.scope)
    if not abs(taper) < STEEPEST_TAPER:
        raise error_at(
            node,
            "The taper is {taper:g} degrees.",
            Message("less than {most:g} either way", most=STEEPEST_TAPER),
            taper=taper,
        )
    return taper


def _cut_blind(stack: Stack, arguments: Arguments) -> Stack:
    stack, plane = _drawn(stack, arguments)
    distance = _until(stack, plane, arguments.need("until", 0), arguments, cutting=True)
    arguments.skip("clean")
    solid = cad.Extrusion(plane, sketch_of(stack.wires), distance, arguments.flag("both", 2), _taper(arguments, 3))
    return stack.with_solids([solid], arguments.call, cad.Operation.CUT)


def _cut_through(stack: Stack, arguments: Arguments) -> Stack:
    stack, plane = _drawn(stack, arguments)
    arguments.skip("clean")
    if stack.body is None:
        raise arguments.wrong("There is no solid before it.", Message("a solid to cut from"))
    if _taper(arguments, 1):
        raise arguments.wrong("A taper through all is not in the language.", Message("`.cutBlind(...)`"))
    reach = math.ceil(diagonal_of(stack.body))
    return stack.with_solids(
        [cad.Extrusion(plane, sketch_of(stack.wires), reach, True)], arguments.call, cad.Operation.CUT
    )


def _revolve(stack: Stack, arguments: Arguments) -> Stack:
    """CadQuery's rules: whole turns are left out, and an axis without an end is the plane's own y."""
    stack, plane = _drawn(stack, arguments)
    degrees = arguments.number("angleDegrees", 0, 360) % 360 or 360
    first, last = arguments.node("axisStart", 1), arguments.node("axisEnd", 2)
    start = (0, 0) if first is None else flat_point(first, arguments.scope)
    if last is None:
        world = axes(plane) @ (*start, 0) + plane.origin
        end = (0, float(world[1]) if world[1] else 1)
    else:
        end = flat_point(last, arguments.scope)
    direction = (end[0] - start[0], end[1] - start[1])
    if math.hypot(*direction) < CLOSED_WITHIN:
        raise error_at(last or arguments.call, "The axis has no direction.", Message("an end away from its start"))
    operation = operation_of(arguments, 3)
    solid = cad.Revolution(plane, sketch_of(stack.wires), degrees, start, direction)
    return stack.with_solids([solid], arguments.call, operation)


def _sketch(stack: Stack, arguments: Arguments) -> Drawing:
    if stack.points is not None and cad.points_of(stack.points) != ((0, 0),):
        raise arguments.wrong(
            "A sketch after moveTo is not in the language.",
            Message("`.sketch()` on the workplane itself"),
        )
    return Drawing(replace(stack, is_solid=False, chosen=None))


# --- joining


def _join(operation: cad.Operation):
    def join(stack: Stack, arguments: Arguments) -> Stack:
        node = arguments.need("toUnion", 0)
        arguments.skip("clean", "tol", "glue")
        other = arguments.scope.value(node)
        if not isinstance(other, Stack) or other.body is None:
            raise error_at(
                node,
                "`{operation}` takes a solid, this is {kind}.",
                Message("a solid"),
                operation=str(operation),
                kind=getattr(other, "kind", Message("no solid")),
            )
        if stack.body is None and operation is cad.Operation.UNION:
            return stack.with_body(other.body, arguments.call)
        return stack.with_body(united(body_of(stack, arguments), operation, other.body), arguments.call)

    return join


def _rotate(stack: Stack, arguments: Arguments) -> Stack:
    """A turn about an axis; what was turned or moved before becomes a body within a body."""
    body_of(stack, arguments)
    start, end = arguments.vector("axisStartPoint", 0), arguments.vector("axisEndPoint", 1)
    axis = tuple(b - a for a, b in zip(start, end))
    return _turned(stack, start, axis, arguments.number("angleDegrees", 2), arguments)


def _turned(stack: Stack, start: cad.Point3, axis: cad.Point3, degrees: float, arguments: Arguments) -> Stack:
    body = stack.body
    if math.hypot(*axis) < 1e-9:
        raise arguments.wrong("The axis has no direction.", Message("two different points"))
    turn = cad.Placement(axis, degrees)
    if start != (0, 0, 0):
        moved = np.array(start, float) - placing(turn)[:, :3] @ start
        turn = replace(turn, offset=tuple(round(float(value), 9) + 0.0 for value in moved))
    program = cad.Program(body.steps, turn, body.finishes) if body.placement is None else cad.Program.of(body, turn)
    return stack.with_body(program, arguments.call)


def _translate(stack: Stack, arguments: Arguments) -> Stack:
    body = body_of(stack, arguments)
    offset = arguments.vector("vec", 0)
    before = body.placement or cad.Placement()
    moved = tuple(a + b for a, b in zip(before.offset, offset))
    return stack.with_body(replace(body, placement=replace(before, offset=moved)), arguments.call)


def _mirror(stack: Stack, arguments: Arguments) -> Stack:
    body_of(stack, arguments)
    node = arguments.node("mirrorPlane", 0)
    value = "XY" if node is None else arguments.scope.value(node)
    base: cad.Point3 = (0, 0, 0)
    if isinstance(value, Stack) and value.chosen is not None:
        plane = plane_of_faces(value, arguments, "CenterOfMass")
        value, base = plane.normal, plane.origin
    if isinstance(value, list | tuple) and len(value) == 3:
        length = math.hypot(*value)
        value = NAMES_OF_NORMALS.get(tuple(round(abs(part) / length, 9) + 0.0 for part in value)) if length else None
        value = value or "none"
    if value not in cad.NAMED_PLANES:
        raise error_at(node or arguments.call, "Unknown plane.", Message("such as 'XY'"))
    base = arguments.vector("basePointVector", 1, base)
    value = {"YX": "XY", "ZX": "XZ", "ZY": "YZ"}.get(value, value)
    return stack.finished(cad.Mirror(value, base, arguments.flag("union", 2)), arguments.call)


# --- finishing


def _hole(stack: Stack, arguments: Arguments) -> Stack:
    return _drilled(stack, arguments, 1, None)


def _counterbored(stack: Stack, arguments: Arguments) -> Stack:
    head = cad.Counterbore(arguments.length("cboreDiameter", 1), arguments.length("cboreDepth", 2))
    return _drilled(stack, arguments, 3, head)


def _countersunk(stack: Stack, arguments: Arguments) -> Stack:
    head = cad.Countersink(arguments.length("cskDiameter", 1), arguments.length("cskAngle", 2))
    if head.degrees >= 180:
        raise arguments.wrong("The countersink's angle is too wide.", Message("less than 180"))
    return _drilled(stack, arguments, 3, head)


def _drilled(
    stack: Stack, arguments: Arguments, position: int, head: cad.Counterbore | cad.Countersink | None
) -> Stack:
    body_of(stack, arguments)
    stack = on_object(stack, arguments)
    diameter = arguments.length("diameter", 0)
    depth = arguments.value("depth", position)
    if depth is not None and not (isinstance(depth, int | float) and depth > 0):
        raise arguments.wrong("depth is no length.", Message("a positive number or None"))
    arguments.skip("clean")
    return stack.finished(cad.Hole(stack.lifted, stack.places, diameter, depth, head), arguments.call)


def _blend(blend: cad.Blend):
    def blended(stack: Stack, arguments: Arguments) -> Stack:
        body_of(stack, arguments)
        size = arguments.length("radius" if blend is cad.Blend.FILLET else "length", 0)
        second = abs(arguments.number("length2", 1, size)) if blend is cad.Blend.CHAMFER else size
        chosen = stack.chosen
        if chosen is None and stack.is_solid:
            chosen = Chosen(stack.body)
        if chosen is None or chosen.body is not stack.body or chosen.vertices:
            raise arguments.wrong("No edges are chosen.", Message("`.edges(...)` before it"))
        finish = cad.Edges(blend, size, chosen.faces or None, chosen.edges or None, None if second == size else second)
        return stack.finished(finish, arguments.call)

    return blended


def _shell(stack: Stack, arguments: Arguments) -> Stack:
    body_of(stack, arguments)
    thickness = arguments.number("thickness", 0)
    kind = arguments.text("kind", 1, "arc")
    if thickness == 0 or kind not in ("arc", "intersection"):
        raise arguments.wrong("No such shell.", Message("a thickness, and 'arc' or 'intersection'"))
    faces = stack.chosen.faces if stack.chosen is not None and stack.chosen.body is stack.body else None
    return stack.finished(cad.Shell(thickness, faces or None, kind == "intersection"), arguments.call)


# --- choosing


def _choose(what: str):
    def choose(stack: Stack, arguments: Arguments) -> Stack:
        selector = arguments.text("selector", 0, "")
        tag = arguments.text("tag")
        if what == "vertices" and stack.rows:
            return first_vertices(stack)
        chosen = stack.chosen
        if tag is not None:
            tagged = dict(stack.tags).get(tag)
            if tagged is None or tagged.body is None:
                raise arguments.wrong("There is no tag {tag!r}.", tag=tag)
            chosen = Chosen(tagged.body)
        if chosen is None:
            chosen = Chosen(body_of(stack, arguments))
        if what == "vertices":
            chosen = replace(chosen, vertices=corners_of(chosen, selector, arguments.call))
        elif what == "faces" and chosen.edges is not None:
            raise arguments.wrong("Faces of edges are not in the language.", Message("`.faces(...)` first"))
        else:
            selector = THEN.join(filter(None, (getattr(chosen, what), selector)))
            if selector:
                check_selector(selector)
            chosen = replace(chosen, **{what: selector})
        return replace(stack, chosen=chosen, is_solid=False, points=None, rows=())

    return choose


METHODS = {
    **primitives.METHODS,
    "extrude": _extrude,
    "revolve": _revolve,
    "sketch": _sketch,
}
# --- what a solid tells


def _bounding_box(stack: Stack, arguments: Arguments) -> Facts:
    arguments.used = len(arguments.positional)
    low, high = (tuple(round(float(v), 6) for v in corner) for corner in bounds(build(body_of(stack, arguments))))
    facts = {
        f"{axis}{end}": value for end, corner in (("min", low), ("max", high)) for axis, value in zip("xyz", corner)
    }
    facts |= {f"{axis}len": round(b - a, 6) for axis, a, b in zip("xyz", low, high)}
    middle = tuple(round((a + b) / 2, 6) for a, b in zip(low, high))
    return Facts(**facts, center=middle, DiagonalLength=math.dist(low, high))


def _center_of(stack: Stack, arguments: Arguments) -> cad.Point3:
    if stack.chosen is not None and stack.chosen.faces is not None:
        return plane_of_faces(stack, arguments, "CenterOfMass").origin
    return tuple(round(float(value), 6) + 0.0 for value in center_of_mass(build(body_of(stack, arguments))))


def _volume(stack: Stack, arguments: Arguments) -> float:
    return build(body_of(stack, arguments)).volume()


def _about_center(stack: Stack, arguments: Arguments) -> Stack:
    center = _center_of(replace(stack, chosen=None), arguments)
    axis = arguments.vector("axisEndPoint", 0)
    return _turned(stack, center, axis, arguments.number("angleDegrees", 1), arguments)


def _add(stack: Stack, arguments: Arguments) -> Stack:
    """CadQuery keeps the solids side by side; for one part they are joined."""
    node = arguments.need("obj", 0)
    other = arguments.scope.value(node)
    if not isinstance(other, Stack) or other.body is None:
        raise error_at(node, "Not a solid.", Message("a solid"))
    if stack.body is None:
        return stack.with_body(other.body, arguments.call)
    return stack.with_body(united(stack.body, cad.Operation.UNION, other.body), arguments.call)


def _each_point(stack: Stack, arguments: Arguments) -> Stack:
    """A function's solid at each place, as in `.eachpoint(lambda loc: pin.val().moved(loc))`."""
    node = arguments.node("callback", 0) or arguments.need("callBackFunction", 0)
    function, local = arguments.scope.value(node), arguments.flag("useLocalCoordinates", 1)
    operation = operation_of(arguments, 2) if "combine" in arguments.keywords or len(arguments.positional) > 2 else None
    body = None if operation is None else stack.body
    for x, y in cad.points_of(stack.places):
        place = placement_of(cad.Plane((x, y, 0)) if local else stack.moved(x, y))
        solid = arguments.scope.called(node, function, [place], {}) if isinstance(function, Function) else function
        if not isinstance(solid, Stack) or solid.body is None:
            raise error_at(node, "Not a solid.", Message("a function that returns a solid"))
        new = cad.Program.of(solid.body, placement_of(stack.lifted)) if local else solid.body
        body = new if body is None else united(body, operation or cad.Operation.UNION, new)
    return stack.with_body(body, arguments.call)


def _moved(stack: Stack, arguments: Arguments) -> Stack:
    body = body_of(stack, arguments)
    node = arguments.need("loc", 0)
    place = arguments.scope.value(node)
    if not isinstance(place, cad.Placement):
        raise error_at(node, "Not a location.", Message("the location that `eachpoint` gives"))
    plain = body.placement is None
    return stack.with_body(replace(body, placement=place) if plain else cad.Program.of(body, place), arguments.call)


METHODS["add"] = _add
METHODS["eachpoint"] = _each_point
ON_BODIES = {str(operation): _join(operation) for operation in cad.Operation} | {
    "cutBlind": _cut_blind,
    "cutThruAll": _cut_through,
    "rotate": _rotate,
    "translate": _translate,
    "mirror": _mirror,
    "hole": _hole,
    "cboreHole": _counterbored,
    "cskHole": _countersunk,
    "fillet": _blend(cad.Blend.FILLET),
    "chamfer": _blend(cad.Blend.CHAMFER),
    "shell": _shell,
    "faces": _choose("faces"),
    "edges": _choose("edges"),
    "vertices": _choose("vertices"),
    "rotateAboutCenter": _about_center,
    "moved": _moved,
    "located": _moved,
    "BoundingBox": _bounding_box,
    "Center": _center_of,
    "Volume": _volume,
}
