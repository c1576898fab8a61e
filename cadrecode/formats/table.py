"""Text clouds: .txt .xyz .pts .csv. Separators, header row, point count and decimal commas are recognised."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from cadrecode.errors import Message, PointCloudError
from cadrecode.formats.columns import LONGEST_LIST, clean_name, locate, split_unnamed
from cadrecode.formats.content import describe, read_head, wrong_content
from cadrecode.formats.number_lines import BadLine, blocks_of, is_number_row, parse_lines
from cadrecode.formats.rows import FileContents, RowCollector, cut_short

_DECIMAL_COMMA = re.compile(r"[-+]?\d+,\d+([eE][-+]?\d+)?")
_PREAMBLE_LINES = 64  # comments, a header and a count stand at the very top
_WANTED = Message("a text cloud, one point a line")


@dataclass
class Layout:
    """How a text table is written.

    Args:
        skip: lines before the first row of numbers.
        columns: cells in a row.
        delimiter: None for blanks.
        names: the header row, or None.
        announced: the count on the first line, or None.
        decimal_comma: 1,5 means one and a half.
    """

    skip: int
    columns: int
    delimiter: str | None
    names: list[str] | None
    announced: int | None
    decimal_comma: bool


def read_table(path: Path, collector: RowCollector) -> FileContents:
    """Read a text cloud.

    Raises: PointCloudError: not text, wrong columns, a word among the numbers, fewer or more rows than announced.
    """
    encoding = _encoding(path)
    with path.open(encoding=encoding, errors="replace") as file:
        layout = _look(path, next(blocks_of(file, path.name, _PREAMBLE_LINES), []))
        file.seek(0)
        for _ in range(layout.skip):
            file.readline()
        _collect(path.name, file, layout, collector)
    if layout.announced is not None and collector.seen != layout.announced:
        if collector.seen < layout.announced:
            raise cut_short(path.name, layout.announced, collector.seen)
        raise PointCloudError(
            "{name} announces {announced:,} points on its first line but holds {actual:,}. Correct or remove "
            "that line.",
            name=path.name,
            announced=layout.announced,
            actual=collector.seen,
        )
    rows, warnings = collector.finish()
    if layout.names is not None:
        points, normals = rows[:, :3], rows[:, 3:6] if rows.shape[1] == 6 else None
    else:
        points, normals, more = split_unnamed(rows, path.name, collector.columns)
        warnings += more
    return FileContents(points, normals, announced=collector.seen, warnings=warnings)


def _encoding(path: Path) -> str:
    head = read_head(path)
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):  # what spreadsheets call "Unicode text"
        return "utf-16"
    if b"\x00" in head or describe(head) is not None:
        raise wrong_content(path, _WANTED, Message("it holds binary data"))
    return "utf-8-sig"


def _collect(name: str, file: TextIO, layout: Layout, collector: RowCollector) -> None:
    wanted = None
    if layout.names is not None:
        xyz, normals = locate(layout.names, name)
        wanted = xyz + (normals or [])
    line = layout.skip + 1
    for block in blocks_of(file, name):
        lines = _plain(block, layout)
        try:
            rows = parse_lines(
                lines, name, first_line=line, columns=layout.columns, delimiter=layout.delimiter, wanted=wanted
            )
        except BadLine as bad:
            held = collector.seen + bad.rows_before
            if layout.announced is not None and bad.last and held < layout.announced:
                raise cut_short(name, layout.announced, held) from bad
            raise
        collector.add(rows)
        line += len(block)


def _plain(lines: list[str], layout: Layout) -> list[str]:
    if layout.decimal_comma:
        lines = [line.replace(",", ".") for line in lines]
    if layout.delimiter is not None and layout.names is None:
        lines = [line.rstrip(" \t\r\n" + layout.delimiter) for line in lines]  # a separator at the end opens no column
    return lines


def _look(path: Path, lines: list[str]) -> Layout:
    names: list[str] | None = None
    commented: list[str] | None = None
    announced: int | None = None
    for i, line in enumerate(lines):
        text = line.strip()
        if not text:
            continue
        if text.startswith(("#", "//")):
            commented = _cells(text.lstrip("#/ "), *_separator(text.lstrip("#/ ")))
            continue
        delimiter, comma = _separator(text, names)
        cells = _cells(text, delimiter, comma)
        if not is_number_row(cells):
            if names is None and any(clean_name(cell) in ("x", "y", "z", "points:0", "points_0") for cell in cells):
                names = cells
                continue
            if names is not None and len(cells) >= len(names):
                return Layout(i, len(names), delimiter, names, announced, comma)  # words in columns we do not need
            raise PointCloudError(
                "{name}, line {line} starts with {text!r}. Each line needs the numbers of one point, x, y, z and "
                "maybe more, after an optional first line that names the columns.",
                name=path.name,
                line=i + 1,
                text=text[:40],
            )
        if (
            len(cells) == 1
            and cells[0].isdigit()
            and len(cells[0]) < 13
            and announced is None
            and names is None
            and _wider(lines[i + 1 :])
        ):
            announced = int(cells[0])
            continue
        if names is None and commented is not None and len(commented) == len(cells):
            cleaned = [clean_name(cell) for cell in commented]
            names = commented if {"x", "y", "z"} <= set(cleaned) else None
        columns = len(cells) if names is None else len(names)
        if delimiter is None and columns != len(cells):
            raise PointCloudError(
                "{name} names {columns} columns ({names}) but line {line} has {n}. One name for each column is "
                "needed, without blanks inside a name.",
                name=path.name,
                columns=columns,
                names=", ".join(names)[:LONGEST_LIST],
                line=i + 1,
                n=len(cells),
            )
        return Layout(i, columns, delimiter, names, announced, comma)
    if announced:
        raise cut_short(path.name, announced, 0)
    raise PointCloudError("{name} holds no points. A cloud needs at least 32 lines of x, y, z.", name=path.name)


def _wider(lines: list[str]) -> bool:
    """A lone integer is a count when more columns follow it, or nothing at all."""
    rows = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    return not rows or len(_cells(rows[0].strip(), *_separator(rows[0]))) >= 3


def _separator(text: str, names: list[str] | None = None) -> tuple[str | None, bool]:
    """The delimiter (None for blanks), and whether the comma is a decimal sign."""
    if ";" in text:
        return ";", "," in text
    if "," in text:
        words = text.split()
        if len(words) >= 3 and all(_DECIMAL_COMMA.fullmatch(word) for word in words):
            return None, True
        return ",", False
    return ("\t", False) if names is not None and "\t" in text else (None, False)


def _cells(text: str, delimiter: str | None, decimal_comma: bool) -> list[str]:
    if decimal_comma:
        text = text.replace(",", ".")
    if delimiter is not None:
        text = text.rstrip(" \t" + delimiter)
    return [cell.strip().strip('"') for cell in text.split(delimiter)]
