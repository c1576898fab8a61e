"""Holes with a countersink or a counterbore are written as such, whichever face they open on."""

import pytest

from cadrecode.measure import from_mesh
from cadrecode.program import build, iou, mesh_of, parse, write
from cadrecode.program.language import Counterbore, Countersink, Hole, points_of

PLATE = (
    "import cadquery as cq\nr=cq.Workplane('XY',origin=(0,0,-10)).sketch().rect(200,120).vertices().fillet(15).reset()"
    ".finalize().extrude(20).faces('{face}').workplane(origin=(0,0,0)).pushPoints([(60,30),(-60,-30),(60,-30)]).{hole}"
)


@pytest.mark.parametrize(
    ("face", "hole", "head", "depth"),
    [
        (">Z", "cskHole(10,20,90)", Countersink(20, 90), None),
        pytest.param("<Z", "cskHole(10,18,82)", Countersink(18, 82), None, marks=pytest.mark.slow),
        pytest.param(">Z", "cboreHole(11,18,7)", Counterbore(18, 7), None, marks=pytest.mark.slow),
        ("<X", "cboreHole(8,16,30,120)", Counterbore(16, 30), 120),
    ],
)
def test_holes_are_read_back_with_their_heads(face, hole, head, depth):
    text = PLATE.format(face=face, hole=hole)
    if face == "<X":
        text = text.replace("extrude(20)", "extrude(100)").replace("[(60,30),(-60,-30),(60,-30)]", "[(20,40)]")
    solid = build(parse(text))
    best, *_ = from_mesh(*mesh_of(solid), seconds=60)
    again = build(parse(write(best.program)))
    assert iou(solid, again) > 0.998
    (read,) = [finish for finish in best.program.finishes if isinstance(finish, Hole)]
    assert type(read.head) is type(head)
    assert read.head.diameter == pytest.approx(head.diameter, abs=0.3)
    assert len(points_of(read.places)) == (1 if face == "<X" else 3)
    if isinstance(head, Countersink):
        assert read.head.degrees == head.degrees
    else:
        assert read.head.depth == pytest.approx(head.depth, abs=0.1)


def test_blind_holes_that_hardly_count_as_volume_are_kept():
    text = (
        "import cadquery as cq\nr=cq.Workplane('XY').box(130,130,120).faces('>Z').workplane()"
        ".rarray(100,100,2,2).hole(8,14)"
    )
    solid = build(parse(text))
    best, *_ = from_mesh(*mesh_of(solid), seconds=60)
    assert iou(solid, build(best.program)) > 0.9995
