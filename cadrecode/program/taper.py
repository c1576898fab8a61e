"""Extrusions whose walls lean, as a mould needs them."""

from __future__ import annotations

import math

import numpy as np
from manifold3d import CrossSection, FillRule, JoinType, Manifold, Mesh64, OpType, triangulate

from cadrecode.errors import Message, ProgramError
from cadrecode.geometry import polygon_area
from cadrecode.program import budget
from cadrecode.program.section import segments_of

LAYERS = 24  # of a tapered body whose edges vanish on the way up
LEAST_TURN = 1e-9  # radians


def tapered(area: CrossSection, height: float, degrees: float, sagitta: float) -> Manifold:
    """An area pulled up, its outline moving inward by tan(degrees) on the way; outward where degrees are negative.

    As in OpenCASCADE, a corner that opens becomes part of a cone: a reflex corner inward, a convex corner outward.
    Raises: ProgramError: the area has a hole, which OpenCASCADE does not taper.
    """
    inset = height * math.tan(math.radians(degrees))
    outlines = area.to_polygons()
    if any(polygon_area(outline) < 0 for outline in outlines):
        raise ProgramError("A sketch with a hole is tapered.", expected=Message("a sketch without holes"))
    bodies, triangles = [], 0
    for outline in outlines:
        bodies.append(_frustum(outline, height, inset, sagitta))
        triangles += bodies[-1].num_tri()
        budget.check_triangles(triangles)
        budget.check()
    return bodies[0] if len(bodies) == 1 else Manifold.batch_boolean(bodies, OpType.Add)


def _frustum(outline: np.ndarray, height: float, inset: float, sagitta: float) -> Manifold:
    """Taper an outline, (n, 2) counter-clockwise."""
    groups = _moved_corners(outline, inset, sagitta)
    top = np.concatenate(groups)
    starts = np.cumsum([0, *map(len, groups)])
    first, last, following = starts[:-1], starts[1:] - 1, np.roll(starts[:-1], -1)
    edges, shrunk = np.roll(outline, -1, axis=0) - outline, top[following] - top[last]
    whole = CrossSection([top], FillRule.Positive).area()
    if (np.sum(edges * shrunk, axis=1) <= 0).any() or abs(whole - polygon_area(top)) > 1e-6 * whole:
        return _layered(CrossSection([outline], FillRule.Positive), height, inset, sagitta)
    n = len(outline)
    here, there = np.arange(n), np.roll(np.arange(n), -1)
    walls = np.concatenate(
        (np.column_stack((here, there, n + following)), np.column_stack((here, n + following, n + last)))
    )
    fans = [(i, n + k + 1, n + k) for i in range(n) for k in range(first[i], last[i])]
    faces = np.concatenate(
        (
            np.array(triangulate([outline]))[:, ::-1],
            n + np.array(triangulate([top])),
            walls,
            np.array(fans, int).reshape(-1, 3),
        )
    )
    vertices = np.concatenate(
        (np.column_stack((outline, np.zeros(n))), np.column_stack((top, np.full(len(top), height))))
    )
    return Manifold(Mesh64(vert_properties=vertices, tri_verts=np.ascontiguousarray(faces.astype(np.uint64))))


def _moved_corners(outline: np.ndarray, inset: float, sagitta: float) -> list[np.ndarray]:
    """Where each corner goes: to a single point, or to an arc about itself where the offset opens it."""
    edges = np.roll(outline, -1, axis=0) - outline
    angles = np.arctan2(edges[:, 1], edges[:, 0])
    groups = []
    for corner, before, after in zip(outline, np.roll(angles, 1), angles):
        turn = (after - before + math.pi) % math.tau - math.pi
        if turn * inset < -LEAST_TURN * abs(inset) and abs(turn) > math.tau / 24:
            pieces = max(1, math.ceil(abs(turn) / math.tau * segments_of(abs(inset), sagitta)))
            inward = before + math.pi / 2 + turn * np.arange(pieces + 1) / pieces
            groups.append(corner + inset * np.column_stack((np.cos(inward), np.sin(inward))))
        else:
            inward = before + math.pi / 2 + turn / 2
            reach = inset / max(math.cos(turn / 2), 1e-3)
            groups.append(corner + reach * np.array([[math.cos(inward), math.sin(inward)]]))
    return groups


def _layered(area: CrossSection, height: float, inset: float, sagitta: float) -> Manifold:
    """A stack of thin slabs, each as wide as the body is at half of its height."""
    step = height / LAYERS
    slabs = []
    for layer in range(LAYERS):
        at = (layer + 0.5) / LAYERS
        budget.check()
        outline = area.offset(-inset * at, JoinType.Round, circular_segments=segments_of(abs(inset), sagitta))
        if not outline.is_empty():
            slabs.append(Manifold.extrude(outline, step).translate((0, 0, layer * step)))
            budget.check_triangles(LAYERS * slabs[-1].num_tri())
    return Manifold.batch_boolean(slabs, OpType.Add)
