"""PLY: clouds and meshes, three formats, and every place where a file can end too early."""

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from cadrecode.cloud import read_cloud, read_mesh
from cadrecode.errors import PointCloudError

FORMATS = ["ascii", "binary_little_endian", "binary_big_endian"]
_ORDER = {"binary_little_endian": "<", "binary_big_endian": ">"}


def ply(kind: str, points: np.ndarray, faces=None, names="xyz", type_="double", announced=None, face_extra="") -> bytes:
    """A PLY written independently of the reader. `face_extra`: a property line that follows the index list."""
    head = [f"ply\nformat {kind} 1.0\ncomment made for a test\nelement vertex {announced or len(points)}"]
    head += [f"property {type_} {name}" for name in names]
    if faces is not None:
        head += [f"element face {len(faces)}", "property list uchar int vertex_indices"]
        head += [face_extra] if face_extra else []
    out = ("\n".join(head) + "\nend_header\n").encode()
    if kind == "ascii":
        out += "".join(" ".join(f"{v!r}" for v in row) + "\n" for row in points.tolist()).encode()
        tail = " 7" if face_extra else ""
        return out + "".join(f"{len(f)} {' '.join(map(str, f))}{tail}\n" for f in faces or []).encode()
    order = _ORDER[kind]
    out += points.astype(order + {"double": "f8", "float": "f4", "short": "i2"}[type_]).tobytes()
    for face in faces or []:
        out += bytes([len(face)]) + np.array(face, order + "i4").tobytes() + (b"\x07" if face_extra else b"")
    return out


@pytest.fixture
def write(tmp_path):
    def write(data: bytes, name: str = "a.ply"):
        (tmp_path / name).write_bytes(data)
        return tmp_path / name

    return write


@pytest.mark.parametrize("kind", FORMATS)
def test_points_come_back_exactly(write, points, kind):
    cloud = read_cloud(write(ply(kind, points)))
    np.testing.assert_array_equal(cloud.points, points)
    assert (cloud.kind, cloud.announced, cloud.normals, cloud.warnings) == ("cloud", 100, None, ())


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(FORMATS), st.integers(32, 200), st.sampled_from(["float", "double"]), st.integers(0, 999))
def test_round_trip(tmp_path_factory, kind, n, type_, seed):
    points = np.random.default_rng(seed).standard_normal((n, 3)).astype("f4" if type_ == "float" else "f8")
    file = tmp_path_factory.mktemp("p") / "a.ply"
    file.write_bytes(ply(kind, points, type_=type_))
    np.testing.assert_array_equal(read_cloud(file).points, points.astype(float))


@pytest.mark.parametrize("kind", FORMATS)
def test_columns_are_found_by_name(write, points, kind):
    normals = points[::-1] / np.linalg.norm(points[::-1], axis=1, keepdims=True)
    table = np.hstack([np.full((100, 1), 9.0), points[:, ::-1], normals])
    cloud = read_cloud(write(ply(kind, table, names=["quality", "z", "y", "x", "nx", "ny", "nz"])))
    np.testing.assert_array_equal(cloud.points, points)
    np.testing.assert_allclose(cloud.normals, normals)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("extra", ["", "property uchar flags"])
def test_faces_of_any_size(write, cube, kind, extra):
    vertices, triangles = cube
    quads = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
    mixed = [*quads[:3], *triangles[6:].tolist()]
    for faces in (triangles.tolist(), quads, mixed):
        v, f = read_mesh(write(ply(kind, vertices, faces, face_extra=extra)))
        np.testing.assert_array_equal(v, vertices)
        assert f.dtype == np.int64
        assert trimesh.Trimesh(v, f, process=False).volume == pytest.approx(48)


@pytest.mark.parametrize("encoding", ["ascii", "binary"])
def test_a_mesh_by_trimesh_is_sampled_on_its_surface(write, cube, encoding):
    mesh = trimesh.Trimesh(*cube, process=False)
    cloud = read_cloud(write(mesh.export(file_type="ply", encoding=encoding)))
    assert (cloud.kind, len(cloud.points), cloud.announced) == ("mesh", 8192, None)
    in_unit_cube = np.abs((cloud.points - [11, -3, 6]) / [1, 2, 3])
    np.testing.assert_allclose(in_unit_cube.max(axis=1), 1, atol=1e-6)  # text by trimesh keeps eight digits


@pytest.mark.parametrize("kind", FORMATS)
def test_cut_short_anywhere_is_never_a_smaller_cloud(write, points, kind):
    whole = ply(kind, points)
    body = whole.index(b"end_header\n") + len(b"end_header\n")
    for end in range(body, len(whole) - 20, 37):  # in text, losing digits of the last number cannot be seen
        with pytest.raises(PointCloudError, match=r"announces 100 points but holds \d+\. The file is cut short"):
            read_cloud(write(whole[:end]))
    rows = (len(whole) - body) / 100
    if kind != "ascii":
        with pytest.raises(PointCloudError, match="but holds 60"):
            read_cloud(write(whole[: body + int(60.5 * rows)]))


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("quads", [False, True])
def test_cut_short_faces(write, cube, kind, quads):
    faces = cube[1].tolist()
    if quads:
        faces[0] = [0, 1, 3, 2]  # not all of one size: read record by record
    whole = ply(kind, cube[0], faces)
    for drop in (3, 20, 60):
        with pytest.raises(PointCloudError, match=r"announces 12 faces but holds \d+"):
            read_mesh(write(whole[:-drop]))


def test_cut_inside_the_header(write, points):
    whole = ply("ascii", points)
    for end in range(4, whole.index(b"end_header"), 9):
        with pytest.raises(PointCloudError, match=r"inside its header|does not know"):
            read_cloud(write(whole[:end]))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda b: b.replace(b"vertex 100", b"vertex 1000000000000"),
            "announces 1,000,000,000,000 points but holds 100",
        ),
        (lambda b: b.replace(b"vertex 100", b"vertex 0"), "holds no points"),
        (lambda b: b.replace(b"vertex 100", b"vertex -4"), "'element vertex -4', which PLY does not know"),
        (lambda b: b.replace(b"element vertex", b"element camera"), "announces camera, and vertex is needed"),
        (lambda b: b.replace(b"property double z", b"property double w"), "z is missing"),
        (lambda b: b.replace(b"property double z", b"property quad z"), "'property quad z', which PLY does not know"),
        (lambda b: b.replace(b"property double z", b"property list int int z"), "keeps a list in its points"),
        (lambda b: b.replace(b"binary_little_endian 1.0", b"binary_middle_endian 1.0"), "line 2 of the header"),
        (lambda b: b.replace(b"format binary_little_endian 1.0\n", b""), "does not say its format"),
        (lambda b: b"<html><body>not found</body></html>", "holds a web page"),
        (lambda b: b"garbage" * 50, "not a PLY file: it does not begin with 'ply'"),
    ],
)
def test_broken_headers_and_wrong_content(write, points, change, words):
    with pytest.raises(PointCloudError) as error:
        read_cloud(write(change(ply("binary_little_endian", points))))
    assert words in str(error.value)


def test_faces_that_name_missing_vertices(write, cube):
    with pytest.raises(PointCloudError, match=r"triangle 2 names vertices 0, 1, 8, but there are 8 \(0 to 7\)"):
        read_mesh(write(ply("ascii", cube[0], [[0, 1, 2], [0, 1, 8]])))


def test_elements_after_the_points_and_before_them(write, points):
    whole = ply("binary_little_endian", points)
    before = whole.replace(b"element vertex", b"element camera 2\nproperty float fx\nelement vertex").replace(
        b"end_header\n", b"end_header\n" + bytes(8)
    )
    np.testing.assert_array_equal(read_cloud(write(before)).points, points)
    cloud = read_cloud(write(whole + bytes(48)))
    np.testing.assert_array_equal(cloud.points, points)
    assert "48 bytes after what its header announces" in cloud.warnings[0]


def test_a_text_row_that_is_no_point(write, points):
    whole = ply("ascii", points).split(b"\n")
    whole[40] = b"1 2"
    with pytest.raises(PointCloudError, match=r"point 33 is not a row of 3 numbers"):
        read_cloud(write(b"\n".join(whole)))


@pytest.mark.parametrize("kind", FORMATS)
def test_a_scan_that_announces_no_faces_is_a_cloud(write, points, kind):
    whole = ply(kind, points).replace(
        b"end_header", b"element face 0\nproperty list uchar int vertex_indices\nend_header"
    )
    cloud = read_cloud(write(whole))
    np.testing.assert_array_equal(cloud.points, points)
    assert (cloud.kind, cloud.warnings) == ("cloud", ())
    with pytest.raises(PointCloudError, match="no faces"):
        read_mesh(write(whole))
