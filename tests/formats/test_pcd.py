"""PCD: the three ways its points are written, LZF against an independent packer, and damaged files."""

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cadrecode.cloud import read_cloud
from cadrecode.errors import PointCloudError
from cadrecode.formats.pcd import unpack_lzf


def pack_lzf(data: bytes) -> bytes:
    """A plain LZF packer: back references where three bytes were seen before, else literal runs."""
    out, literal, seen, i = bytearray(), bytearray(), {}, 0

    def flush():
        for k in range(0, len(literal), 32):
            run = literal[k : k + 32]
            out.extend(bytes([len(run) - 1]) + run)
        literal.clear()

    while i < len(data):
        key = data[i : i + 3]
        at = seen.get(key, -1)
        seen[key] = i
        if len(key) == 3 and at >= 0 and i - at <= 8192:
            length = 3
            while length < 264 and i + length < len(data) and data[at + length] == data[i + length]:
                length += 1
            flush()
            offset = i - at - 1
            head = min(length - 2, 7) << 5 | offset >> 8
            out.extend([head, length - 9, offset & 255] if length - 2 >= 7 else [head, offset & 255])
            i += length
        else:
            literal.append(data[i])
            i += 1
    flush()
    return bytes(out)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300) | st.lists(st.sampled_from([b"abc", b"\0\0\0\0", b"x"]), max_size=400).map(b"".join))
def test_lzf_round_trip(data):
    assert unpack_lzf(pack_lzf(data), len(data)) == data


def test_lzf_by_hand():
    # 'a' as it is, then 9 more bytes from one place back: a reference that reaches into what it writes
    assert unpack_lzf(bytes([0, ord("a"), 7 << 5, 0, 0]), 10) == b"a" * 10


@pytest.mark.parametrize(
    ("packed", "size", "words"),
    [
        (bytes([0, 65, 32, 5]), 4, "before its start"),
        (bytes([9, 65]), 10, "ends early"),
        (bytes([0, 65, 7 << 5]), 10, "ends early"),
        (bytes([0, 65]), 3, "1 bytes where 3"),
        (bytes([0, 65, 7 << 5, 255, 0]), 5, "longer than the 5 bytes"),
    ],
)
def test_damaged_lzf(packed, size, words):
    with pytest.raises(ValueError, match=words):
        unpack_lzf(packed, size)


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
    packed = pack_lzf(body)
    return head + struct.pack("<II", len(packed), len(body)) + packed


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
