"""The finishes of a body once its solids are joined: holes, rounded edges, a shell, its mirror image."""

from __future__ import annotations

import math

import numpy as np
from manifold3d import CrossSection, Error, Manifold, Mesh64, OpType

from cadrecode.errors import Message, ProgramError
from cadrecode.program import budget
from cadrecode.program import language as cad
from cadrecode.program.planes import matrix_of
from cadrecode.program.rims import rounded_edges, with_blend
from cadrecode.program.section import segments_of
from cadrecode.program.selectors import selected
from cadrecode.program.topology import Topology

FEWEST_OF_HOLE = 24  # segments: a counterbore is wide for its depth
FLIPPED = 1e-6  # of the size squared: facets that face the other way by more have passed others; cubed, for a volume
MOST_ERODED = 300  # facets of a body whose cavity is computed with a ball
OPENED = 1e-3  # of the wall: how far the cavity reaches out of an open face


class NoRoomError(ProgramError):
    """A face of a shell would turn over."""


def _no_room() -> NoRoomError:
    return NoRoomError("There is no room for the shell's wall.", expected=Message("a thinner wall"))


def finished(body: Manifold, finish: cad.Finish, sagitta: float, caps: np.ndarray) -> Manifold:
    """The body with one finish more.

    Args:
        caps: (3,) float64, the normal of the plane of the body's first solid.
    Raises: ProgramError: there is no such edge or face, or no room for the wall."""
    match finish:
        case cad.Hole():
            return drilled(body, finish, sagitta)
        case cad.Edges():
            return rounded_edges(body, finish, sagitta, caps)
        case cad.Shell():
            return _hollowed(body, finish, sagitta)
        case cad.Mirror(plane, base, union):
            normal = np.array(cad.NAMED_PLANES[plane][1], float)
            image = body.mirror(tuple(normal)).translate(tuple(2 * normal * (normal @ np.array(base, float))))
            return body + image if union else image


def drilled(body: Manifold, hole: cad.Hole, sagitta: float) -> Manifold:
    low, high = np.array(body.bounding_box()).reshape(2, 3)
    depth = hole.depth if hole.depth is not None else math.dist(low, high)  # as CadQuery's largestDimension
    tool = _drill(hole, depth, sagitta)
    budget.check_triangles(tool.num_tri() * cad.count_of(hole.places))
    matrix = matrix_of(hole.plane)
    tools = [tool.translate((x, y, 0)).transform(matrix) for x, y in cad.points_of(hole.places)]
    return body - (tools[0] if len(tools) == 1 else Manifold.batch_boolean(tools, OpType.Add))


def _drill(hole: cad.Hole, depth: float, sagitta: float) -> Manifold:
    """The solid that a hole takes away, downward from the origin."""
    radius = hole.diameter / 2
    match hole.head:
        case cad.Counterbore(diameter, deep):
            wide = neck = diameter / 2
            end = deep
        case cad.Countersink(diameter, degrees):
            wide, neck = diameter / 2, radius
            slope = math.tan(math.radians(degrees / 2))
            deep, end = wide / slope, (wide - radius) / slope
        case _:
            return _downward(depth, radius, radius, sagitta)
    if wide > radius and end < depth:  # one outline turned about the axis: no boolean is needed
        outline = [(0, -depth), (radius, -depth), (radius, -end), (neck, -end), (wide, 0), (0, 0)]
        if neck == radius:
            del outline[3]
        segments = max(segments_of(wide, sagitta), FEWEST_OF_HOLE)
        return Manifold.revolve(CrossSection([np.array(outline, np.float64)]), segments)
    head = _downward(deep, wide, wide if neck == wide else 0, sagitta)
    return _downward(depth, radius, radius, sagitta) + head


def _downward(depth: float, top: float, bottom: float, sagitta: float) -> Manifold:
    segments = max(segments_of(top, sagitta), FEWEST_OF_HOLE)
    return Manifold.cylinder(depth, bottom, top, segments).translate((0, 0, -depth))


# --- shells


def _hollowed(body: Manifold, shell: cad.Shell, sagitta: float) -> Manifold:
    """Walls between the body's surface and a surface parallel to it.

    As in OpenCASCADE, the parallel surface is rounded where its faces move away from each other.
    """
    topology, wall = Topology(body), abs(shell.thickness)
    opened = set(selected(topology.faces, shell.faces)) if shell.faces is not None else set()
    if shell.faces is not None and not opened:
        raise ProgramError("There is no face to open.", expected=Message("a selector of faces, such as '>Z'"))
    is_open = np.isin(topology.face_of_facet, sorted(opened))
    try:
        return _between_parallels(body, topology, shell, is_open, sagitta)
    except NoRoomError:
        if shell.thickness > 0 or topology.facet_area.size > MOST_ERODED:
            raise
        return _eroded(body, topology, wall, is_open, sagitta)


def _between_parallels(
    body: Manifold, topology: Topology, shell: cad.Shell, is_open: np.ndarray, sagitta: float
) -> Manifold:
    wall, opened = abs(shell.thickness), bool(is_open.any())
    through = np.where(is_open, OPENED * wall, 0.0)
    moved = _parallel(
        topology, np.where(is_open, 0.0, shell.thickness) if shell.thickness > 0 else through - wall * ~is_open
    )
    if not shell.sharp:
        moved = _rounded_where_apart(moved, topology, is_open, shell.thickness, sagitta)
    if shell.thickness < 0:
        return body - moved
    return moved - (_parallel(topology, through) if opened else body)


def _eroded(body: Manifold, topology: Topology, wall: float, is_open: np.ndarray, sagitta: float) -> Manifold:
    """An inward shell in which some faces of the cavity vanish, as fillets smaller than the wall do.

    The cavity is where a ball of the wall's radius fits, with the body continued beyond its open faces.
    """
    prisms = []
    for triangle in np.flatnonzero(is_open[topology.facet]):
        normal, corners = topology.facet_normal[topology.facet[triangle]], topology.points[topology.triangles[triangle]]
        prisms.append(
            Manifold.hull_points(np.concatenate((corners - OPENED * wall * normal, corners + 2 * wall * normal)))
        )
        budget.check()
    longer = Manifold.batch_boolean([body, *prisms], OpType.Add)
    ball = Manifold.sphere(wall, max(8, segments_of(wall, sagitta) // 4))
    cavity = longer.minkowski_difference(ball)
    if cavity.is_empty():
        raise _no_room()
    return body - cavity


def _parallel(topology: Topology, distances: np.ndarray) -> Manifold:
    """The solid with each facet moved along its normal, (facets,) distances."""
    moved = topology.points.copy()
    facets_at: list[set[int]] = [set() for _ in range(len(moved))]
    for triangle, facet in zip(topology.triangles.tolist(), topology.facet.tolist()):
        for vertex in triangle:
            facets_at[vertex].add(facet)
    for vertex, facets in enumerate(facets_at):
        budget.check()
        chosen = sorted(facets)
        normals = topology.facet_normal[chosen]
        moved[vertex] += np.linalg.lstsq(normals, distances[chosen], rcond=1e-6)[0]
    mesh = Mesh64(vert_properties=moved, tri_verts=np.ascontiguousarray(topology.triangles.astype(np.uint64)))
    solid = Manifold(mesh)
    a, b, c = (moved[topology.triangles[:, corner]] for corner in range(3))
    facing = np.sum(np.cross(b - a, c - a) * topology.facet_normal[topology.facet], axis=1)
    turned_over = np.bincount(topology.facet, facing).min() < -FLIPPED * topology.size**2
    if solid.status() != Error.NoError or turned_over or solid.volume() <= FLIPPED * topology.size**3:
        raise _no_room()
    return solid


def _rounded_where_apart(
    moved: Manifold, topology: Topology, is_open: np.ndarray, thickness: float, sagitta: float
) -> Manifold:
    """Round the convex edges of a surface that moved outward, or the concave edges of one that moved inward."""
    after = Topology(moved)
    open_planes = [
        (topology.facet_normal[facet], topology.facet_normal[facet] @ topology.points[topology.triangles[t, 0]])
        for facet in np.flatnonzero(is_open)
        for t in np.flatnonzero(topology.facet == facet)[:1]
    ]

    def is_opened(facet: int) -> bool:
        budget.check()
        triangle = np.flatnonzero(after.facet == facet)[0]
        normal, point = after.facet_normal[facet], after.points[after.triangles[triangle, 0]]
        near = 2 * OPENED * abs(thickness)
        return any(normal @ other > 0.999 and abs(normal @ point - at) < near for other, at in open_planes)

    sign = np.sign(thickness)
    chosen = [
        segment
        for segment, (left, right, turn) in enumerate(
            zip(after.segments.left, after.segments.right, after.segments.turn)
        )
        if turn * sign > 0 and not is_opened(left) and not is_opened(right)
    ]
    if not chosen:
        return moved
    return with_blend(moved, after, chosen, cad.Blend.FILLET, abs(thickness), sagitta)
