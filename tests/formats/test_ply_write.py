"""What we write, others read, and so do we."""

import numpy as np
import pytest
import trimesh

from cadrecode.cloud import read_cloud
from cadrecode.errors import PointCloudError
from cadrecode.formats.ply_write import write_ply

POINTS = np.random.default_rng(0).normal(size=(500, 3)) + np.array([7e5, 0, -3e-6])


def columns():
    shades = np.arange(500, dtype=np.uint8)
    return {"red": shades, "green": shades[::-1], "blue": shades, "deviation": np.linspace(-1, 1, 500, dtype="f4")}


def test_our_own_reader_gives_back_every_bit(tmp_path):
    path = write_ply(tmp_path / "a.ply", POINTS, columns(), ["unit mm"])
    np.testing.assert_array_equal(read_cloud(path).points, POINTS)
    assert read_cloud(path).warnings == ()


def test_trimesh_reads_points_and_colours(tmp_path):
    cloud = trimesh.load(write_ply(tmp_path / "a.ply", POINTS, columns()))
    np.testing.assert_allclose(cloud.vertices, POINTS)
    np.testing.assert_array_equal(np.asarray(cloud.colors)[:, 1], np.arange(500, dtype=np.uint8)[::-1])


def test_the_header_is_what_viewers_look_for(tmp_path):
    header = write_ply(tmp_path / "a.ply", POINTS, columns(), ["unit mm"]).read_bytes().split(b"end_header\n")[0]
    lines = header.decode("ascii").splitlines()
    assert lines[:4] == ["ply", "format binary_little_endian 1.0", "comment unit mm", "element vertex 500"]
    assert lines[4:] == [
        "property double x", "property double y", "property double z",
        "property uchar red", "property uchar green", "property uchar blue", "property float deviation",
    ]  # fmt: skip


def test_a_column_of_another_length_is_refused(tmp_path):
    with pytest.raises(PointCloudError, match="Column red"):
        write_ply(tmp_path / "a.ply", POINTS, {"red": np.zeros(3, np.uint8)})
