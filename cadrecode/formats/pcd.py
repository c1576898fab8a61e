"""PCD files of the Point Cloud Library: ascii, binary and binary_compressed (LZF).

Read here and not by pypcd4, which takes a cut-short or too long file without a word, allocates whatever a header
announces, refuses headers of before version 0.7, and keeps a whole file in memory. Its LZF library is used.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from cadrecode.errors import Message, PointCloudError
from cadrecode.formats.columns import locate
from cadrecode.formats.content import wrong_content
from cadrecode.formats.limits import LARGEST_HEADER, allowance, require_memory
from cadrecode.formats.number_lines import BadLine, blocks_of, parse_lines
from cadrecode.formats.rows import ROWS_PER_BLOCK, FileContents, RowCollector, cut_short, rows_per_block

_KEYS = ("version", "fields", "columns", "size", "type", "count", "width", "height", "viewpoint", "points", "data")
_COUNT_LIMIT = 1 << 20  # numbers in one field of one point
MOST_LZF = 88  # bytes out of one byte of LZF: a reference of 3 bytes repeats at most 264
_CODES = {"F": "f", "I": "i", "U": "u"}


@dataclass
class Header:
    """The header of a PCD: names, numpy types and repeats of its fields, points, and how they are written."""

    names: list[str]
    types: list[np.dtype]
    counts: list[int]
    points: int
    data: str
    lines: int


def read_pcd(path: Path, collector: RowCollector) -> FileContents:
    """Read a PCD cloud.

    Raises: PointCloudError: not a PCD, a broken header, fewer points than announced, damaged compression.
    """
    with path.open("rb") as file:
        header = _header(path, file)
        xyz, normals = locate(header.names, path.name)
        wanted = xyz + (normals or [])
        if header.data == "ascii":
            _read_ascii(path.name, file, header, wanted, collector)
        elif header.data == "binary":
            _read_binary(path.name, file, header, wanted, collector)
        else:
            _read_compressed(path.name, file, header, wanted, collector, allowance(path))
    rows, warnings = collector.finish()
    return FileContents(rows[:, :3], rows[:, 3:6] if normals else None, announced=collector.seen, warnings=warnings)


def _header(path: Path, file: BinaryIO) -> Header:
    values: dict[str, list[str]] = {}
    lines = 0
    while "data" not in values:
        raw = file.readline(4096)
        if file.tell() > LARGEST_HEADER:
            raise PointCloudError("{name} has a header without an end.", name=path.name)
        lines += 1
        words = raw.decode("ascii", errors="replace").split()
        if raw and (not words or words[0].startswith("#")):
            continue
        key = words[0].lower() if words else ""
        if not raw.endswith(b"\n") and lines > 1 and key != "data":
            raise PointCloudError("{name} ends inside its header, before DATA. The file is cut short.", name=path.name)
        if key not in _KEYS:
            raise wrong_content(
                path,
                Message("a PCD cloud"),
                Message("line {lines} of its header is {text!r}", lines=lines, text=" ".join(words)[:40]),
            )
        values[key] = words[1:]
    try:
        names = values.get("fields") or values["columns"]
        sizes = [int(s) for s in values["size"]]
        types = [np.dtype(f"<{_CODES[t.upper()]}{s}") for t, s in zip(values["type"], sizes, strict=True)]
        counts = [int(c) for c in values.get("count", ["1"] * len(names))]
        points = int(values["points"][0]) if "points" in values else -1
        area = int(values["width"][0]) * int(values["height"][0]) if "width" in values else points
        data = values["data"][0].lower()
        if not len(names) == len(types) == len(counts):
            raise ValueError(Message("FIELDS, SIZE, TYPE and COUNT differ in length"))
        if not 0 < min(counts) <= max(counts) < _COUNT_LIMIT:
            raise ValueError(Message("COUNT is out of range"))
    except (KeyError, ValueError, IndexError, TypeError) as error:
        raise PointCloudError(
            "{name} has a damaged PCD header ({error}). Export the file again.", name=path.name, error=error
        ) from error
    points = area if points < 0 else points
    if points != area or points < 0:
        raise PointCloudError(
            "{name} announces {points:,} points and a width x height of {area:,}. Both must be the same.",
            name=path.name,
            points=points,
            area=area,
        )
    if data not in ("ascii", "binary", "binary_compressed"):
        raise PointCloudError(
            "{name} is written as {data!r}; ascii, binary and binary_compressed can be read.", name=path.name, data=data
        )
    return Header(names, types, counts, points, data, lines)


def _read_ascii(name: str, file: BinaryIO, header: Header, wanted: list[int], collector: RowCollector) -> None:
    starts = np.concatenate([[0], np.cumsum(header.counts)])
    columns = [int(starts[i]) for i in wanted]
    line = header.lines + 1
    for block in blocks_of(io.TextIOWrapper(file, encoding="ascii", errors="replace"), name):
        try:
            rows = parse_lines(block, name, first_line=line, columns=int(starts[-1]))
        except BadLine as bad:
            if bad.last and bad.columns is not None and collector.seen + bad.rows_before < header.points:
                raise cut_short(name, header.points, collector.seen + bad.rows_before) from bad
            raise
        collector.add(rows[:, columns])
        line += len(block)
    if collector.seen < header.points:
        raise cut_short(name, header.points, collector.seen)
    if collector.seen > header.points:
        raise PointCloudError(
            "{name} announces {points:,} points but holds {actual:,}. Correct POINTS, WIDTH and HEIGHT.",
            name=name,
            points=header.points,
            actual=collector.seen,
        )


def _read_binary(name: str, file: BinaryIO, header: Header, wanted: list[int], collector: RowCollector) -> None:
    # names are positions: files repeat a name for padding
    row = np.dtype([(str(i), t, (c,)) for i, (t, c) in enumerate(zip(header.types, header.counts))])
    start = file.tell()
    held = (file.seek(0, io.SEEK_END) - start) // row.itemsize
    if held < header.points:
        raise cut_short(name, header.points, held)
    file.seek(start)
    step = rows_per_block(row.itemsize)
    for done in range(0, header.points, step):
        block = np.fromfile(file, row, min(step, header.points - done))
        collector.add(np.column_stack([block[str(i)][:, 0] for i in wanted]))


def _read_compressed(
    name: str, file: BinaryIO, header: Header, wanted: list[int], collector: RowCollector, allowed: int
) -> None:
    """One LZF block that holds field after field, each for all points.

    Args:
        allowed: bytes that it may unpack to.
    """
    import lzf  # only here: other files do not need it

    sizes = file.read(8)
    if len(sizes) < 8:
        raise cut_short(name, header.points, 0)
    packed, unpacked = struct.unpack("<II", sizes)
    expected = header.points * sum(t.itemsize * c for t, c in zip(header.types, header.counts))
    raw = file.read()[:packed]  # not read(packed): a damaged header may announce gigabytes
    if len(raw) < packed:
        raise PointCloudError(
            "{name} announces {packed:,} compressed bytes but holds {actual:,}. The file is cut short.",
            name=name,
            packed=packed,
            actual=len(raw),
        )
    if unpacked != expected:
        raise PointCloudError(
            "{name} announces {points:,} points, which are {expected:,} bytes, but its data unpacks to "
            "{unpacked:,}. The file is damaged: export it again.",
            name=name,
            points=header.points,
            expected=expected,
            unpacked=unpacked,
        )
    try:
        if unpacked > MOST_LZF * packed:  # no memory for what a damaged header announces
            raise ValueError
        require_memory(name, unpacked + 8 * len(wanted) * ROWS_PER_BLOCK, allowed)
        data = lzf.decompress(raw, unpacked)
        if data is None or len(data) != unpacked:
            raise ValueError
    except ValueError as error:
        raise PointCloudError(
            "{name} has compressed data that cannot be unpacked. Export it again.", name=name
        ) from error
    starts = header.points * np.cumsum([0, *(t.itemsize * c for t, c in zip(header.types, header.counts))])
    fields = [np.frombuffer(data, header.types[i], header.points * header.counts[i], starts[i]) for i in wanted]
    columns = [field[:: header.counts[i]] for i, field in zip(wanted, fields)]
    collector.most_bytes = max(0, allowed - unpacked)
    for start in range(0, header.points, ROWS_PER_BLOCK):
        collector.add(np.column_stack([column[start : start + ROWS_PER_BLOCK] for column in columns]))
