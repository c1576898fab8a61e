"""The queue: order, one at a time, restart, stop, kill, resume. Children are small scripts instead of trainings."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cadrecode.config import TrainConfig
from cadrecode.errors import DatasetError, RunError
from cadrecode.jobs import queue
from cadrecode.runs import RESUMABLE, Run, State, process_start, seal_checkpoint

ROOT = Path(__file__).resolve().parents[1]

CONFIG = TrainConfig(train_data_path="invent:general")

CHILD = """
import signal, sys, time
from cadrecode.runs import Run, State
run = Run(sys.argv[1])
signal.signal(signal.SIGTERM, lambda *_: None)   # as a training does: it looks at the flag
run.claim()
run.set_status(State.TRAINING, step=0)
print("hello from the child", flush=True)
while not run.stop_requested() and not (run.folder / "finish").exists():
    time.sleep(0.02)
run.set_status(State.STOPPED if run.stop_requested() else State.DONE)
"""


@pytest.fixture
def runs_dir(tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr(queue, "command", lambda run: [sys.executable, "-c", CHILD, str(run.folder)])
    monkeypatch.setattr(queue, "watch", lambda runs_dir: None)  # each test moves the queue by hand
    yield tmp_path
    for run in queue.list_runs(tmp_path):
        if run.alive():
            os.kill(run.status()["pid"], signal.SIGKILL)


def wait(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def state_of(run: Run, state: State):
    wait(lambda: run.state == state)


def test_one_at_a_time_in_order(runs_dir):
    first, second, third = (queue.start(CONFIG, runs_dir, name) for name in "cab")
    assert queue.waiting(runs_dir) == [first, second, third]
    assert queue.tick(runs_dir) == [first]
    assert queue.tick(runs_dir) == []
    assert queue.waiting(runs_dir) == [second, third]
    state_of(first, State.TRAINING)
    (first.folder / "finish").touch()
    state_of(first, State.DONE)
    assert queue.tick(runs_dir) == [second]
    assert "hello from the child" in first.log_tail()


def test_the_folder_is_the_runs_and_names_do_not_clash(runs_dir):
    config = TrainConfig(train_data_path="invent:general", experiment_name="My parts / v1")
    first, second = queue.start(config, runs_dir), queue.start(config, runs_dir)
    assert (first.name, second.name) == ("My-parts-v1", "My-parts-v1-2")
    assert TrainConfig.load(second.folder / "config.yaml").model_save_path == str(second.folder)
    assert {run.name for run in queue.list_runs(runs_dir)} == {first.name, second.name}


def test_data_that_is_not_there_is_refused_at_once(runs_dir):
    with pytest.raises(DatasetError, match="no training data at data/nowhere"):
        queue.start(TrainConfig(train_data_path="data/nowhere"), runs_dir)
    assert queue.list_runs(runs_dir) == []


def test_stop_asks_and_a_waiting_run_leaves_the_queue(runs_dir):
    first, second = queue.start(CONFIG, runs_dir, "a"), queue.start(CONFIG, runs_dir, "b")
    queue.tick(runs_dir)
    state_of(first, State.TRAINING)
    queue.stop(first)
    queue.stop(second)
    assert second.state == State.STOPPED
    state_of(first, State.STOPPED)
    assert first.status()["error"] is None  # it ended by itself
    wait(lambda: not first.alive())
    with pytest.raises(RunError, match="not running"):
        queue.stop(first)


def test_stop_before_the_child_can_listen_reads_as_stopped(runs_dir, monkeypatch):
    monkeypatch.setattr(queue, "command", lambda run: [sys.executable, "-c", "import time; time.sleep(60)"])
    run = queue.start(CONFIG, runs_dir)
    queue.tick(runs_dir)
    queue.stop(run)
    state_of(run, State.STOPPED)


def test_kill_ends_the_whole_group(runs_dir, monkeypatch):
    script = "import subprocess,sys,time; print(subprocess.Popen(['sleep','60']).pid, flush=True); time.sleep(60)"
    monkeypatch.setattr(queue, "command", lambda run: [sys.executable, "-c", script])
    run = queue.start(CONFIG, runs_dir)
    queue.tick(runs_dir)
    wait(lambda: run.log_tail().strip())
    grandchild = int(run.log_tail())
    queue.kill(run)
    assert (run.state, run.status()["error"]) == (State.FAILED, "Killed on request.")
    wait(lambda: process_start(grandchild) is None)


TEAM = """
import subprocess, sys
ranks = [subprocess.Popen([sys.executable, "-c", sys.argv[2], sys.argv[1]], start_new_session=True) for _ in range(2)]
print(*(rank.pid for rank in ranks), flush=True)
sys.exit(max(rank.wait() for rank in ranks))
"""


@pytest.fixture
def team(runs_dir, monkeypatch):
    """A run of two processes below a launcher, each in a session of its own, as torch's launcher starts them."""
    monkeypatch.setattr(queue, "command", lambda run: [sys.executable, "-c", TEAM, str(run.folder), CHILD])
    run = queue.start(CONFIG, runs_dir, "team", processes=2)
    queue.tick(runs_dir)
    state_of(run, State.TRAINING)
    wait(lambda: len(run.log_tail().splitlines()) == 3)  # who they are, and that both have begun
    [pids] = [line for line in run.log_tail().splitlines() if "hello" not in line]
    return run, [run.status()["launcher"], *map(int, pids.split())]


def test_kill_ends_each_process_of_a_team(team):
    run, pids = team
    assert all(process_start(pid) is not None for pid in pids)
    queue.kill(run)
    assert [process_start(pid) for pid in pids] == [None] * 3
    assert (run.state, run.status()["error"]) == (State.FAILED, "Killed on request.")


def test_a_team_is_stopped_by_the_flag_and_by_no_signal(team, monkeypatch):
    run, pids = team
    monkeypatch.setattr(queue.os, "kill", lambda *_: pytest.fail("the launcher would take SIGTERM for an end at once"))
    queue.stop(run)
    wait(lambda: all(process_start(pid) is None for pid in pids))
    assert run.state == State.STOPPED


def test_the_number_of_processes_stays_with_the_run(runs_dir, monkeypatch):
    alone, team = queue.start(CONFIG, runs_dir, "alone"), queue.start(CONFIG, runs_dir, "team", processes=3)
    for run in (alone, team):
        queue.stop(run)
        queue.resume(run)
    monkeypatch.undo()
    assert (queue.processes_of(alone), queue.processes_of(team)) == (1, 3)
    assert queue.command(alone)[1:4] == ["-m", "cadrecode", "train"]
    words = queue.command(team)
    assert words[1:5] == ["-m", "accelerate.commands.launch", "--num_processes", "3"]
    assert words[words.index("cadrecode") - 1 :] == [
        "-m",
        *queue.command(alone)[2:-1],
        str(team.folder / "config.yaml"),
    ]
    assert "processes" not in TrainConfig.load(team.folder / "config.yaml").model_dump()
    with pytest.raises(RunError, match="needs at least 1 process, not 0"):
        queue.start(CONFIG, runs_dir, "none", processes=0)


def test_a_child_that_dies_reads_as_failed_and_the_queue_moves_on(runs_dir):
    first, second = queue.start(CONFIG, runs_dir, "a"), queue.start(CONFIG, runs_dir, "b")
    queue.tick(runs_dir)
    state_of(first, State.TRAINING)
    os.kill(first.status()["pid"], signal.SIGKILL)
    state_of(first, State.FAILED)
    assert "without saying why" in first.status()["error"]
    assert queue.tick(runs_dir) == [second]


def test_a_restarted_app_adopts_what_still_runs(runs_dir):
    """Another process starts the run and ends; this one neither starts it again nor a second beside it."""
    script = f"""
import sys; sys.path.insert(0, {str(ROOT)!r})
from cadrecode.jobs import queue; from cadrecode.config import TrainConfig
CONFIG = TrainConfig(train_data_path="invent:general")
queue.command = lambda run: [sys.executable, "-c", {CHILD!r}, str(run.folder)]
queue.watch = lambda runs_dir: None
queue.start(CONFIG, {str(runs_dir)!r}, "a"); queue.start(CONFIG, {str(runs_dir)!r}, "b")
assert len(queue.tick({str(runs_dir)!r})) == 1
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
    first = Run(runs_dir / "a")
    state_of(first, State.TRAINING)
    assert queue.tick(runs_dir) == []
    assert [run.name for run in queue.waiting(runs_dir)] == ["b"]
    queue.stop(first)
    state_of(first, State.STOPPED)
    assert [run.name for run in queue.tick(runs_dir)] == ["b"]


def test_two_processes_do_not_start_a_run_twice(runs_dir):
    for n in range(4):
        queue.start(CONFIG, runs_dir, f"run{n}")
    script = f"""
import sys; sys.path.insert(0, {str(ROOT)!r})
from cadrecode.jobs import queue
queue.command = lambda run: [sys.executable, "-c", {CHILD!r}, str(run.folder)]
sys.stdin.readline()
print(len(queue.tick({str(runs_dir)!r}, parallel=3)))
"""
    racers = [
        subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(3)
    ]
    for racer in racers:
        racer.stdin.write(b"go\n")
        racer.stdin.flush()
    assert sum(int(racer.communicate(timeout=60)[0]) for racer in racers) == 3
    assert len(queue.waiting(runs_dir)) == 1


def test_resume_takes_the_newest_complete_checkpoint(runs_dir, monkeypatch):
    run = queue.start(CONFIG, runs_dir)
    queue.tick(runs_dir)
    state_of(run, State.TRAINING)
    with pytest.raises(RunError, match="only a run that has ended"):
        queue.resume(run)
    with pytest.raises(RunError, match="still running"):
        queue.delete(run)
    for step in (10, 20):
        folder = run.folder / f"checkpoint-{step}"
        folder.mkdir()
        for name in RESUMABLE:
            (folder / name).write_text("{}")
        seal_checkpoint(folder)
    (run.folder / "checkpoint-30").mkdir()  # half written
    queue.stop(run)
    state_of(run, State.STOPPED)
    queue.resume(run)
    assert run.state == State.QUEUED
    assert not run.stop_requested()
    assert queue.waiting(runs_dir) == [run]
    monkeypatch.undo()
    assert queue.command(run)[-2:] == ["--resume_from_checkpoint", str(run.folder / "checkpoint-20")]


def test_resume_refuses_what_is_incomplete(runs_dir):
    run = queue.start(CONFIG, runs_dir)
    queue.stop(run)
    (run.folder / "checkpoint-30").mkdir()
    with pytest.raises(RunError, match="checkpoint-30: it was not written to its end"):
        queue.resume(run)


def test_delete_removes_runs_only(runs_dir):
    run = queue.start(CONFIG, runs_dir)
    queue.delete(run)
    assert not run.folder.exists()
    (runs_dir / "precious").mkdir()
    with pytest.raises(RunError, match="holds no run"):
        queue.delete(Run(runs_dir / "precious"))
    assert (runs_dir / "precious").is_dir()


def test_the_background_thread_moves_the_queue(tmp_path, monkeypatch):
    monkeypatch.setattr(queue, "command", lambda run: [sys.executable, "-c", CHILD, str(run.folder)])
    runs = [queue.start(CONFIG, tmp_path, name) for name in "ab"]
    for run in runs:
        (run.folder / "finish").touch()
    for run in runs:
        state_of(run, State.DONE)
    queue.watch(tmp_path)  # a second look at the same folder needs no second thread
    assert [thread for path, thread in queue._watchers.items() if path == tmp_path.resolve() and thread.is_alive()]
