"""Distances between clouds and surfaces by what must be true of them."""

import numpy as np
import pytest

from cadrecode.cloud import sample_surface
from cadrecode.cloud.distance import CloudRuler, point_to_surface
from cadrecode.cloud.normals import outward_normals
from cadrecode.program import build, mesh_of, parse

HEAD = "import cadquery as cq\nw0=cq.Workplane('XY')\n"
BLOCK = HEAD + "r=w0.workplane(offset=0/2).moveTo(0,0).box(200,100,40)"
HALF_BLOCK = HEAD + "r=w0.workplane(offset=0/2).moveTo(-50,0).box(100,100,40)"
PLATE = HEAD + "r=w0.sketch().rect(200,100).push([(60,0)]).circle(20,mode='s').finalize().extrude(20,both=True)"


def cloud_distance(points, vertices, faces):
    return CloudRuler(points).distance(vertices, faces)


def mesh(text):
    return mesh_of(build(parse(text)))


def surface(text, n=4096, seed=3):
    return sample_surface(*mesh(text), n, seed)[0]


def test_point_to_surface_is_exact_over_faces_edges_corners_and_from_inside():
    points = [(0, 0, 25), (103, 4, 0), (103, 54, 0), (101, 52, 22), (0, 0, 0), (100, 0, 0)]
    np.testing.assert_allclose(point_to_surface(np.array(points), *mesh(BLOCK)), [5, 3, 5, 3, 20, 0], atol=1e-9)


def test_a_mesh_without_faces_is_an_error_not_a_distance():
    with pytest.raises(ValueError, match="without faces"):
        point_to_surface(np.zeros((1, 3)), np.zeros((3, 3)), np.zeros((0, 3), int))


def test_the_surface_that_made_the_cloud_is_at_distance_zero():
    assert cloud_distance(surface(PLATE), *mesh(PLATE)) < 0.01


def test_a_surface_moved_off_the_cloud_is_farther_the_more_it_moves():
    points, (vertices, faces) = surface(BLOCK), mesh(BLOCK)
    ruler = CloudRuler(points)
    distances = [ruler.distance(vertices + np.array([0, 0, shift]), faces) for shift in (0, 1, 2, 4, 8)]
    assert distances == sorted(distances)
    assert distances[-1] > 10 * distances[0] + 1


def test_surface_that_no_point_supports_counts():
    points, (vertices, faces) = surface(HALF_BLOCK), mesh(BLOCK)
    assert point_to_surface(points[points[:, 0] < -1], vertices, faces).max() < 1e-9  # every point lies on the block,
    assert cloud_distance(points, vertices, faces) > 15  # half of which has no points


def test_distance_has_the_unit_of_the_cloud():
    points, (vertices, faces) = surface(BLOCK), mesh(PLATE)
    in_mm = cloud_distance(points, vertices, faces)
    assert cloud_distance(points / 1000, vertices / 1000, faces) == pytest.approx(in_mm / 1000)


def test_repeated_and_many_points_change_little():
    few, (vertices, faces) = surface(BLOCK), mesh(PLATE)
    distance = cloud_distance(few, vertices, faces)
    assert cloud_distance(np.repeat(few, 3, axis=0), vertices, faces) == pytest.approx(distance, rel=0.1)
    assert cloud_distance(surface(BLOCK, 50_000), vertices, faces) == pytest.approx(distance, rel=0.2)


def test_the_first_points_of_a_ruler_are_of_the_whole_part_where_a_scanner_wrote_line_after_line():
    points = surface(PLATE, 30_000)
    lines = points[np.argsort(points[:, 2])]  # the bottom first
    ruler = CloudRuler(lines, outward_normals(lines))
    assert len(ruler.all_points) == 30_000
    first = ruler.all_points[:10_000]
    assert abs((first[:, 2] > 19.9).mean() - (points[:, 2] > 19.9).mean()) < 0.02
    up = ruler.all_normals.directions[:10_000][first[:, 2] > 19.9]
    assert np.median(up[:, 2]) > 0.99, "each point keeps its normal"


def test_gaps_are_positive_outside_and_negative_inside():
    points = np.array([(0, 0, 25), (103, 4, 0), (0, 0, 18), (99, 0, 0)], float)
    np.testing.assert_allclose(CloudRuler(points).measure(*mesh(BLOCK)).gaps, [5, 3, -2, -1], atol=1e-9)


def test_an_inside_out_surface_is_at_no_distance_and_on_the_wrong_side():
    points, (vertices, faces) = surface(BLOCK), mesh(BLOCK)
    blind, seeing = CloudRuler(points), CloudRuler(points, outward_normals(points))
    assert blind.distance(vertices, faces[:, ::-1]) == pytest.approx(blind.distance(vertices, faces), abs=0.01)
    assert seeing.distance(vertices, faces) < 0.05
    measured = seeing.measure(vertices, faces[:, ::-1])
    assert measured.distance > 4
    assert np.median(measured.agreement) < -0.99
    assert np.median(measured.unsupported) >= seeing.spacing  # points that face the other way support nothing


def test_a_coarse_ruler_tells_much_the_same():
    points, (vertices, faces) = surface(BLOCK, 8192), mesh(PLATE)
    ruler = CloudRuler(points, outward_normals(points))
    coarse = ruler.coarse(512, 256)
    assert (len(coarse.points), len(coarse.measure(vertices, faces).samples)) == (512, 256)
    assert coarse.distance(vertices, faces) == pytest.approx(ruler.distance(vertices, faces), rel=0.3)
