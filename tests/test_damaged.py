"""A damaged file in one run folder is that run's trouble alone: list and queue go on, and the run can be deleted."""

import json
import os
import sys

import pytest

from cadrecode import json_files
from cadrecode.adapters import CONFIG_FILE, WEIGHTS_FILE, discover_adapters
from cadrecode.config import TrainConfig
from cadrecode.jobs import evaluating, merging, queue
from cadrecode.runs import Kind, Run, State, checkpoint_problems
from cadrecode.ui.train import views
from cadrecode.ui.words.text import Words

CONFIG = TrainConfig(train_data_path="invent:general")
STATUS = {"kind": "training", "state": "queued", "created_at": 1.0, "queued_at": 1.0}


def changed(**fields) -> bytes:
    return json.dumps({**STATUS, **fields}).encode()


DAMAGED = {
    "empty": b"",
    "cut": changed()[:-7],
    "list": b"[]",
    "number": b"7",
    "unknown state": changed(state="exploded"),
    "no state": b"{}",
    "state of a list": changed(state=["queued"]),
    "unknown kind": changed(kind="virus"),
    "not UTF-8": b"\xff\xfe" + changed(),
    "nested": b'{"state": "queued", "x": ' + b"[" * 200_000 + b"]" * 200_000 + b"}",
    "long": b'{"state": "queued", "x": "' + b"x" * 20_000_000 + b'"}',
    "time as a text": changed(created_at="yesterday"),
    "queued at nothing": changed(queued_at=None),
    "infinite time": changed(created_at=float("inf")),
    "time beyond the calendar": changed(created_at=1e300),
    "pid of a list": changed(state="training", pid=[1]),
    "negative pid": changed(state="training", pid=-5, process_start=1.0),
    "pid of 400 digits": b'{"state": "training", "pid": ' + b"9" * 400 + b', "process_start": 1.0}',
    "failed without a word": changed(state="failed"),
    "steps in words": changed(step="three", total=3),
    "download of a text": changed(state="preparing", download="much"),
    "message without a template": changed(state="failed", error="x", error_message={"values": 3}),
    "message that reads attributes": changed(
        state="failed", error="x", error_message={"template": "{a[0]}", "values": {"a": "b"}}
    ),
    "message of a gigabyte": changed(
        state="failed", error_message={"template": "{a:>1000000000}", "values": {"a": "b"}, "text": "x"}
    ),
}


@pytest.fixture
def quiet(monkeypatch):
    """The queue moves by hand, and its children end at once."""
    monkeypatch.setattr(queue, "watch", lambda runs_dir: None)
    monkeypatch.setattr(queue, "command", lambda run: [sys.executable, "-c", ""])


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
@pytest.mark.parametrize("kind", list(Kind))
def test_a_damaged_status_stops_neither_list_nor_queue(quiet, tmp_path, content, kind):
    broken = Run(tmp_path / kind.place / "broken")
    broken.folder.mkdir(parents=True)
    (broken.folder / "status.json").write_bytes(content.replace(b'"training"', f'"{kind}"'.encode(), 1))
    sound = queue.start(CONFIG, tmp_path, "sound")
    assert {run.name for run in queue.list_runs(tmp_path)} >= {"sound"}
    assert {row[0] for row in views.rows(tmp_path, Words("en"))} >= {"sound"}
    assert views.latest(tmp_path) is not None
    evaluating.latest(tmp_path)
    merging.latest("sound", tmp_path)
    assert sound in queue.tick(tmp_path)
    assert broken.state != State.FAILED or broken.status()["error"]
    if broken.state == State.DAMAGED:
        assert "status.json" in broken.status()["error"]
        assert (broken.runs_dir, broken.kind) == (tmp_path, kind)
    view = views.look(broken, Words("zh"))
    assert view.deletable or broken.state == State.QUEUED
    queue.delete(broken)
    assert not broken.folder.exists()


def test_what_is_damaged_is_named_so(tmp_path):
    run = Run.create(tmp_path / "run", "")
    for content in (b"", b"[]", b'{"state": "exploded"}', b"\xff"):
        (run.folder / "status.json").write_bytes(content)
        assert run.state == State.DAMAGED


def test_a_status_that_is_a_folder_or_unreadable_is_damaged(tmp_path):
    run = Run(tmp_path / "run")
    (run.folder / "status.json").mkdir(parents=True)
    assert queue.list_runs(tmp_path) == [run]
    assert run.state == State.DAMAGED
    queue.delete(run)
    assert not run.folder.exists()


def test_a_living_process_mends_a_damaged_status(tmp_path):
    run = Run.create(tmp_path / "run", "")
    run.claim()
    (run.folder / "status.json").write_bytes(b"")
    run.set_status(State.TRAINING, step=3)
    assert (run.state, run.status()["pid"]) == (State.TRAINING, os.getpid())


def test_a_damaged_run_can_be_resumed_where_it_has_its_settings(quiet, tmp_path):
    run = queue.start(CONFIG, tmp_path, "run")
    (run.folder / "status.json").write_bytes(b"")
    assert views.look(run, Words("en")).resumable
    queue.resume(run)
    assert queue.waiting(tmp_path) == [run]
    (run.folder / "status.json").write_bytes(b"")
    (run.folder / "config.yaml").unlink()
    assert not views.look(run, Words("en")).resumable


def test_a_run_that_cannot_start_lets_the_next_one(quiet, tmp_path):
    first, second = queue.start(CONFIG, tmp_path, "first"), queue.start(CONFIG, tmp_path, "second")
    (first.folder / "log.txt").mkdir()
    assert queue.tick(tmp_path) == [second]
    assert first.state == State.FAILED
    assert "log.txt" in first.status()["error"]


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"\xff", b"[" * 100_000, b'{"step": 1}', b'{"step": 1, "samples": [7]}']
)
def test_damaged_samples_and_figures_are_left_out(tmp_path, content):
    run = Run.create(tmp_path / "run", "")
    run.write_samples(2, [])
    run.log_metrics(1, loss=1.0)
    (run.samples_folder(1) / "samples.json").write_bytes(content)
    with (run.folder / "metrics.jsonl").open("ab") as file:
        file.write(content + b'\n{"step": "x", "loss": []}\n{"step": 2, "loss": "high"}\n')
    assert [entry["step"] for entry in run.samples()] == [2]
    views.look(run, Words("en"))
    assert [entry["step"] for entry in run.metrics()][:1] == [1]
    assert all(isinstance(value, int | float | None) for entry in run.metrics() for value in entry.values())
    (run.folder / "scored.jsonl").write_bytes(content + b'\n{"model": 3}\n')
    assert evaluating.read_scores(run) == ({}, {})


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b"[" * 100_000, b'{"optimizer.pt": "x"}'])
def test_a_checkpoint_with_a_damaged_seal_is_not_whole(tmp_path, content):
    (tmp_path / "complete.json").write_bytes(content)
    assert checkpoint_problems(tmp_path)


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"\xff", b"[" * 100_000, b'{"base_model_name_or_path": ["a"]}', b'{"r": "many"}']
)
def test_a_damaged_adapter_does_not_hide_the_others(tmp_path, content):
    for name in ("broken", "sound"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / CONFIG_FILE).write_text('{"peft_type": "LORA", "r": 4, "lora_alpha": 8}')
        (folder / WEIGHTS_FILE).write_bytes(b"x")
    (tmp_path / "broken" / CONFIG_FILE).write_bytes(content)
    (tmp_path / "sound" / "config.yaml").write_bytes(b"\xff")
    assert [info.name for info in discover_adapters(tmp_path)] == ["sound"]


def test_a_file_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    events = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda handle: (events.append("flushed"), fsync(handle))[1])
    monkeypatch.setattr(os, "replace", lambda *paths: (events.append("named"), replace(*paths))[1])
    json_files.write_whole(tmp_path / "a.json", "{}")
    assert events[:2] == ["flushed", "named"]
    assert events[2:] == ([] if sys.platform == "win32" else ["flushed"])  # and the folder that holds the name


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    json_files.write_whole(path, "old")

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        json_files.write_whole(path, "new")
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {"a.json": "old"}
