"""Closer outlines of what stands, and features by the walls of their outlines."""

import numpy as np
import pytest

from cadrecode.measure.features import numbers_of
from cadrecode.measure.grid import Grid
from cadrecode.measure.outlined import outlined, resketched, with_outlines
from cadrecode.measure.proposals import Proposal, Survey, region_of
from cadrecode.program.language import Line, Loop, Operation, Rect, SketchStep
from tests.measure.test_gaps import PLATE, SLOT, judge_of, prism

BEVELLED = SketchStep(
    Loop((-100.0, -60.0), tuple(map(Line, [(100.0, -60.0), (100.0, 50.0), (90.0, 60.0), (-100.0, 60.0)])))
)


def survey_of(grid: Grid, *proposed: tuple[SketchStep, bool]) -> Survey:
    """What may be joined, or is only cut, along z."""
    proposals = [
        Proposal(2, (step,), numbers_of((step,)), grid.mask(region_of((step,)).to_polygons(), 2), adds)
        for step, adds in proposed
    ]
    return Survey(grid, np.ones(grid.shape, bool), [], proposals, [])


@pytest.mark.parametrize(("true", "stands"), [(BEVELLED, PLATE.steps[0]), (PLATE.steps[0], BEVELLED)])
def test_an_outline_gives_way_to_the_one_that_its_points_show(true, stands):
    judge, grid = judge_of(prism(Operation.UNION, -2.0, 2.0, true))
    part = survey_of(grid, (PLATE.steps[0], True), (BEVELLED, True), (SketchStep(Rect(100, 60)), True))
    [kept] = resketched((prism(Operation.UNION, -2.0, 2.0, stands),), part, judge)
    assert kept.steps == (true,)


def test_a_pocket_is_cut_whose_walls_have_points_as_deep_as_these_go():
    pocket = prism(Operation.CUT, 0.0, 4.0, SLOT)
    judge, grid = judge_of(PLATE, pocket)
    elsewhere = SketchStep(Rect(14, 6), places=((-30.0, 20.0),))
    (_, cut) = with_outlines((PLATE,), survey_of(grid, (elsewhere, False), (SLOT, False)), judge)
    assert (cut.operation, cut.steps, cut.low) == (Operation.CUT, (SLOT,), 0.0)


def test_a_post_is_joined_and_not_cut():
    post = prism(Operation.UNION, 2.0, 30.0, SketchStep(Rect(20, 20)))
    judge, grid = judge_of(PLATE, post)
    (_, joined) = with_outlines((PLATE,), survey_of(grid, (post.steps[0], True)), judge)
    assert (joined.operation, joined.steps, joined.high) == (Operation.UNION, post.steps, 30.0)


def test_what_was_seen_from_one_side_keeps_its_outlines():
    judge, grid = judge_of(prism(Operation.UNION, -2.0, 2.0, BEVELLED))
    stands, part = (PLATE,), survey_of(grid, (BEVELLED, True))
    assert outlined(stands, part, judge) != stands
    judge.normals = np.abs(judge.normals)
    assert outlined(stands, part, judge) == stands
