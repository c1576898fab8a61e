"""More training pairs from existing pairs: the same parts turned, the same designs with other numbers or counts."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator

import numpy as np

from cadrecode.data.alike import alike
from cadrecode.data.dataset import POOL_POINTS
from cadrecode.data.digits import with_few_digits
from cadrecode.data.pairs import Pair, Programs
from cadrecode.data.pool import on_disk
from cadrecode.data.sharing import ALONE, Processes, shared
from cadrecode.frames import Frame
from cadrecode.invent.canonical import turned, warped
from cadrecode.invent.recount import recounted
from cadrecode.invent.turn import Turn
from cadrecode.program import build, parse, write
from cadrecode.program.edit import to_code
from cadrecode.program.solid import bounds, sample

Original = tuple[int, Pair, np.random.Generator]  # number of the copy, the pair to copy, the copy's randomness
Copy = Callable[[Original, int], Pair | None]  # turned_copy, warped_copy or pattern_copy


def copies_of(
    programs: Programs,
    copy: Copy,
    count: int,
    seed: int,
    height_steps: int = 1,
    should_stop: Callable[[], bool] = lambda: False,
    processes: Processes = ALONE,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[Pair]:
    """Up to `count` copies of each pair, in canonical spelling.

    A program that is more than slabs along the axes has no copies.

    Args:
        copy: makes a copy.
        height_steps: see `invent.spelling.GridSlab`.
        should_stop: called now and then; True ends the work early.
        processes: share the work with these, which all make the same copies.
        on_progress: called with (copies tried, copies in all) now and then.
    """
    copies = shared(
        _originals(programs, count, seed), lambda original: copy(original, height_steps), processes, should_stop
    )

    def possible() -> Iterator[Pair]:
        for number, pair in enumerate(copies, 1):
            if on_progress and number % 1000 == 0:
                on_progress(number, count * len(programs.pairs))
            if pair is not None:
                yield pair

    return list(on_disk(possible()))


def turned_copy(original: Original, height_steps: int) -> Pair | None:
    """The same part, turned or mirrored at random onto the axes."""
    _, pair, rng = original
    turn = Turn.draw(rng)
    program = turned(parse(pair.text), turn, height_steps)
    if program is None:
        return None
    return Pair(f"{pair.name}, turned", write(program), np.array(turn.points(pair.points)))


def warped_copy(original: Original, height_steps: int) -> Pair | None:
    """A part of the same design in other proportions; None where rounding breaks it.

    Copies with an even number are nearly the same part: its numbers change by a few percent. The points are those of
    the part before its numbers are rounded, as a scan's are.
    """
    number, pair, rng = original
    invention = warped(parse(pair.text), rng, height_steps, gentle=number % 2 == 0)
    if invention is None:
        return None
    points, _ = sample(invention.solid, POOL_POINTS, rng)
    points = Frame.of(bounds(invention.solid)).to_model(points)
    return Pair(f"{pair.name}, warped {number + 1}", write(invention.program), points.astype(np.float16))


def pattern_copy(original: Original, height_steps: int) -> Pair | None:
    """A part of the same design with other counts of what repeats, and other sizes; None where nothing repeats."""
    number, pair, rng = original
    program = parse(pair.text)
    changed = recounted(program, rng)
    if changed is None:
        return None
    solid = build(changed)
    frame = Frame.of(bounds(solid))
    points, _ = sample(solid, POOL_POINTS, rng)
    copy = alike(with_few_digits(to_code(changed, frame), like=program))
    return Pair(f"{pair.name}, recounted {number + 1}", write(copy), frame.to_model(points).astype(np.float16))


def _originals(programs: Programs, count: int, seed: int) -> Iterator[Original]:
    for number in range(count):
        for pair in programs.pairs:
            yield number, pair, np.random.default_rng([seed, zlib.crc32(pair.name.encode()), number])
