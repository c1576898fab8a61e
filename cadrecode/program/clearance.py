"""Whether the faces beside an edge are wide enough for its fillet or chamfer, as OpenCASCADE asks."""

from __future__ import annotations

import numpy as np

from cadrecode.errors import Message, ProgramError
from cadrecode.figures import figure
from cadrecode.program.language import Blend
from cadrecode.program.topology import Topology

ROUND = 1.01  # of its width: what a blend may take of a disc, whose polygon is narrower than its circle
CROSSING = 1e-9  # of the solid's size: a shorter way across a face is none
LEAST_FACING = 0.97  # cosine between two edges that face each other across a face


def check_clearance(topology: Topology, segments: np.ndarray, strips: np.ndarray, blend: Blend) -> None:
    """Refuse a blend that takes all of a face, measured across it from the middle of each segment.

    Args:
        segments: (n,) int, numbers in `topology.segments`.
        strips: (n, 2), how much of the faces to the left and to the right of each segment the blend takes.
    Raises: ProgramError: a face is too narrow.
    """
    edges = topology.segments
    strip_of = np.zeros((len(edges.start), 2))
    strip_of[segments] = strips
    for facet in np.unique(np.concatenate((edges.left[segments], edges.right[segments]))).tolist():
        is_left = edges.left == facet
        around = np.flatnonzero(is_left | (edges.right == facet))
        side = np.where(is_left[around], 0, 1)
        _check_face(topology, facet, around, strip_of[around, side], side, blend)


def _check_face(
    topology: Topology, facet: int, around: np.ndarray, strips: np.ndarray, side: np.ndarray, blend: Blend
) -> None:
    """Check a facet: `around` it (m,) segments, which take (m,) `strips` of it; it lies on their (m,) `side`."""
    edges, normal = topology.segments, topology.facet_normal[facet]
    starts, ends = topology.points[edges.start[around]], topology.points[edges.end[around]]
    along = ends - starts
    along /= np.linalg.norm(along, axis=1)[:, None]
    inward = np.cross(normal, along) * np.where(side == 0, 1, -1)[:, None]
    beyond = np.where(side == 0, edges.right[around], edges.left[around])
    for place in np.flatnonzero(strips > 0):
        middle = (starts[place] + ends[place]) / 2
        x, depth = ((np.stack((starts, ends)) - middle) @ axis for axis in (along[place], inward[place]))  # (2, m)
        crosses = (x[0] <= 0) != (x[1] <= 0)
        share = -x[0] / np.where(crosses, x[1] - x[0], 1)
        widths = np.where(crosses, depth[0] + share * (depth[1] - depth[0]), np.inf)
        widths[(widths < CROSSING * topology.size) | (np.arange(len(widths)) == place)] = np.inf
        across = int(np.argmin(widths))
        width, facing = float(widths[across]), -float(inward[place] @ inward[across])
        if not np.isfinite(width) or facing < LEAST_FACING:
            continue
        is_curved = topology.curved[beyond[place]] or topology.curved[beyond[across]]
        if blend is Blend.FILLET and is_curved and strips[across] == 0:
            continue  # OpenCASCADE lets a fillet run out over an edge that stays, where one of both is round
        taken = float(strips[place] + strips[across])
        is_round = topology.face_of_facet[beyond[across]] == topology.face_of_facet[beyond[place]]
        if taken > width * ROUND if is_round else taken >= width * (1 - 1e-6):
            raise ProgramError(
                "There is no room for the {blend}: it takes {taken} of a face that is {width} wide.",
                expected=Message("a smaller size"),
                blend=Message(blend),
                taken=figure(taken),
                width=figure(width),
            )
