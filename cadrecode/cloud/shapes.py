"""Named shapes as clouds, in mm: built by Manifold, sampled on their surface.

Round faces have so many facets that their points lie within two thousandths of a millimetre of the true surface, and
the normals within 1.3 degrees of the true normals. Flat faces are exact.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from manifold3d import CrossSection, Manifold, OpType

from cadrecode.cloud.read import Cloud
from cadrecode.cloud.sample import sample_surface
from cadrecode.errors import PointCloudError
from cadrecode.program.solid import mesh_of

SAGITTA_MM = 7e-4  # how far a facet may cut into its circle; on a ring, two circles add up
_AXES = {"x": (0, 90, 0), "y": (-90, 0, 0), "z": (0, 0, 0)}  # degrees that turn z onto an axis

Point = tuple[float, float, float]


def _segments(radius: float) -> int:
    """Facets around a circle: a multiple of four, so that it reaches its full width along both axes."""
    return 4 * math.ceil(math.pi / math.acos(1 - SAGITTA_MM / radius) / 4)


def box(size: Point, center: Point = (0, 0, 0)) -> Manifold:
    """A box around a centre."""
    return Manifold.cube(size, True).translate(center)


def cylinder(radius: float, height: float, center: Point = (0, 0, 0), axis: str = "z") -> Manifold:
    """A cylinder along an axis, around a centre."""
    upright = Manifold.cylinder(height, radius, radius, _segments(radius), True)
    return upright.rotate(_AXES[axis]).translate(center)


def _ring(radius: float, tube: float) -> Manifold:
    """A tube about z whose middle runs at `radius`."""
    section = CrossSection.circle(tube, _segments(tube)).translate((radius, 0))
    return Manifold.revolve(section, _segments(radius + tube))


def hexagonal_prism(across: float, height: float) -> Manifold:
    """A prism about z, around the origin, so wide across its flats; two of them lie across y."""
    return Manifold.extrude(CrossSection.circle(across / math.sqrt(3), 6), height).translate((0, 0, -height / 2))


def without(solid: Manifold, *cutters: Manifold) -> Manifold:
    """A solid without the cutters."""
    return Manifold.batch_boolean([solid, *cutters], OpType.Subtract)


def bores(places: Sequence[tuple[float, float]], radius: float) -> list[Manifold]:
    """Cutters along z at places (x, y), longer than any part here is high."""
    return [cylinder(radius, 200, (x, y, 0)) for x, y in places]


def around(count: int, radius: float) -> list[tuple[float, float]]:
    """Places (x, y) spread evenly on a circle."""
    angles = [2 * math.pi * k / count for k in range(count)]
    return [(radius * math.cos(angle), radius * math.sin(angle)) for angle in angles]


def _l_bracket() -> Manifold:
    walls = box((40, 30, 40)) - box((40, 40, 40), (5, 0, 5))  # two walls of 5
    return without(walls, cylinder(4, 20, (5, 0, -20)), cylinder(4, 20, (-20, 0, 5), "x"))


def _flange() -> Manifold:
    return without(cylinder(30, 8) + cylinder(16, 20, (0, 0, 9)), cylinder(10, 60), *bores(around(6, 23), 3))


def _stepped_shaft() -> Manifold:
    ends = cylinder(10, 40, (-25, 0, 0), "x") + cylinder(8, 40, (25, 0, 0), "x")
    return ends + cylinder(14, 30, (5, 0, 0), "x")


_CORNERS = [(x, y) for x in (-32, 32) for y in (-17, 17)]
# name -> what it is, and how it is made
_RECIPES: dict[str, tuple[str, Callable[[], Manifold]]] = {
    "cube": ("a cube of 40", lambda: box((40, 40, 40))),
    "box": ("a box of 60 x 40 x 20", lambda: box((60, 40, 20))),
    "sphere": ("a sphere of radius 20", lambda: Manifold.sphere(20, _segments(20))),
    "cylinder": ("a cylinder of radius 15 and height 40", lambda: cylinder(15, 40)),
    "cone": ("a cone of radius 20 and height 40", lambda: Manifold.cylinder(40, 20, 0, _segments(20), True)),
    "torus": ("a ring of radius 20, 8 thick in radius", lambda: _ring(20, 8)),
    "tube": ("a tube of radius 16 outside, 11 inside, length 50", lambda: cylinder(16, 50) - cylinder(11, 60)),
    "l_bracket": ("an angle bracket of 40 x 30 x 40, walls of 5, a hole in each", _l_bracket),
    "plate_with_holes": (
        "a plate of 80 x 50 x 6 with four holes of radius 4 and one of 10",
        lambda: without(box((80, 50, 6)), *bores(_CORNERS, 4), cylinder(10, 20)),
    ),
    "flange": ("a flange of radius 30 with a hub, a bore and six bolt holes", _flange),
    "stepped_shaft": ("a shaft of length 90 in three radii, 10, 14 and 8", _stepped_shaft),
    "hex_nut": (
        "a hexagon of 17 across flats and 8 high with a hole of radius 5",
        lambda: hexagonal_prism(17, 8) - cylinder(5, 20),
    ),
    "u_channel": ("a channel of 70 x 40 x 30, walls of 4", lambda: box((70, 40, 30)) - box((80, 32, 30), (0, 0, 4))),
}

SHAPES: dict[str, str] = {name: description for name, (description, _) in _RECIPES.items()}


def draw_surface(solid: Manifold, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(n, 3) points evenly over the surface of a solid, in random order, and (n, 3) outward unit normals."""
    return sample_surface(*mesh_of(solid), n, seed)


def make_shape(name: str, n: int = 8192, seed: int = 0) -> Cloud:
    """A named shape as a cloud of n points, evenly over its surface, in mm, around the origin.

    Args:
        name: one of SHAPES.
        n: points to draw.
        seed: the same seed draws the same points.
    Raises: PointCloudError: no such shape.
    """
    if name not in _RECIPES:
        raise PointCloudError("There is no shape {name!r}. Shapes: {known}.", name=name, known=", ".join(_RECIPES))
    points, normals = draw_surface(_RECIPES[name][1](), n, seed)
    return Cloud(points, normals, name, "shape")
