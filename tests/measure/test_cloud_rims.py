"""Fillets and chamfers of outermost faces are read off clouds, in place of cuts along their bevels."""

import numpy as np
import pytest

from cadrecode.fit import ruler_for
from cadrecode.measure import from_cloud
from cadrecode.program import build, iou, parse
from cadrecode.program.language import Blend, Edges
from cadrecode.program.solid import sample, through_holes

PLATE = "import cadquery as cq\nr=cq.Workplane('XY',origin=(0,0,-25)).sketch().rect(200,133)"


def read(text: str):
    solid = build(parse(PLATE + text))
    points, _ = sample(solid, 15_000, np.random.default_rng(0))
    best, *_ = from_cloud(ruler_for(points), seconds=40)
    return solid, best.program


@pytest.mark.slow
@pytest.mark.parametrize(
    ("corners", "finish", "edges"),
    [
        ("", "chamfer(5)", Edges(Blend.CHAMFER, pytest.approx(5, abs=0.15), ">Z")),
        (".vertices().fillet(20).reset()", "fillet(7)", Edges(Blend.FILLET, pytest.approx(7, abs=0.3), ">Z")),
    ],
    ids=["chamfer", "fillet round corners"],
)
def test_a_rim_of_a_plate(corners, finish, edges):
    solid, program = read(f"{corners}.finalize().extrude(50).faces('>Z').edges().{finish}")
    assert program.finishes == (edges,)
    (extrusion,) = program.solids()
    assert len(extrusion.sketch.steps) == (2 if corners else 1)
    assert iou(solid, build(program)) > 0.99


@pytest.mark.slow
def test_a_sharp_part_has_no_rim_and_keeps_its_small_holes():
    solid, program = read(".push([(60,40),(-60,40),(60,-40),(-60,-40)]).circle(3,mode='s').finalize().extrude(20)")
    assert program.finishes == ()
    assert through_holes(build(program)) == through_holes(solid) == 4
