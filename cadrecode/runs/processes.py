"""Whether a process is alive, and whether the system ends processes for lack of memory."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

OOM_COUNTERS = ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control", "/proc/vmstat")
SAME_START_SECONDS = 10  # psutil counts from the boot time, which moves a little when the system's clock is set


def process_start(pid: int) -> float | None:
    """When a living process began, in seconds; None where there is none. A zombie does not live.

    On Linux they count from the boot: what psutil returns there moves when the system's clock is set.
    """
    import psutil  # here, because pretraining imports this file and does without psutil

    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return process.create_time() - (psutil.boot_time() if psutil.LINUX else 0)
    except psutil.NoSuchProcess:
        return None


def memory_kills() -> int | None:
    """The number of processes that the system has ended for lack of memory; None where it does not say."""
    for path in OOM_COUNTERS:
        with contextlib.suppress(OSError):
            counted = re.search(r"^oom_kill (\d+)$", Path(path).read_text(), re.MULTILINE)
            if counted:
                return int(counted[1])
    return None


def is_alive(pid: int | None, began: float | None) -> bool:
    """Whether the process with this number that began then is still alive.

    Numbers are given out again, so the number alone does not identify a process.
    """
    now = None if pid is None else process_start(pid)
    return now is not None and began is not None and abs(now - began) < SAME_START_SECONDS
