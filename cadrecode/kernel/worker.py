"""The sandbox's child: `python -m cadrecode.kernel.worker`. Imports CadQuery once, then forks a process for each job.

It talks in lines of JSON. In (stdin): {"start": id, "order": {...}} and {"kill": id}. Out (its first stdout):
{"ready": true, "forks": bool}, {"started": id, "pid": p}, {"ended": id, "status": n, "grown_mb": m}, with n as in
subprocess: an exit code, or minus a signal. Where the OS cannot fork (Windows) it does a single job in this very
process and ends with it. It ends when stdin closes.
"""

import contextlib
import gc
import json
import os
import selectors
import shutil
import signal
import sys
from pathlib import Path
from typing import TextIO

from cadrecode.kernel import isolation


def main() -> None:
    """Serve until stdin closes. The working directory is the worker's home: it is removed at the end."""
    channel = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever the libraries print goes to the log, not between the lines of the protocol
    from cadrecode.kernel import job  # 3 to 5 s: CadQuery

    forks = hasattr(os, "fork") and "--no-fork" not in sys.argv
    home = Path.cwd()
    job.warm_up(home)
    gc.collect()
    gc.freeze()  # what is loaded now never becomes garbage: its pages stay shared with every fork
    _say(channel, ready=True, forks=forks)
    if forks:
        _Server(channel).serve()
        shutil.rmtree(home, ignore_errors=True)
        os._exit(0)  # the libraries' own clean-up is slow, and may crash
    else:
        message = json.loads(sys.stdin.readline() or "null")
        if message:
            _say(channel, started=message["start"], pid=os.getpid())
            _do(message["order"])
            os._exit(0)


def _say(channel: TextIO, **message: object) -> None:
    channel.write(json.dumps(message) + "\n")
    channel.flush()


def _do(order: dict) -> None:
    """Confine this process, then run the job in it."""
    from cadrecode.kernel import job

    folder = Path(order["folder"])
    os.chdir(folder)
    null = os.open(os.devnull, os.O_RDWR)
    log = os.open(folder / "stderr.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for descriptor, target in ((null, 0), (null, 1), (log, 2)):
        os.dup2(descriptor, target)
    os.closerange(3, 256)  # the parent's pipes are none of its business
    isolation.confine(folder, order["seconds"], order["memory_mb"], order["file_mb"])
    job.run(order, folder)


class _Server:
    """Waits for a line from the parent or the end of a job, in a single thread, so that a fork is safe."""

    def __init__(self, channel: TextIO):
        self.channel, self.pending = channel, b""
        self.jobs: dict[int, tuple[int, float | None]] = {}  # pid -> (id, its memory at the fork)
        self.bell, bell_in = os.pipe()  # rung by SIGCHLD
        os.set_blocking(self.bell, False)
        os.set_blocking(bell_in, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(bell_in, warn_on_full_buffer=False)

    def serve(self) -> None:
        with selectors.DefaultSelector() as events:
            events.register(0, selectors.EVENT_READ)
            events.register(self.bell, selectors.EVENT_READ)
            while True:
                ready = {key.fd for key, _ in events.select()}
                if self.bell in ready:
                    os.read(self.bell, 4096)
                    self._reap()
                if 0 in ready:
                    data = os.read(0, 2**20)
                    if not data:
                        break
                    self._obey(data)
        for pid in self.jobs:
            _kill_group(pid)

    def _obey(self, data: bytes) -> None:
        *lines, self.pending = (self.pending + data).split(b"\n")
        for message in map(json.loads, lines):
            if "start" in message:
                self._fork(message["start"], message["order"])
            else:
                for pid, (job_id, _) in self.jobs.items():
                    if job_id == message["kill"]:
                        _kill_group(pid)

    def _fork(self, job_id: int, order: dict) -> None:
        gate, opener = os.pipe()  # the child begins once its memory has been measured
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                os.setpgid(0, 0)
                isolation.die_with_parent()
                os.close(opener)
                os.read(gate, 1)
                _do(order)
                status = 0
            except BaseException:
                sys.excepthook(*sys.exc_info())
            finally:
                os._exit(status)  # no clean-up of the parent's objects
        with contextlib.suppress(PermissionError, ProcessLookupError):
            os.setpgid(pid, pid)  # both sides do it: whichever comes first
        self.jobs[pid] = (job_id, isolation.resident_mb(pid))
        os.close(opener)
        os.close(gate)
        _say(self.channel, started=job_id, pid=pid)

    def _reap(self) -> None:
        for pid, (job_id, born_mb) in list(self.jobs.items()):
            if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                continue
            _kill_group(pid)  # whatever it left behind; it still is our child, so the number is its own
            _, status, usage = os.wait4(pid, 0)
            grown_mb = usage.ru_maxrss / 1024 - born_mb if born_mb else 0.0  # kilobytes where born_mb is known: Linux
            del self.jobs[pid]
            _say(self.channel, ended=job_id, status=os.waitstatus_to_exitcode(status), grown_mb=grown_mb)


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # gone already, or (macOS) only a zombie is left
        os.killpg(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
