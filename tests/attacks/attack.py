"""What an attack is, the route on which it arrives, and how one is tried."""

import os
import resource
import selectors
import signal
import time
import traceback
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.attacks.guard import Outside

HARD_LIMIT_BYTES = 6 * 2**30  # address space for one attack, so that a hole costs this machine no more
LATEST_WALL = 8  # a forked attack's limit is processor time; on a crowded machine the clock runs this much faster
NOT_AN_OUTCOME = ("Traceback", "killed", "too slow")


@dataclass(frozen=True)
class Attack:
    """One hostile input.

    Args:
        name: what it tries, unique on its route.
        make: called with the `Outside` that it may try to reach; returns the payload for its route's door.
        seconds: it must be over by then: processor seconds on a forked route, seconds of the clock on others.
        grows_mb: the most memory that it may take, or None: the route's own limit.
        short: whether it is part of the short form.
    """

    name: str
    make: Callable[[Outside], Any]
    seconds: float = 10
    grows_mb: float | None = None
    short: bool = True


@dataclass(frozen=True)
class Route:
    """A way in.

    Args:
        name: such as "program text".
        attacks: what is tried on it.
        door: opened once; gives a function that sends a payload in and returns the outcome's name. An exception that it
            raises is an escape: the door must turn the errors that have words into outcomes.
        forked: each attack gets a process of its own, whose time and memory are measured. Other doors must measure and
            limit for themselves (a sandbox, a server).
        harmless: a payload that must end in `fine` after each attack; None where there is none.
        fine: the outcome of `harmless`.
        grows_mb: the most memory that an attack may take, or what tells it from the payload.
    """

    name: str
    attacks: Iterable[Attack]
    door: Callable[[], AbstractContextManager[Callable[[Any], str]]]
    forked: bool = True
    harmless: Any = None
    fine: str = "ok"
    grows_mb: float | Callable[[Any], float] = 300


@dataclass
class Result:
    """How an attack ended. `escape` says what must not have been; None where everything held."""

    route: str
    name: str
    outcome: str
    seconds: float
    grown_mb: float = 0.0
    escape: str | None = None
    detail: str = field(default="", repr=False)


def attempt(route: Route, attack: Attack, send: Callable[[Any], str], outside: Outside) -> Result:
    """Try one attack through an open door, then see whether everything outside still stands."""
    payload = attack.make(outside)
    result = (_forked if route.forked else _here)(route, attack, send, payload)
    touched = outside.touched()
    if touched:
        result.escape = f"outside was touched: {touched}"
    if result.escape is None and route.harmless is not None and not route.forked:
        after = send(route.harmless)
        if after != route.fine:
            result.escape = f"afterwards an ordinary request ended in {after!r}"
    return result


def _here(route: Route, attack: Attack, send: Callable[[Any], str], payload: Any) -> Result:
    begin = time.perf_counter()
    try:
        outcome, detail = send(payload), ""
    except Exception as error:
        outcome, detail = f"Traceback: {type(error).__name__}", traceback.format_exc()
    seconds = time.perf_counter() - begin
    escape = outcome if outcome.startswith(NOT_AN_OUTCOME) else None
    if escape is None and seconds > attack.seconds:
        escape = f"it took {seconds:.1f} s"
    return Result(route.name, attack.name, outcome, seconds, escape=escape, detail=detail)


def _forked(route: Route, attack: Attack, send: Callable[[Any], str], payload: Any) -> Result:
    reading, writing = os.pipe()
    born_mb = _statm(1)
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        _be_the_victim(attack, send, payload, writing)
    os.close(writing)
    answer = _read(reading, LATEST_WALL * attack.seconds + 5)
    os.close(reading)
    if answer is None:
        os.kill(pid, signal.SIGKILL)
    _, status, usage = os.wait4(pid, 0)
    seconds, grown_mb = usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024 - born_mb
    outcome, _, detail = (answer or b"").decode(errors="replace").partition("\n")
    if answer is None or os.waitstatus_to_exitcode(status) == -signal.SIGXCPU:
        outcome = "too slow"
    elif os.waitstatus_to_exitcode(status) != 0:
        outcome = f"killed: {os.waitstatus_to_exitcode(status)}"
    most_mb = route.grows_mb(payload) if callable(route.grows_mb) else route.grows_mb
    most_mb = most_mb if attack.grows_mb is None else attack.grows_mb
    escape = outcome if outcome.startswith(NOT_AN_OUTCOME) else None
    if escape is None and grown_mb > most_mb:
        escape = f"it took {grown_mb:.0f} MB, and {most_mb:.0f} are allowed"
    return Result(route.name, attack.name, outcome, seconds, grown_mb, escape, detail)


def _be_the_victim(attack: Attack, send: Callable[[Any], str], payload: Any, writing: int) -> None:
    """Send the payload in from a fresh process. Does not return."""
    try:
        most = int(_statm(0) * 2**20) + HARD_LIMIT_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        seconds = int(attack.seconds) + 1
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
        try:
            text = send(payload)
        except BaseException as error:
            text = f"Traceback: {type(error).__name__}\n{traceback.format_exc()[-4000:]}"
        os.write(writing, text.encode(errors="replace")[:60_000])
    finally:
        os._exit(0)


def _read(descriptor: int, seconds: float) -> bytes | None:
    """What the child writes until it ends, or None when it is late."""
    parts, until = [], time.monotonic() + seconds
    with selectors.DefaultSelector() as ready:
        ready.register(descriptor, selectors.EVENT_READ)
        while ready.select(max(0.0, until - time.monotonic())):
            part = os.read(descriptor, 2**16)
            if not part:
                return b"".join(parts)
            parts.append(part)
    return None


def _statm(column: int) -> float:
    """Memory of this process in MB: mapped (0) or resident (1)."""
    return int(Path("/proc/self/statm").read_text().split()[column]) * resource.getpagesize() / 2**20
