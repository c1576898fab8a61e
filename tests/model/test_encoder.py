"""The encoders against the published formula and against geometry."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from cadrecode.errors import ModelError
from cadrecode.model.encoder import FourierPointEncoder, PatchPointEncoder, PointEncoderSettings, patches
from cadrecode.model.spectrum import cloud_levels, cloud_spectrum

from .tiny import FOURIER, PATCH, make_model


def published(points: torch.Tensor, projection: torch.nn.Linear) -> torch.Tensor:
    """CAD-Recode's encoder as its authors publish it, frequencies as a tensor of its own."""
    frequencies = 2.0 ** torch.arange(8, dtype=torch.float32)
    x = points[..., :3]
    x = (x.unsqueeze(-1) * frequencies).view(*x.shape[:-1], -1)
    x = torch.cat((points[..., :3], x.sin(), x.cos()), dim=-1)
    return projection(torch.cat((x, points[..., 3:]), dim=-1))


@pytest.mark.parametrize(("inputs", "columns"), [(51, 3), (54, 6)])
def test_fourier_is_the_published_encoder(inputs, columns):
    encoder = FourierPointEncoder(32, inputs)
    points = torch.rand(2, 20, columns) * 2 - 1
    torch.testing.assert_close(encoder(points), published(points, encoder.projection))
    assert set(encoder.state_dict()) == {"projection.weight", "projection.bias"}


def test_fourier_keeps_coordinates_apart_under_autocast():
    encoder = FourierPointEncoder(32)
    near = torch.tensor([[[0.501, 0, 0]], [[0.502, 0, 0]]])  # the same number in bfloat16
    with torch.autocast("cpu", torch.bfloat16):
        first, second = encoder(near)
    assert (first - second).abs().max() > 1e-3


def test_a_checkpoint_with_normals_asks_for_them():
    with pytest.raises(ModelError, match=r"3 columns.*needs 6 .*normals"):
        FourierPointEncoder(32, 54)(torch.zeros(1, 4, 3))
    with pytest.raises(ModelError, match=r"6 columns.*needs 3"):
        FourierPointEncoder(32)(torch.zeros(1, 4, 6))


@pytest.mark.parametrize("settings", [FOURIER, PATCH])
def test_no_buffers(tokenizer, settings):
    """A buffer that is not saved is garbage after from_pretrained on transformers 5."""
    assert not list(make_model(tokenizer, encoder=settings).point_encoder.buffers())


def test_patches_are_spread_and_nearest():
    points = torch.rand(3, 50, 3) * 2 - 1
    centres, members = patches(points, 8, 5)
    for cloud, chosen, groups in zip(points, centres, members):
        assert chosen[0] == cloud.norm(dim=1).argmax()
        for k in range(1, 8):  # each next centre is the point farthest from those before it
            gaps = torch.cdist(cloud, cloud[chosen[:k]]).amin(dim=1)
            assert chosen[k] == gaps.argmax()
        for centre, group in zip(chosen, groups):
            nearest = (cloud - cloud[centre]).norm(dim=1).argsort()[:5]
            assert set(group.tolist()) == set(nearest.tolist())


def test_patch_tokens_do_not_depend_on_the_order_of_points():
    encoder = PatchPointEncoder(32, PointEncoderSettings.of(PATCH))
    points = torch.rand(2, 40, 3) * 2 - 1
    shuffled = points[:, torch.randperm(40)]
    torch.testing.assert_close(encoder(points), encoder(shuffled))


def test_every_weight_of_the_patch_encoder_learns(tokenizer):
    model = make_model(tokenizer, encoder=PATCH)
    model.point_encoder(torch.rand(2, 40, 3)).square().sum().backward()
    idle = [n for n, p in model.point_encoder.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert not idle


def test_fresh_patch_tokens_are_as_large_as_meant(tokenizer):
    model = make_model(tokenizer, encoder={**PATCH, "width": 64})
    assert model.point_encoder(torch.rand(8, 40, 3) * 2 - 1).std().item() == pytest.approx(0.25, rel=0.25)


def test_too_few_points():
    with pytest.raises(ModelError, match=r"has 4 points.*needs 6 or more"):
        PatchPointEncoder(32, PointEncoderSettings.of(PATCH))(torch.zeros(1, 4, 3))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "voxel"}, "'voxel'.*'fourier' or 'patch'"),
        ({"kind": "fourier", "n_tokens": 32}, "one token a point"),
        ({"inputs": 60}, "60.*51"),
        ({"kind": "patch", "inputs": 54}, "x, y, z alone"),
        ({"kind": "patch", "neighbors": 8}, "no setting 'neighbors'.*neighbours"),
        ({"kind": "patch", "neighbours": 0}, "neighbours is 0"),
    ],
)
def test_impossible_settings_are_named(values, message):
    with pytest.raises(ModelError, match=message):
        PointEncoderSettings.of(values)


def test_settings_default_to_cad_recodes():
    settings = PointEncoderSettings.of(None)
    assert (settings.kind, settings.n_points, settings.n_tokens, settings.columns) == ("fourier", 256, 256, 3)
    assert PointEncoderSettings.of(settings.to_dict()) == settings


def test_the_spectrum_of_a_row_and_of_a_ring():
    """13 fins along x, and 24 teeth about z, wherever they begin."""
    numbers = torch.arange(13 * 40)
    row = torch.stack((numbers % 13 * 2 / 13, torch.rand(len(numbers)), torch.rand(len(numbers))), dim=1) - 0.9
    angle = (torch.arange(24 * 20) % 24 * (2 * torch.pi / 24) + 0.3)[:, None]
    ring = torch.cat((angle.cos(), angle.sin(), torch.rand(len(angle), 1) - 0.5), dim=1)
    for points, place, cycles in ((row, 0, 13), (ring, 2 * 5 + 3, 24)):
        heard = cloud_spectrum(points[None], 32).reshape(15, 32)[place]
        assert heard.argmax() + 1 == cycles
        torch.testing.assert_close(heard[cycles - 1].expm1(), torch.tensor(512.0).sqrt(), rtol=2e-3, atol=0)


def test_the_levels_of_a_row_of_fins():
    """Two walls for each of 13 fins along x, one face across y, and nothing but points at random along z."""
    rng = np.random.default_rng(0)
    walls = np.concatenate([(-0.9 + 0.14 * np.arange(13)), (-0.9 + 0.14 * np.arange(13) + 0.06)])
    points = np.stack((rng.choice(walls, 4000), rng.uniform(-1, 1, 4000), rng.uniform(-1, 1, 4000)), axis=1)
    points[:1000, 1] = 0.3
    points[:1000, 0] = rng.uniform(-1, 1, 1000)
    counts = cloud_levels(torch.tensor(points[None], dtype=torch.float32)).reshape(3, 3, -1).argmax(2)
    assert counts[:, 1].tolist() == [26, 1, 0]


def test_points_after_those_that_are_read_change_the_spectrum_alone():
    settings = PointEncoderSettings.of(PATCH)
    deaf = PatchPointEncoder(32, replace(settings, frequencies=0))
    encoder = PatchPointEncoder(32, settings)
    encoder.load_state_dict(deaf.state_dict(), strict=False)
    read, heard, others = (torch.rand(1, 40, 3) * 2 - 1 for _ in range(3))
    first, second = (encoder(torch.cat((read, more), dim=1)) for more in (heard, others))
    assert (first - second).abs().max() > 1e-3
    torch.nn.init.zeros_(encoder.spectrum_out.weight)
    torch.nn.init.zeros_(encoder.spectrum_out.bias)
    torch.testing.assert_close(encoder(torch.cat((read, heard), dim=1)), deaf(read))
