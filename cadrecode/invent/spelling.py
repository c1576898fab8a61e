"""The canonical spelling of a drawing: slabs -> solids of round numbers. Parts that look the same get the same text.

- Planes at the lower end of a slab, extruded upward; a lone rectangle is a box along its thinnest side, a lone circle a
  cylinder; loops counter-clockwise from the leftmost corner; equal holes share one step, sorted;
- additions by falling volume, then cuts by falling volume.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from manifold3d import CrossSection, Manifold, OpType

from cadrecode.frames import CODE_PER_MODEL, MODEL_SIDE
from cadrecode.geometry import polygon_area
from cadrecode.invent.outlines import Degenerate, RectOutline, as_step, whole
from cadrecode.invent.pieces import Slab
from cadrecode.program import language as cad
from cadrecode.program.planes import plane_axes
from cadrecode.program.section import SAGITTA, cross_section, loop_points
from cadrecode.program.shapes import build_solid, half_side

HALF_SIDE = MODEL_SIDE * CODE_PER_MODEL / 2  # a normalised part reaches from -100 to 100 along its longest side
GRID_SAGITTA = SAGITTA * HALF_SIDE  # for circles on the grid
A_PATTERN = 3  # equal pieces, from which on they are one solid, and one step of its sketch
LEAST_HOLE = 12  # CODE squared: a circle of radius 2


@dataclass(frozen=True)
class Spelled:
    """A slab as a solid in canonical form, on the grid, and built."""

    cut: bool
    solid: cad.Solid
    built: Manifold


def spelled(slabs: Iterable[GridSlab], sagitta: float | None = None) -> list[Spelled]:
    """Slabs as canonical solids, in their order.

    Args:
        sagitta: how far a side may cut into its circle; by the size of the solids when None.
    Raises: Degenerate: rounding breaks a slab. ProgramError: a sketch has no area.
    """
    solids = [(grid.slab.cut, canonical_solid(grid)) for grid in slabs]
    if sagitta is None:
        sagitta = SAGITTA * max(half_side(solid) for _, solid in solids)
    return [Spelled(cut, solid, build_solid(solid, sagitta)) for cut, solid in solids]


def in_order(steps: Iterable[Spelled]) -> list[Spelled]:
    """Additions by falling volume, then cuts by falling volume."""
    return sorted(steps, key=lambda step: (step.cut, -round(step.built.volume()), step.solid.plane.origin))


def as_program(steps: Iterable[Spelled]) -> cad.Program:
    return cad.Program(
        tuple(cad.Step(cad.Operation.CUT if step.cut else cad.Operation.UNION, step.solid) for step in steps)
    )


Ends = tuple[frozenset[float], frozenset[float], frozenset[float]]  # where slabs end along each world axis


def ends_of(slabs: Sequence[Slab]) -> Ends | None:
    """Where the slabs of a drawing end, each along its own axis; None for a plain box or cylinder."""
    if len(slabs) == 1 and slabs[0].is_plain:
        return None
    ends: tuple[set[float], ...] = (set(), set(), set())
    for slab in slabs:
        ends[slab.axis].update((_key(slab.low), _key(slab.high)))
    return frozenset(ends[0]), frozenset(ends[1]), frozenset(ends[2])


def _key(value: float) -> float:
    return round(float(value), cad.NOISE_DECIMALS)


@dataclass(frozen=True)
class GridSlab:
    """A slab, and how its numbers become round numbers of the CODE frame.

    Where it begins and ends along its axis may be rounded less: a thickness is the shortest length of most parts, which
    rounding hurts most, and a sketch in whole numbers stays short. What stands flush with such an end is rounded alike.

    Args:
        height_steps: how many steps a unit has there: 1 for whole numbers, 2 for halves, 10 for tenths.
        ends: see `ends_of`; None: every number has these steps.
    """

    slab: Slab
    scale: float = 1.0
    center: tuple[float, float, float] = (0.0, 0.0, 0.0)
    height_steps: int = 1
    ends: Ends | None = None

    def snap(self, axis: int) -> Callable[[float], float]:
        def at(value: float) -> float:
            fine = axis == self.slab.axis or self.ends is None or _key(value) in self.ends[axis]
            return self._rounded(value - self.center[axis], fine)

        return at

    def length(self, value: float) -> float:
        """A radius on the grid: in the steps of heights where the slab is nothing but a cylinder."""
        return self._rounded(value, fine=self.slab.is_plain)

    def _rounded(self, value: float, fine: bool) -> float:
        steps = self.height_steps if fine else 1
        return whole(round(float(value) * self.scale * steps) / steps)


def clipped(slab: Slab, low: np.ndarray, high: np.ndarray) -> Slab:
    """A cut ends where the part does: how far it reaches into the air is not seen, so it must not change the text."""
    axis, (x_axis, y_axis) = slab.axis, plane_axes(slab.axis)
    outers = tuple(
        RectOutline(
            max(outline.x0, low[x_axis]),
            max(outline.y0, low[y_axis]),
            min(outline.x1, high[x_axis]),
            min(outline.y1, high[y_axis]),
        )
        if isinstance(outline, RectOutline)
        else outline
        for outline in slab.outers
    )
    return replace(slab, outers=outers, low=max(slab.low, low[axis]), high=min(slab.high, high[axis]))


def canonical_solid(grid: GridSlab) -> cad.Solid:
    """The slab as a solid in canonical form. Raises: Degenerate."""
    slab = grid.slab
    x_axis, y_axis = plane_axes(slab.axis)
    snaps = grid.snap(x_axis), grid.snap(y_axis)
    low, high = grid.snap(slab.axis)(slab.low), grid.snap(slab.axis)(slab.high)
    if high <= low:
        raise Degenerate
    steps = [as_step(outline, cad.Mode.ADD, *snaps, grid.length) for outline in slab.outers]
    if len(steps) >= A_PATTERN and len({step.shape for step in steps}) == 1:
        steps = [replace(steps[0], places=tuple(sorted({step.places[0] for step in steps})))]
    holes = [as_step(outline, cad.Mode.SUBTRACT, *snaps, grid.length) for outline in slab.holes]
    steps += _holes(_seen(steps, holes))
    if len(steps) == 1 and len(slab.outers) == 1 and isinstance(slab.outers[0], RectOutline):
        x0, y0, x1, y1 = slab.outers[0].bounds()
        corners = np.zeros((2, 3))
        corners[:, slab.axis] = low, high
        corners[:, x_axis] = snaps[0](x0), snaps[0](x1)
        corners[:, y_axis] = snaps[1](y0), snaps[1](y1)
        return _box(corners)
    plane = cad.Plane.across(slab.axis, low)
    if len(steps) == 1 and len(slab.outers) == 1 and isinstance(steps[0].shape, cad.Circle):
        height = whole(high - low)
        return cad.Cylinder(plane, whole(height / 2), steps[0].places[0], height, steps[0].shape.radius)
    return cad.Extrusion(plane, cad.Sketch(tuple(_first_bare(steps))), whole(high - low))


def _seen(outers: list[cad.SketchStep], holes: list[cad.SketchStep]) -> list[cad.SketchStep]:
    """The holes that lie inside of the material. Raises: Degenerate: a loop crosses itself, or holes overlap."""
    for step in (*outers, *holes):
        if isinstance(step.shape, cad.Loop):
            enclosed = abs(polygon_area(np.array(loop_points(step.shape, GRID_SAGITTA))))
            if abs(cross_section(cad.Sketch.of(step.shape), GRID_SAGITTA).area() - enclosed) > 1e-3 * enclosed:
                raise Degenerate
    material = cross_section(cad.Sketch(tuple(outers)), GRID_SAGITTA)
    areas = [(step, cross_section(cad.Sketch((replace(step, mode=cad.Mode.ADD),)), GRID_SAGITTA)) for step in holes]
    inside = [(step, area) for step, area in areas if (area - material).is_empty() and area.area() >= LEAST_HOLE]
    if len(inside) > 1:
        together = CrossSection.batch_boolean([area for _, area in inside], OpType.Add).area()
        if together < sum(area.area() for _, area in inside) * 0.999:
            raise Degenerate
    return [step for step, _ in inside]


def _box(corners: np.ndarray) -> cad.Box:
    """(2, 3) lowest and highest corner -> a box whose depth is its shortest side (z before y before x if equal)."""
    sizes = corners[1] - corners[0]
    if sizes.min() <= 0:
        raise Degenerate
    axis = min((2, 1, 0), key=lambda a: sizes[a])
    x_axis, y_axis = plane_axes(axis)
    middle = [whole(float(c)) for c in corners.sum(axis=0) / 2]
    width, height, depth = (whole(float(sizes[a])) for a in (x_axis, y_axis, axis))
    plane = cad.Plane.across(axis, whole(float(corners[0, axis])))
    return cad.Box(plane, whole(depth / 2), (middle[x_axis], middle[y_axis]), width, height, depth)


def _holes(steps: list[cad.SketchStep]) -> list[cad.SketchStep]:
    """Equal shapes become one step with all their places. Order: circles, rectangles, loops; large to small."""
    places: dict = {}
    for step in steps:
        places.setdefault(step.shape, []).extend(step.places)
    merged = [cad.SketchStep(shape, cad.Mode.SUBTRACT, tuple(sorted(set(where)))) for shape, where in places.items()]
    order = {cad.Circle: 0, cad.Rect: 1, cad.Loop: 2}

    def size(step: cad.SketchStep) -> float:
        match step.shape:
            case cad.Circle(radius):
                return radius
            case cad.Rect(width, height):
                return width * height
        return 0

    return sorted(merged, key=lambda step: (order[type(step.shape)], -size(step), step.places))


def _first_bare(steps: list[cad.SketchStep]) -> list[cad.SketchStep]:
    """The first loop is written as `.segment(...)...assemble()`, each later loop as a face with its own sketch."""
    return [
        replace(step, shape=cad.Face(cad.Sketch.of(step.shape))) if index and isinstance(step.shape, cad.Loop) else step
        for index, step in enumerate(steps)
    ]
