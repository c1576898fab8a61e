"""Turned drawings make the turned part, in canonical text."""

import itertools

import numpy as np
import pytest

from cadrecode.invent import draw as inventing
from cadrecode.invent.families import DRAWERS
from cadrecode.invent.outlines import Degenerate
from cadrecode.invent.spelling import spelled
from cadrecode.invent.turn import Turn
from cadrecode.program import build, iou, mesh_of, parse, write
from cadrecode.program.solid import from_mesh

TURNS = [
    Turn(source, signs) for source in itertools.permutations(range(3)) for signs in itertools.product((-1, 1), repeat=3)
]


def mirrors(turn) -> bool:
    """Whether it turns a solid's faces inside out."""
    return np.linalg.det(turn.points(np.eye(3))) < 0


def made(slabs):
    """The part on the grid, or None."""
    try:
        return inventing._checked(spelled(inventing._on_grid(slabs, 1)))
    except Degenerate:
        return None


def test_half_of_the_turns_are_mirrors():
    assert len(set(TURNS)) == 48
    assert sum(mirrors(turn) for turn in TURNS) == 24


@pytest.mark.parametrize("family", ["general", "brackets"])
def test_program_and_mesh_turn_together(family):
    rng = np.random.default_rng(0)
    seen = 0
    while seen < 24:
        slabs = DRAWERS[family](rng)
        turn = TURNS[(7 * seen) % 48]
        before, after = made(slabs), made([turn.slab(slab) for slab in slabs])
        if before is None or after is None:
            continue
        seen += 1
        vertices, faces = mesh_of(before.solid)
        expected = from_mesh(turn.points(vertices), faces[:, ::-1] if mirrors(turn) else faces)
        rebuilt = build(parse(write(after.program)))
        assert iou(rebuilt, expected) > 0.97, write(after.program)


def test_there_and_back_is_the_same_text():
    rng = np.random.default_rng(3)
    back = {
        turn: Turn(tuple(map(turn.source.index, range(3))), tuple(turn.signs[turn.source.index(i)] for i in range(3)))
        for turn in TURNS
    }
    for turn in TURNS:
        slabs = DRAWERS["brackets"](rng)
        there_and_back = [back[turn].slab(turn.slab(slab)) for slab in slabs]
        assert write(made(there_and_back).program) == write(made(slabs).program)
