"""The sandbox's child process, without CadQuery."""

import json
import signal
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import Future
from types import SimpleNamespace

import pytest

from cadrecode.kernel.outcome import End, Outcome, Remains
from cadrecode.kernel.process import Worker


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells how much memory a process holds")
def test_a_job_does_not_begin_before_it_is_measured():
    """On a busy machine the parent came to measure a child that had taken its memory already: growth 0, so "crashed"
    was said of a program that ran out of memory."""
    answers = _run("""
        import sys, time
        from cadrecode.kernel import isolation, worker

        measure = isolation.resident_mb
        isolation.resident_mb = lambda pid: time.sleep(0.5) or measure(pid)
        worker._do = lambda order: b"1" * (64 * 2**20)
        server = worker._Server(sys.stdout)
        server._fork(7, {})
        while server.jobs:
            server._reap()
            time.sleep(0.01)
    """)
    assert answers[0]["started"] == 7
    assert (answers[1]["ended"], answers[1]["status"]) == (7, 0)
    assert answers[1]["grown_mb"] > 60


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says that a process is stopped")
def test_a_stopped_worker_is_killed_before_a_job_is_given_up():
    """Otherwise the next try took it for a living one, and gave up as well."""
    worker = object.__new__(Worker)
    worker.forks, worker._process = True, subprocess.Popen(["sleep", "60"])
    worker._process.send_signal(signal.SIGSTOP)
    assert not worker._has_begun(Future())
    assert not worker.alive


def test_a_worker_whose_pipe_is_broken_is_gone_before_a_job_is_given_up():
    """A killed worker closes its pipe a moment before it is gone; so both tries met the same one."""
    worker = object.__new__(Worker)
    worker.forks, worker._lock, worker._next, worker._jobs = True, threading.Lock(), 0, {}
    worker._process = subprocess.Popen(["sleep", "60"], stdin=subprocess.PIPE)
    worker._process.stdin.close()
    assert worker.start({}) is None
    assert not worker.alive


def _run(script: str) -> list[dict]:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, timeout=60, check=True
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize(("status", "written"), [(1, ""), (-6, ""), (0, ""), (0, '{"outcome": ')])
def test_a_job_that_fails_on_a_full_disk_says_so(tmp_path, monkeypatch, status, written):
    (tmp_path / "result.json").write_text(written)
    remains = Remains(tmp_path, End(status), 10, 512, 0.1)
    assert "full" not in remains.execution().detail
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=4096))
    assert remains.execution().detail == "the disk is full: free some space"
    assert remains.execution().outcome == Outcome.CRASHED
