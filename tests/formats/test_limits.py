"""Small files that would swell, and headers that announce more than there is."""

import io
import struct
import zipfile

import numpy as np
import pytest

from cadrecode.cloud import read_cloud
from cadrecode.errors import PointCloudError
from tests.attacks import files, meshes


@pytest.mark.parametrize(
    ("suffix", "make", "words"),
    [
        (".npz", lambda: files.zeros_npz(10**8), "unpacks to"),
        (".npz", lambda: files.zeros_npz(10**6, kind=zipfile.ZIP_BZIP2), "NumPy does not write"),
        (".npz", lambda: meshes.npz({f"{n}.npy": b"" for n in range(999)}), "999 arrays"),
        (".npy", files.NPY["header of 4 GB"], "header is too long"),
        (".npy", files.NPY["largest floats"], "at most 1e+100 are read"),
        (".pcd", files.PCD["compressed: 3 MB unpack to 264 MB"], "unpacks to"),
        (".xyz", lambda: b"1 " * 2_000_000, "a line of more than"),
        (".las", files.LAS["2^31 records of any length"], None),
        (".las", files.LAS["2^32 - 1 points"], "cut short"),
        (".glb", files.GLB["200,000 nodes"], "more than 100,000 parts"),
        (".glb", files.GLB["a node that is its own child"], "two parents"),
        (".glb", files.GLB["a large mesh many times"], "unpacks to"),
        (".glb", files.GLB["JSON nested 100,000 deep"], "damaged glTF"),
        (".3mf", files.THREEMF["vertices that unpack to 300 MB"], "unpacks to"),
        (".3mf", files.THREEMF["groups that double"], "more than 100,000 parts"),
        (".3mf", files.THREEMF["entities"], "document type"),
        (".3mf", files.THREEMF["tags nested a million deep"], "nested too deeply"),
        (".3mf", files.THREEMF["bzip2"], "no readable"),
        (".obj", files.OBJ["an index of 4,000 digits"], "three numbers or more"),
        (".off", files.OFF["an index of 4,000 digits"], "not numbers of faces"),
        (".ply", files.PLY["a face of nan corners"], "PLY does not know"),
        (".ply", files.PLY["no end of the header"], "without an end"),
    ],
)
def test_what_would_swell_is_refused_in_words(tmp_path, suffix, make, words):
    (tmp_path / f"a{suffix}").write_bytes(make())
    if words is None:
        assert len(read_cloud(tmp_path / f"a{suffix}").points) == 40
        return
    with pytest.raises(PointCloudError) as error:
        read_cloud(tmp_path / f"a{suffix}")
    assert words in str(error.value)
    assert len(str(error.value)) < 1000


@pytest.mark.slow
def test_a_cloud_that_does_not_fit_its_allowance_is_thinned_with_a_word(tmp_path):
    rng = np.random.default_rng(0)
    file = io.BytesIO()
    np.savez(file, points=rng.integers(0, 255, (6_000_000, 3), np.uint8))
    (tmp_path / "a.npz").write_bytes(file.getvalue())
    cloud = read_cloud(tmp_path / "a.npz")
    assert cloud.announced == 6_000_000
    assert 1_500_000 < len(cloud.points) < 4_000_000
    assert "holds 6,000,000 points" in cloud.warnings[0]


def test_many_triangles_at_one_edge_are_no_solid(tmp_path):
    from cadrecode.errors import ProgramError
    from cadrecode.program.solid import from_mesh

    with pytest.raises(ProgramError, match="meet in one edge"):
        from_mesh(np.eye(3), np.tile([[0, 1, 2], [2, 1, 0]], (200, 1)))


def test_a_glb_with_its_buffer_in_text_and_a_strip(tmp_path):
    (tmp_path / "a.glb").write_bytes(files.GLB["data in text"]())
    assert read_cloud(tmp_path / "a.glb").kind == "mesh"
    strip = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]], "<f4")
    tree = meshes.scene(
        meshes=[{"primitives": [{"attributes": {"POSITION": 0}, "mode": 5}]}],
        accessors=[{"bufferView": 0, "componentType": 5126, "count": 4, "type": "VEC3"}],
        bufferViews=[{"buffer": 0, "byteLength": 48}],
    )
    (tmp_path / "b.glb").write_bytes(meshes.glb(tree, strip.tobytes()))
    assert read_cloud(tmp_path / "b.glb").points[:, :2].max() == pytest.approx(1, abs=0.05)


def test_las_1_4_with_wide_records(tmp_path):
    rows = np.zeros(50, [("xyz", "<i4", 3), ("rest", "V30")])
    rows["xyz"] = np.arange(150).reshape(50, 3)
    data = files.las(
        50, minor=4, kind=6, record=42, start=375 + 99, scales=(0.5, 1, 2), body=bytes(99) + rows.tobytes()
    )
    assert struct.unpack_from("<I", data, 96) == (474,)
    (tmp_path / "a.las").write_bytes(data)
    np.testing.assert_allclose(read_cloud(tmp_path / "a.las").points, rows["xyz"] * np.array([0.5, 1, 2]))
