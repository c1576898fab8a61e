"""Geometry by what must be true of it: areas by formula, welding by counts, points where the area is."""

import numpy as np
import pytest

from cadrecode.geometry import (
    area_vectors,
    face_normals,
    farthest_points,
    fold_into_triangle,
    is_simple,
    places_on,
    polygon_area,
    square_to,
    three_cornered,
    unit,
    weld,
)

SQUARE = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], float)


def test_a_zero_vector_has_no_direction_and_stays_zero():
    np.testing.assert_array_equal(unit(np.array([[0.0, 0, 0], [0, -3, 4]])), [[0, 0, 0], [0, -0.6, 0.8]])


@pytest.mark.parametrize(
    ("corners", "simple"),
    [
        ([(0, 0), (4, 0), (4, 3), (0, 3)], True),
        ([(0, 3), (4, 3), (4, 0), (0, 0)], True),
        ([(0, 0), (2, 0), (4, 0), (0, 3)], True),
        ([(0, 0), (4, 0), (0, 3), (4, 3)], False),
        ([(0, 0), (4, 0), (4, 3), (2, 0), (0, 3)], False),
        ([(0, 0), (4, 0), (4, 5), (4, 3), (0, 3)], False),
    ],
    ids=["ccw", "cw", "straight corner", "crossing", "touching", "spur"],
)
def test_a_polygon_that_crosses_or_touches_itself_is_not_simple(corners, simple):
    assert is_simple(np.array(corners, float), 1e-3) is simple


@pytest.mark.parametrize("axis", [(1, 0, 0), (0, 0, -1), (0.6, 0, 0.8), (3**-0.5, 3**-0.5, 3**-0.5)])
def test_two_directions_across_an_axis_make_a_right_handed_frame_with_it(axis):
    frame = np.column_stack((square_to(np.array(axis)), axis))
    np.testing.assert_allclose(frame.T @ frame, np.eye(3), atol=1e-12)
    assert np.linalg.det(frame) == pytest.approx(1)


def test_area_of_a_polygon_is_signed():
    assert polygon_area(np.array([[0, 0], [4, 0], [4, 3]])) == 6
    assert polygon_area(np.array([[4, 3], [4, 0], [0, 0]])) == -6


def test_normals_and_areas():
    faces = np.array([[0, 1, 2], [0, 3, 2], [0, 1, 1]])
    np.testing.assert_array_equal(face_normals(SQUARE, faces), [[0, 0, 1], [0, 0, -1], [0, 0, 0]])
    for scale in (1e-200, 1, 1e200):  # the range of numbers is never left
        np.testing.assert_allclose(area_vectors(SQUARE * scale, faces), [[0, 0, 1], [0, 0, -1], [0, 0, 0]])


def test_welding_joins_what_lies_in_one_place():
    corners = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 0, 0], [1, 1, 0], [-0.0, 1, 0]])
    vertices, number = weld(corners)
    assert len(vertices) == 4
    np.testing.assert_array_equal(vertices[number], corners)
    nearly = corners + np.random.default_rng(0).uniform(0, 1e-4, corners.shape)
    assert len(weld(nearly)[0]) == 6
    assert len(weld(nearly, 1e-2)[0]) == 4
    assert weld(np.empty((0, 3)), 0.1)[0].shape == (0, 3)
    np.testing.assert_array_equal(three_cornered(np.array([[0, 1, 2], [0, 1, 1], [2, 1, 2]])), [[0, 1, 2]])


def test_places_follow_the_area_and_never_fall_on_a_triangle_without_one():
    corners = np.array(
        [SQUARE[[0, 0, 0]], SQUARE[[0, 1, 2]], SQUARE[[1, 1, 1]], 2 * SQUARE[[0, 2, 3]], SQUARE[[0, 0, 0]]]
    )
    areas = np.array([0, 0.5, 0, 2, 0])
    shares = np.append(np.linspace(0, 1, 1000, endpoint=False), 1.0)  # 1.0: where rounding may end
    points, chosen = places_on(corners, areas, shares, fold_into_triangle(np.random.default_rng(0).random((2, 1001))))
    assert np.bincount(chosen, minlength=5).tolist() == [0, 200, 0, 801, 0]
    x, y, z = points.T
    assert (z == 0).all()
    assert (y[chosen == 1] <= x[chosen == 1]).all()
    assert (y[chosen == 3] >= x[chosen == 3]).all()


@pytest.mark.parametrize("size", [60, 9000])  # many clouds at a time, and one
def test_a_batch_is_its_clouds(size):
    clouds = np.random.default_rng(0).standard_normal((5, size, 3)).astype(np.float32)
    clouds[2] = clouds[2, 0]  # one repeated point among good clouds
    starts = np.array([3, 1, 4, 1, 5])
    chosen = farthest_points(clouds, 16, starts)
    assert (chosen.shape, chosen.dtype) == ((5, 16), np.int64)
    for cloud, start, row in zip(clouds, starts, chosen):
        np.testing.assert_array_equal(row, farthest_points(cloud[None], 16, np.array([start]))[0])
    np.testing.assert_array_equal(chosen[2], np.full(16, 4))
    with pytest.raises(ValueError, match=r"\(B, N, 3\)"):
        farthest_points(clouds[0], 4, starts)
