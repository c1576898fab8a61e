"""The calls that move a workplane, and what a body's chosen faces and corners say about where it goes."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache

import numpy as np
from manifold3d import Manifold

from cadrecode.errors import Message
from cadrecode.geometry import bounding_box
from cadrecode.program import language as cad
from cadrecode.program.arguments import Arguments, error_at, tuple_of
from cadrecode.program.planes import axes, placing
from cadrecode.program.selectors import Item, selected
from cadrecode.program.solid import bounds, build, mesh_of
from cadrecode.program.states import Chosen, Stack, plain
from cadrecode.program.topology import Topology

CENTERS = ("ProjectedOrigin", "CenterOfMass", "CenterOfBoundBox")
CENTER_DECIMALS = 6  # of a centre of mass, which comes from a mesh
ON_PLANE = 1e-4  # how far apart two faces may lie that make one workplane: CadQuery's own tolerance


class _Key:
    def __init__(self, body: cad.Program):
        self.body = body

    def __hash__(self) -> int:
        return id(self.body)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and other.body is self.body


@lru_cache(maxsize=8)
def _topology(key: _Key) -> Topology:
    return Topology(build(key.body))


def topology_of(body: cad.Program) -> Topology:
    """Raises: ProgramError: it builds nothing."""
    return _topology(_Key(body))


def body_of(stack: Stack, arguments: Arguments) -> cad.Program:
    if stack.body is None:
        raise arguments.wrong("There is no solid before it.", Message("a solid"))
    return stack.body


def diagonal_of(body: cad.Program) -> float:
    """The diagonal of its bounding box."""
    return math.dist(*bounds(build(body)))


def corners_of(chosen: Chosen, selector: str, node: ast.AST) -> tuple[cad.Point3, ...]:
    """The vertices of a body that a selector names, or of its chosen faces and edges."""
    topology = topology_of(chosen.body)
    s = topology.segments
    among = range(len(topology.edges))
    if chosen.faces is not None or chosen.edges is not None:
        segments = set(topology.chosen_edges(chosen.faces or None, chosen.edges or None))
        among = [index for index in among if segments & set(topology.edges[index][0])]
    ends: dict[int, None] = {}
    for index in among:
        counts: dict[int, int] = {}
        for segment in topology.edges[index][0]:
            for vertex in (int(s.start[segment]), int(s.end[segment])):
                counts[vertex] = counts.get(vertex, 0) + 1
        ends |= dict.fromkeys(vertex for vertex, count in counts.items() if count == 1)
    points = [rounded(topology.points[vertex]) for vertex in ends]
    places = selected([Item(point) for point in points], selector) if selector else range(len(points))
    if not len(places):
        raise error_at(node, "There is no such corner.", Message("a selector of corners"))
    return tuple(points[place] for place in places)


def plane_of_faces(stack: Stack, arguments: Arguments, option: str, origin: cad.Point3 | None = None) -> cad.Plane:
    """The workplane on the chosen faces, by CadQuery's rules: x level, the origin projected onto it."""
    chosen = stack.chosen
    topology = topology_of(chosen.body)
    numbers = range(len(topology.faces))
    if chosen.faces:
        numbers = selected(topology.faces, chosen.faces)
    flat = [number for number in numbers if topology.faces[number].direction is not None]
    if not flat:
        raise arguments.wrong("There is no such flat face.", Message("a selector of faces, such as '>Z'"))
    normal = np.array(topology.faces[flat[0]].direction)
    centers = np.array([topology.faces[number].center for number in flat])
    if np.abs((centers - centers[0]) @ normal).max() > ON_PLANE:
        raise arguments.wrong("The faces do not lie in one plane.", Message("a single face"))
    areas = np.array([topology.facet_area[topology.face_of_facet == number].sum() for number in flat])
    on_facet = np.isin(topology.face_of_facet[topology.facet], flat)
    vertices = topology.points[topology.triangles[on_facet].ravel()]
    height = float(np.median(vertices @ normal))
    center = areas @ centers / areas.sum()
    if option == "CenterOfBoundBox":
        center = bounding_box(vertices).mean(axis=0)
    if chosen.vertices:
        center = np.mean(chosen.vertices, axis=0)
        height = float(center @ normal)
    if option == "ProjectedOrigin":
        center = np.array(stack.lifted.origin if origin is None else origin, float)
    center = center + (height - center @ normal) * normal
    x = np.cross((0, 0, 1), normal)
    x = np.array([1.0, 0, 0]) if np.linalg.norm(x) < ON_PLANE else x / np.linalg.norm(x)
    return named(rounded(center), rounded(x), rounded(normal))


def named(origin: cad.Point3, x: cad.Point3, normal: cad.Point3) -> cad.Plane:
    """The plane with its name, where its directions have a name."""
    for name, directions in cad.NAMED_PLANES.items():
        if directions == (x, normal):
            return cad.Plane.named(name, origin)
    return cad.Plane(origin, x, normal, None)


def rounded(vector: Iterable[float]) -> cad.Point3:
    return tuple(map(plain, vector))


# --- calls


def _workplane(stack: Stack, arguments: Arguments) -> Stack:
    offset = arguments.number("offset", 0, 0)
    invert = arguments.flag("invert", 1)
    option = arguments.text("centerOption", 2, "ProjectedOrigin")
    if option not in CENTERS:
        raise arguments.wrong("Unknown centerOption.", Message("one of {known}", known=", ".join(CENTERS)))
    node = arguments.node("origin", 3)
    origin = None if node is None else tuple_of(node, 3, arguments.scope)
    if stack.wires or stack.edges:
        raise arguments.wrong("Outlines on several planes are not in the language.", Message("one plane"))
    if stack.chosen is None:
        if invert or origin is not None:
            raise arguments.wrong("No face is chosen.", Message("`.faces(...)` before it"))
        if stack.is_solid:
            plane = _through_middle(stack, option)
            return replace(stack, plane=plane, offset=offset, is_solid=False, points=None, rows=())
        if stack.points is not None and option != "ProjectedOrigin":
            x, y = cad.points_of(stack.points)[-1]
            stack = replace(stack, plane=stack.moved(x, y), offset=0)
        return replace(stack, offset=stack.offset + offset, is_solid=False, points=None, rows=())
    if stack.chosen.faces is None and stack.chosen.edges is None and stack.chosen.vertices:
        point = np.mean(stack.chosen.vertices, axis=0)  # of vertices alone: the plane as it is, through them
        plane = replace(stack.plane, origin=rounded(point))
    elif stack.chosen.edges is not None:
        raise arguments.wrong("A workplane on edges is not in the language.", Message("a face"))
    else:
        plane = plane_of_faces(stack, arguments, option, origin)
    if invert:
        plane = named(plane.origin, plane.x_direction, rounded(-np.array(plane.normal, float)))
    return Stack(plane, offset, stack.body, tags=stack.tags)


def on_object(stack: Stack, arguments: Arguments) -> Stack:
    """The workplane of a drawing right after a solid or chosen faces: CadQuery puts its origin at their middle."""
    chosen = stack.chosen
    if chosen is not None and chosen.faces is not None and chosen.edges is None and not chosen.vertices:
        middle = plane_of_faces(stack, arguments, "CenterOfMass").origin
    elif stack.is_solid and stack.body is not None and chosen is None:
        middle = tuple(round(value, CENTER_DECIMALS) + 0.0 for value in center_of_mass(build(stack.body)).tolist())
    else:
        return stack
    plane = replace(stack.lifted, origin=rounded(middle))
    return replace(stack, plane=plane, offset=0, points=None, chosen=None, is_solid=False)


def _through_middle(stack: Stack, option: str) -> cad.Plane:
    """After a solid, CadQuery lays the plane through the solid's middle."""
    solid, plane = build(stack.body), stack.lifted
    low, high = bounds(solid)
    middle = (low + high) / 2 if option == "CenterOfBoundBox" else center_of_mass(solid)
    normal = axes(plane)[:, 2]
    center = middle
    if option == "ProjectedOrigin":
        origin = np.array(plane.origin, float)
        center = origin + normal * float((middle - origin) @ normal)
    return replace(plane, origin=tuple(round(value, CENTER_DECIMALS) + 0.0 for value in center.tolist()))


def center_of_mass(solid: Manifold) -> np.ndarray:
    vertices, triangles = mesh_of(solid)
    a, b, c = (vertices[triangles[:, corner]] for corner in range(3))
    volumes = np.sum(a * np.cross(b, c), axis=1)
    return volumes @ ((a + b + c) / 4) / volumes.sum()


def _split(stack: Stack, arguments: Arguments) -> Stack:
    """Keeps what lies on one side of the workplane."""
    body_of(stack, arguments)
    top, bottom = arguments.flag("keepTop", 0), arguments.flag("keepBottom", 1)
    if top is bottom:
        raise arguments.wrong("Both sides are kept.", Message("keepTop=True or keepBottom=True"))
    reach = 2 * math.ceil(diagonal_of(stack.body))
    half = cad.Sketch.of(cad.Rect(reach, reach))
    solid = cad.Extrusion(stack.lifted, half, -reach if top else reach)
    return stack.with_solids([solid], arguments.call, cad.Operation.CUT)


def _center(stack: Stack, arguments: Arguments) -> Stack:
    x, y = arguments.number("x", 0), arguments.number("y", 1)
    wires = tuple(replace(wire, places=_shifted(wire.places, -x, -y)) for wire in stack.wires)
    stack = replace(stack, wires=wires)
    return replace(stack, plane=stack.moved(x, y), offset=0, points=None, is_solid=False, chosen=None, rows=())


def _shifted(places: cad.Places, x: float, y: float) -> cad.Places:
    if isinstance(places, tuple):
        return tuple((a + x, b + y) for a, b in places)
    return replace(places, center=(places.center[0] + x, places.center[1] + y))


def _copy_workplane(stack: Stack, arguments: Arguments) -> Stack:
    node = arguments.need("obj", 0)
    other = arguments.scope.value(node)
    if not isinstance(other, Stack):
        raise error_at(node, "Not a workplane.", Message("a workplane"))
    return Stack(other.plane, other.offset, stack.body, tags=stack.tags)


def _transformed(stack: Stack, arguments: Arguments) -> Stack:
    turns, move = (arguments.vector(name, at, (0, 0, 0)) for at, name in enumerate(("rotate", "offset")))
    plane = replace(stack, points=None).lifted
    local = axes(plane)
    turn = np.eye(3)
    for axis, degrees in zip(local.T, turns):
        turn = turn @ placing(cad.Placement(tuple(axis), degrees))[:, :3]
    origin = rounded(local @ np.array(move, float) + plane.origin)
    moved = named(origin, rounded(turn @ local[:, 0]), rounded(turn @ local[:, 2]))
    if turns == (0, 0, 0):
        moved = replace(plane, origin=origin)
    return replace(stack, plane=moved, offset=0, points=None, is_solid=False, chosen=None, rows=())


def _tag(stack: Stack, arguments: Arguments) -> Stack:
    name = arguments.text("name", 0)
    return replace(stack, tags=(*stack.tags, (name, replace(stack, tags=(), before=None))))


def _tagged(stack: Stack, arguments: Arguments) -> Stack:
    name = arguments.text("name", 0)
    tagged = dict(stack.tags).get(name)
    if tagged is None:
        raise arguments.wrong("There is no tag {tag!r}.", tag=str(name))
    return Stack(tagged.plane, tagged.offset, stack.body, tags=stack.tags)


def _end(stack: Stack, arguments: Arguments) -> Stack:
    """Back by so many calls; what was built stays."""
    before = stack
    for _ in range(int(arguments.number("n", 0, 1))):
        if before.before is None:
            raise arguments.wrong("There is nothing to go back to.")
        before = before.before
    return replace(before, body=stack.body, wires=stack.wires, tags=stack.tags)


def _same(stack: Stack, arguments: Arguments) -> Stack:
    """A call that changes nothing about the solid, such as `.combine()` and `.clean()`."""
    arguments.skip("clean", "glue", "tol")
    arguments.used = len(arguments.positional)
    return stack


METHODS = {
    "workplane": _workplane,
    "center": _center,
    "copyWorkplane": _copy_workplane,
    "transformed": _transformed,
    "tag": _tag,
    "workplaneFromTagged": _tagged,
    "end": _end,
    "split": _split,
    "combine": _same,
    "clean": _same,
    "val": _same,
    "solids": _same,
    "first": _same,
    "findSolid": _same,
    "consolidateWires": _same,
}
