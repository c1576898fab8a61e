import json
import re
import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from cadrecode import pretrain as verb
from cadrecode.cli.verbs import pretrain_main
from cadrecode.config import PretrainConfig
from cadrecode.data import chunks
from cadrecode.data.stream import held_out_pairs
from cadrecode.errors import RunError
from cadrecode.model.load import load_model, load_tokenizer
from cadrecode.model.tokens import decode_program
from cadrecode.pretrain import pretrain
from cadrecode.runs import Run
from tests.together import run_together

TINY = {
    "max_pairs": 96,
    "batch_size": 4,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 16,
    "n_points": 32,
    "point_tokens": 8,
    "neighbours": 4,
    "encoder_width": 32,
    "encoder_layers": 1,
    "family": "plates",
    "workers": 0,
    "warmup_steps": 4,
    "log_every": 1,
    "eval_every": 1000,
    "checkpoint_every": 1000,
}

LARGER = {**TINY, "max_pairs": 640, "log_every": 4, "device": "cpu"}
WORDS = {"tokenizer.json", "tokenizer_config.json"}


@pytest.fixture(autouse=True)
def _few_programs(monkeypatch):
    monkeypatch.setattr(chunks, "TOKENIZER_PROGRAMS", {})
    monkeypatch.setattr(chunks, "OTHER_PROGRAMS", 20)
    monkeypatch.setattr(chunks, "EVALUATION_PARTS", 2)
    monkeypatch.setattr(verb, "EVALUATION_PARTS", 2)
    monkeypatch.setattr(chunks, "HELD_OUT_PARTS", 20)


def losses(folder) -> list[float]:
    return [row["loss"] for row in Run(folder).metrics()]


def test_it_learns_and_leaves_a_model_that_loads(tmp_path):
    folder = pretrain(PretrainConfig(output_path=str(tmp_path / "base"), **TINY))
    curve = losses(folder)
    assert len(curve) == 24
    assert curve[-1] < curve[0] - 0.5
    model, tokenizer = load_model(str(folder))
    assert model.config.vocab_size == len(tokenizer)
    assert json.loads((folder / "status.json").read_text())["state"] == "done"


def test_thicknesses_in_tenths_are_learnt_as_tenths(tmp_path):
    config = PretrainConfig(output_path=str(tmp_path), **TINY, height_steps=10)
    chunks.make_tokenizer(tmp_path)
    tokenizer = load_tokenizer(tmp_path, "qwen3", str(tmp_path))
    batches = chunks.make_chunk(0, config=config, tokenizer_folder=str(tmp_path), rank=0, size=1)
    texts = [decode_program(tokenizer, row) for batch in batches for row in batch.tokens.tolist()]
    heights = [float(result) for text in texts for result in re.findall(r"extrude\((-?[\d.]+)\)", text)]
    assert heights
    assert any(height % 0.5 for height in heights)
    np.testing.assert_allclose(np.array(heights) * 10, np.round(np.array(heights) * 10), atol=1e-9)


@pytest.mark.slow
def test_a_stopped_run_resumes_to_the_same_losses(tmp_path, monkeypatch):
    whole = pretrain(PretrainConfig(output_path=str(tmp_path / "whole"), **TINY))
    config = PretrainConfig(output_path=str(tmp_path / "parts"), **TINY)
    log_metrics = Run.log_metrics

    def log_and_stop(run, step, **values):
        log_metrics(run, step, **values)
        if step == 11:  # in the middle of a chunk
            run.request_stop()

    with monkeypatch.context() as patch:
        patch.setattr(Run, "log_metrics", log_and_stop)
        pretrain(config)
    assert Run(tmp_path / "parts").state == "stopped"
    parts = pretrain(config, resume=True)
    assert losses(parts) == pytest.approx(losses(whole), abs=2e-3)


def test_a_training_is_neither_overwritten_nor_resumed_from_nothing(tmp_path):
    config = PretrainConfig(output_path=str(tmp_path / "base"), **TINY)
    with pytest.raises(RunError, match="holds no"):
        pretrain(config, resume=True)
    pretrain(config)
    with pytest.raises(RunError, match="--resume"):
        pretrain(config)


def test_the_figures_at_intervals_are_of_greedy_samples_and_of_the_best_of_eight(monkeypatch):
    pairs = held_out_pairs(3, family="plates", n_points=8)
    right, broken = pairs.texts, "r=nothing"
    answers = iter([[right[0], broken, broken], [broken] * 7 + [broken] * 6 + [right[1]] + [broken] * 7])
    monkeypatch.setattr(verb, "generate", lambda *args, **options: next(answers))
    figures = verb.measure(SimpleNamespace(eval=lambda: None), None, pairs, 100)
    assert figures == {"invalid_ratio": 0.6667, "median_iou": 0.0, "best_of_8_iou": 1.0}


@pytest.mark.slow
def test_two_processes_learn_as_one_with_twice_the_batch(processes, tmp_path):
    """Over gloo. Other batches of the same stream, so the curves agree within noise."""
    alone = PretrainConfig(output_path=str(tmp_path / "alone"), **{**LARGER, "batch_size": 16})
    pair = PretrainConfig(output_path=str(tmp_path / "pair"), **{**LARGER, "batch_size": 8})
    (tmp_path / "pair.yaml").write_text(pair.to_yaml())
    alone_rows = Run(pretrain(alone)).metrics()
    shutil.copytree(tmp_path / "alone", tmp_path / "pair", ignore=lambda _, names: set(names) - WORDS)  # the same ones
    run_together(processes, pretrain_main, ["--config", str(tmp_path / "pair.yaml")])
    joint_rows = Run(tmp_path / "pair").metrics()
    assert [row["pairs"] for row in joint_rows] == [row["pairs"] for row in alone_rows]
    assert [row["learning_rate"] for row in joint_rows] == pytest.approx([row["learning_rate"] for row in alone_rows])
    gap = np.array([row["loss"] for row in alone_rows]) - [row["loss"] for row in joint_rows]
    assert np.abs(gap).max() < 0.15
    assert abs(gap.mean()) < 0.05
    assert joint_rows[-1]["loss"] < joint_rows[0]["loss"] - 1
