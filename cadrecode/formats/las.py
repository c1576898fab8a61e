"""LAS files of laser scanners, through laspy."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cadrecode.errors import Message, PointCloudError
from cadrecode.formats.content import read_head, wrong_content
from cadrecode.formats.rows import ROWS_PER_BLOCK, FileContents, RowCollector, cut_short


def read_las(path: Path, collector: RowCollector) -> FileContents:
    """Read the scaled coordinates of an uncompressed LAS file.

    Raises: PointCloudError: not a LAS, compressed, a damaged header, fewer points than announced.
    """
    import laspy  # only here: other formats do not need it

    if not read_head(path).startswith(b"LASF"):
        raise wrong_content(path, Message("a LAS scan"), Message("it does not begin with LASF"))
    try:
        with laspy.open(path) as file:
            header = file.header
            if header.are_points_compressed:
                raise PointCloudError(
                    "{name} holds compressed points (LAZ). Unpack it with las2las or PDAL first.", name=path.name
                )
            # laspy hands over the points it finds and is silent about the rest
            held = (path.stat().st_size - header.offset_to_point_data) // header.point_format.size
            if held < header.point_count:
                raise cut_short(path.name, header.point_count, max(0, held))
            for block in file.chunk_iterator(ROWS_PER_BLOCK):
                collector.add(np.column_stack([block.x, block.y, block.z]))
    except PointCloudError:
        raise
    except Exception as error:  # a foreign parser on a damaged file: anything may come
        raise PointCloudError(
            "{name} has a damaged LAS header ({error}). The file may be cut short.", name=path.name, error=error
        ) from error
    rows, warnings = collector.finish()
    return FileContents(rows, announced=collector.seen, warnings=warnings)
