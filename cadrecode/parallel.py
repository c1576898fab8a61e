"""The same work on many items: in this process, in several, or on a cluster of machines by Ray.

Results come as they are ready, each with the number of its item. So many items are on their way at a time, and no more,
counted from the oldest that is not done: a slow worker holds the others up before it fills the memory. The items of a
worker that dies are done again by another.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import multiprocessing
import os
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from cadrecode.errors import CadrecodeError, Message, MissingLibrary

T = TypeVar("T")
R = TypeVar("R")
Engine = Literal["local", "ray"]

AHEAD = 4  # items on their way, for each worker
LOST = ("WorkerCrashed", "NodeDied", "ObjectLost", "OutOfMemory")  # Ray's errors where its own retries were in vain
THREADS = "OMP_NUM_THREADS"
RETRIES = 3  # deaths of workers without a result between them, or of the workers of one item

log = logging.getLogger(__name__)


@contextlib.contextmanager
def processor_time() -> Iterator[None]:
    """All limits of time count the seconds of the processor, of this process and of its workers, so that a crowded
    machine changes no figure."""
    clock = time.monotonic
    time.monotonic = time.process_time
    try:
        yield
    finally:
        time.monotonic = clock


def _by_processor_time(work: Callable[[T], R], item: T) -> R:
    with processor_time():
        return work(item)


class WorkersDied(CadrecodeError):
    """Workers died again and again."""


@dataclass(frozen=True)
class Workers:
    """Who does the work.

    Args:
        count: Processes; 1 works in this one. None: on a cluster, one for each of its processors; otherwise 1.
        engine: "ray" works on all machines of a Ray cluster, where this package and what the items name must be, too.
        address: Of the cluster; "auto" finds the one that this machine belongs to. None starts Ray on this machine.
    """

    count: int | None = None
    engine: Engine = "local"
    address: str | None = None

    @property
    def alone(self) -> bool:
        """Whether the work is done in this process, where nothing is pickled."""
        return self.engine == "local" and (self.count or 1) == 1

    def map(self, work: Callable[[T], R], items: Iterable[T]) -> Iterator[tuple[int, R]]:
        """The numbers of the items, from 0, and what `work` returns for them, as they are ready.

        Args:
            work: Can be pickled, as items and results can. It is sent to each worker once.
            items: Read as they are needed; there may be no end of them.
        Raises: WorkersDied: Workers died again and again. MissingLibrary: Ray is asked for and not installed. Whatever
            `work` raises.
        """
        if self.alone:
            yield from ((number, work(item)) for number, item in enumerate(items))
            return
        if time.monotonic is time.process_time:
            work = functools.partial(_by_processor_time, work)
        crew = _OnRay(work, self) if self.engine == "ray" else _Processes(work, self.count)
        try:
            yield from _all_done(crew, enumerate(items))
        finally:
            crew.close()


ALONE = Workers(1)


def in_order(results: Iterable[tuple[int, R]]) -> Iterator[R]:
    """The results of `Workers.map` in the order of their items."""
    early: dict[int, R] = {}
    due = 0
    for number, result in results:
        early[number] = result
        while due in early:
            yield early.pop(due)
            due += 1


def _all_done(crew: _Processes | _OnRay, numbered: Iterator[tuple[int, Any]]) -> Iterator[tuple[int, Any]]:
    waiting: set[int] = set()
    following = next(numbered, None)
    while following is not None or waiting:
        while following is not None and following[0] < min(waiting, default=following[0]) + AHEAD * crew.size:
            crew.submit(*following)
            waiting.add(following[0])
            following = next(numbered, None)
        for number, result in crew.finished():
            waiting.remove(number)
            yield number, result


# --- processes of this machine

_work: Callable[[Any], Any] | None = None  # of a worker


def _begin(work: Callable[[Any], Any]) -> None:
    global _work
    _work = work


def _do(item: Any) -> Any:
    return _work(item)


class _Processes:
    """Processes of this machine. Those of a broken pool are replaced, and get what the others had."""

    def __init__(self, work: Callable[[Any], Any], size: int):
        self.work, self.size = work, size
        self.running: dict[Future, tuple[int, Any]] = {}
        self.deaths = 0
        self.threads = os.environ.get(THREADS)
        os.environ.setdefault(THREADS, "1")  # of each worker, as Ray sets it: their number is that of the processors
        self.pool = self._new_pool()

    def _new_pool(self) -> ProcessPoolExecutor:
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(self.size, context, initializer=_begin, initargs=(self.work,))

    def submit(self, number: int, item: Any) -> None:
        try:
            self.running[self.pool.submit(_do, item)] = (number, item)
        except BrokenProcessPool:
            self._replace(number, item)

    def finished(self) -> Iterator[tuple[int, Any]]:
        for future in wait(self.running, return_when=FIRST_COMPLETED).done:
            if isinstance(future.exception(), BrokenProcessPool):
                self._replace()
                return
            number, _ = self.running.pop(future)
            self.deaths = 0
            yield number, future.result()

    def _replace(self, *more: Any) -> None:
        self.deaths += 1
        if self.deaths > RETRIES:
            raise _died()
        log.warning("A worker died. What it had is done again.")
        again = [entry for future, entry in self.running.items() if not _succeeded(future)]
        ready = {future: entry for future, entry in self.running.items() if _succeeded(future)}
        self.pool.shutdown(cancel_futures=True)
        self.pool, self.running = self._new_pool(), ready
        for number, item in [*again, *([more] if more else [])]:
            self.submit(number, item)

    def close(self) -> None:
        self.pool.shutdown(cancel_futures=True)
        if self.threads is None:
            os.environ.pop(THREADS, None)


def _succeeded(future: Future) -> bool:
    return future.done() and not isinstance(future.exception(), BrokenProcessPool)


def _died() -> WorkersDied:
    return WorkersDied(
        "Workers died {count} times in a row: memory may have run out. Run the command again with fewer --workers; it "
        "goes on where it stopped.",
        count=RETRIES + 1,
    )


# --- Ray


class _OnRay:
    """Tasks of a Ray cluster. Ray does those of a lost machine again on another."""

    def __init__(self, work: Callable[[Any], Any], workers: Workers):
        self.ray = ray = _import_ray()
        self.ours = not ray.is_initialized()
        if self.ours:
            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
            alone = {"num_cpus": workers.count, "include_dashboard": False} if workers.address is None else {}
            try:
                ray.init(address=workers.address, log_to_driver=False, logging_level=logging.ERROR, **alone)
            except (ConnectionError, ValueError, RuntimeError, ray.exceptions.RayError) as error:
                raise CadrecodeError(
                    "There is no Ray cluster at {address} ({error}). Start one with `ray start --head`, and on each "
                    "other machine `ray start --address=<head>:6379`.",
                    address=workers.address or Message("this machine"),
                    error=error,
                ) from error
        self.size = workers.count or max(1, int(ray.cluster_resources().get("CPU", 1)))
        self.work = [ray.put(work)]  # in a list, so that Ray hands over the reference and not the work
        self.task = ray.remote(num_cpus=1, max_retries=RETRIES)(_do_once_sent)
        self.running: dict[Any, int] = {}

    def submit(self, number: int, item: Any) -> None:
        self.running[self.task.remote(self.work, item)] = number

    def finished(self) -> Iterator[tuple[int, Any]]:
        [ready], _ = self.ray.wait(list(self.running), num_returns=1)
        number = self.running.pop(ready)
        lost = [getattr(self.ray.exceptions, f"{what}Error") for what in LOST]
        try:
            result = self.ray.get(ready)
        except tuple(lost) as error:
            raise _died() from error
        yield number, result

    def close(self) -> None:
        for task in self.running:
            self.ray.cancel(task)
        if self.ours:
            self.ray.shutdown()


_sent: dict[Any, Callable[[Any], Any]] = {}  # of a worker: the work by its reference


def _do_once_sent(reference: list, item: Any) -> Any:
    """The work on an item, in a worker, which fetches the work with its first item."""
    if reference[0] not in _sent:
        _sent.clear()
        _sent[reference[0]] = _import_ray().get(reference[0])
    return _sent[reference[0]](item)


def _import_ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise MissingLibrary.of("ray", Message("work on several machines")) from error
    return ray
