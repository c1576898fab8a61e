"""Moves the numbers of a program until its surface lies on the points.

Two methods, each good at what the other is not. Coordinate steps work from far off and where no point pulls. Least
squares on the signed gaps ends exactly, with all numbers at once (Levenberg-Marquardt with slopes by differences; gaps
that are large or on the wrong side weigh less).
"""

from __future__ import annotations

import numpy as np

from cadrecode.fit.knobs import Knob, knobs_of
from cadrecode.fit.objective import Evaluated, Objective
from cadrecode.program import Program

STEPS = (8.0, 4.0, 2.0, 1.0)  # hundredths of half the cloud's size: CODE units
ROUNDS = 8  # of least squares; it has converged by then, or never will
SLOPE = 0.25  # the step of the differences, in the unit of STEPS
DAMPINGS = (0.0, 0.1, 10.0)  # of each knob's curvature; tried in this order


def fit_numbers(
    program: Program, objective: Objective, rng: np.random.Generator, *, steps: tuple[float, ...] = STEPS
) -> tuple[Program, float]:
    """The program with numbers that cost less, and its cost. Never one that costs more."""
    best = objective.cost(program)
    if not np.isfinite(best):
        return program, best
    program, best = least_squares(program, best, objective)
    before = best
    program, best = coordinate_steps(program, best, objective, rng, steps)
    if best < before - objective.noise:
        program, best = least_squares(program, best, objective)
    return program, best


def coordinate_steps(
    program: Program, best: float, objective: Objective, rng: np.random.Generator, steps: tuple[float, ...]
) -> tuple[Program, float]:
    """Move each knob a step up or down where that lowers the cost; take shorter steps when none does."""
    unit = objective.ruler.size / 200
    for step in steps:
        knobs = knobs_of(program)
        for index in rng.permutation(len(knobs)):
            for by in (step * unit, -step * unit):
                if objective.out_of_time:
                    return program, best
                moved = knobs[index].turned(program, by)
                while moved is not None and (cost := objective.cost(moved)) < best - objective.noise:
                    program, best = moved, cost
                    moved = None if objective.out_of_time else knobs[index].turned(program, by)
                if moved is None:
                    break
    return program, best


def least_squares(
    program: Program, best: float, objective: Objective, *, rounds: int = ROUNDS
) -> tuple[Program, float]:
    """Move all knobs at once towards the points."""
    for _ in range(rounds):
        here = objective.evaluate(program)
        knobs = knobs_of(program)
        slopes = _slopes(program, here, knobs, objective)
        if slopes is None:
            break
        better = _step(program, best, here, knobs, slopes, objective)
        if better is None:
            break
        program, best = better
    return program, best


def _slopes(program: Program, here: Evaluated, knobs: list[Knob], objective: Objective) -> np.ndarray | None:
    """(N, knobs): how each gap changes with each knob. None when time is up."""
    by = SLOPE * objective.ruler.size / 200
    gaps = here.measured.gaps
    slopes = np.zeros((len(gaps), len(knobs)))
    for index, knob in enumerate(knobs):
        if objective.out_of_time:
            return None
        moved = knob.turned(program, by)
        there = None if moved is None else objective.evaluate(moved)
        if there is not None:
            slopes[:, index] = (there.measured.gaps - gaps) / by
    return np.clip(slopes, -2, 2)  # a surface moves no faster than its number, but for corners; a nearest place jumps


def _step(
    program: Program,
    best: float,
    here: Evaluated,
    knobs: list[Knob],
    slopes: np.ndarray,
    objective: Objective,
) -> tuple[Program, float] | None:
    """The first damped step that lowers the cost; None when none does."""
    gaps, floor = here.measured.gaps, objective.ruler.floor
    weights = 1 / np.sqrt(gaps**2 + floor**2)  # of the mean distance: iteratively reweighted squares
    weights *= np.where(here.measured.agreement < 0, 0.1, 1.0)
    curvature = slopes.T @ (weights[:, None] * slopes)
    pull = slopes.T @ (weights * gaps)
    scale = np.diag(curvature)
    if not scale.any():
        return None
    ridge = np.where(scale > 0, scale, 1.0)
    least = max(objective.clean, 0.25 * len(knobs) * objective.chance)  # following the noise gains this much
    for damping in DAMPINGS:
        damped = curvature + np.diag(ridge * damping + 1e-4 * scale.max())
        move = np.clip(-np.linalg.solve(damped, pull), -0.1 * objective.ruler.size, 0.1 * objective.ruler.size)
        moved: Program | None = program
        for knob, by in zip(knobs, move):
            if moved is not None and abs(by) > 1e-5 * objective.ruler.size:
                moved = knob.turned(moved, float(by))
        if moved is None or moved is program:
            continue
        cost = objective.cost(moved)
        if cost < best - least:
            return moved, cost
        if objective.out_of_time:
            return None
    return None
