"""Whether the faces beside an edge are wide enough for its fillet or chamfer, as OpenCASCADE asks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cadrecode.errors import Message, ProgramError
from cadrecode.figures import figure
from cadrecode.geometry import unit
from cadrecode.program.language import Blend
from cadrecode.program.topology import Topology

ROUND = 1.01  # of its width: what a blend may take of a disc, whose polygon is narrower than its circle
CROSSING = 1e-9  # of the solid's size: a shorter way across a face is none
LEAST_FACING = 0.97  # cosine between two edges that face each other across a face
MOST_PAIRS = 200_000  # of edges that are measured together


def check_clearance(topology: Topology, segments: np.ndarray, strips: np.ndarray, blend: Blend) -> None:
    """Refuse a blend that takes all of a face, measured across it from the middle of each segment.

    Args:
        segments: (n,) int, numbers in `topology.segments`.
        strips: (n, 2), how much of the faces to the left and to the right of each segment the blend takes.
    Raises: ProgramError: a face is too narrow.
    """
    sides = _Sides.of(topology, segments, strips)
    places = np.flatnonzero(sides.strip > 0)
    counts = (sides.last - sides.first)[places]
    block = np.cumsum(counts) // MOST_PAIRS
    for number in np.unique(block):
        _check(topology, sides, places[block == number], blend)


@dataclass(frozen=True)
class _Sides:
    """The two sides of each segment beside a facet that a blend is at, those of one facet together.

    Args:
        facet, beyond, segment: (m,) int: the facet, that on the other side of the segment, and the segment.
        strip: (m,) how much of the facet the blend takes there.
        inward: (m, 3) unit vectors across the segment, into the facet.
        along: (m, 3) unit vectors along it.
        first, last: (m,) int: the range of the sides of the same facet.
    """

    facet: np.ndarray
    beyond: np.ndarray
    segment: np.ndarray
    strip: np.ndarray
    inward: np.ndarray
    along: np.ndarray
    first: np.ndarray
    last: np.ndarray

    @classmethod
    def of(cls, topology: Topology, segments: np.ndarray, strips: np.ndarray) -> _Sides:
        edges = topology.segments
        count = len(edges.start)
        strip_of = np.zeros((2, count))
        strip_of[:, segments] = strips.T
        facet, beyond = np.concatenate((edges.left, edges.right)), np.concatenate((edges.right, edges.left))
        touched = np.unique(np.concatenate((edges.left[segments], edges.right[segments])))
        order = np.argsort(facet, kind="stable")
        order = order[np.isin(facet[order], touched)]
        facet, beyond, segment = facet[order], beyond[order], order % count
        along = unit(topology.points[edges.end[segment]] - topology.points[edges.start[segment]])
        inward = np.cross(topology.facet_normal[facet], along) * np.where(order < count, 1, -1)[:, None]
        first, last = (np.searchsorted(facet, facet, side) for side in ("left", "right"))
        return cls(facet, beyond, segment, strip_of.ravel()[order], inward, along, first, last)


def _check(topology: Topology, sides: _Sides, places: np.ndarray, blend: Blend) -> None:
    """Check some sides, of these indices, against all of their facets."""
    counts = (sides.last - sides.first)[places]
    begins = np.cumsum(counts) - counts
    own = np.repeat(places, counts)
    other = np.arange(len(own)) - np.repeat(begins, counts) + sides.first[own]
    starts, ends = topology.points[topology.segments.start], topology.points[topology.segments.end]
    middle = (starts + ends)[sides.segment[own]] / 2
    x, depth = (
        np.stack([((points[sides.segment[other]] - middle) * axis[own]).sum(axis=1) for points in (starts, ends)])
        for axis in (sides.along, sides.inward)
    )
    crosses = (x[0] <= 0) != (x[1] <= 0)
    share = -x[0] / np.where(crosses, x[1] - x[0], 1)
    widths = np.where(crosses, depth[0] + share * (depth[1] - depth[0]), np.inf)
    widths[(widths < CROSSING * topology.size) | (other == own)] = np.inf
    width = np.minimum.reduceat(widths, begins)
    at = np.flatnonzero(widths == np.repeat(width, counts))
    across = other[at[np.searchsorted(at, begins)]]
    facing = -(sides.inward[places] * sides.inward[across]).sum(axis=1)
    is_curved = topology.curved[sides.beyond[places]] | topology.curved[sides.beyond[across]]
    # OpenCASCADE lets a fillet run out over an edge that stays, where one of both is round
    runs_out = is_curved & (sides.strip[across] == 0) & (blend is Blend.FILLET)
    taken = sides.strip[places] + sides.strip[across]
    is_round = topology.face_of_facet[sides.beyond[across]] == topology.face_of_facet[sides.beyond[places]]
    too_narrow = np.where(is_round, taken > width * ROUND, taken >= width * (1 - 1e-6))
    refused = np.flatnonzero(np.isfinite(width) & (facing >= LEAST_FACING) & ~runs_out & too_narrow)
    if len(refused):
        raise ProgramError(
            "There is no room for the {blend}: it takes {taken} of a face that is {width} wide.",
            expected=Message("a smaller size"),
            blend=Message(blend),
            taken=figure(float(taken[refused[0]])),
            width=figure(float(width[refused[0]])),
        )
