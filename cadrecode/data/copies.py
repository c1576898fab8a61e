"""More training pairs out of those that there are: the same parts turned, the same designs with other numbers."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator

import numpy as np

from cadrecode.data.dataset import POOL_POINTS, Pair, Programs
from cadrecode.data.pool import on_disk
from cadrecode.data.sharing import ALONE, Processes, shared
from cadrecode.frames import Frame
from cadrecode.program import parse, write
from cadrecode.program.canonical import turned, warped
from cadrecode.program.solid import bounds, sample
from cadrecode.program.turn import Turn

Original = tuple[int, Pair, np.random.Generator]  # the copy's number, of what, and its chance


def turned_copies(
    programs: Programs,
    copies: int,
    seed: int,
    height_steps: int = 1,
    should_stop: Callable[[], bool] = lambda: False,
    processes: Processes = ALONE,
) -> list[Pair]:
    """So many copies of each pair, turned or mirrored at random onto the axes: canonical programs again.

    A program that is more than slabs along the axes gets none.

    Args:
        height_steps: see `program.spelling.GridSlab`.
        should_stop: looked at now and then; True ends the making early.
        processes: share the work with these, which all make the same.
    """

    def one(original: Original) -> Pair | None:
        _, pair, rng = original
        turn = Turn.draw(rng)
        program = turned(parse(pair.text), turn, height_steps)
        if program is None:
            return None
        return Pair(f"{pair.name}, turned", write(program), np.array(turn.points(pair.points)))

    made = shared(_originals(programs, copies, seed), one, processes, should_stop)
    return list(on_disk(pair for pair in made if pair is not None))


def warped_copies(
    programs: Programs,
    copies: int,
    seed: int,
    height_steps: int = 1,
    should_stop: Callable[[], bool] = lambda: False,
    processes: Processes = ALONE,
) -> list[Pair]:
    """Up to so many parts of each pair's design in other proportions, canonical; as `turned_copies`.

    The first copy, and every other one from there, is much the same part: a few percent more or less, but other
    numbers. The points are those of the part before its numbers are rounded, as a scan's are. A program that is more
    than slabs along the axes gets none, and rounding breaks some.
    """

    def one(original: Original) -> Pair | None:
        copy, pair, rng = original
        made = warped(parse(pair.text), rng, height_steps, gentle=copy % 2 == 0)
        if made is None:
            return None
        points, _ = sample(made.solid, POOL_POINTS, rng)
        points = Frame.of(np.stack(bounds(made.solid))).to_model(points)
        return Pair(f"{pair.name}, warped {copy + 1}", write(made.program), points.astype(np.float16))

    made = shared(_originals(programs, copies, seed + 1), one, processes, should_stop)
    return list(on_disk(pair for pair in made if pair is not None))


def _originals(programs: Programs, copies: int, seed: int) -> Iterator[Original]:
    for copy in range(copies):
        for pair in programs.pairs:
            yield copy, pair, np.random.default_rng([seed, zlib.crc32(pair.name.encode()), copy])
