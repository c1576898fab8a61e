import numpy as np
import torch

from cadrecode import geometry
from cadrecode.data.spread import spread
from cadrecode.data.stream import invent_pairs
from cadrecode.model.encoder import farthest_points


def surfaces(count: int = 40, n_points: int = 256) -> torch.Tensor:
    return torch.from_numpy(invent_pairs((0, 3), count, n_points=n_points).clouds)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_both_farthest_point_samplings_choose_the_same_points():
    clouds = surfaces(4)
    ours = farthest_points(clouds, 64, torch.zeros(4, dtype=torch.int64))
    theirs = geometry.farthest_points(clouds.numpy(), 64, np.zeros(4, np.int64))
    assert (ours.numpy() == theirs).mean() > 0.98  # ties may fall either way


def test_undisturbed_points_are_points_of_the_surface():
    clouds = surfaces()
    chosen = spread(clouds, 64, generator())
    assert chosen.shape == (40, 64, 3)
    assert torch.cdist(chosen, clouds).amin(dim=2).max() < 1e-3
    again, other = spread(clouds, 64, generator()), spread(clouds, 64, generator(1))
    assert torch.equal(chosen, again)
    assert not torch.equal(chosen, other)


def test_some_clouds_have_few_points_which_repeat():
    distinct = [len(cloud.unique(dim=0)) for cloud in spread(surfaces(), 64, generator())]
    assert 0 < sum(count < 64 for count in distinct) < 20
    assert min(distinct) >= 16


def test_noise_has_the_size_that_was_asked_for():
    clouds = surfaces()
    noisy = spread(clouds, 64, generator(), noise_probability=1.0, noise_std=0.01)
    beyond = noisy.abs().amax(dim=(1, 2)) - 1  # the longest side reaches 1; noise reaches further
    assert 0.005 < beyond.median() < 0.06
    half = spread(clouds, 64, generator(), noise_probability=0.5, noise_std=0.01)
    moved = torch.cdist(half, clouds).amin(dim=2).amax(dim=1) > 1e-3
    assert 10 < moved.sum() < 30


def test_a_region_may_be_missing():
    clouds = surfaces()
    seen = spread(clouds, 64, generator(), missing_probability=1.0)
    assert torch.cdist(seen, clouds).amin(dim=2).max() < 1e-3  # what is seen is true
    emptiest = torch.cdist(clouds, seen).amin(dim=2).amax(dim=1)
    usual = torch.cdist(clouds, spread(clouds, 64, generator())).amin(dim=2).amax(dim=1)
    assert (emptiest > usual + 0.05).float().mean() > 0.4
    assert (emptiest < 1.0).all()


def test_some_clouds_are_denser_on_one_side():
    clouds = surfaces()
    seen = spread(clouds, 64, generator(), uneven_probability=1.0)
    assert torch.cdist(seen, clouds).amin(dim=2).max() < 1e-3
    shift = (seen.mean(dim=1) - clouds.mean(dim=1)).norm(dim=1)
    even = (spread(clouds, 64, generator()).mean(dim=1) - clouds.mean(dim=1)).norm(dim=1)
    assert shift.median() > 2 * even.median()


def test_outliers_are_few():
    clouds = surfaces()
    seen = spread(clouds, 64, generator(), outlier_probability=1.0)
    away = torch.cdist(seen, clouds).amin(dim=2) > 0.05
    assert 0 < away.float().mean() < 0.03
    assert away.any(dim=1).sum() > 10
