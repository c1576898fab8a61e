"""Round parts and round features: half profiles, turned about the lines on which the arcs of the sections stand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from manifold3d import CrossSection, JoinType, OpType

from cadrecode.geometry import perimeter
from cadrecode.measure.chips import chips
from cadrecode.measure.features import OVERSHOOT, profile_numbers, sketch_steps, wedge_numbers, with_holes
from cadrecode.measure.grid import Grid, along, inside
from cadrecode.measure.outlines import Outline, short
from cadrecode.measure.proposals import Proposal, Reader, TurnedProposal, region_of
from cadrecode.measure.walls import circle_through_all
from cadrecode.program.language import Arc, Circle, Loop, Point2, SketchStep

SAME_CENTER = 0.3  # CODE: arcs whose centres are nearer stand on one line
LEAST_ROUND = 0.25  # of all walls along an axis: a line with less of them is not that of the whole part
MOST_CENTERS = 6  # lines along one axis
MOST_LEVELS = 8  # of a part whose profile is looked at in pieces too
STRAIGHT = 0.97  # of the rectangle around it: a profile that fills more is that of a cylinder
SAME_RADIUS = 0.15  # CODE: a feature whose radii differ by less is a cylinder, which a circle says better
WHOLE = 0.0, 360.0  # where a whole turn begins, and its degrees
LEAST_BEND = 0.25  # of the volume of the part
NEW_LEVEL = 0.5  # CODE, from all others
MOUTH = 1e-3  # CODE: how far from the end of the part the mouth of a hole is measured


class Profiles(Protocol):
    """Half profiles of a part about lines along its axes."""

    steps_show: bool  # whether sections between levels are so many that a slanted wall has several

    def main(self, axis: int) -> Point2 | None:
        """Where the line stands about which the whole part is round; None where the sections have to say."""

    def by_points(self, axis: int) -> Point2 | None:
        """The same by points of the surface, where the sections do not say: those of a scan have no arcs."""

    def refined(self, axis: int, center: Point2, radius: float) -> Point2:
        """The place of a line that the arcs of sections, of this radius at most, have shown."""

    def about(self, axis: int, center: Point2) -> tuple[CrossSection, Reader]:
        """Distances from a line and heights that the part fills, and what reads them as outlines."""

    def wedges(self, axis: int, center: Point2) -> list[tuple[float, float, CrossSection, Reader]]:
        """Parts of a turn about a line: where they begin and by how much they are turned, degrees; what they fill, and
        what reads it."""


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
    axis: int, sections: Sequence[CrossSection], profiles: Profiles, grid: Grid, reader: Reader
) -> list[Proposal | TurnedProposal]:
    """Profiles to turn about lines along one axis: of the whole part, of bosses and holes; and cuts of such a part.

    Args:
        sections: Across the axis, between each two levels.
        reader: Reads the sections.
    """
    levels = grid.levels[axis]
    rings = [ring for index, area in enumerate(sections) for ring in _rings(index, area, reader, levels)]
    groups = _about_one_line(rings)[:MOST_CENTERS]
    made: list[Proposal | TurnedProposal] = []
    own = profiles.main(axis)
    main = own or _main_line(groups, sections, levels) or profiles.by_points(axis)
    if main is not None:
        whole, meridian = profiles.about(axis, main)
        cavities = _cavities(whole)
        whole = CrossSection.batch_boolean([whole, *cavities], OpType.Add)
        for region in (whole, *_parts(whole, levels)):
            made += _read(axis, main, region, grid, meridian)
        for region in cavities:
            made += _read(axis, main, region, grid, meridian, adds=False)
        made += [] if whole.is_empty() else chips(axis, main, whole, sections, grid, reader.on_level)
    exact = [_center(group) for group in groups] if profiles.steps_show else [own] * (own is not None)
    for line in exact:
        for start, degrees, region, meridian in profiles.wedges(axis, line):
            made += () if _is_straight(region) else _read(axis, line, region, grid, meridian, (start, degrees))
    for group in groups:
        spans = [span for is_hole in (False, True) for span in _spans(group, is_hole, changing=profiles.steps_show)]
        if not spans:
            continue
        center = profiles.refined(axis, _center(group), max(ring.radius for ring in group))
        whole, meridian = profiles.about(axis, center)
        solid = CrossSection.batch_boolean([whole, *_cavities(whole)], OpType.Add)
        for span in spans if not whole.is_empty() else ():
            region = _within(whole if span.is_hole else solid, levels, span, meridian.on_level)
            if not region.is_empty() and not _is_straight(region):
                made += _read(axis, center, region, grid, meridian, adds=not span.is_hole)
    return made


def ends_of_bends(
    proposals: Sequence[Proposal | TurnedProposal], grid: Grid, levels: Sequence[np.ndarray], volume: float
) -> list[list[float]]:
    """Levels along the three axes at which parts of a turn end: where a pipe goes on straight, the part has no face.

    Args:
        levels: Those that are known.
        volume: Of the part; a bend has at least LEAST_BEND of it.
    """
    ends: list[list[float]] = [[], [], []]
    for turned in proposals:
        if not isinstance(turned, TurnedProposal) or turned.degrees == WHOLE[1]:
            continue
        if grid.volume(turned.own) < LEAST_BEND * volume:
            continue
        for angle in (turned.start, turned.start + turned.degrees):
            if angle % 90 == 0:
                side = 1 if angle % 180 == 0 else 0
                axis, height = (turned.axis + 1 + side) % 3, turned.center[side]
                known = [*levels[axis], *ends[axis]]
                if levels[axis][0] < height < levels[axis][-1] and np.abs(np.subtract(known, height)).min() > NEW_LEVEL:
                    ends[axis].append(height)
    return ends


def _center(group: Sequence[Ring]) -> Point2:
    middle = np.average([ring.center for ring in group], axis=0, weights=[ring.wall for ring in group])
    return short(middle[0]), short(middle[1])


def _main_line(groups: Sequence[Sequence[Ring]], sections: Sequence[CrossSection], levels: np.ndarray) -> Point2 | None:
    """Where most of the round walls stand, where they are a good part of all walls."""
    walls = sum(sum(map(perimeter, area.to_polygons())) * height for area, height in zip(sections, np.diff(levels)))
    is_main = groups and sum(ring.wall for ring in groups[0]) > LEAST_ROUND * walls
    return _center(groups[0]) if is_main else None


def _parts(whole: CrossSection, levels: np.ndarray) -> list[CrossSection]:
    """The parts of a whole profile above and below each level: a boss on a plate that is not round."""
    if whole.is_empty() or not 2 < len(levels) <= MOST_LEVELS:
        return []
    _, bottom, right, top = whole.bounds()
    parts = []
    for level in levels[1:-1]:
        for low, high in ((bottom, float(level)), (float(level), top)):
            if high > low:
                parts.append(whole ^ CrossSection.square((right, high - low)).translate((0, low)))
    return [part for part in parts if not part.is_empty()]


def _cavities(whole: CrossSection) -> list[CrossSection]:
    """The empty regions next to the line with material above and below; cross holes leave them, too."""
    if whole.is_empty():
        return []
    _, low, right, high = whole.bounds()
    parts = (CrossSection.square((right, high - low)).translate((0, low)) - whole).decompose()
    boxes = [part.bounds() for part in parts]
    return [
        part
        for part, (left, bottom, outer, top) in zip(parts, boxes)
        if left < MOUTH and outer < right - MOUTH and bottom > low + MOUTH and top < high - MOUTH
    ]


def _is_straight(region: CrossSection) -> bool:
    """Whether it is no more than a cylinder, which a circle says better."""
    left, low, right, high = region.bounds()
    return region.area() > STRAIGHT * (right - left) * (high - low)


def _within(whole: CrossSection, levels: np.ndarray, span: Span, slack: float) -> CrossSection:
    """The profile of a boss or of a hole: the filled, or empty, region of the whole profile next to the line.

    Args:
        slack: A gap that is narrower is none: contours end a little within the levels.
    """
    low, high = float(levels[span.first]), float(levels[span.last])
    right = whole.bounds()[2] + OVERSHOOT
    slab = CrossSection.square((right, high - low)).translate((0, low))
    region = slab - whole.offset(slack, JoinType.Miter) if span.is_hole else slab ^ whole
    parts = (region.offset(slack, JoinType.Miter) ^ slab if span.is_hole else region).decompose()
    inner = [part for part in parts if part.bounds()[0] < span.radius and part.bounds()[2] < right]
    if span.is_hole:  # on beyond the part, where the hole ends with it
        for at, is_end in ((low, span.first == 0), (high, span.last == len(levels) - 1)):
            for part in inner if is_end else ():
                mouth = part ^ CrossSection.square((right, 2 * MOUTH)).translate((0, at - MOUTH))
                left, _, wide, _ = mouth.bounds() if not mouth.is_empty() else (0, 0, 0, 0)
                if wide > left:
                    below = OVERSHOOT if at == low else 0.0
                    inner.append(CrossSection.square((wide - left, OVERSHOOT)).translate((left, at - below)))
                    break
    return CrossSection.batch_boolean(inner, OpType.Add) if inner else CrossSection()


def _read(
    axis: int,
    center: Point2,
    region: CrossSection,
    grid: Grid,
    reader: Reader,
    wedge: tuple[float, float] = WHOLE,
    *,
    adds: bool = True,
) -> Iterable[TurnedProposal]:
    for tolerance in reader.tolerances:
        outer, holes = reader.outlines(region, tolerance)
        for steps in {sketch_steps(outer): None, with_holes(outer, holes): None}:
            steps = _beside_axis(steps)
            if steps:
                own = _turned_cells(steps, axis, center, grid, wedge)
                numbers = profile_numbers(steps) + wedge_numbers(*wedge)
                yield TurnedProposal(axis, center, steps, numbers, own, adds, *wedge)


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


def _turned_cells(
    steps: tuple[SketchStep, ...], axis: int, center: Point2, grid: Grid, wedge: tuple[float, float]
) -> np.ndarray:
    u, v = grid.across(axis)
    away = np.meshgrid(u - center[0], v - center[1], indexing="ij")
    distance = np.hypot(*away)
    radii, column = np.unique(distance, return_inverse=True)
    filled = inside(region_of(steps).to_polygons(), radii, grid.places[axis])
    cells = np.zeros(grid.shape, bool)
    along(cells, axis)[:] = filled[column.reshape(distance.shape)].transpose(2, 0, 1)
    if wedge != WHOLE:
        along(cells, axis)[:] &= (np.degrees(np.arctan2(away[1], away[0])) - wedge[0]) % 360 < wedge[1]
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
    arcs = []
    for start, edge in outline.shape.sides:
        if isinstance(edge, Arc):
            places = np.array((start, edge.middle, edge.end))
            x, y, radius = circle_through_all(places)
            arcs.append(((x, y), radius, float(np.hypot(*np.diff(places, axis=0).T).sum())))
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


def _spans(group: Sequence[Ring], is_hole: bool, *, changing: bool) -> list[Span]:
    """Levels over which rings of one kind follow each other; with `changing`, only rings of different radii."""
    radii: dict[int, float] = {}
    for ring in group:
        if ring.is_hole is is_hole:
            radii[ring.interval] = max(ring.radius, radii.get(ring.interval, 0.0))
    spans = []
    for first in sorted(radii):
        if first - 1 in radii:
            continue
        last = first
        while last in radii:
            last += 1
        here = [radii[index] for index in range(first, last)]
        if not changing or max(here) - min(here) > SAME_RADIUS:
            spans.append(Span(first, last, min(here), is_hole))
    return spans
