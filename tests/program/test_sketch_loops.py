"""Sketches of several loops: what `write` prints, OpenCASCADE builds with the same area."""

import numpy as np
import pytest

from cadrecode.kernel import Sandbox
from cadrecode.program import build, parse, write
from cadrecode.program import language as cad


def invented(rng: np.random.Generator) -> cad.Program:
    """A plate with loops in it and beside it, at one place or several."""

    def loop(x: float, y: float, size: float) -> cad.Loop:
        corners = [(x - size, y - size), (x + size, y - size), (x + size, y + size), (x - size, y + size)]
        edges: list[cad.Line | cad.Arc] = list(map(cad.Line, corners[1:]))
        if rng.random() < 0.5:
            edges[1] = cad.Arc((x + 1.5 * size, y), corners[2])
        return cad.Loop(corners[0], tuple(edges))

    steps = [cad.SketchStep(loop(0, 0, 40))]
    for index in range(int(rng.integers(1, 4))):
        places = [cad.ORIGIN, ((-1.0, 0.0), (9.0, 2.0)), cad.Grid((0, 0), 12, 9, 2, 2)][int(rng.integers(3))]
        mode = cad.Mode.SUBTRACT if rng.random() < 0.6 else cad.Mode.ADD
        centre = (-25 + 22 * index, 30) if mode is cad.Mode.ADD else (-20 + 18 * index, -10)
        steps.append(cad.SketchStep(loop(*centre, 4), mode, places))
    extrusion = cad.Extrusion(cad.Plane(), cad.Sketch(tuple(steps)), 5)
    return cad.Program((cad.Step(cad.Operation.UNION, extrusion),))


@pytest.mark.parametrize("seed", range(12))
def test_loops_of_a_sketch_are_written_as_opencascade_builds_them(sandbox: Sandbox, seed: int):
    program = invented(np.random.default_rng(seed))
    text = write(program)
    assert parse(text) == program
    assert sandbox.run(text).volume == pytest.approx(build(program).volume(), rel=0.005)
