"""Pairs of cloud and program made on the fly, the same ones for the same seed, however many processes make them.

A chunk is a few batches of pairs, sorted by length so that little of a batch is padding. Chunk i depends on the seed
and on i alone: a run that resumes at chunk i sees what it would have seen.
"""

from __future__ import annotations

import functools
import itertools
import multiprocessing
import os
import queue
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

import numpy as np

from cadrecode.cloud.sample import farthest_point_sample_batch
from cadrecode.frames import CODE_PER_MODEL
from cadrecode.invent.draw import invent_solid
from cadrecode.invent.held_out import held_out_signatures
from cadrecode.program import build, parse
from cadrecode.program.solid import sample, signature
from cadrecode.program.write import write

CANDIDATES_PER_POINT = 3  # surface samples from which farthest-point sampling picks one; scans offer 16 or more
BATCHES_PER_CHUNK = 8
CHUNKS_AHEAD = 3  # made and waiting, per worker
PATIENCE_SECONDS = 300  # no chunk takes a hundredth of this; a worker that died is noticed after it
HELD_OUT = 10**6  # seeds of held-out parts begin here in the first place of the seed; training uses 0
CHUNKS_BETWEEN = 8  # how many new chunks pass before one is used again


@dataclass(frozen=True)
class Pairs:
    """A chunk of pairs.

    Args:
        texts: canonical programs, CODE frame.
        clouds: (n, points, 3) float32, MODEL, on the parts' surfaces.
    """

    texts: list[str]
    clouds: np.ndarray


def make_pairs(
    seed: tuple[int, ...],
    count: int,
    *,
    family: str = "general",
    n_points: int = 1024,
    turn: bool = False,
    height_steps: int = 1,
    apart_from: Collection[tuple[int, ...]] = (),
    keep: Callable[[str], bool] = lambda text: True,
) -> Pairs:
    """Invent parts and sample their surfaces, by area and in random order.

    Args:
        seed: any integers; the same ones make the same pairs.
        turn: turn or mirror each part at random onto the axes, program and cloud together.
        height_steps: see `program.spelling.GridSlab`.
        apart_from: signatures of solids (see `program.solid`) that are left out and replaced by further ones.
        keep: programs for which it is False are left out and replaced by further ones.
    Raises: ProgramError: unknown family.
    """
    rng = np.random.default_rng(seed)
    texts: list[str] = []
    clouds = np.empty((count, n_points, 3), np.float32)
    while len(texts) < count:
        invention = invent_solid(rng, family, turn=turn, height_steps=height_steps)
        text = write(invention.program)
        if keep(text) and not (apart_from and signature(invention.solid) in apart_from):
            clouds[len(texts)] = sample(invention.solid, n_points, rng)[0] / CODE_PER_MODEL
            texts.append(text)
    return Pairs(texts, clouds)


def held_out_pairs(
    count: int, *, family: str = "general", n_points: int = 256, seed: int = 0, height_steps: int = 1
) -> Pairs:
    """Parts that no training has seen (their seeds are apart from those of `chunks`), in farthest-point order."""
    points = CANDIDATES_PER_POINT * n_points
    pairs = make_pairs((HELD_OUT, seed), count, family=family, n_points=points, height_steps=height_steps)
    chosen = farthest_point_sample_batch(pairs.clouds, n_points, np.zeros(count, np.int64))
    return Pairs(pairs.texts, np.take_along_axis(pairs.clouds, chosen[..., None], axis=1))


@functools.lru_cache(maxsize=1)
def shapes_apart(
    family: str, n_points: int, shown: int, count: int, height_steps: int = 1
) -> frozenset[tuple[int, ...]]:
    """Signatures of what no pair of a training may be: the first `shown` of `held_out_pairs`, and the first `count`
    parts that `evaluate` measures on, of this family and of `general`."""
    texts = held_out_pairs(shown, family=family, n_points=n_points, height_steps=height_steps).texts
    shapes = frozenset(signature(build(parse(text))) for text in texts)
    return shapes.union(*(held_out_signatures(one, count) for one in {family, "general"}))


def visits(repeats: int) -> Iterator[int]:
    """The order in which chunks are used, each `repeats` times, CHUNKS_BETWEEN new ones apart: numbers without end."""
    for newest in itertools.count():
        for turn in range(repeats):
            if newest >= turn * CHUNKS_BETWEEN:
                yield newest - turn * CHUNKS_BETWEEN


def oldest_needed(visit: int, repeats: int) -> int:
    """The first chunk that a run needs which goes on at this place of `visits`."""
    return min(itertools.islice(visits(repeats), visit, visit + repeats * (CHUNKS_BETWEEN + 1)))


def revisit(chunks: Iterator, first: int, visit: int, repeats: int) -> Iterator:
    """Chunks in the order of `visits`, from that place on.

    Args: chunks: numbers `first`, `first` + 1, ...; first: at most `oldest_needed(visit, repeats)`.
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
        workers: processes; 0 makes chunks where they are asked for.
        first: the first chunk to give.
    """

    def __init__(self, make: Callable[[int], object], workers: int, first: int = 0):
        self.make, self.first = make, first
        self.processes: list[multiprocessing.Process] = []
        self.queues: list[multiprocessing.Queue] = []
        context = multiprocessing.get_context("spawn")
        for index in range(workers):
            waiting = context.Queue(CHUNKS_AHEAD)
            process = context.Process(
                target=_work, args=(make, waiting, first + index, workers), daemon=True, name=f"pairs-{index}"
            )
            process.start()
            self.queues.append(waiting)
            self.processes.append(process)

    def __iter__(self) -> Iterator[object]:
        number = self.first
        while True:
            yield self._next(number)
            number += 1

    def _next(self, number: int) -> object:
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

    def __exit__(self, *_) -> None:
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.join(10)


def _work(make: Callable[[int], object], waiting, first: int, stride: int) -> None:
    if hasattr(os, "sched_setaffinity"):  # else Manifold keeps as many threads as there are cores, in every worker
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[-1 - first % len(cores)]})
    number = first
    while True:
        waiting.put(make(number))
        number += stride
