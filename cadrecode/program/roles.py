"""Roles of the solids of a program: a plate, a boss, a hole, a pocket."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from cadrecode.geometry import bounding_box
from cadrecode.program import language as cad
from cadrecode.program.planes import axes
from cadrecode.program.section import corners

THIN = 0.4  # of the smaller side of its outline: a thinner solid is a plate
LEAST_SECTIONS = 3  # cylinders on an axis that make a stepped shaft
TOUCHING = 1e-6  # of the body's size: levels nearer to each other than this are the same


@dataclass(frozen=True)
class Role:
    """The role of a solid.

    Args:
        noun: "plate", "boss", "hole".
        along: What its size along the plane's normal is called: "thickness", "height", "depth".
        is_through: A cut that goes through all that it meets; its depth says nothing.
    """

    noun: str
    along: str
    is_through: bool = False


SECTION = Role("section", "length")  # of a stepped shaft


def span_of(solid: cad.Solid) -> tuple[float, float]:
    """The lower and the upper end of a solid along its plane's normal, from its plane."""
    match solid:
        case cad.Box():
            return solid.offset - solid.depth / 2, solid.offset + solid.depth / 2
        case cad.Cylinder():
            return solid.offset - solid.height / 2, solid.offset + solid.height / 2
        case cad.Extrusion(distance=distance):
            if solid.both:
                return -abs(distance), abs(distance)
            return min(distance, 0.0), max(distance, 0.0)
        case cad.Sphere():
            return solid.offset - solid.radius, solid.offset + solid.radius
        case cad.Revolution():
            reach = float(np.linalg.norm(np.diff(_around_axis(solid), axis=0), axis=-1).max()) / 2
            return -reach, reach


def outline_of(solid: cad.Solid) -> tuple[cad.Point2, cad.Point2]:
    """The lowest and the highest corner of a solid on its plane."""
    match solid:
        case cad.Box(center=(x, y)):
            return (x - solid.width / 2, y - solid.height / 2), (x + solid.width / 2, y + solid.height / 2)
        case cad.Cylinder(center=(x, y)) | cad.Sphere(center=(x, y)):
            return (x - solid.radius, y - solid.radius), (x + solid.radius, y + solid.radius)
    turned = isinstance(solid, cad.Revolution)
    points = _around_axis(solid).reshape(-1, 2) if turned else np.array(corners(solid.sketch), float)
    low, high = bounding_box(points).tolist()
    return tuple(low), tuple(high)


def _around_axis(solid: cad.Revolution) -> np.ndarray:
    """(2, 4, 2): the corners of the rectangle around a revolution's sketch, and their images beyond its axis."""
    low, high = bounding_box(np.array(corners(solid.sketch), float))
    here = np.array(list(itertools.product(*zip(low, high))))
    along = np.array(solid.direction, float) / np.hypot(*solid.direction)
    beyond = solid.start + 2 * np.outer((here - solid.start) @ along, along) - (here - solid.start)
    return np.array((here, beyond))


def box_of(solid: cad.Solid) -> np.ndarray:
    """(2, 3): the lowest and the highest corner of a box around a solid, in space."""
    (x1, y1), (x2, y2) = outline_of(solid)
    local = np.array(list(itertools.product((x1, x2), (y1, y2), span_of(solid))))
    return bounding_box(local @ axes(solid.plane).T + solid.plane.origin)


def axis_of(plane: cad.Plane) -> int | None:
    """The axis of space, 0 to 2, that a plane's normal lies along; None where it lies along none."""
    normal = axes(plane)[:, 2]
    axis = int(np.abs(normal).argmax())
    return axis if abs(abs(normal[axis]) - 1) < TOUCHING else None


def roles_of(program: cad.Program) -> list[Role | None]:
    """The role of each step's solid; None for a body of its own."""
    roles: list[Role | None] = []
    standing: list[cad.Solid] = []
    main, sections = main_step(program), _is_stepped_shaft(program)
    for index, step in enumerate(program.steps):
        if isinstance(step.solid, cad.Program):
            roles.append(None)
            standing += step.solid.solids()[:1]
        elif step.operation is cad.Operation.UNION:
            base = standing[:1] if main is None else [program.steps[main].solid]
            alone = index == main or not base
            roles.append(SECTION if sections else _alone(step.solid) if alone else _added(step.solid, base[0]))
            standing.append(step.solid)
        elif step.operation is cad.Operation.CUT:
            roles.append(_cut(step.solid, standing))
        else:
            roles.append(Role("envelope", "height"))
    return roles


def main_step(program: cad.Program) -> int | None:
    """The step whose solid the others stand on: that of the widest outline, of those that stand as the first one does.
    (A flange may be written after its hub.) None where the part begins with a body of its own.
    """
    first = program.steps[0].solid
    if isinstance(first, cad.Program):
        return None
    standing = [
        (math.dist(*outline_of(step.solid)), index)
        for index, step in enumerate(program.steps)
        if step.operation is cad.Operation.UNION and isinstance(step.solid, cad.Box | cad.Cylinder | cad.Extrusion)
        if axis_of(step.solid.plane) == axis_of(first.plane)
    ]
    widest = max((width for width, _ in standing), default=0.0)
    return next((index for width, index in standing if width > widest * (1 - TOUCHING)), 0)


def _is_stepped_shaft(program: cad.Program) -> bool:
    """Whether the part is three or more cylinders on an axis, but for what is cut away."""
    solids = [step.solid for step in program.steps if step.operation is cad.Operation.UNION]
    if len(solids) < LEAST_SECTIONS or not all(not isinstance(s, cad.Program) and is_round(s) for s in solids):
        return False
    axis = axis_of(solids[0].plane)
    middles = np.array([box_of(solid).mean(axis=0) for solid in solids])
    across = [k for k in range(3) if k != axis]
    slack = TOUCHING * float(np.ptp(box_of(solids[0]), axis=0).max())
    return all(axis_of(s.plane) == axis for s in solids) and bool(np.ptp(middles[:, across], axis=0).max() <= slack)


def first_shape(solid: cad.Solid) -> cad.Shape | None:
    """The shape that an extrusion or a revolution begins with."""
    steps = solid.sketch.steps if isinstance(solid, cad.Extrusion | cad.Revolution) else ()
    return next((step.shape for step in steps if isinstance(step, cad.SketchStep)), None)


def is_round(solid: cad.Solid) -> bool:
    """Whether a solid is a cylinder: the only shape that its sketch adds is a single circle."""
    if isinstance(solid, cad.Cylinder):
        return True
    if not isinstance(solid, cad.Extrusion) or not isinstance(first_shape(solid), cad.Circle):
        return False
    added = [s for s in solid.sketch.steps if isinstance(s, cad.SketchStep) and s.mode is cad.Mode.ADD]
    return len(added) == 1


def is_turned_profile(solid: cad.Solid) -> bool:
    """Whether a solid is a single outline that is turned all the way about the y axis of its sketch."""
    if not isinstance(solid, cad.Revolution) or solid.degrees != 360 or len(solid.sketch.steps) != 1:
        return False
    step = solid.sketch.steps[0]
    is_about_y = solid.start == (0, 0) and solid.direction == (0, 1)
    return (
        is_about_y
        and isinstance(step, cad.SketchStep)
        and isinstance(step.shape, cad.Loop)
        and step.places == cad.ORIGIN
    )


def _turned(solid: cad.Revolution) -> Role:
    """A shaft is longer than it is wide."""
    corners = np.array(solid.sketch.steps[0].shape.corners)
    is_long = np.ptp(corners[:, 1]) > 2 * np.abs(corners[:, 0]).max()
    return Role("shaft", "length") if is_long else Role("disk", "thickness")


def _added(solid: cad.Solid, base: cad.Solid) -> Role:
    if isinstance(solid, cad.Sphere | cad.Revolution):
        return _alone(solid)
    is_wall = _is_thin(solid) and axis_of(base.plane) != axis_of(solid.plane)
    return Role("wall", "thickness") if is_wall else Role("boss", "height")


def _is_thin(solid: cad.Solid) -> bool:
    (x1, y1), (x2, y2) = outline_of(solid)
    low, high = span_of(solid)
    return high - low <= THIN * min(x2 - x1, y2 - y1)


def _alone(solid: cad.Solid) -> Role:
    """The role of the solid that the others stand on."""
    if is_turned_profile(solid):
        return _turned(solid)
    if isinstance(solid, cad.Sphere | cad.Revolution):
        return Role("sphere" if isinstance(solid, cad.Sphere) else "revolution", "angle")
    thin = _is_thin(solid)
    if is_round(solid):
        return Role("disk", "thickness") if thin else Role("cylinder", "height")
    if thin:
        return Role("plate", "thickness")
    if isinstance(first_shape(solid), cad.Rect | None):
        return Role("block", "height")
    return Role("body", "height" if axis_of(solid.plane) == 2 else "depth")


def _cut(solid: cad.Solid, standing: list[cad.Solid]) -> Role:
    if isinstance(solid, cad.Sphere | cad.Revolution):
        return Role("hollow", "angle")
    through, open_side = _passes(solid, standing)
    shape = first_shape(solid)
    if is_round(solid) or isinstance(shape, cad.Circle):
        return Role("hole", "depth", through)
    if isinstance(shape, cad.Loop) and obround(shape) is not None:
        return Role("slot", "depth", through)
    if through:
        return Role("cutout" if open_side or isinstance(shape, cad.Loop) else "window", "depth", True)
    return Role("step" if open_side else "pocket", "depth")


def _passes(solid: cad.Solid, standing: list[cad.Solid]) -> tuple[bool, bool]:
    """Whether a cut goes through all that stands in its way, and whether it is open to a side."""
    axis = axis_of(solid.plane)
    if axis is None:
        return False, False
    cut = box_of(solid)
    across = [k for k in range(3) if k != axis]
    boxes = [box_of(other) for other in standing]
    met = [box for box in boxes if all(cut[0, k] < box[1, k] and box[0, k] < cut[1, k] for k in across)]
    if not met:
        return False, False
    low, high = np.min([box[0] for box in met], axis=0), np.max([box[1] for box in met], axis=0)
    slack = TOUCHING * float((high - low).max())
    through = cut[0, axis] <= low[axis] + slack and cut[1, axis] >= high[axis] - slack
    return through, any(cut[0, k] <= low[k] + slack or cut[1, k] >= high[k] - slack for k in across)


@dataclass(frozen=True)
class Obround:
    """A slot's outline: two straight sides and two round ends.

    Args:
        center: The middle of the outline.
        along: The direction of its sides, of length 1.
        width: Between its sides.
        length: From end to end.
    """

    center: cad.Point2
    along: cad.Point2
    width: float
    length: float


def obround(loop: cad.Loop) -> Obround | None:
    """A loop's sizes, where it is a slot with round ends."""
    starts = [loop.start, *(edge.end for edge in loop.edges)]
    edges = list(loop.edges)
    if len(edges) == 3 and isinstance(edges[0], cad.Arc):  # closed by a straight edge
        edges.append(cad.Line(loop.start))
    if len(edges) != 4 or [type(e) for e in edges] not in ([cad.Line, cad.Arc] * 2, [cad.Arc, cad.Line] * 2):
        return None
    lines = [(start, edge.end) for start, edge in zip(starts, edges) if isinstance(edge, cad.Line)]
    (a, b), (c, d) = lines
    straight = math.dist(a, b)
    width = math.dist(b, c)
    slack = 0.02 * width
    parallel = math.dist((b[0] - a[0], b[1] - a[1]), (c[0] - d[0], c[1] - d[1])) <= slack
    if not parallel or not straight > slack:
        return None
    along = ((b[0] - a[0]) / straight, (b[1] - a[1]) / straight)
    center = ((a[0] + c[0]) / 2, (a[1] + c[1]) / 2)
    if abs((c[0] - b[0]) * along[0] + (c[1] - b[1]) * along[1]) > slack:
        return None
    for middle in (edge.middle for edge in edges if isinstance(edge, cad.Arc)):
        reach = abs((middle[0] - center[0]) * along[0] + (middle[1] - center[1]) * along[1])
        if abs(reach - (straight + width) / 2) > slack or width < slack:
            return None
    return Obround(center, along, width, straight + width)
