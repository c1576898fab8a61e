"""Program tree -> closed triangle mesh with Manifold, in a millisecond or two; and what such solids can tell.

Circles become inscribed polygons, with as many sides as the size of the whole part asks for: SAGITTA is how far a side
may cut into its circle. A circle as large as the part gets 96 sides and loses 0.07 % of its area; a screw hole gets 24.
"""

from __future__ import annotations

import math
from functools import lru_cache

import manifold3d
import numpy as np
from manifold3d import CrossSection, FillRule, Manifold

from cadrecode.errors import Message, ProgramError
from cadrecode.geometry import corner_crosses, fold_into_triangle, places_on, three_cornered, weld
from cadrecode.program.language import (
    ORIGIN,
    Arc,
    Box,
    Circle,
    Cylinder,
    Extrusion,
    Face,
    Loop,
    Mode,
    Operation,
    Placement,
    Plane,
    Point2,
    Program,
    Rect,
    Sketch,
    Solid,
)

SAGITTA = 5.4e-4  # of the part's half side
FEWEST_SEGMENTS, MOST_SEGMENTS = 16, 128  # of a full circle
WRITTEN_DECIMALS = 3  # of numbers as people write them
EXACT_DECIMALS = 7  # of vertices: a CrossSection keeps its coordinates to 2**-27 (Clipper's integers)
LEAST_VOLUME = 1e-9  # of the cube on the longest side; less is nothing


def build(program: Program, sagitta: float | None = None, solids: dict[Solid, Manifold] | None = None) -> Manifold:
    """The solid of a program, in the frame of its numbers.

    Args:
        sagitta: how far a side may cut into its circle; by the program's own size when None.
        solids: those built so far, kept from call to call where many programs of one sagitta share most of theirs.
    Raises: ProgramError: a sketch without area, a result (of the program or of a body within it) without volume.
    """
    if sagitta is None:
        sagitta = sagitta_of(program)
    return _build(program, sagitta, solids)


def sagitta_of(program: Program) -> float:
    """How far a side may cut into its circle, for a program of this size."""
    return SAGITTA * max(map(half_side, program.solids()))


def _build(program: Program, sagitta: float, solids: dict[Solid, Manifold] | None) -> Manifold:
    body: Manifold | None = None
    for step in program.steps:
        if isinstance(step.solid, Program):
            solid = _build(step.solid, sagitta, solids)
        elif solids is None:
            solid = build_solid(step.solid, sagitta)
        else:
            if step.solid not in solids:
                solids[step.solid] = build_solid(step.solid, sagitta)
            solid = solids[step.solid]
        if body is None:
            body = solid
        elif step.operation is Operation.UNION:
            body = body + solid
        elif step.operation is Operation.CUT:
            body = body - solid
        else:
            body = body ^ solid
    if program.placement is not None:
        body = body.transform(placing(program.placement))
    low, high = bounds(body)
    if body.is_empty() or body.volume() <= LEAST_VOLUME * float((high - low).max()) ** 3:
        raise ProgramError("Nothing is left: the program's solid is empty.", expected=Message("some volume"))
    return body


def half_side(solid: Solid) -> float:
    """About half of a solid's longest side, from its numbers alone; where it stands does not matter."""
    match solid:
        case Box():
            return max(solid.width, solid.height, solid.depth) / 2
        case Cylinder():
            return max(solid.radius, solid.height / 2)
        case Extrusion():
            depth = abs(solid.distance) * (1 if solid.both else 0.5)
            x, y = np.array(_corners(solid.sketch)).T
            return float(max(depth, np.ptp(x) / 2, np.ptp(y) / 2))


def _corners(sketch: Sketch) -> list[Point2]:
    """Points that span about as much as the sketch."""
    found: list[Point2] = []
    for step in sketch.steps:
        match step.shape:
            case Circle(radius):
                local = [(-radius, -radius), (radius, radius)]
            case Rect(width, height):
                local = [(-width / 2, -height / 2), (width / 2, height / 2)]
            case Face(inner):
                local = _corners(inner)
            case Loop(start, edges):
                local = [start, *(edge.end for edge in edges), *(e.middle for e in edges if isinstance(e, Arc))]
        found += local if step.places == ORIGIN else [(x + dx, y + dy) for x, y in local for dx, dy in step.places]
    return found


def segments_of(radius: float, sagitta: float) -> int:
    """Sides of the polygon for a full circle: a multiple of 4, so that it touches the bounding box of its circle."""
    if sagitta >= radius:
        return FEWEST_SEGMENTS
    wanted = math.pi / math.acos(1 - sagitta / radius)
    return min(max(4 * math.ceil(wanted / 4), FEWEST_SEGMENTS), MOST_SEGMENTS)


def build_solid(solid: Solid, sagitta: float | None = None) -> Manifold:
    """One extrusion, box or cylinder.

    Args:   sagitta: how far a side may cut into its circle; by the solid's own size when None.
    Raises: ProgramError: the sketch has no area.
    """
    if sagitta is None:
        sagitta = SAGITTA * half_side(solid)
    if isinstance(solid, Box):
        shape = Manifold.cube((solid.width, solid.height, solid.depth), True)
        built = shape.transform(_matrix(solid.plane, (*solid.center, solid.offset)))
        return _without_noise(built, *solid.plane.origin, *solid.center, solid.width, solid.height, solid.depth)
    if isinstance(solid, Cylinder):
        shape = Manifold.cylinder(solid.height, solid.radius, solid.radius, segments_of(solid.radius, sagitta), True)
        built = shape.transform(_matrix(solid.plane, (*solid.center, solid.offset)))
        return _without_noise(built, *solid.plane.origin, solid.height)
    area = cross_section(solid.sketch, sagitta)
    if area.is_empty():
        raise ProgramError("A sketch has no area.", expected=Message("a loop, circle or rectangle that encloses some"))
    depth = abs(solid.distance)
    low, height = (-depth, 2 * depth) if solid.both else (min(solid.distance, 0), depth)
    built = Manifold.extrude(area, height).transform(_matrix(solid.plane, (0, 0, low)))
    return _without_noise(built, *solid.plane.origin, depth, within=sum(_corners(solid.sketch), ()))


def _without_noise(built: Manifold, *numbers: float, within: tuple[float, ...] = ()) -> Manifold:
    """A solid of numbers as people write them, with what their sums are off by taken away.

    34.3 + 12.1 is more than 46.4 by 7e-15, and what stands on 46.4 would be a second body; a CrossSection puts 24.667
    at 24.667000003. Quarters are exact, and numbers of many decimals (while they are fitted) meet no others: for both
    the 0.2 ms are spared.

    Args:
        numbers: Along the axis. within: Of the sketch.
    """
    written = all(round(number, WRITTEN_DECIMALS) == number for number in numbers)
    if not written or all(4 * number == round(4 * number) for number in (*numbers, *within)):
        return built
    return built.warp_batch(lambda vertices: np.round(vertices, EXACT_DECIMALS))


@lru_cache(maxsize=256)
def _axes(x_direction: tuple, normal: tuple) -> np.ndarray:
    """(3, 3) with local x, y and normal as columns; x is made square to the normal, as CadQuery does."""
    n = np.array(normal, float) / math.hypot(*normal)
    x = np.array(x_direction, float)
    x = x - n * (x @ n)
    x /= np.linalg.norm(x)
    return np.column_stack((x, np.cross(n, x), n))


def axes(plane: Plane) -> np.ndarray:
    """(3, 3) float64: a plane's local x, y and normal, as columns."""
    return _axes(tuple(plane.x_direction), tuple(plane.normal))


def _matrix(plane: Plane, local: tuple[float, float, float]) -> np.ndarray:
    rotation = axes(plane)
    return np.column_stack((rotation, rotation @ np.array(local, float) + plane.origin))


def placing(placement: Placement) -> np.ndarray:
    """(3, 4): rotation and offset. Rodrigues' formula."""
    x, y, z = np.array(placement.axis, float) / math.hypot(*placement.axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = math.radians(placement.degrees)
    rotation = np.eye(3) + math.sin(angle) * cross + (1 - math.cos(angle)) * cross @ cross
    return np.column_stack((rotation, placement.offset))


def cross_section(sketch: Sketch, sagitta: float) -> CrossSection:
    """The area of a sketch, on its plane."""
    area = CrossSection()
    for step in sketch.steps:
        shape = _placed(_shape(step.shape, sagitta), step.places)
        if step.mode is Mode.ADD:
            area = shape if area.is_empty() else area + shape
        elif step.mode is Mode.SUBTRACT:
            area = area - shape
        else:
            area = area ^ shape
    return area


def _placed(shape: CrossSection, places: tuple[Point2, ...]) -> CrossSection:
    if places == ORIGIN:
        return shape
    moved = [shape.translate((float(x), float(y))) for x, y in places]
    return moved[0] if len(moved) == 1 else CrossSection.batch_boolean(moved, manifold3d.OpType.Add)


def _shape(shape: Circle | Rect | Loop | Face, sagitta: float) -> CrossSection:
    match shape:
        case Circle(radius):
            return CrossSection.circle(float(radius), segments_of(radius, sagitta))
        case Rect(width, height):
            return CrossSection.square((float(width), float(height)), True)
        case Face(sketch):
            return cross_section(sketch, sagitta)
        case Loop():
            return CrossSection([np.array(loop_points(shape, sagitta), np.float64)], FillRule.EvenOdd)


def loop_points(loop: Loop, sagitta: float) -> list[Point2]:
    """The corners of a loop, its arcs cut into straight pieces; the first point is not repeated."""
    points = [loop.start]
    for edge in loop.edges:
        if isinstance(edge, Arc):
            points.extend(arc_points(points[-1], edge.middle, edge.end, sagitta))
        points.append(edge.end)
    if math.dist(points[-1], points[0]) < 1e-9:
        points.pop()
    return points


def arc_points(start: Point2, middle: Point2, end: Point2, sagitta: float) -> list[Point2]:
    """Points strictly between the ends of the circular arc through three points; one, `middle`, if they are in line."""
    circle = circle_through(start, middle, end)
    if circle is None:
        return [middle]
    cx, cy, radius = circle
    (x1, y1), (x2, y2), (x3, y3) = start, middle, end
    first, last = math.atan2(y1 - cy, x1 - cx), math.atan2(y3 - cy, x3 - cx)
    turn = (last - first) % math.tau
    if (x2 - x1) * (y3 - y1) < (y2 - y1) * (x3 - x1):  # the three points run clockwise
        turn -= math.tau
    pieces = max(2, math.ceil(abs(turn) / math.tau * segments_of(radius, sagitta)))
    return [
        (cx + radius * math.cos(first + turn * k / pieces), cy + radius * math.sin(first + turn * k / pieces))
        for k in range(1, pieces)
    ]


def circle_through(start: Point2, middle: Point2, end: Point2) -> tuple[float, float, float] | None:
    """(x, y, radius) of the circle through three points; None if they are in line."""
    (x1, y1), (x2, y2), (x3, y3) = start, middle, end
    twice_area = x1 * (y2 - y3) + x2 * (y3 - y1) + x3 * (y1 - y2)
    span = max(math.dist(start, middle), math.dist(middle, end), math.dist(start, end))
    if abs(twice_area) < 1e-9 * span * span:
        return None
    # the circumscribed circle, by its Cartesian formula
    s1, s2, s3 = x1 * x1 + y1 * y1, x2 * x2 + y2 * y2, x3 * x3 + y3 * y3
    x = (s1 * (y2 - y3) + s2 * (y3 - y1) + s3 * (y1 - y2)) / (2 * twice_area)
    y = (s1 * (x3 - x2) + s2 * (x1 - x3) + s3 * (x2 - x1)) / (2 * twice_area)
    return x, y, math.hypot(x1 - x, y1 - y)


# --- what a solid can tell


def bounds(solid: Manifold) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest corner of the bounding box, (3,) float64 each."""
    box = np.array(solid.bounding_box(), np.float64)
    return box[:3], box[3:]


def mesh_of(solid: Manifold) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (n, 3) float64 and triangles (m, 3) int64, outward."""
    mesh = solid.to_mesh64()
    vertices = np.array(mesh.vert_properties, np.float64)[:, :3]
    return vertices, np.array(mesh.tri_verts).reshape(-1, 3).astype(np.int64)


def from_mesh(vertices: np.ndarray, faces: np.ndarray) -> Manifold:
    """A solid from a triangle mesh, (n, 3) float and (m, 3) int; equal vertices are merged.

    Raises: ProgramError: the mesh is not closed, so that it has no inside.
    """
    joined, numbers = weld(vertices)
    triangles = three_cornered(numbers[np.asarray(faces, np.int64)])
    mesh = manifold3d.Mesh64(
        vert_properties=np.ascontiguousarray(joined), tri_verts=np.ascontiguousarray(triangles.astype(np.uint64))
    )
    mesh.merge()
    solid = Manifold(mesh)
    if solid.status() != manifold3d.Error.NoError or solid.is_empty():
        raise ProgramError(
            "The mesh is not a closed solid ({status}).",
            expected=Message("a watertight mesh without gaps"),
            status=solid.status().name,
        )
    if solid.volume() < 0:
        raise ProgramError("The mesh is inside out.", expected=Message("triangles that face outward"))
    return solid


def iou(a: Manifold, b: Manifold) -> float:
    """Volume of the intersection over that of the union, by exact booleans; in [0, 1]."""
    common = (a ^ b).volume()
    together = a.volume() + b.volume() - common
    return float(min(max(common / together, 0.0), 1.0)) if together > 0 else 0.0


def signature(solid: Manifold) -> tuple[int, ...]:
    """Whole numbers that two solids of the CODE frame share if they are the same shape at the same place: the bounding
    box, the volume and the surface, to about a thousandth. Different ones hardly ever share them."""
    low, high = bounds(solid)
    sizes = (math.log(solid.volume()), math.log(solid.surface_area()))
    return (*(round(float(value)) for value in (*low, *high)), *(round(1000 * size) for size in sizes))


def is_single_body(solid: Manifold) -> bool:
    """One piece, without closed cavities: one shell."""
    return len(solid.decompose()) == 1


def sample(solid: Manifold, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Points on the surface, area-weighted, and the outward normals there: (count, 3) float64 each."""
    vertices, faces = mesh_of(solid)
    corners = vertices[faces]
    normals = corner_crosses(corners)
    areas = np.linalg.norm(normals, axis=1)
    points, chosen = places_on(corners, areas, rng.random(count), fold_into_triangle(rng.random((2, count))))
    return points, normals[chosen] / areas[chosen, None]
