"""What holds for every file: its name, its size, whether it is a cloud at all."""

import numpy as np
import pytest
from manifold3d import Manifold

from cadrecode.cloud import BREP_SUFFIXES, CLOUD_SUFFIXES, MESH_SUFFIXES, read_cloud, read_mesh, sample_surface
from cadrecode.cloud.read import SURFACE_POINTS
from cadrecode.errors import PointCloudError
from cadrecode.program import mesh_of


def test_the_suffixes_promised():
    assert set(CLOUD_SUFFIXES) == {".npy", ".npz", ".txt", ".xyz", ".pts", ".csv", ".ply", ".pcd", ".las"}
    assert set(MESH_SUFFIXES) == {".stl", ".obj", ".off", ".glb", ".3mf"}
    assert set(BREP_SUFFIXES) == {".step", ".stp", ".brep"}


def save(path, points):
    with path.open("wb") as file:  # np.save would add .npy to a name like A.NPY
        np.save(file, points)
    return path


@pytest.mark.parametrize("name", ["零件 扫描.npy", "pièce (1) ☃.npy", "A.NPY", "a.b.Npy"])
def test_any_name(tmp_path, points, name):
    cloud = read_cloud(str(save(tmp_path / name, points)))
    assert cloud.name == name
    np.testing.assert_array_equal(cloud.points, points)


@pytest.mark.parametrize("suffix", [*CLOUD_SUFFIXES, *MESH_SUFFIXES, *BREP_SUFFIXES])
def test_an_empty_file_and_noise_are_refused_by_every_reader(tmp_path, suffix, kernel):
    file = tmp_path / f"a{suffix}"
    file.write_bytes(b"")
    with pytest.raises(PointCloudError, match="empty"):
        read_cloud(file)
    rng = np.random.default_rng(0)
    for data in (rng.bytes(5000), b"\n" * 500, b"<html>hello</html>", b"\0" * 500, b"\x93NUMPY", b"PK", b"\xff\xfe"):
        file.write_bytes(data)
        with pytest.raises(PointCloudError) as error:
            read_cloud(file)
        kernel.tessellate.assert_not_called()
        assert file.name in str(error.value)


@pytest.mark.parametrize("suffix", [".docx", "", ".step2", ".laz"])
def test_an_unknown_extension_names_the_known_ones(tmp_path, suffix):
    (tmp_path / f"a{suffix}").write_text("x")
    with pytest.raises(PointCloudError) as error:
        read_cloud(tmp_path / f"a{suffix}")
    for known in [suffix or "no extension", *CLOUD_SUFFIXES, *MESH_SUFFIXES, *BREP_SUFFIXES]:
        assert known in str(error.value)


def test_missing_files_folders_and_impossible_names(tmp_path, points):
    save(tmp_path / "sample.npy", points)
    (tmp_path / "folder.ply").mkdir()
    for path, words in (
        (tmp_path / "smaple.npy", r"does not exist\. Did you mean sample\.npy\?"),
        (tmp_path / "nowhere" / "a.npy", "There is no folder"),
        (tmp_path / "folder.ply", r"is a folder\. Name one file in it"),
        (tmp_path, "is a folder"),
        ("a\0b.npy", "does not exist|cannot be read"),
    ):
        with pytest.raises(PointCloudError, match=words):
            read_cloud(path)
        with pytest.raises(PointCloudError, match=words):
            read_mesh(path)


@pytest.mark.parametrize(
    ("points", "words"),
    [
        (np.tile([1.0, 2, 3], (500, 1)), r"repeats one point, \(1, 2, 3\), 500 times.*32 different points"),
        (np.arange(93.0).reshape(31, 3), "has 31 different points. At least 32"),
        (np.tile(np.arange(93.0).reshape(31, 3), (9000, 1)), "has 31 different points among 279,000"),
        (np.ones((1, 3)), "has 1 different point. At"),
        (
            np.vstack([np.random.default_rng(0).random((60, 3)), [[0, np.inf, 0]]]),
            "in 1 of its 61 points, first in row 61",
        ),
    ],
)
def test_too_little_to_be_a_part(tmp_path, points, words):
    with pytest.raises(PointCloudError, match=words):
        read_cloud(save(tmp_path / "a.npy", points))


def test_thirty_two_points_are_enough_wherever_they_stand(tmp_path):
    points = np.zeros((200_000, 3))
    points[-31:] = np.random.default_rng(0).random((31, 3)) + 1
    assert len(read_cloud(save(tmp_path / "a.npy", points)).points) == 200_000


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e90])
def test_flat_and_straight_clouds_are_allowed_with_a_warning(tmp_path, scale):
    rng = np.random.default_rng(0)
    turn = np.linalg.qr(rng.standard_normal((3, 3)))[0]  # in any direction, not only along the axes
    solid = rng.uniform(-1, 1, (300, 3))
    for factors, words in (
        ([1, 1, 1], None),
        ([1, 1, 0], "in one plane"),
        ([1, 0, 0], "on one line"),
        ([1, 1, 1e-3], None),
    ):
        cloud = read_cloud(save(tmp_path / "a.npy", (solid * factors @ turn + 5) * scale))
        if words is None:
            assert cloud.warnings == ()
        else:
            assert words in " ".join(cloud.warnings)


def test_normals_that_point_into_the_part_are_turned_about_and_it_is_said(tmp_path):
    points, normals = sample_surface(*mesh_of(Manifold.cube((3, 2, 1))), 2000, 0)
    for sign, warnings in ((1, ()), (-1, ("The normals of the file point into the part: they were turned about.",))):
        np.savetxt(tmp_path / "a.xyz", np.hstack((points, sign * normals)))
        cloud = read_cloud(tmp_path / "a.xyz")
        np.testing.assert_allclose(cloud.normals, normals, atol=1e-9)
        assert cloud.warnings == warnings


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".xyz", ".ply", ".pcd"])
def test_too_many_points_are_thinned_and_said(tmp_path, monkeypatch, suffix):
    """With a limit of 5,000 instead of 20 million, and blocks of 1,000, so that thinning happens on the way."""
    for module in ("rows", "arrays", "number_lines", "ply", "pcd"):
        monkeypatch.setattr(f"cadrecode.formats.{module}.ROWS_PER_BLOCK", 1000)
    n = 40_000
    points = np.column_stack([np.arange(n), np.arange(n) % 7, np.arange(n) % 11]).astype(np.float32)
    file = tmp_path / f"a{suffix}"
    head = f"element vertex {n}\nproperty float x\nproperty float y\nproperty float z\nend_header\n"
    match suffix:
        case ".npy":
            save(file, points)
        case ".npz":
            np.savez(file, points=points, normals=points)
        case ".xyz":
            np.savetxt(file, points, "%d")
        case ".ply":
            file.write_bytes(b"ply\nformat binary_little_endian 1.0\n" + head.encode() + points.tobytes())
        case ".pcd":
            head = f"FIELDS x y z\nSIZE 4 4 4\nTYPE F F F\nWIDTH {n}\nHEIGHT 1\nDATA binary\n"
            file.write_bytes(head.encode() + points.tobytes())
    monkeypatch.setattr("cadrecode.cloud.read.MAX_POINTS", 5000)
    clouds = [read_cloud(file, seed=seed) for seed in (1, 1, 2)]
    a, b, c = (cloud.points for cloud in clouds)
    np.testing.assert_array_equal(a, b)
    assert not np.array_equal(a, c)
    assert clouds[0].announced == n
    assert "holds 40,000 points; 5,000 of them, drawn at random" in clouds[0].warnings[0]
    rows = a[:, 0].astype(int)
    np.testing.assert_array_equal(a, points[rows])  # real rows, whole
    assert (np.diff(rows) > 0).all()  # in the file's order, none twice
    np.testing.assert_allclose(np.histogram(rows, 10, (0, n))[0], 500, atol=100)  # from all over the file


def test_exactly_the_limit_is_kept_whole(tmp_path, points, monkeypatch):
    monkeypatch.setattr("cadrecode.cloud.read.MAX_POINTS", 100)
    cloud = read_cloud(save(tmp_path / "a.npy", points))
    assert (len(cloud.points), cloud.warnings) == (100, ())


STEP = "ISO-10303-21;\nHEADER;\nENDSEC;\nDATA;\nENDSEC;\nEND-ISO-10303-21;\n"
BREP = "DBRep_DrawableShape\n\nCASCADE Topology V1, (c) Matra-Datavision\n"


@pytest.mark.parametrize(("name", "text"), [("a.step", STEP), ("A.STP", STEP), ("a.brep", BREP)])
def test_brep_goes_through_the_kernel(tmp_path, cube, kernel, name, text):
    (tmp_path / name).write_text(text)
    kernel.tessellate.return_value = cube
    cloud = read_cloud(tmp_path / name)
    kernel.tessellate.assert_called_once_with(tmp_path / name)
    assert (cloud.kind, cloud.announced, len(cloud.points)) == ("brep", None, SURFACE_POINTS)
    np.testing.assert_allclose(np.abs((cloud.points - [11, -3, 6]) / [1, 2, 3]).max(axis=1), 1)
    v, f = read_mesh(tmp_path / name)
    np.testing.assert_array_equal((v[f]), cube[0][cube[1]])


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.step", STEP[:-10], "without END-ISO-10303-21. The file is cut short"),
        ("a.stp", "<html></html>", "should be a STEP model but holds a web page"),
        ("a.brep", STEP, "holds a STEP model. Rename it to a.step"),
        ("a.brep", "nonsense", "do not name CASCADE Topology"),
    ],
)
def test_wrong_brep_never_reaches_the_kernel(tmp_path, kernel, name, text, words):
    (tmp_path / name).write_text(text)
    with pytest.raises(PointCloudError, match=words):
        read_cloud(tmp_path / name)
    kernel.tessellate.assert_not_called()


def test_a_kernel_that_finds_nothing(tmp_path, kernel):
    kernel.tessellate.return_value = np.empty((0, 3)), np.empty((0, 3), int)
    (tmp_path / "a.step").write_text(STEP)
    with pytest.raises(PointCloudError, match="holds no triangles"):
        read_cloud(tmp_path / "a.step")


def test_read_mesh_wants_a_surface(tmp_path, points):
    with pytest.raises(PointCloudError, match=r"holds points; a surface is needed: \.stl"):
        read_mesh(save(tmp_path / "a.npy", points))


def test_sampling_a_mesh_is_seeded(tmp_path, cube):
    v, f = cube
    text = "".join(f"v {x} {y} {z}\n" for x, y, z in v) + "".join(f"f {a + 1} {b + 1} {c + 1}\n" for a, b, c in f)
    (tmp_path / "a.obj").write_text(text)
    a, b, c = (read_cloud(tmp_path / "a.obj", seed=seed).points for seed in (0, 0, 1))
    assert a.shape == (8192, 3)
    np.testing.assert_array_equal(a, b)
    assert not np.array_equal(a, c)


def test_reading_imports_nothing_heavy():
    import subprocess
    import sys

    code = (
        "import sys, cadrecode.cloud as c; c.make_shape('cube');"
        "print([m for m in ('trimesh', 'torch', 'cadquery', 'laspy', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
