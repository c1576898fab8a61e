"""Cuts of round parts: flats, keyways and slots, as boxes that reach beyond the part."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from manifold3d import CrossSection, JoinType

from cadrecode.geometry import turned_left
from cadrecode.measure.features import OVERSHOOT, numbers_of, sketch_steps
from cadrecode.measure.grid import Grid
from cadrecode.measure.outlines import DECIMALS, Outline, rect_between
from cadrecode.measure.proposals import LEAST_AREA, SLIVER, Proposal, region_of
from cadrecode.program.language import Loop, Point2

MOST_CHIPS = 8  # of one section
THIN = 1e-3  # CODE: the height of the slice of a profile that says how far it reaches
OVERLAP = 0.05  # of a chip's area: the most that its box may cut from the part
SEGMENTS = 256  # of a circle


def chips(
    axis: int, center: Point2, whole: CrossSection, sections: Sequence[CrossSection], grid: Grid, slack: float
) -> list[Proposal]:
    """Cuts across an axis that make a turned profile into the part.

    Args:
        center: Where the line stands that the profile is turned about.
        whole: The half profile.
        sections: Sections of the part, between each two levels.
        slack: What is narrower is no chip.
    """
    made: dict[bytes, Proposal] = {}
    levels = grid.levels[axis]
    for section, height in zip(sections, (levels[:-1] + levels[1:]) / 2):
        boxes = _boxes(section, center, *_turned(whole, float(height), center), max(slack, SLIVER))
        for outlines in [boxes, *([box] for box in boxes if len(boxes) > 1)]:
            steps = sketch_steps(outlines)
            mask = grid.mask(region_of(steps).to_polygons(), axis) if steps else None
            if mask is not None and mask.any():
                made.setdefault(mask.tobytes(), Proposal(axis, steps, numbers_of(steps), mask, adds=False))
    return list(made.values())


def _turned(whole: CrossSection, height: float, center: Point2) -> tuple[CrossSection, float]:
    """The section of the turned profile at a height, and its radius."""
    reach = 2 * max(whole.bounds()[2], 1.0)
    area, radius = CrossSection(), 0.0
    slice_ = whole ^ CrossSection.square((reach, THIN)).translate((0, height - THIN / 2))
    for part in slice_.decompose():
        if part.is_empty():  # a sliver that has lost its area
            continue
        inner, _, outer, _ = part.bounds()
        disc = CrossSection.circle(outer, SEGMENTS)
        area = area + (disc - CrossSection.circle(inner, SEGMENTS) if inner > THIN else disc)
        radius = max(radius, outer)
    return area.translate(center), radius


def _boxes(section: CrossSection, center: Point2, turned: CrossSection, radius: float, slack: float) -> list[Outline]:
    """A box for each chip that is open to the outside, the largest first."""
    lacking = (turned - section).offset(-slack, JoinType.Miter).offset(slack, JoinType.Miter)
    boxes = []
    for part in sorted(lacking.decompose(), key=lambda part: -part.area())[:MOST_CHIPS]:
        if part.area() <= LEAST_AREA * 4 * radius**2:  # nothing, where the profile has no section at this height
            break
        corners = np.concatenate(part.to_polygons()) - center
        if np.hypot(*corners.T).max() < radius - 2 * slack:
            continue
        outward = corners.mean(axis=0)
        ways = [np.eye(2)[k] * np.sign(outward[k]) for k in (int(np.abs(outward).argmax()),) if outward.any()]
        for way in [*ways, outward / max(np.hypot(*outward), 1e-9)]:
            box = _box(corners, way, radius + OVERSHOOT, center)
            if box is not None and (region_of(sketch_steps([box])) ^ section).area() < OVERLAP * part.area():
                boxes.append(box)
                break
    return boxes


def _box(corners: np.ndarray, way: np.ndarray, reach: float, center: Point2) -> Outline | None:
    """The box around corners about the center, as far outward as the reach."""
    aside = turned_left(way)
    first, last = (corners @ way).min(), reach
    low, high = (corners @ aside).min(), (corners @ aside).max()
    if not (last > first and high > low):
        return None
    ends = [np.add(center, a * way + b * aside) for a, b in ((first, low), (last, low), (last, high), (first, high))]
    points = [(round(float(x), DECIMALS) + 0.0, round(float(y), DECIMALS) + 0.0) for x, y in ends]
    area = float((last - first) * (high - low))
    if np.abs(way).max() < 1:
        return Outline(Loop.through(points), (0.0, 0.0), area)
    return Outline(*rect_between(np.min(points, axis=0), np.max(points, axis=0)), area)
