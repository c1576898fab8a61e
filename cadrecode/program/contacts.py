"""Features that stand on a face of a program, so that they can follow it."""

from __future__ import annotations

import numpy as np

from cadrecode.program.language import Box, Cylinder, Extrusion, Hole, Operation, Program, Solid
from cadrecode.program.outline_sizes import Moves, Path
from cadrecode.program.planes import axes
from cadrecode.program.roles import TOUCHING, axis_of, box_of, span_of

MOST_STEPS = 100  # of a body; comparing each with each takes the square of their number, and longer programs are rare


def followers(program: Program, path: Path, index: int, is_through: bool) -> Moves:
    """The moves that follow if the far end of a step's solid moves outward by 1: features on that face go with it, and
    cuts through the solid still go through.

    Args:
        path: The place in the program.
        is_through: The solid is a cut without a face.
    """
    step = program.steps[index]
    if (
        len(program.steps) > MOST_STEPS
        or is_through
        or step.operation is not Operation.UNION
        or not isinstance(step.solid, Box | Cylinder | Extrusion)
    ):
        return ()
    axis = axis_of(step.solid.plane)
    if axis is None:
        return ()
    outward = _outward(step.solid, axis)
    low, high = box_of(step.solid)[:, axis] * outward
    bottom, faces = min(low, high), [max(low, high)]  # along the outward direction
    slack = TOUCHING * float(np.ptp(box_of(step.solid), axis=0).max())
    waiting = {
        number: other
        for number, other in enumerate(program.steps)
        if number != index and isinstance(other.solid, Box | Cylinder | Extrusion)
        if axis_of(other.solid.plane) == axis and not getattr(other.solid, "both", False)
    }
    moves: Moves = ()
    for face in faces:  # grows: a feature on a face has a face of its own
        for number, other in list(waiting.items()):
            near, far = sorted(box_of(other.solid)[:, axis] * outward)
            here = (*path, "steps", number, "solid")
            if other.operation is Operation.UNION and abs(near - face) <= slack:
                moves += _shifted(here, axis, outward)
                faces.append(far)
            elif other.operation is Operation.CUT and near < face - slack and far >= face - slack:
                is_pocket = near > bottom + slack  # which keeps its depth
                moves += _shifted(here, axis, outward) if is_pocket else _far_end(other.solid, here, axis, outward)
            else:
                continue
            del waiting[number]
    for number, finish in enumerate(program.finishes):
        if not isinstance(finish, Hole) or axis_of(finish.plane) != axis:
            continue
        if min(abs(finish.plane.origin[axis] * outward - face) for face in faces) <= slack:
            moves += _shifted((*path, "finishes", number), axis, outward)
    return moves


def _outward(solid: Solid, axis: int) -> float:
    """1 or -1: on which side along the axis of space the solid's far end is."""
    low, high = span_of(solid)
    sign = 1.0 if high >= -low else -1.0
    return sign * float(np.sign(axes(solid.plane)[axis, 2]))


def _shifted(path: Path, axis: int, by: float) -> Moves:
    return (((*path, "plane", "origin", axis), by),)


def _far_end(solid: Solid, path: Path, axis: int, outward: float) -> Moves:
    """The end of a solid on the outward side moves; the other one stays."""
    normal = float(np.sign(axes(solid.plane)[axis, 2]))
    if isinstance(solid, Extrusion):
        if solid.distance * normal * outward > 0:
            return (((*path, "distance"), normal * outward),)
        return (*_shifted(path, axis, outward), ((*path, "distance"), -normal * outward))
    size = "depth" if isinstance(solid, Box) else "height"
    return ((*path, size), 1.0), ((*path, "offset"), 0.5 * normal * outward)
