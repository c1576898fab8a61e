"""Named shapes as clouds, in mm: built by Manifold, sampled on their surface.

Their round faces have so many facets that a point on one lies within two thousandths of a millimetre of the true
surface, and its normal within 1.3 degrees of the true one. Flat faces are exact.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from manifold3d import CrossSection, Manifold, OpType

from cadrecode.cloud.read import Cloud
from cadrecode.cloud.sample import sample_surface
from cadrecode.errors import PointCloudError
from cadrecode.program.solid import mesh_of

SAGITTA_MM = 7e-4  # how far a facet may cut into its circle; on a ring, two circles add up
_AXES = {"x": (0, 90, 0), "z": (0, 0, 0)}  # degrees that turn a solid along z so that it lies along an axis

Point = tuple[float, float, float]


def _segments(radius: float) -> int:
    """Facets around a circle: a multiple of four, so that it reaches its full width along both axes."""
    return 4 * math.ceil(math.pi / math.acos(1 - SAGITTA_MM / radius) / 4)


def _box(size: Point, center: Point = (0, 0, 0)) -> Manifold:
    return Manifold.cube(size, True).translate(center)


def _cylinder(radius: float, height: float, center: Point = (0, 0, 0), axis: str = "z") -> Manifold:
    upright = Manifold.cylinder(height, radius, radius, _segments(radius), True)
    return upright.rotate(_AXES[axis]).translate(center)


def _ring(radius: float, tube: float) -> Manifold:
    """A tube about z whose middle runs at `radius`."""
    section = CrossSection.circle(tube, _segments(tube)).translate((radius, 0))
    return Manifold.revolve(section, _segments(radius + tube))


def _with_holes(solid: Manifold, *cutters: Manifold) -> Manifold:
    return Manifold.batch_boolean([solid, *cutters], OpType.Subtract)


def _bores(places: Sequence[tuple[float, float]], radius: float) -> list[Manifold]:
    """Cylinders along z, longer than any plate here is thick."""
    return [_cylinder(radius, 60, (x, y, 0)) for x, y in places]


def _l_bracket() -> Manifold:
    walls = _box((40, 30, 40)) - _box((40, 40, 40), (5, 0, 5))  # two walls of 5
    return _with_holes(walls, _cylinder(4, 20, (5, 0, -20)), _cylinder(4, 20, (-20, 0, 5), "x"))


def _flange() -> Manifold:
    angles = [2 * math.pi * k / 6 for k in range(6)]
    bolts = _bores([(23 * math.cos(angle), 23 * math.sin(angle)) for angle in angles], 3)
    return _with_holes(_cylinder(30, 8) + _cylinder(16, 20, (0, 0, 9)), _cylinder(10, 60), *bolts)


def _stepped_shaft() -> Manifold:
    ends = _cylinder(10, 40, (-25, 0, 0), "x") + _cylinder(8, 40, (25, 0, 0), "x")
    return ends + _cylinder(14, 30, (5, 0, 0), "x")


def _hex_nut() -> Manifold:
    hexagon = CrossSection.circle(17 / math.sqrt(3), 6)  # radius to its corners, for 17 across its flats
    return Manifold.extrude(hexagon, 8).translate((0, 0, -4)) - _cylinder(5, 20)


_CORNERS = [(x, y) for x in (-32, 32) for y in (-17, 17)]
# name -> what it is, and how it is made
_RECIPES: dict[str, tuple[str, Callable[[], Manifold]]] = {
    "cube": ("a cube of 40", lambda: _box((40, 40, 40))),
    "box": ("a box of 60 x 40 x 20", lambda: _box((60, 40, 20))),
    "sphere": ("a sphere of radius 20", lambda: Manifold.sphere(20, _segments(20))),
    "cylinder": ("a cylinder of radius 15 and height 40", lambda: _cylinder(15, 40)),
    "cone": ("a cone of radius 20 and height 40", lambda: Manifold.cylinder(40, 20, 0, _segments(20), True)),
    "torus": ("a ring of radius 20, 8 thick in radius", lambda: _ring(20, 8)),
    "tube": (
        "a tube of radius 16 outside, 11 inside, length 50",
        lambda: _cylinder(16, 50) - _cylinder(11, 60),
    ),
    "l_bracket": ("an angle bracket of 40 x 30 x 40, walls of 5, a hole in each", _l_bracket),
    "plate_with_holes": (
        "a plate of 80 x 50 x 6 with four holes of radius 4 and one of 10",
        lambda: _with_holes(_box((80, 50, 6)), *_bores(_CORNERS, 4), _cylinder(10, 20)),
    ),
    "flange": ("a flange of radius 30 with a hub, a bore and six bolt holes", _flange),
    "stepped_shaft": ("a shaft of length 90 in three radii, 10, 14 and 8", _stepped_shaft),
    "hex_nut": ("a hexagon of 17 across flats and 8 high with a hole of radius 5", _hex_nut),
    "u_channel": (
        "a channel of 70 x 40 x 30, walls of 4",
        lambda: _box((70, 40, 30)) - _box((80, 32, 30), (0, 0, 4)),
    ),
}

SHAPES: dict[str, str] = {name: description for name, (description, _) in _RECIPES.items()}


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
    points, normals = sample_surface(*mesh_of(_RECIPES[name][1]()), n, seed)
    return Cloud(points, normals, name, "shape")
