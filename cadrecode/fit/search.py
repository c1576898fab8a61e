"""A program and a cloud in, the program whose surface lies on the points out.

A language model guesses the structure well and the numbers roughly. Here numbers are moved first, singly and together;
then features are dropped, turned over or added where the cloud asks for it; then the numbers are made round. No step is
taken for a gain within the noise of the cloud. In the end the bounding box is made the cloud's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from cadrecode.cloud.distance import CloudRuler
from cadrecode.cloud.normals import Normals, given_normals, outward_normals
from cadrecode.errors import ProgramError
from cadrecode.fit.box import box_agrees, in_box
from cadrecode.fit.numbers import STEPS, coordinate_steps, fit_numbers, least_squares
from cadrecode.fit.objective import Evaluated, Objective, weight
from cadrecode.fit.structure import richer, simpler, trimmed, turned_over
from cadrecode.fit.tidy import rounded_numbers, tidied
from cadrecode.fit.unbiased import unbiased
from cadrecode.frames import Frame
from cadrecode.program import Program

__all__ = ["FitResult", "fit", "ruler_for"]

SEARCHES = (768, 512), (2048, 2048)  # points and surface samples while looking: fast first, then for what is small
FINAL_POINTS, FINAL_SAMPLES = 4096, 2048  # when choosing between what was found and what was given
FINAL_SHARE, FINAL_SHARE_NOISY = 0.2, 0.35  # of the time, for the last squares, for what was chance, and for rounding
FIRST_SHARE_NOISY = 0.35  # of the time, on a noisy cloud, for the numbers of what was given
TRIED_ALONE = 3  # changes of structure, the best at first sight, whose numbers are fitted
ADDED = 1e-4  # of the cloud's size: what a feature that is added must gain
GUESSED = 2.5e-3  # of the cloud's size: what wrong guesses of sides cost a right program at most
FINE_STEPS = (2.0, 1.0)  # for a program whose numbers were fitted but for one feature


@dataclass(frozen=True)
class FitResult:
    """What became of a program.

    Args:
        program: in the frame of the one that was given; the same when nothing better was found and its box agrees.
        distance_before, distance_after: `CloudRuler.distance` in the cloud's unit.
        evaluations: programs built and measured.
        seconds: what it took; less than was given when it converged.
    """

    program: Program
    distance_before: float
    distance_after: float
    evaluations: int
    seconds: float


def ruler_for(points: np.ndarray, normals: np.ndarray | Normals | None = None, *, seed: int = 0) -> CloudRuler:
    """A ruler that sees the solid's side: by the cloud's own normals, else by estimated ones.

    Args: points: (N, 3), any frame; normals: (N, 3) of them, where the file has any, or what was made of them.
    """
    if normals is None:
        normals = outward_normals(points, seed=seed)
    elif not isinstance(normals, Normals):
        normals = given_normals(points, normals)
    return CloudRuler(points, normals, seed=seed)


def fit(
    program: Program,
    points: np.ndarray | CloudRuler,
    *,
    normals: np.ndarray | None = None,
    seconds: float = 3.0,
    seed: int = 0,
    structure: bool = True,
    frame: Frame | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> FitResult:
    """Move a program onto a cloud.

    Args:
        program: CODE.
        points: (N, 3) float, CODE; or a ruler of them, as `ruler_for` makes it, where several programs are fitted.
        normals: (N, 3) of the points; estimated when None.
        seconds: at most this long, and a moment more.
        structure: False moves numbers alone.
        frame: between CODE and the user's file, whose numbers are to be round; CODE's own are when None.
        should_stop: asked between steps.
    Raises: ProgramError: the program has no solid to begin with.
    """
    started = time.monotonic()
    ruler = points if isinstance(points, CloudRuler) else ruler_for(points, normals, seed=seed)
    rng = np.random.default_rng(seed)
    judge = Objective(ruler.coarse(FINAL_POINTS, FINAL_SAMPLES, seed), program, started + seconds, fine=True)
    given = judge.evaluate(program)
    if given is None:
        raise ProgramError("The program has no solid, so there is nothing to fit.", expected="a program that builds")

    search_until = started + seconds * (1 - (FINAL_SHARE_NOISY if judge.is_noisy else FINAL_SHARE))
    judge.should_stop = should_stop
    found, evaluations = [program], 0
    if judge.is_noisy:
        until = started + seconds * FIRST_SHARE_NOISY
        first = Objective(ruler.coarse(*SEARCHES[1], seed), program, until, fine=True)
        first.should_stop = should_stop
        found, evaluations = [unbiased(program, program, first)[0]], first.evaluations
    for n_points, n_samples in SEARCHES:
        if found[1:] and (time.monotonic() >= search_until or len(ruler.points) <= SEARCHES[0][0]):
            break  # there was no time to look closer, or there is nothing more to see
        search = Objective(ruler.coarse(n_points, n_samples, seed), program, search_until)
        search.should_stop = should_stop
        moved, cost = fit_numbers(found[-1], search, rng, steps=FINE_STEPS if found[1:] else STEPS)
        found += (moved, _restructured(moved, cost, search, rng)) if structure else (moved,)
        evaluations += search.evaluations

    if judge.is_noisy:
        best, noise = _through_noise(found, program, judge)
        best, cost = rounded_numbers(best, judge.cost(best), program, judge, frame, judge.cost(best) + judge.noise)
    else:
        polish = Objective(ruler.coarse(*SEARCHES[0], seed), program, started + seconds, fine=True)
        polish.should_stop = should_stop
        best, cost = tidied(*_nearest(found, program, polish, judge), program, judge, frame)
        evaluations += polish.evaluations
    if structure:
        boxed = _in_round_box(best, cost, program, judge, frame)
        if boxed != best and (not judge.is_noisy or judge.explains_better(boxed, best, noise)):
            best = boxed
    after = judge.evaluate(best).measured.distance
    evaluations += judge.evaluations
    return FitResult(best, given.measured.distance, after, evaluations, time.monotonic() - started)


def _nearest(found: list[Program], program: Program, polish: Objective, judge: Objective) -> tuple[Program, float]:
    """The nearest to a clean cloud of what was found, its numbers moved once more; what was given where that is as
    good.
    """
    given = judge.evaluate(program)
    polished = [least_squares(one, polish.cost(one), polish, rounds=2)[0] for one in dict.fromkeys(found[-2:])]
    best, cost = _cheaper(program, given.cost, dict.fromkeys((*found[1:], *polished)), judge)
    if not judge.told_apart(program, given.cost, best, cost) or _only_sides_differ(given, judge.evaluate(best), judge):
        return program, given.cost
    return best, cost


def _through_noise(found: list[Program], given: Program, judge: Objective) -> tuple[Program, float]:
    """What explains a noisy cloud best: the given structure, or one that was found; not by what noise does to walls.
    And the noise, in the cloud's unit.
    """
    best, noise = unbiased(found[0], given, judge)
    for one in dict.fromkeys(found[1:]):
        if judge.out_of_time:
            break
        other, _ = unbiased(one, given, judge)
        if judge.explains_better(other, best, noise):
            best = other
    return best, noise


def _restructured(program: Program, cost: float, search: Objective, rng: np.random.Generator) -> Program:
    """The program after as many changes of structure as pay and as there is time for."""
    while not search.out_of_time:
        here = search.evaluate(program)
        more = (*trimmed(program, search), *richer(program, here, search))
        changed = _best_at_first_sight((*simpler(program), *turned_over(program), *more), search)
        before = cost
        for _, tried in changed[:TRIED_ALONE]:
            if search.out_of_time:
                break
            tried, now = fit_numbers(tried, search, rng, steps=FINE_STEPS)
            is_longer = weight(tried) > weight(program)
            if is_longer and now > cost - ADDED * search.ruler.size:
                continue
            if is_longer and _only_sides_differ(search.evaluate(program), search.evaluate(tried), search):
                continue  # else a hole that nearly touches a wall is filled where the sides are guessed wrong
            if search.told_apart(program, cost, tried, now):
                program, cost = tried, now
        if cost >= before - search.noise:
            break
    return coordinate_steps(program, cost, search, rng, FINE_STEPS)[0]


def _best_at_first_sight(programs: Iterable[Program], search: Objective) -> list[tuple[float, Program]]:
    costs = []
    for program in programs:
        if search.out_of_time:
            break
        cost = search.cost(program)
        if np.isfinite(cost):
            costs.append((cost, program))
    return sorted(costs, key=lambda one: one[0])


def _only_sides_differ(given: Evaluated, best: Evaluated, judge: Objective) -> bool:
    """Whether a little is gained by other sides while the points come to lie farther off: sides are a guess, at walls
    that hardly any points tell apart.
    """
    farther = best.measured.gap > given.measured.gap + judge.noise
    return farther and given.cost - best.cost < GUESSED * judge.ruler.size


def _in_round_box(program: Program, cost: float, given: Program, judge: Objective, frame: Frame | None) -> Program:
    """The program with the cloud's bounding box; what was changed for it in round numbers, if the box allows them."""
    boxed, now = in_box(program, cost, judge)
    if boxed == program:
        return program
    rounded, _ = rounded_numbers(boxed, now, given, judge, frame, now + judge.noise)
    return rounded if box_agrees(rounded, judge) else boxed


def _cheaper(program: Program, cost: float, others: Iterable[Program], judge: Objective) -> tuple[Program, float]:
    for other in others:
        now = judge.cost_as_written(other)
        if now < cost - judge.noise:
            program, cost = other, now
    return program, cost
