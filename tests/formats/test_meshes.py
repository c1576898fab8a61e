"""STL, OBJ and OFF: the same solid from each, and what each does when it is damaged."""

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from cadrecode.cloud import read_cloud, read_mesh
from cadrecode.errors import PointCloudError


@pytest.fixture
def write(tmp_path):
    def write(data: bytes | str, name: str):
        (tmp_path / name).write_bytes(data.encode() if isinstance(data, str) else data)
        return tmp_path / name

    return write


def volume_and_check(v, f) -> float:
    mesh = trimesh.Trimesh(v, f, process=False)
    assert (v.dtype, f.dtype) == (np.float64, np.int64)
    assert mesh.is_watertight
    return mesh.volume


@pytest.mark.parametrize("kind", ["stl", "stl_ascii", "obj", "off"])
def test_what_trimesh_writes(write, cube, kind):
    data = trimesh.Trimesh(*cube, process=False).export(file_type=kind)
    v, f = read_mesh(write(data, f"a.{kind.split('_')[0]}"))
    assert volume_and_check(v, f) == pytest.approx(48)
    np.testing.assert_allclose([v.min(0), v.max(0)], [[10, -5, 3], [12, -1, 9]])
    assert len(v) == 8


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 60), st.integers(0, 999))
def test_binary_stl_keeps_every_triangle(tmp_path_factory, n, seed):
    corners = np.random.default_rng(seed).integers(-2, 3, (n, 3, 3)).astype(float)  # many equal, zeros of both signs
    file = tmp_path_factory.mktemp("s") / "a.stl"
    file.write_bytes(stl(corners * np.where(np.random.default_rng(seed).random(corners.shape) < 0.5, 1, 1.0)))
    if not np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1).any():
        return
    v, f = read_mesh(file)
    np.testing.assert_array_equal(v[f], corners)
    assert len(np.unique(v, axis=0)) == len(v)


def stl(corners: np.ndarray, announced: int | None = None, head: bytes = b"made for a test") -> bytes:
    rows = np.zeros(len(corners), [("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attributes", "<u2")])
    rows["corners"] = corners
    return (
        head.ljust(80, b" ") + (len(corners) if announced is None else announced).to_bytes(4, "little") + rows.tobytes()
    )


def test_stl_binary_that_begins_with_solid(write, cube):
    v, f = cube
    assert volume_and_check(
        *read_mesh(write(stl(v[f], head=b"solid facet by some exporter"), "a.stl"))
    ) == pytest.approx(48)


def test_stl_says_what_follows_the_triangles(write, cube):
    v, f = cube
    cloud = read_cloud(write(stl(v[f]) + b"\0" * 30, "a.stl"))
    assert "30 bytes after the triangles" in cloud.warnings[0]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (lambda c: stl(c)[:-1], "announces 12 triangles but holds 11"),
        (lambda c: stl(c, head=b"solid x")[:-200], "announces 12 triangles but holds 8"),
        (lambda c: stl(c)[:84], "announces 12 triangles but holds 0"),
        (lambda c: stl(c[:0]), "holds no triangles"),
        (lambda c: stl(c * 0), "12 triangles, all without area"),
        (lambda c: stl(np.where(c == 12, np.nan, c)), "NaN or infinite coordinates in"),
        (lambda c: b"<!DOCTYPE html><html><body>sign in</body></html>" + b" " * 200, "holds a web page (HTML)"),
        (lambda c: b"PK\x03\x04" + b"\0" * 200, "holds a zip archive"),
        (lambda c: b"just a few words", "not an STL mesh"),
        (lambda c: b"ply\nformat ascii 1.0\n" + b" " * 99, "holds a PLY file. Rename it to a.ply"),
    ],
)
def test_damaged_stl(write, cube, data, words):
    v, f = cube
    with pytest.raises(PointCloudError) as error:
        read_cloud(write(data(v[f]), "a.stl"))
    assert words in str(error.value)


def test_damaged_ascii_stl(write, cube):
    text = trimesh.Trimesh(*cube, process=False).export(file_type="stl_ascii")
    cut = text.index("outer", len(text) // 2)
    for data, words in (
        (text[:cut], "triangles but holds"),
        (text[: text.rindex("endsolid")], "without 'endsolid'"),
        (text.replace("vertex", "vert", 1), "12 triangles but 35 corners"),
        (text.replace("vertex", "vertex up", 1), "a corner that is not three numbers"),
        ("solid nothing\nendsolid nothing\n", "holds no triangles"),
    ):
        with pytest.raises(PointCloudError, match=words):
            read_cloud(write(data, "a.stl"))


def test_two_solids_in_one_ascii_stl(write, cube):
    text = trimesh.Trimesh(*cube, process=False).export(file_type="stl_ascii")
    other = trimesh.Trimesh(cube[0] + 100, cube[1], process=False).export(file_type="stl_ascii")
    v, f = read_mesh(write(text + "\n" + other.upper(), "a.stl"))
    assert volume_and_check(v, f) == pytest.approx(96)


OBJ = "# comment\nmtllib none.mtl\no part\nv 0 0 0\nv 4 0 0 1 0 0\nv 4 4 0\nv 0 4 0\nvn 0 0 1\nvt 0 0\n"


@pytest.mark.parametrize(
    "face", ["f 1 2 3 4", "f 1/1 2/1 3/1 4/1", "f 1//1 2//1 3//1 4//1", "f -4 -3 -2 -1", "f 1 2 \\\n3 4"]
)
def test_obj_faces_however_they_are_written(write, face):
    v, f = read_mesh(write(OBJ + face + "\n", "a.obj"))
    assert trimesh.Trimesh(v, f, process=False).area == pytest.approx(16)


def test_meshes_without_faces_are_clouds(write, points):
    obj = "".join(f"v {x!r} {y!r} {z!r}\n" for x, y, z in points.tolist())
    off = f"OFF\n{len(points)} 0 0\n" + "".join(f"{x!r} {y!r} {z!r}\n" for x, y, z in points.tolist())
    for data, name in ((obj, "a.obj"), (off, "a.off")):
        cloud = read_cloud(write(data, name))
        np.testing.assert_array_equal(cloud.points, points)
        assert (cloud.kind, cloud.announced) == ("cloud", 100)
        with pytest.raises(PointCloudError, match="no faces"):
            read_mesh(write(data, name))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (OBJ + "f 1 2 9\n", "names vertices 0, 1, 8, but there are 4"),
        (OBJ + "f 0 1 2\n", "names vertices -1"),
        (OBJ + "f 1 2\n", "line 10 is 'f 1 2'"),
        (OBJ + "v 1 2\n", "line 10 is 'v 1 2'"),
        (OBJ + "v 1 2 e\n", "line 10 is 'v 1 2 e'"),
        ("# nothing\n", "no line begins with 'v'"),
        ("<html></html>", "web page"),
    ],
)
def test_damaged_obj(write, text, words):
    with pytest.raises(PointCloudError) as error:
        read_cloud(write(text, "a.obj"))
    assert words in str(error.value)


def off(cube, head="OFF\n8 12 0\n", tail="") -> str:
    v, f = cube
    rows = [" ".join(map(str, row)) + tail for row in v] + [f"3 {a} {b} {c}" for a, b, c in f]
    return head + "\n".join(rows) + "\n"


@pytest.mark.parametrize(
    ("head", "tail"), [("OFF 8 12 0\n", ""), ("OFF8 12 0\n", ""), ("# c\nCOFF\n\n8 12 18 # n\n", " 255 0 0 255")]
)
def test_off_dialects(write, cube, head, tail):
    assert volume_and_check(*read_mesh(write(off(cube, head, tail), "a.off"))) == pytest.approx(48)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t[: t.rindex("3 ")], "announces 12 faces but holds 11"),
        (lambda t: t[:-3], "announces 12 faces but holds 11"),
        (lambda t: "\n".join(t.split("\n")[:6]), "announces 8 vertices but holds 4"),
        (lambda t: t.replace("8 12 0", "many"), "does not say how many"),
        (lambda t: t.replace("8 12", "9 12"), "announces 12 faces but holds 11"),
        (lambda t: t.replace("10.0", "ten", 1), "not numbers of vertices"),
        (lambda t: t.replace("OFF", "ON"), "does not begin with OFF"),
        (lambda t: "OFF", "does not say how many"),
    ],
)
def test_damaged_off(write, cube, change, words):
    with pytest.raises(PointCloudError) as error:
        read_cloud(write(change(off(cube)), "a.off"))
    assert words in str(error.value)
