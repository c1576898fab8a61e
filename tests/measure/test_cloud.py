"""Programs read back off clouds sampled on solids of ours."""

import time

import numpy as np
import pytest

from cadrecode.cloud import sample_surface
from cadrecode.cloud.distance import CloudRuler
from cadrecode.fit import ruler_for
from cadrecode.measure import from_cloud, search
from cadrecode.measure.cloud import _grid, read, with_same_holes, worth_finishing
from cadrecode.measure.features import Prism
from cadrecode.measure.grid import Grid
from cadrecode.measure.judge import Judge, through_holes
from cadrecode.measure.levels import levels_of_points
from cadrecode.measure.outlines import outline_of
from cadrecode.measure.proposals import Proposal, Survey, TurnedProposal
from cadrecode.measure.sheets import unmixed, with_sheets
from cadrecode.measure.smoothing import Smoothed
from cadrecode.measure.walls import Walls, circle_through_all
from cadrecode.measure.winding import patch_areas, sections_of, silhouette_of, surface_area
from cadrecode.program import build, iou, mesh_of, parse, write
from cadrecode.program.language import Circle, Operation, Rect, SketchStep

PLATE = """import cadquery as cq
w0=cq.Workplane('XY',origin=(0,0,-8))
r=w0.sketch().rect(200,120).push([(-80,-45),(80,-45),(-80,45),(80,45)]).circle(6,mode='s').push([(10,5)]).circle(21,mode='s').finalize().extrude(16)"""
BRACKET = """import cadquery as cq
w0=cq.Workplane('ZX',origin=(0,-50,0))
r=w0.sketch().segment((-100,-100),(100,-100)).segment((100,-60)).segment((-50,-60)).segment((-50,100)).segment((-100,100)).close().assemble().finalize().extrude(100)"""
NEEDLE = """import cadquery as cq
w0=cq.Workplane('XY',origin=(0,0,-100))
r=w0.sketch().circle(5).finalize().extrude(200)"""
SHAFT = """import cadquery as cq
w0=cq.Workplane('XY',origin=(0,0,-100))
w1=cq.Workplane('XY',origin=(0,0,20))
r=w0.sketch().circle(12).finalize().extrude(120).union(w1.sketch().circle(8).finalize().extrude(80))"""


def ruler_of(text: str, noise: float = 0.0):
    solid = build(parse(text))
    points, _ = sample_surface(*mesh_of(solid), 8192, 3)
    return solid, ruler_for(points + noise * np.random.default_rng(3).standard_normal(points.shape))


@pytest.mark.parametrize("text", [PLATE, pytest.param(BRACKET, marks=pytest.mark.slow)], ids=["plate", "bracket"])
def test_a_clean_cloud_is_read_to_a_hundredth(text, processor_time):
    solid, ruler = ruler_of(text)
    best, *_ = from_cloud(ruler, seconds=60)
    again = build(parse(write(best.program)))
    assert iou(solid, again) > 0.99
    assert through_holes(again) == through_holes(solid)
    assert len(best.program.steps) <= 2


@pytest.mark.slow
def test_a_noisy_cloud_is_read_all_the_same(processor_time):
    for text, least in ((NEEDLE, 0.96), (SHAFT, 0.94)):
        solid, ruler = ruler_of(text, noise=1.0)  # 0.5 % of the size
        best, *_ = from_cloud(ruler, seconds=7)
        assert iou(solid, build(best.program)) > least


@pytest.mark.slow
def test_the_inside_is_where_the_solid_is():
    solid, ruler = ruler_of(BRACKET)
    part = read(ruler, Smoothed.of(ruler))
    assert part.grid.volume(part.cells) == pytest.approx(solid.volume(), rel=0.02)
    assert part.sections[1][0].area() == pytest.approx(solid.volume() / 100, rel=0.02)


def test_without_normals_nothing_is_measured():
    _, ruler = ruler_of(BRACKET)
    assert from_cloud(CloudRuler(ruler.points), seconds=5) == []


def test_the_silhouettes_are_read_however_short_the_time_is():
    solid, ruler = ruler_of(BRACKET)
    assert iou(solid, build(from_cloud(ruler, seconds=0)[0].program)) > 0.99


def test_a_ruler_keeps_the_points_that_it_does_not_measure_by():
    points = np.random.default_rng(0).uniform(-1, 1, (20_000, 3))
    ruler = ruler_for(points)
    assert ruler.points.shape == (8192, 3)
    np.testing.assert_array_equal(np.unique(ruler.all_points, axis=0), np.unique(points, axis=0))
    assert ruler.all_normals.directions.shape == points.shape


def test_patches_cover_the_surface():
    solid, ruler = ruler_of(PLATE)
    assert patch_areas(ruler.points).sum() == pytest.approx(solid.surface_area(), rel=0.05)


def test_both_sides_of_a_thin_sheet_count_to_the_surface():
    """Its points are twice as far apart as its sides, which without their normals are one surface to them."""
    solid = build(parse(PLATE.replace("extrude(16)", "extrude(1)")))
    ruler = ruler_for(*sample_surface(*mesh_of(solid), 8192, 3))
    area = surface_area(ruler.points, ruler.normals.directions)
    assert area == pytest.approx(solid.surface_area(), rel=0.06)
    assert patch_areas(ruler.points).sum() < 0.7 * solid.surface_area()


def test_patches_of_a_noisy_cloud_cover_no_more_than_the_surface():
    """The noise is a fifth of the radius, and more than the points are apart."""
    solid, ruler = ruler_of(NEEDLE, noise=1.0)
    smoothed = Smoothed.of(ruler)
    assert smoothed.areas.sum() == pytest.approx(solid.surface_area(), rel=0.08)
    assert smoothed.noise == pytest.approx(1.0, rel=0.2)
    assert patch_areas(ruler.points).sum() > 1.5 * solid.surface_area()


def test_a_part_ends_where_its_walls_do_and_not_at_its_farthest_point():
    rng = np.random.default_rng(2)
    heights = rng.uniform(-100, 100, 4000) + rng.normal(0, 1, 4000)
    levels = levels_of_points(heights, np.zeros(4000), np.full(4000, 10.0), (heights.min(), heights.max()), 200.0, 1.0)
    assert levels == pytest.approx([-100, 100], abs=0.6)


def test_a_sheet_is_read_though_a_false_level_lies_between_its_faces():
    points, normals = sample_surface(
        *mesh_of(build(parse(PLATE.replace("-8", "-1").replace("extrude(16)", "extrude(2)")))), 4000, 3
    )
    grid = Grid.between([np.array(ends) for ends in ((-100.0, 100.0), (-60.0, 60.0), (-1.0, 0.2, 1.0))])
    filled = with_sheets(np.zeros(grid.shape), points, normals, 3.5, 0.0, grid) > 0.5
    assert grid.volume(filled) == pytest.approx(build(parse(PLATE)).volume() / 8, rel=0.05)


def test_the_silhouette_of_what_is_bent_between_two_levels_is_its_shadow():
    """A bar that leans has no place in common along a side of its box."""
    grid = Grid.between([np.array((-50.0, 50.0))] * 3, 40)
    x, y, z = np.meshgrid(*grid.places, indexing="ij")
    leaning, upright = (np.float32((abs(x - lean * z) < 8) & (abs(y) < 10)) for lean in (0.8, 0.0))
    for numbers, area in ((leaning, 95 * 20), (upright, 16 * 20)):
        sections = sections_of(numbers, grid, 2)
        assert silhouette_of(numbers, sections, grid, 2).area() == pytest.approx(area, rel=0.1)


def test_the_faces_of_a_sheet_are_told_apart_where_noise_mixes_their_points():
    rng = np.random.default_rng(4)
    heights = np.repeat((-1.2, 1.2), 3000) + rng.normal(0, 1, 6000)
    looks_so = np.array([heights[heights < 0].mean(), heights[heights > 0].mean()])
    assert np.ptp(looks_so) > 2.6
    assert unmixed(looks_so, heights, np.sign(heights), 0.9) == pytest.approx([-1.2, 1.2], abs=0.1)
    alone = np.array((-1.2, 9.0))
    np.testing.assert_array_equal(unmixed(alone, heights, np.sign(heights), 0.9), alone)


def test_a_step_that_the_tolerance_leaves_out_stands_between_its_two_walls():
    heights = np.linspace(1, 99, 300)
    radii = np.where(heights > 50, 12.0, 9.0)
    sides = np.column_stack((radii, heights))
    normals = np.tile((1.0, 0.0), (300, 1))
    profile = np.array(((0, 0), (9, 0), (9, 49), (10, 50), (11, 51), (12, 52), (12, 100), (0, 100)), float)
    outline = outline_of(profile, 1.2, Walls(sides, normals, 3.0))
    assert {round(edge.end[0], 3) for edge in outline.shape.edges} == {0.0, 9.0, 12.0}
    assert abs(outline.area) == pytest.approx(1050, abs=15)


def test_levels_are_where_points_crowd_and_not_on_a_slope():
    rng = np.random.default_rng(0)
    flat, slope = np.repeat((-100.0, 10.0, 100.0), 300), rng.uniform(-100, 100, 600)
    heights, facing = (
        np.concatenate((flat, slope)),
        np.concatenate((np.repeat((-1.0, 1.0, 1.0), 300), np.full(600, 0.97))),
    )
    levels = levels_of_points(heights, facing, np.full(1500, 10.0), (-100.0, 100.0), 200.0, 0.0)
    assert levels.tolist() == [-100, 10, 100]


def test_a_side_is_moved_onto_its_points_and_no_farther():
    rng = np.random.default_rng(1)
    along = rng.uniform(-40, 40, 60)
    points = np.column_stack((along, np.full(60, 5.0)))
    walls = Walls(points, np.tile((0.0, 1.0), (60, 1)), 2.0)
    middle, direction = walls.line(np.array((-40.0, 4.0)), np.array((40.0, 4.5)))
    assert middle[1] == pytest.approx(5)
    assert abs(direction[0]) == pytest.approx(1)
    assert walls.line(np.array((-40.0, 1.0)), np.array((40.0, 1.0))) is None  # out of reach


def test_a_circle_is_moved_onto_its_points_unless_they_are_on_one_side():
    angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    points = 10 * np.column_stack((np.cos(angles), np.sin(angles)))
    walls = Walls(points, points / 10, 2.0)
    assert walls.circle(0.5, -0.4, 9.3) == pytest.approx((0, 0, 10), abs=1e-6)
    assert Walls(points[:10], points[:10] / 10, 2.0).circle(0.5, -0.4, 9.3) is None
    assert circle_through_all(points + np.array((3, 4))) == pytest.approx((3, 4, 10))


def test_a_search_that_begins_late_has_its_share_of_the_time_that_is_left(monkeypatch):
    """Reading took longer than the first of two searches would have had."""
    left = []

    class Idle:
        def __init__(self, part, price, deadline, in_pairs):
            left.append(deadline - time.thread_time())

        def best(self):
            return []

    monkeypatch.setattr(search, "Search", Idle)
    mask = np.ones((1, 1), bool)
    proposed = [Proposal(0, (), 0, mask, True), TurnedProposal(0, (0.0, 0.0), (), 0, mask[None], True)]
    search.drafts_of(Survey(None, mask[None], [], proposed, []), 0.0, time.thread_time() - 600, 1000)
    np.testing.assert_allclose(left, (200, 400), atol=50)


def test_a_needle_has_more_cells_along_it():
    needle = [np.array((0.0, 24.0)), np.array((0.0, 200.0)), np.array((0.0, 5.0))]
    cube = [np.array((0.0, 200.0))] * 3
    assert _grid(needle, 250_000).shape[1] > 120
    assert _grid(cube, 1_000_000).shape == (64, 64, 64)


def test_the_likeliest_body_is_finished_first_and_hopeless_ones_not_at_all():
    """As drawn on the grid, a bad one may come first, and takes the time that the holes of the right one need."""
    bodies = [
        (Prism(Operation.UNION, 2, 0.0, height, (SketchStep(Rect(100, 100)),)),) for height in (10.0, 80.0, 100.0)
    ]
    judge = Judge(build(parse(PLATE.split("\nr=")[0] + "\nr=w0.workplane(offset=58).box(100,100,100)")), 1e-4, np.inf)
    assert worth_finishing(bodies, judge) == [bodies[2], bodies[1]]


def test_a_body_with_other_holes_than_the_likeliest_is_no_candidate():
    plate = Prism(Operation.UNION, 2, 0.0, 10.0, (SketchStep(Rect(100, 100)),))
    drilled = (plate, Prism(Operation.CUT, 2, -2.0, 12.0, (SketchStep(Circle(5)),)))
    thicker = (Prism(Operation.UNION, 2, 0.0, 11.0, plate.steps), drilled[1])
    judge = Judge(build(parse(PLATE)), 1e-4, np.inf)
    assert with_same_holes([drilled, (plate,), thicker], judge) == [drilled, thicker]


@pytest.mark.slow
def test_a_long_rod_is_read_although_its_profile_could_be_no_wider():
    """The half profile of a rod is a rectangle beside its line: wider, it would reach over it."""
    solid, ruler = ruler_of("import cadquery as cq\nr=cq.Workplane('XY',origin=(0,0,-100)).circle(20).extrude(200)")
    best, *_ = from_cloud(ruler, seconds=8)
    assert iou(solid, build(best.program)) > 0.99
