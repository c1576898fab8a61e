"""The parent's side of worker.py: start it, give it jobs, stop what runs too long, notice when it dies."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import replace
from pathlib import Path

from cadrecode.errors import KernelError, Message
from cadrecode.kernel import isolation
from cadrecode.kernel.outcome import LOST, End
from cadrecode.shipped import IMPORT_ROOT

START_SECONDS = 120  # for importing CadQuery on a cold disk; 3 to 5 s is usual
JOB_START_SECONDS = 20  # for a fork, on a busy machine
WATCH_SECONDS = 0.2  # how often a job's memory and its folder are looked at
KILL_SECONDS = 5  # how long a killed job may take to be gone


class Worker:
    """A warm child process with CadQuery in it.

    Args:
        fork: False makes it behave as where the OS cannot fork: it ends after a single job.
    Raises:
        KernelError: it did not start, with the last line of its log.
    """

    def __init__(self, fork: bool = True):
        self.home = Path(tempfile.mkdtemp(prefix="cadrecode-")).resolve()
        self._lock, self._next = threading.Lock(), 0
        self._jobs: dict[int, tuple[Future, Future]] = {}  # id -> (started, ended)
        self._ready: Future = Future()
        with (self.home / "log.txt").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "cadrecode.kernel.worker", *([] if fork else ["--no-fork"])],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=self.home,
                env=_environment(self.home),
                start_new_session=True,  # Ctrl-C in the terminal is for the app
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        threading.Thread(target=self._listen, name="cadrecode-kernel", daemon=True).start()
        try:
            self.forks: bool = self._ready.result(START_SECONDS)
        except FutureTimeoutError:
            self.close()
            raise KernelError(
                "The CAD kernel was not ready after {seconds} s. Try again.", seconds=START_SECONDS
            ) from None
        except EOFError:
            log_lines = (self.home / "log.txt").read_text(errors="replace").strip().splitlines()
            self.close()
            reason = log_lines[-1] if log_lines else Message("exit code {code}", code=self._process.returncode)
            raise KernelError(
                "The CAD kernel did not start: {reason}. It needs cadquery: pip install -r requirements.txt",
                reason=reason,
            ) from None

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def start(self, order: dict) -> int | None:
        """Begin a job. Returns its id, or None when the worker is dead and the job did not begin."""
        started: Future = Future()
        ended: Future = Future()
        with self._lock:
            job_id = self._next = self._next + 1
            self._jobs[job_id] = (started, ended)
        if not self._send({"start": job_id, "order": order}):
            self._kill_worker()  # its pipe is closed before it is gone, and until then it looks alive
        elif self._has_begun(started):
            return job_id
        del self._jobs[job_id]
        return None

    def _has_begun(self, started: Future) -> bool:
        """Wait for a job to begin. A worker that hangs or is stopped is killed."""
        until = time.monotonic() + (JOB_START_SECONDS if self.forks else START_SECONDS)
        while time.monotonic() < until and not isolation.is_stopped(self._process.pid):
            with contextlib.suppress(FutureTimeoutError):
                return started.result(WATCH_SECONDS) is not None
        self._kill_worker()
        return False

    def _kill_worker(self) -> None:
        self._process.kill()
        self._process.wait()  # otherwise its zombie still looks alive

    def wait(self, job_id: int, seconds: float, too_much: Callable[[int], bool] = lambda pid: False) -> End:
        """Wait for a job, at most `seconds`, then kill it.

        Args:
            too_much: asked now and then with the job's pid; the job is killed where it takes more than it may.
        """
        started, ended = self._jobs[job_id]
        until = time.monotonic() + seconds
        try:
            while (left := until - time.monotonic()) > 0:
                try:
                    return ended.result(min(left, WATCH_SECONDS))
                except FutureTimeoutError:
                    if too_much(started.result()):
                        return self._killed(job_id, ended, swollen=True)
            return self._killed(job_id, ended, late=True)
        finally:
            del self._jobs[job_id]

    def _killed(self, job_id: int, ended: Future, **why: bool) -> End:
        self._kill(job_id)
        try:
            return replace(ended.result(KILL_SECONDS), **why)
        except FutureTimeoutError:  # the worker itself hangs; its jobs die with it
            self._kill_worker()
            return End(LOST, **why)

    def close(self) -> None:
        """End the worker and all of its jobs, and remove its files."""
        with contextlib.suppress(OSError):  # an unsent line to a dead worker
            self._process.stdin.close()
        try:
            self._process.wait(2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self.home, ignore_errors=True)

    def _kill(self, job_id: int) -> None:
        if self.forks:
            self._send({"kill": job_id})
        else:
            self._process.kill()

    def _send(self, message: dict) -> bool:
        try:
            with self._lock:
                self._process.stdin.write(json.dumps(message).encode() + b"\n")
                self._process.stdin.flush()
        except (OSError, ValueError):  # the pipe is broken, or closed
            return False
        return True

    def _listen(self) -> None:
        for line in self._process.stdout:
            message = json.loads(line)
            if "ready" in message:
                self._ready.set_result(message["forks"])
            elif "started" in message and message["started"] in self._jobs:
                self._jobs[message["started"]][0].set_result(message["pid"])
            elif "ended" in message and message["ended"] in self._jobs:
                self._jobs[message["ended"]][1].set_result(End(message["status"], grown_mb=message["grown_mb"]))
        status = self._process.wait()
        if not self._ready.done():
            self._ready.set_exception(EOFError())
            return
        with self._lock:
            jobs = list(self._jobs.values())
        for started, ended in jobs:
            if not started.done():
                started.set_result(None)
            if not ended.done():
                ended.set_result(End(LOST if self.forks else status))


def _environment(home: Path) -> dict[str, str]:
    """The child's environment: where Python finds its modules, and a single thread, so that forks are safe."""
    system = {name: os.environ[name] for name in ("SYSTEMROOT", "SYSTEMDRIVE") if name in os.environ}  # Windows
    return system | {
        "PYTHONPATH": os.pathsep.join([str(IMPORT_ROOT), *(entry for entry in sys.path if os.path.isdir(entry))]),
        "PYTHONUTF8": "1",
        "HOME": str(home),
        "TMPDIR": str(home),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MALLOC_ARENA_MAX": "2",  # an arena reserves 64 MB of the address space that is limited
    }
