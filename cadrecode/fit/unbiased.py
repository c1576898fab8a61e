"""Fits the numbers of a program to a noisy cloud, without the bias that noise gives to distances.

Points that noise draws off a thin wall are nearest to its other side, and those around an edge are nearest to the edge:
a program whose distance is least has walls that are too thick and rims that are too wide. So here the points are not
drawn as near as can be, but as near as points of the program itself are, drawn from its surface with the same noise
(a simulated method of moments: McFadden 1989, https://doi.org/10.2307/1913621).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from cadrecode.cloud import sample_surface
from cadrecode.cloud.distance import signed_gaps
from cadrecode.fit.knobs import Knob, knobs_of, shape_of
from cadrecode.fit.objective import Objective
from cadrecode.program import Program, mesh_of
from cadrecode.program.edit import number_at
from cadrecode.program.outline_sizes import Path

OWN_CLOUD = 11  # seed of the points that are drawn
ROUNDS = 5  # of Newton's method; it has converged by then, or never will
SLOPE = 0.5  # of the noise: the step of the differences, at most a CODE unit
CLOSE = 0.1  # of a number's standard deviation: it has converged when all steps are shorter
SURE = 2.5  # standard deviations from a number that the model wrote: nearer, it stays as written
SURE_FITTED = 1.0  # the same from a number that was fitted
FURTHEST = 6.0  # times the noise: points farther off belong to something else
LONGEST = 3.0  # times the noise: the slopes say nothing about longer steps
RIDGE = 1e-3  # of each curvature, added to it, so that numbers that hardly matter do not run away
NEGLIGIBLE = 1e-4  # of the largest curvature: a number with less stays as it is


@dataclass(frozen=True)
class _Pull:
    """How the points pull at each knob, beyond how points of the program itself would.

    Args:
        pull: (K,) mean.
        curvature: (K, K).
        spread: (K, K) covariance of `pull`.
    """

    pull: np.ndarray
    curvature: np.ndarray
    spread: np.ndarray


def unbiased(program: Program, given: Program, objective: Objective) -> tuple[Program, float]:
    """Move a program's numbers to where noise explains what is left between cloud and surface.

    Args:
        program: Where to begin, in the cloud's frame; it builds a solid.
        given: What the model wrote. Where the structure is still the same, its numbers stay unless the cloud
            contradicts them.
        objective: Measures by a cloud whose noise is known.
    Returns: The program, as far as it came in the objective's time; and the noise of a point in each direction, in the
        cloud's unit.
    """
    if shape_of(program) == shape_of(given):
        start, sure = given, SURE
    else:
        start, sure = program, SURE_FITTED
    knobs = _independent(knobs_of(start))
    noise = objective.ruler.noise
    for _ in range(ROUNDS):
        if objective.out_of_time:
            break
        drawn = _drawn(program, noise, objective)
        pulls = drawn and _pulls(program, knobs, *drawn, objective)
        if not pulls:
            break
        noise = drawn[0]
        offsets = _offsets(program, start, knobs)
        now, deviations, open_to_doubt = _contradicted(offsets, pulls, sure)
        moves = np.clip(now - offsets, -LONGEST * noise, LONGEST * noise)
        moved = _turned(program, knobs, moves)
        if moved is None or objective.solid(moved) is None:
            break
        program = moved
        knobs = [knob for knob, doubt in zip(knobs, open_to_doubt) if doubt]
        if not knobs or (np.abs(moves) <= CLOSE * deviations).all():
            break
    return program, noise


def _contradicted(offsets: np.ndarray, pulls: _Pull, sure: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How far each knob is off its start where the cloud contradicts it: the least certain offset becomes 0 and the
    others follow, until all that are left are certain (backward elimination).

    Args:
        offsets: (K,) now.
    Returns: (K,) offsets; (K,) standard deviations, 0 for knobs at their start; (K,) whether the offset was more than
        its deviation before any became 0.
    """
    scale = np.diag(pulls.curvature)
    curvature = pulls.curvature + np.diag(RIDGE * scale)
    free = scale > NEGLIGIBLE * scale.max(initial=0.0)
    doubted = np.zeros(len(offsets), bool)
    fitted, deviations = np.zeros(len(offsets)), np.zeros(len(offsets))
    while free.any():
        fitted[:], deviations[:] = 0.0, 0.0
        inverse = np.linalg.inv(curvature[np.ix_(free, free)])
        back = np.where(free, 0.0, -offsets)  # those at their start pull the others along
        fitted[free] = offsets[free] - inverse @ (pulls.pull + curvature @ back)[free]
        deviations[free] = np.sqrt(np.diag(inverse @ pulls.spread[np.ix_(free, free)] @ inverse))
        certain = np.where(free, np.abs(fitted) / np.maximum(deviations, 1e-12), np.inf)
        doubted |= free & (certain > 1)
        least = int(np.argmin(certain))
        if certain[least] >= sure:
            return fitted, deviations, doubted
        free[least] = False
    return np.zeros(len(offsets)), np.zeros(len(offsets)), doubted


def _drawn(program: Program, noise: float, objective: Objective) -> tuple[float, np.ndarray] | None:
    """The noise at which points of the program have the same median gap as the cloud, and such points."""
    solid = objective.solid(program)
    if solid is None:
        return None
    mesh = mesh_of(solid)
    places, _ = sample_surface(*mesh, len(objective.ruler.points) // 3, OWN_CLOUD)
    by = _even_normal(places.shape)
    places, by = np.vstack((places, places)), np.vstack((by, -by))  # so that even pulls both ways cancel out
    there = np.median(np.abs(signed_gaps(objective.ruler.points, *mesh)))
    for _ in range(2):
        here = np.median(np.abs(signed_gaps(places + noise * by, *mesh)))
        noise *= float(np.clip(there / here, 0.5, 2.0))
    return noise, places + noise * by


def _even_normal(shape: tuple[int, int]) -> np.ndarray:
    """Normal deviates, each column as even as possible (a Latin hypercube: McKay, Beckman and Conover 1979)."""
    rng = np.random.default_rng(OWN_CLOUD)
    ranks = np.argsort(rng.random(shape), axis=0)
    return ndtri((ranks + 0.5) / shape[0])


def _pulls(program: Program, knobs: list[Knob], noise: float, drawn: np.ndarray, objective: Objective) -> _Pull | None:
    """How much more the cloud pulls at each knob than points drawn from the program. None when time is up."""
    cloud = objective.ruler.points
    points, real = np.vstack((cloud, drawn)), len(cloud)
    by = min(SLOPE * noise, objective.ruler.size / 200)
    gaps = signed_gaps(points, *mesh_of(objective.solid(program)))
    slopes = np.zeros((len(points), len(knobs)))
    for index, knob in enumerate(knobs):
        if objective.out_of_time:
            return None
        for way in (by, -by):
            moved = knob.turned(program, way)
            solid = None if moved is None else objective.solid(moved)
            if solid is not None:
                objective.evaluations += 1
                slopes[:, index] = (signed_gaps(points, *mesh_of(solid)) - gaps) / way
                break
    slopes = np.clip(slopes, -2, 2)
    weights = np.where(np.abs(gaps) < FURTHEST * noise, 1 / np.sqrt(gaps**2 + noise**2), 0.0)
    pulls = (weights * gaps)[:, None] * slopes
    there, (up, down) = pulls[:real], np.split(pulls[real:], 2)
    here = (up + down) / 2
    curvature = slopes.T @ (weights[:, None] * slopes) / len(points)
    spread = _mean_spread(there) + _mean_spread(here)
    return _Pull(there.mean(axis=0) - here.mean(axis=0), curvature, spread)


def _mean_spread(values: np.ndarray) -> np.ndarray:
    """(N, K) -> (K, K): covariance of their mean."""
    centred = values - values.mean(axis=0)
    return centred.T @ centred / len(values) ** 2


def _turned(program: Program, knobs: list[Knob], moves: np.ndarray) -> Program | None:
    """The program with each knob moved; None where a size would become zero."""
    for knob, by in zip(knobs, moves):
        if by:
            program = knob.turned(program, float(by))
            if program is None:
                return None
    return program


def _incidence(knobs: list[Knob]) -> tuple[np.ndarray, list[Path]]:
    """(numbers, knobs): how far each number moves with each knob; and where the numbers stand."""
    paths = list(dict.fromkeys(path for knob in knobs for path, _ in knob.moves))
    moves = np.zeros((len(paths), len(knobs)))
    for index, knob in enumerate(knobs):
        for path, factor in knob.moves:
            moves[paths.index(path), index] = factor
    return moves, paths


def _independent(knobs: list[Knob]) -> list[Knob]:
    """The knobs without those that others before them can replace together."""
    moves, _ = _incidence(knobs)
    chosen: list[int] = []
    for index in range(len(knobs)):
        if np.linalg.matrix_rank(moves[:, [*chosen, index]]) > len(chosen):
            chosen.append(index)
    return [knobs[index] for index in chosen]


def _offsets(program: Program, given: Program, knobs: list[Knob]) -> np.ndarray:
    """(K,): how far each knob of `given` was turned to get to the program."""
    moves, paths = _incidence(knobs)
    numbers = np.array([number_at(program, path) - number_at(given, path) for path in paths])
    return np.linalg.lstsq(moves, numbers, rcond=None)[0]
