"""The run folder, from both sides."""

import json
import os
import subprocess
import sys
import time

import pytest

from cadrecode.errors import RunError
from cadrecode.runs import (
    DIED,
    DIED_OF_MEMORY,
    RESUMABLE,
    Run,
    State,
    checkpoint_problems,
    process_start,
    processes,
    seal_checkpoint,
)


@pytest.fixture
def run(tmp_path) -> Run:
    return Run.create(tmp_path / "brackets", "seed: 1\n")


def checkpoint(run: Run, step: int):
    folder = run.folder / f"checkpoint-{step}"
    folder.mkdir()
    for name in RESUMABLE:
        (folder / name).write_text("{}")
    seal_checkpoint(folder)
    return folder


def test_a_new_run_waits(run):
    assert run.state == State.QUEUED
    assert run.config_yaml() == "seed: 1\n"
    assert run.metrics() == []
    assert run.log_tail() == ""
    assert run.checkpoints() == []


def test_status_keeps_what_is_not_named(run):
    run.claim(total=10)
    run.set_status(State.TRAINING, step=3, eta_seconds=float("nan"))
    status = run.status()
    assert (status["state"], status["step"], status["total"], status["eta_seconds"]) == ("training", 3, 10, None)
    assert status["pid"] == os.getpid()
    assert run.alive()


def test_readers_never_see_half_a_status(run):
    """A thousand replacements, read all the while from another process."""
    reader = "import json,sys,time\nend=time.time()+1\nwhile time.time()<end: json.load(open(sys.argv[1]))\nprint(7)"
    path = str(run.folder / "status.json")
    child = subprocess.Popen([sys.executable, "-c", reader, path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    while child.poll() is None:
        run.set_status(State.TRAINING, filler="x" * 5000, pid=os.getpid(), process_start=process_start(os.getpid()))
    assert child.stdout.read() == b"7\n"
    assert list(run.folder.glob(".status*")) == []  # and nothing is left behind


def test_a_dead_process_is_not_believed(run):
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    run.claim(child.pid)
    assert run.alive()
    assert run.state == State.PREPARING
    child.kill()
    while process_start(child.pid) is not None:
        time.sleep(0.01)
    assert not run.alive()  # already as a zombie that nobody has waited for
    child.wait()
    assert (run.status()["state"], run.status()["error"]) == (State.FAILED, DIED)


def test_memory_is_blamed_where_it_ran_out_and_nowhere_else(run, monkeypatch, tmp_path):
    counter = tmp_path / "memory.events"
    monkeypatch.setattr(processes, "OOM_COUNTERS", (str(tmp_path / "none"), str(counter)))
    for before, now, error in ((3, 3, DIED), (3, 4, DIED_OF_MEMORY), (None, 4, DIED), (3, None, DIED)):
        for count, act in ((before, lambda: run.claim(2**22 + 1)), (now, lambda: None)):
            counter.write_text("max 9\n" if count is None else f"max 9\noom_kill {count}\n")
            act()
        assert (run.state, run.status()["error"]) == (State.FAILED, error)
    assert "memory" not in DIED


def test_a_pid_that_was_given_out_again_is_another_process(run):
    run.claim()
    run.set_status(State.TRAINING, process_start=process_start(os.getpid()) - 100)
    assert run.state == State.FAILED


def test_a_process_ended_by_a_stop_before_it_could_save_is_stopped(run):
    run.set_status(State.PREPARING, pid=2**22 + 1, process_start=1.0)
    run.request_stop()
    assert run.state == State.STOPPED


def test_metrics_survive_a_writer_that_died_within_a_line(run):
    run.log_metrics(1, loss=2.0)
    with (run.folder / "metrics.jsonl").open("a") as file:
        file.write('{"step": 2, "lo')
    assert run.metrics() == [{"step": 1, "loss": 2.0}]
    run.log_metrics(3, loss=float("inf"))
    assert run.metrics() == [{"step": 1, "loss": 2.0}, {"step": 3, "loss": None}]


def test_resuming_forgets_what_came_after(run):
    for step in (1, 2, 3, 4):
        run.log_metrics(step, loss=1.0)
    run.forget_metrics_after(2)
    assert [entry["step"] for entry in run.metrics()] == [1, 2]


def test_log_tail_shows_the_last_drawing_of_a_bar(run):
    (run.folder / "log.txt").write_text("a\nb\n 10%\r 50%\r100%\r\nlast é\n")
    assert run.log_tail(2) == "100%\nlast é"
    assert run.log_tail(40).startswith("a\nb\n")


def test_stop_flag(run):
    assert not run.stop_requested()
    run.request_stop()
    assert Run(run.folder).stop_requested()
    run.clear_stop()
    assert not run.stop_requested()


def test_checkpoints_are_the_complete_ones_in_the_order_of_their_steps(run):
    nine, ten, bad = checkpoint(run, 9), checkpoint(run, 10), checkpoint(run, 11)
    (bad / "optimizer.pt").write_text("{")
    (run.folder / "checkpoint-12").mkdir()
    assert run.checkpoints() == [nine, ten]
    assert run.latest_checkpoint() == ten
    assert checkpoint_problems(bad) == ["optimizer.pt has 1 bytes instead of 2"]
    assert checkpoint_problems(run.folder / "checkpoint-12") == ["it was not written to its end"]
    assert "there is no folder" in checkpoint_problems(run.folder / "checkpoint-99")[0]


def test_nothing_to_resume_from_says_why(run):
    with pytest.raises(RunError, match="No checkpoint was saved"):
        run.latest_checkpoint()
    (checkpoint(run, 5) / "adapter_model.safetensors").unlink()
    with pytest.raises(RunError, match=r"checkpoint-5: adapter_model.safetensors is missing"):
        run.latest_checkpoint()


def test_an_earlier_run_is_moved_aside_not_overwritten(run):
    run.log_metrics(1, loss=5.0)
    again = Run.create(run.folder, "seed: 2\n")
    assert again.metrics() == []
    earlier = Run(run.folder.with_name("brackets-earlier-1"))
    assert earlier.metrics() == [{"step": 1, "loss": 5.0}]
    assert earlier.config_yaml() == "seed: 1\n"


def test_an_earlier_run_that_made_nothing_is_replaced(run):
    run.set_status(State.FAILED, error="no data")
    assert Run.create(run.folder, "seed: 2\n").status().get("error") is None
    assert [path.name for path in run.folder.parent.iterdir()] == ["brackets"]


def test_a_folder_in_use_is_refused(run):
    run.claim()
    with pytest.raises(RunError, match=f"in use by process {os.getpid()}"):
        Run.create(run.folder, "")


def test_samples_come_back_in_order(run):
    for step in (200, 100):
        run.write_samples(step, [{"program": "r=1", "iou": float("nan")}])
    assert [entry["step"] for entry in run.samples()] == [100, 200]
    assert run.samples()[0]["samples"] == [{"program": "r=1", "iou": None}]


def test_no_run_is_a_failed_one(tmp_path):
    assert Run(tmp_path).status()["error"] == "There is no run in this folder."
    assert json.dumps(Run(tmp_path).status())
