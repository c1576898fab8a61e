"""The first steps of the quickstart must not unlearn what the base can do."""

import numpy as np
import pytest
import torch

from cadrecode.cloud import farthest_point_sample
from cadrecode.config import TrainConfig
from cadrecode.model.adapters import load_adapter
from cadrecode.model.decode import draw
from cadrecode.model.load import load_model
from cadrecode.program import build, parse
from cadrecode.program.solid import sample
from cadrecode.runs import Run
from cadrecode.training import train
from cadrecode.training.trainer import AdapterTrainer

SHAPES = {
    "cube": "r=cq.Workplane('XY').box(200,200,200)",
    "cylinder": "r=cq.Workplane('XY').circle(60).extrude(200,both=True)",
    "plate": "r=cq.Workplane('XY').box(200,120,12)",
}
STOPPED_AT, SAVED_EVERY, CLOUDS = 12, 4, 2


def clouds_of(code: str, n_points: int) -> torch.Tensor:
    """(CLOUDS, n_points, 3) float32, MODEL."""
    solid = build(parse("import cadquery as cq\n" + code))
    points = sample(solid, 4096, np.random.default_rng(0))[0]
    points = points / (np.ptp(points, axis=0).max() / 2)
    chosen = [points[farthest_point_sample(points.astype(np.float32), n_points, seed=i)] for i in range(CLOUDS)]
    return torch.from_numpy(np.stack(chosen).astype(np.float32))


@pytest.mark.slow
def test_an_adapter_of_any_number_of_steps_writes_valid_programs_for_simple_parts(tmp_path, monkeypatch):
    config = TrainConfig.load(
        "configs/quickstart.yaml",
        {"model_save_path": str(tmp_path / "run"), "do_eval": False, "save_steps": SAVED_EVERY,
         "train_data_path": "invent:brackets:100"},
    )  # fmt: skip
    run = Run.create(config.model_save_path, config.to_yaml())
    step = AdapterTrainer.training_step

    def stopping(self, *args, **kwargs):
        if self.state.global_step == STOPPED_AT - 1:
            run.request_stop()
        return step(self, *args, **kwargs)

    monkeypatch.setattr(AdapterTrainer, "training_step", stopping)
    train(config, run)
    losses = [entry["loss"] for entry in run.metrics()]
    assert max(losses) <= losses[0] + 0.5, losses
    checkpoints = run.checkpoints()
    assert [folder.name for folder in checkpoints] == ["checkpoint-4", "checkpoint-8", "checkpoint-12"]
    for folder in checkpoints:
        base, tokenizer = load_model("embedded", device="cpu")
        model = load_adapter(base, folder)
        for name, code in SHAPES.items():
            clouds = clouds_of(code, config.n_points)
            for text in draw(model, tokenizer, clouds, max_new_tokens=200):
                solid = build(parse(text))  # raises where it is invalid
                assert solid.volume() > 0, (folder.name, name)
