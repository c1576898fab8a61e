"""Long work beside the page: in a thread, its progress read by the handler that waits for it."""

from __future__ import annotations

import contextvars
import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

Report = Callable[[str, int, int], None]  # stage, done, total


@dataclass(frozen=True)
class Progress:
    """How far it is."""

    stage: str
    done: int
    total: int


@dataclass(frozen=True)
class Result:
    """What came out; always the last item."""

    value: Any


def follow(work: Callable[[Report], Any]) -> Iterator[Progress | Result]:
    """Run `work(report)` in a thread and yield its progress, the newest only, then its result.

    Raises: whatever `work` raises.
    """
    said: queue.Queue = queue.Queue()

    def run() -> None:
        try:
            said.put(Result(work(lambda stage, done, total: said.put(Progress(stage, done, total)))))
        except BaseException as error:  # handed to whoever waits, and raised there
            said.put(error)

    here = contextvars.copy_context()  # who asked, see `access`
    threading.Thread(target=here.run, args=(run,), daemon=True, name="long work").start()
    while True:
        item = said.get()
        while isinstance(item, Progress) and not said.empty():
            item = said.get()
        if isinstance(item, BaseException):
            raise item
        yield item
        if isinstance(item, Result):
            return
