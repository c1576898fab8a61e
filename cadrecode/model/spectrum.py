"""How strongly clouds repeat along and about each axis: what a model needs to count fins, teeth and holes."""

from __future__ import annotations

import math

import torch

SUMS = 5  # along an axis: of the points and of two coordinates; about it: of the points and of their distances


def spectrum_width(frequencies: int) -> int:
    """Numbers in a cloud's spectrum."""
    return 3 * SUMS * frequencies


def cloud_spectrum(points: torch.Tensor, frequencies: int) -> torch.Tensor:
    """Logarithms of the magnitudes of each cloud's Fourier sums: (B, N, 3) MODEL -> (B, 15 * frequencies).

    At 1 to `frequencies` cycles: along an axis over the 2 units of the longest side, about an axis over a turn. A row
    of 13 fins or a ring of 24 teeth is a peak, wherever it begins. Sums over N points at random have a magnitude of
    about sqrt(N) (a random walk), so they are divided by it.
    """
    cycles = torch.arange(1, frequencies + 1, dtype=points.dtype, device=points.device)
    sums = []
    for axis in range(3):
        along, left, right = points[..., axis], points[..., (axis + 1) % 3], points[..., (axis + 2) % 3]
        around, radius = torch.atan2(right, left), torch.hypot(right, left)
        for angle, others in ((math.pi * along, (left, right)), (around, (radius,))):
            centred = [other - other.mean(dim=1, keepdim=True) for other in others]
            weights = torch.stack((torch.ones_like(along), *centred), dim=1)  # (B, 2 or 3, N)
            angles = angle.unsqueeze(-1) * cycles  # (B, N, frequencies)
            sums.append(torch.hypot(weights @ angles.sin(), weights @ angles.cos()).flatten(1))
    return torch.log1p(torch.cat(sums, dim=1) / math.sqrt(points.shape[1]))
