"""The faces of a part as a person sees them, and which of its named numbers move which of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cadrecode.cloud.distance import point_to_surface
from cadrecode.errors import ProgramError
from cadrecode.geometry import corner_crosses, unit
from cadrecode.links import linked
from cadrecode.part import Part
from cadrecode.pictures import SHARP_DEGREES, neighbours
from cadrecode.program import build, mesh_of
from cadrecode.program.edit import Parameter, set_parameters
from cadrecode.program.solid import sagitta_of

FLAT_DEGREES = 0.5  # triangles that meet at a smaller angle lie in one plane
ALIKE = 0.4  # smaller over larger area of neighbours in one round face: the pieces of a cylinder are alike
PROBES = 3  # triangles that stand for a face, the largest first
CHANGE = 0.03  # of a number
SIDES = 20.0  # the least change, in depths of a side in its circle: sides move when their number changes
MOST = 0.3  # of a number: larger changes meet other features
MOVED = 0.15  # of the change: the least that a face moves with its number; a radius moves by half of its diameter


def face_groups(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(F,) int: the number of the face, a plane or a round wall, that each triangle belongs to."""
    crosses = corner_crosses(np.asarray(vertices, np.float64)[faces])
    normals = unit(crosses)
    _, owner, other, closed = neighbours(vertices, faces)
    owner, other = owner[closed], other[closed]
    angles = np.degrees(np.arccos(np.clip((normals[owner] * normals[other]).sum(1), -1, 1)))
    flat = angles < FLAT_DEGREES
    planes = linked(len(faces), owner[flat], other[flat])
    areas = np.bincount(planes, np.linalg.norm(crosses, axis=1))
    a, b = areas[planes[owner]], areas[planes[other]]
    joined = flat | ((angles < SHARP_DEGREES) & (np.minimum(a, b) > ALIKE * np.maximum(a, b)))
    return linked(len(faces), owner[joined], other[joined])


def moved_faces(part: Part, groups: np.ndarray, numbers: Sequence[Parameter]) -> list[list[int]]:
    """For each face, the indices of the numbers that move it, found by changing each number in turn.

    Args:
        groups: (F,) int, the face that each triangle belongs to, numbered from 0.
        numbers: Of the part's program.
    """
    probes, owner = _probes(part, groups)
    moved: list[list[int]] = [[] for _ in range(int(groups.max()) + 1)]
    sagitta = sagitta_of(part.tree) if part.tree else 0.0
    for index, number in enumerate(numbers):
        change = min(max(CHANGE * abs(number.value), SIDES * sagitta), MOST * abs(number.value))
        try:
            grown = {number.name: number.value + np.copysign(change, number.value)}
            other = build(set_parameters(part.tree, grown, named_like=part.named_like), sagitta)
        except ProgramError:
            continue  # the change leaves nothing, or more than the budget allows
        away = point_to_surface(probes, *mesh_of(other)) > MOVED * change
        for group in np.unique(owner[away]):
            moved[group].append(index)
    return moved


def _probes(part: Part, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The middles of the largest triangles of each face: (P, 3) RAW, and (P,) int their faces."""
    corners = part.vertices[part.faces]
    order = np.lexsort((-np.linalg.norm(corner_crosses(corners), axis=1), groups))
    first = np.searchsorted(groups[order], groups[order])
    picked = order[np.arange(len(order)) - first < PROBES]
    return corners[picked].mean(axis=1), groups[picked]
