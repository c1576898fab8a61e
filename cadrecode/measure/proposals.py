"""Sketches that a part might be made of: across one axis, taken from its sections and its silhouette."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from manifold3d import CrossSection, JoinType

from cadrecode.geometry import bounding_box, is_simple, polygon_area
from cadrecode.measure.arcs import discs_of
from cadrecode.measure.features import Prism, Turned, numbers_of, sketch_steps, span_between, with_holes
from cadrecode.measure.grid import Grid, along
from cadrecode.measure.judge import SAGITTA
from cadrecode.measure.outlines import DECIMALS, ON_LEVEL, Outline, on_levels, outline_of
from cadrecode.measure.rings import ringed
from cadrecode.measure.walls import Walls
from cadrecode.program.language import Circle, Loop, Mode, Operation, Point2, Sketch, SketchStep
from cadrecode.program.section import cross_section, loop_points

TOLERANCES = 0.06, 0.2, 0.4  # CODE: close to the section, over coarse facets, and short where a spline has many pieces
LEAST_AREA = 3e-5  # of the size squared: a smaller outline is left out
TOUCHING = 1e-3  # CODE: parts of an outline that are nearer touch each other
MOST_SINGLES = 8  # outlines of one section that are proposed one by one
SLIVER = 0.15  # CODE: a difference of section and silhouette thinner than twice this is no feature


@dataclass(frozen=True)
class Proposal:
    """A sketch across an axis, for the search to extrude between any two levels.

    Args:
        axis: 0, 1 or 2.
        steps: The steps of the sketch.
        numbers: How many numbers it takes to write them.
        mask: (nu, nv) bool: the columns of the grid that it covers.
        adds: Whether it may be joined or intersected; otherwise it is cut.
    """

    axis: int
    steps: tuple[SketchStep, ...]
    numbers: int
    mask: np.ndarray
    adds: bool

    def feature(self, operation: Operation, span: tuple[int, int], grid: Grid) -> Prism:
        """`span` holds the levels between which it is extruded, by their indices."""
        low, high = span_between(operation, grid.levels[self.axis], *span)
        return Prism(operation, self.axis, low, high, self.steps)

    def cells(self, span: tuple[int, int], grid: Grid) -> np.ndarray:
        """(nx, ny, nz) bool: those that it fills between two levels."""
        cells = np.zeros(grid.shape, bool)
        intervals = grid.interval[self.axis]
        along(cells, self.axis)[(intervals >= span[0]) & (intervals < span[1])] = self.mask
        return cells


@dataclass(frozen=True)
class TurnedProposal:
    """A half profile to turn about a line along an axis.

    Args:
        center, steps: See `Turned`.
        numbers: How many numbers it takes to write the steps.
        own: (nx, ny, nz) bool: the cells of the grid that it fills.
        adds: Whether it may be joined or intersected; otherwise it is cut.
        start, degrees: See `Turned`.
    """

    axis: int
    center: Point2
    steps: tuple[SketchStep, ...]
    numbers: int
    own: np.ndarray = field(repr=False)
    adds: bool
    start: float = 0.0
    degrees: float = 360.0

    def feature(self, operation: Operation, span: tuple[int, int], grid: Grid) -> Turned:
        return Turned(operation, self.axis, self.center, self.steps, self.start, self.degrees)

    def cells(self, span: tuple[int, int], grid: Grid) -> np.ndarray:
        return self.own


class Reader:
    """Reads cross-sections of one axis as outlines, each polygon once.

    Args:
        size: Longest side of the part, CODE.
        levels: Levels along the two axes of the sketches. Edges that lie on a level are put there exactly, so that
            what two features share is the same number in both.
        tolerances: See `outline_of`; the closest first.
        on_level: How near to a level an edge lies on it.
    """

    def __init__(
        self,
        size: float,
        levels: Sequence[np.ndarray],
        tolerances: Sequence[float] = TOLERANCES,
        on_level: float = ON_LEVEL,
    ):
        self.size, self.levels, self.tolerances, self.on_level = size, levels, tolerances, on_level
        self.walls: Walls | None = None  # of the section that is read
        self.deadline = np.inf  # on time.thread_time(): polygons that are left then are not read
        self._read: dict[tuple, Outline | None] = {}

    def outlines(self, area: CrossSection, tolerance: float) -> tuple[list[Outline], list[Outline]]:
        """Outer outlines and holes, largest first."""
        outer: list[Outline] = []
        holes: list[Outline] = []
        for part in area.to_polygons():
            if (outer or holes) and self.out_of_time:
                break
            polygon = np.asarray(part, np.float64)
            if np.prod(np.ptp(polygon, axis=0)) < LEAST_AREA * self.size**2:
                continue
            outline = self._outline(polygon, tolerance)
            if outline is not None and abs(outline.area) >= LEAST_AREA * self.size**2:
                (outer if outline.area > 0 else holes).append(outline)
        outer.sort(key=lambda outline: -abs(outline.area))
        holes.sort(key=lambda outline: -abs(outline.area))
        return outer, holes

    @property
    def out_of_time(self) -> bool:
        return time.thread_time() > self.deadline

    def _outline(self, polygon: np.ndarray, tolerance: float) -> Outline | None:
        spread = np.concatenate((*bounding_box(polygon), polygon.mean(axis=0), polygon.std(axis=0)))
        key = (tolerance, len(polygon), polygon_area(polygon) > 0, *np.round(spread, 3))
        if key not in self._read:
            outlines = (outline_of(polygon, tolerance, walls) for walls in dict.fromkeys((self.walls, None)))
            read = ((outline and on_levels(outline, self.levels, self.on_level), outline) for outline in outlines)
            shapes = itertools.chain.from_iterable(read)  # moved onto the points of its walls, one may cross itself
            self._read[key] = next((shape for shape in shapes if shape is not None and _is_simple(shape)), None)
        return self._read[key]


def _is_simple(outline: Outline) -> bool:
    """Whether OpenCASCADE makes a face of it: Manifold does so of outlines that touch themselves, too."""
    return not isinstance(outline.shape, Loop) or is_simple(np.array(loop_points(outline.shape, SAGITTA)), TOUCHING)


@dataclass(frozen=True)
class Survey:
    """A part as it was measured.

    Args:
        grid: Whose cells end at the part's levels.
        cells: (nx, ny, nz) bool: those that the part fills.
        sections: For each axis the cross-section between each two levels.
        proposals: What it might be made of.
        readers: For each axis.
    """

    grid: Grid
    cells: np.ndarray
    sections: Sequence[Sequence[CrossSection]]
    proposals: Sequence[Proposal | TurnedProposal]
    readers: Sequence[Reader]


def region_of(steps: Sequence[SketchStep]) -> CrossSection:
    """The area of a sketch."""
    return cross_section(Sketch(tuple(steps)), SAGITTA)


def proposals(
    axis: int, sections: Sequence[CrossSection], whole: CrossSection, grid: Grid, reader: Reader
) -> list[Proposal]:
    """Sketches for one axis: whole sections and the silhouette, with and without their holes, single outlines, holes
    alone and together, and what a section lacks of the silhouette.

    Args:
        whole: The silhouette.
    """
    made: dict[tuple, Proposal] = {}

    def propose(steps: tuple[SketchStep, ...], *, adds: bool) -> None:
        if not steps:
            return
        mask = grid.mask(region_of(steps).to_polygons(), axis)
        proposal = Proposal(axis, steps, numbers_of(steps), mask, adds)
        key = (adds, mask.tobytes())
        if mask.any() and (key not in made or made[key].numbers > proposal.numbers):
            made[key] = proposal

    distinct = _distinct(sections)
    for tolerance in reader.tolerances:
        for area in [whole, *distinct]:
            if made and reader.out_of_time:
                break
            outer, holes = reader.outlines(area, tolerance)
            propose(with_holes(outer, holes), adds=True)
            propose(sketch_steps(outer), adds=True)
            for rim in ringed(area, tolerance) if len(outer) == 1 else ():
                propose(rim, adds=True)
                propose(rim + sketch_steps(holes, Mode.SUBTRACT), adds=True)
            for single in outer[:MOST_SINGLES] if len(outer) > 1 else ():
                propose(sketch_steps([single]), adds=True)
            for disc in _discs(outer):
                propose(sketch_steps([disc]), adds=True)
            _propose_alone(holes, propose)
            lacking = (whole - area).offset(-SLIVER, JoinType.Miter).offset(SLIVER, JoinType.Miter)
            if not lacking.is_empty():
                _propose_alone(reader.outlines(lacking, tolerance)[0], propose)
    return list(made.values())


def _discs(outlines: Iterable[Outline]) -> Iterator[Outline]:
    """The circles of which outlines have half or more."""
    for outline in outlines:
        for x, y, radius in discs_of(outline.shape) if isinstance(outline.shape, Loop) else ():
            place = round(x, DECIMALS), round(y, DECIMALS)
            yield Outline(Circle(round(radius, DECIMALS)), place, np.pi * radius**2)


def _propose_alone(outlines: list[Outline], propose: Callable[..., None]) -> None:
    """Together, one by one, and those of one shape."""
    propose(sketch_steps(outlines), adds=False)
    if len(outlines) < 2:
        return
    for single in outlines[:MOST_SINGLES]:
        propose(sketch_steps([single]), adds=False)
    for step in sketch_steps(outlines):
        if len(step.places) > 1:
            propose((step,), adds=False)


def _distinct(areas: Iterable[CrossSection]) -> list[CrossSection]:
    """Cross-sections that differ by more than a hair."""
    distinct: list[CrossSection] = []
    for area in areas:
        if area.is_empty():
            continue
        if all(_differ(area, other) for other in distinct[-6:]):
            distinct.append(area)
    return distinct


def _differ(first: CrossSection, second: CrossSection) -> bool:
    a, b = first.area(), second.area()
    if abs(a - b) > 1e-3 * max(a, b):
        return True
    return (first ^ second).area() < (1 - 1e-3) * max(a, b)
