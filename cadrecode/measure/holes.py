"""Holes that a search by volume leaves out: read off the sections, one by one, and cut where the features fill them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from manifold3d import CrossSection, JoinType, Manifold, OpType

from cadrecode.measure.features import Feature, Prism, sketch_steps, span_between
from cadrecode.measure.judge import Judge, with_hole
from cadrecode.measure.outlines import Outline
from cadrecode.measure.proposals import Survey, region_of
from cadrecode.measure.turning import across
from cadrecode.program.language import Circle, Operation

EMPTY, FILLED = 0.04, 0.5  # of a hole's area: what the part may fill of it, and what the features must for a cut
SAME_SHAPE = 0.05  # CODE
RING, AROUND = 0.35, 0.9  # of a hole's radius: a ring around it; and how much of the ring is material around a hole


@dataclass(frozen=True)
class Hole:
    """An empty column of the part.

    Args:
        axis: Along which it goes.
        first, last: The intervals between levels that it passes through, both included.
        outline: The column's outline.
        region: The same as an area.
    """

    axis: int
    first: int
    last: int
    outline: Outline
    region: CrossSection


def holes_of(part: Survey) -> list[Hole]:
    """The holes in the sections across the three axes, each as deep as the part leaves it empty."""
    holes: list[Hole] = []
    for axis, sections in enumerate(part.sections):
        for index, section in enumerate(sections):
            _, outlines = part.readers[axis].outlines(section, part.readers[axis].tolerances[0])
            for outline in outlines:
                known = any(
                    hole.axis == axis and hole.first <= index <= hole.last and _alike(hole.outline, outline)
                    for hole in holes
                )
                if not known:
                    region = region_of(sketch_steps([outline]))
                    first, last = _depth(region, sections, index)
                    holes.append(Hole(axis, first, last, outline, region))
    return holes


def _alike(first: Outline, second: Outline) -> bool:
    if isinstance(first.shape, Circle) and isinstance(second.shape, Circle):
        return np.allclose((first.shape.radius, *first.place), (second.shape.radius, *second.place), atol=SAME_SHAPE)
    return (first.shape, first.place) == (second.shape, second.place)


def _depth(region: CrossSection, sections: Sequence[CrossSection], index: int) -> tuple[int, int]:
    """The first and the last interval that the part leaves empty from here on."""
    area = region.area()

    def is_empty(other: int) -> bool:
        return 0 <= other < len(sections) and (region ^ sections[other]).area() < EMPTY * area

    first = last = index
    while is_empty(first - 1):
        first -= 1
    while is_empty(last + 1):
        last += 1
    return first, last


def with_missing_holes(
    features: tuple[Feature, ...], part: Survey, holes: Sequence[Hole], judge: Judge
) -> tuple[Feature, ...]:
    """Cuts added for holes that the features fill, those of one kind together, largest first."""
    missing = _missing(judge.build(features), part, holes)
    groups: dict[tuple, list[Hole]] = {}
    for hole in missing:
        radius = round(hole.outline.shape.radius, 1) if isinstance(hole.outline.shape, Circle) else hole.outline
        groups.setdefault((hole.axis, hole.first, hole.last, radius), []).append(hole)
    for group in sorted(groups.values(), key=lambda group: -sum(hole.region.area() for hole in group)):
        if judge.out_of_time:
            break
        after = with_hole(features, (*features, _cut(group, part)), judge)
        if after == features and len(group) > 1:
            for hole in group:
                after = with_hole(after, (*after, _cut([hole], part)), judge)
        features = after
    return features


def with_missing_lugs(
    features: tuple[Feature, ...], part: Survey, holes: Sequence[Hole], judge: Judge
) -> tuple[Feature, ...]:
    """Material joined around holes that stand in the air beside the features, with their holes: an eyelet is too little
    of a part for a search by volume."""
    for hole in sorted(holes, key=lambda hole: -hole.region.area()):
        if judge.out_of_time:
            break
        ring = hole.region.offset(RING * np.sqrt(hole.region.area() / np.pi), JoinType.Round) - hole.region
        turned, levels, sections = across(judge.build(features), hole.axis), part.grid.levels[hole.axis], part.sections
        stands = [(ring ^ section).area() > AROUND * ring.area() for section in sections[hole.axis]]
        for first, last in _runs(stands):
            middle = (first + last) // 2
            section = sections[hole.axis][middle]
            own = turned.slice(float(levels[middle] + levels[middle + 1]) / 2)
            if (ring ^ own).area() > AROUND * ring.area():
                continue
            lacking = [piece for piece in (section - own).decompose() if (piece ^ ring).area() > EMPTY * ring.area()]
            lug = CrossSection.batch_boolean([*lacking, hole.region, ring], OpType.Add)
            outlines, _ = part.readers[hole.axis].outlines(lug, part.readers[hole.axis].tolerances[-1])
            if not outlines:
                continue
            low, high = span_between(Operation.UNION, levels, first, last + 1)
            eye = Prism(Operation.UNION, hole.axis, low, high, sketch_steps(outlines[:1]))
            features = with_hole(features, (*features, eye, _cut([replace(hole, first=first, last=last)], part)), judge)
    return features


def _runs(flags: Sequence[bool]) -> list[tuple[int, int]]:
    """The first and the last index of each run of true flags."""
    ends = np.flatnonzero(np.diff(np.concatenate(([0], flags, [0])).astype(int)))
    return [(int(first), int(end) - 1) for first, end in ends.reshape(-1, 2)]


def _cut(holes: Sequence[Hole], part: Survey) -> Feature:
    axis, levels = holes[0].axis, part.grid.levels[holes[0].axis]
    steps = sketch_steps([replace(hole.outline, area=abs(hole.outline.area)) for hole in holes])
    return Prism(Operation.CUT, axis, *span_between(Operation.CUT, levels, holes[0].first, holes[0].last + 1), steps)


def _missing(body: Manifold, part: Survey, holes: Sequence[Hole]) -> list[Hole]:
    """Those that the body fills somewhere along their way."""
    missing = []
    for axis in range(3):
        here = [hole for hole in holes if hole.axis == axis]
        if not here:
            continue
        turned, levels = across(body, axis), part.grid.levels[axis]
        slices = [turned.slice(float(middle)) for middle in (levels[:-1] + levels[1:]) / 2]
        for hole in here:
            filled = [(hole.region ^ slices[index]).area() for index in range(hole.first, hole.last + 1)]
            if max(filled) > FILLED * hole.region.area():
                missing.append(hole)
    return missing
