"""What a model needs to count fins, teeth and holes: how clouds repeat, and how many faces lie across each axis."""

from __future__ import annotations

import math

import torch
from torch.nn import functional

SUMS = 5  # along an axis: of the points and of two coordinates; about it: of the points and of their distances
HEARD_POINTS = 4096  # of a cloud, as many as trainings store of a part
BINS = 1024  # of an axis, and of a turn; 64 cycles lose 0.6 % in them
QUIET = 512  # points at random, whose sums are about 1
SLICES = 512  # of an axis, in which the points of a face across it are counted
LEVEL_SHARES = (1 / 64, 1 / 110, 1 / 200)  # of a cloud's points, which two slices hold where there is a face
MOST_LEVELS = 96  # across an axis; more are as many
LEVELS_WIDTH = 3 * len(LEVEL_SHARES) * (MOST_LEVELS + 1)


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


def cloud_levels(points: torch.Tensor) -> torch.Tensor:
    """How many planes across each axis hold many points: (B, N, 3) MODEL -> (B, LEVELS_WIDTH), one-hot.

    For each axis the counts are of planes that hold at least so many of the points, LEVEL_SHARES; the walls of 13 fins
    are 26. A count is easier to learn from than the peaks of a spectrum.
    """
    place = ((points.transpose(1, 2) + 1) * (SLICES / 2)).floor().long().clamp(0, SLICES - 1)  # (B, 3, N)
    counted = points.new_zeros(*place.shape[:2], SLICES + 1)
    counted.scatter_add_(2, place, torch.ones_like(place, dtype=points.dtype))
    pairs = counted[..., :-1] + counted[..., 1:]  # a face may lie on the border of two slices
    around = functional.pad(pairs, (2, 2)).unfold(2, 5, 1)  # (B, 3, SLICES, 5)
    highest = (around[..., :2].amax(-1) < pairs) & (around[..., 3:].amax(-1) <= pairs)
    counts = [(highest & (pairs >= share * points.shape[1])).sum(2) for share in LEVEL_SHARES]
    known = torch.stack(counts, dim=2).clamp(max=MOST_LEVELS)  # (B, 3, 3)
    return functional.one_hot(known, MOST_LEVELS + 1).flatten(1).to(points.dtype)
