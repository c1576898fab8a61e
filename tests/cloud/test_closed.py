"""A closed mesh is used as the solid that it is, any other as points; and the cloud says which."""

import numpy as np
import pytest

from cadrecode.cloud import Cloud, closed, read_cloud
from cadrecode.formats.mesh_write import write_stl
from cadrecode.program import build, from_mesh, mesh_of, parse

TWO_BLOCKS = "import cadquery as cq\nw0=cq.Workplane('XY')\nr=w0.box(4,4,4).union(w0.workplane(offset=10).box(2,2,2))"


def test_a_closed_mesh_keeps_its_triangles(cube):
    cloud = Cloud.of_mesh(*cube)
    np.testing.assert_array_equal(cloud.solid[0], cube[0])
    assert str(cloud.used_as) == "closed mesh: compared by volume"
    assert from_mesh(*cloud.solid).volume() == pytest.approx(48)


def test_an_open_mesh_is_points_and_its_edges_are_counted(cube):
    vertices, faces = cube
    cloud = Cloud.of_mesh(vertices, faces[1:])
    assert cloud.solid is None
    assert str(cloud.used_as) == "the mesh is open (3 edges): treated as points"
    assert len(cloud.points) == 8192


def test_a_mesh_that_is_inside_out_is_turned(cube):
    vertices, faces = cube
    cloud = Cloud.of_mesh(vertices, faces[:, ::-1])
    assert from_mesh(*cloud.solid).volume() == pytest.approx(48)


def test_corners_that_are_written_for_each_face_are_one(cube):
    vertices, faces = cube
    loose = vertices[faces].reshape(-1, 3)
    assert closed.open_edges(loose, np.arange(len(loose)).reshape(-1, 3)) == 0


def test_too_fine_a_mesh_is_a_scan(cube, monkeypatch):
    monkeypatch.setattr(closed, "MOST_FACES", 11)
    cloud = Cloud.of_mesh(*cube)
    assert (cloud.solid, str(cloud.used_as)) == (None, "the mesh has 12 triangles: treated as points")


def test_files_say_what_they_are(tmp_path):
    vertices, faces = mesh_of(build(parse(TWO_BLOCKS)))
    write_stl(tmp_path / "blocks.stl", vertices, faces)
    np.savetxt(tmp_path / "blocks.xyz", read_cloud(tmp_path / "blocks.stl").points)
    solid = from_mesh(*read_cloud(tmp_path / "blocks.stl").solid)
    assert solid.volume() == pytest.approx(72)
    points = read_cloud(tmp_path / "blocks.xyz")
    assert (points.solid, str(points.used_as)) == (None, "points")
