"""Program tree -> closed triangle mesh with Manifold, in a millisecond or two; and what such solids can tell."""

from __future__ import annotations

import copyreg
import math

import manifold3d
import numpy as np
from manifold3d import Manifold

from cadrecode.errors import Message, ProgramError
from cadrecode.geometry import corner_crosses, edge_numbers, fold_into_triangle, places_on, three_cornered, unit, weld
from cadrecode.program import budget
from cadrecode.program import language as cad
from cadrecode.program.finishing import finished
from cadrecode.program.planes import axes, placing
from cadrecode.program.section import SAGITTA
from cadrecode.program.shapes import build_solid, half_side

SAGITTA_OF_ROUND = 6.3e-3  # of the largest radius that is added: 28 sides, which leave 99.2 % of a circle's area
LEAST_VOLUME = 1e-9  # of the cube on the longest side; less is nothing
MOST_AT_EDGE = 64  # triangles; solids that touch along an edge have 4, and Manifold compares each with each
MOMENT_STEP = 100.0  # CODE units squared, of `signature`: moments of a part are up to 10,000
OFF_HALVES = 0.137  # added before rounding: sizes in halves would be rounded up or down by what is lost in computing
LAZY_STEPS = 64  # Manifold computes a boolean when its result is needed: at the latest after so many of them


def build(
    program: cad.Program, sagitta: float | None = None, solids: dict[cad.Solid, Manifold] | None = None
) -> Manifold:
    """The solid of a program, in the frame of its numbers.

    Args:
        sagitta: how far a side may cut into its circle; by the program's own size when None.
        solids: a cache of solids built so far, for calls with many similar programs of the same sagitta.
    Raises: ProgramError: a sketch without area, a result (of the program or of a body within it) without volume, or
        more than the budget allows.
    """
    with budget.limited():
        return _Builder(sagitta_of(program) if sagitta is None else sagitta, solids).body(program)


def sagitta_of(program: cad.Program) -> float:
    """How far a side may cut into its circle, for a program of this size.

    What begins as something round and thin, as a rod does, has finer sides: 16 would take 2.6 % of its volume.
    """
    by_size = SAGITTA * max(map(half_side, program.solids()))
    widest = max(_radii(program.steps[0]), default=math.inf)
    return min(by_size, SAGITTA_OF_ROUND * widest)


def _radii(step: cad.Step) -> list[float]:
    """The radii of the full circles that a step adds."""
    match step.solid:
        case cad.Cylinder(radius=radius) | cad.Sphere(radius=radius):
            return [radius]
        case cad.Extrusion(sketch=sketch):
            added = [part for part in sketch.steps if isinstance(part, cad.SketchStep) and part.mode is cad.Mode.ADD]
            return [part.shape.radius for part in added if isinstance(part.shape, cad.Circle)]
    return []


class _Builder:
    """Builds the bodies of one program, each of them once however often it is used.

    Args:
        solids: as in `build`.
    """

    def __init__(self, sagitta: float, solids: dict[cad.Solid, Manifold] | None):
        self.sagitta, self.solids = sagitta, solids
        self.bodies: dict[int, Manifold] = {}  # by the id of their programs, which the tree keeps alive
        self.triangles = 0

    def body(self, program: cad.Program) -> Manifold:
        if id(program) not in self.bodies:
            self.bodies[id(program)] = self._joined(program)
        return self.bodies[id(program)]

    def _solid(self, solid: cad.Solid) -> Manifold:
        if self.solids is not None and solid in self.solids:
            return self.solids[solid]
        built = build_solid(solid, self.sagitta)
        self.triangles += built.num_tri()
        budget.check_triangles(self.triangles)
        if self.solids is not None:
            self.solids[solid] = built
        return built

    def _joined(self, program: cad.Program) -> Manifold:
        body: Manifold | None = None
        for index, step in enumerate(program.steps):
            solid = self.body(step.solid) if isinstance(step.solid, cad.Program) else self._solid(step.solid)
            body = solid if body is None else joined(body, solid, step.operation)
            if index % LAZY_STEPS == LAZY_STEPS - 1:
                budget.check_triangles(body.num_tri())
                budget.check()
        for finish in program.finishes:
            body = finished(body, finish, self.sagitta, axes(program.solids()[0].plane)[:, 2])
            budget.check_triangles(body.num_tri())
            budget.check()
        if program.placement is not None:
            body = body.transform(placing(program.placement))
        low, high = bounds(body)
        if body.is_empty() or body.volume() <= LEAST_VOLUME * float((high - low).max()) ** 3:
            raise ProgramError("Nothing is left: the program's solid is empty.", expected=Message("some volume"))
        return body


# --- what a solid can tell


def bounds(solid: Manifold) -> np.ndarray:
    """(2, 3) float64 lowest and highest corner of the bounding box."""
    return np.array(solid.bounding_box(), np.float64).reshape(2, 3)


def mesh_of(solid: Manifold) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (n, 3) float64 and triangles (m, 3) int64, outward."""
    mesh = solid.to_mesh64()
    vertices = np.array(mesh.vert_properties, np.float64)[:, :3]
    return vertices, np.array(mesh.tri_verts).reshape(-1, 3).astype(np.int64)


def triangles_of(solid: Manifold) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(m, 3 corners, 3) float64 triangles, their (m, 3) outward unit normals and their (m,) areas."""
    vertices, faces = mesh_of(solid)
    crosses = corner_crosses(vertices[faces])
    return vertices[faces], unit(crosses), np.linalg.norm(crosses, axis=1) / 2


def _pickled(solid: Manifold) -> tuple:
    mesh = solid.to_mesh64()
    columns = (mesh.vert_properties, mesh.tri_verts, mesh.merge_from_vert, mesh.merge_to_vert)
    return _unpickled, tuple(map(np.array, columns))


def _unpickled(*columns: np.ndarray) -> Manifold:
    names = ("vert_properties", "tri_verts", "merge_from_vert", "merge_to_vert")
    return Manifold(manifold3d.Mesh64(**dict(zip(names, columns))))


copyreg.pickle(Manifold, _pickled)  # Manifold itself knows no way to another process


def from_mesh(vertices: np.ndarray, faces: np.ndarray) -> Manifold:
    """A solid from a triangle mesh, (n, 3) float and (m, 3) int; equal vertices are merged.

    Raises: ProgramError: the mesh is not closed, so that it has no inside.
    """
    joined, numbers = weld(vertices)
    triangles = three_cornered(numbers[np.asarray(faces, np.int64)])
    at_edge = np.unique(edge_numbers(triangles, len(joined)), return_counts=True)[1].max(initial=0)
    if at_edge > MOST_AT_EDGE:
        raise ProgramError("{count:,} triangles of the mesh meet in one edge.", expected=Message("two"), count=at_edge)
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
    box, the volume and the surface, to about a thousandth, and the centre and the second moments of the volume, to a
    hundredth of the size. Different solids hardly ever share them, mirrored ones included."""
    sizes = 1000 * np.log((solid.volume(), solid.surface_area()))
    values = np.concatenate((*bounds(solid), sizes, *_moments(solid)))
    return tuple(int(value) for value in np.round(values + OFF_HALVES))


def _moments(solid: Manifold) -> tuple[np.ndarray, np.ndarray]:
    """The centre, (3,) CODE, and the six second moments about the origin, in units of MOMENT_STEP."""
    vertices, faces = mesh_of(solid)
    corners = vertices[faces]  # (M, 3, 3): each triangle and the origin are a tetrahedron
    volumes = np.einsum("mi,mi->m", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])) / 6  # (M,), with a sign
    sums = corners.sum(axis=1)  # (M, 3)
    whole = volumes.sum()
    second = np.einsum("m,mki,mkj->ij", volumes, corners, corners) + np.einsum("m,mi,mj->ij", volumes, sums, sums)
    return volumes @ sums / (4 * whole), second[np.triu_indices(3)] / (20 * whole * MOMENT_STEP)


def is_single_body(solid: Manifold) -> bool:
    """One piece, without closed cavities: one shell."""
    return len(solid.decompose()) == 1


def sample(solid: Manifold, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Points on the surface, area-weighted, and the outward normals there: (count, 3) float64 each."""
    corners, normals, areas = triangles_of(solid)
    points, chosen = places_on(corners, areas, rng.random(count), fold_into_triangle(rng.random((2, count))))
    return points, normals[chosen]


def joined(body: Manifold, solid: Manifold, operation: cad.Operation) -> Manifold:
    """The union, the difference or the intersection of a body and a solid."""
    if operation is cad.Operation.UNION:
        return body + solid
    return body - solid if operation is cad.Operation.CUT else body ^ solid


def through_holes(solid: Manifold) -> int:
    """The number of through holes: the genus of all shells together."""
    return sum(shell.genus() for shell in solid.decompose())


def shells(solid: Manifold) -> tuple[int, int]:
    """The number of separate bodies of a solid, and of closed cavities in them."""
    volumes = [part.volume() for part in solid.decompose()]
    return sum(volume > 0 for volume in volumes), sum(volume < 0 for volume in volumes)
