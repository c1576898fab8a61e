"""Round parts and round features: half profiles, turned about the lines on which the arcs of the sections stand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from manifold3d import CrossSection, Manifold, OpType

from cadrecode.measure.features import OVERSHOOT, profile_numbers, sketch_steps, with_holes
from cadrecode.measure.grid import Grid, along, inside
from cadrecode.measure.outlines import DECIMALS, Outline
from cadrecode.measure.proposals import Reader, TurnedProposal, region_of
from cadrecode.measure.walls import circle_through_all
from cadrecode.program.language import Arc, Circle, Loop, Point2, SketchStep
from cadrecode.program.solid import mesh_of

SAME_CENTER = 0.3  # CODE: arcs whose centres are nearer stand on one line
LEAST_ROUND = 0.25  # of all walls along an axis: a line with less of them is not that of the whole part
MOST_CENTERS = 6  # lines along one axis
SAME_RADIUS = 0.15  # CODE: a feature whose radii differ by less is a cylinder, which a circle says better
HALF_SECTIONS = 8  # planes through the line in which the half profile is looked for; each has two
ALIKE = 0.02  # of its area: half sections that differ by less are of one profile
MOUTH = 1e-3  # CODE: how far from the end of the part the mouth of a hole is measured
GOLDEN = (np.sqrt(5) - 1) / 2

Profile = Callable[[int, Point2], CrossSection]  # of an axis and a place on the sketches across it


@dataclass(frozen=True)
class Ring:
    """An arc of an outline.

    Args:
        interval: Between two levels.
        is_hole: Whether material is outside of it.
        wall: The area of the wall that it stands for.
    """

    interval: int
    center: np.ndarray
    radius: float
    is_hole: bool
    wall: float


@dataclass(frozen=True)
class Span:
    """Levels between which rings of one kind follow each other; `radius` is the smallest of them."""

    first: int
    last: int
    radius: float
    is_hole: bool


def turned_proposals(
    axis: int, sections: Sequence[CrossSection], profile: Profile, grid: Grid, plane: Reader, meridian: Reader
) -> list[TurnedProposal]:
    """What may be turned about lines along one axis: the whole part, bosses and holes.

    Args:
        sections: Across the axis, between each two levels.
        profile: The half profile about a line: (distance from the line, height).
        plane, meridian: Read the sections and the half profiles.
    """
    levels = grid.levels[axis]
    rings = [ring for index, area in enumerate(sections) for ring in _rings(index, area, plane, levels)]
    walls = sum(_perimeter(area) * height for area, height in zip(sections, np.diff(levels)))
    made: list[TurnedProposal] = []
    for index, group in enumerate(_about_one_line(rings)[:MOST_CENTERS]):
        is_main = index == 0 and sum(ring.wall for ring in group) > LEAST_ROUND * walls
        spans = [span for is_hole in (False, True) for span in _changing(group, is_hole)]
        if is_main or spans:
            middle = np.average([ring.center for ring in group], axis=0, weights=[ring.wall for ring in group])
            center = _short(middle[0]), _short(middle[1])
            whole = profile(axis, center)
            if whole.is_empty():
                continue
            regions = [(whole, True)] if is_main else []
            regions += [(_within(whole, levels, span), not span.is_hole) for span in spans]
            for region, adds in regions:
                made += _read(axis, center, region, grid, meridian, adds=adds)
    return made


def _within(whole: CrossSection, levels: np.ndarray, span: Span) -> CrossSection:
    """The profile of a boss or of a hole: what of the whole profile is filled, or empty, next to the line."""
    low, high = float(levels[span.first]), float(levels[span.last])
    right = whole.bounds()[2] + OVERSHOOT
    slab = CrossSection.square((right, high - low)).translate((0, low))
    parts = (slab - whole if span.is_hole else slab ^ whole).decompose()
    kept = [part for part in parts if part.bounds()[0] < span.radius and part.bounds()[2] < right]
    if span.is_hole:  # on beyond the part, where the hole ends with it
        for at, is_end in ((low, span.first == 0), (high, span.last == len(levels) - 1)):
            for part in kept if is_end else ():
                mouth = part ^ CrossSection.square((right, 2 * MOUTH)).translate((0, at - MOUTH))
                left, _, wide, _ = mouth.bounds() if not mouth.is_empty() else (0, 0, 0, 0)
                if wide > left:
                    below = OVERSHOOT if at == low else 0.0
                    kept.append(CrossSection.square((wide - left, OVERSHOOT)).translate((left, at - below)))
                    break
    return CrossSection.batch_boolean(kept, OpType.Add) if kept else CrossSection()


def _read(
    axis: int, center: Point2, region: CrossSection, grid: Grid, reader: Reader, *, adds: bool
) -> Iterable[TurnedProposal]:
    for tolerance in reader.tolerances:
        outer, holes = reader.outlines(region, tolerance)
        for steps in {sketch_steps(outer): None, with_holes(outer, holes): None}:
            steps = _beside_axis(steps)
            if steps:
                own = _turned_cells(steps, axis, center, grid)
                yield TurnedProposal(axis, center, steps, profile_numbers(steps), own, adds)


def _beside_axis(steps: tuple[SketchStep, ...]) -> tuple[SketchStep, ...]:
    """The steps with no corner beyond the line that they are turned about."""

    def beside(place: Point2) -> Point2:
        return max(place[0], 0.0), place[1]

    moved = []
    for step in steps:
        if isinstance(step.shape, Loop):
            edges = tuple(replace(edge, end=beside(edge.end)) for edge in step.shape.edges)
            step = replace(step, shape=Loop(beside(step.shape.start), edges))
        moved.append(step)
    return tuple(moved)


def _turned_cells(steps: tuple[SketchStep, ...], axis: int, center: Point2, grid: Grid) -> np.ndarray:
    u, v = grid.across(axis)
    distance = np.hypot(*np.meshgrid(u - center[0], v - center[1], indexing="ij"))
    radii, column = np.unique(distance, return_inverse=True)
    filled = inside([np.asarray(part) for part in region_of(steps).to_polygons()], radii, grid.places[axis])
    cells = np.zeros(grid.shape, bool)
    along(cells, axis)[:] = filled[column.reshape(distance.shape)].transpose(2, 0, 1)
    return cells


# --- lines that arcs stand on


def _rings(interval: int, area: CrossSection, reader: Reader, levels: np.ndarray) -> list[Ring]:
    height = float(levels[interval + 1] - levels[interval])
    return [
        Ring(interval, np.array(center), radius, is_hole, length * height)
        for outlines, is_hole in zip(reader.outlines(area, reader.tolerances[0]), (False, True))
        for outline in outlines
        for center, radius, length in _arcs(outline)
    ]


def _arcs(outline: Outline) -> list[tuple[tuple[float, float], float, float]]:
    """Centre, radius and length of each round part of an outline."""
    if isinstance(outline.shape, Circle):
        return [(outline.place, outline.shape.radius, 2 * np.pi * outline.shape.radius)]
    if not isinstance(outline.shape, Loop):
        return []
    arcs, start = [], outline.shape.start
    for edge in outline.shape.edges:
        if isinstance(edge, Arc):
            x, y, radius = circle_through_all(np.array((start, edge.middle, edge.end)))
            halves = np.diff((start, edge.middle, edge.end), axis=0)
            arcs.append(((x, y), radius, float(np.hypot(*halves.T).sum())))
        start = edge.end
    return arcs


def _about_one_line(rings: Sequence[Ring]) -> list[list[Ring]]:
    """Rings in groups of one centre, the group with the most wall first."""
    groups: list[list[Ring]] = []
    for ring in sorted(rings, key=lambda ring: -ring.wall):
        for group in groups:
            if np.hypot(*(group[0].center - ring.center)) < SAME_CENTER:
                group.append(ring)
                break
        else:
            groups.append([ring])
    return sorted(groups, key=lambda group: -sum(ring.wall for ring in group))


def _changing(group: Sequence[Ring], is_hole: bool) -> list[Span]:
    """Spans over which rings of one kind follow each other with different radii."""
    widest: dict[int, float] = {}
    for ring in group:
        if ring.is_hole is is_hole:
            widest[ring.interval] = max(ring.radius, widest.get(ring.interval, 0.0))
    spans = []
    for first in sorted(widest):
        if first - 1 in widest:
            continue
        last = first
        while last in widest:
            last += 1
        radii = [widest[index] for index in range(first, last)]
        if max(radii) - min(radii) > SAME_RADIUS:
            spans.append(Span(first, last, min(radii), is_hole))
    return spans


def _short(value: float) -> float:
    return round(float(value), DECIMALS) + 0.0


def _perimeter(area: CrossSection) -> float:
    parts = [np.asarray(part) for part in area.to_polygons()]
    return float(sum(np.hypot(*(np.roll(part, -1, axis=0) - part).T).sum() for part in parts))


# --- half profiles of a closed solid


class HalfSections:
    """Half profiles of a closed solid: those that most of its half sections through a line agree on."""

    def __init__(self, solid: Manifold, size: float):
        self.solid, self.vertices, self.size = solid, mesh_of(solid)[0], size

    def __call__(self, axis: int, center: Point2) -> CrossSection:
        angles = np.pi * ((np.arange(HALF_SECTIONS) * GOLDEN) % 1)
        halves = [half for angle in angles for half in self._halves(axis, center, angle)]
        middle = _medoid(halves)
        nearest = self._at_vertices(axis, center, angles)
        alike = [half for angle in nearest for half in self._halves(axis, center, angle) if _alike(half, middle)]
        return max(alike, key=CrossSection.area, default=middle)

    def _at_vertices(self, axis: int, center: Point2, angles: np.ndarray) -> np.ndarray:
        """For each angle the one near it in which most corners of round faces lie: their radius is the true one."""
        u, v = self.vertices[:, (axis + 1) % 3] - center[0], self.vertices[:, (axis + 2) % 3] - center[1]
        window = np.pi / HALF_SECTIONS
        bins = np.round(np.degrees(np.arctan2(v, u)) % 180 * 20).astype(int) % 3600
        counts = np.bincount(bins[np.hypot(u, v) > 1e-3 * self.size], minlength=3600)
        at = np.radians(np.arange(3600) / 20)
        gap = np.abs((at[None] - angles[:, None] + np.pi / 2) % np.pi - np.pi / 2)
        return at[np.where(gap < window, counts[None], -1).argmax(axis=1)]

    def _halves(self, axis: int, center: Point2, angle: float) -> tuple[CrossSection, CrossSection]:
        first, second, up = np.eye(3)[[(axis + 1) % 3, (axis + 2) % 3, axis]]
        outward = np.cos(angle) * first + np.sin(angle) * second
        rows = np.stack((outward, up, np.cross(outward, up)))
        moved = -rows @ (center[0] * first + center[1] * second)
        section = self.solid.transform(np.column_stack((rows, moved))).slice(0.0)
        reach = 4 * self.size
        right = CrossSection.square((reach, 2 * reach)).translate((0, -reach))
        return section ^ right, section.mirror((1, 0)) ^ right


def _alike(one: CrossSection, other: CrossSection) -> bool:
    return one.area() + other.area() - 2 * (one ^ other).area() < ALIKE * other.area()


def _medoid(areas: Sequence[CrossSection]) -> CrossSection:
    """The area that differs least from all the others."""
    own = np.array([area.area() for area in areas])
    differs = np.zeros((len(areas), len(areas)))
    for i in range(len(areas)):
        for j in range(i):
            differs[i, j] = differs[j, i] = own[i] + own[j] - 2 * (areas[i] ^ areas[j]).area()
    return areas[int(differs.sum(axis=1).argmin())]
