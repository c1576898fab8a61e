"""Numbers as a person would write them: equal where they nearly are, zero, and round, as far as the cloud allows."""

from __future__ import annotations

import numpy as np

from cadrecode.fit.knobs import Knob, knobs_of, shape_of, solids_of
from cadrecode.fit.objective import Objective
from cadrecode.fit.structure import simpler
from cadrecode.program import Program
from cadrecode.program.edit import number_at, replaced, rounded
from cadrecode.program.language import Extrusion, Rect
from cadrecode.program.outline_sizes import SAME, Path

NEAR = 0.012  # of the cloud's size: numbers nearer to each other than this may be meant to be equal
NEAR_NOISY = 0.3  # of the noise: the same on a noisy cloud; many points fix a number better than a single point
BY_CHANCE = 0.15  # of `Objective.chance`, for each number: cost of true numbers over numbers fitted to the noise
MOST_DECIMALS = 3  # of numbers in CODE
GIVEN = 1.0  # times `Objective.noise`: the most that a tidier number may cost


def tidied(program: Program, cost: float, given: Program, objective: Objective) -> tuple[Program, float, float]:
    """A tidier program that costs no more than the noise, its cost, and what it may cost with round numbers.

    Args:
        given: What the model wrote; its numbers stay unless the cloud contradicts them.
    """
    program, cost = _as_given(*_without_needless(program, cost, objective), given, objective)
    allowed = cost + GIVEN * objective.noise
    for change in (_squares, _equals):
        for tidier in change(program, given, NEAR * objective.ruler.size):
            if objective.out_of_time:
                return program, cost, allowed
            tried = tidier(program)
            if (now := objective.cost_as_written(tried)) <= allowed:
                program, cost = tried, now
    return program, cost, allowed


def _without_needless(program: Program, cost: float, objective: Objective) -> tuple[Program, float]:
    """The program without features that do not pay for their numbers; holes that the cloud shows stay."""
    while True:
        tried = [(objective.cost_as_written(p), p) for p in simpler(program) if not objective.out_of_time]
        # each number has its price
        pays = sorted((pair for pair in tried if pair[0] <= cost), key=lambda pair: pair[0])
        shorter = next((pair for pair in pays if not objective.hides_a_hole(program, pair[1])), None)
        if shorter is None:
            return program, cost
        cost, program = shorter


def _as_given(program: Program, cost: float, given: Program, objective: Objective) -> tuple[Program, float]:
    """Put numbers back that moved within the noise, where the structure is still the given one."""
    if shape_of(program) != shape_of(given):
        return program, cost
    for knob in knobs_of(given):
        back = program
        for path, _ in knob.moves:
            back = replaced(back, path, number_at(given, path))
        if back == program or objective.out_of_time:
            continue
        now = objective.cost_as_written(back)
        if np.isfinite(now) and not objective.told_apart(back, now, program, cost):
            program, cost = back, now
    return program, cost


def _is_given(program: Program, given: Program, path: Path) -> bool:
    """Whether a number is still what the model wrote."""
    return shape_of(program) == shape_of(given) and abs(number_at(program, path) - number_at(given, path)) < SAME


def _squares(program: Program, given: Program, near: float):
    """Changes that make nearly square rectangles square, except where the model wrote them so."""
    for path, solid in solids_of(program):
        if isinstance(solid, Extrusion):
            for index, step in enumerate(solid.sketch.steps):
                if (
                    isinstance(getattr(step, "shape", None), Rect)
                    and 0 < abs(step.shape.width - step.shape.height) < near
                ):
                    side = (step.shape.width + step.shape.height) / 2
                    here = (*path, "sketch", "steps", index, "shape")
                    if all(_is_given(program, given, (*here, name)) for name in ("width", "height")):
                        continue
                    yield lambda tree, here=here, side=side: replaced(tree, here, Rect(side, side))


def _equals(program: Program, given: Program, near: float):
    """Changes that make small positions zero and similar numbers equal, except where the model wrote them so."""
    knobs = [knob for knob in knobs_of(program) if len({path[-1] for path, _ in knob.moves}) == 1]
    values = [(number_at(program, knob.moves[0][0]), knob) for knob in knobs]
    as_given = {knob: _is_given(program, given, knob.moves[0][0]) for knob in knobs}
    for value, knob in values:
        if not knob.is_length and 0 < abs(value) < near and not as_given[knob]:
            yield lambda tree, knob=knob: _set(tree, knob, 0.0)
    for index, (value, knob) in enumerate(values):
        for other, same in values[:index]:
            alike = knob.is_length == same.is_length and knob.moves[0][0][-1] == same.moves[0][0][-1]
            if alike and 0 < abs(value - other) < near and not (as_given[knob] and as_given[same]):
                yield lambda tree, knob=knob, same=same: _set(tree, knob, number_at(tree, same.moves[0][0]))


def _set(program: Program, knob: Knob, value: float) -> Program:
    for path, _ in knob.moves:
        program = replaced(program, path, value)
    return program


def rounded_numbers(
    program: Program, cost: float, given: Program, objective: Objective, allowed: float
) -> tuple[Program, float]:
    """Round all numbers to as few decimals as the cloud allows, the same for all; halves may stay. Then make numbers
    that differ from the given ones rounder still, one by one.

    Args:
        allowed: What the rounded program may cost; on a noisy cloud, a little more.
    """
    allowed += BY_CHANCE * objective.chance * len(knobs_of(program))
    for decimals in range(MOST_DECIMALS):
        even = rounded(program, decimals, halves=True)
        now = objective.cost_as_written(even)
        if now <= allowed:
            return _rounder(even, now, given, 10.0**-decimals, objective)
    return program, cost


def _rounder(program: Program, cost: float, given: Program, unit: float, objective: Objective) -> tuple[Program, float]:
    """Numbers in hundreds, fifties, tens or fives of their unit, where the cloud cannot tell them apart."""
    near = NEAR_NOISY * objective.ruler.noise if objective.is_noisy else NEAR * objective.ruler.size
    for knob in knobs_of(program):
        path = knob.moves[0][0]
        value = number_at(program, path)
        if _is_given(program, given, path):
            continue
        for grid in (100 * unit, 50 * unit, 10 * unit, 5 * unit):
            even = round(value / grid) * grid
            if objective.out_of_time or even == value or abs(even - value) > near:
                continue
            tried = _set(program, knob, even)
            now = objective.cost_as_written(tried)
            if np.isfinite(now) and not objective.told_apart(tried, now, program, cost):
                program, cost = tried, now
                break
    return program, cost
