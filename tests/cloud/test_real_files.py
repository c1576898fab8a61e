"""Every scan, part and machined block of the measuring data, against trimesh where it reads them too."""

import numpy as np
import pytest
import trimesh

from cadrecode.cloud import farthest_point_sample, normalise, read_cloud, read_mesh
from cadrecode.errors import PointCloudError


def test_every_scan(shared_data):
    files = sorted((shared_data / "scans").iterdir())
    assert len(files) == 9
    for file in files:
        cloud = read_cloud(file)
        loaded = None if file.suffix == ".xyz" else trimesh.load(file, process=False)
        if file.suffix == ".xyz":
            np.testing.assert_array_equal(cloud.points, np.loadtxt(file))
        elif isinstance(loaded, trimesh.PointCloud) or not len(loaded.faces):
            np.testing.assert_array_equal(cloud.points, np.asarray(loaded.vertices, float))
            assert (cloud.kind, cloud.announced) == ("cloud", len(cloud.points))
        else:
            v, f = read_mesh(file)
            assert (cloud.kind, len(cloud.points)) == ("mesh", 8192)
            assert trimesh.Trimesh(v, f, process=False).volume == pytest.approx(loaded.volume)
        assert cloud.warnings == (), file.name
        model, frame = normalise(cloud.points)
        np.testing.assert_allclose(frame.to_raw(model), cloud.points, atol=1e-9)
        assert len(set(farthest_point_sample(cloud.points, 256).tolist())) == 256


def test_every_part(shared_data):
    files = sorted((shared_data / "parts").glob("*.stl"))
    assert len(files) == 20
    for file in files:
        v, f = read_mesh(file)
        mesh, theirs = trimesh.Trimesh(v, f, process=False), trimesh.load(file)
        assert len(f) == len(theirs.faces)
        assert mesh.volume == pytest.approx(theirs.volume)
        assert mesh.is_watertight, file.name
        cloud = read_cloud(file)
        assert (cloud.kind, cloud.points.shape, cloud.warnings) == ("mesh", (8192, 3), ())
        size = mesh.extents.max()
        np.testing.assert_allclose(cloud.points.min(0), mesh.bounds[0], atol=0.03 * size)
        np.testing.assert_allclose(cloud.points.max(0), mesh.bounds[1], atol=0.03 * size)


def test_every_machined_block_reaches_the_kernel_as_it_is(shared_data, cube, kernel):
    kernel.tessellate.return_value = cube
    files = sorted((shared_data / "mfcad").glob("*.step"))
    assert len(files) == 30
    for file in files:
        cloud = read_cloud(file)
        assert (cloud.kind, cloud.name) == ("brep", file.name)
        assert cloud.points.shape == (8192, 3)


def test_a_cut_short_copy_of_a_real_scan(shared_data, tmp_path):
    for name, words in (
        ("scans/machined_part_scan.ply", "announces 82,075 points but holds"),
        ("scans/061_foam_brick.ply", "announces 16,384 faces but holds"),
        ("parts/trimesh__models__plate_holes.stl", "announces 1,252 triangles but holds"),
    ):
        source = shared_data / name
        data = source.read_bytes()
        (tmp_path / source.name).write_bytes(data[: len(data) * 2 // 3])
        with pytest.raises(PointCloudError, match=words):
            read_cloud(tmp_path / source.name)
