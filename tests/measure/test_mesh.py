"""Programs read back off solids that programs of ours have made."""

from dataclasses import replace

import numpy as np
import pytest

from cadrecode.errors import ProgramError
from cadrecode.invent.held_out import held_out
from cadrecode.measure import from_mesh, mesh
from cadrecode.measure.bridges import with_missing_bridges
from cadrecode.measure.features import Prism, Rim, Turned
from cadrecode.measure.holes import holes_of, with_missing_lugs
from cadrecode.measure.judge import PRICE, Judge, through_holes
from cadrecode.measure.measured import Measured
from cadrecode.measure.shorten import _joined
from cadrecode.program import build, iou, mesh_of, parse, write
from cadrecode.program.language import Blend, Circle, Mode, Operation, Rect, SketchStep, points_of

PLATE = """import cadquery as cq
w0=cq.Workplane('XY',origin=(0,0,-8))
r=w0.sketch().rect(200,120).push([(-80,-45),(80,-45),(-80,45),(80,45)]).circle(4,mode='s').push([(10,5)]).circle(21,mode='s').finalize().extrude(16)"""
BRACKET = """import cadquery as cq
w0=cq.Workplane('XY',origin=(0,0,-50))
w1=cq.Workplane('YZ',origin=(-100,0,0))
r=w0.sketch().rect(200,100).finalize().extrude(14).union(w1.sketch().rect(100,100).finalize().extrude(14)).cut(w1.sketch().push([(20,15)]).circle(12).finalize().extrude(14)).cut(w0.sketch().push([(40,0)]).rect(60,30).finalize().extrude(14))"""
SHEET = """import cadquery as cq
w0=cq.Workplane('XY',origin=(0,0,-0.3))
r=w0.sketch().rect(200,150).push([(60,40)]).circle(15,mode='s').finalize().extrude(0.6)"""
SLOT = """import cadquery as cq
w0=cq.Workplane('ZX',origin=(0,-100,0))
r=w0.sketch().segment((-30,-15),(30,-15)).arc((45,0),(30,15)).segment((-30,15)).arc((-45,0),(-30,-15)).assemble().finalize().extrude(200)"""
BLIND = """import cadquery as cq
w0=cq.Workplane('XY',origin=(0,0,-20))
w1=cq.Workplane('XY',origin=(0,0,5))
r=w0.sketch().rect(160,200).finalize().extrude(40).cut(w1.sketch().push([(-40,50),(40,-50)]).circle(18).finalize().extrude(15))"""


def read_back(text: str):
    solid = build(parse(text))
    best, *_ = from_mesh(*mesh_of(solid), seconds=60)
    written = write(best.program)
    return solid, build(parse(written)), best, written


@pytest.mark.parametrize(
    "text", [PLATE, BRACKET, SHEET, SLOT, BLIND], ids=["plate", "bracket", "sheet", "slot", "blind"]
)
def test_a_part_is_read_back_whole_and_no_longer_than_it_was_written(text):
    solid, again, best, written = read_back(text)
    assert iou(solid, again) > 0.995
    assert through_holes(again) == through_holes(solid)
    assert len(written) <= 1.3 * len(text)
    assert best.source == "sections"


def test_the_numbers_of_a_plate_are_those_it_was_made_with():
    *_, best, _ = read_back(PLATE)
    (step,) = best.program.steps
    shapes = {type(s.shape): s for s in step.solid.sketch.steps}
    assert (step.solid.plane.origin[2], step.solid.distance) == (-8, 16)
    assert (shapes[Rect].shape.width, shapes[Rect].shape.height) == (200, 120)
    circles = [s for s in step.solid.sketch.steps if isinstance(s.shape, Circle)]
    assert {(s.shape.radius, len(points_of(s.places))) for s in circles} == {(4, 4), (21, 1)}
    assert {place for s in circles for place in points_of(s.places)} == {
        (-80, -45),
        (80, -45),
        (-80, 45),
        (80, 45),
        (10, 5),
    }


def test_a_sheet_keeps_its_two_sides():
    """0.3 % of its size apart."""
    *_, best, _ = read_back(SHEET)
    assert best.program.steps[0].solid.distance == pytest.approx(0.6, abs=1e-3)


def test_a_hole_of_a_thousandth_of_the_volume_is_worth_its_numbers():
    text = PLATE.replace("circle(4,", "circle(2,")
    solid, again, *_ = read_back(text)
    assert through_holes(solid) == through_holes(again) == 5


def test_an_eyelet_is_joined_with_its_hole():
    """It is 0.03 % of the volume, which pays for no number; the features fill nothing of its hole."""
    plate = PLATE[: PLATE.index(".push")] + ".finalize().extrude(16)"
    eye = ".union(w0.sketch().push([(0,63)]).circle(5).push([(0,63)]).circle(2.5,mode='s').finalize().extrude(3))"
    solid, bare = build(parse(plate + eye)), build(parse(plate))
    body = (Prism(Operation.UNION, 2, -8.0, 8.0, (SketchStep(Rect(200, 120)),)),)
    judge, part = Judge(solid, PRICE, np.inf), mesh.read(solid)
    joined = with_missing_lugs(body, part, holes_of(part), judge)
    assert (through_holes(bare), through_holes(judge.build(joined))) == (0, 1)
    assert iou(judge.build(joined), solid) > 0.9999
    assert with_missing_lugs(joined, part, holes_of(part), judge) == joined


@pytest.mark.parametrize("index", range(4))
@pytest.mark.parametrize("family", ["plates", "brackets"])
def test_invented_parts_are_filled(family, index):
    solid = build(held_out(family, index))
    best, *_ = from_mesh(*mesh_of(solid), seconds=60)
    again = build(parse(write(best.program)))
    assert iou(solid, again) > 0.97
    assert through_holes(again) == through_holes(solid)


def test_what_falls_apart_is_bridged_and_its_window_closed():
    frame = build(parse("import cadquery as cq\nr=cq.Workplane('XZ').rect(120,200).rect(60,180).extrude(8)"))
    part, judge = mesh.read(frame), Judge(frame, PRICE, np.inf)
    posts = (Prism(Operation.UNION, 1, -8, 0, (SketchStep(Rect(200, 30), places=((0, -45), (0, 45))),)),)
    assert len(judge.build(posts).decompose()) == 2
    bridged = with_missing_bridges(posts, part, judge)
    assert len(bridged) == 3
    assert len(judge.build(bridged).decompose()) == 1
    assert through_holes(judge.build(bridged)) == 1
    assert iou(frame, judge.build(bridged)) > 0.999


def test_what_is_whole_gets_no_bridge():
    text = "import cadquery as cq\nr=cq.Workplane('XZ').rect(120,200).extrude(8).cut(cq.Workplane().box(60,40,200))"
    slotted = build(parse(text))
    posts = (Prism(Operation.UNION, 1, -8, 0, (SketchStep(Rect(200, 30), places=((0, -45), (0, 45))),)),)
    assert with_missing_bridges(posts, mesh.read(slotted), Judge(slotted, PRICE, np.inf)) == posts


@pytest.mark.slow
def test_what_is_read_is_the_same_each_time():
    shape = mesh_of(build(held_out("brackets", 7)))
    first, second = (from_mesh(*shape, seconds=60) for _ in range(2))
    assert [m.program for m in first] == [m.program for m in second]


def test_the_score_is_the_iou_less_what_the_numbers_cost():
    solid, again, best, _ = read_back(PLATE)
    assert best.score == pytest.approx(iou(solid, again) - 0.0004 * (4 + 2 + 1 + 4 + 1 + 2), abs=1e-3)


def test_a_price_that_no_feature_can_pay_leaves_the_plainest_program():
    solid = build(parse(BLIND))
    best, *_ = from_mesh(*mesh_of(solid), seconds=60, price=0.02)
    assert len(best.program.steps) == 1


def test_an_open_mesh_is_refused():
    vertices, faces = mesh_of(build(parse(PLATE)))
    with pytest.raises(ProgramError, match="not a closed solid"):
        from_mesh(vertices, faces[1:], seconds=10)


def test_robot_parts_are_filled(shared_data):
    """Three of the quick ones; `cadrecode evaluate --input mesh` measures them all."""
    from cadrecode.cloud import read_mesh
    from cadrecode.frames import Frame
    from cadrecode.program import from_mesh as solid_of

    for name in ("plate_holes", "Base_attachment", "base_interface"):
        (path,) = (shared_data / "parts").glob(f"*{name}*.stl")
        vertices, faces = read_mesh(path)
        vertices = Frame.of(vertices).to_code(vertices)
        solid = solid_of(vertices, faces)
        best, *_ = from_mesh(vertices, faces, seconds=60)
        again = build(parse(write(best.program)))
        assert iou(solid, again) > 0.98
        assert through_holes(again) == through_holes(solid)
        assert len(write(best.program)) < 1200
        assert np.isfinite(best.score)


def test_a_boss_on_a_wall_of_another_direction_is_one_body_with_it():
    """At 24.667, which the wall's sketch would put at 24.667000003."""
    text = """import cadquery as cq
w0=cq.Workplane('XY',origin=(0,0,-26.667))
w1=cq.Workplane('ZX',origin=(0,24.667,0))
r=w0.sketch().segment((-100,20.333),(100,20.333)).segment((100,24.667)).segment((-100,24.667)).close().assemble().finalize().extrude(53.334).union(w1.sketch().circle(20).finalize().extrude(30))"""
    assert len(build(parse(text)).decompose()) == 1


def test_features_that_cannot_be_built_are_no_solid():
    """Of few points, an outline may be read across the axis that it turns about."""
    judge = Judge(build(parse(PLATE)), PRICE, np.inf)
    sketch = SketchStep(Rect(20, 10), places=((0.0, 0.0),))
    assert judge.makes_a_solid((Prism(Operation.UNION, 2, 0.0, 5.0, (sketch,)),))
    assert not judge.makes_a_solid((Turned(Operation.UNION, 2, (0.0, 0.0), (sketch,)),))


def test_a_rim_without_room_is_worth_nothing_and_is_not_written():
    judge = Judge(build(parse(PLATE)), PRICE, np.inf)
    plate = Prism(Operation.UNION, 2, -8.0, 8.0, (SketchStep(Rect(200, 120)),))
    small, large = (Rim(Blend.FILLET, size, ">Z") for size in (2.0, 40.0))
    assert judge.score((plate, small)) > 0 > judge.score((plate, large)) == -np.inf
    assert "fillet(2)" in write(Measured.of((plate, small), 1.0).program)
    assert "fillet" not in write(Measured.of((plate, large), 1.0).program)


def test_a_plate_keeps_the_rounding_of_its_corners():
    """What is rounded costs a number in the text, so it must cost no more while programs are compared."""
    text = PLATE.replace("rect(200,120)", "rect(200,120).vertices().fillet(9).reset()")
    solid, again, _, written = read_back(text)
    assert iou(solid, again) > 0.9995
    assert ".vertices().fillet(9)" in written


def test_a_box_and_what_is_cut_across_it_are_one_sketch():
    step = SketchStep(Rect(40, 10), places=((5, -20),))
    box = Prism(Operation.UNION, 1, -30, 30, (step,))
    (hole,) = circles = (SketchStep(Circle(4), places=((0, 5),)),)
    both = _joined(box, Prism(Operation.CUT, 2, -1, 20, circles))
    assert both == []  # it does not go through
    (both,) = _joined(box, Prism(Operation.CUT, 2, -20, 60, circles))
    assert (both.axis, both.low, both.high) == (2, -15, 25)
    assert both.steps == (SketchStep(Rect(10, 60), places=((-20, 0),)), replace(hole, mode=Mode.SUBTRACT))


def test_a_cut_that_ends_on_a_round_wall_leaves_no_films():
    """Between two knuckles of a hinge the cut ends on the cylinder that the knuckles are of."""
    text = """import cadquery as cq
r=cq.Workplane('XY').box(150,148,11).union(cq.Workplane('XZ',origin=(75,-74,5)).circle(15).extrude(-45))
r=r.union(cq.Workplane('XZ',origin=(75,29,5)).circle(15).extrude(-45)).cut(cq.Workplane('XZ',origin=(75,-80,5)).circle(7).extrude(-160))"""
    solid, again, *_ = read_back(text)
    assert iou(solid, again) > 0.995
    assert through_holes(again) == through_holes(solid) == 2


@pytest.mark.parametrize("cut", ["extrude(300,both=True)", "extrude(-70)"], ids=["through", "blind"])
def test_a_round_hole_along_no_axis_stays_round(cut):
    text = f"""import cadquery as cq
r=cq.Workplane('XY').box(200,130,100)
r=r.cut(cq.Workplane(cq.Plane((20,0,50),(0.8,0,0.6),(-0.6,0,0.8))).circle(17).{cut})"""
    solid, again, best, _ = read_back(text)
    assert iou(solid, again) > 0.999
    normals = [step.solid.plane.normal for step in best.program.steps]
    assert any(np.allclose(np.abs(normal), (0.6, 0, 0.8), atol=1e-3) for normal in normals)
