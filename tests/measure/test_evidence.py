"""What a cloud speaks for: round walls, floors, and features that explain points."""

import numpy as np
import pytest

from cadrecode.cloud import sample_surface
from cadrecode.fit import ruler_for
from cadrecode.geometry import unit
from cadrecode.measure import from_cloud
from cadrecode.measure.cloud import bored_and_stepped, read
from cadrecode.measure.cloud_judge import CloudJudge
from cadrecode.measure.evidence import FACING, with_bores, with_steps
from cadrecode.measure.features import Prism
from cadrecode.measure.judge import PRICE
from cadrecode.measure.round_walls import RoundWall, round_walls
from cadrecode.measure.smoothing import Smoothed
from cadrecode.program import build, mesh_of, parse
from cadrecode.program.edit import parameters
from cadrecode.program.language import Circle, Operation, Rect, SketchStep
from cadrecode.program.solid import through_holes

DRILLED = """import cadquery as cq
w0=cq.Workplane('XY',origin=(0,0,-8))
r=w0.sketch().rect(200,120).push([(-80,-45),(30,20)]).circle(4,mode='s').finalize().extrude(16)"""
STEPPED = """import cadquery as cq
w0=cq.Workplane('XY',origin=(0,0,-30))
w1=cq.Workplane('XY',origin=(0,0,20))
r=w0.sketch().rect(200,100).finalize().extrude(60).cut(w1.sketch().push([(90,0)]).rect(20,100).finalize().extrude(20))"""

PLATE = """import cadquery as cq
w0=cq.Workplane('XY',origin=(0,0,-2.5))
r=w0.sketch().rect(200,150).finalize().extrude(5)"""

# (x, y, z) on the wall of a hole of 5 mm through it; from the side, half of them lie on a circle of radius 2.8
ON_HOLE = (
    (-1.78, -1.75, 1.57), (1.58, -1.91, -2.32), (-2.25, 1.05, -1.92), (2.45, -0.4, 1.17), (-1.45, -2.01, 0.49),
    (-2.28, -0.96, 1.71), (-2.32, -0.88, -2.0), (2.22, -1.11, -1.68), (-1.98, 1.5, -1.97),
    (-2.49, 0.09, -1.53), (0.07, 2.49, 0.31), (-0.43, 2.44, -1.35),
)  # fmt: skip

BLOCK = """import cadquery as cq
w0=cq.Workplane('XY',origin=(0,0,-40))
r=w0.sketch().rect(200,120).finalize().extrude(80)"""


def judged(text: str):
    points, _ = sample_surface(*mesh_of(build(parse(text))), 8192, 5)
    return judged_by(points)


def judged_by(points: np.ndarray):
    ruler = ruler_for(points)
    smoothed = Smoothed.of(ruler)
    part = read(ruler, smoothed)
    return ruler, part, CloudJudge(ruler, smoothed, part, PRICE, np.inf)


def block(width: float, depth: float, low: float, high: float) -> Prism:
    return Prism(Operation.UNION, 2, low, high, (SketchStep(Rect(width, depth)),))


def hole(x: float, y: float) -> Prism:
    return Prism(Operation.CUT, 2, -10.0, 10.0, (SketchStep(Circle(4.0), places=((x, y),)),))


@pytest.mark.slow
def test_small_round_walls_are_found_without_any_normals():
    ruler, part, judge = judged(DRILLED)
    anything = np.tile((0.0, 0.0, 1.0), (len(ruler.points), 1))
    walls = round_walls(ruler.points, anything, 2, part.grid.levels, ruler.size, 0.0, judge.per_area)
    places = sorted((wall.x, wall.y, wall.radius) for wall in walls[:2])
    np.testing.assert_allclose(places, [(-80, -45, 4), (30, 20, 4)], atol=0.1)


def test_a_round_wall_is_seen_beside_one_of_many_points():
    """Its points propose it hundreds of times."""
    rng = np.random.default_rng(3)

    def wall(x: float, radius: float, count: int) -> np.ndarray:
        angles = rng.uniform(0, 2 * np.pi, count)
        return np.column_stack((x + radius * np.cos(angles), radius * np.sin(angles), rng.uniform(-10, 10, count)))

    points = np.vstack((wall(0, 1.5, 150), wall(60, 1, 16)))
    levels = [np.array((-100.0, 100.0)), np.array((-50.0, 50.0)), np.array((-12.0, 12.0))]
    walls = round_walls(points, np.tile((1.0, 0.0, 0.0), (len(points), 1)), 2, levels, 200.0, 0.0, 0.2)
    places = sorted((wall.x, wall.y, wall.radius) for wall in walls)
    np.testing.assert_allclose(places, [(0, 0, 1.5), (60, 0, 1)], atol=1e-6)


def test_a_pin_is_told_from_chance_by_its_normals():
    """Seen along an axis, points of a slanted face lie anywhere, and some of them on a circle by chance."""
    rng = np.random.default_rng(4)
    levels = [np.array((-100.0, 100.0))] * 3
    angles = rng.uniform(0, 2 * np.pi, 60)
    around = np.column_stack((np.cos(angles), np.sin(angles), np.zeros(60)))
    pin = 3 * around + np.column_stack((np.zeros((60, 2)), rng.uniform(-10, 10, 60)))
    (wall,) = round_walls(pin, around, 2, levels, 200.0, 0.0, 0.2)
    assert wall.facing == pytest.approx(1, abs=0.01)

    flat = rng.uniform(-40, 40, (1500, 2))
    slanted = np.tile(unit(np.array((-0.3, -0.3, 1.0))), (len(flat), 1))
    chance = round_walls(np.column_stack((flat, 0.3 * flat.sum(axis=1))), slanted, 2, levels, 200.0, 0.0, 0.2)
    assert len(chance) <= 3
    assert all(abs(wall.facing) < FACING for wall in chance)


def test_a_hole_pays_where_points_speak_for_it_and_nowhere_else():
    _, _, judge = judged(DRILLED)
    plate = (block(200, 120, -8, 8),)
    assert judge.hole_pays(plate, (*plate, hole(30, 20)))
    assert not judge.hole_pays(plate, (*plate, hole(30, -20)))


def test_a_hole_as_wide_as_its_wall_is_thick_is_not_bored_from_the_edge():
    points, _ = sample_surface(*mesh_of(build(parse(PLATE))), 8192, 5)
    middle = np.array((-33.0, 60.0, 0.0))
    points = points[np.hypot(*(points - middle)[:, :2].T) > 2.5]
    _, part, judge = judged_by(np.concatenate((points, middle + ON_HOLE)))
    plate = (block(200, 150, -2.5, 2.5),)
    through = RoundWall(2, -33.0, 60.0, 2.5, -2.4, 2.4, 12, 0.0)
    across = RoundWall(1, 0.0, -33.0, 2.8, 58.1, 61.5, 8, 0.0)
    assert len(with_bores(plate, [across], part.grid, judge)) == 2  # points enough for a hole
    left = bored_and_stepped(plate, [through, across], part.grid, judge)
    assert all(feature.axis == 2 for feature in left[1:])


@pytest.mark.slow
def test_bores_and_steps_are_added_until_all_points_are_explained():
    ruler, part, judge = judged(DRILLED)
    walls = round_walls(ruler.points, ruler.normals.directions, 2, part.grid.levels, ruler.size, 0.0, judge.per_area)
    drilled = with_bores((block(200, 120, -8, 8),), walls, part.grid, judge)
    assert through_holes(judge.build(drilled)) == 2

    _, part, judge = judged(STEPPED)
    stepped = with_steps((block(200, 100, -30, 30),), part.grid, judge)
    assert len(stepped) == 2
    assert judge.build(stepped).volume() == pytest.approx(build(parse(STEPPED)).volume(), rel=0.01)


@pytest.mark.slow
def test_a_block_with_bent_faces_is_a_box(processor_time):
    rng = np.random.default_rng(2)
    solid = build(parse(BLOCK))
    points, _ = sample_surface(*mesh_of(solid), 8192, 2)
    bent = points + 0.6 * np.sin(points[:, [1, 2, 0]] / 25) + 0.01 * rng.standard_normal(points.shape)
    best, *_ = from_cloud(ruler_for(bent), seconds=30)
    assert len(parameters(best.program)) <= 8
    assert build(best.program).volume() == pytest.approx(solid.volume(), rel=0.03)


@pytest.mark.slow
def test_a_sheet_thinner_than_its_points_are_apart_keeps_its_outline():
    """Its winding number says little: 8,192 points of this plate are 3.5 apart, and it is 1.5 thick."""
    frame = """import cadquery as cq
w0=cq.Workplane('XY')
r=w0.sketch().rect(200,160).push([(-30,0)]).rect(60,100,mode='s').push([(60,20)]).circle(25,mode='s').finalize().extrude(1.5)"""
    _, part, _ = judged(frame)
    true = 200 * 160 - 60 * 100 - np.pi * 25**2
    assert part.grid.volume(part.cells) == pytest.approx(1.5 * true, rel=0.02)
    assert max(len(section.to_polygons()) for section in part.sections[2]) == 3


@pytest.mark.slow
def test_a_hole_opens_through_its_counterbore():
    """The bore's points end at a ledge that is no level, so narrow is it."""
    plate = """import cadquery as cq
w0=cq.Workplane('XY',origin=(0,0,-10))
w1=cq.Workplane('XY',origin=(0,0,4))
r=w0.sketch().rect(200,120).push([(-50,20)]).circle(4,mode='s').finalize().extrude(20).cut(w1.sketch().push([(-50,20)]).circle(8).finalize().extrude(10))"""
    ruler, part, judge = judged(plate)
    bare = (block(200, 120, -10, 10),)
    normals = ruler.normals.directions
    walls = round_walls(ruler.points, normals, 2, part.grid.levels, ruler.size, 0.0, judge.per_area)
    body = judge.build(with_bores(bare, [wall for wall in walls if wall.radius < 5], part.grid, judge))
    assert through_holes(body) == 1
    assert body.volume() == pytest.approx(build(parse(plate)).volume(), rel=1e-3)
