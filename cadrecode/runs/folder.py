"""The run folder, through which a run and its watchers communicate.

The run writes only into its folder, and its watchers only read it. So a page can be closed, reloaded or opened twice,
and the app restarted, without any effect on the run. The layout is in docs/finetune.md.
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import os
import re
import shutil
import signal
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cadrecode.errors import Message, RunError, joined, restored, stored
from cadrecode.json_files import DamagedFile, read_lines, read_object, write_whole, wrong_fields
from cadrecode.runs.checkpoints import checkpoint_problems, checkpoint_step
from cadrecode.runs.processes import is_alive, memory_kills, process_start
from cadrecode.runs.state import Kind, Samples, State, Status

log = logging.getLogger(__name__)

DIED = Message("The process ended without saying why. The log may show it.")
DIED_OF_MEMORY = Message(
    "The process ended without saying why. Since it began, the system has ended a process for lack of memory, which is "
    "the likely reason."
)
MOST_LETTERS = 80  # of a folder's name; file systems take 255 bytes
TAIL_BYTES = 256 * 1024


class Run:
    """A run folder, for the run as for its watchers."""

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Run) and other.folder == self.folder

    def __hash__(self) -> int:
        return hash(self.folder)

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def kind(self) -> Kind:
        return Kind(self._read_status().get("kind", Kind.TRAINING))

    @property
    def _kind_of_place(self) -> Kind:
        """The kind by the place of the folder, for runs where the status is damaged."""
        return next((kind for kind in Kind if kind.place and kind.place == self.folder.parent.name), Kind.TRAINING)

    @property
    def runs_dir(self) -> Path:
        """The folder of all runs, which has the queue."""
        return self.folder.parent.parent if self.kind.place else self.folder.parent

    @classmethod
    def create(
        cls, folder: str | Path, config_yaml: str, state: State = State.QUEUED, kind: Kind = Kind.TRAINING
    ) -> Run:
        """Begin a run folder. What an earlier run made there is moved to a folder beside it; nothing is overwritten.

        Raises: RunError: A living process works in that folder.
        """
        run = cls(folder)
        if run.exists():
            if run.alive():
                pid = run._read_status().get("pid")
                message = Message("{folder} is in use by process {pid}. Stop that run, or set another model_save_path.")
                raise RunError(message, folder=run.folder, pid=pid)
            run._clear()
        run.folder.mkdir(parents=True, exist_ok=True)
        run.clear_stop()
        run.write_config(config_yaml)
        write_whole(run.folder / "status.json", json.dumps({"kind": kind, "state": state, "created_at": time.time()}))
        return run

    def exists(self) -> bool:
        """Whether the folder holds a run."""
        return os.path.lexists(self.folder / "status.json")

    def write_config(self, config_yaml: str) -> None:
        write_whole(self.folder / "config.yaml", config_yaml)

    def config_yaml(self) -> str:
        """The settings of this run, as text. Raises RunError: there are none."""
        try:
            return (self.folder / "config.yaml").read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            message = Message("{folder} holds no config.yaml: it is not a run folder.")
            raise RunError(message, folder=self.folder) from error

    # --- the state

    def claim(self, pid: int | None = None, **fields: Any) -> None:
        """Note which process works on this run; the calling process where no `pid` is given."""
        pid = pid or os.getpid()
        fields = {"error": None, "memory_kills": memory_kills(), **fields}
        self.set_status(State.PREPARING, pid=pid, process_start=process_start(pid), **fields)

    def set_status(self, state: State, **fields: Any) -> None:
        """Replace status.json atomically; fields that are not given keep their values."""
        now, known = time.time(), self._read_status()
        if known["state"] == State.DAMAGED:
            known = {"kind": known["kind"], "created_at": now}
            if State(state).active:  # written by the run itself
                known |= {"pid": os.getpid(), "process_start": process_start(os.getpid())}
        if State(state).final:
            fields.setdefault("ended_at", now)
            fields.setdefault("eta_seconds", None)
        status = {**known, **fields, "state": State(state), "updated_at": now}
        write_whole(self.folder / "status.json", json.dumps(_plain(stored(status))))

    def status(self) -> dict[str, Any]:
        """The state and its figures. A run that says it is at work but whose process is gone counts as failed."""
        status = self._read_status()
        if status["state"] == State.FAILED and not status.get("error"):
            return {**status, "error": DIED}
        if not State(status["state"]).active or self._is_alive(status):
            return status
        status = self._read_status()  # it may have written its final state and ended in the meantime
        if not State(status["state"]).active:
            return status
        if self.stop_requested():
            return {**status, "state": State.STOPPED, "error": Message("Stopped before there was anything to save.")}
        kills = status.get("memory_kills")
        of_memory = kills is not None and (memory_kills() or 0) > kills
        return {**status, "state": State.FAILED, "error": DIED_OF_MEMORY if of_memory else DIED}

    @property
    def state(self) -> State:
        return State(self.status()["state"])

    def alive(self) -> bool:
        """Whether the process that claimed this run is alive, and not another process with the same number."""
        return self._is_alive(self._read_status())

    def _is_alive(self, status: dict[str, Any]) -> bool:
        return is_alive(status.get("pid"), status.get("process_start"))

    def _read_status(self) -> dict[str, Any]:
        """The status as it is written; where that cannot be understood, the state `damaged` and why."""
        try:
            status = Status.model_validate(read_object(self.folder / "status.json"))
            if status.kind == self._kind_of_place:
                return restored(status.model_dump(exclude_unset=True))
            reason = Message("status.json is damaged: {names} cannot be understood.", names="kind")
        except FileNotFoundError:
            return {"state": State.FAILED, "error": Message("There is no run in this folder.")}
        except DamagedFile as error:
            reason = error.message
        except ValidationError as error:
            reason = Message("status.json is damaged: {names} cannot be understood.", names=wrong_fields(error))
        return {"kind": self._kind_of_place, "state": State.DAMAGED, "error": reason}

    # --- the figures

    def log_metrics(self, step: int, **values: float | None) -> None:
        """Append a line to metrics.jsonl. NaN and infinite values are written as null."""
        path = self.folder / "metrics.jsonl"
        with path.open("ab+") as file:
            if file.tell() and (file.seek(-1, os.SEEK_END), file.read(1))[1] != b"\n":
                file.write(b"\n")  # an earlier process died in the middle of a line
            file.write((json.dumps(_plain({"step": step, **values})) + "\n").encode())

    def metrics(self) -> list[dict[str, Any]]:
        """Every entry so far, oldest first. Unfinished lines are left out."""
        return [entry for entry in read_lines(self.folder / "metrics.jsonl") if _is_entry(entry)]

    def forget_metrics_after(self, step: int) -> None:
        """Drop the entries after the step of a checkpoint that is resumed from, so that each step appears once."""
        lines = [json.dumps(entry) + "\n" for entry in self.metrics() if entry["step"] <= step]
        write_whole(self.folder / "metrics.jsonl", "".join(lines))

    def log_tail(self, lines: int = 40) -> str:
        """The last lines of log.txt; of a progress bar that redraws itself, its last state."""
        path = self.folder / "log.txt"
        if not path.is_file():
            return ""
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - TAIL_BYTES))
            text = file.read().decode("utf-8", errors="replace")
        shown = [line.rstrip("\r").rsplit("\r", 1)[-1] for line in text.split("\n")]
        return "\n".join(shown[-lines - 1 :] if shown[-1] == "" else shown[-lines:]).rstrip("\n")

    # --- samples

    def write_samples(self, step: int, samples: Iterable[dict[str, Any]]) -> None:
        """Write the samples of one evaluation; the files that they name lie in `samples_folder(step)`."""
        write_whole(
            self.samples_folder(step) / "samples.json", json.dumps({"step": step, "samples": _plain(list(samples))})
        )

    def samples_folder(self, step: int) -> Path:
        folder = self.folder / "samples" / f"step-{step:06d}"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def samples(self) -> list[dict[str, Any]]:
        """An entry for each evaluation, oldest first: step, folder, and the samples given to `write_samples`.

        Damaged entries are left out.
        """
        entries = []
        for path in sorted((self.folder / "samples").glob("step-*/samples.json")):
            with contextlib.suppress(DamagedFile, ValidationError, FileNotFoundError):
                entry = Samples.model_validate(read_object(path))
                entries.append({**entry.model_dump(), "folder": str(path.parent)})
        return entries

    # --- stop

    def request_stop(self) -> None:
        """Ask the run to save and end, by a file, which works on every system."""
        (self.folder / "stop").touch()

    def stop_requested(self) -> bool:
        return (self.folder / "stop").exists()

    def clear_stop(self) -> None:
        (self.folder / "stop").unlink(missing_ok=True)

    def stop_on_signals(self) -> None:
        """Let SIGTERM and a first Ctrl-C ask this process to save and end; a second Ctrl-C interrupts at once."""
        owner = os.getpid()

        def ask(number: int, frame: object) -> None:
            if os.getpid() != owner:  # a worker process that inherited the handler has nothing to save
                os._exit(128 + number)
            self.request_stop()
            signal.signal(signal.SIGINT, signal.default_int_handler)

        signal.signal(signal.SIGTERM, ask)
        signal.signal(signal.SIGINT, ask)

    # --- checkpoints

    def checkpoints(self) -> list[Path]:
        """Checkpoints that can be resumed from, oldest first."""
        return [folder for folder in self.all_checkpoints() if not checkpoint_problems(folder)]

    def all_checkpoints(self) -> list[Path]:
        """Complete and incomplete checkpoints, oldest first."""
        folders = [p for p in self.folder.glob("checkpoint-*") if p.is_dir() and p.name.split("-")[-1].isdigit()]
        return sorted(folders, key=checkpoint_step)

    def latest_checkpoint(self) -> Path:
        """The newest checkpoint that can be resumed from.

        Raises: RunError: There is none; the message says what is wrong with each.
        """
        complete = self.checkpoints()
        if complete:
            return complete[-1]
        broken = [
            Message("{name}: {reason}", name=p.name, reason=joined("{first}; {second}", checkpoint_problems(p)))
            for p in self.all_checkpoints()
        ]
        reason = joined("{first} {second}", broken) or Message("No checkpoint was saved there.")
        raise RunError("Nothing to resume from in {folder}. {reason}", folder=self.folder, reason=reason)

    def _clear(self) -> None:
        """Move what an earlier run made to <folder>-earlier-<n>; delete the files of a run that made nothing."""
        results = ("metrics.jsonl", "adapter_model.safetensors", "merged_model")
        if not self.all_checkpoints() and not any((self.folder / name).exists() for name in results):
            for name in ("status.json", "log.txt", "stop"):
                (self.folder / name).unlink(missing_ok=True)
            shutil.rmtree(self.folder / "samples", ignore_errors=True)
            return
        n = 1
        while (other := self.folder.with_name(f"{self.folder.name}-earlier-{n}")).exists():
            n += 1
        log.info("%s holds an earlier run; it is moved to %s.", self.folder, other)
        self.folder.rename(other)


class Follower(Run):
    """A run as seen by a process that trains with others and is not the first of them.

    The first process alone writes into the folder and asks whether to stop.
    """

    def set_status(self, state: State, **fields: Any) -> None:
        """Does nothing: the first process writes the status."""

    def log_metrics(self, step: int, **values: float | None) -> None:
        """Does nothing: the first process writes the figures."""

    def forget_metrics_after(self, step: int) -> None:
        """Does nothing: the first process does it."""

    def stop_requested(self) -> bool:
        """Always False: the first process sees the flag, and tells the others at the same step."""
        return False

    def request_stop(self) -> None:
        """Does nothing: a launcher passes Ctrl-C on to all processes, and the first of them requests the stop."""


def free_folder(runs_dir: Path, wanted: str) -> Path:
    """A path below `runs_dir` where nothing lies yet, named `wanted`; a number is added to a name that is taken."""
    name = re.sub(r"[^\w.-]+", "-", wanted).strip("-.")[:MOST_LETTERS] or "run"
    folder, n = runs_dir / name, 2
    while folder.exists():
        folder, n = runs_dir / f"{name}-{n}", n + 1
    return folder


def _is_entry(entry: dict[str, Any]) -> bool:
    """Whether a line of metrics.jsonl holds a step and figures."""
    return isinstance(entry.get("step"), int) and all(
        value is None or isinstance(value, int | float) for value in entry.values()
    )


def _plain(value: Any) -> Any:
    """JSON has no nan and no infinity."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
