"""Fillets and chamfers at the corners of a sketch."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from manifold3d import CrossSection, FillRule, JoinType, OpType

from cadrecode.errors import Message, ProgramError
from cadrecode.program.language import Blend, Corners
from cadrecode.program.selectors import Item, selected

LEAST_TURN = math.radians(24)  # of a corner; a circle of 16 sides turns by 22.5 degrees at each
OUTWARD = 1e-3  # of a blend's size: how far its tool reaches out of the material, so that nothing thin is left
NEAR = 1e-4  # of a blend's size: a chip that comes this near to a corner is cut off that corner


@dataclass(frozen=True)
class _Corner:
    """A corner of an outline, which has its material to the left.

    Args:
        outline: (n, 2) float64.
        index: The corner's index in the outline.
        turn: Radians, positive where the material's corner is convex.
    """

    outline: np.ndarray
    index: int
    turn: float

    @property
    def point(self) -> np.ndarray:
        return self.outline[self.index]

    def walk(self, step: int, distance: float) -> list[np.ndarray]:
        """Points along the outline, away from the corner, up to a distance."""
        points: list[np.ndarray] = []
        index, left = self.index, distance
        for _ in range(len(self.outline)):
            here, there = self.outline[index], self.outline[(index + step) % len(self.outline)]
            length = math.dist(here, there)
            if length >= left:
                return [*points, here + (there - here) * (left / length)]
            points.append(there)
            index, left = (index + step) % len(self.outline), left - length
        return points

    def lengths(self) -> tuple[float, float]:
        """The lengths of the edges before and after it."""
        n = len(self.outline)
        neighbours = self.outline[(self.index - 1) % n], self.outline[(self.index + 1) % n]
        return math.dist(neighbours[0], self.point), math.dist(neighbours[1], self.point)


def blended(area: CrossSection, corners: Corners, segments: int) -> CrossSection:
    """An area with its corners rounded or bevelled.

    Args:
        segments: Sides of a full circle of the fillet's radius.
    Raises: ProgramError: it has no such corner.
    """
    chosen = list(_chosen(area, corners.selector))
    if not chosen:
        raise ProgramError(
            "The sketch has no corner to {blend}.",
            expected=Message("a sketch with corners"),
            blend=Message(corners.blend),
        )
    make = _fillet if corners.blend is Blend.FILLET else _bevel
    tools = [(corner, make(corner, corners.size, segments)) for corner in chosen]
    chips = [tool for corner, tool in tools if tool is not None and corner.turn > 0]
    fills = [tool for corner, tool in tools if tool is not None and corner.turn < 0]
    rounded, radius = area, corners.size
    for sign, pieces in ((1, chips), (-1, fills)):
        curved = [corner for corner, tool in tools if tool is None and sign * corner.turn > 0]
        if curved:
            there = area.offset(-sign * radius, JoinType.Miter, 10.0, segments)
            back = there.offset(sign * radius, JoinType.Round, circular_segments=segments)
            pieces += _touching(area - back if pieces is chips else back - area, curved, radius)
    if chips:
        rounded = rounded - CrossSection.batch_boolean(chips, OpType.Add)
    if fills:
        rounded = rounded + CrossSection.batch_boolean(fills, OpType.Add)
    return rounded


def _chosen(area: CrossSection, selector: str | None) -> list[_Corner]:
    corners = [corner for outline in area.to_polygons() for corner in _corners_of(np.array(outline))]
    if selector is None:
        return corners
    items = [Item((*map(float, corner.point), 0.0)) for corner in corners]
    return [corners[index] for index in selected(items, selector)]


def _corners_of(outline: np.ndarray) -> Iterator[_Corner]:
    edges = np.roll(outline, -1, axis=0) - outline
    angles = np.arctan2(edges[:, 1], edges[:, 0])
    turns = (angles - np.roll(angles, 1) + math.pi) % math.tau - math.pi
    for index in np.flatnonzero(np.abs(turns) > LEAST_TURN):
        yield _Corner(outline, int(index), float(turns[index]))


def _fillet(corner: _Corner, radius: float, segments: int) -> CrossSection | None:
    """The area that a fillet takes away or fills; None where an edge is too short, as those of arcs are."""
    setback = radius * math.tan(abs(corner.turn) / 2)
    if setback > min(corner.lengths()) * (1 + NEAR):
        return None
    (first,), (last,) = corner.walk(-1, setback)[-1:], corner.walk(1, setback)[-1:]
    inward = (first + last) / 2 - corner.point
    center = corner.point + inward / np.linalg.norm(inward) * radius / math.cos(corner.turn / 2)
    start = math.atan2(*(first - center)[::-1])
    pieces = max(2, math.ceil(abs(corner.turn) / math.tau * segments))
    angles = start + corner.turn * np.arange(pieces + 1) / pieces
    arc = center + radius * np.column_stack((np.cos(angles), np.sin(angles)))
    return _tool(corner, radius, arc)


def _bevel(corner: _Corner, length: float, _: int) -> CrossSection:
    before, after = corner.walk(-1, length), corner.walk(1, length)
    chord = np.array([before[-1], after[-1]])
    return _tool(corner, length, chord, before[:-1], after[:-1])


def _tool(
    corner: _Corner, size: float, inner: np.ndarray, before: Sequence[np.ndarray] = (), after: Sequence[np.ndarray] = ()
) -> CrossSection:
    away = corner.point - (inner[0] + inner[-1]) / 2
    tip = corner.point + away / np.linalg.norm(away) * size * OUTWARD
    return CrossSection([np.array([*inner, *after[::-1], tip, *before])], FillRule.NonZero)


def _touching(pieces: CrossSection, corners: list[_Corner], radius: float) -> list[CrossSection]:
    """The pieces of an area that have one of the corners."""
    points = np.array([corner.point for corner in corners])
    touching = []
    for piece in pieces.decompose():
        vertices = np.concatenate(piece.to_polygons())
        distances = np.linalg.norm(vertices[:, None] - points, axis=2)
        if distances.min() < NEAR * radius:
            touching.append(piece)
    return touching
