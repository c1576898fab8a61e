"""A drawing turned or mirrored onto other axes, before it is put on the grid: what comes out is canonical again.

Turning a finished program would leave planes that look down and loops that run the wrong way: the same part, another
text. There are 24 turns that map the axes onto each other, and as many with a mirror.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cadrecode.invent.outlines import mapped
from cadrecode.invent.pieces import Slab
from cadrecode.program.language import Point2
from cadrecode.program.planes import plane_axes


@dataclass(frozen=True)
class Turn:
    """New coordinate i is `signs[i]` times the old coordinate `source[i]`."""

    source: tuple[int, int, int]
    signs: tuple[int, int, int]

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Turn:
        """One of the 48 turns and mirrorings."""
        return cls(tuple(map(int, rng.permutation(3))), tuple(map(int, rng.choice((-1, 1), 3))))

    def points(self, points: np.ndarray) -> np.ndarray:
        """(N, 3) -> (N, 3)."""
        return points[:, self.source] * self.signs

    def slab(self, slab: Slab) -> Slab:
        axis = self.source.index(slab.axis)
        low, high = sorted((self.signs[axis] * slab.low, self.signs[axis] * slab.high))
        old, new = plane_axes(slab.axis), plane_axes(axis)

        def point(p: Point2) -> Point2:
            along = dict(zip(old, p))
            x, y = (self.signs[a] * along[self.source[a]] for a in new)
            return x, y

        outers, holes = (
            tuple(mapped(outline, point) for outline in outlines) for outlines in (slab.outers, slab.holes)
        )
        return replace(slab, axis=axis, low=low, high=high, outers=outers, holes=holes)
