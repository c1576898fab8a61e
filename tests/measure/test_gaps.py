"""Holes by the gaps of faces, and cuts that go on where they should not, or are filled by what comes after them."""

import math
from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from manifold3d import Manifold

from cadrecode.cloud import sample_surface
from cadrecode.fit import ruler_for
from cadrecode.measure.cloud_heads import with_countersinks
from cadrecode.measure.cloud_judge import CloudJudge
from cadrecode.measure.evidence import opened, parted, redrilled, rounder, turned_about
from cadrecode.measure.features import Feature, Prism, Tilted, program_of
from cadrecode.measure.gaps import with_all_gaps, with_gaps
from cadrecode.measure.grid import Grid
from cadrecode.measure.judge import PRICE
from cadrecode.measure.proposals import Survey
from cadrecode.measure.rounding import rounded
from cadrecode.measure.shorten import pooled_steps, sealed
from cadrecode.measure.slopes import with_slopes
from cadrecode.measure.smoothing import Smoothed
from cadrecode.program import build, mesh_of, parse
from cadrecode.program import language as cad
from cadrecode.program.language import Arc, Circle, Line, Loop, Mode, Operation, Rect, SketchStep
from cadrecode.program.section import arc_points
from cadrecode.program.shapes import build_solid
from cadrecode.program.solid import bounds, iou, joined, through_holes


def prism(operation: Operation, low: float, high: float, *steps: SketchStep, axis: int = 2) -> Prism:
    return Prism(operation, axis, low, high, steps)


PLATE = prism(Operation.UNION, -2.0, 2.0, SketchStep(Rect(200, 120)))
SLOT = SketchStep(Rect(14, 6), places=((30.0, 20.0),))
DRILLED = SketchStep(Circle(4), places=((-60.0, 20.0),))


def judge_of(*features: Feature, count: int = 8192) -> tuple[CloudJudge, Grid]:
    """Points of what the features make, with their true normals, as a cloud to judge by, and a grid."""
    body = build_solid(features[0].solid(), 0.05)
    for feature in features[1:]:
        body = joined(body, build_solid(feature.solid(), 0.05), feature.operation)
    return judge_of_body(body, features, count=count)


def judge_of_body(
    body: Manifold, features: Sequence[Feature], seed: int = 5, count: int = 8192
) -> tuple[CloudJudge, Grid]:
    points, normals = sample_surface(*mesh_of(body), count, seed)
    prisms = [feature for feature in features if isinstance(feature, Prism)]
    heights = {round(float(height), 3) for feature in prisms for height in (feature.low, feature.high)}
    low, high = bounds(body)
    levels = [np.array(sorted({float(low[k]), float(high[k])})) for k in range(3)]
    axis = prisms[-1].axis
    levels[axis] = np.array(sorted({*levels[axis].tolist(), *(h for h in heights if low[axis] < h < high[axis])}))
    grid = Grid.between(levels, 20)
    cells = np.ones(grid.shape, bool)
    ruler = ruler_for(points, normals)
    return CloudJudge(ruler, Smoothed.of(ruler), Survey(grid, cells, [], [], []), PRICE, np.inf), grid


def test_a_window_in_a_thin_wall_is_cut_where_both_faces_have_its_gap():
    window = prism(Operation.CUT, -4.0, 4.0, SLOT)
    judge, _ = judge_of(PLATE, window)
    (plate, cut) = with_gaps((PLATE,), judge)
    assert plate == PLATE
    assert (cut.low, cut.high) == (-2, 2)
    (step,) = cut.steps
    assert (step.shape.width, step.shape.height) == pytest.approx((14, 6), abs=0.5)
    np.testing.assert_allclose(step.places[0], (30, 20), atol=0.3)


def test_holes_too_small_for_the_points_that_others_are_judged_by_are_cut_by_all_of_them():
    places = ((-61.0, 20.0), (35.0, -17.0), (80.0, 44.0))
    judge, _ = judge_of(PLATE, prism(Operation.CUT, -4.0, 4.0, SketchStep(Circle(0.8), places=places)), count=60_000)
    assert len(judge.points) == 8192
    few = with_gaps((PLATE,), judge)
    assert sum(len(step.places) for cut in few[1:] for step in cut.steps) < len(places)
    (_, cut) = with_all_gaps((PLATE,), judge)
    (step,) = cut.steps
    assert step.shape.radius == pytest.approx(0.8, abs=0.02)
    np.testing.assert_allclose(sorted(step.places), places, atol=0.02)


def test_one_hole_is_not_written_at_two_places_a_rounding_error_apart():
    first, image = (
        SketchStep(Circle(2), places=(place, (20.0, y))) for place, y in (((0.0, 0.0), 5), ((0.01, 0.0), 7))
    )
    (step,) = pooled_steps((first, image))
    assert step.places == ((0.0, 0.0), (20.0, 5), (20.0, 7))


def test_a_cut_that_ends_a_rounding_error_beyond_the_part_goes_on_into_the_air():
    flush = prism(Operation.CUT, -2.0005, 2.0005, SLOT)
    judge, _ = judge_of(PLATE, flush)
    (_, cut) = opened((PLATE, flush), judge)
    assert (cut.low, cut.high) == pytest.approx((-4, 4), abs=0.01)
    assert opened((PLATE, cut), judge) == (PLATE, cut)


def test_a_nearly_square_hole_is_round_where_its_points_say_so():
    round_hole = prism(Operation.CUT, -4.0, 4.0, replace(DRILLED, shape=Circle(6)))
    square = Prism(Operation.CUT, 0, -66.0, -54.0, (SketchStep(Rect(11.8, 8), places=((20.0, 0.0),)),))
    judge, _ = judge_of(PLATE, round_hole)
    (_, cut) = rounder((PLATE, square), judge)
    assert (cut.axis, cut.steps[0].places) == (2, ((-60, 20),))
    assert cut.steps[0].shape.radius == pytest.approx(6, abs=0.1)
    judge, _ = judge_of(PLATE, square)
    assert rounder((PLATE, square), judge) == (PLATE, square)


def test_a_slot_hardly_wider_than_points_are_apart_is_cut():
    judge, _ = judge_of(PLATE, prism(Operation.CUT, -4.0, 4.0, SketchStep(Rect(16, 5.2), places=((30.0, 20.0),))))
    (_, cut) = with_gaps((PLATE,), judge)
    (step,) = cut.steps
    assert (step.shape.width, step.shape.height) == pytest.approx((16, 5.2), abs=0.4)


def test_a_groove_that_the_features_lack_is_no_hole():
    plate = prism(Operation.UNION, -4.5, 4.5, SketchStep(Rect(100, 80)))
    lacking = prism(Operation.CUT, 1.7, 6.0, SketchStep(Rect(4, 60), places=((-30.0, 0.0), (-10.0, 0.0), (10.0, 0.0))))
    body = joined(build_solid(plate.solid(), 0.05), build_solid(lacking.solid(), 0.05), Operation.CUT)
    judge, _ = judge_of_body(body, (plate,), seed=5, count=4000)
    assert with_gaps((plate,), judge) == (plate,)


def test_the_tip_of_a_drop_is_no_hole_of_its_own():
    """A circle fills most of a hole with a pointed roof; what it leaves is open to it."""
    block = prism(Operation.UNION, -8.0, 8.0, SketchStep(Rect(200, 120)))
    drill = prism(Operation.CUT, -10.0, 10.0, SketchStep(Circle(7), places=((30.0, 20.0),)))
    roof = Loop((25.05, 24.95), (Line((30.0, 29.9)), Line((34.95, 24.95))))
    judge, _ = judge_of(block, drill, replace(drill, steps=(SketchStep(roof),)))
    assert with_gaps((block, drill), judge) == (block, drill)


def test_what_stands_above_a_slanted_face_is_cut():
    block = prism(Operation.UNION, -20.0, 20.0, SketchStep(Rect(200, 120)))
    corners = (60.0, 25.0), (105.0, -10.0), (105.0, 25.0)
    ramp = SketchStep(Loop(tuple(reversed(corners[0])), tuple(Line((z, x)) for x, z in corners[1:])))
    wedge = prism(Operation.CUT, -70.0, 70.0, ramp, axis=1)
    judge, grid = judge_of(block, wedge)
    _, cut = sloped = with_slopes((block,), grid, judge)
    assert cut.axis == 1
    assert iou(judge.build(sloped), judge.build((block, wedge))) > 0.995


def test_a_small_hole_is_cut_by_the_few_points_of_its_wall():
    drill = prism(Operation.CUT, -4.0, 4.0, SketchStep(Circle(1.6), places=((30.0, 20.0), (-60.0, -10.0))))
    judge, _ = judge_of(PLATE, drill)
    (_, cut) = with_gaps((PLATE,), judge)
    places = sorted(place for step in cut.steps for place in step.places)
    np.testing.assert_allclose(places, [(-60, -10), (30, 20)], atol=0.2)


def test_a_hole_is_cut_across_a_plate_that_leans():
    along, normal = np.array((0.8, 0.0, 0.6)), np.array((-0.6, 0.0, 0.8))
    corners = [
        tuple((way * 100 * along + side * 4 * normal)[[2, 0]]) for way, side in ((-1, -1), (1, -1), (1, 1), (-1, 1))
    ]
    plate = prism(Operation.UNION, -60, 60, SketchStep(Loop(corners[0], tuple(map(Line, corners[1:])))), axis=1)
    places = (20.0, 30.0), (-10.0, -50.0)
    hole = Tilted(Operation.CUT, (0.0, 1.0, 0.0), tuple(normal), -5.0, 5.0, (SketchStep(Circle(3), places=places),))
    judge, _ = judge_of(plate, hole)
    (_, cut) = with_gaps((plate,), judge)
    body = judge.build((plate, cut))
    assert through_holes(body) == 2
    assert (body - judge.build((plate, hole))).volume() < 0.1 * judge.solid_of(hole).volume()
    assert through_holes(build(program_of(rounded((plate, cut), judge)))) == 2


def test_of_the_many_points_on_a_wall_some_are_far_apart():
    """Of some 50 points on each of 27 walls, two leave room for more than seven somewhere."""
    places = tuple((float(x), float(y)) for x in range(-80, 81, 20) for y in (-40, 0, 40))
    judge, _ = judge_of(PLATE, prism(Operation.CUT, -4.0, 4.0, SketchStep(Circle(2), places=places)), count=60_000)
    (_, cut) = with_gaps((PLATE,), judge.by())
    assert [len(step.places) for step in cut.steps] == [len(places)]


@pytest.mark.parametrize("pocket", [(), (prism(Operation.CUT, 0.0, 4.0, SLOT),)])
def test_no_hole_goes_through_a_wall_whose_other_face_has_points(pocket):
    judge, _ = judge_of(PLATE, *pocket)
    assert with_gaps((PLATE,), judge) == (PLATE,)


def test_a_groove_is_cut_from_the_side_that_is_open():
    groove = prism(Operation.CUT, 1.0, 4.0, SLOT)
    judge, _ = judge_of(PLATE, groove)
    (_, cut) = turned_about((PLATE, prism(Operation.CUT, -4.0, 1.0, SLOT)), judge)
    assert (cut.low, cut.high) == (1, 4)


def test_a_cut_leaves_out_the_wall_that_is_whole():
    """A hole in the two outer of three plates, and points in its mouth on the one between."""
    plates = [prism(Operation.UNION, low, low + 4, SketchStep(Rect(200, 120))) for low in (-20, -2, 16)]
    holes = [prism(Operation.CUT, low, low + 8, DRILLED) for low in (-22, 14)]
    judge, grid = judge_of(*plates, *holes)
    cuts = parted((*plates, prism(Operation.CUT, -22.0, 22.0, DRILLED)), grid, judge)[3:]
    assert [(cut.low, cut.high) for cut in cuts] == [(-22, -2), (2, 22)]


def test_a_hole_that_a_later_block_fills_is_cut_after_it():
    drill = prism(Operation.CUT, -4.0, 4.0, DRILLED)
    strip = prism(Operation.UNION, -2.0, 2.0, SketchStep(Rect(20, 120), places=((-60.0, 0.0),)))
    judge, _ = judge_of(PLATE, drill)
    holed = replace(PLATE, steps=(*PLATE.steps, replace(DRILLED, mode=Mode.SUBTRACT)))
    for filled in ((PLATE, drill, strip), (holed, strip)):
        assert through_holes(judge.build(filled)) == 0
        assert through_holes(judge.build(redrilled(filled, judge))) == 1


def test_rounding_opens_no_hole_into_the_rim():
    """It ends 0.2 before the rim, in whole numbers it would end with it."""
    drill = prism(Operation.CUT, -4.0, 4.0, SketchStep(Circle(1.6), places=((0.0, 58.2),)))
    judge, _ = judge_of(PLATE, drill)
    judge.score = lambda features: 1.0
    assert through_holes(judge.build(rounded((PLATE, drill), judge))) == 1


def test_rounding_makes_no_other_hole_of_a_small_one():
    """In 8,192 points a wall of 1.1 across has too few to tell it from one of 1."""
    holes = prism(Operation.CUT, -4.0, 4.0, SketchStep(Circle(0.553), places=((30.04, 20.02),)))
    judge, _ = judge_of(PLATE, holes)
    (_, cut) = rounded((PLATE, holes), judge)
    assert cut.steps[0].shape.radius == pytest.approx(0.55, abs=0.006)


def test_rounding_leaves_every_edge_a_length():
    """In whole numbers the three points of the arc at a corner would be one."""
    corner = Arc((99.8, 60.1), (99.6, 60.2))
    outline = Loop((-100.2, -60.0), (Line((100.2, -60.0)), Line((100.0, 60.0)), corner, Line((-100.0, 60.0))))
    plate = prism(Operation.UNION, -2.0, 2.0, SketchStep(outline))
    judge, _ = judge_of(plate)
    judge.score = lambda features: 1.0
    [kept] = rounded((plate,), judge)
    assert all(start != edge.end for start, edge in kept.steps[0].shape.sides)
    same = (1.0, 2.0)
    assert arc_points(same, same, same, 0.1) == [same]


@pytest.mark.parametrize(("seed", "count"), [(5, 2000), (0, 3500)])
def test_a_rounded_edge_that_the_body_lacks_is_no_hole(seed, count):
    """Both faces have gaps there, and points lie between them."""
    wall = prism(Operation.UNION, -4.0, 4.0, SketchStep(Rect(200, 80)))
    plate = "import cadquery as cq\nr=cq.Workplane('XY').box(200,80,8).edges('|X').fillet(3)"
    judge, _ = judge_of_body(build(parse(plate)), (wall,), seed, count)
    assert with_gaps((wall,), judge) == (wall,)


@pytest.mark.parametrize(("face", "normal"), [(">Z", 1), ("<Z", -1)])
def test_a_countersink_is_read_off_the_points_on_its_cones(face, normal):
    """The holes as found before it: too wide, since points of the cones were taken for the walls."""
    places = (60.0, 30.0), (-60.0, -30.0)
    holes = [SketchStep(Circle(radius), Mode.SUBTRACT, (place,)) for radius, place in zip((4.2, 4.4), places)]
    plate = prism(Operation.UNION, -4.0, 4.0, SketchStep(Rect(200, 120)), *holes)
    sunk = f".faces('{face}').workplane(origin=(0,0,0)).pushPoints([(60,{30 * normal}),(-60,{-30 * normal})])"
    text = f"import cadquery as cq\nr=cq.Workplane('XY').box(200,120,8){sunk}.cskHole(8,16,90)"
    judge, grid = judge_of_body(build(parse(text)), (plate,))
    (rest, drilled) = with_countersinks((plate,), grid, judge)
    assert rest.steps == plate.steps[:1]
    assert drilled.hole.head.degrees == 90
    assert drilled.hole.head.diameter == pytest.approx(16, abs=0.4)
    assert drilled.hole.diameter == pytest.approx(8, abs=0.7)
    assert iou(build(program_of((rest, drilled))), build(parse(text))) > 0.998


def test_a_straight_hole_has_no_countersink():
    hole = SketchStep(Circle(4), Mode.SUBTRACT, ((60.0, 30.0),))
    plate = prism(Operation.UNION, -4.0, 4.0, SketchStep(Rect(200, 120)), hole)
    judge, grid = judge_of(plate)
    assert with_countersinks((plate,), grid, judge) == (plate,)


def test_features_without_a_volume_are_worth_nothing():
    """Symmetry and closer outlines make such of few or noisy points; the other features still have their turn."""
    judge, _ = judge_of(PLATE)
    flat = Loop((0.0, 0.0), (Line((9.0, 0.0)), Line((4.0, 0.0))))
    line = prism(Operation.UNION, -4.0, 4.0, SketchStep(flat))
    for features in ((line,), (PLATE, line), (PLATE, prism(Operation.CUT, -4.0, 4.0, SketchStep(Rect(300, 300))))):
        assert judge.score(features) == -np.inf
    judge.build = lambda features: SimpleNamespace(volume=lambda: -1e-9)  # what is left where faces nearly touch
    assert judge.score((PLATE, PLATE)) == -np.inf


def test_films_between_a_disk_and_an_arc_of_its_size_are_closed():
    """Their facets differ, so that the plate has holes that are no circle of its sketch."""

    def on_disk(degrees: float) -> tuple[float, float]:
        turn = math.radians(degrees)
        return round(20 * math.cos(turn), 3), round(40 + 20 * math.sin(turn), 3)

    right, left = on_disk(-17), on_disk(-163.7)
    edges = Line((80.0, -40.0)), Line((80.0, right[1])), Line(right), Arc(on_disk(-95), left), Line((-80.0, left[1]))
    outline, disk = Loop((-80.0, -40.0), edges), SketchStep(Circle(20), places=((0.0, 40.0),))
    plate = prism(Operation.UNION, -5.0, 5.0, SketchStep(outline), disk)
    whole = replace(plate, steps=(plate.steps[0], replace(disk, shape=Circle(20.1))))
    judge, _ = judge_of(whole)
    assert through_holes(judge.build((plate,))) > 10
    [closed] = sealed((plate,), judge)
    assert through_holes(judge.build((closed,))) == 0
    assert iou(judge.build((closed,)), judge.build((whole,))) > 0.995
    holes = SketchStep(Circle(4), Mode.SUBTRACT, cad.Grid((0.0, 0.0), 60.0, 50.0, 2, 2))
    drilled = replace(PLATE, steps=(*PLATE.steps, holes))
    assert sealed((drilled,), judge_of(drilled)[0]) == (drilled,)


def test_edges_no_longer_than_a_rounding_error_are_left_out():
    """Neither `parse` nor OpenCASCADE takes them, so that the whole part was lost."""
    judge, _ = judge_of(PLATE)
    judge.score = lambda features: -np.inf  # no number may lose a digit
    ends = (100.0000001, -60.0), (100.0000002, -60.0), (100.0, 60.0), (-100.0, 60.0), (-100.0000003, -60.0)
    plate = prism(Operation.UNION, -2.0, 2.0, SketchStep(Loop((-100.0, -60.0), tuple(map(Line, ends)))))
    [kept] = rounded((plate,), judge)
    lengths = [math.dist(start, edge.end) for start, edge in kept.steps[0].shape.sides]
    assert len(lengths) == 4
    assert min(lengths) > 1
    assert rounded((PLATE,), judge) == (PLATE,)
