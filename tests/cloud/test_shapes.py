"""Every shape against a formula of its own: zero on the surface, negative inside. A sample of the volume would fail.

Round faces have facets: their points may lie two thousandths of a mm off the true surface.
"""

import numpy as np
import pytest

from cadrecode.cloud import SHAPES, make_shape
from cadrecode.errors import PointCloudError


def box(size, center=(0, 0, 0), turn=0.0):
    def f(p):
        c, s = np.cos(np.radians(turn)), np.sin(np.radians(turn))
        p = (p - np.array(center)) @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
        return (np.abs(p) - np.array(size) / 2).max(axis=1)

    return f


def rod(radius, low, high, at=(0, 0), axis=2):
    """A cylinder from low to high along an axis, around `at` in the other two axes."""
    others = [k for k in range(3) if k != axis]

    def f(p):
        across = np.hypot(p[:, others[0]] - at[0], p[:, others[1]] - at[1]) - radius
        return np.maximum(across, np.maximum(low - p[:, axis], p[:, axis] - high))

    return f


def cut(solid, *cutters):
    return lambda p: np.max([solid(p), *[-c(p) for c in cutters]], axis=0)


def join(*parts):
    return lambda p: np.min([part(p) for part in parts], axis=0)


def cone(p):
    slope = 20 * (0.5 - p[:, 2] / 40)
    return np.maximum(np.hypot(p[:, 0], p[:, 1]) - slope, np.abs(p[:, 2]) - 20)


def ring(p):
    return np.hypot(np.hypot(p[:, 0], p[:, 1]) - 20, p[:, 2]) - 8


def bolt_holes(p):
    angles = np.arange(6) * np.pi / 3
    return join(*[rod(3, -50, 50, (23 * np.cos(a), 23 * np.sin(a))) for a in angles])(p)


corner_holes = [rod(4, -50, 50, (x, y)) for x in (-32, 32) for y in (-17, 17)]
SOLIDS = {  # name: formula, area in mm2
    "cube": (box((40, 40, 40)), 9600),
    "box": (box((60, 40, 20)), 8800),
    "sphere": (lambda p: np.linalg.norm(p, axis=1) - 20, 1600 * np.pi),
    "cylinder": (rod(15, -20, 20), 1650 * np.pi),
    "cone": (cone, np.pi * 20 * (20 + np.hypot(20, 40))),
    "torus": (ring, 4 * np.pi**2 * 160),
    "tube": (cut(rod(16, -25, 25), rod(11, -99, 99)), 2 * np.pi * (27 * 50 + 16**2 - 11**2)),
    "l_bracket": (
        cut(box((40, 30, 40)), box((40, 40, 40), (5, 0, 5)), rod(4, -99, -10, (5, 0), 2), rod(4, -99, -10, (0, 5), 0)),
        # outside 160 x 30, ends 2 x 375, holes: two discs away and a wall each
        160 * 30 + 750 + 2 * (2 * np.pi * 4 * 5 - 2 * np.pi * 16),
    ),
    "plate_with_holes": (
        cut(box((80, 50, 6)), rod(10, -99, 99), *corner_holes),
        2 * (4000 + 480 + 300) - 2 * np.pi * (100 + 64) + 2 * np.pi * 6 * (10 + 16),
    ),
    "flange": (
        cut(join(rod(30, -4, 4), rod(16, -1, 19)), rod(10, -99, 99), bolt_holes),
        2 * np.pi * (900 - 100 - 54) + 2 * np.pi * (30 * 8 + 16 * 15 + 10 * 23 + 6 * 3 * 8),
    ),
    "stepped_shaft": (
        join(rod(10, -45, -5, axis=0), rod(14, -10, 20, axis=0), rod(8, 5, 45, axis=0)),
        2 * np.pi * (14**2 + 10 * 35 + 14 * 30 + 8 * 25),
    ),
    "hex_nut": (
        lambda p: np.maximum(
            np.max([box((40, 17, 8), turn=60 * k)(p) for k in range(3)], axis=0), 5 - np.hypot(p[:, 0], p[:, 1])
        ),
        2 * (17**2 * np.sqrt(3) / 2 - 25 * np.pi) + 6 * 8 * 17 / np.sqrt(3) + 2 * np.pi * 5 * 8,
    ),
    "u_channel": (
        cut(box((70, 40, 30)), box((80, 32, 30), (0, 0, 4))),
        70 * (40 + 30 + 4 + 26 + 32 + 26 + 4 + 30) + 2 * (40 * 30 - 32 * 26),
    ),
}


ONLY_FLAT_FACES = {"cube", "box", "u_channel"}
FACETS = 2e-3  # mm


def test_every_shape_is_held_to_a_formula():
    assert set(SOLIDS) == set(SHAPES)


@pytest.mark.parametrize("name", SHAPES)
def test_points_lie_on_the_surface_and_normals_point_out_of_it(name):
    cloud = make_shape(name, 4000, seed=3)
    solid = SOLIDS[name][0]
    assert (cloud.kind, cloud.name, cloud.points.shape, cloud.normals.shape) == ("shape", name, (4000, 3), (4000, 3))
    assert np.abs(solid(cloud.points)).max() < (1e-9 if name in ONLY_FLAT_FACES else FACETS)
    np.testing.assert_allclose(np.linalg.norm(cloud.normals, axis=1), 1)
    step = FACETS * cloud.normals
    assert (solid(cloud.points + step) > 0).mean() > 0.999  # at an edge a step may end beside the solid
    assert (solid(cloud.points - step) < 0).mean() > 0.999


@pytest.mark.parametrize("name", SHAPES)
def test_points_are_even_over_the_whole_surface(name):
    """The volume under a shell of known thickness gives the area around every region: counts must follow it."""
    formula, area = SOLIDS[name]
    cloud = make_shape(name, 8192, seed=0)
    low, high = cloud.points.min(axis=0) - 1, cloud.points.max(axis=0) + 1
    shell = np.random.default_rng(0).uniform(low, high, (500_000, 3))
    inner = shell[np.abs(formula(shell)) < 0.05]  # 0.1 thick
    per_point = np.prod(high - low) / 500_000 / 0.1
    if name != "cone":  # the cone's formula is no distance: its side is thinner in it
        assert len(inner) * per_point == pytest.approx(area, rel=0.04)
        middle = (low + high) / 2
        expected = np.bincount((inner > middle) @ [1, 2, 4], minlength=8) / len(inner)
        result = np.bincount((cloud.points > middle) @ [1, 2, 4], minlength=8) / 8192
        np.testing.assert_allclose(result, expected, atol=0.025)


def test_a_cone_has_its_points_where_its_area_is():
    cloud = make_shape("cone", 20_000, seed=1)
    side = cloud.normals[:, 2] > -0.5
    assert side.mean() == pytest.approx(np.hypot(20, 40) / (20 + np.hypot(20, 40)), abs=0.015)
    # a quarter of the side's area lies above half of the height
    assert (cloud.points[side, 2] > 0).mean() == pytest.approx(0.25, abs=0.015)


def test_shapes_are_seeded_and_of_any_size():
    a, b, c = (make_shape("flange", 777, seed).points for seed in (1, 1, 2))
    np.testing.assert_array_equal(a, b)
    assert not np.array_equal(a, c)
    for n in (32, 50_000):
        assert make_shape("hex_nut", n).points.shape == (n, 3)


def test_an_unknown_shape_names_the_known_ones():
    with pytest.raises(PointCloudError, match=r"no shape 'cubed'. Shapes: cube, box, sphere"):
        make_shape("cubed")
