"""One job for all processes of a training: each does a share, and all get everything, as one alone would make it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, Protocol, TypeVar

AT_ONCE = 32  # items of each process between two exchanges: about a second of work

Item, Done = TypeVar("Item"), TypeVar("Done")


class Processes(Protocol):
    """What a job must know of the processes that share it; `model.team.Team` is one."""

    @property
    def rank(self) -> int: ...
    @property
    def size(self) -> int: ...
    def gather(self, value: Any) -> list[Any]:
        """The value of each process, in all of them."""
        ...


class Alone:
    """One process that shares nothing."""

    rank, size = 0, 1

    def gather(self, value: Any) -> list[Any]:
        return [value]


ALONE = Alone()


def shared(
    items: Iterable[Item], do: Callable[[Item], Done], processes: Processes, should_stop: Callable[[], bool]
) -> Iterator[Done]:
    """What `do` makes of each item, in order. Every process must go through the same items, to the end.

    Args:
        do: what it returns is sent to the other processes.
        should_stop: looked at now and then; True ends the job early. It must say the same in all processes.
    """
    items = iter(items)
    while block := list(islice(items, AT_ONCE * processes.size)):
        if should_stop():
            return
        shares = processes.gather([do(item) for item in block[processes.rank :: processes.size]])
        for place in range(len(block)):
            yield shares[place % processes.size][place // processes.size]
