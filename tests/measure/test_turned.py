"""Round parts and round features are read as turned profiles."""

import numpy as np
import pytest
from manifold3d import Manifold, Mesh64

from cadrecode.cloud import sample_surface
from cadrecode.fit import ruler_for
from cadrecode.measure import from_cloud, from_mesh
from cadrecode.measure.features import Turned
from cadrecode.measure.mesh import read
from cadrecode.measure.wedges import longest_run, roundest
from cadrecode.program import build, iou, mesh_of, parse, write
from cadrecode.program.language import Arc, Extrusion, Loop, Operation, Rect, Revolution, SketchStep
from cadrecode.program.shapes import build_solid
from cadrecode.program.solid import through_holes

HEAD = "import cadquery as cq\nw0=cq.Workplane('XZ',origin=({},0))\nr=w0.sketch()"
TURN = ".assemble().finalize().revolve(360,(0,0),(0,1))"
CUP = (
    HEAD.format("0,0") + ".segment((0,-80),(85,-80)).segment((88,100)).segment((80,100)).segment((78,-72))"
    ".segment((0,-72)).close()" + TURN
)
SHAFT = (
    HEAD.format("0,0") + ".segment((0,-100),(20,-100)).segment((20,-40)).segment((30,-40)).segment((30,20))"
    ".segment((18,20)).segment((18,97)).segment((15,100)).segment((0,100)).close()" + TURN
)
DOME = HEAD.format("0,0") + ".segment((10,-30),(60,-30)).segment((60,0)).arc((45.83,38.73),(10,59.16)).close()" + TURN
CROSS_HOLE = ".cut(cq.Workplane('YZ',origin=(-50,0,0)).sketch().push([(0,-70)]).circle(8).finalize().extrude(100))"
RING = ".sketch().push([({},0)]).circle(22).circle(14,mode='s').finalize()"
BEND = "cq.Workplane('XZ',origin=(-60,40,0))" + RING.format(70) + ".revolve(90,(0,0),(0,1))"
PIPE = f"import cadquery as cq\nr={BEND}.union(cq.Workplane('XZ',origin=(0,40,0)){RING.format(10)}.extrude(60))"
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
def test_the_line_of_a_scanned_cup_is_found_although_its_sections_have_no_arcs():
    vertices, faces = mesh_of(build(parse(CUP)).refine_to_length(12))
    bumps = np.random.default_rng(0).normal(scale=0.1, size=vertices.shape)
    scanned = Manifold(Mesh64(vertices + bumps, faces))
    best, *_ = from_mesh(*mesh_of(scanned), seconds=20)
    assert best.source == "revolved"
    assert iou(build(best.program), scanned) > 0.97


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
@pytest.mark.parametrize("text", [DOME, BOSS, PIPE], ids=["dome", "boss", "pipe"])
def test_a_cloud_is_folded_about_the_line_of_its_round_walls(text):
    best, likeness = read_from_cloud(text)
    assert likeness > (0.98 if text == PIPE else 0.99)
    assert best.source == "revolved"
    if text == DOME:
        (solid,) = turned(best)
        assert sum(isinstance(edge, Arc) for step in solid.sketch.steps for edge in step.shape.edges) == 1
    if text == PIPE:
        assert 90 in {solid.degrees for solid in turned(best)}


def test_flats_and_keyways_are_cut_from_a_turned_part_with_boxes():
    flat = ".cut(cq.Workplane('XY',origin=(0,0,85)).box(12,60,50).translate((20,0,0)))"
    keyway = ".cut(cq.Workplane('XY',origin=(30,0,-10)).box(8,10,50))"
    first, *cuts = read_back(SHAFT + flat + keyway).program.steps
    assert isinstance(first.solid, Revolution)
    assert len(cuts) == 2
    for cut in cuts:
        assert cut.operation is Operation.CUT
        assert [type(step.shape) for step in cut.solid.sketch.steps] == [Rect]


def test_a_bend_is_turned_by_less_than_a_whole_turn_and_goes_on_straight():
    """The pipe begins where the bend ends, where the part has no face."""
    part = read(build(parse(PIPE), 0.5))
    bends = [proposal for proposal in part.proposals if getattr(proposal, "degrees", 360) < 360]
    best = min(bends, key=lambda bend: part.grid.volume(bend.own ^ part.cells))
    assert (best.axis, best.start, best.degrees) == (2, 0, 90)
    np.testing.assert_allclose(best.center, (-60, 40), atol=0.2)
    assert part.grid.volume(best.own & ~part.cells) < 0.05 * part.grid.volume(best.own)
    assert np.abs(part.grid.levels[1] - 40).min() < 0.2


@pytest.mark.parametrize("start", [0.0, 90.0, 200.0])
def test_a_part_of_a_turn_lies_where_it_begins_and_ends(start):
    block = SketchStep(Rect(20, 10), places=((40.0, 5.0),))
    solid = build_solid(Turned(Operation.UNION, 1, (3.0, -2.0), (block,), start, 50.0).solid(), 0.05)
    assert solid.volume() == pytest.approx(20 * 10 * 40 * np.radians(50), rel=2e-3)
    for angle, is_filled in ((start + 1, True), (start + 49, True), (start - 1, False), (start + 51, False)):
        z, x = 40 * np.cos(np.radians(angle)), 40 * np.sin(np.radians(angle))
        probe = Manifold.cube((0.1, 0.1, 0.1), True).translate((x - 2, 5, z + 3))
        assert (probe ^ solid).is_empty() is not is_filled


def test_ends_of_a_turn_are_those_that_a_person_would_choose():
    assert roundest(75, 97, 80) == 90
    assert roundest(350, 8, 355) % 360 == 0
    assert roundest(101, 103, 102.4) == 102.4
    assert longest_run([True, False, True, True, False, True]) in ((2, 2), (5, 2))
    assert longest_run([True, True]) is None
