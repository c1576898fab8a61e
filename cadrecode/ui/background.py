"""Long work beside the page: in a thread, its progress read by the handlers that wait for it."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from cadrecode.errors import CadrecodeError

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


class Background:
    """One piece of long work at a time. It goes on when the page that began it is closed; any page can follow it."""

    def __init__(self):
        self._changed = threading.Condition()
        self._said: list[Progress | Result | BaseException] | None = None  # of the latest work; None: none was begun
        self._stop = threading.Event()

    @property
    def active(self) -> bool:
        """Whether work is going on."""
        return self._said is not None and all(isinstance(item, Progress) for item in self._said[-1:])

    @property
    def stopped(self) -> bool:
        """Whether it was asked to stop."""
        return self._stop.is_set()

    def begin(self, work: Callable[[Report, Callable[[], bool]], Any]) -> None:
        """Run `work(report, should_stop)` in a thread. Raises: CadrecodeError: earlier work is still going on."""
        with self._changed:
            if self.active:
                raise CadrecodeError("Another one is still going on. Wait for it, or cancel it.")
            self._start(work)

    def begin_first(self, work: Callable[[Report, Callable[[], bool]], Any]) -> None:
        """The same, where no work was ever begun; nothing where there was: its result is there."""
        with self._changed:
            if self._said is None:
                self._start(work)

    def _start(self, work: Callable[[Report, Callable[[], bool]], Any]) -> None:
        said, stop = self._said, self._stop = [], threading.Event()

        def run() -> None:
            try:
                self._say(said, Result(work(lambda *progress: self._say(said, Progress(*progress)), stop.is_set)))
            except BaseException as error:  # kept for whoever follows, and raised there
                self._say(said, error)

        here = contextvars.copy_context()  # who asked, see `access`
        threading.Thread(target=here.run, args=(run,), daemon=True, name="background work").start()

    def cancel(self) -> None:
        """Ask the work to stop."""
        self._stop.set()

    def follow(self) -> Iterator[Progress | Result]:
        """The newest progress of the work that is there now, as it comes, then its result; nothing if there is none.

        Raises: whatever the work raised.
        """
        said, seen = self._said, 0
        while said is not None:
            with self._changed:
                while len(said) == seen:
                    self._changed.wait()
                seen, item = len(said), said[-1]
            if isinstance(item, BaseException):
                raise item
            yield item
            if isinstance(item, Result):
                return

    def _say(self, said: list, item: Progress | Result | BaseException) -> None:
        with self._changed:
            said.append(item)
            self._changed.notify_all()


def follow(work: Callable[[Report], Any]) -> Iterator[Progress | Result]:
    """Run `work(report)` in a thread and yield its progress, the newest only, then its result.

    Raises: whatever `work` raises.
    """
    background = Background()
    background.begin(lambda report, should_stop: work(report))
    yield from background.follow()
