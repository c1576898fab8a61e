"""Pictures: what a browser gets is the part, the right way up and in one piece."""

import json
import struct

import numpy as np
import pytest

from cadrecode import geometry, pictures
from cadrecode.program import build, mesh_of, parse
from cadrecode.ui.draw import show
from cadrecode.ui.draw.glb import VIEW_DIAGONAL

BOX = "import cadquery as cq\nr=cq.Workplane('XY').box(40,20,10)"


@pytest.fixture
def box():
    return mesh_of(build(parse(BOX)))


def read_glb(path):
    """The document, and each accessor as an array."""
    data = path.read_bytes()
    magic, version, length = struct.unpack_from("<4sII", data)
    assert (magic, version, length) == (b"glTF", 2, len(data))
    size, kind = struct.unpack_from("<I4s", data, 12)
    assert kind == b"JSON"
    document = json.loads(data[20 : 20 + size])
    blob = data[20 + size + 8 :]
    arrays = []
    for accessor in document["accessors"]:
        view = document["bufferViews"][accessor["bufferView"]]
        kind = np.float32 if accessor["componentType"] == 5126 else np.uint32
        raw = np.frombuffer(blob, kind, view["byteLength"] // 4, view["byteOffset"])
        arrays.append(raw.reshape(accessor["count"], -1))
    return document, arrays


def positions(path):
    document, arrays = read_glb(path)
    return [arrays[mesh["primitives"][0]["attributes"]["POSITION"]] for mesh in document["meshes"]]


def test_z_of_the_part_is_up_in_the_viewer(box, tmp_path):
    solid, _ = positions(show.scene(tmp_path / "a.glb", mesh=box))
    scale = VIEW_DIAGONAL / np.linalg.norm((40, 20, 10))
    np.testing.assert_allclose(np.ptp(solid, axis=0), np.array((40, 10, 20)) * scale, rtol=1e-5)
    np.testing.assert_allclose(solid.max(0) + solid.min(0), 0, atol=1e-6)


@pytest.mark.parametrize(("scale", "shift"), [(1e-4, 0.0), (1.0, 5e3), (2e5, -1e6)])
def test_parts_of_any_size_and_place_fill_the_same_view(box, tmp_path, scale, shift):
    vertices, faces = box
    solid, _ = positions(show.scene(tmp_path / "a.glb", mesh=(vertices * scale + shift, faces)))
    assert np.linalg.norm(np.ptp(solid, axis=0)) == pytest.approx(VIEW_DIAGONAL, rel=1e-3)


def test_the_cloud_lies_where_the_part_is(box, tmp_path):
    corners = np.array([(x, y, z) for x in (-20, 20) for y in (-10, 10) for z in (-5, 5)], float)
    solid, _, cloud = positions(show.scene(tmp_path / "a.glb", mesh=box, points=corners, extent=corners))
    middle = cloud.reshape(8, 6, 3).mean(1)  # of each octahedron
    np.testing.assert_allclose(np.sort(middle, axis=0), np.sort(np.unique(solid, axis=0), axis=0), atol=1e-5)


def test_a_view_stays_in_place_when_layers_come_and_go(box, tmp_path):
    points = np.array([(-30.0, 0, 0), (30, 0, 0)])
    with_points = positions(show.scene(tmp_path / "a.glb", mesh=box, points=points, extent=points))[0]
    without = positions(show.scene(tmp_path / "b.glb", mesh=box, extent=points))[0]
    np.testing.assert_array_equal(with_points, without)


def test_indices_stay_inside_and_the_file_names_its_bounds(box, tmp_path):
    document, arrays = read_glb(show.scene(tmp_path / "a.glb", mesh=box, points=box[0]))
    for mesh in document["meshes"]:
        primitive = mesh["primitives"][0]
        place = primitive["attributes"]["POSITION"]
        assert arrays[primitive["indices"]].max() < len(arrays[place])
        np.testing.assert_allclose(document["accessors"][place]["min"], arrays[place].min(0), rtol=1e-6)


def test_a_box_has_twelve_edges_and_a_cylinder_only_its_rims(box):
    edges, outward = pictures.sharp_edges(*box, geometry.face_normals(*box))
    assert len(edges) == 12
    assert ((outward * box[0][edges].mean(1)).sum(1) > 0).all()
    tube = mesh_of(build(parse("import cadquery as cq\nr=cq.Workplane('XY').cylinder(10,8)")))
    edges, _ = pictures.sharp_edges(*tube, geometry.face_normals(*tube))
    assert np.allclose(np.abs(tube[0][edges][:, :, 2]), 5)  # none along the wall


def test_at_most_so_many_points_are_drawn(tmp_path):
    points = np.random.default_rng(0).normal(size=(50_000, 3))
    (cloud,) = positions(show.scene(tmp_path / "a.glb", points=points))
    assert len(cloud) == 6 * show.MAX_POINTS_SHOWN


def test_each_point_has_its_colour(tmp_path):
    points = np.array([(0.0, 0, 0), (1, 0, 0), (2, 0, 0), (3, 0, 0)])
    colours = np.array([(59, 76, 192), (180, 4, 38), (59, 76, 192), (240, 240, 240)], np.uint8)
    path = show.scene(tmp_path / "a.glb", points=points, colours=colours)
    document, _ = read_glb(path)
    middles = {}
    for mesh, layer in zip(document["meshes"], positions(path)):
        factor = document["materials"][mesh["primitives"][0]["material"]]["pbrMetallicRoughness"]["baseColorFactor"]
        middles[tuple(np.round(factor[:3], 2))] = len(layer) // 6
    assert sorted(middles.values()) == [1, 1, 2]
    blue = next(colour for colour, count in middles.items() if count == 2)
    assert blue[2] > 0.4 > blue[0]


def test_small_pictures_show_something_in_the_middle(box):
    part = np.asarray(pictures.small_picture(box, pixels=80).convert("L"))
    cloud = np.asarray(pictures.small_picture(None, box[0], pixels=80).convert("L"))
    assert part.shape == (80, 80)
    assert part[40, 40] < 250
    assert part[0, 0] == 255
    assert cloud.min() < 250
