"""NumPy files: .npy and .npz. Never unpickled; read block by block, so that a huge array is never in memory at once."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import BinaryIO

import numpy as np

from cadrecode.errors import Message, PointCloudError
from cadrecode.formats.columns import split_unnamed
from cadrecode.formats.content import read_head, wrong_content
from cadrecode.formats.limits import allowance, require_memory
from cadrecode.formats.rows import (
    MOST_COLUMNS,
    ROWS_PER_BLOCK,
    ZIP_ERRORS,
    FileContents,
    RowCollector,
    cut_short,
    rows_per_block,
)

NPZ_KEYS = ("points", "xyz", "vertices")  # looked for in this order
LONGEST_HEADER = 10_000  # bytes of an array's header; NumPy writes 118
MOST_ARRAYS = 100  # in an .npz
_SAVE = Message("Save it with np.save as one plain array of numbers, shape (N, 3).")


def read_npy(path: Path, collector: RowCollector) -> FileContents:
    """Read an array of shape (N, 3), or with more columns, which split_unnamed tells apart.

    Raises: PointCloudError: not a .npy, pickled, complex or structured, wrong shape, cut short.
    """
    with path.open("rb") as file:
        if not file.peek(6).startswith(b"\x93NUMPY"):
            raise wrong_content(path, Message("a NumPy array"), Message("it does not begin with NumPy's signature"))
        _stream(file, path.stat().st_size, path.name, collector)
    return _contents(collector)


def read_npz(path: Path, collector: RowCollector) -> FileContents:
    """Read the array named points, xyz or vertices, else the only array of shape (N, 3), and `normals` beside it.

    Raises: PointCloudError: not an .npz, no such array or several, or as read_npy.
    """
    if not zipfile.is_zipfile(path):
        if read_head(path).startswith(b"PK"):
            raise PointCloudError(
                "{name} is a zip archive without its end. The file is cut short: copy it again.", name=path.name
            )
        raise wrong_content(path, Message("an .npz archive"), Message("it is no zip archive"))
    try:
        with zipfile.ZipFile(path) as archive:
            _require_plain_archive(archive, path)
            key = _choose_key(archive, path.name)
            with archive.open(f"{key}.npy") as file:
                _stream(file, archive.getinfo(f"{key}.npy").file_size, f"{path.name}[{key}]", collector)
            contents = _contents(collector)
            whole = contents.announced == len(contents.points)  # thinned points would not match the normals
            if contents.normals is None and whole and "normals.npy" in archive.namelist():
                contents.normals = _normals(archive, path.name, len(contents.points))
    except ZIP_ERRORS as error:
        raise PointCloudError(
            "{name} is a damaged archive ({error}). Copy or save it again.", name=path.name, error=error
        ) from error
    return contents


def _require_plain_archive(archive: zipfile.ZipFile, path: Path) -> None:
    """Refuse what could swell: thousands of arrays, other packings than NumPy's own, contents beyond the allowance."""
    entries = archive.infolist()
    if len(entries) > MOST_ARRAYS:
        raise PointCloudError(
            "{name} holds {n:,} arrays; at most {most} are looked through. Save the cloud alone.",
            name=path.name,
            n=len(entries),
            most=MOST_ARRAYS,
        )
    if any(entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for entry in entries):
        raise PointCloudError("{name} is packed in a way that NumPy does not write. {save}", name=path.name, save=_SAVE)
    require_memory(path.name, sum(entry.file_size for entry in entries), allowance(path))


def _contents(collector: RowCollector) -> FileContents:
    rows, warnings = collector.finish()
    points, normals, more = split_unnamed(rows, collector.name, collector.columns)
    return FileContents(points, normals, announced=collector.seen, warnings=warnings + more)


def _normals(archive: zipfile.ZipFile, name: str, count: int) -> np.ndarray | None:
    with archive.open("normals.npy") as file:
        shape, _, _ = _array_header(file, f"{name}[normals]")
    if shape != (count, 3):
        return None
    rows = RowCollector(f"{name}[normals]", max_points=count, seed=0)  # as many as there are points
    with archive.open("normals.npy") as file:
        _stream(file, archive.getinfo("normals.npy").file_size, f"{name}[normals]", rows)
    return rows.finish()[0]


def _choose_key(archive: zipfile.ZipFile, name: str) -> str:
    keys = [entry.removesuffix(".npy") for entry in archive.namelist() if entry.endswith(".npy")]
    for key in NPZ_KEYS:
        if key in keys:
            return key
    shapes = {}
    for key in keys:
        with archive.open(f"{key}.npy") as file:
            shapes[key] = _array_header(file, f"{name}[{key}]", strict=False)[0]
    fitting = [key for key, shape in shapes.items() if len(shape) == 2 and shape[1] == 3]
    if len(fitting) == 1:
        return fitting[0]
    listed = ", ".join(f"{key} {shape}" for key, shape in shapes.items()) or Message("no arrays")
    several = Message(" {n} of them could be the cloud.", n=len(fitting)) if fitting else ""
    raise PointCloudError(
        "{name} holds {listed}.{several} Name the cloud points, xyz or vertices, or keep one array of shape (N, 3).",
        name=name,
        listed=listed,
        several=several,
    )


def _array_header(file: BinaryIO, name: str, strict: bool = True) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, Fortran order and dtype; with `strict`, only of arrays that can be a cloud."""
    try:
        version = np.lib.format.read_magic(file)
        length = file.read(2 if version == (1, 0) else 4)  # NumPy would ask for as much memory as they say
        if int.from_bytes(length, "little") > LONGEST_HEADER:
            raise ValueError(Message("its header is too long"))
        file.seek(-len(length), 1)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(file)
    except Exception as error:  # numpy reads the header as Python text, which can be wrong in many ways
        raise PointCloudError(
            "{name} has a damaged NumPy header ({error}). The file may be cut short.", name=name, error=error
        ) from error
    if strict:
        _require_cloud(shape, dtype, name)
    return shape, fortran, dtype


def _require_cloud(shape: tuple[int, ...], dtype: np.dtype, name: str) -> None:
    if dtype.hasobject:
        raise PointCloudError(
            "{name} holds pickled Python objects. They can run code when read, so they are refused. {save}",
            name=name,
            save=_SAVE,
        )
    if dtype.names:
        raise PointCloudError(
            "{name} is a structured array with the fields {names}; plain columns are needed. Save "
            "np.column_stack of x, y and z.",
            name=name,
            names=", ".join(dtype.names),
        )
    if dtype.kind not in "fiu":
        kinds = {
            "c": Message("complex numbers"),
            "b": Message("true and false"),
            "U": Message("text"),
            "S": Message("text"),
            "M": Message("dates"),
            "m": Message("durations"),
        }
        raise PointCloudError(
            "{name} holds {kind}; real numbers are needed. {save}",
            name=name,
            kind=kinds.get(dtype.kind, str(dtype)),
            save=_SAVE,
        )
    if 0 in shape:
        raise PointCloudError(
            "{name} is empty: its shape is {shape}. A cloud needs at least 32 rows of x, y, z.", name=name, shape=shape
        )
    if len(shape) == 2 and shape[0] == 3 and shape[1] > 10:
        raise PointCloudError(
            "{name} has shape {shape}; (N, 3) is needed, a row for each point. Save it transposed.",
            name=name,
            shape=shape,
        )
    if len(shape) != 2 or shape[1] < 3:
        raise PointCloudError(
            "{name} has shape {shape}; (N, 3) is needed, a row x, y, z for each point.", name=name, shape=shape
        )


def _stream(file: BinaryIO, size: int, name: str, collector: RowCollector) -> None:
    """Give the array in an open .npy file of `size` bytes to the collector, block by block."""
    (count, columns), fortran, dtype = _array_header(file, name)
    held = max(0, size - file.tell()) // dtype.itemsize
    if held < count * columns:  # in Fortran order, column after column, no row is whole before the last column begins
        raise cut_short(name, count, max(0, held - (columns - 1) * count) if fortran else held // columns)
    if fortran:
        collector.columns = columns
        first = min(columns, MOST_COLUMNS)  # a column after the other: those behind are not read
        raw = file.read(count * first * dtype.itemsize)
        whole = np.frombuffer(raw, dtype).reshape(first, count)
        for start in range(0, count, ROWS_PER_BLOCK):
            collector.add(whole[:, start : start + ROWS_PER_BLOCK].T)
        return
    step = rows_per_block(columns * max(8, dtype.itemsize))
    for start in range(0, count, step):
        rows = min(step, count - start)
        collector.add(np.frombuffer(file.read(rows * columns * dtype.itemsize), dtype).reshape(rows, columns))
