"""The bounding box of a program made that of its cloud: what a person measures first."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

import numpy as np

from cadrecode.fit.knobs import SAME, knobs_of
from cadrecode.fit.objective import Objective
from cadrecode.fit.structure import reaching, trimmed
from cadrecode.program import Program
from cadrecode.program.solid import Manifold, bounds

AGREES = 2e-3  # of the cloud's size: so near each face of the box comes; 0.5 % is promised for its sides
DEAREST = 5e-3  # of the cloud's size: what a face may cost in distance; more is paid for no box
WAYS = (1.0, -1.0, 2.0, -2.0)  # times what a face is off: how far a number goes; a middle or a diameter, twice as far


def in_box(program: Program, cost: float, objective: Objective) -> tuple[Program, float]:
    """The program with the cloud's bounding box, and its cost: a number is moved, what sticks out is cut off, or a
    feature reaches out to points that lie beyond, whichever costs least. Noise makes the box of a cloud larger: what is
    within it is let be, and a step must pay.
    """
    allowed = _allowed(objective)
    dearest = -objective.noise if objective.is_noisy else DEAREST * objective.ruler.size
    given_up: set[int] = set()
    while True:
        off = _off(objective.solid(program), objective)
        faces = [face for face in np.argsort(-np.abs(off)) if abs(off[face]) > allowed and face not in given_up]
        if not faces:
            return program, cost
        found = _cheapest(_with_face(program, int(faces[0]), off, allowed, objective), objective)
        if found is None or found[1] > cost + dearest:
            given_up.add(faces[0])
        else:
            program, cost = found


def box_agrees(program: Program, objective: Objective) -> bool:
    """Whether every face of the program's bounding box is where the cloud's is."""
    return bool((np.abs(_off(objective.solid(program), objective)) <= _allowed(objective)).all())


def _allowed(objective: Objective) -> float:
    return max(AGREES * objective.ruler.size, objective.slack if objective.is_noisy else 0.0)


def _off(solid: Manifold, objective: Objective) -> np.ndarray:
    """(6,): how far the cloud's box goes beyond the solid's, below x, y, z and above; negative where it is short."""
    lowest, highest = bounds(solid)
    low, high = objective.ruler.box
    return np.concatenate((lowest - low, high - highest))


def _with_face(program: Program, face: int, off: np.ndarray, allowed: float, objective: Objective) -> Iterator[Program]:
    """Programs whose box agrees at that face, and at no other less than it did."""
    by = float(off[face])
    moved = (knob.turned(program, way * by) for knob in knobs_of(program) for way in WAYS)
    here = objective.evaluate(program)
    if by > 0:
        changed = reaching(program, here, objective, face)
    else:
        changed = trimmed(program, here, objective, allowed)
    for other in chain(filter(None, moved), changed):
        solid = objective.solid(other)
        if solid is None:
            continue
        now = _off(solid, objective)
        worse = (np.abs(now) > allowed) & (np.abs(now) > np.abs(off) + SAME)
        if abs(now[face]) <= allowed and not worse.any():
            yield other


def _cheapest(programs: Iterator[Program], objective: Objective) -> tuple[Program, float] | None:
    costs = [(objective.cost_as_written(one), one) for one in programs]
    cost, program = min(costs, key=lambda one: one[0], default=(np.inf, None))
    return (program, cost) if np.isfinite(cost) else None
