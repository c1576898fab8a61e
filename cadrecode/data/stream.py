"""Pairs of cloud and program invented on the fly: the same for the same seed, however many processes invent them.

A chunk is a few batches of pairs, sorted by length so that batches need little padding. Chunk i depends on nothing but
the seed and i: a run that resumes at chunk i gets the chunks of an uninterrupted run.
"""

from __future__ import annotations

import functools
import itertools
import multiprocessing
import os
import queue
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from multiprocessing.queues import Queue

import numpy as np

from cadrecode.frames import CODE_PER_MODEL
from cadrecode.geometry import farthest_points
from cadrecode.invent.draw import invent_solid
from cadrecode.invent.held_out import held_out_signatures
from cadrecode.program import build, parse
from cadrecode.program.solid import Manifold, sample, signature
from cadrecode.program.write import write

CANDIDATES_PER_POINT = 3  # surface samples for each point of farthest-point sampling; scans have 16 or more
BATCHES_PER_CHUNK = 8
CHUNKS_AHEAD = 3  # made and waiting, per worker
PATIENCE_SECONDS = 300  # a chunk takes less than a hundredth of this: a worker that sends none has died
HELD_OUT = 10**6  # first number of the seeds of held-out parts; training has 0 there
CHUNKS_BETWEEN = 8  # new chunks before a chunk is used again


@dataclass(frozen=True)
class InventedPairs:
    """A chunk of pairs.

    Args:
        texts: canonical programs, CODE frame.
        clouds: (n, points, 3) float32, MODEL, on the parts' surfaces.
        solids: CODE frame; empty for `held_out_pairs`.
    """

    texts: list[str]
    clouds: np.ndarray
    solids: list[Manifold] = field(default_factory=list, repr=False, compare=False)


def invent_pairs(
    seed: tuple[int, ...],
    count: int,
    *,
    family: str = "general",
    n_points: int = 1024,
    turn: bool = False,
    height_steps: int = 1,
    apart_from: Collection[tuple[int, ...]] = (),
    keep: Callable[[str], bool] = lambda text: True,
) -> InventedPairs:
    """Invent parts and sample their surfaces, by area and in random order.

    Args:
        seed: any integers.
        turn: turn or mirror each part at random onto the axes, program and cloud together.
        height_steps: see `invent.spelling.GridSlab`.
        apart_from: signatures of solids (see `program.solid`) that are left out.
        keep: programs for which it returns False are left out, and further parts invented.
    Raises: ProgramError: unknown family.
    """
    rng = np.random.default_rng(seed)
    texts: list[str] = []
    solids: list[Manifold] = []
    clouds = np.empty((count, n_points, 3), np.float32)
    while len(texts) < count:
        invention = invent_solid(rng, family, turn=turn, height_steps=height_steps)
        text = write(invention.program)
        if keep(text) and not (apart_from and signature(invention.solid) in apart_from):
            clouds[len(texts)] = sample(invention.solid, n_points, rng)[0] / CODE_PER_MODEL
            texts.append(text)
            solids.append(invention.solid)
    return InventedPairs(texts, clouds, solids)


def held_out_pairs(
    count: int, *, family: str = "general", n_points: int = 256, height_steps: int = 1, heard: bool = False
) -> InventedPairs:
    """Parts that no training has seen, since their seeds are others; points in farthest-point order.

    Args:
        heard: all points follow them, for the encoder's spectrum.
    """
    points = CANDIDATES_PER_POINT * n_points
    pairs = invent_pairs((HELD_OUT, 0), count, family=family, n_points=points, height_steps=height_steps)
    chosen = farthest_points(pairs.clouds, n_points, np.zeros(count, np.int64))
    clouds = np.take_along_axis(pairs.clouds, chosen[..., None], axis=1)
    return InventedPairs(pairs.texts, np.concatenate((clouds, pairs.clouds), axis=1) if heard else clouds)


@functools.lru_cache(maxsize=1)
def shapes_apart(
    family: str, n_points: int, shown: int, count: int, height_steps: int = 1
) -> frozenset[tuple[int, ...]]:
    """Signatures of the shapes that no training may see.

    They are the first `shown` of `held_out_pairs`, and the first `count` parts that `evaluate` measures on, of this
    family and of `general`.
    """
    texts = held_out_pairs(shown, family=family, n_points=n_points, height_steps=height_steps).texts
    shapes = frozenset(signature(build(parse(text))) for text in texts)
    return shapes.union(*(held_out_signatures(name, count) for name in {family, "general"}))


def visits(repeats: int) -> Iterator[int]:
    """The endless order in which chunks are used, each `repeats` times, with CHUNKS_BETWEEN new chunks between."""
    for newest in itertools.count():
        for turn in range(repeats):
            if newest >= turn * CHUNKS_BETWEEN:
                yield newest - turn * CHUNKS_BETWEEN


def oldest_needed(visit: int, repeats: int) -> int:
    """The first chunk that a run needs which resumes at this place of `visits`."""
    return min(itertools.islice(visits(repeats), visit, visit + repeats * (CHUNKS_BETWEEN + 1)))


def revisit(chunks: Iterator, first: int, visit: int, repeats: int) -> Iterator:
    """Chunks in the order of `visits`, from the place `visit` on.

    Args:
        chunks: the chunks `first`, `first` + 1, ...
        first: at most `oldest_needed(visit, repeats)`.
    """
    held: dict[int, object] = {}
    newest = first - 1
    for number in itertools.islice(visits(repeats), visit, None):
        while newest < number:
            newest += 1
            held[newest] = next(chunks)
        yield held[number]
        oldest = newest - (repeats - 1) * CHUNKS_BETWEEN
        held = {number: chunk for number, chunk in held.items() if number >= oldest}


class ChunkStream:
    """Chunks in order, made by worker processes. Use as a context manager: it ends its workers.

    Args:
        make: chunk number -> chunk; must be picklable. Runs in the workers.
        workers: number of processes; 0 makes chunks in this process.
        first: number of the first chunk.
    """

    def __init__(self, make: Callable[[int], object], workers: int, first: int = 0):
        self.make, self.first = make, first
        self.processes: list[multiprocessing.Process] = []
        self.queues: list[Queue] = []
        context = multiprocessing.get_context("spawn")
        for index in range(workers):
            chunks = context.Queue(CHUNKS_AHEAD)
            process = context.Process(
                target=_work, args=(make, chunks, first + index, workers), daemon=True, name=f"pairs-{index}"
            )
            process.start()
            self.queues.append(chunks)
            self.processes.append(process)

    def __iter__(self) -> Iterator[object]:
        return map(self._get, itertools.count(self.first))

    def _get(self, number: int) -> object:
        if not self.queues:
            return self.make(number)
        index = (number - self.first) % len(self.queues)
        try:
            return self.queues[index].get(timeout=PATIENCE_SECONDS)
        except queue.Empty:
            code = self.processes[index].exitcode
            raise RuntimeError(
                f"The worker that makes pairs gave none for {PATIENCE_SECONDS} s (exit code {code})."
            ) from None

    def __enter__(self) -> ChunkStream:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.join(10)


def _work(make: Callable[[int], object], chunks: Queue, first: int, stride: int) -> None:
    if hasattr(os, "sched_setaffinity"):  # on all cores, Manifold would keep a thread for each, in every worker
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[-1 - first % len(cores)]})
    for number in itertools.count(first, stride):
        chunks.put(make(number))
