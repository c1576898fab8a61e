"""Distances of the places of a face from its points, and the points around gaps."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from cadrecode.measure.emptiness import Emptiness

PIXEL = 0.25


@pytest.fixture(scope="module")
def points() -> np.ndarray:
    """One to the unit of area but for two discs, of radii 4 and 1.5."""
    places = np.random.default_rng(4).uniform(0, 60, (3600, 2))
    return places[(np.hypot(*(places - (20, 30)).T) > 4) & (np.hypot(*(places - (45, 12)).T) > 1.5)]


def test_places_know_how_far_the_nearest_point_is(points):
    empty = Emptiness.of(points, (0, 0, 60, 60), PIXEL)
    places = np.stack(np.meshgrid(empty.u, empty.v, indexing="ij"), axis=-1)
    exact, _ = cKDTree(points).query(places)
    assert (empty.away >= exact - 1e-9).all()
    assert np.abs(empty.away - exact).max() < 2 * PIXEL


def test_the_points_around_a_wide_gap_are_kept_and_few_others(points):
    around = Emptiness.of(points, (0, 0, 60, 60), PIXEL).around_gaps(points, np.zeros(len(points), bool), 3.0, 1.0)
    away = np.hypot(*(points - (20, 30)).T)
    assert around[away < 4.3].all()
    assert not around[away > 8].any()


def test_a_narrow_gap_counts_where_a_lost_point_is_beside_it(points):
    empty, away = Emptiness.of(points, (0, 0, 60, 60), PIXEL), np.hypot(*(points - (45, 12)).T)
    lost = away < 1.9
    assert lost.any()
    assert not empty.around_gaps(points, np.zeros(len(points), bool), 3.0, 1.2)[lost].any()
    assert empty.around_gaps(points, lost, 3.0, 1.2)[lost].all()


def test_a_face_narrower_than_a_pixel_has_one_row_of_places():
    assert Emptiness.of(np.array(((0.05, 3.0), (0.02, 8.0))), (0, 0, 0.1, 10), PIXEL).away.shape == (1, 40)
