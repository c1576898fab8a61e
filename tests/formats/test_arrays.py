"""NumPy files: what is read, what is refused, and that nothing is ever unpickled."""

import io
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cadrecode.cloud import read_cloud
from cadrecode.errors import PointCloudError


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from(["f2", "f4", "f8", ">f8", "i2", "i8", "u1"]),
    st.sampled_from("CF"),
    st.sampled_from([".npy", ".npz"]),
    st.integers(40, 200),
)
def test_any_real_type_and_order(tmp_path_factory, dtype, order, suffix, n):
    points = np.asarray(np.random.default_rng(n).uniform(0, 200, (n, 3)).astype(dtype), order=order)
    file = tmp_path_factory.mktemp("a") / f"a{suffix}"
    np.save(file, points) if suffix == ".npy" else np.savez_compressed(file, points=points)
    np.testing.assert_array_equal(read_cloud(file).points, points.astype(np.float64))


def test_normals_in_six_columns(tmp_path, points):
    normals = points / np.linalg.norm(points, axis=1, keepdims=True)
    np.save(tmp_path / "a.npy", np.hstack([points, normals]).astype(np.float32))
    np.testing.assert_allclose(read_cloud(tmp_path / "a.npy").normals, normals, atol=1e-6)


class Bomb:
    """Unpickling this would be seen."""

    def __reduce__(self):
        return (pytest.fail, ("a pickle was opened",))


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.array([Bomb()] * 40, dtype=object), "pickled Python objects"),
        (np.zeros((40, 3), complex), "complex numbers"),
        (np.zeros((40, 3), bool), "true and false"),
        (np.full((40, 3), "a"), "holds text"),
        (np.zeros(40, [("x", "f4"), ("y", "f4")]), "structured array with the fields x, y"),
        (np.zeros((0, 3)), "is empty: its shape is (0, 3)"),
        (np.zeros(90), "shape (90,); (N, 3) is needed"),
        (np.zeros((1, 40, 3)), "shape (1, 40, 3)"),
        (np.zeros((40, 2)), "shape (40, 2)"),
        (np.zeros((3, 400)), "transposed"),
        (np.zeros(()), "shape ()"),
        (np.full((40, 3), np.nan), "NaN or infinite coordinates in 40 of its 40 points, first in row 1."),
    ],
)
@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_arrays_that_are_no_cloud(tmp_path, array, words, suffix):
    file = tmp_path / f"a{suffix}"
    np.save(file, array, allow_pickle=True) if suffix == ".npy" else np.savez(file, points=array)
    with pytest.raises(PointCloudError) as error:
        read_cloud(file)
    assert words in str(error.value)


@pytest.mark.parametrize("order", "CF")
@pytest.mark.parametrize(("keep", "held"), [(100 * 24 - 1, 99), (60 * 24 + 5, 60), (0, 0)])
def test_cut_short(tmp_path, points, order, keep, held):
    np.save(tmp_path / "a.npy", np.asarray(points, order=order))
    data = (tmp_path / "a.npy").read_bytes()
    (tmp_path / "a.npy").write_bytes(data[: len(data) - 2400 + keep])
    with pytest.raises(PointCloudError) as error:
        read_cloud(tmp_path / "a.npy")
    assert f"announces 100 points but holds {held if order == 'C' else max(0, keep // 8 - 200)}." in str(error.value)


def test_a_header_cut_short_or_damaged(tmp_path, points):
    np.save(tmp_path / "a.npy", points)
    data = (tmp_path / "a.npy").read_bytes()
    for broken in (data[:7], data[:40], data.replace(b"descr", b"dwxyz")):
        (tmp_path / "a.npy").write_bytes(broken)
        with pytest.raises(PointCloudError, match="damaged NumPy header"):
            read_cloud(tmp_path / "a.npy")


def test_a_pickle_behind_the_suffix(tmp_path):
    import pickle

    (tmp_path / "a.npy").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(PointCloudError, match="holds a Python pickle"):
        read_cloud(tmp_path / "a.npy")


@pytest.mark.parametrize(
    "others",
    [
        {"points": "P", "xyz": "Q", "vertices": "Q"},
        {"vertices": "Q", "xyz": "P"},
        {"vertices": "P", "a": "Q"},
        {"whatever": "P", "labels": np.zeros(9)},
    ],
)
def test_which_array_of_an_npz(tmp_path, points, others):
    arrays = {k: {"P": points, "Q": points + 1}.get(v, v) if isinstance(v, str) else v for k, v in others.items()}
    np.savez(tmp_path / "a.npz", **arrays)
    np.testing.assert_array_equal(read_cloud(tmp_path / "a.npz").points, points)


def test_npz_normals_come_along(tmp_path, points):
    np.savez(tmp_path / "a.npz", points=points, normals=points * 2)
    expected = points / np.linalg.norm(points, axis=1, keepdims=True)
    np.testing.assert_allclose(read_cloud(tmp_path / "a.npz").normals, expected)
    np.savez(tmp_path / "b.npz", points=points, normals=points[:50])
    assert read_cloud(tmp_path / "b.npz").normals is None


def test_an_npz_that_does_not_say_which(tmp_path, points):
    np.savez(tmp_path / "a.npz", left=points, right=points, n=np.arange(4))
    with pytest.raises(PointCloudError) as error:
        read_cloud(tmp_path / "a.npz")
    for word in ("left (100, 3)", "right (100, 3)", "n (4,)", "2 of them could be", "points, xyz or vertices"):
        assert word in str(error.value)


def test_damaged_archives(tmp_path, points):
    buffer = io.BytesIO()
    np.savez_compressed(buffer, points=points)
    data = buffer.getvalue()
    for broken, words in (
        (data[:-30], "without its end"),
        (data[:300] + b"\xff" * 40 + data[340:], "damaged"),
        (b"<html></html>", "web page"),
    ):
        (tmp_path / "a.npz").write_bytes(broken)
        with pytest.raises(PointCloudError, match=words):
            read_cloud(tmp_path / "a.npz")
    with zipfile.ZipFile(tmp_path / "b.npz", "w") as archive:
        archive.writestr("readme.txt", "nothing here")
    with pytest.raises(PointCloudError, match="holds no arrays"):
        read_cloud(tmp_path / "b.npz")
