"""Settings that go to PEFT, the Trainer and the hub, each by what it must change."""

import json
import math
import re
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from cadrecode.config import LORA_TARGETS, TrainConfig
from cadrecode.errors import ConfigError, ModelError
from cadrecode.model import hub
from cadrecode.model.adapters import attach_lora, load_adapter, read_adapter, save_adapter
from cadrecode.model.load import load_model
from cadrecode.runs import Run, State
from cadrecode.training.card import gain_over
from cadrecode.training.finetune import train
from cadrecode.training.live import _room_for_tokens, with_steps
from cadrecode.training.trainer import AdapterTrainer
from tests.train.conftest import losses


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"rank_pattern": "up_proj=8", "lora_target_modules": "q_proj"}, "up_proj, which lora_target_modules has not"),
        ({"rank_pattern": "up_proj=0"}, "rank_pattern"),
        ({"init_lora_weights": "loftq"}, "makes up for 4 bits"),
        ({"init_lora_weights": "pissa", "use_qlora": True}, "needs the base in full precision"),
        ({"init_lora_weights": "olora", "use_dora": True}, "plain LoRA alone"),
        ({"early_stopping": 2}, "early_stopping needs do_eval"),
        ({"optim": "adam"}, "optim should be"),
    ],
)
def test_what_does_not_go_together_is_said(values, words):
    with pytest.raises(ConfigError, match=words):
        TrainConfig.from_values(values, "test")


def test_layers_and_ranks_can_be_written_in_each_way():
    for text in ("all-linear", ["all-linear"]):
        assert TrainConfig.from_values({"lora_target_modules": text}, "test").lora_target_modules == LORA_TARGETS
    for ranks in ("q_proj=2,down_proj=32", {"q_proj": 2, "down_proj": 32}, ["q_proj=2", "down_proj=32"]):
        config = TrainConfig.from_values({"rank_pattern": ranks}, "test")
        assert config.ranks == {"q_proj": 2, "down_proj": 32}
        assert TrainConfig.from_values(json.loads(config.model_dump_json()), "test") == config


def test_epochs_are_reckoned_into_steps():
    config = TrainConfig(per_device_train_batch_size=4, gradient_accumulation_steps=2, num_train_epochs=2.5)
    assert with_steps(config, 100, 1).max_steps == math.ceil(2.5 * 100 / 8)
    assert with_steps(config, 100, 2).max_steps == math.ceil(2.5 * 100 / 16)
    assert with_steps(config.changed(num_train_epochs=None), 100, 1).max_steps == 50_000


def test_other_points_than_the_base_was_trained_with_are_said_or_refused(settings, caplog):
    def base(**points):
        return SimpleNamespace(
            config=SimpleNamespace(max_position_embeddings=1024),
            n_point_tokens=64,
            point_settings=SimpleNamespace(**points),
        )

    config = settings(n_points=256)
    assert _room_for_tokens(config, base(kind="patch", n_points=512, heard_points=0)) == 800 - 256
    assert "n_points is 256" in caplog.text
    assert "was trained with 512 points" in caplog.text
    for exact in ({"kind": "fourier", "heard_points": 0}, {"kind": "patch", "heard_points": 4096}):
        with pytest.raises(ConfigError, match=r"n_points is 256; .* reads 512 points"):
            _room_for_tokens(config, base(n_points=512, **exact))


@pytest.mark.parametrize("init", ["pissa", "olora"])
def test_an_adapter_that_begins_as_a_part_of_its_base_is_saved_for_the_whole_base(init, bases, tmp_path):
    model, tokenizer = load_model(bases["ours"], device="cpu")
    ids = torch.arange(20).unsqueeze(0)
    before = model(input_ids=ids).logits.detach()
    wrapped = attach_lora(model, r=4, alpha=8, dropout=0.0, ranks={"q_proj": 2}, init=init)
    assert torch.allclose(wrapped(input_ids=ids).logits, before, atol=1e-4), "nothing has been trained yet"
    with torch.no_grad():
        for name, value in wrapped.named_parameters():
            if ".lora_" in name:
                value += 0.05 * torch.randn_like(value)
    trained = wrapped(input_ids=ids).logits.detach()
    assert (trained - before).abs().max() > 0.01
    save_adapter(wrapped, tokenizer, tmp_path)
    saved = json.loads((tmp_path / "adapter_config.json").read_text())
    assert (saved["r"], saved["lora_alpha"], saved["rank_pattern"]) == (8, 16, {"q_proj": 4})
    again = load_adapter(load_model(bases["ours"], device="cpu")[0], tmp_path)
    torch.testing.assert_close(again(input_ids=ids).logits, trained, atol=1e-4, rtol=1e-4)


def test_loftq_makes_up_for_four_bits(bases):
    layer = "model.layers.0.mlp.down_proj"
    exact = load_model(bases["ours"], device="cpu")[0].get_submodule(layer)
    inputs = torch.randn(64, exact.in_features, generator=torch.Generator().manual_seed(0))

    def off(init):
        model, _ = load_model(bases["ours"], device="cpu", quantization="4bit", dtype="float32")
        wrapped = attach_lora(model, r=16, alpha=8, dropout=0.0, init=init).eval()
        return (wrapped.get_base_model().get_submodule(layer)(inputs) - exact(inputs)).norm().item()

    assert off("loftq") < 0.8 * off("default")


@pytest.mark.slow
@pytest.mark.parametrize("changes", [{"init_lora_weights": "pissa"}, {"init_lora_weights": "loftq", "use_qlora": True}])
def test_such_a_run_resumes_on_its_own_curve(changes, settings, trained, tmp_path, monkeypatch):
    common = changes | {"auto_merge_final": False, "max_steps": 4, "save_steps": 2, "rank_pattern": "up_proj=2"}
    whole = trained(settings(**common, model_save_path=str(tmp_path / "whole")))
    config = settings(**common)
    step = AdapterTrainer.training_step
    run = Run(config.model_save_path)

    def stopping(self, *args, **kwargs):
        if self.state.global_step == 1:
            run.request_stop()
        return step(self, *args, **kwargs)

    with monkeypatch.context() as patched:
        patched.setattr(AdapterTrainer, "training_step", stopping)
        trained(config)
    assert run.state == State.STOPPED
    trained(config.changed(resume_from_checkpoint="last"))
    assert run.state == State.DONE
    assert losses(run) == pytest.approx(losses(whole), abs=2e-3)
    for key, value in read_adapter(whole.folder).items():
        torch.testing.assert_close(read_adapter(run.folder)[key], value, atol=5e-3, rtol=5e-3)


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {"optim": "adamw_8bit"},
        {"optim": "paged_adamw_8bit"},
        {"optim": "adafactor"},
        {"lr_scheduler_type": "cosine_with_min_lr"},
        {"lr_scheduler_type": "warmup_stable_decay"},
        {"lr_scheduler_type": "polynomial"},
        {"init_lora_weights": "gaussian", "rank_pattern": "q_proj=2,down_proj=8"},
    ],
)
def test_each_trains_resumes_and_merges(changes, settings, trained):
    config = settings(**changes, save_steps=2, max_steps=2, encoder_learning_rate=1e-3)
    trained(config)
    run = trained(config.changed(max_steps=4, resume_from_checkpoint="last"))
    assert run.state == State.DONE
    assert (run.folder / "merged_model" / "config.json").is_file()
    assert losses(run).keys() == {1, 2, 3, 4}
    if "rank_pattern" in changes:
        ranks = {key.split(".")[-3]: len(value) for key, value in read_adapter(run.folder).items() if "lora_A" in key}
        assert (ranks["q_proj"], ranks["down_proj"], ranks["k_proj"]) == (2, 8, 4)


@pytest.mark.slow
def test_a_run_that_stops_gaining_ends_and_one_of_epochs_has_its_steps(settings, trained, tmp_path, monkeypatch):
    monkeypatch.setattr("cadrecode.training.watch.LOSS_SHARE", 0.0)  # a tiny base rebuilds nothing: no part is better
    config = settings(do_eval=True, max_steps=9, eval_steps=1, save_steps=1, early_stopping=2, auto_merge_final=False)
    run = trained(config)
    assert run.state == State.DONE
    assert run.status()["step"] == run.status()["total"] < 9
    assert re.match(r"Ended early, at step \d of 9\. .* without a gain: 2 ", run.status()["ended_early"])
    epochs = trained(settings(num_train_epochs=0.5, auto_merge_final=False, model_save_path=str(tmp_path / "epochs")))
    assert max(losses(epochs)) == 4  # half of 30 programs, 4 a step


@pytest.mark.slow
def test_a_base_that_reads_normals_trains_and_merges(settings, trained, texts, tmp_path):
    """CAD-Recode v1: 54 inputs."""
    from transformers import Qwen2Config

    from cadrecode.model.load import save_model
    from cadrecode.model.network import Qwen2WithPoints
    from cadrecode.model.tokens import build_tokenizer

    tokenizer = build_tokenizer(texts)
    config = Qwen2Config(
        vocab_size=len(tokenizer), hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, max_position_embeddings=1200, tie_word_embeddings=True,
    )  # fmt: skip
    config.point_encoder = {"kind": "fourier", "n_points": 256, "inputs": 54}
    save_model(Qwen2WithPoints(config), tokenizer, tmp_path / "v1")
    run = trained(
        settings(base_model_name=str(tmp_path / "v1"), n_points=256, max_seq_length=1024, do_eval=True, max_steps=6,
                 eval_steps=3)
    )  # fmt: skip
    assert run.state == State.DONE
    assert losses(run)[6] < losses(run)[1]
    weights = read_adapter(run.folder)["base_model.model.point_encoder.projection.weight"]
    assert weights.shape == (64, 54)
    fresh = load_model(tmp_path / "v1", device="cpu")[0].point_encoder.projection.weight
    assert (weights[:, 51:] - fresh[:, 51:]).abs().max() > 1e-4, "the normals are learnt from"
    assert (run.folder / "merged_model" / "config.json").is_file()


def test_without_a_login_nothing_is_trained_that_could_not_be_pushed(settings, monkeypatch, tmp_path):
    def nobody(self):
        raise OSError("no token")

    monkeypatch.setattr("huggingface_hub.HfApi.whoami", nobody)
    run = Run.create(tmp_path / "run", "")
    with pytest.raises(ModelError, match=r"could not be pushed to me/part .*hf auth login"):
        train(settings(hub_model_id="me/part"), run)
    with pytest.raises(ModelError, match="a repository of the hub is owner/name"):
        hub.require_login("part")


def test_what_is_pushed_is_the_adapter_alone_into_a_private_repository(monkeypatch, tmp_path):
    calls = []
    api = SimpleNamespace(
        create_repo=lambda name, **options: calls.append((name, options)),
        upload_folder=lambda **options: calls.append(options),
    )
    monkeypatch.setattr("huggingface_hub.HfApi", lambda: api)
    assert hub.push(tmp_path, "me/part") == "https://huggingface.co/me/part"
    assert calls[0] == ("me/part", {"private": True, "exist_ok": True})
    from fnmatch import fnmatch

    patterns = calls[1]["allow_patterns"]
    sent = [name for name in ("adapter_model.safetensors", "README.md", "log.txt", "config.yaml", "data.json")
            if any(fnmatch(name, pattern) for pattern in patterns)]  # fmt: skip
    assert sent == ["adapter_model.safetensors", "README.md"]


def test_a_gain_has_an_interval_that_shrinks_with_the_parts():
    rng = np.random.default_rng(0)
    widths = []
    for count in (8, 200):
        before = rng.uniform(0, 1, count)
        gain = gain_over(before, before + 0.1 + rng.normal(0, 0.2, count))
        assert gain["gain_low"] < gain["gain"] < gain["gain_high"]
        widths.append(gain["gain_high"] - gain["gain_low"])
    assert widths[1] < widths[0] / 3
    same = gain_over([0.4, 0.0, 1.0], [0.4, 0.0, 1.0])
    assert (same["gain"], same["gain_low"], same["gain_high"]) == (0, 0, 0)
