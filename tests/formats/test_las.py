"""LAS, written by laspy."""

import laspy
import numpy as np
import pytest

from cadrecode.cloud import read_cloud
from cadrecode.errors import PointCloudError


@pytest.fixture
def las(tmp_path, points):
    header = laspy.LasHeader(point_format=3, version="1.2")
    header.scales, header.offsets = np.full(3, 1e-4), points.mean(axis=0)
    data = laspy.LasData(header)
    data.x, data.y, data.z = points.T
    data.write(tmp_path / "a.las")
    return tmp_path / "a.las"


def test_scaled_coordinates(las, points):
    cloud = read_cloud(las)
    np.testing.assert_allclose(cloud.points, points, atol=5.1e-5)  # half of the file's own step
    assert cloud.announced == 100


def test_cut_short(las):
    data = las.read_bytes()
    las.write_bytes(data[: -34 * 10 - 5])
    with pytest.raises(PointCloudError, match="announces 100 points but holds 89"):
        read_cloud(las)


@pytest.mark.parametrize(("keep", "words"), [(100, "damaged LAS header"), (0, "not a LAS scan")])
def test_no_las(las, keep, words):
    las.write_bytes(las.read_bytes()[:keep] or b"x" * 400)
    with pytest.raises(PointCloudError, match=words):
        read_cloud(las)
