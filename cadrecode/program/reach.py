"""How far an extrusion or a cut goes that ends at the next or the last face of the body."""

from __future__ import annotations

import itertools

import numpy as np

from cadrecode.errors import Message, ProgramError
from cadrecode.program import language as cad
from cadrecode.program.planes import axes
from cadrecode.program.section import cross_section
from cadrecode.program.solid import build, mesh_of, sagitta_of

LEVEL_DECIMALS = 6  # of a level, which comes from a mesh
SPARE = 1e-4  # of a sketch's area: less is none


def distance_to(body: cad.Program, plane: cad.Plane, sketch: cad.Sketch, until: str, cutting: bool) -> float:
    """The distance by which a sketch is pulled, with its sign.

    An extrusion ends where the body takes up all of the sketch: at the nearest such face ('next') or where the
    farthest one ends ('last'). A cut goes against the normal, and ends where the body does.
    Raises: ProgramError: there is no such face.
    """
    solid = build(body)
    rotation = axes(plane).T
    local = solid.transform(np.column_stack((rotation, -rotation @ np.array(plane.origin, float))))
    area = cross_section(sketch, sagitta_of(body))
    for sign in (-1, 1) if cutting else (1, -1):
        seen = local if sign > 0 else local.mirror((0, 0, 1))
        levels = np.unique(np.round(mesh_of(seen)[0][:, 2], LEVEL_DECIMALS))
        levels = [0.0, *levels[levels > 10**-LEVEL_DECIMALS].tolist()]
        whole = area.area()
        filled = [(area ^ seen.slice((low + high) / 2)).area() / whole for low, high in itertools.pairwise(levels)]
        end = _cut_end(filled, until) if cutting else _extrusion_end(filled, until)
        if end is not None:
            return sign * (int(levels[end]) if levels[end] == int(levels[end]) else levels[end])
    raise ProgramError(
        "There is no face at which the sketch could end.", expected=Message("a face that covers the sketch")
    )


def _cut_end(filled: list[float], until: str) -> int | None:
    """The level at which a cut through the filled intervals ends."""
    solid = [index for index, share in enumerate(filled) if share > SPARE]
    if not solid:
        return None
    if until == "last":
        return solid[-1] + 1
    return next((index for index in range(solid[0], len(filled)) if filled[index] <= SPARE), len(filled))


def _extrusion_end(filled: list[float], until: str) -> int | None:
    covered = [share > 1 - SPARE for share in filled]
    if until == "last":
        last = max((index for index, is_covered in enumerate(covered) if is_covered), default=None)
        ends_flat = last is not None and all(share <= SPARE for share in filled[last + 1 :])
        return last + 1 if ends_flat else None
    start = next((index for index, is_covered in enumerate(covered) if not is_covered), len(covered))
    return next((index for index in range(start, len(covered)) if covered[index]), None)
