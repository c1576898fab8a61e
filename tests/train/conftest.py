"""Tiny bases in the three layouts that the loader knows, and settings that train on them in seconds."""

import json

import numpy as np
import pytest
import torch

from cadrecode.config import TrainConfig
from cadrecode.runs import Run

N_POINTS = 32


def losses(run: Run) -> dict[int, float]:
    return {entry["step"]: entry["loss"] for entry in run.metrics() if "loss" in entry}


@pytest.fixture(autouse=True)
def _quick(one_thread, proof_here):
    """Steps on a busy machine, and the proof of the merge at the end of a training."""


@pytest.fixture(scope="session")
def texts():
    from cadrecode.invent.draw import invent
    from cadrecode.program import write

    rng = np.random.default_rng(0)
    return [write(invent(rng)) for _ in range(30)]


@pytest.fixture(scope="session")
def programs(texts, tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "parts.jsonl"
    path.write_text("".join(json.dumps({"id": f"part-{i}", "code": text}) + "\n" for i, text in enumerate(texts)))
    return path


@pytest.fixture(scope="session")
def bases(texts, tmp_path_factory):
    """{"ours", "cad_recode", "plain"} -> folder."""
    from transformers import Qwen2Config, Qwen3Config, Qwen3ForCausalLM

    from cadrecode.model.load import save_model
    from cadrecode.model.network import Qwen2WithPoints, new_model
    from cadrecode.model.tokens import build_tokenizer

    root = tmp_path_factory.mktemp("bases")
    tokenizer = build_tokenizer(texts)
    sizes = {
        "vocab_size": len(tokenizer), "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
        "num_attention_heads": 2, "num_key_value_heads": 1, "max_position_embeddings": 1024,
        "tie_word_embeddings": True,
    }  # fmt: skip
    torch.manual_seed(0)
    encoder = {"kind": "patch", "n_points": N_POINTS, "n_tokens": 8, "neighbours": 8, "layers": 1}
    ours = new_model(tokenizer, hidden_size=64, num_hidden_layers=2, head_dim=32, point_encoder=encoder)
    save_model(ours, tokenizer, root / "ours")
    save_model(Qwen2WithPoints(Qwen2Config(**sizes)), tokenizer, root / "cad_recode")
    config = json.loads((root / "cad_recode" / "config.json").read_text())
    del config["point_encoder"]  # the published checkpoints have the weights and no such entry
    (root / "cad_recode" / "config.json").write_text(json.dumps(config))
    Qwen3ForCausalLM(Qwen3Config(**sizes, head_dim=32)).save_pretrained(root / "plain")
    tokenizer.save_pretrained(root / "plain")
    return {name: root / name for name in ("ours", "cad_recode", "plain")}


@pytest.fixture(scope="session")
def make_config(bases, programs):
    """make_config(folder, **changes) -> settings of three quick steps on the tiny base of our layout."""

    def make(folder, **changes) -> TrainConfig:
        quick = TrainConfig(
            base_model_name=str(bases["ours"]),
            model_save_path=str(folder),
            train_data_path=str(programs),
            val_data_path=None,
            max_steps=3,
            per_device_train_batch_size=4,
            gradient_accumulation_steps=1,
            learning_rate=5e-3,
            warmup_steps=1,
            eval_steps=3,
            save_steps=3,
            logging_steps=1,
            n_points=N_POINTS,
            max_seq_length=800,
            num_workers=0,
            eval_programs=2,
            lora_r=4,
            lora_alpha=8,
            auto_merge_lora=False,
            device="cpu",
            mixed_precision="no",  # the same numbers on every processor
        )
        return quick.changed(**changes)

    return make


@pytest.fixture
def settings(make_config, tmp_path):
    """settings(**changes) -> make_config for a run folder of this test."""
    return lambda **changes: make_config(tmp_path / "run", **changes)


@pytest.fixture
def trained():
    """trained(config) -> the run, after its training."""
    from cadrecode.training import train

    def go(config: TrainConfig) -> Run:
        if config.resume_from_checkpoint:
            run = Run(config.model_save_path)
            run.clear_stop()
        else:
            run = Run.create(config.model_save_path, config.to_yaml())
        train(config, run)
        return run

    return go
