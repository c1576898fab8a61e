"""Gives a program the bounding box of its cloud, which is what a person measures first."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

import numpy as np

from cadrecode.fit.knobs import knobs_of
from cadrecode.fit.objective import Objective
from cadrecode.fit.structure import reaching, trimmed
from cadrecode.program import Program
from cadrecode.program.outline_sizes import SAME
from cadrecode.program.solid import Manifold, bounds

AGREES = 2e-3  # of the cloud's size: how far a face of the box may be off; 0.5 % is promised for its sides
FUZZY = 3e-3  # of the cloud's size: more noise than this makes its box larger by more than is promised
DEAREST = 5e-3  # of the cloud's size: the most that agreement at one face may cost in distance
WAYS = (1.0, -1.0, 2.0, -2.0)  # times the error of a face: how far a number is moved; a middle or a diameter twice


def in_box(program: Program, cost: float, objective: Objective) -> tuple[Program, float]:
    """The program with the cloud's bounding box, and its cost.

    A number is moved, what sticks out is cut off, or a feature reaches out to points that lie beyond, whichever costs
    least. Noise makes the box of a cloud larger, so on a noisy cloud reaching out must lower the cost. Faces for which
    the objective's time is too short stay where they are.
    """
    given_up: set[int] = set()
    while not objective.out_of_time:
        off = _off(objective.solid(program), objective)
        wrong = _excess(off, objective)
        faces = [face for face in np.argsort(-wrong).tolist() if wrong[face] > 0 and face not in given_up]
        if not faces:
            break
        changed = _cheapest(_with_face(program, faces[0], off, objective), objective)
        must_pay = objective.is_noisy and off[faces[0]] > 0
        dearest = -objective.noise if must_pay else DEAREST * objective.ruler.size
        if changed is None or changed[1] > cost + dearest:
            given_up.add(faces[0])
        else:
            program, cost = changed
    return program, cost


def box_agrees(program: Program, objective: Objective) -> bool:
    """Whether every face of the program's bounding box is where the cloud's is."""
    return not _excess(_off(objective.solid(program), objective), objective).any()


def _excess(off: np.ndarray, objective: Objective) -> np.ndarray:
    """(6,): by how much each face is farther off than it may be."""
    ruler = objective.ruler
    allowed = AGREES * ruler.size
    short = max(allowed, objective.slack) if ruler.floor > FUZZY * ruler.size else allowed
    return np.maximum(np.abs(off) - np.where(off > 0, short, allowed), 0)


def _off(solid: Manifold, objective: Objective) -> np.ndarray:
    """(6,): how far the cloud's box is beyond the solid's, below x, y, z and above; negative: the solid sticks out."""
    lowest, highest = bounds(solid)
    low, high = objective.ruler.box
    return np.concatenate((lowest - low, high - highest))


def _with_face(program: Program, face: int, off: np.ndarray, objective: Objective) -> Iterator[Program]:
    """Programs whose box agrees at that face, and is no worse at any other."""
    by = float(off[face])
    moved = (knob.turned(program, way * by) for knob in knobs_of(program) for way in WAYS)
    if by > 0:
        changed = reaching(program, objective, face)
    else:
        changed = trimmed(program, objective, AGREES * objective.ruler.size)
    for other in chain(filter(None, moved), changed):
        if objective.out_of_time:
            return
        solid = objective.solid(other)
        if solid is None:
            continue
        now = _off(solid, objective)
        wrong = _excess(now, objective)
        if not wrong[face] and (wrong <= _excess(off, objective) + SAME).all():
            yield other


def _cheapest(programs: Iterator[Program], objective: Objective) -> tuple[Program, float] | None:
    costs = [(objective.cost_as_written(program), program) for program in programs]
    cost, program = min(costs, key=lambda pair: pair[0], default=(np.inf, None))
    return (program, cost) if np.isfinite(cost) else None
