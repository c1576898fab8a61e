"""PCD: the three ways its points are written, and damaged files."""

import struct

import lzf
import numpy as np
import pytest

from cadrecode.cloud import read_cloud
from cadrecode.errors import PointCloudError


def pcd(points: np.ndarray, data: str, announced: int | None = None) -> bytes:
    """x, y, z as float32, a colour in between, two padding fields of one name, and a float64 intensity."""
    n = announced or len(points)
    head = (
        "# .PCD v0.7 - Point Cloud Data file format\nVERSION 0.7\nFIELDS x _ rgb y z _ intensity\n"
        "SIZE 4 1 4 4 4 1 8\nTYPE F U F F F U F\nCOUNT 1 4 1 1 1 3 1\n"
        f"WIDTH {n}\nHEIGHT 1\nVIEWPOINT 0 0 0 1 0 0 0\nPOINTS {n}\nDATA {data}\n"
    ).encode()
    x, y, z = points.astype("<f4").T
    pad, rgb, intensity = np.zeros((len(x), 4), "u1"), np.full(len(x), 2.5e-38, "<f4"), np.arange(len(x), dtype="<f8")
    columns = [x, pad, rgb, y, z, pad[:, :3], intensity]
    if data == "ascii":
        rows = zip(*[np.atleast_2d(c.T).T.tolist() for c in columns])
        return head + "".join(" ".join(f"{v!r}" for cell in row for v in cell) + "\n" for row in rows).encode()
    if data == "binary":
        return head + b"".join(b"".join(c[i].tobytes() for c in columns) for i in range(len(points)))
    body = b"".join(np.ascontiguousarray(c).tobytes() for c in columns)
    packed = lzf.compress(body)
    return head + struct.pack("<II", len(packed), len(body)) + packed


def huge(compressed: bytes) -> bytes:
    """Header and data agree on 100 million points, which the few bytes of the file cannot hold."""
    sizes = compressed.index(b"compressed\n") + 11
    body = compressed[:sizes] + compressed[sizes : sizes + 4] + struct.pack("<I", 31 * 10**8) + compressed[sizes + 8 :]
    return body.replace(b" 100\n", b" 100000000\n")


@pytest.mark.parametrize("data", ["ascii", "binary", "binary_compressed"])
def test_points_come_back(tmp_path, points, data):
    (tmp_path / "a.pcd").write_bytes(pcd(points, data))
    cloud = read_cloud(tmp_path / "a.pcd")
    np.testing.assert_array_equal(cloud.points, points.astype(np.float32).astype(float))
    assert (cloud.announced, cloud.kind, cloud.normals) == (100, "cloud", None)


def test_normals(tmp_path, points):
    normals = points / np.linalg.norm(points, axis=1, keepdims=True)
    head = (
        "VERSION .7\nFIELDS normal_x normal_y normal_z x y z\nSIZE 4 4 4 4 4 4\nTYPE F F F F F F\n"
        "WIDTH 20\nHEIGHT 5\nDATA binary\n"
    )
    (tmp_path / "a.pcd").write_bytes(head.encode() + np.hstack([normals, points]).astype("<f4").tobytes())
    cloud = read_cloud(tmp_path / "a.pcd")
    np.testing.assert_allclose(cloud.points, points, rtol=1e-6)
    np.testing.assert_allclose(cloud.normals, normals, atol=1e-6)


@pytest.mark.parametrize(
    ("data", "change", "words"),
    [
        ("ascii", lambda b: b[:-200], "announces 100 points but holds 9"),
        ("binary", lambda b: b[:-1], "announces 100 points but holds 99"),
        ("binary", lambda b: b[: b.index(b"binary\n") + 7], "but holds 0"),
        ("binary_compressed", lambda b: b[:-1], "compressed bytes but holds"),
        ("binary_compressed", lambda b: b[: b.index(b"compressed\n") + 14], "but holds 0"),
        ("binary", lambda b: b.replace(b"POINTS 100", b"POINTS 90"), "announces 90 points and a width x height of 100"),
        ("ascii", lambda b: b.replace(b" 100\n", b" 90\n"), "announces 90 points but holds 100"),
        ("binary_compressed", lambda b: b.replace(b" 100\n", b" 90\n"), "unpacks to"),
        ("binary_compressed", lambda b: b[:-9] + b"\xff" * 9, "cannot be unpacked"),
        ("binary_compressed", lambda b: b.replace(b" 100\n", b" 90000000\n"), "unpacks to"),
        ("binary_compressed", lambda b: huge(b), "cannot be unpacked"),
        ("binary", lambda b: b.replace(b"FIELDS x", b"FIELDS u"), "x is missing"),
        ("binary", lambda b: b.replace(b"SIZE 4", b"SIZE 3"), "damaged PCD header"),
        ("binary", lambda b: b.replace(b"DATA binary", b"DATA secret"), "written as 'secret'"),
        ("binary", lambda b: b[:60], "inside its header"),
        ("binary", lambda b: b"<html></html>\n" * 9, "holds a web page"),
        ("binary", lambda b: b"nothing like it\n" * 9, "not a PCD cloud"),
    ],
)
def test_damaged_files(tmp_path, points, data, change, words):
    (tmp_path / "a.pcd").write_bytes(change(pcd(points, data)))
    with pytest.raises(PointCloudError) as error:
        read_cloud(tmp_path / "a.pcd")
    assert words in str(error.value)
