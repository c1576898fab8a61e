"""Named shapes as clouds, sampled on their exact surface, in mm.

A shape is a few primitives joined, cut and intersected. Its surface is what is left of theirs: where two are joined,
the parts of each that lie outside of the other; where one cuts, its own surface inside of what it cuts, turned around.
So points are drawn on the primitives, evenly, and those that are not on the surface of the whole are dropped.
Primitives that are joined or cut never share a face (cutters reach beyond what they cut), so no face counts twice.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from cadrecode.cloud.read import Cloud
from cadrecode.errors import PointCloudError

Samples = tuple[np.ndarray, np.ndarray]  # (n, 3) points and (n, 3) outward unit normals
_TURNS = {"x": [2, 0, 1], "y": [1, 2, 0], "z": [0, 1, 2]}  # columns of a solid along z, so that it lies along an axis


class Solid(Protocol):
    """Something with a surface to draw points on, and an inside."""

    def draw(self, density: float, rng: np.random.Generator) -> Samples:
        """Points on the surface, `density` for each mm2 on average."""

    def contains(self, points: np.ndarray) -> np.ndarray:
        """(n, 3) -> (n,) bool: strictly inside."""


def _count(area: float, density: float, rng: np.random.Generator) -> int:
    """A whole number that is area * density on average."""
    return int(area * density + rng.random())


@dataclass(frozen=True)
class Box:
    """A box of this size around a centre, turned by `degrees` about z."""

    size: tuple[float, float, float]
    center: tuple[float, float, float] = (0, 0, 0)
    degrees: float = 0

    def _turn(self) -> np.ndarray:
        c, s = math.cos(math.radians(self.degrees)), math.sin(math.radians(self.degrees))
        return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])

    def draw(self, density: float, rng: np.random.Generator) -> Samples:
        half = np.array(self.size) / 2
        points, normals = [], []
        for axis in range(3):
            area = 4 * np.delete(half, axis).prod()
            for side in (-1.0, 1.0):
                at = rng.uniform(-half, half, (_count(area, density, rng), 3))
                at[:, axis] = side * half[axis]
                points.append(at)
                normals.append(np.broadcast_to(side * np.eye(3)[axis], at.shape))
        turn = self._turn().T
        return np.concatenate(points) @ turn + self.center, np.concatenate(normals) @ turn

    def contains(self, points: np.ndarray) -> np.ndarray:
        return (np.abs((points - self.center) @ self._turn()) < np.array(self.size) / 2).all(axis=1)


@dataclass(frozen=True)
class Cone:
    """A truncated cone along an axis, around a centre: radius `bottom` to `top` over `height`."""

    bottom: float
    top: float
    height: float
    center: tuple[float, float, float] = (0, 0, 0)
    axis: str = "z"

    def draw(self, density: float, rng: np.random.Generator) -> Samples:
        r0, r1, h = self.bottom, self.top, self.height
        slant = math.hypot(h, r0 - r1)
        n = _count(math.pi * (r0 + r1) * slant, density, rng)
        # a ring's area grows with its radius, so its square is what is drawn evenly
        t = rng.random(n) if r0 == r1 else (np.sqrt(r0 * r0 + rng.random(n) * (r1 * r1 - r0 * r0)) - r0) / (r1 - r0)
        angle = rng.uniform(0, 2 * math.pi, n)
        around = np.column_stack([np.cos(angle), np.sin(angle)])
        points = [np.column_stack([around * (r0 + t * (r1 - r0))[:, None], (t - 0.5) * h])]
        normals = [np.column_stack([around * (h / slant), np.full(n, (r0 - r1) / slant)])]
        for radius, side in ((r0, -1.0), (r1, 1.0)):
            n = _count(math.pi * radius * radius, density, rng)
            angle, out = rng.uniform(0, 2 * math.pi, n), radius * np.sqrt(rng.random(n))
            points.append(np.column_stack([out * np.cos(angle), out * np.sin(angle), np.full(n, side * h / 2)]))
            normals.append(np.tile([0, 0, side], (n, 1)))
        turn = _TURNS[self.axis]
        return np.concatenate(points)[:, turn] + self.center, np.concatenate(normals)[:, turn]

    def contains(self, points: np.ndarray) -> np.ndarray:
        local = (points - self.center)[:, np.argsort(_TURNS[self.axis])]
        radius = self.bottom + (local[:, 2] / self.height + 0.5) * (self.top - self.bottom)
        return (np.abs(local[:, 2]) < self.height / 2) & (np.hypot(local[:, 0], local[:, 1]) < radius)


def cylinder(radius: float, height: float, center: tuple[float, float, float] = (0, 0, 0), axis: str = "z") -> Cone:
    """A cylinder along an axis, around a centre."""
    return Cone(radius, radius, height, center, axis)


@dataclass(frozen=True)
class Torus:
    """A ring about z: a tube of radius `tube` whose middle runs at radius `ring`; with ring 0, a sphere."""

    ring: float
    tube: float

    def draw(self, density: float, rng: np.random.Generator) -> Samples:
        if self.ring == 0:
            normals = rng.standard_normal((_count(4 * math.pi * self.tube**2, density, rng), 3))
            normals /= np.linalg.norm(normals, axis=1, keepdims=True)
            return self.tube * normals, normals
        # the outer side is longer than the inner: draw on the longest, keep in proportion
        n = _count(4 * math.pi**2 * (self.ring + self.tube) * self.tube, density, rng)
        around, along = rng.uniform(0, 2 * math.pi, (2, n))
        kept = rng.random(n) * (self.ring + self.tube) < self.ring + self.tube * np.cos(around)
        around, along = around[kept], along[kept]
        out = np.cos(around)
        normals = np.column_stack([out * np.cos(along), out * np.sin(along), np.sin(around)])
        middle = self.ring * np.column_stack([np.cos(along), np.sin(along), np.zeros(len(along))])
        return middle + self.tube * normals, normals

    def contains(self, points: np.ndarray) -> np.ndarray:
        return np.hypot(np.hypot(points[:, 0], points[:, 1]) - self.ring, points[:, 2]) < self.tube


@dataclass(frozen=True)
class Joined:
    """All of these solids as one."""

    parts: tuple[Solid, ...]

    def draw(self, density: float, rng: np.random.Generator) -> Samples:
        points, normals = [], []
        for part in self.parts:
            at, normal = part.draw(density, rng)
            for other in self.parts:
                if other is not part:
                    outside = ~other.contains(at)
                    at, normal = at[outside], normal[outside]
            points.append(at)
            normals.append(normal)
        return np.concatenate(points), np.concatenate(normals)

    def contains(self, points: np.ndarray) -> np.ndarray:
        return np.any([part.contains(points) for part in self.parts], axis=0)


@dataclass(frozen=True)
class Cut:
    """What is left of `solid` without `cutters`."""

    solid: Solid
    cutters: tuple[Solid, ...]

    def draw(self, density: float, rng: np.random.Generator) -> Samples:
        cutter = Joined(self.cutters)
        (outer, outer_normals), (inner, inner_normals) = self.solid.draw(density, rng), cutter.draw(density, rng)
        left, walls = ~cutter.contains(outer), self.solid.contains(inner)
        return np.concatenate([outer[left], inner[walls]]), np.concatenate([outer_normals[left], -inner_normals[walls]])

    def contains(self, points: np.ndarray) -> np.ndarray:
        return self.solid.contains(points) & ~Joined(self.cutters).contains(points)


@dataclass(frozen=True)
class Common:
    """Where all of these solids are."""

    parts: tuple[Solid, ...]

    def draw(self, density: float, rng: np.random.Generator) -> Samples:
        points, normals = [], []
        for part in self.parts:
            at, normal = part.draw(density, rng)
            inside = np.all([other.contains(at) for other in self.parts if other is not part], axis=0)
            points.append(at[inside])
            normals.append(normal[inside])
        return np.concatenate(points), np.concatenate(normals)

    def contains(self, points: np.ndarray) -> np.ndarray:
        return np.all([part.contains(points) for part in self.parts], axis=0)


def draw_surface(solid: Solid, n: int, seed: int) -> Samples:
    """Draw exactly n points, evenly over the surface of a solid, in random order.

    Returns: (n, 3) float64 points, mm, and (n, 3) outward unit normals.
    """
    rng = np.random.default_rng(seed)
    density = 1e-2
    points, normals = solid.draw(density, rng)
    while len(points) < n:  # nobody knows the area left after the cuts: try, and aim a little higher
        density *= max(1.2 * n / max(len(points), 1), 1.2) if len(points) > 50 else 8.0
        points, normals = solid.draw(density, rng)
    chosen = rng.permutation(len(points))[:n]
    return points[chosen], normals[chosen]


def _holes(places: list[tuple[float, float]], radius: float, height: float) -> tuple[Solid, ...]:
    return tuple(cylinder(radius, height, (x, y, 0)) for x, y in places)


def _around(count: int, radius: float) -> list[tuple[float, float]]:
    angles = [2 * math.pi * k / count for k in range(count)]
    return [(radius * math.cos(a), radius * math.sin(a)) for a in angles]


def _l_bracket() -> Solid:
    profile = Cut(Box((40, 30, 40)), (Box((40, 40, 40), (5, 0, 5)),))  # two walls of 5
    return Cut(profile, (cylinder(4, 20, (5, 0, -20)), cylinder(4, 20, (-20, 0, 5), "x")))


def _flange() -> Solid:
    body = Joined((cylinder(30, 8), cylinder(16, 20, (0, 0, 9))))
    return Cut(body, (cylinder(10, 60), *_holes(_around(6, 23), 3, 20)))


def _hex_nut() -> Solid:
    # six sides: three slabs, of which only the first is as thick as the nut
    slabs = [Box((40, 17, 8 if i == 0 else 12), degrees=60 * i) for i in range(3)]
    return Cut(Common(tuple(slabs)), (cylinder(5, 20),))


# name -> what it is, and how it is made
_RECIPES: dict[str, tuple[str, Callable[[], Solid]]] = {
    "cube": ("a cube of 40", lambda: Box((40, 40, 40))),
    "box": ("a box of 60 x 40 x 20", lambda: Box((60, 40, 20))),
    "sphere": ("a sphere of radius 20", lambda: Torus(0, 20)),
    "cylinder": ("a cylinder of radius 15 and height 40", lambda: cylinder(15, 40)),
    "cone": ("a cone of radius 20 and height 40", lambda: Cone(20, 0, 40)),
    "torus": ("a ring of radius 20, 8 thick in radius", lambda: Torus(20, 8)),
    "tube": ("a tube of radius 16 outside, 11 inside, length 50", lambda: Cut(cylinder(16, 50), (cylinder(11, 60),))),
    "l_bracket": ("an angle bracket of 40 x 30 x 40, walls of 5, a hole in each", _l_bracket),
    "plate_with_holes": (
        "a plate of 80 x 50 x 6 with four holes of radius 4 and one of 10",
        lambda: Cut(Box((80, 50, 6)), (*_holes([(-32, -17), (-32, 17), (32, -17), (32, 17)], 4, 20), cylinder(10, 20))),
    ),
    "flange": ("a flange of radius 30 with a hub, a bore and six bolt holes", _flange),
    "stepped_shaft": (
        "a shaft of length 90 in three radii, 10, 14 and 8",
        lambda: Joined(
            (cylinder(10, 40, (-25, 0, 0), "x"), cylinder(14, 30, (5, 0, 0), "x"), cylinder(8, 40, (25, 0, 0), "x"))
        ),
    ),
    "hex_nut": ("a hexagon of 17 across flats and 8 high with a hole of radius 5", _hex_nut),
    "u_channel": (
        "a channel of 70 x 40 x 30, walls of 4",
        lambda: Cut(Box((70, 40, 30)), (Box((80, 32, 30), (0, 0, 4)),)),
    ),
}

SHAPES: dict[str, str] = {name: description for name, (description, _) in _RECIPES.items()}


def make_shape(name: str, n: int = 8192, seed: int = 0) -> Cloud:
    """A named shape as a cloud of n points, evenly over its surface, in mm, around the origin.

    Args:   name: one of SHAPES.
    Raises: PointCloudError: no such shape.
    """
    if name not in _RECIPES:
        raise PointCloudError(f"There is no shape {name!r}. Shapes: {', '.join(_RECIPES)}.")
    points, normals = draw_surface(_RECIPES[name][1](), n, seed)
    return Cloud(points, normals, name, "shape")
