"""The CAD program as data: the typed tree that everything else reads and writes.

A program is a few solids, joined one after the other by union, cut or intersect. A solid stands on a plane and is an
extruded sketch, a box or a cylinder. A sketch is a few steps, each adding, subtracting or intersecting a shape.
The language is that of the CAD-Recode programs (Rukhovich et al. 2024, arXiv:2412.14042) and four things that human
designs need: `extrude(d,both=True)`, `cut` and `intersect` of solids, and `cq.Plane(origin,xDir,normal)`; and a fifth
that scans need: a finished body may be turned and moved, `.rotate((0,0,0),axis,degrees).translate(offset)`.
It grows here and nowhere else. Lengths are in whatever frame the program is in (CODE or RAW).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

Point2 = tuple[float, float]  # on a sketch's plane
Point3 = tuple[float, float, float]  # in space


class Mode(StrEnum):
    """What a sketch step does with its shape, spelled as in CadQuery."""

    ADD, SUBTRACT, INTERSECT = "a", "s", "i"


class Operation(StrEnum):
    """How a solid joins those before it, spelled as in CadQuery."""

    UNION, CUT, INTERSECT = "union", "cut", "intersect"


# The planes that CadQuery knows by name: local x direction and normal (cadquery.occ_impl.geom.Plane.named).
NAMED_PLANES: dict[str, tuple[Point3, Point3]] = {
    "XY": ((1, 0, 0), (0, 0, 1)),
    "YZ": ((0, 1, 0), (1, 0, 0)),
    "ZX": ((0, 0, 1), (0, 1, 0)),
    "XZ": ((1, 0, 0), (0, -1, 0)),
    "YX": ((0, 1, 0), (0, 0, -1)),
    "ZY": ((0, 0, 1), (-1, 0, 0)),
}


@dataclass(frozen=True, slots=True)
class Plane:
    """Where a sketch lies: `cq.Workplane(name, origin=...)`, or by directions when `name` is None."""

    origin: Point3 = (0, 0, 0)
    x_direction: Point3 = (1, 0, 0)
    normal: Point3 = (0, 0, 1)
    name: str | None = "XY"

    @classmethod
    def named(cls, name: str, origin: Point3 = (0, 0, 0)) -> Plane:
        """One of NAMED_PLANES. Raises: KeyError."""
        x_direction, normal = NAMED_PLANES[name]
        return cls(origin, x_direction, normal, name)


@dataclass(frozen=True, slots=True)
class Line:
    """A straight edge to `end`."""

    end: Point2


@dataclass(frozen=True, slots=True)
class Arc:
    """A circular edge through `middle` to `end`."""

    middle: Point2
    end: Point2


@dataclass(frozen=True, slots=True)
class Circle:
    radius: float


@dataclass(frozen=True, slots=True)
class Rect:
    """Centred on where it is placed."""

    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Loop:
    """Edges one after the other from `start`. A last edge that ends elsewhere is followed by a straight one back."""

    start: Point2
    edges: tuple[Line | Arc, ...]


@dataclass(frozen=True, slots=True)
class Face:
    """A sketch used as one shape of another."""

    sketch: Sketch


Shape = Circle | Rect | Loop | Face
NOISE_DECIMALS = 9  # what sums of decimals are off by is beyond these
ORIGIN: tuple[Point2, ...] = ((0, 0),)


@dataclass(frozen=True, slots=True)
class SketchStep:
    """One shape, put at each of the places and then added, subtracted or intersected."""

    shape: Shape
    mode: Mode = Mode.ADD
    places: tuple[Point2, ...] = ORIGIN


@dataclass(frozen=True, slots=True)
class Sketch:
    steps: tuple[SketchStep, ...]


@dataclass(frozen=True, slots=True)
class Extrusion:
    """A sketch pulled along the plane's normal by `distance`, which may be negative; `both` pulls both ways.

    The walls lean inward by `taper` degrees, outward where it is negative.
    """

    plane: Plane
    sketch: Sketch
    distance: float
    both: bool = False
    taper: float = 0


@dataclass(frozen=True, slots=True)
class Revolution:
    """A sketch turned by `degrees` (0 to 360, right-handed) about an axis in its plane, which it must not cross."""

    plane: Plane
    sketch: Sketch
    degrees: float = 360
    start: Point2 = (0, 0)
    direction: Point2 = (0, 1)


@dataclass(frozen=True, slots=True)
class Box:
    """Centred on `center` of the plane lifted by `offset`; `depth` is along the normal."""

    plane: Plane
    offset: float
    center: Point2
    width: float
    height: float
    depth: float


@dataclass(frozen=True, slots=True)
class Cylinder:
    """Centred on `center` of the plane lifted by `offset`; its axis is the normal."""

    plane: Plane
    offset: float
    center: Point2
    height: float
    radius: float


@dataclass(frozen=True, slots=True)
class Sphere:
    """Centred on `center` of the plane lifted by `offset`."""

    plane: Plane
    offset: float
    center: Point2
    radius: float


Solid = Extrusion | Revolution | Box | Cylinder | Sphere


@dataclass(frozen=True, slots=True)
class Step:
    """One solid, or a body of its own, and how it joins what stands already."""

    operation: Operation
    solid: Solid | Program


@dataclass(frozen=True, slots=True)
class Placement:
    """A rigid motion: a right-handed turn by `degrees` about `axis` through the origin, then a move by `offset`."""

    axis: Point3 = (0, 0, 1)
    degrees: float = 0
    offset: Point3 = (0, 0, 0)


@dataclass(frozen=True, slots=True)
class Program:
    """The steps in order; the first one's operation is union, with nothing. `placement` moves what they make.

    A part that stands askew is written in its own axes and placed last. On planes turned one by one, faces that touch
    would be apart by the digits that are written: of 32 parts of several solids so turned, 6 decimals split 5 in
    OpenCASCADE and spoiled 2, and 12 decimals still split 14 in Manifold.
    """

    steps: tuple[Step, ...]
    placement: Placement | None = None

    def solids(self) -> list[Solid]:
        """Every extrusion, box and cylinder, in order, those of nested bodies too."""
        found: list[Solid] = []
        for step in self.steps:
            found.extend(step.solid.solids() if isinstance(step.solid, Program) else [step.solid])
        return found
