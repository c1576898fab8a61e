"""Text clouds: every way people write rows of numbers, and every way they go wrong."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cadrecode.cloud import read_cloud
from cadrecode.errors import PointCloudError


def rows(points: np.ndarray, separator: str = " ") -> str:
    return "".join(separator.join(f"{v!r}" for v in row) + "\n" for row in points.tolist())


@pytest.mark.parametrize(
    "text",
    [
        lambda p: rows(p),
        lambda p: rows(p, "\t"),
        lambda p: rows(p, ","),
        lambda p: rows(p, ", "),
        lambda p: rows(p, ";"),
        lambda p: rows(p, ",").replace("\n", ",\n"),
        lambda p: rows(p).replace("\n", "\r\n"),
        lambda p: rows(p).replace("\n", "\n\n"),
        lambda p: rows(p).rstrip("\n"),
        lambda p: "\ufeff" + rows(p),
        lambda p: "# a comment\n// another\n" + rows(p),
        lambda p: "x y z\n" + rows(p),
        lambda p: "X,Y,Z\n" + rows(p, ","),
        lambda p: '"X [mm]","Y [mm]","Z [mm]"\n' + rows(p, ","),
        lambda p: "//X Y Z\n" + rows(p),
        lambda p: "z,label,y,x\n" + "".join(f"{z!r},a wall,{y!r},{x!r}\n" for x, y, z in p.tolist()),
        lambda p: f"{len(p)}\n" + rows(p),
        lambda p: rows(p, ";").replace(".", ","),
        lambda p: rows(p).replace(".", ","),
    ],
)
def test_the_same_numbers_however_they_are_written(tmp_path, points, text):
    file = tmp_path / "a.xyz"
    file.write_text(text(points), newline="")
    cloud = read_cloud(file)
    np.testing.assert_array_equal(cloud.points, points)
    assert (cloud.announced, cloud.kind, cloud.warnings) == (100, "cloud", ())


def test_spreadsheet_unicode_text(tmp_path, points):
    file = tmp_path / "a.txt"
    file.write_text("x\ty\tz\n" + rows(points, "\t"), encoding="utf-16")
    np.testing.assert_array_equal(read_cloud(file).points, points)


@settings(max_examples=25, deadline=None)
@given(st.integers(32, 80), st.integers(0, 2**32 - 1), st.sampled_from([" ", ",", ";", "\t"]), st.floats(-30, 30))
def test_no_digit_is_lost(tmp_path_factory, n, seed, separator, power):
    points = np.random.default_rng(seed).standard_normal((n, 3)) * 10**power
    file = tmp_path_factory.mktemp("t") / "a.csv"
    file.write_text(rows(points, separator))
    np.testing.assert_array_equal(read_cloud(file).points, points)


def unit(n: int) -> np.ndarray:
    vectors = np.random.default_rng(1).standard_normal((n, 3))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_six_columns_are_normals_when_their_length_is_one(tmp_path, points):
    (tmp_path / "n.xyz").write_text(rows(np.hstack([points, unit(100).round(3)])))
    (tmp_path / "rgb.xyz").write_text(rows(np.hstack([points, np.random.default_rng(0).integers(0, 256, (100, 3))])))
    (tmp_path / "red.xyz").write_text(rows(np.hstack([points, np.tile([1.0, 0, 0], (100, 1))])))
    np.testing.assert_allclose(read_cloud(tmp_path / "n.xyz").normals, unit(100), atol=2e-3)
    np.testing.assert_allclose(np.linalg.norm(read_cloud(tmp_path / "n.xyz").normals, axis=1), 1)
    for name in ("rgb.xyz", "red.xyz"):
        cloud = read_cloud(tmp_path / name)
        np.testing.assert_array_equal(cloud.points, points)
        assert cloud.normals is None


@pytest.mark.parametrize("columns", [4, 5, 7, 9, 12])
def test_further_columns_leave_the_coordinates_alone(tmp_path, points, columns):
    extra = np.random.default_rng(0).uniform(0, 255, (100, columns - 3))
    (tmp_path / "a.pts").write_text("100\n" + rows(np.hstack([points, extra])))
    cloud = read_cloud(tmp_path / "a.pts")
    np.testing.assert_array_equal(cloud.points, points)
    assert cloud.normals is None
    assert bool(cloud.warnings) == (columns in (5, 12))  # columns that no format has


def test_normals_after_intensity_or_colour(tmp_path, points):
    for name, between in (("i.txt", 1), ("rgb.txt", 3)):
        table = np.hstack([points, np.full((100, between), 200.0), unit(100)])
        (tmp_path / name).write_text(rows(table))
        np.testing.assert_allclose(read_cloud(tmp_path / name).normals, unit(100))


def test_named_normals_and_their_absence(tmp_path, points):
    (tmp_path / "a.csv").write_text("x,y,z,nx,ny,nz\n" + rows(np.hstack([points, 3 * unit(100)]), ","))
    np.testing.assert_allclose(read_cloud(tmp_path / "a.csv").normals, unit(100))
    some = unit(100)
    some[7] = 0
    (tmp_path / "b.csv").write_text("x,y,z,nx,ny,nz\n" + rows(np.hstack([points, some]), ","))
    cloud = read_cloud(tmp_path / "b.csv")
    assert cloud.normals is None
    assert "1 of 100 normals have no direction" in cloud.warnings[0]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.pts", lambda p: "120\n" + rows(p), ["announces 120 points", "holds 100", "cut short"]),
        ("a.pts", lambda p: "100\n" + rows(p)[:-30], ["announces 100 points", "holds 99"]),
        ("a.pts", lambda p: "5000\n", ["announces 5,000 points", "holds 0"]),
        ("a.pts", lambda p: "90\n" + rows(p), ["announces 90 points on its first line", "holds 100"]),
        ("a.xyz", lambda p: rows(p)[:-30], ["line 100 has 2 columns where 3 are needed", "cut short"]),
        ("a.xyz", lambda p: rows(p[:5]) + "1 2 3 4\n" + rows(p), ["line 6 has 4 columns where 3"]),
        ("a.xyz", lambda p: rows(p[:5]) + "1 two 3\n" + rows(p), ["line 6 has 'two' where a number"]),
        ("a.xyz", lambda p: rows(p[:, :2]), ["has 2 columns", "x, y and z"]),
        ("a.xyz", lambda p: rows(p[:, :1]), ["has 1 column;"]),
        ("a.csv", lambda p: "a,b,c\n" + rows(p, ","), ["line 1 starts with 'a,b,c'", "names the columns"]),
        ("a.csv", lambda p: "x,y,w\n" + rows(p, ","), ["x, y, w", "z is missing"]),
        ("a.csv", lambda p: "x,x,y,z\n" + rows(np.hstack([p, p[:, :1]]), ","), ["column x more than once"]),
        ("a.csv", lambda p: "x,y,z\n" + rows(p, ",") + "1,,3\n", ["line 102 has nothing where a number"]),
        ("a.txt", lambda p: "x [mm] y [mm] z [mm]\n" + rows(p), ["names 6 columns", "line 2 has 3"]),
        ("a.txt", lambda p: "C 0 0 0\nH 1 0 0\n", ["line 1 starts with 'C 0 0 0'"]),
        ("a.txt", lambda p: "# nothing\n\n", ["holds no points", "at least 32"]),
        ("a.txt", lambda p: rows(p) + "nan 1 2\n" + rows(p) + "1 inf 2\n", ["infinite", "in 2 of its 202", "row 101"]),
        ("a.txt", lambda p: "<!DOCTYPE html><html>", ["text cloud", "web page (HTML)"]),
        ("a.csv", lambda p: "\0\0\0\1binary", ["text cloud", "binary data"]),
        ("a.csv", lambda p: "version https://git-lfs.github.com/spec/v1\n", ["Git LFS pointer", "git lfs pull"]),
    ],
)  # fmt: skip
def test_bad_text_is_refused_in_words(tmp_path, points, name, text, words):
    (tmp_path / name).write_text(text(points))
    with pytest.raises(PointCloudError) as error:
        read_cloud(tmp_path / name)
    for word in [name, *words]:
        assert word in str(error.value)


def test_rows_beyond_one_block_keep_their_line_numbers(tmp_path, monkeypatch, points):
    monkeypatch.setattr("cadrecode.formats.number_lines.ROWS_PER_BLOCK", 16)
    (tmp_path / "a.xyz").write_text("# head\n" + rows(points))
    np.testing.assert_array_equal(read_cloud(tmp_path / "a.xyz").points, points)
    (tmp_path / "b.xyz").write_text("# head\n" + rows(points[:70]) + "1 2\n" + rows(points))
    with pytest.raises(PointCloudError, match="line 72 has 2 columns"):
        read_cloud(tmp_path / "b.xyz")
