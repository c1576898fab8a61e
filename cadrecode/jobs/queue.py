"""A queue on disk: trainings, evaluations and merges, one child process at a time.

The queue consists of the run folders whose status is `queued`, the oldest first. So it survives a restart of the app,
and two apps that look at the same folder see the same queue; a lock file keeps them from starting a run twice.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock

from cadrecode.config import Settings, TrainConfig
from cadrecode.data.dataset import require
from cadrecode.errors import Message, RunError
from cadrecode.runs import Kind, Run, State, free_folder, is_alive, process_start
from cadrecode.shipped import child_environment

log = logging.getLogger(__name__)

PARALLEL = 1  # runs at a time: one fills the machine
LOOK_SECONDS = 0.5
KILL_SECONDS = 10  # in which a killed process must be gone
# Options of `accelerate launch` for several processes. Without GPUs they train over gloo, whatever the first option's
# name says. The others override a person's own accelerate configuration; port 0 is any free port.
TEAM = ("--multi_gpu", "--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no",
        "--main_process_port", "0")  # fmt: skip

_watchers: dict[Path, threading.Thread] = {}
_children: list[subprocess.Popen] = []  # started here; polled, so that they do not stay behind as zombies
_guard = threading.Lock()


def start(config: TrainConfig, runs_dir: str | Path, name: str | None = None, processes: int = 1, **status: Any) -> Run:
    """Queue a training in a folder of its own below `runs_dir`.

    Args:
        name: The folder's name; by default the experiment's name, or else the date.
        processes: How many train together, each with the whole model and a batch of its own: one for each GPU. This
            concerns how a run is started, not what it trains, so it stands in the status and not among the settings.
        status: Fields of the status besides the state.

    Raises:
        DatasetError: There is no such training data.
        RunError: The number of processes is below 1.
    """
    if processes < 1:
        raise RunError("A run needs at least 1 process, not {count}.", count=processes)
    require(config.train_data_path)
    name = name or config.experiment_name or time.strftime("%Y-%m-%d-%H%M")
    team = {"processes": processes} if processes > 1 else {}
    return add(
        Path(runs_dir), Kind.TRAINING, name, lambda folder: config.changed(model_save_path=str(folder)), step=0,
        total=config.max_steps, **team, **status,
    )  # fmt: skip


def add(runs_dir: Path, kind: Kind, name: str, settings_for: Callable[[Path], Settings], **status: Any) -> Run:
    """Queue a run in a folder of its own, and see to it that the queue moves.

    Args:
        name: The folder's name. A number is added to a name that is taken.
        settings_for: Called with the new folder; what it raises removes the folder again.
        status: Fields of the status besides the state.
    """
    runs_dir = runs_dir.resolve()
    with locked(runs_dir):
        folder = free_folder(runs_dir / kind.place, name)
        folder.mkdir(parents=True)
    try:
        settings = settings_for(folder)
    except BaseException:
        shutil.rmtree(folder)
        raise
    with locked(runs_dir):
        run = Run.create(folder, settings.to_yaml(), kind=kind)
        run.set_status(State.QUEUED, queued_at=time.time(), **status)
    watch(runs_dir)
    return run


def list_runs(runs_dir: str | Path, kind: Kind = Kind.TRAINING) -> list[Run]:
    """All runs of a kind, newest first."""
    runs = [Run(path.parent) for path in (Path(runs_dir).resolve() / kind.place).glob("*/status.json")]
    return sorted(runs, key=lambda run: run.status().get("created_at", 0), reverse=True)


def waiting(runs_dir: str | Path) -> list[Run]:
    """The runs that wait, of every kind, in the order in which they will start."""
    return _busy_and_waiting(Path(runs_dir))[1]


def _busy_and_waiting(runs_dir: Path) -> tuple[int, list[Run]]:
    """The number of runs at work, and the runs that wait in their order."""
    statuses = [(run.status(), run) for kind in Kind for run in list_runs(runs_dir, kind)]
    queued = [(s.get("queued_at", 0), run.name, run) for s, run in statuses if s["state"] == State.QUEUED]
    busy = sum(State(status["state"]).active for status, _ in statuses)
    return busy, [run for _, _, run in sorted(queued, key=lambda entry: entry[:2])]


def _left_queue(run: Run) -> bool:
    """Take a waiting run out of the queue. Returns False where the run is at work.

    Raises: RunError: It neither waits nor is at work.
    """
    if run.state == State.QUEUED:
        run.set_status(State.STOPPED, error=None)
        return True
    if not run.alive():
        raise RunError("{name} is not running (it is {state}).", name=run.name, state=Message(str(run.state)))
    return False


def stop(run: Run) -> None:
    """Ask a run to save what it has and end; a waiting run leaves the queue.

    Several processes get no signal: the first process sees the flag and tells the others at the same step.
    """
    with locked(run.runs_dir):
        if _left_queue(run):
            return
        run.request_stop()
    if processes_of(run) == 1 and sys.platform != "win32":  # where SIGTERM ends a process at once
        with contextlib.suppress(ProcessLookupError):  # it may have ended in the meantime
            os.kill(run.status()["pid"], signal.SIGTERM)


def kill(run: Run) -> None:
    """End a run and all of its processes at once. What it did since its last checkpoint is lost."""
    with locked(run.runs_dir):
        if _left_queue(run):
            return
        doomed = _processes(run.status())
        for pid in doomed:
            with contextlib.suppress(ProcessLookupError):
                if hasattr(os, "killpg") and os.getpgid(pid) == pid:
                    os.killpg(pid, signal.SIGKILL)
                else:
                    os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))
        _wait_until_gone(run, doomed)
        run.set_status(State.FAILED, error=Message("Killed on request."))


def why_not_resumable(run: Run) -> Message | None:
    """The reason why a run cannot be resumed; None where it can, also where it ended before it saved anything."""
    status = run.status()
    if not State(status["state"]).final:
        return Message(
            "{name} is {state}; only a run that has ended can be resumed.",
            name=run.name,
            state=Message(status["state"]),
        )
    if status["state"] == State.DONE:
        return Message("{name} has done all of its {total} steps.", name=run.name, total=f"{status.get('total', 0):,}")
    if not (run.folder / "config.yaml").is_file():
        return Message("{name} has no config.yaml any more, so it cannot be resumed.", name=run.name)
    if run.all_checkpoints():
        try:
            run.latest_checkpoint()
        except RunError as error:
            return error.message
    return None


def resume(run: Run, **status: Any) -> Run:
    """Queue an ended run again, from its newest checkpoint, or from its start where it has none.

    Args:
        status: Fields of the status besides the state.
    Raises: RunError: It is running, waiting or done, or its checkpoints are not complete; the message says why.
    """
    runs_dir = run.runs_dir
    with locked(runs_dir):
        reason = why_not_resumable(run)
        if reason:
            raise RunError(reason)
        resume_from = str(run.latest_checkpoint()) if run.all_checkpoints() else None
        run.clear_stop()
        run.set_status(
            State.QUEUED, queued_at=time.time(), resume_from=resume_from, error=None, ended_at=None, **status
        )
    watch(runs_dir)
    return run


def delete(run: Run) -> None:
    """Remove a run and everything it made. Raises RunError: it is still running, or the folder holds no run."""
    with locked(run.runs_dir):
        if not run.exists():
            raise RunError("{folder} holds no run; it is left alone.", folder=run.folder)
        if run.alive() and not run.state.final:  # a process that has written its final state takes a moment to end
            raise RunError("{name} is still running. Stop it first.", name=run.name)
        shutil.rmtree(run.folder)


def watch(runs_dir: str | Path) -> None:
    """Keep the queue of this folder moving from a background thread. More calls start no second thread."""
    runs_dir = Path(runs_dir).resolve()
    with _guard:
        watcher = _watchers.get(runs_dir)
        if watcher is None or not watcher.is_alive():
            _watchers[runs_dir] = threading.Thread(
                target=_watch, args=(runs_dir,), daemon=True, name=f"jobs {runs_dir}"
            )
            _watchers[runs_dir].start()


def tick(runs_dir: str | Path, parallel: int = PARALLEL) -> list[Run]:
    """Start as many waiting runs as there is room for, and return them.

    Runs that were started by another app, or by this app before a restart, take up room as well.
    """
    runs_dir = Path(runs_dir)
    for child in _children[:]:
        if child.poll() is not None:
            _children.remove(child)
    started: list[Run] = []
    with locked(runs_dir):
        busy, queued = _busy_and_waiting(runs_dir)
        for run in queued:
            if busy + len(started) >= parallel:
                break
            try:
                _launch(run)
            except OSError as error:  # of this run's folder; the next run may do better
                run.set_status(State.FAILED, error=Message("The run could not be started: {error}.", error=error))
            else:
                started.append(run)
    return started


def processes_of(run: Run) -> int:
    """The number of processes that train a run together."""
    return run.status().get("processes", 1)


def command(run: Run) -> list[str]:
    """The command of the child process; of a training, the command that a person would type."""
    if run.kind != Kind.TRAINING:
        return [sys.executable, "-m", "cadrecode.jobs.child", str(run.folder)]
    processes = processes_of(run)
    launch = ["-m", "accelerate.commands.launch", "--num_processes", str(processes), *TEAM] if processes > 1 else []
    words = [sys.executable, *launch, "-m", "cadrecode", "train", "--config", str(run.folder / "config.yaml")]
    resume_from = run.status().get("resume_from")
    return [*words, "--resume_from_checkpoint", resume_from] if resume_from else words


def processor_seconds() -> float:
    """The processor time of this process and its children, without the runs."""
    process, runs = psutil.Process(), {child.pid for child in _children}
    seconds = sum(process.cpu_times()[:2])
    for child in process.children():
        if child.pid not in runs:
            with contextlib.suppress(psutil.Error):  # it ends at this moment
                seconds += sum(child.cpu_times()[:4])  # with what has ended below it
    return seconds


def _launch(run: Run) -> None:
    environment = child_environment() | {"PYTHONUNBUFFERED": "1"}
    processes = processes_of(run)
    if processes > 1:  # otherwise the launcher sets one thread for each
        environment.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // processes)))
    with (run.folder / "log.txt").open("ab") as log_file:  # never a pipe: it fills up once nobody reads
        child = subprocess.Popen(
            command(run),
            stdin=subprocess.DEVNULL,
            stdout=log_file,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,  # a Ctrl-C that ends the app does not reach its runs
        )
    _children.append(child)
    # Claimed while the lock is held, so that no other app starts it. The first of several processes claims it again.
    launcher = {"launcher": child.pid, "launcher_start": process_start(child.pid)} if processes > 1 else {}
    run.claim(child.pid, started_at=time.time(), **launcher)


def _watch(runs_dir: Path) -> None:
    while runs_dir.is_dir():
        try:
            tick(runs_dir)
        except Exception:  # one bad folder must not end the queue; the app's log has the reason
            log.exception("The queue of %s stumbled; trying again", runs_dir)
            time.sleep(5)
        time.sleep(LOOK_SECONDS)


def _processes(status: dict[str, Any]) -> list[int]:
    """The process of a run; where a launcher started several, the launcher and all processes below it.

    Each of them leads a process group of its own, so killing the launcher's group would leave them at work.
    """
    pids, launcher = [status["pid"]], status.get("launcher")
    if launcher and is_alive(launcher, status["launcher_start"]):
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(launcher)
            process.suspend()  # so that it starts no more processes
            pids += [launcher, *(child.pid for child in process.children(recursive=True))]
    return list(dict.fromkeys(pids))


def _wait_until_gone(run: Run, pids: list[int]) -> None:
    deadline = time.monotonic() + KILL_SECONDS
    while run.alive() or any(process_start(pid) is not None for pid in pids[1:]):
        if time.monotonic() > deadline:
            raise RunError(
                "{name} did not end within {seconds} s of being killed.", name=run.name, seconds=KILL_SECONDS
            )
        time.sleep(0.02)


@contextlib.contextmanager
def locked(runs_dir: Path) -> Iterator[None]:
    """Hold the folder's lock: one process or thread at a time decides what runs."""
    runs_dir.mkdir(parents=True, exist_ok=True)
    with FileLock(runs_dir / ".lock"):  # released when the process dies, too
        yield
