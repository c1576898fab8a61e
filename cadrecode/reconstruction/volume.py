"""Comparing candidates with a closed solid, whose inside is known."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cadrecode.errors import ProgramError
from cadrecode.measure.judge import HOLE_PRICE, PRICE
from cadrecode.program import Program, build, iou
from cadrecode.program.solid import sagitta_of, through_holes
from cadrecode.scoring import Candidate, unevenness

if TYPE_CHECKING:
    from cadrecode.cloud.distance import CloudRuler
    from cadrecode.program.solid import Manifold

NOISE_PRICE = 0.1  # a number must gain this share of the IoU that the noise of a scanned surface costs
UNEVEN_PRICE = 0.02  # the same for the IoU that its unevenness costs
RESOLUTION = 2e-4  # of the size: the largest error of a tessellation
NOISY_RESOLUTION = 0.3  # of the noise of a scanned surface
KEPT = 0.5  # of the IoU that would be lost if the whole surface moved by the allowed change of numbers
MOST_LOST = 2e-4  # of the IoU, where the user does not say how far numbers may change
FACETED = 2e-3  # of the IoU: what the facets of a program's curves may take from it
FINER = 0.1  # sagitta of the curves where these are not to count, in units of the usual one
EXACT = 0.995  # IoU that is good enough to look no further, where the holes agree


class ByVolume:
    """Compares candidates by their IoU with a solid, less a price for each number and each wrong hole.

    Args:
        solid: CODE.
        ruler: Measures by points on its surface, CODE. Its distance is reported; its noise raises the price of numbers.
    """

    def __init__(self, solid: Manifold, ruler: CloudRuler):
        self.solid, self.ruler = solid, ruler
        self.holes = through_holes(solid)
        self._smooth: dict[Program, float] = {}
        noise = ruler.noise if ruler.is_noisy else 0.0
        per_length = solid.surface_area() / solid.volume()
        self.price = max(PRICE, NOISE_PRICE * noise * per_length, UNEVEN_PRICE * unevenness(ruler) * per_length)

    def measured(self, candidate: Candidate) -> Candidate:
        if not candidate.ok:
            return candidate
        return replace(
            candidate, distance=self.ruler.distance(*candidate.mesh), likeness=iou(candidate.solid, self.solid)
        )

    def key(self, candidate: Candidate) -> tuple:
        return not candidate.ok, self.price * candidate.number_count - self._worth(candidate), candidate.index

    def improves(self, after: Candidate, before: Candidate) -> bool:
        return self.key(after) < self.key(before)

    @property
    def resolution(self) -> float:
        return max(RESOLUTION * self.ruler.size, NOISY_RESOLUTION * self.ruler.noise * self.ruler.is_noisy)

    def keeps(self, after: Candidate, before: Candidate, allowed: float) -> bool:
        loss = KEPT * allowed * self.solid.surface_area() / self.solid.volume()
        if allowed <= self.resolution:  # nobody has asked for simple numbers at any price
            loss = min(loss, MOST_LOST)
        if not after.is_like(before):
            return False
        gain = iou(after.solid, self.solid) - before.likeness
        return gain >= -loss or (gain >= -loss - FACETED and self._smooth_gain(after, before) >= -loss)

    def _smooth_gain(self, after: Candidate, before: Candidate) -> float:
        """What a program gains where its curves have far finer facets, which take as little as the solid's own do: with
        the usual ones a cylinder that is a little too wide is nearer to the solid."""
        try:
            return self._smooth_likeness(after.program) - self._smooth_likeness(before.program)
        except ProgramError:
            return -1.0

    def _smooth_likeness(self, program: Program) -> float:
        """Many programs are compared with one, which is built so finely once."""
        if program not in self._smooth:
            self._smooth[program] = iou(build(program, sagitta_of(program) * FINER), self.solid)
        return self._smooth[program]

    def is_exact(self, candidate: Candidate) -> bool:
        return candidate.ok and candidate.likeness >= EXACT and self._wrong_holes(candidate) == 0

    def _worth(self, candidate: Candidate) -> float:
        return candidate.likeness - HOLE_PRICE * self._wrong_holes(candidate) if candidate.ok else 0.0

    def _wrong_holes(self, candidate: Candidate) -> int:
        return abs(through_holes(candidate.solid) - self.holes)
