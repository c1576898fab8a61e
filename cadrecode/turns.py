"""A lock whose waiters are served in the order in which they came, and who know how many are before them."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterator

LOOK_SECONDS = 0.2  # how often a waiter asks whether it is to stop


class Stopped(Exception):
    """A waiter was to stop before its turn came."""


class Turns:
    """One thread at a time. A thread whose turn it is may take another within it."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._line: deque[object] = deque()  # the thread at work, and those that wait
        self._owner: int | None = None

    @property
    def waiting(self) -> int:
        """The number of threads that wait."""
        return max(0, len(self._line) - 1)

    @contextlib.contextmanager
    def take(
        self,
        on_wait: Callable[[int], None] = lambda before: None,
        should_stop: Callable[[], bool] = lambda: False,
        may_begin: Callable[[], bool] = lambda: True,
    ) -> Iterator[None]:
        """Wait for a turn, and hold it.

        Args:
            on_wait: Called with the number of those before this one, whenever it changes.
            should_stop: Asked while waiting.
            may_begin: Asked by the one that nobody is before any more; until it is true, all keep their places.

        Raises: Stopped: `should_stop` returned True before the turn came.
        """
        if self._owner == threading.get_ident():
            yield
            return
        place = object()
        with self._changed:
            self._line.append(place)
        try:
            self._wait(place, on_wait, should_stop, may_begin)
            self._owner = threading.get_ident()
            try:
                yield
            finally:
                self._owner = None
        finally:
            with self._changed:
                self._line.remove(place)
                self._changed.notify_all()

    def _wait(
        self,
        place: object,
        on_wait: Callable[[int], None],
        should_stop: Callable[[], bool],
        may_begin: Callable[[], bool],
    ) -> None:
        shown = None
        while (before := self._line.index(place)) or not may_begin():
            if before != shown:
                on_wait(before)
                shown = before
            if should_stop():
                raise Stopped
            with self._changed:
                if before == self._line.index(place):
                    self._changed.wait(LOOK_SECONDS)
