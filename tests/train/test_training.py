"""Real trainings of a few steps: what they leave, that it is what was trained, that they can be stopped and resumed."""

import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from cadrecode.config import TrainConfig
from cadrecode.data.batches import Collate, Views, encode
from cadrecode.data.dataset import load_programs
from cadrecode.errors import ConfigError, DatasetError, ModelError, RunError
from cadrecode.model.adapters import load_adapter, read_adapter
from cadrecode.model.load import load_model
from cadrecode.model.team import Team
from cadrecode.program import parse
from cadrecode.runs import Run, State
from cadrecode.training import base, saving, train
from cadrecode.training.held_out import hold_out
from cadrecode.training.reading import read_programs
from cadrecode.training.trainer import AdapterTrainer
from tests.train.conftest import losses

ADAPTER = {"adapter_config.json", "adapter_model.safetensors"}
TOKENIZER = {"tokenizer.json", "tokenizer_config.json"}
MODEL = {"config.json", "model.safetensors", "generation_config.json", *TOKENIZER}


def names(folder) -> set[str]:
    return {path.name for path in folder.iterdir()}


def logits(model, batch) -> torch.Tensor:
    inputs = {key: value for key, value in batch.items() if key != "labels"}
    with torch.no_grad():
        return model.eval()(**inputs).logits[batch["labels"] != -100]


def batch_for(model, tokenizer, programs):
    pairs, _ = encode(load_programs(programs, limit=3), tokenizer, 700)
    views = Views(pairs, model.point_settings.n_points)
    return Collate(tokenizer.pad_token_id, model.n_point_tokens)([views[i] for i in range(3)])


@pytest.mark.parametrize(
    "kind", ["ours", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("cad_recode", "plain"))]
)
def test_lora_leaves_the_guides_layout_and_the_merged_model_answers_as_the_adapter(
    kind, settings, trained, bases, programs
):
    fourier = {} if kind == "ours" else {"n_points": 256, "max_seq_length": 1024}
    config = settings(base_model_name=str(bases[kind]), **fourier)
    run = trained(config)
    assert run.state == State.DONE
    assert names(run.folder) >= ADAPTER | TOKENIZER | {"config.yaml", "merged_model", "status.json", "metrics.jsonl"}
    assert names(run.folder / "merged_model") == MODEL
    assert TrainConfig.load(run.folder / "config.yaml") == config
    assert losses(run).keys() == {1, 2, 3}

    model, tokenizer = load_model(bases[kind])
    before = load_file(bases[kind] / "model.safetensors")
    batch = batch_for(model, tokenizer, programs)
    with_adapter = logits(load_adapter(model, run.folder), batch)
    merged, _ = load_model(run.folder / "merged_model")
    torch.testing.assert_close(logits(merged, batch), with_adapter, atol=1e-4, rtol=1e-4)
    after = merged.state_dict()
    assert not torch.equal(
        after["model.layers.0.self_attn.q_proj.weight"], before["model.layers.0.self_attn.q_proj.weight"]
    )
    assert torch.equal(after["model.embed_tokens.weight"], before["model.embed_tokens.weight"])


def test_the_encoder_is_trained_and_saved(settings, trained, bases):
    run = trained(settings())
    base_encoder = {k: v for k, v in load_file(bases["ours"] / "model.safetensors").items() if "point_encoder" in k}
    saved = {
        k.removeprefix("base_model.model."): v for k, v in read_adapter(run.folder).items() if "point_encoder" in k
    }
    assert saved.keys() == base_encoder.keys()
    assert all(not torch.equal(saved[key], base_encoder[key]) for key in saved)
    lora = [value for key, value in read_adapter(run.folder).items() if "lora_B" in key]
    assert len(lora) == 14
    assert all(value.any() for value in lora)  # fresh ones are zero


@pytest.mark.slow
def test_the_encoder_may_learn_more_slowly(settings, trained, bases, tmp_path):
    base = load_file(bases["ours"] / "model.safetensors")

    def moved(name: str, **changes) -> tuple[float, float]:
        """How far the encoder went from the base's, and the adapter from nothing."""
        run = trained(settings(model_save_path=str(tmp_path / name), auto_merge_final=False, **changes))
        saved = {key.removeprefix("base_model.model."): value for key, value in read_adapter(run.folder).items()}
        encoder = [value - base[key] for key, value in saved.items() if "point_encoder" in key]
        lora = [value for key, value in saved.items() if "lora_B" in key]
        return tuple(float(torch.cat([tensor.flatten() for tensor in part]).norm()) for part in (encoder, lora))

    encoder, lora = moved("alike")
    slow_encoder, same_lora = moved("slow", encoder_learning_rate=1e-4)
    assert 0 < slow_encoder < encoder / 20  # of 5e-3
    assert same_lora > lora / 2


@pytest.mark.slow
def test_qlora_holds_the_base_in_4_bits_and_merges_into_full_precision(settings, trained, bases, monkeypatch):
    held = []

    def watched(*args, **kwargs):
        model, tokenizer = load_model(*args, **kwargs)
        held.append({type(m).__name__ for m in model.modules()})
        return model, tokenizer

    monkeypatch.setattr(base, "load_model", watched)
    run = trained(settings(use_qlora=True))
    assert run.state == State.DONE
    assert len(held) == 2  # to train, and to check what was saved
    assert all("Linear4bit" in kinds for kinds in held)
    before = load_file(bases["ours"] / "model.safetensors")
    merged = load_file(run.folder / "merged_model" / "model.safetensors")
    assert {key: value.shape for key, value in merged.items()} == {key: value.shape for key, value in before.items()}
    assert {value.dtype for value in merged.values()} == {torch.float32}
    key = "model.layers.1.mlp.up_proj.weight"
    state = read_adapter(run.folder)
    a, b = (state[f"base_model.model.{key.removesuffix('.weight')}.lora_{m}.weight"] for m in "AB")
    torch.testing.assert_close(merged[key], before[key] + 2 * b @ a)  # alpha / r = 2; the exact base, not the 4-bit one


@pytest.mark.parametrize(
    ("skills", "changes", "dtype"),
    [
        ({"avx512_bf16": True}, {}, torch.bfloat16),
        ({"amx_bf16": True}, {}, torch.bfloat16),
        ({"avx512_bf16": True}, {"mixed_precision": "no"}, torch.float32),
        ({"avx512_bf16": True}, {"use_qlora": True}, torch.float32),
        ({"avx2": True}, {}, torch.float32),
    ],
)
def test_a_processor_trains_in_bf16_where_it_has_it(skills, changes, dtype, settings, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: skills)
    precision = base.Precision.of(settings(mixed_precision="bf16").changed(**changes))
    assert (precision.dtype, precision.bf16) == (dtype, dtype == torch.bfloat16)


@pytest.mark.slow
def test_bf16_on_a_processor_has_the_losses_of_float32(settings, trained, tmp_path, monkeypatch):
    exact = losses(trained(settings(auto_merge_final=False)))
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    half = trained(settings(auto_merge_final=False, mixed_precision="bf16", model_save_path=str(tmp_path / "half")))
    assert half.state == State.DONE
    assert 0 < max(abs(losses(half)[step] - exact[step]) for step in exact) < 0.05
    assert {value.dtype for value in read_adapter(half.folder).values()} == {torch.float32}


def test_training_learns(settings, trained):
    run = trained(settings(max_steps=20, train_data_path="invent:plates:6", auto_merge_final=False, lora_r=16))
    assert losses(run)[20] < losses(run)[1] - 0.25  # much for a random base whose words stay as they are


@pytest.mark.slow
@pytest.mark.parametrize("changes", [{"gradient_checkpointing": True}, {"num_workers": 1}])
def test_how_it_is_computed_changes_no_loss(changes, settings, trained, tmp_path):
    plain = trained(settings(auto_merge_final=False, model_save_path=str(tmp_path / "plain")))
    other = trained(settings(auto_merge_final=False, **changes))
    assert list(losses(other).values()) == pytest.approx(list(losses(plain).values()), rel=1e-6)


@pytest.mark.slow
def test_a_stopped_and_resumed_run_equals_the_uninterrupted_one(settings, trained, tmp_path, monkeypatch):
    common = {"max_steps": 6, "save_steps": 4, "gradient_accumulation_steps": 2, "auto_merge_final": False}
    whole = trained(settings(model_save_path=str(tmp_path / "whole"), **common))

    log_metrics = Run.log_metrics
    monkeypatch.setattr(
        Run, "log_metrics", lambda run, step, **v: (log_metrics(run, step, **v), step == 2 and run.request_stop())
    )
    config = settings(model_save_path=str(tmp_path / "parts"), **common)
    parts = trained(config)
    assert parts.state == State.STOPPED
    [checkpoint] = parts.checkpoints()
    assert checkpoint.name in ("checkpoint-2", "checkpoint-3")
    assert "adapter_model.safetensors" not in names(parts.folder)
    monkeypatch.undo()

    torch.manual_seed(99)  # a new process has another state
    resumed = trained(config.changed(resume_from_checkpoint="last"))
    assert resumed.state == State.DONE
    assert losses(resumed) == losses(whole)
    for key, value in read_adapter(whole.folder).items():
        assert torch.equal(value, read_adapter(resumed.folder)[key]), key


@pytest.mark.slow
def test_resuming_obeys_another_learning_rate_and_weight_decay(settings, trained, monkeypatch):
    common = {"auto_merge_final": False, "lr_scheduler_type": "constant", "warmup_steps": 0, "save_steps": 1}
    config = settings(learning_rate=1e-3, encoder_learning_rate=1e-4, max_steps=1, **common)
    trained(config)
    groups = []
    step = AdapterTrainer.training_step
    monkeypatch.setattr(
        AdapterTrainer,
        "training_step",
        lambda self, *args, **kwargs: (
            groups.append([(group["lr"], group["weight_decay"]) for group in self.optimizer.param_groups]),
            step(self, *args, **kwargs),
        )[1],
    )
    more = {"max_steps": 3, "resume_from_checkpoint": "last"}
    run = trained(config.changed(learning_rate=3e-4, encoder_learning_rate=2e-5, weight_decay=0.07, **more))
    assert all({rate for rate, _ in seen} == {3e-4, 2e-5} for seen in groups)
    assert all(0.07 in {decay for _, decay in seen} for seen in groups)
    assert [entry["learning_rate"] for entry in run.metrics() if entry["step"] == 3] == [3e-4]
    with pytest.raises(RunError, match="give it a number in both, or in neither"):
        trained(config.changed(encoder_learning_rate=None, max_steps=4, resume_from_checkpoint="last"))


@pytest.mark.slow
def test_the_split_belongs_to_the_run(settings, trained):
    config = settings(do_eval=True, max_steps=1, save_steps=1, eval_steps=1, auto_merge_final=False)
    trained(config)
    more = {"max_steps": 2, "resume_from_checkpoint": "last"}
    assert trained(config.changed(do_eval=False, **more)).state == State.DONE


@pytest.mark.slow
def test_programs_that_were_trained_on_cannot_be_held_out_later(settings, trained):
    config = settings(max_steps=1, save_steps=1, auto_merge_final=False)
    trained(config)
    with pytest.raises(DatasetError, match="none can be held out now"):
        trained(config.changed(do_eval=True, eval_steps=1, max_steps=2, resume_from_checkpoint="last"))


def test_evaluation_writes_losses_and_samples(settings, trained):
    run = trained(settings(do_eval=True, max_steps=4, eval_steps=2, save_steps=2, auto_merge_final=False))
    evaluated = {entry["step"]: entry for entry in run.metrics() if "eval_loss" in entry}
    assert evaluated.keys() == {0, 2, 4}
    assert all(0 <= entry["invalid_ratio"] <= 1 for entry in evaluated.values())
    assert [entry["step"] for entry in run.samples()] == [0, 2, 4]
    sample = run.samples()[-1]["samples"][0]
    parse(sample["target"])
    cloud = np.load(f"{run.samples()[-1]['folder']}/{sample['cloud']}")
    assert cloud.shape == (32, 3)
    data = json.loads((run.folder / "data.json").read_text())
    assert data["validation"]["used"] + data["train"]["used"] == 30


def test_held_out_programs_are_on_one_side_only(settings):
    programs = load_programs("invent:plates:30")
    doubled = type(programs)(programs.source, programs.pairs * 2, [])
    remaining, held = hold_out(doubled, settings())
    assert len(held.pairs) == 6  # 5 % would be a verdict on two parts
    assert not {pair.text for pair in held.pairs} & {pair.text for pair in remaining.pairs}
    assert len(remaining.pairs) == 48
    with pytest.raises(DatasetError, match="only one program"):
        hold_out(type(programs)("x", programs.pairs[:1] * 5, []), settings())


@pytest.mark.slow
def test_copies_and_further_programs_are_for_training_alone(settings, tmp_path):
    none = settings(do_eval=True, canonical="yes")
    config = none.changed(turned_copies=2, warped_copies=2, more_train_data="invent:plates:5")
    read = read_programs(config, Run.create(config.model_save_path, config.to_yaml()), Team())
    plain = read_programs(none, Run(config.model_save_path), Team())
    programs, before = read.training, plain.training
    assert [pair.text for pair in read.validation.pairs] == [pair.text for pair in plain.validation.pairs]
    assert [pair.text for pair in programs.pairs[: len(before.pairs)]] == [pair.text for pair in before.pairs]
    copies = [[pair for pair in programs.pairs if f", {how}" in pair.name] for how in ("turned", "warped")]
    assert all(len(made) > 1.5 * len(before.pairs) for made in copies)
    assert len(programs.pairs) == len(before.pairs) + sum(map(len, copies)) + 5


@pytest.mark.slow
@pytest.mark.parametrize(
    ("flags", "root_has_adapter", "root_has_merged", "checkpoint_has_adapter", "checkpoint_has_merged"),
    [
        ({}, True, True, True, True),
        ({"merge_final_only": True}, True, True, True, False),
        ({"auto_merge_lora": False}, True, True, True, False),
        ({"auto_merge_final": False}, True, False, True, True),
        ({"keep_lora_final": False}, False, True, True, True),
        ({"keep_lora_only": False}, True, True, False, True),
    ],
)
def test_merge_flags(
    flags, root_has_adapter, root_has_merged, checkpoint_has_adapter, checkpoint_has_merged, settings, trained
):
    run = trained(settings(**({"auto_merge_lora": True, "max_steps": 2, "save_steps": 1} | flags)))
    checkpoint = run.folder / "checkpoint-1"
    assert (names(run.folder) >= ADAPTER) == root_has_adapter
    assert ((run.folder / "merged_model").exists()) == root_has_merged
    assert (names(checkpoint) >= ADAPTER) == checkpoint_has_adapter
    assert ((checkpoint / "merged_model").exists()) == checkpoint_has_merged
    assert (checkpoint in run.checkpoints()) == checkpoint_has_adapter
    assert list(run.folder.rglob("*.partial")) == []


def test_an_adapter_that_is_not_what_was_trained_is_noticed(settings, trained, monkeypatch):
    """A save without the encoder's training, say: the loss of what was saved is another one."""
    check = saving.check_saved

    def spoil(config, folder, batch, expected):
        state = load_file(folder / "adapter_model.safetensors")
        from safetensors.torch import save_file

        save_file({k: v + 0.3 for k, v in state.items()}, folder / "adapter_model.safetensors", {"format": "pt"})
        check(config, folder, batch, expected)

    monkeypatch.setattr("cadrecode.training.finetune.check_saved", spoil)
    config = settings()
    with pytest.raises(ModelError, match="is not what was"):
        trained(config)
    run = Run(config.model_save_path)
    assert run.state == State.FAILED
    assert "loss" in run.status()["error"]
    assert not (run.folder / "merged_model").exists()


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        (
            {"train_data_path": "data/train"},
            DatasetError,
            "no training data at data/train. Give a folder of .py programs",
        ),
        ({"report_to": "trackio"}, ConfigError, "pip install trackio"),
        ({"base_model_name": "no/such/folder"}, ModelError, "no/such/folder"),
        ({"max_seq_length": 40}, DatasetError, "longer than 8 tokens"),
        ({"n_points": 4}, ConfigError, "n_points is 4"),
        ({"resume_from_checkpoint": "last"}, RunError, "No checkpoint was saved"),
        ({"learning_rate": 1e30}, RunError, "is no number"),
    ],
)
def test_what_cannot_work_is_said_and_noted(changes, error, words, settings, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = Run.create(tmp_path / "run", "")
    with pytest.raises(error, match=words):
        train(settings(max_steps=6, **changes), run)
    assert run.state == State.FAILED
    assert run.status()["error"]


def test_resume_refuses_other_adapters_and_says_why(settings, trained):
    config = settings(auto_merge_final=False)
    run = trained(config)
    with pytest.raises(RunError, match="all of its max_steps"):
        trained(config.changed(resume_from_checkpoint="last"))
    with pytest.raises(RunError, match="lora_r 4, and the settings say 8"):
        trained(config.changed(resume_from_checkpoint="last", lora_r=8, max_steps=9))
    shutil.copy(run.folder / "config.yaml", run.folder / "checkpoint-3" / "optimizer.pt")
    with pytest.raises(RunError, match=r"checkpoint-3 cannot be resumed from: optimizer.pt has"):
        trained(config.changed(resume_from_checkpoint=str(run.folder / "checkpoint-3"), max_steps=9))
