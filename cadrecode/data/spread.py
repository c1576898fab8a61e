"""What a scanner might have seen of a surface: points spread over it, sometimes few, sometimes noisy. On any device."""

from __future__ import annotations

import torch

from cadrecode.model.encoder import farthest_points

FEW_PROBABILITY = 0.15  # of a cloud with fewer points than the encoder takes; they repeat then, as a small file's do
FEWEST = 0.25  # of the points the encoder takes


@torch.no_grad()
def spread(
    surfaces: torch.Tensor,
    n_points: int,
    generator: torch.Generator,
    *,
    noise_probability: float = 0.0,
    noise_std: float = 0.0,
) -> torch.Tensor:
    """Choose points by farthest-point sampling from samples of surfaces, and disturb some clouds.

    Args:
        surfaces: (B, S, 3) float, MODEL, S >= n_points, in random order.
        generator: of the same device as the surfaces.
        noise_probability, noise_std: share of clouds that get Gaussian noise, and its deviation in MODEL units.
    Returns: (B, n_points, 3) float32, MODEL.
    """
    device, count = surfaces.device, len(surfaces)
    points = surfaces.float()
    noisy = torch.rand(count, 1, 1, generator=generator, device=device) < noise_probability
    points = points + noisy * noise_std * torch.randn(points.shape, generator=generator, device=device)
    first = torch.randint(points.shape[1], (count,), generator=generator, device=device)
    chosen = farthest_points(points, n_points, first)  # (B, n_points)
    share = FEWEST + (1 - FEWEST) * torch.rand(count, 1, generator=generator, device=device)
    few = torch.rand(count, 1, generator=generator, device=device) < FEW_PROBABILITY
    seen = torch.where(few, (share * n_points).long().clamp(min=1), n_points)  # (B, 1)
    chosen = chosen.gather(1, torch.arange(n_points, device=device) % seen)
    return points.gather(1, chosen.unsqueeze(-1).expand(-1, -1, 3))
