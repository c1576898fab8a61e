"""What only a GPU can show: `make test-gpu`. Without a CUDA device these tests fail rather than skip."""

import numpy as np
import pytest
import torch

from cadrecode.cloud import farthest_point_sample, normalise, read_cloud
from cadrecode.model.decode import generate
from cadrecode.model.encoder import farthest_points
from cadrecode.model.load import load_model
from cadrecode.program import parse
from cadrecode.runs import State

pytestmark = pytest.mark.gpu


@pytest.fixture(autouse=True)
def _device():
    assert torch.cuda.is_available(), "make test-gpu needs a CUDA device, and PyTorch sees none"


def losses(run) -> list[float]:
    return [entry["loss"] for entry in run.metrics() if "loss" in entry]


def on(device: str, make_config, trained, folder, **changes) -> list[float]:
    run = trained(make_config(folder / device, device=device, lora_dropout=0.0, **changes))
    assert run.state == State.DONE
    return losses(run)


def test_a_training_on_the_gpu_has_the_losses_of_the_cpu(make_config, trained, tmp_path):
    gpu, cpu = (on(device, make_config, trained, tmp_path) for device in ("cuda", "cpu"))
    np.testing.assert_allclose(gpu, cpu, rtol=2e-3)


def test_a_training_in_bf16_on_4_bits_learns(make_config, trained, tmp_path):
    steps = {"max_steps": 30, "eval_steps": 30, "save_steps": 30}
    four_bits = on("cuda", make_config, trained, tmp_path, use_qlora=True, mixed_precision="bf16", **steps)
    assert np.isfinite(four_bits).all()
    assert np.mean(four_bits[-5:]) < np.mean(four_bits[:5])


def test_the_embedded_base_writes_the_same_program_on_both():
    points, _ = normalise(read_cloud("assets/clouds/flange.npy").points)
    clouds = points[None, farthest_point_sample(points, 512)].astype(np.float32)
    texts = [generate(*load_model(device=device, dtype=torch.float32), clouds)[0] for device in ("cuda", "cpu")]
    assert texts[0] == texts[1]
    parse(texts[0])


def test_points_are_chosen_on_the_device_as_on_the_cpu():
    """There the steps are captured in a CUDA graph."""
    points = torch.from_numpy(np.random.default_rng(0).standard_normal((3, 500, 3)).astype(np.float32))
    first = torch.tensor([0, 7, 499])
    chosen = farthest_points(points.cuda(), 64, first.cuda())
    assert torch.equal(chosen.cpu(), farthest_points(points, 64, first))
