"""The CAD program as data: the typed tree that everything else reads and writes.

A program is a few solids, joined one after the other by union, cut or intersect, and then finished: holes are drilled,
edges rounded, the inside hollowed. A solid stands on a plane and is an extruded or revolved sketch, a box, a cylinder
or a sphere. A sketch is a few steps, each adding, subtracting or intersecting a shape, or rounding its corners.
The core is the language of the CAD-Recode programs (Rukhovich et al. 2024, arXiv:2412.14042). Human designs need the
rest, and scans need that a finished body may be turned and moved, `.rotate((0,0,0),axis,degrees).translate(offset)`.
It grows here and nowhere else. Lengths are in whatever frame the program is in (CODE or RAW).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

Point2 = tuple[float, float]  # on a sketch's plane
Point3 = tuple[float, float, float]  # in space


class Mode(StrEnum):
    """How a sketch step combines its shape with those before it, spelled as in CadQuery."""

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
AXIS_PLANES = ("YZ", "ZX", "XY")  # those whose normals are x, y and z


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

    @classmethod
    def across(cls, axis: int, height: float) -> Plane:
        """The named plane whose normal is an axis of space, at a height along it."""
        x, y, z = (height if other == axis else 0 for other in range(3))
        return cls.named(AXIS_PLANES[axis], (x, y, z))


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

    @property
    def corners(self) -> tuple[Point2, ...]:
        """Counterclockwise from the lower left."""
        x, y = self.width / 2, self.height / 2
        return (-x, -y), (x, -y), (x, y), (-x, y)


@dataclass(frozen=True, slots=True)
class Loop:
    """Edges one after the other from `start`. A last edge that ends elsewhere is followed by a straight one back."""

    start: Point2
    edges: tuple[Line | Arc, ...]

    @classmethod
    def through(cls, corners: Sequence[Point2]) -> Loop:
        """Straight edges from corner to corner, and back to the first."""
        return cls(corners[0], tuple(map(Line, corners[1:])))

    @property
    def corners(self) -> tuple[Point2, ...]:
        """The start, and the end of each edge."""
        return self.start, *(edge.end for edge in self.edges)

    @property
    def sides(self) -> list[tuple[Point2, Line | Arc]]:
        """The start of each edge, and the edge, up to the one that comes back to the start."""
        edges = self.edges if self.edges[-1].end == self.start else (*self.edges, Line(self.start))
        return list(zip((self.start, *(edge.end for edge in edges)), edges))


@dataclass(frozen=True, slots=True)
class Face:
    """A sketch used as one shape of another."""

    sketch: Sketch


@dataclass(frozen=True, slots=True)
class Ring:
    """`count` places on a circle, from the angle `first` on; shapes turn with them. All angles are in degrees.

    A `sweep` of 360 is divided by the count; a smaller one has a place at each of its ends.
    """

    center: Point2
    radius: float
    first: float
    sweep: float
    count: int

    def angles(self) -> tuple[float, ...]:
        whole = math.isclose(math.remainder(self.sweep, 360), 0, abs_tol=1e-6)
        step = self.sweep / (self.count if whole else max(self.count - 1, 1))
        return tuple(self.first + index * step for index in range(self.count))


@dataclass(frozen=True, slots=True)
class Grid:
    """Places in columns and rows about `center`."""

    center: Point2
    dx: float
    dy: float
    columns: int
    rows: int


Places = tuple[Point2, ...] | Ring | Grid


def points_of(places: Places) -> tuple[Point2, ...]:
    """Each place of a list, a ring or a grid, in CadQuery's order."""
    match places:
        case Ring((x, y), radius):
            turns = map(math.radians, places.angles())
            return tuple((x + radius * math.cos(turn), y + radius * math.sin(turn)) for turn in turns)
        case Grid((x, y), dx, dy, columns, rows):
            left, low = x - dx * (columns - 1) / 2, y - dy * (rows - 1) / 2
            return tuple((left + dx * i, low + dy * j) for i in range(columns) for j in range(rows))
    return places


def count_of(places: Places) -> int:
    """The number of places, without making them."""
    match places:
        case Ring():
            return places.count
        case Grid():
            return places.columns * places.rows
    return len(places)


Shape = Circle | Rect | Loop | Face
NOISE_DECIMALS = 9  # rounding errors of sums are smaller
ORIGIN: tuple[Point2, ...] = ((0, 0),)


@dataclass(frozen=True, slots=True)
class SketchStep:
    """One shape, put at each of the places and then added, subtracted or intersected."""

    shape: Shape
    mode: Mode = Mode.ADD
    places: Places = ORIGIN


class Blend(StrEnum):
    """How a sharp corner or edge is blended, spelled as in CadQuery."""

    FILLET, CHAMFER = "fillet", "chamfer"


@dataclass(frozen=True, slots=True)
class Corners:
    """Rounds or bevels the corners of a sketch by `size`: all of them, or those that a selector such as '>Y' names."""

    blend: Blend
    size: float
    selector: str | None = None


@dataclass(frozen=True, slots=True)
class Sketch:
    steps: tuple[SketchStep | Corners, ...]

    @classmethod
    def of(cls, shape: Shape, places: Places = ORIGIN) -> Sketch:
        """A single shape."""
        return cls((SketchStep(shape, places=places),))


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

    def solids(self) -> list[Solid]:
        """The solid, or those of the body."""
        return self.solid.solids() if isinstance(self.solid, Program) else [self.solid]


@dataclass(frozen=True, slots=True)
class Counterbore:
    """A wider cylinder at the mouth of a hole."""

    diameter: float
    depth: float


@dataclass(frozen=True, slots=True)
class Countersink:
    """A cone at the mouth of a hole; `degrees` is its full angle."""

    diameter: float
    degrees: float


@dataclass(frozen=True, slots=True)
class Hole:
    """Equal holes drilled into the body, against a plane's normal; through all of it where `depth` is None."""

    plane: Plane
    places: Places
    diameter: float
    depth: float | None = None
    head: Counterbore | Countersink | None = None


@dataclass(frozen=True, slots=True)
class Edges:
    """Rounds or bevels edges of the body: those that the selector `edges` names, of the faces that `faces` names.

    A chamfer may have a second length, on the face that comes later in OpenCASCADE's order: on the caps of an
    extrusion, else on the face across y.
    """

    blend: Blend
    size: float
    faces: str | None = None
    edges: str | None = None
    second: float | None = None


@dataclass(frozen=True, slots=True)
class Shell:
    """Hollows the body, open where `faces` names faces. The wall grows inward where `thickness` is negative."""

    thickness: float
    faces: str | None = None
    sharp: bool = False


@dataclass(frozen=True, slots=True)
class Mirror:
    """The body's mirror image by a named plane through `base`; `union` adds it to the body."""

    plane: str
    base: Point3 = (0, 0, 0)
    union: bool = False


Finish = Hole | Edges | Shell | Mirror


@dataclass(frozen=True, slots=True)
class Placement:
    """A rigid motion: a right-handed turn by `degrees` about `axis` through the origin, then a move by `offset`."""

    axis: Point3 = (0, 0, 1)
    degrees: float = 0
    offset: Point3 = (0, 0, 0)


@dataclass(frozen=True, slots=True)
class Program:
    """The steps in order; the first one's operation is union, with nothing. Then the finishes, then the placement.

    A part that stands askew is written in its own axes and placed last. On planes turned one by one, faces that touch
    would be apart by the digits that are written: of 32 parts of several solids so turned, 6 decimals split 5 in
    OpenCASCADE and spoiled 2, and 12 decimals still split 14 in Manifold.
    """

    steps: tuple[Step, ...]
    placement: Placement | None = None
    finishes: tuple[Finish, ...] = ()

    @classmethod
    def of(
        cls, solid: Solid | Program, placement: Placement | None = None, finishes: tuple[Finish, ...] = ()
    ) -> Program:
        """A single solid, or a body as a part of another."""
        return cls((Step(Operation.UNION, solid),), placement, finishes)

    @property
    def is_plain(self) -> bool:
        """Whether its steps are all there is to it."""
        return self.placement is None and not self.finishes

    def solids(self) -> list[Solid]:
        """Every solid in order, those of nested bodies too."""
        return [solid for step in self.steps for solid in step.solids()]
