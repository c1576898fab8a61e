"""Uploaded parts, sweeps, and adapters of stopped trainings."""

import re
import zipfile

import pytest

from cadrecode.adapters import find_adapter
from cadrecode.config import TrainConfig
from cadrecode.errors import CadrecodeError, ConfigError, RunError
from cadrecode.jobs import queue
from cadrecode.runs import Run, State, seal_checkpoint
from cadrecode.ui.train import actions, more, sweep, views
from cadrecode.ui.words.text import Words

CODE = "import cadquery as cq\nr=cq.Workplane('XY').box(1,2,3)"


def test_uploaded_parts_become_a_folder_to_train_on(tmp_path):
    (tmp_path / "block.py").write_text(CODE)
    (tmp_path / "notes.docx").write_bytes(b"-")
    with zipfile.ZipFile(tmp_path / "mine.zip", "w") as packed:
        packed.writestr("parts/a.py", CODE)
        packed.writestr("parts/read me.txt.exe", "-")
    paths = [tmp_path / name for name in ("mine.zip", "block.py", "notes.docx")]
    folder, count, left_out = more.take_in(paths, tmp_path / "runs")
    assert sorted(path.name for path in folder.iterdir()) == ["a.py", "block.py"]
    assert (count, left_out) == (2, ["parts/read me.txt.exe", "notes.docx"])
    assert actions.data_path(actions.OWN, "", 0, str(folder)) == str(folder)
    again, _, _ = more.take_in(paths[:1], tmp_path / "runs")
    assert again != folder
    with pytest.raises(ConfigError, match=r"no part .* \.stl"):
        more.take_in(paths[2:], tmp_path / "runs")
    assert sorted((tmp_path / "runs" / more.UPLOADED).iterdir()) == sorted([folder, again])


def test_a_sweep_queues_each_pair_of_rank_and_rate(tmp_path, queue_only):
    values = {**actions.preset("quickstart").model_dump(), "lora_r": "16", "lora_alpha": "32"}
    names = sweep.start(values, tmp_path, "trial", "8, 64", "1e-3 0.002")
    assert names == ["trial-r8-lr0.001", "trial-r8-lr0.002", "trial-r64-lr0.001", "trial-r64-lr0.002"]
    made = TrainConfig.load(tmp_path / names[-1] / "config.yaml")
    assert (made.lora_r, made.lora_alpha, made.learning_rate) == (64, 128, 0.002)
    for ranks, rates, fault in (("8", "", "2 to 12"), ("8,x", "", "no list of numbers"), ("8,-1", "", "lora_r")):
        with pytest.raises(ConfigError, match=fault):
            sweep.start(values, tmp_path, "bad", ranks, rates)
    assert len(list(tmp_path.glob("bad*"))) == 0


def test_a_sweep_has_a_table_of_its_ranks_and_rates(tmp_path, queue_only):
    words, values = Words("en"), actions.preset("quickstart").model_dump()
    runs = [Run(tmp_path / name) for name in sweep.start(values, tmp_path, "a", "8, 16", "1e-3")]
    sweep.start(values, tmp_path, "another", "4, 8", "1e-3")
    for run, iou in zip(runs, (0.81, 0.74)):
        run.log_metrics(0, median_iou=0.7)
        run.log_metrics(30, median_iou=iou)
    runs[0].set_status(State.DONE, step=60)
    table = sweep.table(runs[1], words)
    shown = re.findall(r'data-name="(.*?)".*?aria-pressed="(.*?)"(?: class="(.*?)")?>(.*?)<', table)
    assert shown == [("a-r8-lr0.001", "false", "cr-best", "0.81"), ("a-r16-lr0.001", "true", "", "0.74")]
    assert "The base has 0.70." in table
    assert re.findall(r'scope="\w+"[^>]*>([^<]*)', table) == ["Rank ↓ Learning rate →", "0.001", "8", "16"]
    queue.delete(runs[0])
    assert "a-r8" not in sweep.table(runs[1], words)
    assert sweep.table(Run.create(tmp_path / "alone", TrainConfig().to_yaml()), words) == ""


def test_what_a_stopped_run_had_learnt_becomes_an_adapter(tmp_path):
    run = Run.create(tmp_path / "plates", TrainConfig().to_yaml())
    run.set_status(State.FAILED)
    assert (views.look(run, words := Words("en")).resumable, views.look(run, words).keepable) == (True, False)
    with pytest.raises(RunError):
        more.keep_checkpoint(run)
    checkpoint = run.folder / "checkpoint-8"
    checkpoint.mkdir()
    (checkpoint / "adapter_config.json").write_text('{"r": 16, "lora_alpha": 32}')
    (checkpoint / "adapter_model.safetensors").write_bytes(b"w" * 5000)
    for name in ("optimizer.pt", "scheduler.pt", "trainer_state.json"):
        (checkpoint / name).write_text("{}")
    seal_checkpoint(checkpoint)
    assert views.look(run, words).keepable
    name = more.keep_checkpoint(run)
    assert name == "plates-step8"
    kept = find_adapter(tmp_path, name)
    assert kept.r == 16
    assert sorted(path.name for path in kept.folder.iterdir()) == [
        "adapter_config.json", "adapter_model.safetensors", "config.yaml",
    ]  # fmt: skip
    (checkpoint / "adapter_model.safetensors").unlink()
    with pytest.raises(CadrecodeError):
        more.keep_checkpoint(run)
