"""Pairs of cloud and program made on the fly, the same ones for the same seed, however many processes make them.

A chunk is a few batches of pairs, sorted by length so that little of a batch is padding. Chunk i depends on the seed
and on i alone: a run that resumes at chunk i sees what it would have seen.
"""

from __future__ import annotations

import multiprocessing
import queue
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from cadrecode.cloud.sample import farthest_point_sample_batch
from cadrecode.frames import CODE_PER_MODEL
from cadrecode.program.invent import invent_solid
from cadrecode.program.solid import sample
from cadrecode.program.write import write

CANDIDATES_PER_POINT = 4  # surface samples from which farthest-point sampling picks one; scans offer 32
BATCHES_PER_CHUNK = 8
CHUNKS_AHEAD = 3  # made and waiting, per worker
PATIENCE_SECONDS = 300  # no chunk takes a hundredth of this; a worker that died is noticed after it
HELD_OUT = 10**6  # seeds of held-out parts begin here in the first place of the seed; training uses 0


@dataclass(frozen=True)
class Pairs:
    """A chunk of pairs.

    Args:
        texts: canonical programs, CODE frame.
        clouds: (n, n_points, 3) float32, MODEL, in farthest-point order.
    """

    texts: list[str]
    clouds: np.ndarray


def make_pairs(
    seed: tuple[int, ...],
    count: int,
    *,
    family: str = "general",
    n_points: int = 256,
    noise_probability: float = 0.0,
    noise_std: float = 0.0,
    keep: Callable[[str], bool] = lambda text: True,
) -> Pairs:
    """Invent parts and sample their surfaces.

    Args:
        seed: any integers; the same ones make the same pairs.
        noise_probability, noise_std: share of clouds that get Gaussian noise, and its deviation in MODEL units.
        keep: programs for which it is False are left out and replaced by further ones.
    Raises: ProgramError: unknown family.
    """
    rng = np.random.default_rng(seed)
    texts: list[str] = []
    candidates = np.empty((count, CANDIDATES_PER_POINT * n_points, 3), np.float32)
    while len(texts) < count:
        invention = invent_solid(rng, family)
        text = write(invention.program)
        if not keep(text):
            continue
        candidates[len(texts)] = sample(invention.solid, candidates.shape[1], rng)[0] / CODE_PER_MODEL
        texts.append(text)
    noisy = rng.random(count) < noise_probability
    candidates += rng.normal(0, 1, candidates.shape) * (noise_std * noisy)[:, None, None]
    starts = rng.integers(candidates.shape[1], size=count)
    chosen = farthest_point_sample_batch(candidates, n_points, starts)
    return Pairs(texts, np.take_along_axis(candidates, chosen[..., None], axis=1))


def held_out_pairs(count: int, *, family: str = "general", n_points: int = 256, seed: int = 0) -> Pairs:
    """Parts that no training has seen: their seeds are apart from those of `chunks`."""
    return make_pairs((HELD_OUT, seed), count, family=family, n_points=n_points)


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
    number = first
    while True:
        waiting.put(make(number))
        number += stride
