"""Which side points lie on, where it is hard to say."""

import numpy as np
import pytest

from cadrecode.cloud.signed import signed_distance, signed_nearest
from cadrecode.program import build, mesh_of, parse

HEAD = "import cadquery as cq\nw0=cq.Workplane('XY')\n"


def solid(line):
    return mesh_of(build(parse(HEAD + line)))


def test_points_one_millimetre_outside_of_a_box_are_at_plus_one_and_inside_at_minus_one():
    box = solid("r=w0.workplane(offset=0/2).moveTo(0,0).box(20,10,6)")
    rng = np.random.default_rng(0)
    half = np.array([10, 5, 3])
    for axis in range(3):
        points = rng.uniform(-1, 1, (200, 3)) * (half - 1)
        for side in (-1, 1):
            points[:, axis] = side * (half[axis] + 1)
            np.testing.assert_allclose(signed_distance(points, *box), 1)
            points[:, axis] = side * (half[axis] - 1)
            np.testing.assert_allclose(signed_distance(points, *box), -1)


def test_beside_edges_and_corners_the_side_is_still_right():
    box = solid("r=w0.workplane(offset=0/2).moveTo(0,0).box(20,10,6)")
    corner = np.array([[10.0, 5, 3]])
    assert signed_distance(corner + 1, *box) == pytest.approx(3**0.5)
    assert signed_distance(corner - (1, 2, 3), *box) == pytest.approx(-1)
    # a wedge of 11 degrees: behind its edge, one of both faces looks away from the point
    wedge = solid("r=w0.sketch().segment((0,-2),(20,0)).segment((0,2)).close().assemble().finalize().extrude(10)")
    behind = np.array([[21.0, 0.3, 5], [21.0, -0.3, 5], [25.0, 2.0, 5]])
    np.testing.assert_allclose(signed_distance(behind, *wedge), np.linalg.norm(behind - (20, 0, 5), axis=1))


def test_a_point_in_a_bore_is_outside():
    plate = solid("r=w0.sketch().push([(0,0)]).rect(40,20).push([(5,0)]).circle(4,mode='s').finalize().extrude(5)")
    assert signed_distance(np.array([[5.0, 0, 2.5]]), *plate)[0] == pytest.approx(4, rel=0.01)
    assert signed_distance(np.array([[0.0, 0, 2.5]]), *plate)[0] == pytest.approx(-1, rel=0.02)


def test_the_nearest_place_is_as_far_as_the_distance_says():
    box = solid("r=w0.workplane(offset=0/2).moveTo(0,0).box(20,10,6)")
    points = np.random.default_rng(0).uniform(-15, 15, (300, 3))
    signed, places = signed_nearest(points, *box)
    np.testing.assert_allclose(np.linalg.norm(points - places, axis=1), np.abs(signed))
    np.testing.assert_allclose(signed_distance(places, *box), 0, atol=1e-9)


def test_a_mesh_without_faces_is_refused():
    with pytest.raises(ValueError, match="no surface"):
        signed_distance(np.zeros((1, 3)), np.zeros((0, 3)), np.zeros((0, 3), int))
