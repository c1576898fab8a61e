"""Clouds as a scanner might make them: points spread over a surface, sometimes few, sometimes noisy. On any device."""

from __future__ import annotations

import torch

from cadrecode.model.encoder import farthest_points

DISTURBANCES = ("noise_probability", "noise_std", "uneven_probability", "missing_probability", "outlier_probability")
FEW_PROBABILITY = 0.15  # share of clouds of fewer points than the encoder reads: they repeat, as in a small file
FEWEST = 0.25  # least share of the points that the encoder reads
STEEPEST = 2.0  # an uneven cloud is up to e^2 times as dense at an end of the part as in its middle
LEAST_RADIUS, GREATEST_RADIUS = 0.15, 0.5  # MODEL, of a region without points
MOST_OUTLIERS = 0.03  # of the points
OUTLIERS_REACH = 1.2  # MODEL; the part reaches 1


@torch.no_grad()
def spread(
    surfaces: torch.Tensor,
    n_points: int,
    generator: torch.Generator,
    *,
    noise_probability: float = 0.0,
    noise_std: float = 0.0,
    uneven_probability: float = 0.0,
    missing_probability: float = 0.0,
    outlier_probability: float = 0.0,
    heard: int = 0,
) -> torch.Tensor:
    """Choose points by farthest-point sampling from samples of surfaces, and disturb some clouds.

    Args:
        surfaces: (B, S, 3) float, MODEL, S >= n_points, in random order.
        generator: on the device of the surfaces.
        noise_probability: share of clouds with Gaussian noise.
        noise_std: standard deviation of the noise, MODEL units.
        uneven_probability: share of clouds that are denser towards a side.
        missing_probability: share of clouds without points in a ball around one of their points.
        outlier_probability: share of clouds with outliers, up to MOST_OUTLIERS of their points.
        heard: points that follow the chosen ones, in random order; few where few are chosen.
    Returns: (B, n_points + heard, 3) float32, MODEL.
    """
    device, count = surfaces.device, len(surfaces)
    points = surfaces.float()
    if missing_probability > 0:
        points = _without_a_region(points, missing_probability, generator)
    if uneven_probability > 0:
        points = _uneven(points, n_points, uneven_probability, generator)
    noisy = torch.rand(count, 1, 1, generator=generator, device=device) < noise_probability
    points = points + noisy * noise_std * torch.randn(points.shape, generator=generator, device=device)
    first = torch.randint(points.shape[1], (count,), generator=generator, device=device)
    chosen = farthest_points(points, n_points, first)  # (B, n_points)
    share = FEWEST + (1 - FEWEST) * torch.rand(count, 1, generator=generator, device=device)
    few = torch.rand(count, 1, generator=generator, device=device) < FEW_PROBABILITY
    seen = torch.where(few, (share * n_points).long().clamp(min=1), n_points)  # (B, 1)
    rest = torch.arange(heard, device=device).expand(count, -1)
    rest = torch.where(few, chosen.gather(1, rest % seen), rest % points.shape[1])
    chosen = torch.cat((chosen.gather(1, torch.arange(n_points, device=device) % seen), rest), dim=1)
    cloud = points.gather(1, chosen.unsqueeze(-1).expand(-1, -1, 3))
    return cloud if outlier_probability == 0 else _with_outliers(cloud, outlier_probability, generator)


def _chance(count: int, probability: float, generator: torch.Generator) -> torch.Tensor:
    """(count, 1) bool."""
    return torch.rand(count, 1, generator=generator, device=generator.device) < probability


def _without_a_region(points: torch.Tensor, probability: float, generator: torch.Generator) -> torch.Tensor:
    """(B, S, 3): points of the missing region are replaced by copies of other points."""
    count, device = len(points), points.device
    center = points[:, :1]  # the points are in random order
    radius = torch.rand(count, 1, generator=generator, device=device)
    radius = LEAST_RADIUS + (GREATEST_RADIUS - LEAST_RADIUS) * radius
    hidden = ((points - center).norm(dim=2) < radius) & _chance(count, probability, generator)
    hidden &= ~hidden.all(dim=1, keepdim=True)  # a cloud is never empty
    index = torch.multinomial((~hidden).float(), points.shape[1], replacement=True, generator=generator)
    index = torch.where(hidden, index, torch.arange(points.shape[1], device=device))
    return points.gather(1, index.unsqueeze(-1).expand(-1, -1, 3))


def _uneven(points: torch.Tensor, n_points: int, probability: float, generator: torch.Generator) -> torch.Tensor:
    """(B, S, 3): uneven clouds keep `n_points` different points; sampling from more would even them out."""
    count, total, device = len(points), points.shape[1], points.device
    slope = STEEPEST * torch.nn.functional.normalize(torch.randn(count, 3, generator=generator, device=device))
    density = torch.einsum("bsc,bc->bs", points, slope).exp()
    few = torch.multinomial(density, n_points, generator=generator)
    few = few[:, torch.arange(total, device=device) % n_points]
    index = torch.where(_chance(count, probability, generator), few, torch.arange(total, device=device))
    return points.gather(1, index.unsqueeze(-1).expand(-1, -1, 3))


def _with_outliers(cloud: torch.Tensor, probability: float, generator: torch.Generator) -> torch.Tensor:
    """(B, N, 3)."""
    count, device = len(cloud), cloud.device
    share = MOST_OUTLIERS * torch.rand(count, 1, generator=generator, device=device)
    away = torch.rand(cloud.shape[:2], generator=generator, device=device) < share
    away &= _chance(count, probability, generator)
    anywhere = OUTLIERS_REACH * (2 * torch.rand(cloud.shape, generator=generator, device=device) - 1)
    return torch.where(away.unsqueeze(-1), anywhere, cloud)
