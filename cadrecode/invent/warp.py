"""A part of other proportions in the same design, so that a few programs teach about many parts.

Along each axis coordinates are stretched piece by piece, so what stood flush stands flush. Circles stay circles and
concentric, inside of what they were inside of. What an arc spans is not stretched, so that a fillet still meets its
edges without a corner.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from cadrecode.invent.outlines import CircleOutline, LoopOutline, Outline, mapped
from cadrecode.invent.pieces import Slab
from cadrecode.invent.spelling import HALF_SIDE
from cadrecode.program.language import Point2
from cadrecode.program.planes import plane_axes

PIECES = 3  # along an axis, beside those that arcs make
PIECE_SPREAD, AXIS_SPREAD = (
    0.4,
    0.35,
)  # standard deviations of the logarithm of the stretch, of a piece and of a whole axis
SYMMETRIC = 0.75  # of axes are stretched alike on both sides of the middle, as most designs are alike there
NARROWEST_HOLE = 0.6  # smallest factor of the radii of holes
GENTLE_SPREAD = 0.06  # AXIS_SPREAD of a gentle warp, whose pieces are all stretched alike and whose holes do not shrink


@dataclass(frozen=True)
class Warp:
    """Coordinates `knots[axis]` go to `images[axis]`, both ascending, others between them in proportion.

    Args:
        hole: factor of the radii of holes, at most 1.
    """

    knots: tuple[tuple[float, ...], ...]
    images: tuple[tuple[float, ...], ...]
    hole: float = 1.0

    @classmethod
    def draw(cls, slabs: Sequence[Slab], rng: np.random.Generator, *, gentle: bool = False) -> Warp:
        """A random warp for a drawing, into the CODE frame.

        Args:
            gentle: each axis as a whole and by a few percent: other numbers, and much the same part.
        """
        boxes = np.array([slab.bounds() for slab in slabs if not slab.cut])
        low, high = boxes[:, 0].min(axis=0), boxes[:, 1].max(axis=0)
        spreads = (GENTLE_SPREAD, 0.0) if gentle else (AXIS_SPREAD, PIECE_SPREAD)
        knots = [_knots(low[axis], high[axis], _arcs_along(axis, slabs), rng, *spreads) for axis in range(3)]
        images = [np.concatenate(([0.0], np.cumsum(np.diff(edges) * stretch))) for edges, stretch in knots]
        scale = 2 * HALF_SIDE / max(image[-1] for image in images)
        return cls(
            tuple(tuple(edges.tolist()) for edges, _ in knots),
            tuple(tuple(((image - image[-1] / 2) * scale).tolist()) for image in images),
            1.0 if gentle else float(rng.uniform(NARROWEST_HOLE, 1)),
        )

    @classmethod
    def onto_frame(cls, low: np.ndarray, high: np.ndarray) -> Warp:
        """The warp that centres a box, (3,) and (3,), and scales its longest side to that of the CODE frame."""
        half = (high - low) / (high - low).max() * HALF_SIDE
        return cls(tuple(zip(low.tolist(), high.tolist())), tuple(zip((-half).tolist(), half.tolist())))

    def along(self, axis: int, value: float) -> float:
        """A coordinate's place; beyond the part, where cuts may reach, that of the part's end."""
        return float(np.interp(value, self.knots[axis], self.images[axis]))

    def slab(self, slab: Slab) -> Slab:
        x_axis, y_axis = plane_axes(slab.axis)

        def point(p: Point2) -> Point2:
            return self.along(x_axis, p[0]), self.along(y_axis, p[1])

        def outline(old: Outline, hole: bool) -> Outline:
            if not isinstance(old, CircleOutline):
                return mapped(old, point)
            x, y = point((old.x, old.y))
            x0, y0 = point((old.x - old.radius, old.y - old.radius))
            x1, y1 = point((old.x + old.radius, old.y + old.radius))
            return CircleOutline(x, y, min(x - x0, x1 - x, y - y0, y1 - y) * (self.hole if hole else 1))

        return replace(
            slab,
            low=self.along(slab.axis, slab.low),
            high=self.along(slab.axis, slab.high),
            outers=tuple(outline(outer, slab.cut) for outer in slab.outers),
            holes=tuple(outline(outer, True) for outer in slab.holes),
        )


def _knots(
    low: float, high: float, arcs: np.ndarray, rng: np.random.Generator, axis_spread: float, piece_spread: float
) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates at which the stretch of an axis changes, (K,) ascending, and the stretch between them, (K - 1,).

    Args:
        arcs: (A, 2) intervals that arcs span, which are not stretched.
    """
    arcs, center = np.clip(arcs, low, high), (low + high) / 2
    edges = np.concatenate((arcs.ravel(), rng.uniform(low, high, PIECES - 1), (low, high)))
    symmetric = rng.random() < SYMMETRIC
    edges = np.unique(np.concatenate((edges, 2 * center - edges)) if symmetric else edges)
    middle = (edges[1:] + edges[:-1]) / 2
    spread = rng.normal(0, piece_spread, len(middle))
    if symmetric:
        spread = np.where(middle < center, spread, spread[::-1])
    in_arc = ((arcs[:, :1] <= middle) & (middle <= arcs[:, 1:])).any(axis=0)
    return edges, np.where(in_arc, 1, np.exp(rng.normal(0, axis_spread) + spread))


def _arcs_along(axis: int, slabs: Sequence[Slab]) -> np.ndarray:
    """(A, 2): the interval that each arc of a drawing spans along a world axis."""
    reach = []
    for slab in slabs:
        if axis == slab.axis:
            continue
        at = plane_axes(slab.axis).index(axis)
        for loop in (outline for outline in (*slab.outers, *slab.holes) if isinstance(outline, LoopOutline)):
            ends = (*loop.corners[1:], loop.corners[0])
            for start, middle, end in zip(loop.corners, loop.middles, ends):
                if middle is not None:
                    places = (start[at], middle[at], end[at])
                    reach.append((min(places), max(places)))
    return np.array(reach, float).reshape(-1, 2)
