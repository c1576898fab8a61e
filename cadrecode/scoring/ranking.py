"""Several candidates for one input: different points to look at, and an order among the programs that come back."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from cadrecode.cloud import farthest_point_sample
from cadrecode.cloud.distance import CloudRuler
from cadrecode.fit import fit
from cadrecode.geometry import bounding_box
from cadrecode.program import Program, write
from cadrecode.scoring.candidate import Candidate, build_text
from cadrecode.scoring.unexplained import clusters_of

TRAINING_POINTS = 8192  # the network's points were chosen from that many in training; denser clouds are thinned to it
FITTED = 3  # candidates; the fourth was hardly ever the best in the end
NUMBER_COST = 5e-6  # of the cloud's size, for each number of a program: of two equals the shorter wins
NOISY_NUMBER_COST = 0.004  # of the noise, where that is more
UNEVEN_NUMBER_COST = 0.012  # of the unevenness, where that is more
EVEN_NOISE = 3e-4  # of the size: more noise than this tilts normals more than uneven faces do
FACING = 15.0, 0.6  # degrees off an axis, and the least share of the surface that is nearer: a part with flat faces
FAR = 0.006, 4.0, 0.3  # of the size, the noise and the unevenness: points that are farther off are unexplained
BOX_OFF = 2.0  # of the distance of a candidate: its box need not agree better with the cloud's
BOX_AGREES, BOX_FACE = 5e-3, 5e-3  # of the cloud's size: tolerance for a face of a clean cloud's box; its cost
UNEXPLAINED_COST, MOST_UNEXPLAINED = 5e-4, 8  # of the cloud's size, for each unexplained place, and how many count
ONE_PLACE = 40  # points of an unexplained place; a larger one counts for several, as many small features would
NEAR = 5e-5, 0.4  # of the size, and of the noise: the distance of a program that nothing can better
RESOLUTION = 2.5e-4, 0.3  # of the size, and of the noise: many points fix a number better than a single point
KEPT = 0.1  # of the allowed change of numbers: how much farther away the surface may be on average
MOST_LOST = 5e-3  # of the volume, where nobody says how far numbers may change
WORTH_A_FIT = 0.1  # of the time: do not start another fit with less time left than this


def point_subsets(
    points: np.ndarray, count: int, n_points: int, seed: int, normals: np.ndarray | None = None, heard: int = 0
) -> np.ndarray:
    """Different views of one cloud for `count` candidates.

    The first looks at the whole cloud, each other view at a random half of it. All are spread out by farthest-point
    sampling from a random start, as in training. Clouds of fewer than n_points points repeat points.

    Args:
        points: (N, 3), MODEL.
        normals: (N, 3), for a model that was trained with them.
        heard: further points of each view, in random order, for a model that hears the cloud's spectrum.
    Returns: (count, n_points + heard, 3 or 6) float32, MODEL. The same seed gives the same points, whatever the count.
    """
    points = np.asarray(points, np.float64)
    columns = points if normals is None else np.hstack((points, normals))
    views = np.empty((count, n_points + heard, columns.shape[1]), np.float32)
    for i in range(count):
        rng = np.random.default_rng([seed, i])
        size = len(points) if i == 0 else len(points) // 2
        size = min(max(size, n_points), TRAINING_POINTS, len(points))
        seen = rng.permutation(len(points))[:size]
        order = farthest_point_sample(points[seen], min(n_points, size), seed=int(rng.integers(2**31)))
        views[i] = columns[seen[np.concatenate((np.resize(order, n_points), np.arange(heard) % size))]]
    return views


class Yardstick(Protocol):
    """The measure by which candidates are compared. Its ruler has the input's points, in the candidates' frame."""

    ruler: CloudRuler

    def measured(self, candidate: Candidate) -> Candidate:
        """The candidate with its distance."""

    def key(self, candidate: Candidate) -> tuple:
        """Sorts measured candidates best first."""

    def improves(self, after: Candidate, before: Candidate) -> bool:
        """Whether a changed program is better."""

    @property
    def resolution(self) -> float:
        """How far a number may change before the input tells the difference."""

    def keeps(self, after: Candidate, before: Candidate, allowed: float) -> bool:
        """Whether a program, not measured yet, is as good as before, but for numbers that changed by so much at the
        most."""

    def is_exact(self, candidate: Candidate) -> bool:
        """Whether no other program can be better by more than the noise."""


def unevenness(ruler: CloudRuler) -> float:
    """How uneven the flat faces of a scanned part are: their median slope, times the size of the cloud.

    Faces of a made thing bulge and have rounded edges, however exact the scan is, and a program need not follow them.
    It is 0 for a part without such faces, and in noise, which hides them.
    """
    if ruler.normals is None or ruler.noise > EVEN_NOISE * ruler.size:
        return 0.0
    slopes = np.arccos(np.clip(np.abs(ruler.normals.directions).max(axis=1), 0, 1))
    facing = slopes < np.radians(FACING[0])
    if np.mean(facing) < FACING[1]:
        return 0.0
    return float(np.tan(np.median(slopes[facing]))) * ruler.size


def far_from(ruler: CloudRuler) -> float:
    """How far from a surface points are unexplained by it, and places on it by the points."""
    return FAR[0] * ruler.size + FAR[1] * ruler.noise + FAR[2] * unevenness(ruler)


class ByDistance:
    """Compares candidates by their distance to a cloud.

    A bounding box that agrees with the cloud's is worth a little distance, and so is each place that is explained: a
    hole is a small part of the surface, and what a person sees first. Of two programs that are equally near within the
    noise, the shorter comes first. In noise, two walls on either side of the points are nearer to them than the wall
    that they lie on. Points that are spread evenly over a surface of area A have a likelihood of 1 / A each, so that
    twice the area costs log 2 of the noise.

    Args:
        ruler: Measures by the cloud, in the frame of the candidates.
    """

    def __init__(self, ruler: CloudRuler):
        self.ruler = ruler
        self.unevenness = unevenness(ruler)
        self.number_cost = max(
            NUMBER_COST * ruler.size, NOISY_NUMBER_COST * ruler.noise, UNEVEN_NUMBER_COST * self.unevenness
        )

    def measured(self, candidate: Candidate) -> Candidate:
        if not candidate.ok:
            return replace(candidate, distance=None)
        measured = self.ruler.measure(*candidate.mesh)
        places = clusters_of(measured, self.ruler.points, self.ruler.spacing, far_from(self.ruler))
        unexplained = sum(math.ceil(place.weight / ONE_PLACE) for place in places)
        area_cost = 0.0
        if self.ruler.is_noisy:
            area_cost = self.ruler.noise * math.log(candidate.solid.surface_area() / self.ruler.size**2)
        return replace(candidate, distance=measured.distance, unexplained=unexplained, area_cost=area_cost)

    def key(self, candidate: Candidate) -> tuple:
        failed, distance, index = self._key_and_box(candidate)
        return failed, distance + self.number_cost * candidate.number_count, index

    def _key_and_box(self, candidate: Candidate) -> tuple:
        failed, distance, index = candidate.key
        places = min(candidate.unexplained, MOST_UNEXPLAINED)
        off = self._faces_off(candidate) * min(BOX_FACE * self.ruler.size, distance)  # no more than all else together
        near = distance + candidate.area_cost
        return failed, near + off + UNEXPLAINED_COST * self.ruler.size * places, index

    def improves(self, after: Candidate, before: Candidate) -> bool:
        if self.unevenness > 0:
            return self.key(after) < self.key(before)
        return self._key_and_box(after) < self._key_and_box(before)  # no hole goes because it saves numbers

    @property
    def resolution(self) -> float:
        return max(RESOLUTION[0] * self.ruler.size, RESOLUTION[1] * self.ruler.noise)

    def keeps(self, after: Candidate, before: Candidate, allowed: float) -> bool:
        same = after.is_like(before)
        if same and allowed <= self.resolution:  # a thin sheet is not to lose a tenth of its thickness
            same = abs(after.solid.volume() / before.solid.volume() - 1) <= MOST_LOST
        return same and self.ruler.distance(*after.mesh) <= before.distance + KEPT * allowed

    def is_exact(self, candidate: Candidate) -> bool:
        return candidate.ok and candidate.distance <= NEAR[0] * self.ruler.size + NEAR[1] * self.ruler.noise

    def _faces_off(self, candidate: Candidate) -> int:
        """The number of faces of its bounding box that are not where the cloud's are; none on a noisy or uneven cloud,
        whose box is larger."""
        if not candidate.ok or self.ruler.is_noisy or self.unevenness > 0:
            return 0
        off = np.abs(bounding_box(candidate.mesh[0]) - self.ruler.box)
        return int((off > max(BOX_AGREES * self.ruler.size, BOX_OFF * candidate.distance)).sum())


def rank(
    candidates: Sequence[Candidate], yardstick: Yardstick, *, on_each: Callable[[int], None] | None = None
) -> list[Candidate]:
    """The candidates with their index and distance, best first, by the input alone.

    Args:
        candidates: The pool, in the yardstick's frame.
        on_each: Called with the number of candidates that are measured.
    """
    ranked = []
    for index, candidate in enumerate(candidates):
        ranked.append(yardstick.measured(replace(candidate, index=index)))
        if on_each:
            on_each(index + 1)
    return sorted(ranked, key=yardstick.key)


def improve(
    ranked: Sequence[Candidate],
    yardstick: Yardstick,
    change: Callable[[Program, float], Program],
    *,
    seconds: float,
    count: int,
    on_each: Callable[[int, int], None] | None = None,
) -> list[Candidate]:
    """Change the best few, and put all of them in order again.

    Args:
        ranked: From `rank`.
        change: (program, seconds) -> another program, in the yardstick's frame; it is not taken if it is worse.
        seconds: For all together, each an even share of what is left; what is left at the end goes to the best.
        count: The number to change; text outside of the language and repeated programs are passed over.
        on_each: Called with (done, total).
    """
    deadline = time.monotonic() + seconds
    chosen: dict[Program, Candidate] = {}
    for candidate in ranked:
        if candidate.ok and candidate.program is not None and len(chosen) < count:
            chosen.setdefault(candidate.program, candidate)
    by_index = {candidate.index: candidate for candidate in ranked}
    for done, candidate in enumerate(chosen.values()):
        if on_each:
            on_each(done, len(chosen))
        share = (deadline - time.monotonic()) / (len(chosen) - done)
        by_index[candidate.index] = _changed(candidate, yardstick, change, share)

    left = deadline - time.monotonic()
    if len(chosen) > 1 and left > WORTH_A_FIT * seconds:
        best = min(by_index.values(), key=yardstick.key)
        if best.program is not None:
            by_index[best.index] = _changed(best, yardstick, change, left)
    if on_each:
        on_each(len(chosen), len(chosen))
    return sorted(by_index.values(), key=yardstick.key)


def fitted(
    ranked: Sequence[Candidate],
    yardstick: Yardstick,
    *,
    seconds: float,
    count: int = FITTED,
    on_each: Callable[[int, int], None] | None = None,
    **options: Any,
) -> list[Candidate]:
    """`improve` by moving programs onto the points of the yardstick.

    Args:
        options: Those of `fit.fit`.
    """

    def moved(program: Program, share: float) -> Program:
        return fit(program, yardstick.ruler, seconds=share, **options).program

    return improve(ranked, yardstick, moved, seconds=seconds, count=count, on_each=on_each)


def _changed(
    candidate: Candidate, yardstick: Yardstick, change: Callable[[Program, float], Program], seconds: float
) -> Candidate:
    """A candidate after so many seconds of `change`; unchanged where that is no better."""
    if seconds <= 0:
        return candidate
    built = build_text(write(change(candidate.program, seconds)))
    if not built.ok:  # rounded for its text, it is no solid any more
        return candidate
    after = yardstick.measured(
        replace(
            candidate,
            text=built.text,
            program=built.program,
            solid=built.solid,
            as_written=candidate.as_written or candidate,
        )
    )
    return after if yardstick.improves(after, candidate) else candidate
