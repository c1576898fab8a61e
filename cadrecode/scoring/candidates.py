"""Several answers for one cloud: different points to look at, and an order among what comes back."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from cadrecode.cloud import farthest_point_sample
from cadrecode.cloud.distance import CloudRuler
from cadrecode.program import Program, write
from cadrecode.program.edit import parameters
from cadrecode.scoring.built import Built, build_text

TRAINING_POINTS = 8192  # what the network's points were chosen from in training; a denser cloud is thinned to it first
FITTED = 3  # candidates; the fourth was hardly ever the best in the end
LONGER = 2e-5  # of the cloud's size: what a number costs among fitted programs, so that of two equals the shorter wins
BOX_AGREES, BOX_FACE = 5e-3, 5e-3  # of the cloud's size: what a face that is farther off a clean cloud's box costs
WORTH_A_LOOK = 0.1  # of the time: less at the end is not worth beginning again for
ODD_SHELLS_FACTOR = 1.5  # a part is one body without closed cavities: anything else must be clearly nearer to win


def point_subsets(
    points: np.ndarray, count: int, n_points: int, seed: int, normals: np.ndarray | None = None
) -> np.ndarray:
    """Different views of one cloud for `count` candidates.

    The first looks at the whole cloud; each other one at a random half of it. All are spread out by farthest-point
    sampling from a random start, as in training. Clouds of fewer than n_points points repeat points.

    Args:    points: (N, 3), MODEL; normals: (N, 3), for a model that was trained with them.
    Returns: (count, n_points, 3 or 6) float32, MODEL. The same seed gives the same points, whatever the count.
    """
    points = np.asarray(points, np.float64)
    columns = points if normals is None else np.hstack((points, normals))
    views = np.empty((count, n_points, columns.shape[1]), np.float32)
    for i in range(count):
        rng = np.random.default_rng([seed, i])
        size = len(points) if i == 0 else len(points) // 2
        size = min(max(size, n_points), TRAINING_POINTS, len(points))
        seen = rng.permutation(len(points))[:size]
        order = farthest_point_sample(points[seen], min(n_points, size), seed=int(rng.integers(2**31)))
        views[i] = columns[seen[np.resize(order, n_points)]]
    return views


@dataclass(frozen=True)
class Judged:
    """A candidate and how well it explains the cloud.

    Args:
        index: its place in the batch; 0 is the greedy one.
        built: what became of its text.
        distance: `CloudRuler.distance` in the cloud's unit; None for a failure.
        as_written: what it was before `improve` changed the program; None where it did not.
    """

    index: int
    built: Built
    distance: float | None
    as_written: Judged | None = None

    @property
    def key(self) -> tuple:
        """Sorts best first: those with a solid by distance (more than one shell makes it longer), then the failures."""
        if self.distance is None:
            return (1, 0.0, self.index)
        odd = self.built.shells != (1, 0)
        return (0, self.distance * (ODD_SHELLS_FACTOR if odd else 1.0), self.index)


def rank(built: Sequence[Built], ruler: CloudRuler, *, on_each: Callable[[int], None] | None = None) -> list[Judged]:
    """All candidates, best first, by distance to the input cloud alone.

    Args: built: in batch order, in the ruler's frame; on_each: told how many are measured.
    """
    judged = []
    for index, one in enumerate(built):
        judged.append(Judged(index, one, ruler.distance(*one.mesh) if one.ok else None))
        if on_each:
            on_each(index + 1)
    return sorted(judged, key=lambda one: one.key)


def improve(
    judged: Sequence[Judged],
    ruler: CloudRuler,
    change: Callable[[Program, float], Program],
    *,
    seconds: float,
    count: int,
    on_each: Callable[[int, int], None] | None = None,
) -> list[Judged]:
    """The best few, changed, and all of them in order again; a bounding box that agrees with the cloud's is worth a
    little distance, and of two that are equally near, the shorter comes first.

    Args:
        change: makes another program of one, in the ruler's frame, in so many seconds; a worse one is not taken.
        seconds: for all together, each an even share of what is left; what is left at the end goes to the best of them.
        count: how many; those outside of the language and equals of another are passed over.
        on_each: told how many are done, and of how many.
    """
    deadline = time.monotonic() + seconds
    chosen: dict[Program, Judged] = {}
    for one in judged:
        if one.built.ok and one.built.program is not None and len(chosen) < count:
            chosen.setdefault(one.built.program, one)
    order = {one.index: one for one in judged}
    for done, one in enumerate(chosen.values()):
        if on_each:
            on_each(done, len(chosen))
        order[one.index] = _changed(one, ruler, change, (deadline - time.monotonic()) / (len(chosen) - done))

    left = deadline - time.monotonic()
    if len(chosen) > 1 and left > WORTH_A_LOOK * seconds:
        best = min(order.values(), key=lambda one: _key(one, ruler))
        if best.built.program is not None:
            order[best.index] = _changed(best, ruler, change, left)
    if on_each:
        on_each(len(chosen), len(chosen))
    return sorted(order.values(), key=lambda one: _key(one, ruler))


def _key(one: Judged, ruler: CloudRuler) -> tuple:
    """Sorts best first, among programs that were changed."""
    failed, distance, index = _key_and_box(one, ruler)
    numbers = 0 if one.built.program is None else len(parameters(one.built.program))
    return failed, distance + LONGER * ruler.size * numbers, index


def _key_and_box(one: Judged, ruler: CloudRuler) -> tuple:
    failed, distance, index = one.key
    return failed, distance + BOX_FACE * ruler.size * _faces_off(one, ruler), index


def _faces_off(one: Judged, ruler: CloudRuler) -> int:
    """How many faces of its bounding box are not where the cloud's are; none on a noisy cloud, whose box is larger."""
    if not one.built.ok or ruler.is_noisy:
        return 0
    vertices, _ = one.built.mesh
    off = np.abs(np.array((vertices.min(axis=0), vertices.max(axis=0))) - ruler.box)
    return int((off > BOX_AGREES * ruler.size).sum())


def _changed(one: Judged, ruler: CloudRuler, change: Callable[[Program, float], Program], seconds: float) -> Judged:
    """What becomes of a candidate in so many seconds; itself where that is no better."""
    if seconds <= 0:
        return one
    built = build_text(write(change(one.built.program, seconds)))
    if not built.ok:  # rounded for its text, it is no solid any more
        return one
    after = replace(one, built=built, distance=ruler.distance(*built.mesh), as_written=one.as_written or one)
    return after if _key_and_box(after, ruler) < _key_and_box(one, ruler) else one
