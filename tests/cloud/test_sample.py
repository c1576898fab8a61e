"""Frames, surface sampling and farthest-point sampling, by what must be true of them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cadrecode.cloud import farthest_point_sample, normalise, sample_surface
from cadrecode.errors import PointCloudError


@settings(max_examples=100, deadline=None)
@given(
    arrays.arrays(float, st.tuples(st.integers(1, 50), st.just(3)), elements=st.floats(-1, 1)),
    st.floats(-12, 12),
    st.floats(-1e3, 1e3),
)
def test_normalise_touches_the_cube_and_comes_back(points, power, offset):
    raw = (points + offset) * 10**power
    if np.ptp(raw, axis=0).max() <= 1e-9 * np.abs(raw).max():
        return
    model, frame = normalise(raw)
    assert np.abs(model).max() == pytest.approx(1.0)  # the longest side touches the cube
    np.testing.assert_allclose(model.max(0) + model.min(0), 0, atol=1e-6)
    np.testing.assert_allclose(frame.to_raw(model), raw, rtol=1e-12, atol=1e-12 * np.abs(raw).max())


@pytest.mark.parametrize(
    ("points", "words"),
    [
        (np.zeros((5, 3)), "all 5 points are the same"),
        (np.zeros((0, 3)), "holds no points"),
        (np.zeros((5, 2)), "shape (5, 2); (N, 3) is needed"),
        (np.zeros(3), "shape (3,)"),
        (np.array([[0, 0, 0], [1, 2, np.nan], [np.inf, 0, 0]]), "in 2 of its 3 points, first in row 2"),
        (np.array([["a", "b", "c"]]), "not an array of real numbers"),
        (np.zeros((4, 3), complex), "not an array of real numbers"),
        (np.array([[-1.7e308, 0, 0], [1.7e308, 0, 0]]), "beyond the range of numbers"),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow")
def test_normalise_refuses_in_words(points, words):
    with pytest.raises(PointCloudError) as error:
        normalise(points)
    assert words in str(error.value)


def test_surface_samples_lie_on_the_surface_and_share_it_by_area(cube):
    vertices, faces = cube
    points, normals = sample_surface(vertices, faces, 6000, 0)
    unit = (points - [11, -3, 6]) / [1, 2, 3]  # the box is 2 x 4 x 6
    np.testing.assert_allclose(np.abs(unit).max(axis=1), 1)
    axis = np.abs(normals).argmax(axis=1)
    np.testing.assert_allclose(np.abs(normals).max(axis=1), 1)
    rows = np.arange(6000)
    np.testing.assert_allclose(unit[rows, axis], normals[rows, axis])  # outward, and of the face the point is on
    shares = np.bincount(axis, minlength=3) / 6000
    np.testing.assert_allclose(shares, np.array([24, 12, 8]) / 44, atol=0.002)
    # even within a face: the four quarters of the x faces
    on_x = unit[axis == 0][:, 1:]
    quarters = np.bincount((on_x > 0) @ [1, 2], minlength=4) / len(on_x)
    np.testing.assert_allclose(quarters, 0.25, atol=0.03)


def test_surface_samples_are_seeded_and_in_random_order(cube):
    a, b, c = (sample_surface(*cube, 500, seed)[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(a, b)
    assert not np.array_equal(a, c)
    first = sample_surface(*cube, 4000, 0)[1][:400]
    assert len(np.unique(first, axis=0)) == 6  # the first tenth sees every side


def test_triangles_without_area_get_no_points():
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [2, 0, 0]], float)
    points, normals = sample_surface(vertices, [[0, 1, 3], [0, 1, 2], [0, 0, 0]], 100, 0)
    assert np.isfinite(points).all()
    np.testing.assert_array_equal(normals, np.tile([0, 0, 1.0], (100, 1)))
    with pytest.raises(PointCloudError, match="1 triangles and no area"):
        sample_surface(vertices, [[0, 1, 3]], 10, 0)


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_any_unit_of_length(cube, scale):
    vertices, faces = cube
    points, normals = sample_surface(vertices * scale, faces, 1000, 0)
    expected, expected_normals = sample_surface(vertices, faces, 1000, 0)
    np.testing.assert_allclose(points / scale, expected)
    np.testing.assert_allclose(normals, expected_normals)


def slow_farthest(points, n, start):
    chosen = [start]
    while len(chosen) < n:
        distance = np.linalg.norm(points[:, None] - points[chosen][None], axis=2).min(axis=1)
        chosen.append(int(distance.argmax()))
    return chosen


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 120), st.integers(0, 999))
def test_farthest_points_are_the_farthest(n, seed):
    points = np.random.default_rng(seed).standard_normal((n, 3)) + 100  # off-centre: float32 must not suffer
    count = min(n, 20)
    chosen = farthest_point_sample(points, count, seed)
    assert chosen.dtype == np.int64
    assert chosen.tolist() == slow_farthest(points, count, chosen[0])


def test_the_start_is_random_and_seeded(points):
    starts = [farthest_point_sample(points, 1, seed)[0] for seed in range(50)]
    assert starts == [farthest_point_sample(points, 1, seed)[0] for seed in range(50)]
    assert len(set(starts)) > 25


def test_fewer_different_points_than_asked_for_repeat_in_order(points):
    few = np.repeat(points[:10], 3, axis=0)
    chosen = farthest_point_sample(few, 25)
    assert len(np.unique(few[chosen[:10]], axis=0)) == 10
    np.testing.assert_array_equal(chosen[10:20], chosen[:10])
    np.testing.assert_array_equal(chosen[20:], chosen[:5])
    np.testing.assert_array_equal(
        farthest_point_sample(np.ones((5, 3)), 4), np.full(4, farthest_point_sample(np.ones((5, 3)), 1))
    )
