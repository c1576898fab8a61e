"""A part that was turned is found to be turned; one that was not is left alone."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from cadrecode.cloud import axes, make_shape, sample_surface
from cadrecode.cloud.align import Standing, align
from cadrecode.errors import PointCloudError
from cadrecode.invent.draw import invent
from cadrecode.program import build, mesh_of, parse

HEAD = "import cadquery as cq\nw0=cq.Workplane('XY')\nw1=cq.Workplane('YZ')\n"
BRACKET = (
    HEAD + "r=w0.workplane(offset=-30).box(200,100,20).union(w1.workplane(offset=-90).box(100,100,20))"
    ".cut(w0.workplane(offset=0).moveTo(40,10).cylinder(200,20))"
)
SHAFT = (
    HEAD + "r=w0.workplane(offset=-50).cylinder(100,40).union(w0.workplane(offset=20).cylinder(60,25))"
    ".union(w0.workplane(offset=75).cylinder(50,60))"
)
NOISE = 0.01  # of the longest side


def cloud_of(text, *, noise=0.0, count=8192, seed=0):
    vertices, faces = mesh_of(build(parse(text)))
    points, normals = sample_surface(vertices, faces, count, seed)
    size = np.ptp(points, axis=0).max()
    return points + np.random.default_rng(seed).normal(size=points.shape) * noise * size, normals


def askew(result, truth):
    """Degrees between the axes of two rotations, whichever of them is called x."""
    result = np.eye(3) if result is None else result
    return float(np.degrees(axes.angle(axes.nearest_to_identity(truth.T @ result))))


@pytest.mark.parametrize(("noise", "within"), [(0, 0.05), (NOISE, 0.5)])
@pytest.mark.parametrize("seed", range(3))
def test_a_turned_bracket_is_found_by_its_faces(noise, within, seed):
    points, _ = cloud_of(BRACKET, noise=noise, seed=seed)
    truth = Rotation.random(random_state=seed).as_matrix()
    result = align(points @ truth.T * 3.7 + (100, -5, 1e4))
    assert result.standing is Standing.TURNED
    assert askew(result.rotation, truth) < within
    np.testing.assert_allclose(result.rotation.T @ result.rotation, np.eye(3), atol=1e-12)
    assert np.linalg.det(result.rotation) == pytest.approx(1)
    assert str(result) == f"turned by {result.degrees:.1f} degrees"


@pytest.mark.parametrize(("noise", "within"), [(0, 0.05), (NOISE, 0.5)])
def test_the_files_own_normals_do_as_well(noise, within):
    points, normals = cloud_of(BRACKET, noise=noise)
    truth = Rotation.from_euler("zyx", (30, 20, 10), degrees=True).as_matrix()
    flipped = normals * np.where(np.arange(len(normals)) % 3, 1, -1)[:, None]
    assert askew(align(points @ truth.T, flipped @ truth.T).rotation, truth) < within


@pytest.mark.parametrize("degrees", [1, 5, 12.3, 30, 44])
def test_of_24_ways_to_stand_upright_it_takes_the_nearest(degrees):
    points, _ = cloud_of(BRACKET)
    truth = Rotation.from_rotvec(np.radians(degrees) * np.array((0, 0, 1))).as_matrix()
    result = align(points @ truth.T)
    assert result.degrees == pytest.approx(degrees, abs=0.1)
    np.testing.assert_allclose(result.rotation, truth, atol=0.002)


@pytest.mark.parametrize("noise", [0, NOISE])
@pytest.mark.parametrize("seed", range(2))
def test_the_axis_of_a_round_part_becomes_an_axis_by_the_smallest_turn(noise, seed):
    points, _ = cloud_of(SHAFT, noise=noise, seed=seed)
    truth = Rotation.random(random_state=seed).as_matrix()
    result = align(points @ truth.T)
    axis = truth[:, 2]
    tilt = np.degrees(np.arccos(np.abs(axis).max()))
    assert np.degrees(np.arccos(np.abs(axis @ result.rotation).max())) < 0.5
    assert result.degrees == pytest.approx(tilt, abs=0.5)  # no spin about the axis


@pytest.mark.parametrize("shape", ["torus", "cone"])
def test_what_is_turned_on_a_lathe_has_an_axis_even_without_flat_or_straight_walls(shape):
    cloud = make_shape(shape)
    assert align(cloud.points).rotation is None
    truth = Rotation.from_euler("x", 35, degrees=True).as_matrix()
    result = align(cloud.points @ truth.T)
    assert np.degrees(np.arccos(np.abs(truth[:, 2] @ result.rotation).max())) < 0.5


@pytest.mark.parametrize("noise", [0, NOISE])
@pytest.mark.parametrize("text", [BRACKET, SHAFT], ids=["bracket", "shaft"])
def test_what_is_upright_stays_as_it_is(text, noise):
    points, _ = cloud_of(text, noise=noise)
    assert align(points).standing is Standing.UPRIGHT
    slight = Rotation.from_euler("zx", (0.2, 0.2), degrees=True).as_matrix()
    assert align(points @ slight.T).rotation is None


@pytest.mark.parametrize("seed", range(3))
def test_a_sheet_as_thin_as_its_points_are_apart_is_level(seed):
    sheet, _ = cloud_of(HEAD + "r=w0.workplane().box(190,200,1.5).cut(w0.circle(24).extrude(9,both=True))", seed=seed)
    assert align(sheet, seed=seed).standing is Standing.UPRIGHT
    truth = Rotation.from_euler("xy", (1.5, 2.0), degrees=True).as_matrix()
    assert askew(align(sheet @ truth.T, seed=seed).rotation, truth) < 0.15


def test_slanted_faces_do_not_outvote_the_files_own_axes():
    wedge = (
        HEAD + "r=w0.sketch().segment((-80,-60),(80,-60)).segment((-80,60)).close().assemble().finalize().extrude(30)"
    )
    points, _ = cloud_of(wedge)
    assert align(points).standing is Standing.UPRIGHT


@pytest.mark.slow
def test_of_invented_parts_hardly_any_that_stand_upright_is_turned():
    for seed in range(20):
        vertices, faces = mesh_of(build(invent(np.random.default_rng([3, seed]), "brackets")))
        assert align(sample_surface(vertices, faces, 8192, seed)[0]).rotation is None


def test_a_ball_and_a_blob_say_nothing_and_stay():
    rng = np.random.default_rng(0)
    ball = rng.normal(size=(5000, 3))
    ball /= np.linalg.norm(ball, axis=1, keepdims=True)
    for points in (ball, ball * 1.5 + rng.normal(size=ball.shape) * 0.01, rng.normal(size=(5000, 3)), ball[:5]):
        result = align(points)
        assert result.standing is Standing.UNCLEAR
        assert (result.rotation, result.degrees) == (None, 0)


def test_the_same_seed_gives_the_same_answer():
    points, _ = cloud_of(BRACKET, count=20_000)
    turned = points @ Rotation.random(random_state=1).as_matrix().T
    np.testing.assert_array_equal(align(turned, seed=3).rotation, align(turned, seed=3).rotation)


def test_what_is_no_cloud_is_refused():
    with pytest.raises(PointCloudError, match="shape"):
        align(np.zeros((5, 2)))
