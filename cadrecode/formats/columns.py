"""Which column is what: by name where a file names its columns, by the numbers where it does not."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from cadrecode.errors import Message, PointCloudError

_AXES = (("x", "points:0", "points_0"), ("y", "points:1", "points_1"), ("z", "points:2", "points_2"))
_NORMALS = tuple((f"n{a}", f"normal_{a}", f"normals_{a}", f"normal{a}") for a in "xyz")
LONGEST_LIST = 400  # characters of names in a message
_UNIT_TOLERANCE = 0.02  # normals written with two or three decimals are this far from length 1


def clean_name(name: str) -> str:
    """`"X [mm]"`, `//X`, `# x` -> `x`."""
    return re.split(r"[\s\[(]", name.strip().lstrip("#/").strip().strip("\"'").lower())[0]


def locate(names: Sequence[str], file: str) -> tuple[list[int], list[int] | None]:
    """Where x, y, z and the normals stand among named columns.

    Returns: three indices, and three more or None.
    Raises:  PointCloudError: x, y or z is missing, or stands there twice.
    """
    cleaned = [clean_name(name) for name in names]
    missing = [aliases[0] for aliases in _AXES if not any(alias in cleaned for alias in aliases)]
    if missing:
        raise PointCloudError(
            "{file} names the columns {names}; {missing} {_are} missing. Name the coordinates x, y and z.",
            file=file,
            names=", ".join(names)[:LONGEST_LIST] or "(none)",
            missing=", ".join(missing),
            _are="is" if len(missing) == 1 else "are",
        )
    for aliases in _AXES:
        if sum(cleaned.count(alias) for alias in aliases) > 1:
            raise PointCloudError(
                "{file} names the column {name} more than once. Each is needed once.", file=file, name=aliases[0]
            )
    xyz = [_first(cleaned, aliases) for aliases in _AXES]
    normals = [_first(cleaned, aliases) for aliases in _NORMALS]
    return xyz, None if None in normals else normals


def _first(names: list[str], aliases: tuple[str, ...]) -> int | None:
    return next((names.index(alias) for alias in aliases if alias in names), None)


def split_unnamed(rows: np.ndarray, file: str, columns: int) -> tuple[np.ndarray, np.ndarray | None, list[str]]:
    """Tell coordinates, normals and the rest apart in (N, C) unnamed columns, the first of `columns` in the file.

    The first three are x, y, z. Three columns after them (or after an intensity, or after colours) are normals when
    their vectors have length 1. Other columns (colour, intensity, unknown) are ignored.

    Returns: (N, 3) points, (N, 3) normals or None, warnings.
    Raises:  PointCloudError: fewer than three columns.
    """
    if columns < 3:
        raise PointCloudError(
            "{file} has {columns} column{_s}; a cloud needs x, y and z, three numbers a row.",
            file=file,
            columns=columns,
            _s="s" if columns > 1 else "",
        )
    points = rows[:, :3]
    start = next((i for i in (3, 4, 6) if i + 3 <= rows.shape[1] and _are_normals(points, rows[:, i : i + 3])), None)
    normals = None if start is None else rows[:, start : start + 3]
    unknown = columns in (5, 8) or columns > 10
    warnings = []
    if unknown and normals is None:
        warnings.append(
            Message(
                "{file} has {columns} columns without names. The first three were read as x, y and z.",
                file=file,
                columns=columns,
            )
        )
    return points, normals, warnings


def _are_normals(points: np.ndarray, vectors: np.ndarray) -> bool:
    if not np.isfinite(vectors).all():
        return False
    unit = np.abs(np.linalg.norm(vectors, axis=1) - 1.0) < _UNIT_TOLERANCE
    if unit.mean() < 0.95:  # a few points without a normal are common, written as 0 0 0
        return False
    # a pure colour for a whole solid, 1 0 0 for red, also has length 1
    all_one_colour = (vectors == vectors[0]).all() and (vectors[0] >= 0).all()
    return not (all_one_colour and np.ptp(points, axis=0).min() > 0)


def usable_normals(normals: np.ndarray | None, file: str) -> tuple[np.ndarray | None, list[str]]:
    """Normals scaled to length 1, or None with a warning where some have no direction.

    Programs that know no normals write zeros for all of them: that is a cloud without normals, and needs no warning.
    """
    if normals is None or not normals.any():
        return None, []
    with np.errstate(over="ignore", invalid="ignore"):
        length = np.linalg.norm(normals, axis=1)
    bad = np.count_nonzero(~(np.isfinite(length) & (length > 0)))
    if bad:
        return None, [
            Message(
                "{file}: {bad:,} of {n:,} normals have no direction, so all normals are ignored.",
                file=file,
                bad=bad,
                n=len(normals),
            )
        ]
    return normals / length[:, None], []
