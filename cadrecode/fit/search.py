"""A program and a cloud in, the program whose surface lies on the points out.

A language model guesses the structure well and the numbers roughly. Here what repeats is counted again, and numbers are
moved, singly and together; then features are dropped, reversed or added where that brings the surface nearer; then the
numbers are made round. Gains within the noise of the cloud do not count. Last, the program gets the bounding box of the
cloud.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from cadrecode.cloud.distance import MOST_POINTS, CloudRuler
from cadrecode.cloud.normals import Normals, given_normals, outward_normals
from cadrecode.config import FIT_SECONDS
from cadrecode.errors import Message, ProgramError
from cadrecode.fit.box import box_agrees, in_box
from cadrecode.fit.numbers import STEPS, coordinate_steps, fit_numbers, least_squares
from cadrecode.fit.objective import Evaluated, Objective, weight
from cadrecode.fit.repeats import counted_again
from cadrecode.fit.structure import richer, simpler, trimmed, turned_over
from cadrecode.fit.tidy import rounded_numbers, tidied
from cadrecode.fit.unbiased import unbiased
from cadrecode.program import Program

__all__ = ["FitResult", "fit", "ruler_for"]

SEARCHES = (768, 512), (2048, 2048)  # points and surface samples while looking: fast first, then for what is small
COUNTING, COUNTING_SHARE = (384, 192), 0.3  # points and samples that tell counts, and at most this share of the time
FINAL_POINTS, FINAL_SAMPLES = 4096, 2048  # when choosing between the given program and the results of the search
FINAL_SHARE, FINAL_SHARE_NOISY = 0.2, 0.35  # of the time, for the last steps: squares, noise, rounding
LEAST_BOX_SECONDS = 1.0  # for the bounding box at the end, also when all time is gone: people measure it first
FIRST_SHARE_NOISY = 0.35  # of the time, on a noisy cloud, for the numbers of the given program
TRIED_ALONE = 3  # changes of structure whose numbers are fitted: the best before any fitting
ADDED = 1e-4  # of the cloud's size: gain needed for a feature that is added
GUESSED = 2.5e-3  # of the cloud's size: the most that wrongly guessed sides cost a right program
FINE_STEPS = (2.0, 1.0)  # for a program whose numbers are fitted except those of one feature


@dataclass(frozen=True)
class FitResult:
    """The result of a fit.

    Args:
        program: In the frame of the given program, and equal to it when nothing is better and its box agrees.
        distance_before: `CloudRuler.distance` of the given program, in the cloud's unit.
        distance_after: The same of `program`.
        evaluations: Programs built and measured.
        seconds: The time it took; less than was allowed when it converged.
    """

    program: Program
    distance_before: float
    distance_after: float
    evaluations: int
    seconds: float


def ruler_for(points: np.ndarray, normals: np.ndarray | Normals | None = None, *, seed: int = 0) -> CloudRuler:
    """A ruler that knows on which side of a point the solid is: by the cloud's own normals, else by estimated ones.

    Points that occur more than once count once: they tell no more, and the winding number has no end of dividing them.

    Args:
        points: (N, 3), any frame.
        normals: (N, 3) of the points, where the file has any, or `Normals` made of them.
        seed: Chooses the points of a cloud of more than 200,000 that get normals.
    """
    first = np.sort(np.unique(points, axis=0, return_index=True)[1])
    if len(first) < len(points):
        points, normals = _rows(points, normals, first)
    further = None
    if len(points) > MOST_POINTS:  # the neighbours of all would fill the memory
        order = np.random.default_rng(seed).permutation(len(points))
        further = points[order[MOST_POINTS:]]
        points, normals = _rows(points, normals, order[:MOST_POINTS])
    if normals is None:
        normals = outward_normals(points, seed=seed)
    elif not isinstance(normals, Normals):
        normals = given_normals(points, normals)
    return CloudRuler(points, normals, further=further, seed=seed)


def _rows(
    points: np.ndarray, normals: np.ndarray | Normals | None, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray | Normals | None]:
    """Some of the points with their normals."""
    if normals is None:
        return points[rows], None
    return points[rows], normals.of(rows) if isinstance(normals, Normals) else normals[rows]


def fit(
    program: Program,
    points: np.ndarray | CloudRuler,
    *,
    normals: np.ndarray | None = None,
    seconds: float = FIT_SECONDS,
    seed: int = 0,
    structure: bool = True,
    round_numbers: bool = True,
    should_stop: Callable[[], bool] | None = None,
) -> FitResult:
    """Move a program onto a cloud.

    Args:
        program: CODE.
        points: (N, 3) float, CODE; or a ruler of them, from `ruler_for`, where several programs are fitted.
        normals: (N, 3) of the points; estimated when None.
        seconds: At most this long, and up to a second more for the bounding box.
        structure: False moves numbers alone.
        round_numbers: Make numbers round in CODE; False where they are made simple in the user's units afterwards.
        should_stop: Called between steps; True ends the fit with the best so far.
    Raises: ProgramError: the program has no solid to begin with.
    """
    started = time.monotonic()
    ruler = points if isinstance(points, CloudRuler) else ruler_for(points, normals, seed=seed)
    rng = np.random.default_rng(seed)

    def objective(n_points: int, n_samples: int, share: float, fine: bool) -> Objective:
        until = started + seconds * share
        return Objective(ruler.coarse(n_points, n_samples, seed), program, until, fine=fine, should_stop=should_stop)

    judge = objective(FINAL_POINTS, FINAL_SAMPLES, 1.0, True)
    given = _evaluated(program, judge)
    counting = objective(*COUNTING, COUNTING_SHARE, False)
    programs = [counted_again(program, counting) if structure else program]  # then the results of each search
    evaluations = counting.evaluations
    if judge.is_noisy:
        first = objective(*SEARCHES[1], FIRST_SHARE_NOISY, True)
        programs, evaluations = [unbiased(programs[0], programs[0], first)[0]], evaluations + first.evaluations
    for n_points, n_samples in SEARCHES:
        search = objective(n_points, n_samples, 1 - (FINAL_SHARE_NOISY if judge.is_noisy else FINAL_SHARE), False)
        if programs[1:] and (search.out_of_time or len(ruler.points) <= SEARCHES[0][0]):
            break  # no time to look closer, or nothing more to see
        if search.solid(programs[-1]) is None:
            continue  # its facets are coarser than the judge's, and leave a fillet or a chamfer no room
        moved, cost = fit_numbers(programs[-1], search, rng, steps=FINE_STEPS if programs[1:] else STEPS)
        programs += (moved, _restructured(moved, cost, search, rng)) if structure else (moved,)
        evaluations += search.evaluations
    polish = objective(*SEARCHES[0], 1.0, True)
    best, cost, noise = _finished(programs, program, polish, judge, round_numbers)
    if structure:
        judge.deadline = max(judge.deadline, time.monotonic() + LEAST_BOX_SECONDS)
        boxed = _in_box(best, cost, program, judge, round_numbers)
        if boxed != best and (not judge.is_noisy or judge.explains_better(boxed, best, noise)):
            best = boxed
    after = judge.evaluate(best).measured.distance
    evaluations += polish.evaluations + judge.evaluations
    return FitResult(best, given.measured.distance, after, evaluations, time.monotonic() - started)


def _evaluated(program: Program, judge: Objective) -> Evaluated:
    given = judge.evaluate(program)
    if given is None:
        raise ProgramError(
            "The program has no solid, so there is nothing to fit.", expected=Message("a program that builds")
        )
    return given


def _finished(
    programs: list[Program], given: Program, polish: Objective, judge: Objective, round_numbers: bool
) -> tuple[Program, float, float]:
    """The best of the programs that the searches tried, with tidy numbers; its cost, and the noise of the points."""
    noise = 0.0
    if judge.is_noisy:
        best, noise = _through_noise(programs, given, judge)
        cost = judge.cost(best)
        allowed = cost + judge.noise
    else:
        best, cost, allowed = tidied(*_nearest(programs, given, polish, judge), given, judge)
    if round_numbers:
        best, cost = rounded_numbers(best, cost, given, judge, allowed)
    return best, cost, noise


def _nearest(programs: list[Program], program: Program, polish: Objective, judge: Objective) -> tuple[Program, float]:
    """The result nearest to a clean cloud, its numbers moved once more; the given program where it is as good."""
    given = judge.evaluate(program)
    polished = [least_squares(p, polish.cost(p), polish, rounds=2)[0] for p in dict.fromkeys(programs[-2:])]
    best, cost = _cheaper(program, given.cost, dict.fromkeys((*programs[1:], *polished)), judge)
    if not judge.told_apart(program, given.cost, best, cost) or _only_sides_differ(given, judge.evaluate(best), judge):
        return program, given.cost
    return best, cost


def _through_noise(programs: list[Program], given: Program, judge: Objective) -> tuple[Program, float]:
    """The program that explains a noisy cloud best, without what noise does to walls; and the noise, in its unit."""
    best, noise = unbiased(programs[0], given, judge)
    for program in dict.fromkeys(programs[1:]):
        if judge.out_of_time:
            break
        other, _ = unbiased(program, given, judge)
        if judge.explains_better(other, best, noise):
            best = other
    return best, noise


def _restructured(program: Program, cost: float, search: Objective, rng: np.random.Generator) -> Program:
    """Change the structure as long as that lowers the cost and there is time."""
    while not search.out_of_time:
        here = search.evaluate(program)
        more = (*trimmed(program, search), *richer(program, here, search))
        changed = _best_unfitted((*simpler(program), *turned_over(program), *more), search)
        shown = (tried for _, tried in changed if not search.hides_a_hole(program, tried))
        before = cost
        for tried in itertools.islice(shown, TRIED_ALONE):
            if search.out_of_time:
                break
            tried, now = fit_numbers(tried, search, rng, steps=FINE_STEPS)
            is_longer = weight(tried) > weight(program)
            if is_longer and now > cost - ADDED * search.ruler.size:
                continue
            if is_longer and _only_sides_differ(search.evaluate(program), search.evaluate(tried), search):
                continue  # else a hole that nearly touches a wall is filled where the sides are guessed wrong
            if search.told_apart(program, cost, tried, now) and not search.hides_a_hole(program, tried):
                program, cost = tried, now
        if cost >= before - search.noise:
            break
    return coordinate_steps(program, cost, search, rng, FINE_STEPS)[0]


def _best_unfitted(programs: Iterable[Program], search: Objective) -> list[tuple[float, Program]]:
    """Programs by their cost before their numbers are fitted."""
    costs = []
    for program in programs:
        if search.out_of_time:
            break
        cost = search.cost(program)
        if np.isfinite(cost):
            costs.append((cost, program))
    return sorted(costs, key=lambda pair: pair[0])


def _only_sides_differ(given: Evaluated, best: Evaluated, judge: Objective) -> bool:
    """Whether only guessed sides gain a little while the points come to lie farther off.

    Sides are a guess at walls that hardly any points tell apart.
    """
    farther = best.measured.gap > given.measured.gap + judge.noise
    return farther and given.cost - best.cost < GUESSED * judge.ruler.size


def _in_box(program: Program, cost: float, given: Program, judge: Objective, round_numbers: bool) -> Program:
    """The program with the cloud's bounding box; its new numbers are round where the box allows that."""
    boxed, now = in_box(program, cost, judge)
    if boxed == program or not round_numbers:
        return boxed
    rounded, _ = rounded_numbers(boxed, now, given, judge, now + judge.noise)
    return rounded if box_agrees(rounded, judge) else boxed


def _cheaper(program: Program, cost: float, others: Iterable[Program], judge: Objective) -> tuple[Program, float]:
    """The cheapest of a program and some others, as written."""
    for other in others:
        now = judge.cost_as_written(other)
        if now < cost - judge.noise:
            program, cost = other, now
    return program, cost
