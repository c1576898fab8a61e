"""What is hidden from one side is left out, and normals are those of the part."""

import numpy as np
import pytest

from cadrecode.data.batches import EncodedPair, Views
from cadrecode.data.dataset import make_pair
from cadrecode.data.views import seen_from_a_side, view, visible_from, with_normals

HEAD = "import cadquery as cq\n"
CUBE = HEAD + "r=cq.Workplane('XY').box(200,200,200)"
PIPE = HEAD + "r=cq.Workplane('XY').circle(100).circle(60).extrude(80)"


@pytest.fixture(scope="module")
def cube():
    return make_pair("cube", CUBE)


def test_the_far_side_of_a_cube_is_hidden(cube):
    points = cube.points.astype(np.float64)
    seen = np.zeros(len(points), bool)
    seen[visible_from(points, np.array([0.0, 0.0, 6.0]))] = True
    top = points[:, 2] > 0.999
    assert seen[top].mean() > 0.99
    below = points[:, 2] < 0.9  # at the rim, the steep sides are seen
    assert seen[below].mean() < 0.002
    seen[:] = False
    seen[visible_from(points, np.array([4.0, 5.0, 6.0]))] = True
    away = (points < -0.999).any(axis=1)
    near = (points > 0.999).any(axis=1)
    assert seen[near & ~away].mean() > 0.97
    assert seen[away & ~near].mean() < 0.02


def test_a_view_lacks_a_side_and_has_the_box_of_the_part(cube):
    points = cube.points.astype(np.float32)
    shares = []
    for seed in range(8):
        chosen = seen_from_a_side(points, np.random.default_rng(seed))
        shares.append(len(chosen) / len(points))
        assert np.ptp(points[chosen], axis=0) == pytest.approx([2, 2, 2], abs=0.05)
    assert min(shares) < 0.6, "three of six sides at least are hidden from one place"
    assert np.mean(np.array(shares) < 0.9) > 0.5


def test_a_share_of_clouds_is_partial_and_none_without_the_setting(cube):
    entry = EncodedPair(cube, np.zeros(2, np.int32))
    whole = Views([entry], 256, seed=3)
    partial = Views([entry], 256, seed=3, partial_probability=0.5)

    def sides(cloud):
        return sum(((sign * cloud[:, axis]) > 0.999).mean() > 0.05 for axis in range(3) for sign in (-1, 1))

    assert all(sides(whole[epoch]["point_cloud"]) == 6 for epoch in range(10))
    lacking = [sides(partial[epoch]["point_cloud"]) < 6 for epoch in range(24)]
    assert 0.2 < np.mean(lacking) < 0.7
    assert all(partial[epoch]["point_cloud"].shape == (256, 3) for epoch in range(5))


def test_further_points_are_all_that_is_seen(cube):
    points = cube.points.astype(np.float32)
    whole = view(points, 256, np.random.default_rng(0), heard=5000)
    assert whole.shape == (5256, 3)
    assert len(np.unique(whole[256:], axis=0)) == len(np.unique(points, axis=0))
    np.testing.assert_array_equal(whole[:256], view(points, 256, np.random.default_rng(0)))
    partial = view(points, 256, np.random.default_rng(0), one_sided=True, heard=5000)
    assert len(np.unique(partial[256:], axis=0)) < 0.9 * len(points)


def test_normals_point_outward_also_inside_of_a_pipe():
    [pair] = with_normals([make_pair("pipe", PIPE)])
    assert pair.points.shape == (4096, 6)
    points, normals = pair.points[:, :3].astype(float), pair.points[:, 3:].astype(float)
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=2e-3)
    radius = np.linalg.norm(points[:, :2], axis=1)
    radial = np.einsum("ij,ij->i", points[:, :2], normals[:, :2]) / radius
    inner_wall = (radius < 0.61) & (np.abs(points[:, 2]) < 0.39)
    outer_wall = (radius > 0.99) & (np.abs(points[:, 2]) < 0.39)
    assert (radial[inner_wall] < -0.98).all()
    assert (radial[outer_wall] > 0.98).all()
    views = Views([EncodedPair(pair, np.zeros(2, np.int32))], 64, noise_probability=1.0, noise_std=0.1)
    cloud = views[0]["point_cloud"]
    assert cloud.shape == (64, 6)
    np.testing.assert_allclose(np.linalg.norm(cloud[:, 3:], axis=1), 1, atol=2e-3)  # noise moves points alone
