"""Round holes in a cloud along no axis, and bores whose floors lie on their circles."""

import numpy as np
import pytest

from cadrecode.measure.cloud_slanted import with_slanted_bores
from cadrecode.measure.features import Prism, Tilted
from cadrecode.measure.round_walls import round_walls
from cadrecode.program import build, parse
from cadrecode.program.language import Circle, Line, Loop, Operation, Rect, SketchStep
from cadrecode.program.solid import iou, through_holes

from .test_gaps import judge_of, judge_of_body

BLOCK = Prism(Operation.UNION, 2, -30.0, 30.0, (SketchStep(Rect(200, 120)),))


def tilted(degrees: float, low: float, high: float, radius: float, *places: tuple[float, float]) -> Tilted:
    """Holes along a direction that leans from z towards x."""
    sine, cosine = np.sin(np.radians(degrees)), np.cos(np.radians(degrees))
    aside, normal = (float(cosine), 0.0, -float(sine)), (float(sine), 0.0, float(cosine))
    return Tilted(Operation.CUT, aside, normal, low, high, (SketchStep(Circle(radius), places=places),))


def test_a_slanted_hole_in_a_block_is_found_by_the_normals_of_its_wall():
    hole = tilted(35, -120, 120, 12, (0.0, 10.0))
    judge, _ = judge_of(BLOCK, hole)
    (block, cut) = with_slanted_bores((BLOCK,), judge)
    assert block == BLOCK
    assert isinstance(cut, Tilted)
    assert abs(np.dot(cut.normal, hole.normal)) / np.linalg.norm(cut.normal) == pytest.approx(1, abs=1e-6)
    assert cut.steps[0].shape.radius == pytest.approx(12, abs=0.05)
    assert iou(judge.build((block, cut)), judge.build((BLOCK, hole))) > 0.999


def test_small_holes_in_a_slanted_plate_are_found_by_its_faces():
    normal = np.array((np.cos(np.radians(65)), np.sin(np.radians(65))))
    corners = [a * np.array((normal[1], -normal[0])) + b * normal for a, b in ((-90, 0), (90, 0), (90, 6), (-90, 6))]
    start, *others = [tuple(corner.round(3).tolist()) for corner in corners]
    plate = Prism(Operation.UNION, 1, -40.0, 40.0, (SketchStep(Loop(start, tuple(map(Line, others)))),))
    turned = tilted(65, -2, 8, 1.9, (-60.0, -20.0), (-60.0, 20.0), (60.0, 20.0))  # z and x are a sketch's axes
    judge, _ = judge_of(plate, turned)
    (first, cut) = with_slanted_bores((plate,), judge)
    assert first == plate
    assert through_holes(judge.build((plate, cut))) == 3
    assert len(cut.steps[0].places) == 3


def test_a_block_without_holes_has_none_for_its_bevel_and_its_slanted_faces():
    text = "import cadquery as cq\nr = cq.Workplane('XY').box(200, 120, 60).edges('|Y').chamfer(15)"
    judge, _ = judge_of_body(build(parse(text)), (BLOCK,))
    assert with_slanted_bores((BLOCK,), judge) == (BLOCK,)


def test_a_bore_that_becomes_narrower_has_two_walls():
    text = (
        "import cadquery as cq\n"
        "r = cq.Workplane('XY').box(200, 20, 6).cut(cq.Workplane('XY').circle(2.4).extrude(30))"
        ".cut(cq.Workplane('XY', origin=(0, 0, -30)).circle(1).extrude(60))"
    )
    judge, _ = judge_of_body(build(parse(text)), (BLOCK,), count=12_000)
    levels = [np.array([-100.0, 100]), np.array([-10.0, 10]), np.array([-3.0, 3])]  # none of the floor
    walls = round_walls(judge.points, judge.normals, 2, levels, judge.size, 0.0, judge.per_area)
    wide = [wall for wall in walls if wall.radius == pytest.approx(2.4, abs=0.1)]
    assert len(wide) == 1
    assert wide[0].low == pytest.approx(0, abs=0.5)
