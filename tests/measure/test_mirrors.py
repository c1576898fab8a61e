"""Planes of symmetry: where they are, where they are not, and what is made of them."""

import numpy as np
import pytest

from cadrecode.measure import from_mesh
from cadrecode.measure.features import Prism
from cadrecode.measure.gaps import with_gaps
from cadrecode.measure.mirror_sketches import Axis
from cadrecode.measure.mirroring import evened, with_images, with_shared_gaps
from cadrecode.measure.mirrors import MirrorPlane, planes_of_cloud, planes_of_solid
from cadrecode.measure.trimming import trimmed
from cadrecode.program import build, iou, mesh_of, parse, write
from cadrecode.program.language import Arc, Circle, Line, Loop, Operation, Rect, SketchStep
from cadrecode.program.section import loop_points
from cadrecode.program.shapes import build_solid

from .test_gaps import judge_of, judge_of_body, prism

PLATE = prism(Operation.UNION, -4.0, 4.0, SketchStep(Rect(200, 120)))
BOTH = PLATE, prism(Operation.CUT, -6.0, 6.0, SketchStep(Circle(7), places=((60.0, 20.0), (-60.0, 20.0))))
ONE = PLATE, prism(Operation.CUT, -6.0, 6.0, SketchStep(Circle(12), places=((60.0, 20.0),)))
ACROSS_X = MirrorPlane(0, 0.0)


def test_a_cloud_has_the_planes_of_its_part():
    judge, _ = judge_of(*BOTH)
    assert {plane.axis for plane in planes_of_cloud(judge)} == {0, 2}
    assert all(plane.place == 0 for plane in planes_of_cloud(judge))


def test_a_part_that_is_heavier_on_one_side_has_no_plane_there():
    judge, _ = judge_of(PLATE, prism(Operation.UNION, 4.0, 40.0, SketchStep(Rect(40, 120), places=((80.0, 0.0),))))
    assert {plane.axis for plane in planes_of_cloud(judge)} == {1}


def test_a_solid_is_compared_by_volume():
    plate = build_solid(PLATE.solid(), 0.05)
    assert {plane.axis for plane in planes_of_solid(plate)} == {0, 1, 2}
    assert {plane.axis for plane in planes_of_solid(plate - build_solid(ONE[1].solid(), 0.05))} == {2}


def bracket(shift: float) -> Loop:
    """An outline with a round notch, whose left half is off by `shift`."""
    corners = Line((50, 0)), Line((50, 40)), Line((8, 40)), Arc((0, 32), (-8 - shift, 40)), Line((-50 + shift, 40))
    return Loop((-50 + shift, 0), corners)


def test_an_outline_takes_its_other_half_from_one_side():
    line = Axis(0, 0.0, near=0.4)
    right, left = line.evened(bracket(0.3), 1), line.evened(bracket(0.3), -1)
    assert set(right.corners) == {(50, 0), (50, 40), (8, 40), (-8, 40), (-50, 40), (-50, 0)}
    assert {abs(x) for x, _ in left.corners} == {49.7, 8.3}
    assert next(edge for edge in right.edges if isinstance(edge, Arc)).middle[0] == 0
    outline = np.array(loop_points(right, 0.05))
    np.testing.assert_allclose(sorted(map(tuple, outline * (-1, 1))), sorted(map(tuple, outline)), atol=0.02)


@pytest.mark.parametrize("way", [1, -1])
def test_half_an_outline_ends_on_the_line(way):
    half = Axis(0, 0.0, near=0.1).half(bracket(0.0), way)
    points = np.array(loop_points(half, 0.05))
    assert (way * points[:, 0]).min() == 0
    assert {y for x, y in half.corners if x == 0} == {0, 32}


def test_tips_beyond_a_line_are_cut_off():
    star = Loop.through([(-20, -20), (20, -20), (31, -10), (20, 0), (31, 10), (20, 20), (-20, 20)])
    cut = Axis(0, 30.0).clipped(star, -1)
    assert max(x for x, _ in cut.corners) == 30
    assert len(cut.corners) == 9
    assert Axis(0, 40.0).clipped(star, -1) == star


def test_an_outline_that_is_read_too_far_ends_with_the_cloud():
    judge, grid = judge_of(PLATE)
    arrow = [(-100, -60), (100, -60), (100, 58), (103, 60), (-100, 60)]
    (plate,) = trimmed((prism(Operation.UNION, -4.0, 4.0, SketchStep(Loop.through(arrow))),), grid, judge)
    assert max(x for x, _ in plate.steps[0].shape.corners) == 100


def test_an_outline_that_crosses_the_line_four_times_has_no_half():
    ring = Loop.through([(-9, 0), (9, 0), (9, 9), (-9, 9), (-9, 7), (7, 7), (7, 2), (-9, 2)])
    assert Axis(0, 0.0).half(ring, 1) is None


def test_holes_that_nearly_face_each_other_do_and_are_equal():
    judge, _ = judge_of(*BOTH)
    holes = (
        SketchStep(Circle(7.08), places=((60.1, 20.0),)),
        SketchStep(Circle(6.95), places=((-59.9, 20.1),)),
        SketchStep(Circle(3), places=((0.1, -30.0),)),
    )
    drilled = prism(Operation.CUT, -6.0, 6.0, *holes[:2])
    _, cut = evened((PLATE, drilled), [ACROSS_X], judge)
    (step,) = cut.steps
    (x, y), (other_x, other_y) = step.places
    assert (x, y) == (-other_x, other_y)


def test_a_hole_on_one_side_has_an_image_only_where_the_points_speak_for_it():
    found = prism(Operation.CUT, -6.0, 6.0, SketchStep(Circle(7), places=((60.0, 20.0),)))
    symmetric, _ = judge_of(*BOTH)
    _, _, image = with_images((PLATE, found), [ACROSS_X], symmetric)
    assert isinstance(image, Prism)
    assert image.steps[0].places == ((-60.0, 20.0),)
    alone, _ = judge_of(*ONE)
    assert with_images(ONE, [ACROSS_X], alone) == ONE


def test_holes_that_hold_too_few_points_are_seen_by_those_of_all_sides():
    corners = (70, 40), (-70, 40), (70, -40), (-70, -40)
    thin = prism(Operation.UNION, -2.0, 2.0, SketchStep(Rect(200, 120)))
    holes = prism(Operation.CUT, -4.0, 4.0, SketchStep(Circle(2), places=corners))
    planes = [MirrorPlane(0, 0.0), MirrorPlane(1, 0.0)]
    plate = build_solid(thin.solid(), 0.05)
    drilled, _ = judge_of_body(plate - build_solid(holes.solid(), 0.05), [thin], count=2048)
    assert with_gaps((thin,), drilled) == (thin,)
    _, *cuts = with_shared_gaps((thin,), planes, drilled)
    places = [place for cut in cuts for step in cut.steps for place in step.places]
    np.testing.assert_allclose(sorted(places), sorted(corners), atol=0.1)
    bare, _ = judge_of_body(plate, [thin], count=2048)
    assert with_shared_gaps((thin,), planes, bare) == (thin,)


HOUSING = """import cadquery as cq
w0=cq.Workplane('XY',origin=(0,0,-10))
r=w0.sketch().segment((-100,-60),(100,-60)).segment((100,-20)).segment((83,7)).segment((60,15)).segment((52,60)).segment((31,48)).segment((9,22)).segment((-9,22)).segment((-31,48)).segment((-52,60)).segment((-60,15)).segment((-83,7)).segment((-100,-20)).close().assemble().push([(-60,-30),(60,-30)]).circle(9,mode='s').finalize().extrude(20)"""


def test_half_a_part_and_its_image_are_written_where_that_is_shorter():
    best, *_ = from_mesh(*mesh_of(build(parse(HOUSING))), seconds=60)
    (mirror,) = best.program.finishes
    assert (mirror.plane, mirror.union, best.source) == ("YZ", True, "symmetric sections")
    assert len(write(best.program)) < len(HOUSING)
    assert iou(build(best.program, 0.05), build(parse(HOUSING), 0.05)) > 0.9999


def test_an_array_stays_one():
    text = HOUSING.partition("r=")[0] + (
        "r=w0.sketch().rect(200,120).rarray(50,60,4,2).circle(9,mode='s').reset().finalize().extrude(20)"
    )
    best, *_ = from_mesh(*mesh_of(build(parse(text))), seconds=60)
    assert (best.program.finishes, best.source) == ((), "sections")
