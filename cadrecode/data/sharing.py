"""A job that all processes of a training share: each does a part, and all get all results, as if each worked alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, Protocol, TypeVar

ITEMS_BETWEEN_EXCHANGES = 32  # of each process: about a second of work

Item = TypeVar("Item")
Done = TypeVar("Done")


class Processes(Protocol):
    """The processes that share a job; `model.team.Team` is an implementation."""

    @property
    def rank(self) -> int: ...
    @property
    def size(self) -> int: ...
    def gather(self, value: Any) -> list[Any]:
        """The value of each process, in all of them."""
        ...


class Alone:
    """A single process, which shares nothing."""

    rank, size = 0, 1

    def gather(self, value: Any) -> list[Any]:
        return [value]


ALONE = Alone()


def shared(
    items: Iterable[Item], do: Callable[[Item], Done], processes: Processes, should_stop: Callable[[], bool]
) -> Iterator[Done]:
    """The result of `do` for each item, in order. Every process must go through the same items, to the end.

    Args:
        do: its results are sent to the other processes.
        should_stop: called now and then; True ends the job early. It must return the same in all processes.
    """
    items = iter(items)
    while block := list(islice(items, ITEMS_BETWEEN_EXCHANGES * processes.size)):
        if should_stop():
            return
        shares = processes.gather([do(item) for item in block[processes.rank :: processes.size]])
        for place in range(len(block)):
            yield shares[place % processes.size][place // processes.size]
