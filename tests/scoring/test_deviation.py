"""Numbers and colours of a cloud against a part."""

import json
from dataclasses import replace

import numpy as np
import pytest
import trimesh

from cadrecode.cloud import Cloud, read_cloud, sample_surface
from cadrecode.frames import Frame
from cadrecode.program import build, mesh_of, parse
from cadrecode.scoring import bounding_boxes, deviation_of, part_report
from cadrecode.scoring.deviation import INSIDE, ON, OUTSIDE, colours

BOX = mesh_of(build(parse("import cadquery as cq\nr=cq.Workplane('XY').box(40,20,10)")))
PLACE = np.array([500.0, 0, -20])


def shell(by: float) -> np.ndarray:
    """Points on the faces of the box, each `by` outside of its face."""
    points, normals = sample_surface(*BOX, 4000, 0)
    return points + by * normals + PLACE


@pytest.mark.parametrize(("by", "bias"), [(1.0, 1.0), (-0.25, -0.25), (0.0, 0.0)])
def test_every_number_of_points_that_lie_evenly_off_is_that_distance(by, bias):
    deviation = deviation_of(shell(by), BOX[0] + PLACE, BOX[1])
    inner = np.abs(shell(0) - PLACE) < np.array([20, 10, 5]) - 0.3  # of points near an edge, another face is nearer
    inside = (inner | np.isclose(np.abs(shell(0) - PLACE), (20, 10, 5))).all(axis=1)
    np.testing.assert_allclose(deviation.signed[inside], bias, atol=1e-9)
    assert deviation.bias == pytest.approx(bias, abs=0.02)
    assert deviation.max == pytest.approx(abs(by), abs=1e-9)
    assert deviation.p95 == pytest.approx(abs(by), abs=1e-9)
    assert deviation.mean <= deviation.rms <= deviation.max + 1e-12


def test_half_out_and_half_in_is_no_bias_and_one_mean():
    deviation = deviation_of(np.concatenate((shell(0.1), shell(-0.1))), BOX[0] + PLACE, BOX[1])
    assert deviation.bias == pytest.approx(0, abs=2e-3)
    assert deviation.mean == pytest.approx(0.1, abs=2e-3)


def test_a_large_cloud_is_thinned_the_same_each_time():
    many = np.tile(shell(0.5), (3, 1))
    first, second = (deviation_of(many, BOX[0] + PLACE, BOX[1], most=1000) for _ in range(2))
    assert first == second
    assert len(first.signed) == 1000
    np.testing.assert_array_equal(first.points, second.points)


def test_the_coloured_cloud_is_read_back_by_us_and_by_trimesh(tmp_path):
    deviation = deviation_of(np.concatenate((shell(1), shell(-1))), BOX[0] + PLACE, BOX[1])
    path = deviation.write_ply(tmp_path / "part_deviation.ply", "mm")
    np.testing.assert_array_equal(read_cloud(path).points, deviation.points)
    shown = np.asarray(trimesh.load(path).colors)[:, :3]
    np.testing.assert_array_equal(
        shown[deviation.signed >= 1], np.broadcast_to(OUTSIDE, (sum(deviation.signed >= 1), 3))
    )
    assert (shown[deviation.signed <= -1] == INSIDE).all()
    assert b"blue -1.00 mm (inside of the part), white 0, red +1.00 mm (outside)" in path.read_bytes()[:400]


def test_colours_diverge_from_white_and_end_at_the_limit():
    shown = colours(np.array([-9, -1, -0.5, 0, 0.5, 1, 9]), 1.0)
    assert shown.dtype == np.uint8
    assert (shown[0] == shown[1]).all()
    assert (shown[1] == INSIDE).all()
    assert (shown[3] == ON).all()
    assert (shown[5] == OUTSIDE).all()
    assert shown[2, 2] > shown[2, 0]
    assert shown[4, 0] > shown[4, 2]
    assert (colours(np.zeros(3), 0.0) == ON).all()  # a perfect fit


def test_boxes_differ_by_a_share_of_the_clouds():
    boxes = bounding_boxes(np.array([[0.0, 0, 0], [10, 20, 0]]), np.array([[0.0, 0, 0], [11, 20, 1]]))
    assert boxes["relative_difference"] == [pytest.approx(0.1), 0, pytest.approx(1 / 20)]
    assert boxes["part"]["size"] == [11, 20, 1]


def test_a_report_says_where_it_comes_from_and_json_takes_it():
    cloud = Cloud(shell(0.1), None, "scan.xyz", "cloud", ("a warning",), 9000)
    deviation = deviation_of(cloud.points, BOX[0] + PLACE, BOX[1])
    report = part_report(cloud, "cm", Frame.of(cloud.points), BOX[0] + PLACE, deviation)
    assert json.loads(json.dumps(report, allow_nan=False)).keys() == report.keys()
    assert report["source"]["points_in_file"] == 9000
    assert report["frame"]["raw_per_code"] == pytest.approx(0.2, rel=0.02)
    assert report["deviation"]["bias"] == pytest.approx(0.1, abs=2e-3)
    assert part_report(replace(cloud, warnings=()), "cm", None, BOX[0], None)["deviation"] is None
