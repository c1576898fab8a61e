"""LAS files of laser scanners, versions 1.0 to 1.4: of their records the coordinates alone.

Read here and not by laspy, which reads all variable-length records that a header announces, of which there may be 2^32.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from cadrecode.errors import Message, PointCloudError
from cadrecode.formats.content import wrong_content
from cadrecode.formats.rows import FileContents, RowCollector, cut_short, rows_per_block

_HEADER = struct.Struct("<4s20xBB68xHIIBHI20x")  # of versions up to 1.3, to the end of the counts by return
_SCALES = struct.Struct("<6d")  # a factor for each axis, then an offset for each
_COUNT_1_4, _LONG_HEADER = 247, 375  # where version 1.4 keeps the number of points, and how long its header is
_COMPRESSED = 0b1100_0000  # set in the format of points by LAZ


def read_las(path: Path, collector: RowCollector) -> FileContents:
    """Read the scaled coordinates of an uncompressed LAS file.

    Raises: PointCloudError: not a LAS, compressed, a damaged header, fewer points than announced.
    """
    with path.open("rb") as file:
        header = file.read(_LONG_HEADER)
        if not header.startswith(b"LASF"):
            raise wrong_content(path, Message("a LAS scan"), Message("it does not begin with LASF"))
        try:
            _, major, minor, _, start, _, kind, record_bytes, count = _HEADER.unpack_from(header)
            values = _SCALES.unpack_from(header, _HEADER.size)
            if (major, minor) >= (1, 4):
                (count,) = struct.unpack_from("<Q", header, _COUNT_1_4)
            if major != 1 or record_bytes < 12:
                raise struct.error(Message("records of {n} bytes, version {major}", n=record_bytes, major=major))
        except struct.error as error:
            raise PointCloudError(
                "{name} has a damaged LAS header ({error}). The file may be cut short.", name=path.name, error=error
            ) from error
        if kind & _COMPRESSED:
            raise PointCloudError(
                "{name} holds compressed points (LAZ). Unpack it with las2las or PDAL first.", name=path.name
            )
        held = max(0, path.stat().st_size - start) // record_bytes
        if held < count:
            raise cut_short(path.name, count, held)
        row = np.dtype({"names": ["xyz"], "formats": ["(3,)<i4"], "offsets": [0], "itemsize": record_bytes})
        file.seek(start)
        step = rows_per_block(record_bytes)
        for done in range(0, count, step):
            block = np.fromfile(file, row, min(step, count - done))
            with np.errstate(over="ignore", invalid="ignore"):
                collector.add(block["xyz"] * np.array(values[:3]) + np.array(values[3:]))
    rows, warnings = collector.finish()
    return FileContents(rows, announced=collector.seen, warnings=warnings)
