"""Points and properties of each, as a binary PLY file that MeshLab and CloudCompare open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from cadrecode.errors import PointCloudError

_TYPE_NAMES = {"<f8": "double", "<f4": "float", "|u1": "uchar"}  # numpy's spelling -> PLY's


def write_ply(path: Path, points: np.ndarray, columns: Mapping[str, np.ndarray], comments: Sequence[str] = ()) -> Path:
    """Write (N, 3) points as x, y, z, and a property for each of `columns`.

    Coordinates are float64: a part that stands 700 m from the origin loses 0.06 mm of its place in float32.
    Args:
        columns: name -> (N,) of uint8, float32 or float64. `red`, `green` and `blue` of uint8 are the points' colour.
        comments: lines for the header, ASCII.
    Raises: PointCloudError: a column is not as long as the cloud.
    """
    points = np.asarray(points, np.float64)
    named = {axis: points[:, i] for i, axis in enumerate("xyz")} | {name: np.asarray(c) for name, c in columns.items()}
    for name, column in named.items():
        if column.shape != (len(points),):
            raise PointCloudError(
                "Column {name} has the shape {shape}; {n:,} points need as many.",
                name=name,
                shape=column.shape,
                n=len(points),
            )
    rows = np.empty(len(points), [(name, column.dtype.newbyteorder("<")) for name, column in named.items()])
    for name, column in named.items():
        rows[name] = column
    header = ["ply", "format binary_little_endian 1.0", *(f"comment {line}" for line in comments)]
    header.append(f"element vertex {len(points)}")
    header += [f"property {_TYPE_NAMES[rows.dtype[name].str]} {name}" for name in named]
    header.append("end_header\n")
    path = Path(path)
    path.write_bytes("\n".join(header).encode("ascii") + rows.tobytes())
    return path
