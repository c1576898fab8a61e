"""Fillets and chamfers of outermost faces are found, with their size and with the edges that they round."""

import pytest

from cadrecode.measure import from_mesh
from cadrecode.program import build, iou, mesh_of, parse, write
from cadrecode.program.language import Blend, Edges
from cadrecode.program.solid import through_holes

PLATE = (
    "import cadquery as cq\nr=cq.Workplane('XY',origin=(0,0,-10)).sketch().rect(200,120).push([(60,30),(-60,-30)])"
    ".circle(12,mode='s').finalize().extrude(30)"
)


@pytest.mark.parametrize(
    ("finish", "edges"),
    [
        (".faces('>Z').edges().chamfer(3)", Edges(Blend.CHAMFER, 3, ">Z")),
        pytest.param(".faces('<Z').edges().fillet(5)", Edges(Blend.FILLET, 5, "<Z"), marks=pytest.mark.slow),
        (".faces('>Z or <Z').edges().chamfer(2)", Edges(Blend.CHAMFER, 2, ">Z or <Z")),
        (".faces('>Z').edges('%CIRCLE').fillet(8)", Edges(Blend.FILLET, 8, ">Z", "%CIRCLE")),
        (".faces('>X').edges().fillet(6)", Edges(Blend.FILLET, 6, ">X")),
    ],
    ids=["chamfer", "fillet", "both faces", "holes", "side"],
)
def test_a_rim_is_read_back(finish, edges):
    solid = build(parse(PLATE + finish))
    best, *_ = from_mesh(*mesh_of(solid), seconds=60)
    again = build(parse(write(best.program)))
    assert iou(solid, again) > 0.999
    assert through_holes(again) == through_holes(solid)
    assert best.program.finishes == (edges,)


@pytest.mark.slow
def test_two_sizes_are_two_finishes():
    solid = build(parse(PLATE + ".faces('>Z').edges().chamfer(5).faces('<Z').edges().chamfer(2)"))
    best, *_ = from_mesh(*mesh_of(solid), seconds=60)
    rims = [finish for finish in best.program.finishes if isinstance(finish, Edges)]  # mouths may be countersinks
    assert {(rim.faces, rim.size) for rim in rims} == {(">Z", 5), ("<Z", 2)}
    assert iou(solid, build(best.program)) > 0.999


def test_sharp_parts_have_no_finish():
    best, *_ = from_mesh(*mesh_of(build(parse(PLATE))), seconds=60)
    assert best.program.finishes == ()


def test_a_rim_that_is_worth_less_than_its_numbers_is_left_out():
    solid = build(parse(PLATE + ".faces('>Z').edges().chamfer(2)"))
    best, *_ = from_mesh(*mesh_of(solid), seconds=60, price=0.02)
    assert best.program.finishes == ()
