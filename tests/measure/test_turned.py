"""Round parts and round features are read as turned profiles."""

import pytest

from cadrecode.cloud import sample_surface
from cadrecode.fit import ruler_for
from cadrecode.measure import from_cloud, from_mesh
from cadrecode.program import build, iou, mesh_of, parse, write
from cadrecode.program.language import Arc, Extrusion, Loop, Operation, Rect, Revolution
from cadrecode.program.solid import through_holes

HEAD = "import cadquery as cq\nw0=cq.Workplane('XZ',origin=({},0))\nr=w0.sketch()"
TURN = ".assemble().finalize().revolve(360,(0,0),(0,1))"
SHAFT = (
    HEAD.format("0,0") + ".segment((0,-100),(20,-100)).segment((20,-40)).segment((30,-40)).segment((30,20))"
    ".segment((18,20)).segment((18,97)).segment((15,100)).segment((0,100)).close()" + TURN
)
DOME = HEAD.format("0,0") + ".segment((10,-30),(60,-30)).segment((60,0)).arc((45.83,38.73),(10,59.16)).close()" + TURN
CROSS_HOLE = ".cut(cq.Workplane('YZ',origin=(-50,0,0)).sketch().push([(0,-70)]).circle(8).finalize().extrude(100))"
CONE_ON_PLATE = (
    "import cadquery as cq\nw0=cq.Workplane('XZ',origin=(40,10,0))\nr=cq.Workplane('XY',origin=(0,0,-20)).sketch()"
    ".rect(200,120).finalize().extrude(20).{}(w0.sketch().segment((0,{}),({},{})).segment(({},{})).segment((0,{}))"
    ".close()" + TURN + ")"
)
BOSS = CONE_ON_PLATE.format("union", 0, 40, 0, 25, 50, 50)
SINK = CONE_ON_PLATE.format("cut", -20, 10, -20, 30, 0, 0)


def read_back(text: str):
    solid = build(parse(text))
    best, *_ = from_mesh(*mesh_of(solid), seconds=60)
    again = build(parse(write(best.program)))
    assert iou(solid, again) > 0.997
    assert through_holes(again) == through_holes(solid)
    return best


def read_from_cloud(text: str):
    """8,192 points, whose normals are estimated."""
    solid = build(parse(text))
    points, _ = sample_surface(*mesh_of(solid), 8192, 0)
    best, *_ = from_cloud(ruler_for(points), seconds=8)
    return best, iou(solid, build(parse(write(best.program))))


def turned(best) -> list[Revolution]:
    return [solid for solid in best.program.solids() if isinstance(solid, Revolution)]


def test_a_shaft_is_one_turned_profile_with_its_numbers():
    best = read_back(SHAFT)
    (step,) = best.program.steps
    (sketch,) = step.solid.sketch.steps
    corners = {sketch.shape.start, *(edge.end for edge in sketch.shape.edges)}
    wanted = {(0, -100), (20, -100), (20, -40), (30, -40), (30, 20), (18, 20), (18, 97), (15, 100), (0, 100)}
    assert corners == wanted
    assert best.source == "revolved"


@pytest.mark.parametrize("axis", ["x", "y"])
def test_the_axis_may_be_any_of_the_three(axis):
    direction = {"x": (0, 1, 0), "y": (1, 0, 0)}[axis]
    best = read_back(SHAFT + f".rotate((0,0,0),{direction},90)")
    assert len(turned(best)) == len(best.program.steps) == 1


@pytest.mark.slow
def test_a_dome_is_an_arc():
    (solid,) = turned(read_back(DOME))
    assert any(isinstance(edge, Arc) for step in solid.sketch.steps for edge in step.shape.edges)


def test_a_cross_hole_is_cut_from_the_turned_part():
    first, second = read_back(SHAFT + CROSS_HOLE).program.steps
    assert isinstance(first.solid, Revolution)
    assert (second.operation, type(second.solid)) == (Operation.CUT, Extrusion)
    assert second.solid.sketch.steps[0].shape.radius == pytest.approx(8, abs=0.05)


@pytest.mark.parametrize(("text", "operation"), [(BOSS, Operation.UNION), (SINK, Operation.CUT)], ids=["boss", "sink"])
def test_a_cone_on_or_in_a_plate_is_turned(text, operation):
    best = read_back(text)
    (step,) = (step for step in best.program.steps if isinstance(step.solid, Revolution))
    assert step.operation is operation
    assert step.solid.plane.origin[:2] == (40, 10)


def test_a_cylinder_stays_an_extruded_circle():
    best = read_back("import cadquery as cq\nr=cq.Workplane('XY').cylinder(100,40)")
    assert turned(best) == []


def test_no_corner_of_a_profile_lies_beyond_its_axis():
    (solid,) = turned(read_back("import cadquery as cq\nr=cq.Workplane('XY').sphere(100)"))
    (step,) = solid.sketch.steps
    assert isinstance(step.shape, Loop)
    assert min(step.shape.start[0], *(edge.end[0] for edge in step.shape.edges)) == 0


@pytest.mark.slow
@pytest.mark.parametrize("text", [DOME, BOSS, SINK], ids=["dome", "boss", "sink"])
def test_a_cloud_is_folded_about_the_line_of_its_round_walls(text):
    best, likeness = read_from_cloud(text)
    assert likeness > 0.99
    assert best.source == "revolved"
    if text == DOME:
        (solid,) = turned(best)
        assert sum(isinstance(edge, Arc) for step in solid.sketch.steps for edge in step.shape.edges) == 1


def test_flats_and_keyways_are_cut_from_a_turned_part_with_boxes():
    flat = ".cut(cq.Workplane('XY',origin=(0,0,85)).box(12,60,50).translate((20,0,0)))"
    keyway = ".cut(cq.Workplane('XY',origin=(30,0,-10)).box(8,10,50))"
    first, *cuts = read_back(SHAFT + flat + keyway).program.steps
    assert isinstance(first.solid, Revolution)
    assert len(cuts) == 2
    for cut in cuts:
        assert cut.operation is Operation.CUT
        assert [type(step.shape) for step in cut.solid.sketch.steps] == [Rect]
