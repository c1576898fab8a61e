"""What a training may not lose: its curve when it is killed, its last good checkpoint, the word that it failed."""

import errno
import os
import signal

import numpy as np
import pytest
import torch

from cadrecode.config import TrainConfig
from cadrecode.errors import DatasetError, RunError
from cadrecode.model.adapters import read_adapter
from cadrecode.model.team import Team
from cadrecode.runs import SEAL, Run, State, checkpoint_problems
from cadrecode.training import checkpoints, preflight, watch
from cadrecode.training import trainer as training_loop
from cadrecode.training.card import worse_than_base
from cadrecode.training.trainer import AdapterTrainer
from tests.train.conftest import losses

STEPS = 9


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _child(config_yaml: str, folder: str, when: str, step: int) -> None:
    """Train in a process of its own that kills itself: at a step, or at a point of writing that step's checkpoint."""
    torch.set_num_threads(1)
    from cadrecode.training import train

    def at(trainer) -> bool:
        return trainer.state.global_step == step

    def dying(cls, name: str, *, before: bool):
        do = getattr(cls, name)

        def patched(self, *args, **kwargs):
            if before and at(self):
                _die()
            result = do(self, *args, **kwargs)
            if at(self):
                _die()
            return result

        setattr(cls, name, patched)

    if when == "step":
        dying(AdapterTrainer, "training_step", before=False)
    elif when == "adapter written":
        dying(AdapterTrainer, "_save", before=False)
    elif when == "optimizer half written":
        save = torch.save

        def cut_short(value, path, *args, **kwargs):
            save(value, path, *args, **kwargs)
            if f"checkpoint-{step}" in str(path) and str(path).endswith("optimizer.pt"):
                os.truncate(path, os.path.getsize(path) // 2)
                _die()

        torch.save = cut_short
    elif when == "not sealed":
        training_loop.finish_checkpoint = lambda *args: _die()
    elif when == "sealed, older ones not deleted":
        checkpoints.forget_checkpoint = lambda folder: _die()
    import yaml

    config = TrainConfig.from_values(yaml.safe_load(config_yaml), "test")
    train(config, Run(folder))


@pytest.mark.slow
def test_a_run_that_is_killed_again_and_again_has_the_curve_of_one_that_never_was(
    settings, trained, processes, tmp_path
):
    changes = {"max_steps": STEPS, "save_steps": 2, "save_total_limit": 1, "auto_merge_final": False}
    whole = trained(settings(**changes, model_save_path=str(tmp_path / "whole")))

    config = settings(**changes)
    run = Run.create(config.model_save_path, config.to_yaml())
    kills = [("step", int(np.random.default_rng().integers(1, 3))), ("adapter written", 4), ("not sealed", 4),
             ("optimizer half written", 4), ("sealed, older ones not deleted", 4), ("step", 6)]  # fmt: skip
    for when, step in kills:
        child = processes.Process(target=_child, args=(config.to_yaml(), str(run.folder), when, step))
        child.start()
        child.join(120)
        assert child.exitcode == -signal.SIGKILL, (when, step)
        assert run.state == State.FAILED
        for folder in run.checkpoints():
            assert checkpoint_problems(folder) == []
        if step > 2 or run.checkpoints():
            assert run.latest_checkpoint(), (when, step)
            config = config.changed(resume_from_checkpoint="last")
    trained(config)
    assert losses(run) == losses(whole)
    assert {p.name for p in run.all_checkpoints()} == {"checkpoint-9"}
    for key, value in read_adapter(whole.folder).items():
        assert torch.equal(value, read_adapter(run.folder)[key]), key


@pytest.mark.slow
def test_a_full_disk_fails_in_words_and_the_last_good_checkpoint_survives(settings, trained, monkeypatch):
    config = settings(max_steps=6, save_steps=2, save_total_limit=1, auto_merge_final=False)
    save = torch.save

    def full(value, path, *args, **kwargs):
        if "checkpoint-4" in str(path):
            raise OSError(errno.ENOSPC, "No space left on device")
        save(value, path, *args, **kwargs)

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(RunError, match=r"step 4 could not be written .*No space left.*checkpoint-2 is complete"):
        trained(config)
    run = Run(config.model_save_path)
    assert run.state == State.FAILED
    assert "Make room" in run.status()["error"]
    assert [folder.name for folder in run.all_checkpoints()] == ["checkpoint-2"]
    monkeypatch.undo()
    assert trained(config.changed(resume_from_checkpoint="last")).state == State.DONE


@pytest.mark.slow
@pytest.mark.parametrize("failing", ["save", "check", "merge"])
def test_a_run_that_failed_after_its_last_step_is_finished(settings, trained, monkeypatch, failing, tmp_path):
    """Resuming takes no further step: the adapter is that of a run that was never interrupted."""
    from cadrecode.training import finetune, live

    def full(*given, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    whole = trained(settings(model_save_path=str(tmp_path / "whole"), auto_merge_final=True))
    config = settings(auto_merge_final=True)
    place, name = {
        "save": (live.adapters, "save_adapter"),
        "check": (finetune, "check_saved"),
        "merge": (finetune, "merge_beside"),
    }[failing]
    with monkeypatch.context() as broken:
        broken.setattr(place, name, full)
        with pytest.raises(OSError, match="No space left"):
            trained(config)
    run = Run(config.model_save_path)
    assert run.state == State.FAILED
    assert "--resume_from_checkpoint last" in run.status()["error"]
    trained(config.changed(resume_from_checkpoint="last"))
    assert run.state == State.DONE
    assert losses(run) == losses(whole)
    assert (run.folder / "merged_model" / "config.json").is_file()
    for key, value in read_adapter(whole.folder).items():
        assert torch.equal(value, read_adapter(run.folder)[key]), key
    with pytest.raises(RunError, match="all of its max_steps"):
        trained(config.changed(resume_from_checkpoint="last"))


def test_a_stop_is_a_checkpoint_within_one_step(settings, monkeypatch):
    from cadrecode.training import train

    config = settings(max_steps=50, save_steps=50)
    run = Run.create(config.model_save_path, config.to_yaml())
    step_of = AdapterTrainer.training_step

    def stopping_at_2(self, *args, **kwargs):
        if self.state.global_step == 2:
            run.request_stop()
        return step_of(self, *args, **kwargs)

    monkeypatch.setattr(AdapterTrainer, "training_step", stopping_at_2)
    assert train(config, run).name == "checkpoint-3"
    assert run.state == State.STOPPED


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"train_data_path": "invent:plates:9"}, r"30 programs of .*parts.jsonl; these are 9 of invent:plates:9"),
        ({"base": "plain"}, "was trained with base_model_name"),
        ({"n_points": 40}, "n_points 32, and the settings say 40"),
        ({"use_rslora": True}, "use_rslora False, and the settings say True"),
    ],
)
def test_a_checkpoint_of_another_training_is_refused_with_the_difference(changes, words, settings, bases, trained):
    config = settings(max_steps=2, save_steps=1, auto_merge_final=False)
    trained(config)
    if "base" in changes:
        changes = {"base_model_name": str(bases[changes["base"]]), "n_points": 256, "max_seq_length": 1024}
    with pytest.raises(RunError, match=words):
        trained(config.changed(max_steps=4, resume_from_checkpoint="last", **changes))


def test_a_base_whose_weights_have_changed_is_refused(settings, bases, trained, tmp_path):
    import shutil

    from cadrecode.model.load import load_model, save_model

    shutil.copytree(bases["ours"], tmp_path / "base")
    config = settings(base_model_name=str(tmp_path / "base"), max_steps=2, save_steps=1, auto_merge_final=False)
    trained(config)
    model, tokenizer = load_model(tmp_path / "base")
    with torch.no_grad():
        model.model.norm.weight += 1
    save_model(model, tokenizer, tmp_path / "base")
    with pytest.raises(RunError, match="other weights than those that"):
        trained(config.changed(max_steps=4, resume_from_checkpoint="last"))


def test_a_loss_that_explodes_is_a_failed_run_with_advice(settings, monkeypatch, tmp_path):
    run = Run.create(tmp_path / "run", "")
    looking = watch.RunFolder(run, settings(learning_rate=4e-4), lambda folder: folder, None, None, 9, Team())
    for step, loss in enumerate((5.0, 1.0, 4.5, 1.1, 4.5, 4.5)):  # a bad batch now and then is none
        looking._refuse_divergence(step, loss)
    with pytest.raises(RunError, match=r"The loss is 4.6 at step 7, after 1: .*learning_rate to 0.0001"):
        looking._refuse_divergence(7, 4.6)
    with pytest.raises(RunError, match="no number"):
        looking._refuse_divergence(8, float("nan"))


# --- preflight


def test_out_of_memory_shows_before_the_first_step_with_numbers(settings, trained, monkeypatch):
    def greedy(self, *args, **kwargs):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("cadrecode.model.network.PointCloudMixin.forward", greedy)
    monkeypatch.setattr("cadrecode.estimate.available_memory", lambda device: 710 * 2**20)
    config = settings(per_device_train_batch_size=16, force=True)
    with pytest.raises(RunError, match=r"Out of memory\. "):
        trained(config)
    run = Run(config.model_save_path)
    assert run.state == State.FAILED
    assert any(word in run.status()["error"] for word in ("gradient_checkpointing true", "smaller base"))
    assert run.metrics() == []


def test_out_of_memory_on_a_processor_has_the_same_advice(settings, trained, monkeypatch):
    def greedy(self, *args, **kwargs):
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr("cadrecode.model.network.PointCloudMixin.forward", greedy)
    with pytest.raises(RunError, match=r"Out of memory\. "):
        trained(settings())


@pytest.mark.slow
def test_a_training_that_needs_more_memory_than_there_is_has_to_be_forced(settings, trained, monkeypatch, tmp_path):
    monkeypatch.setattr("cadrecode.estimate.available_memory", lambda device: 10 * 2**20)
    config = settings(max_steps=1, auto_merge_final=False)
    with pytest.raises(RunError, match=r"Memory is not enough.*To try all the same: --force"):
        trained(config)
    assert trained(config.changed(force=True, model_save_path=str(tmp_path / "forced"))).state == State.DONE


def test_a_disk_too_small_is_said_before_the_first_step(settings, trained, monkeypatch):
    usage = preflight.shutil.disk_usage
    monkeypatch.setattr(preflight.shutil, "disk_usage", lambda path: usage(path)._replace(free=10**6))
    with pytest.raises(RunError, match=r"0.0 GB free; up to .* will be written: 1 checkpoints"):
        trained(settings())


def test_labels_that_do_not_give_back_the_program_are_noticed(settings, trained, monkeypatch):
    monkeypatch.setattr(preflight, "decode_program", lambda tokenizer, ids: "r=w0.box(1,1,1)")
    with pytest.raises(DatasetError, match="do not give back the program"):
        trained(settings())


@pytest.mark.slow
def test_the_preflight_leaves_no_trace_in_the_curve(settings, trained, monkeypatch, tmp_path):
    looked = trained(settings(auto_merge_final=False, lora_dropout=0.3))
    monkeypatch.setattr("cadrecode.training.live.try_longest_batch", lambda trainer, config: None)
    blind = trained(settings(auto_merge_final=False, lora_dropout=0.3, model_save_path=str(tmp_path / "blind")))
    assert losses(looked) == losses(blind)


# --- what is left at the end


@pytest.mark.slow
@pytest.mark.parametrize(
    ("after", "words"),
    [
        ({"mean_iou": 0.7, "invalid_ratio": 0.0}, "mean IoU 0.700 after 0.800"),
        ({"mean_iou": 0.9, "invalid_ratio": 0.25}, "invalid 25% after 0%"),
        ({"mean_iou": 0.81, "invalid_ratio": 0.0}, None),
    ],
)
def test_an_adapter_that_is_worse_than_its_base_says_so(after, words):
    worse = worse_than_base({"base": {"mean_iou": 0.8, "invalid_ratio": 0.0}, "adapter": after})
    assert (worse is None) is (words is None)
    assert words is None or words in worse


@pytest.mark.slow
def test_base_against_adapter_and_a_card(settings, trained, bases):
    config = settings(do_eval=True, max_steps=5, eval_steps=2, save_steps=2, auto_merge_final=False)
    run = trained(config)
    scores = run.status()["scores"]
    evaluated = {entry["step"]: entry["eval_loss"] for entry in run.metrics() if "eval_loss" in entry}
    assert evaluated.keys() == {0, 2, 4, 5}  # the last step too, whatever eval_steps
    assert scores["base"]["eval_loss"] == evaluated[0]
    assert scores["adapter"]["eval_loss"] == min(evaluated[step] for step in (2, 4, 5))
    gain = [scores["adapter"][key] for key in ("gain_low", "gain", "gain_high")]
    assert gain == sorted(gain)
    assert gain[1] == pytest.approx(scores["adapter"]["mean_iou"] - scores["base"]["mean_iou"])
    card = (run.folder / "README.md").read_text()
    assert f"mean IoU {gain[1]:+.3f} over the base" in card
    assert f"base_model: {bases['ours']}" in card
    assert "| base |" in card
    assert "| adapter |" in card


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["use_rslora", "use_dora"])
def test_rslora_and_dora_train_save_merge(kind, settings, trained):
    run = trained(settings(**{kind: True}))
    assert run.state == State.DONE  # the saved adapter has the live loss, and the merged model its logits
    assert (run.folder / "merged_model").is_dir()
    lengths = [key for key in read_adapter(run.folder) if "magnitude" in key]
    assert bool(lengths) == (kind == "use_dora")


@pytest.mark.slow
def test_going_on_from_an_adapter(settings, trained, tmp_path):
    first = trained(settings(auto_merge_final=False, max_steps=6))
    config = settings(auto_merge_final=False, model_save_path=str(tmp_path / "more"), warmup_steps=2)
    more = trained(config.changed(init_from_adapter=str(first.folder)))
    fresh = trained(config.changed(model_save_path=str(tmp_path / "fresh")))
    assert losses(more)[1] < losses(fresh)[1]
    with pytest.raises(RunError, match="lora_r 4, and the settings say 2"):
        trained(config.changed(init_from_adapter=str(first.folder), lora_r=2, model_save_path=str(tmp_path / "x")))


def test_a_checkpoint_being_replaced_is_not_offered(settings, trained):
    run = trained(settings(auto_merge_final=False))
    (folder,) = run.checkpoints()
    (folder / SEAL).unlink()
    assert run.checkpoints() == []
    with pytest.raises(RunError, match="not written to its end"):
        run.latest_checkpoint()
