"""Fillets and chamfers of outermost faces are found, with their size and with the edges that they round."""

import pytest

from cadrecode.measure import from_mesh
from cadrecode.program import build, iou, mesh_of, parse, write
from cadrecode.program.language import Blend, Edges, count_of
from cadrecode.program.solid import through_holes

FINE = 1e-5  # CODE: of fillets that are not our own
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


@pytest.mark.parametrize(
    ("finish", "size"), [("fillet(10)", 10), ("fillet(6.667)", 6.667), ("edges('%LINE').chamfer(6.667)", 6.667)]
)
def test_the_size_of_a_rim_is_that_of_the_round_surface(finish, size):
    """A CAD system's facets are finer than those of our own fillets."""
    plate = (
        "import cadquery as cq\nr=cq.Workplane('XY').sketch().rect(200,130).circle(20,mode='s').finalize().extrude(50)"
    )
    selected = finish if "edges" in finish else f"edges('%LINE').{finish}"
    solid = build(parse(f"{plate}.faces('>Z').{selected}"), FINE)
    best, *_ = from_mesh(*mesh_of(solid), seconds=60)
    (rim,) = best.program.finishes
    assert rim.size == pytest.approx(size, rel=6e-3)


@pytest.mark.slow
def test_a_fillet_is_made_before_the_holes_are_drilled():
    plate = "import cadquery as cq\nr=cq.Workplane('XY').sketch().rect(200,133).vertices().fillet(20).finalize()"
    holes = ".faces('>Z').workplane().pushPoints([(66,36),(-66,36),(66,-36),(-66,-36)]).cboreHole(15,26,15)"
    solid = build(parse(f"{plate}.extrude(50).faces('>Z').edges().fillet(6){holes}"), FINE)
    best, *_ = from_mesh(*mesh_of(solid), seconds=60)
    fillet, hole = best.program.finishes
    assert fillet == Edges(Blend.FILLET, pytest.approx(6, rel=5e-3), ">Z")
    assert count_of(hole.places) == 4
    (extrusion,) = best.program.solids()
    assert extrusion.sketch.steps[-1].size == 20
    assert iou(solid, build(best.program)) > 0.999


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
