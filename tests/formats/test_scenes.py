"""GLB and 3MF: parts in their places, and packings that would be read as zeros."""

import json
import struct
import zipfile

import numpy as np
import pytest
import trimesh

from cadrecode.cloud import read_cloud, read_mesh
from cadrecode.errors import PointCloudError


@pytest.fixture
def scene(cube) -> trimesh.Scene:
    """The same box twice: as it is, and turned and moved."""
    turn = trimesh.transformations.rotation_matrix(np.pi / 2, [0, 0, 1])
    turn[:3, 3] = [100, 0, 0]
    scene = trimesh.Scene()
    scene.add_geometry(trimesh.Trimesh(*cube, process=False), geom_name="box", node_name="first")
    scene.graph.update("second", matrix=turn, geometry="box")
    return scene


def glb(data: bytes, change) -> bytes:
    """The same GLB with its JSON changed."""
    length = struct.unpack("<I", data[12:16])[0]
    tree = json.loads(data[20 : 20 + length])
    change(tree)
    text = json.dumps(tree).encode()
    text += b" " * (-len(text) % 4)
    rest = data[20 + length :]
    return data[:8] + struct.pack("<III", 20 + len(text) + len(rest), len(text), 0x4E4F534A) + text + rest


@pytest.mark.parametrize("kind", ["glb", "3mf"])
def test_every_part_in_its_place(tmp_path, scene, kind):
    file = tmp_path / f"a.{kind}"
    file.write_bytes(scene.export(file_type=kind))
    v, f = read_mesh(file)
    assert (v.dtype, f.dtype, len(f)) == (np.float64, np.int64, 24)
    mesh = trimesh.Trimesh(v, f, process=False)
    assert mesh.volume == pytest.approx(96, rel=1e-6)
    # the second box: x in 100 + (1..5), y in 10..12
    np.testing.assert_allclose(mesh.bounds, [[10, -5, 3], [105, 12, 9]], atol=1e-5)
    cloud = read_cloud(file)
    assert cloud.kind == "mesh"
    assert (cloud.points[:, 0] > 50).mean() == pytest.approx(0.5, abs=0.01)


def test_a_glb_of_points_is_a_cloud(tmp_path, points):
    (tmp_path / "a.glb").write_bytes(trimesh.Scene(trimesh.PointCloud(points)).export(file_type="glb"))
    cloud = read_cloud(tmp_path / "a.glb")
    np.testing.assert_allclose(cloud.points, points, rtol=1e-6)
    assert (cloud.kind, cloud.announced) == ("cloud", 100)


def draco(tree, required=True):
    primitive = tree["meshes"][0]["primitives"][0]
    primitive["extensions"] = {"KHR_draco_mesh_compression": {"bufferView": 0, "attributes": {"POSITION": 0}}}
    del tree["accessors"][primitive["attributes"]["POSITION"]]["bufferView"]
    tree["extensionsUsed"] = ["KHR_draco_mesh_compression"]
    if required:
        tree["extensionsRequired"] = ["KHR_draco_mesh_compression"]


def position(tree) -> dict:
    return tree["accessors"][tree["meshes"][0]["primitives"][0]["attributes"]["POSITION"]]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (draco, "needs Draco compression (KHR_draco_mesh_compression). Export it without compression."),
        (lambda t: draco(t, required=False), "packs its geometry with Draco compression"),
        (lambda t: t.update(extensionsRequired=["EXT_meshopt_compression"]), "not supported (EXT_meshopt_compression)"),
        (lambda t: position(t).update(sparse={}), "sparse accessors"),
        (lambda t: position(t).update(componentType=5122), "rounded integers"),
        (lambda t: t["buffers"][0].update(uri="part.bin"), "another file, part.bin"),
        (lambda t: t.update(meshes=[], nodes=[], scenes=[{"nodes": []}]), "the scene is empty"),
        (lambda t: t.pop("accessors"), "damaged glTF contents"),
    ],
)
def test_what_trimesh_would_read_as_zeros(tmp_path, scene, change, words):
    (tmp_path / "a.glb").write_bytes(glb(scene.export(file_type="glb"), change))
    with pytest.raises(PointCloudError) as error:
        read_cloud(tmp_path / "a.glb")
    assert words in str(error.value)


def test_appearance_extensions_do_no_harm(tmp_path, scene):
    data = glb(scene.export(file_type="glb"), lambda t: t.update(extensionsRequired=["KHR_materials_unlit"]))
    (tmp_path / "a.glb").write_bytes(data)
    assert len(read_mesh(tmp_path / "a.glb")[1]) == 24


@pytest.mark.parametrize("kind", ["glb", "3mf"])
def test_cut_short_anywhere(tmp_path, scene, kind):
    data = scene.export(file_type=kind)
    for end in range(4, len(data), 97):
        (tmp_path / f"a.{kind}").write_bytes(data[:end])
        with pytest.raises(PointCloudError, match="cut short"):
            read_cloud(tmp_path / f"a.{kind}")


@pytest.mark.parametrize("name", ["a.glb", "a.3mf"])
def test_wrong_content(tmp_path, name):
    (tmp_path / name).write_bytes(b"<html>" + b" " * 90)
    with pytest.raises(PointCloudError, match="web page"):
        read_cloud(tmp_path / name)


def test_a_zip_that_is_no_3mf_and_a_damaged_one(tmp_path, scene):
    with zipfile.ZipFile(tmp_path / "a.3mf", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(PointCloudError, match=r"without 3D/3dmodel\.model"):
        read_cloud(tmp_path / "a.3mf")
    (tmp_path / "b.3mf").write_bytes(scene.export(file_type="3mf"))
    with zipfile.ZipFile(tmp_path / "b.3mf") as archive:
        model = max(archive.infolist(), key=lambda entry: entry.compress_size)
    data = bytearray((tmp_path / "b.3mf").read_bytes())
    data[model.header_offset + 30 + len(model.filename) + model.compress_size // 2] ^= 0xFF
    (tmp_path / "b.3mf").write_bytes(data)
    with pytest.raises(PointCloudError, match="damaged package"):
        read_cloud(tmp_path / "b.3mf")
    with zipfile.ZipFile(tmp_path / "c.3mf", "w") as archive:
        archive.writestr("3D/3dmodel.model", "<model><resources></resources></model>")
    with pytest.raises(PointCloudError, match="could not be read as 3MF"):
        read_cloud(tmp_path / "c.3mf")
