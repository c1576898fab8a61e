"""Estimated normals against those of the surface that the points were drawn from."""

import numpy as np
import pytest

from cadrecode.cloud import sample_surface
from cadrecode.cloud.normals import checked_directions, given_normals, local_noise, outward_normals
from cadrecode.program import build, mesh_of, parse

HEAD = "import cadquery as cq\nw0=cq.Workplane('XY')\n"
TUBE = HEAD + "r=w0.sketch().circle(60).circle(40,mode='s').finalize().extrude(200)"
CHANNEL = HEAD + "r=w0.sketch().rect(120,80).push([(0,20)]).rect(60,60,mode='s').finalize().extrude(200)"
PLATE = HEAD + "r=w0.workplane(offset=0/2).box(200,150,12)"
DEEP = HEAD + "r=w0.sketch().rect(150,60).push([(-40,0)]).circle(17,mode='s').finalize().extrude(200)"


def surface(text, n=4096):
    return sample_surface(*mesh_of(build(parse(text))), n, 0)


@pytest.mark.parametrize("text", [TUBE, CHANNEL, PLATE])
@pytest.mark.parametrize("noise", [0.0, 1.0])
def test_normals_point_outward_also_in_bores_and_on_both_sides_of_a_plate(text, noise):
    points, true = surface(text)
    points = points + noise * np.random.default_rng(0).standard_normal(points.shape)
    result = outward_normals(points)
    cosines = np.einsum("ij,ij->i", result.directions, true)
    assert np.mean(cosines > 0) > (0.97 if noise == 0 else 0.93)
    assert np.median(cosines) > (0.999 if noise == 0 else 0.9)
    assert np.mean(cosines[result.confidence > 0.5] > 0) > 0.95


def test_turning_and_moving_the_cloud_turns_the_normals():
    points, _ = surface(TUBE, 1024)
    turn = np.linalg.qr(np.random.default_rng(3).standard_normal((3, 3)))[0]
    here, there = outward_normals(points), outward_normals(points @ turn.T * 0.01 + (5, 6, 7))
    assert np.mean(np.einsum("ij,ij->i", here.directions @ turn.T, there.directions) > 0.99) > 0.93
    assert there.noise == pytest.approx(0.01 * here.noise, abs=1e-6)


def test_points_beyond_those_that_are_looked_at_follow_their_neighbours():
    points, true = surface(TUBE, 9000)
    result = outward_normals(points)
    assert np.mean(np.einsum("ij,ij->i", result.directions, true) > 0) > 0.97
    assert result.directions.shape == (9000, 3)


def test_noise_is_seen_from_the_points_alone():
    points, _ = surface(PLATE, 8192)
    rng = np.random.default_rng(0)
    assert outward_normals(points).noise < 0.05
    assert 0.7 < outward_normals(points + rng.normal(0, 1, points.shape)).noise < 1.5


def test_a_wall_thinner_than_its_points_are_apart_is_no_noise():
    sheet = np.random.default_rng(0).uniform(-100, 100, (8192, 3))
    sheet[:, 2] = np.where(np.arange(8192) % 2, 0.5, -0.5)
    assert outward_normals(sheet).noise < 0.25  # true noise begins to matter there, in a cloud of this size


def test_a_handful_of_points_and_a_flat_sheet_claim_nothing():
    assert not outward_normals(np.eye(3)).confidence.any()
    sheet = np.column_stack((np.random.default_rng(0).random((100, 2)), np.zeros(100)))
    result = outward_normals(sheet)
    assert result.confidence.max() < 0.5
    np.testing.assert_allclose(np.abs(result.directions), np.tile((0, 0, 1), (100, 1)), atol=1e-9)


def test_the_normals_of_a_file_are_believed_where_they_are_numbers():
    points, true = surface(PLATE, 64)
    true[0], true[1] = 0, np.nan
    result = given_normals(points, 5 * true)
    np.testing.assert_array_equal(result.confidence, [0, 0, *[1] * 62])
    np.testing.assert_allclose(result.directions[2:], true[2:])


def test_normals_that_point_inwards_are_turned_about_and_those_that_point_to_both_sides_are_left_out():
    points, true = surface(PLATE, 4096)
    assert checked_directions(points, true) == (pytest.approx(true), [])
    turned, said = checked_directions(points, -3 * true)
    np.testing.assert_allclose(turned, 3 * true)
    assert said == ["The normals of the file point into the part: they were turned about."]
    either = np.random.default_rng(0).choice((-1, 1), (4096, 1))
    assert checked_directions(points, true * either) == (
        None,
        ["The normals of the file point to both sides: others were estimated."],
    )
    unknown = np.where(np.arange(4096)[:, None] % 2, true, np.nan)
    assert checked_directions(points, unknown)[1] == []
    assert checked_directions(points[:9], -true[:9])[1] == [], "nine points make no surface"


@pytest.mark.parametrize("n", [2048, 8192])
def test_points_deep_in_a_narrow_hole_claim_nothing_rather_than_the_wrong_side(n):
    points, true = surface(DEEP, n)
    result = outward_normals(points)
    wrong = np.einsum("ij,ij->i", result.directions, true) < 0
    sure = result.confidence >= 0.5
    assert np.mean(wrong & sure) < 0.01
    assert np.mean(sure) > 0.8


def test_thin_fins_are_no_noise():
    """Walls and gaps as narrow as the spacing of the points: every patch holds points of several faces."""
    fins = "".join(f".union(cq.Workplane('XY').box(3.6,130,70).translate(({9 * i},0,36)))" for i in range(13))
    program = f"import cadquery as cq\nr=cq.Workplane('XY').box(112,130,4).translate((54,0,0)){fins}"
    points, _ = surface(program, 8192)
    assert local_noise(points) < 1e-6


def test_next_to_edges_and_in_sheets_a_normal_is_that_of_its_own_face():
    """A box of thin walls: nearly all of its patches hold points of two faces or more."""
    box = HEAD + "r=w0.sketch().rect(200,120).rect(194,114,mode='s').finalize().extrude(40).union(w0.box(200,120,3))"
    points, true = surface(box, 8192)
    cosines = np.abs(np.einsum("ij,ij->i", outward_normals(points).directions, true))
    assert np.mean(cosines > 0.99) > 0.92


def test_walls_that_no_eye_sees_learn_their_side_from_those_beside_them():
    """The walls of a slot that is far deeper than wide."""
    slot = HEAD + "r=w0.sketch().rect(120,60).push([(0,10)]).rect(100,8,mode='s').finalize().extrude(200)"
    slot += ".union(w0.box(120,60,10))"
    points, true = surface(slot, 8192)
    wrong = np.einsum("ij,ij->i", outward_normals(points).directions, true) < 0
    assert np.mean(wrong) < 0.01
