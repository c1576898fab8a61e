"""Sides that a scanner did not see: found by what is missing, closed by a flat face, and told as a guess."""

import numpy as np
import pytest

from cadrecode.cloud import Cloud, sample_surface
from cadrecode.fit import ruler_for
from cadrecode.measure import closed, from_cloud
from cadrecode.program import build, iou, mesh_of, parse, write
from cadrecode.refine import refine
from cadrecode.scoring.verdict import Verdict
from tests.test_reconstruct import answers, rebuilt

PLATE = (
    "r=cq.Workplane('XY').box(80,60,8).faces('>Z').workplane()"
    ".pushPoints([(-30,-20),(30,-20),(-30,20),(30,20)]).hole(6)"
)
GUESS = "The side that faces -Z was not seen: it is taken for flat."
CUP = "r=cq.Workplane('XY').circle(30).circle(27).extrude(60).union(cq.Workplane('XY').circle(30).extrude(4))"


def points_of(text: str, count: int = 8192, seed: int = 3) -> np.ndarray:
    return sample_surface(*mesh_of(build(parse(text))), count, seed)[0]


def without_bottom(points: np.ndarray) -> np.ndarray:
    return points[points[:, 2] > points[:, 2].min() + 1e-6]


@pytest.mark.parametrize("text", [PLATE, CUP, "r=cq.Workplane('XY').sphere(20)"], ids=["plate", "cup", "ball"])
@pytest.mark.parametrize("noise", [0.0, 0.2])
def test_what_was_seen_from_all_around_lacks_nothing(text, noise):
    points = points_of(text)
    ruler = ruler_for(points + noise * np.random.default_rng(0).standard_normal(points.shape))
    assert closed(ruler) == (ruler, [])


@pytest.mark.parametrize("noise", [0.0, 0.2])
def test_the_bottom_is_missing_and_is_closed_but_for_its_holes(noise):
    points = without_bottom(points_of(PLATE))
    points = points + noise * np.random.default_rng(0).standard_normal(points.shape)
    whole, sides = closed(ruler_for(points))
    assert sides == [(2, -1)]
    added = whole.all_points[len(points) :]
    assert np.abs(added[:, 2] + 4).max() < 0.05 + 2 * noise
    np.testing.assert_array_equal(whole.all_normals.directions[len(points) :], np.tile((0, 0, -1), (len(added), 1)))
    from_holes = np.linalg.norm(np.abs(added[:, :2]) - (30, 20), axis=1)
    assert from_holes.min() > 3 - 1.25, "the radius less a spacing"
    assert np.ptp(added[:, 0]) == pytest.approx(80, abs=2)
    assert len(whole.all_points) == pytest.approx(8192, rel=0.05), "as dense as the cloud"
    assert closed(whole) == (whole, [])


def test_a_plane_and_a_handful_of_points_lack_nothing_that_could_be_closed():
    points = np.random.default_rng(0).uniform(-50, 50, (2000, 3))
    for cloud in (points * (1, 1, 0), points[:4], points[:9], points[:40]):
        ruler = ruler_for(cloud)
        assert closed(ruler) == (ruler, [])


def test_points_that_occur_more_than_once_count_once():
    points = points_of(PLATE)
    repeated = np.concatenate((points, points[:500], np.repeat(points[:1], 300, axis=0)))
    normals = np.tile((0.0, 0.0, 1.0), (len(repeated), 1))
    assert len(ruler_for(repeated).all_points) == len(points)
    assert len(ruler_for(repeated, normals).all_normals.directions) == len(points)
    best, *_ = from_cloud(ruler_for(repeated), seconds=0)
    assert iou(build(best.program), build(parse(PLATE))) > 0.95


def test_a_fit_leaves_the_side_that_was_not_seen_where_it_is(processor_time):
    points = without_bottom(points_of(PLATE, 2048))
    thinner = write(parse(PLATE)).replace("box(80,60,8)", "box(80,60,7)")
    refined = refine(thinner, Cloud(points, None, "plate.xyz", "cloud"), seconds=3.0)
    assert iou(build(parse(refined.after.program)), build(parse(PLATE))) > 0.99
    assert refined.after.about["warnings"] == [GUESS]


@pytest.mark.slow
def test_a_plate_scanned_on_a_table_is_a_plate_with_its_holes_and_a_guess(processor_time):
    points = without_bottom(points_of(PLATE))
    result = rebuilt(Cloud(points, None, "plate.xyz", "cloud"), generate=answers(), source="measured", seconds=8.0)
    part = build(parse(result.best.program))
    assert iou(part, build(parse(PLATE))) > 0.98
    assert part.genus() == 4
    assert result.best.assessment.verdict is Verdict.PARTLY
    assert result.warnings == (GUESS,)
