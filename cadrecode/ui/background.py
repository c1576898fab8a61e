"""Work beside the page: it runs in a thread, and the handler that waits for it reads its progress."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

OnProgress = Callable[[str, int, int], None]  # stage, done, total
WAITING = "waiting"  # a stage whose `done` is the number of those who are served before; 0: a training is at work


@dataclass(frozen=True)
class Progress:
    """The progress of the work."""

    stage: str
    done: int
    total: int


@dataclass(frozen=True)
class Result:
    """The result of the work; always the last item."""

    value: Any


def follow(work: Callable[[OnProgress], Any]) -> Iterator[Progress | Result]:
    """Run `work(on_progress)` in a thread and yield its progress, the newest only, then its result.

    Raises: whatever `work` raises.
    """
    changed = threading.Condition()
    unread: list[Progress | Result | BaseException] = []

    def put(item: Progress | Result | BaseException) -> None:
        with changed:
            unread[:] = [item]
            changed.notify()

    def run() -> None:
        try:
            put(Result(work(lambda *progress: put(Progress(*progress)))))
        except BaseException as error:  # raised again where the work is waited for
            put(error)

    here = contextvars.copy_context()  # it holds the visitor's request, see `access`
    threading.Thread(target=here.run, args=(run,), daemon=True, name="background work").start()
    while True:
        with changed:
            changed.wait_for(lambda: unread)
            item = unread.pop()
        if isinstance(item, BaseException):
            raise item
        yield item
        if isinstance(item, Result):
            return
