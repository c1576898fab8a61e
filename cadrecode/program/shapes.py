"""One solid of a program -> closed triangle mesh with Manifold."""

from __future__ import annotations

import math

import numpy as np
from manifold3d import CrossSection, Manifold

from cadrecode.errors import Message, ProgramError
from cadrecode.program import budget
from cadrecode.program.language import Box, Cylinder, Extrusion, Revolution, Solid, Sphere
from cadrecode.program.planes import matrix_of
from cadrecode.program.section import SAGITTA, corners, cross_section, segments_of
from cadrecode.program.taper import tapered

FEWEST_OF_REVOLUTION = 48  # segments of a full turn, for solids that are mostly round
TOUCHING = 1e-6  # of a sketch's width: how far it may stand over the axis
WRITTEN_DECIMALS = 6  # of numbers as `write` writes them
EXACT_DECIMALS = 7  # of vertices: a CrossSection keeps its coordinates to 2**-27 (Clipper's integers)


def half_side(solid: Solid) -> float:
    """About half of a solid's longest side, from its numbers alone; where it stands does not matter."""
    match solid:
        case Box():
            return max(solid.width, solid.height, solid.depth) / 2
        case Cylinder():
            return max(solid.radius, solid.height / 2)
        case Extrusion():
            depth = abs(solid.distance) * (1 if solid.both else 0.5)
            x, y = np.array(corners(solid.sketch)).T
            return float(max(depth, np.ptp(x) / 2, np.ptp(y) / 2))
        case Revolution():
            u, v = _about_axis(solid) @ (np.array(corners(solid.sketch)).T - np.array([solid.start]).T)
            return float(max(np.abs(u).max(), np.ptp(v) / 2))
        case Sphere():
            return solid.radius


def build_solid(solid: Solid, sagitta: float | None = None) -> Manifold:
    """One extrusion, revolution, box, cylinder or sphere.

    Args:
        sagitta: how far a side may cut into its circle; by the solid's own size when None.
    Raises: ProgramError: the sketch has no area.
    """
    if sagitta is None:
        sagitta = SAGITTA * half_side(solid)
    match solid:
        case Box():
            shape = Manifold.cube((solid.width, solid.height, solid.depth), True)
            built = shape.transform(matrix_of(solid.plane, (*solid.center, solid.offset)))
            return _without_noise(built, *solid.plane.origin, *solid.center, solid.width, solid.height, solid.depth)
        case Cylinder():
            segments = segments_of(solid.radius, sagitta)
            shape = Manifold.cylinder(solid.height, solid.radius, solid.radius, segments, True)
            built = shape.transform(matrix_of(solid.plane, (*solid.center, solid.offset)))
            return _without_noise(built, *solid.plane.origin, solid.height)
        case Sphere():
            shape = Manifold.sphere(solid.radius, max(segments_of(solid.radius, sagitta), FEWEST_OF_REVOLUTION))
            return shape.transform(matrix_of(solid.plane, (*solid.center, solid.offset)))
    area = cross_section(solid.sketch, sagitta)
    if area.is_empty():
        raise ProgramError("A sketch has no area.", expected=Message("a loop, circle or rectangle that encloses some"))
    if isinstance(solid, Revolution):
        return _revolved(solid, area, sagitta)
    budget.check_triangles(4 * area.num_vert())
    depth = abs(solid.distance)
    if solid.taper:
        built = tapered(area, depth, solid.taper, sagitta)
        if solid.both or solid.distance < 0:
            down = built.mirror((0, 0, 1))
            built = built + down if solid.both else down
        built = built.transform(matrix_of(solid.plane))
        return _without_noise(built, *solid.plane.origin, depth, within=sum(corners(solid.sketch), ()))
    low, height = (-depth, 2 * depth) if solid.both else (min(solid.distance, 0), depth)
    built = Manifold.extrude(area, height).transform(matrix_of(solid.plane, (0, 0, low)))
    return _without_noise(built, *solid.plane.origin, depth, within=sum(corners(solid.sketch), ()))


def _about_axis(solid: Revolution) -> np.ndarray:
    """(2, 2): from the plane's coordinates to the distance from the axis, to its right, and the way along it."""
    x, y = np.array(solid.direction) / math.hypot(*solid.direction)
    return np.array([[y, -x], [x, y]])


def _revolved(solid: Revolution, area: CrossSection, sagitta: float) -> Manifold:
    to_axis = _about_axis(solid)
    start = to_axis @ solid.start
    turned = area.transform(np.column_stack((to_axis, -start)))
    low, _, high, _ = turned.bounds()
    if low < -TOUCHING * (high - low) and high > TOUCHING * (high - low):
        raise ProgramError(
            "A revolution's sketch crosses its axis.", expected=Message("a sketch on one side of the axis")
        )
    radial, along = to_axis
    if -low > high:
        turned, radial, high = turned.mirror((1, 0)), -radial, -low
    segments = max(segments_of(high, sagitta), FEWEST_OF_REVOLUTION)
    budget.check_triangles(2 * segments * area.num_vert())
    built = Manifold.revolve(turned, math.ceil(segments * solid.degrees / 360), solid.degrees)
    matrix = matrix_of(solid.plane, (*solid.start, 0))
    right, up = matrix[:, :2] @ radial, matrix[:, :2] @ along
    built = built.transform(np.column_stack((right, np.cross(up, right), up, matrix[:, 3])))
    return _without_noise(built, *solid.plane.origin, *solid.start, within=sum(corners(solid.sketch), ()))


def _without_noise(built: Manifold, *numbers: float, within: tuple[float, ...] = ()) -> Manifold:
    """A solid of numbers as people write them, with what their sums are off by taken away.

    34.3 + 12.1 is more than 46.4 by 7e-15, and what stands on 46.4 would be a second body; a CrossSection puts 24.667
    at 24.667000003. Quarters are exact, and numbers of many decimals (while they are fitted) meet no others: for both
    the 0.2 ms are spared.

    Args:
        numbers: Along the axis.
        within: The bounds of the sketch.
    """
    written = all(round(number, WRITTEN_DECIMALS) == number for number in numbers)
    if not written or all(4 * number == round(4 * number) for number in (*numbers, *within)):
        return built
    return built.warp_batch(lambda vertices: np.round(vertices, EXACT_DECIMALS))
