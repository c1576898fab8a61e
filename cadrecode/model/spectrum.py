"""How strongly clouds repeat along and about each axis: what a model needs to count fins, teeth and holes."""

from __future__ import annotations

import math

import torch

SUMS = 5  # along an axis: of the points and of two coordinates; about it: of the points and of their distances
HEARD_POINTS = 4096  # of a cloud, as many as trainings store of a part
BINS = 1024  # of an axis, and of a turn; 64 cycles lose 0.6 % in them
QUIET = 512  # points at random, whose sums are about 1


def spectrum_width(frequencies: int) -> int:
    """Numbers in a cloud's spectrum."""
    return 3 * SUMS * frequencies


def cloud_spectrum(points: torch.Tensor, frequencies: int) -> torch.Tensor:
    """Logarithms of the magnitudes of each cloud's Fourier sums: (B, N, 3) MODEL -> (B, 15 * frequencies).

    At 1 to `frequencies` cycles: along an axis over the 2 units of the longest side, about an axis over a turn. A row
    of 13 fins or a ring of 24 teeth is a peak, wherever it begins. What repeats adds up with the number of points N,
    what is random only as sqrt(N) (a random walk), so the sums are divided by N: more points leave less noise.
    """
    sums = []
    for axis in range(3):
        along, left, right = points[..., axis], points[..., (axis + 1) % 3], points[..., (axis + 2) % 3]
        around, radius = torch.atan2(right, left), torch.hypot(right, left)
        for cycle, others in ((along / 2, (left, right)), (around / (2 * math.pi), (radius,))):
            centred = [other - other.mean(dim=1, keepdim=True) for other in others]
            weights = torch.stack((torch.ones_like(along), *centred), dim=1)  # (B, 2 or 3, N)
            place = (cycle * BINS).floor().long().remainder(BINS).unsqueeze(1).expand_as(weights)
            binned = weights.new_zeros(*weights.shape[:2], BINS).scatter_add(2, place, weights)
            sums.append(torch.fft.rfft(binned, dim=2)[..., 1 : frequencies + 1].abs().flatten(1))
    return torch.log1p(torch.cat(sums, dim=1) * (math.sqrt(QUIET) / points.shape[1]))
