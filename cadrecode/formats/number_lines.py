"""Lines of text to rows of numbers, with the number of the line that is not a row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TextIO

import numpy as np

from cadrecode.errors import Message, PointCloudError
from cadrecode.formats.limits import LONGEST_LINE, long_line
from cadrecode.formats.rows import BYTES_PER_BLOCK, ROWS_PER_BLOCK


class BadLine(PointCloudError):
    """A line that is not a row like the others.

    Args:
        line: its number, from 1.
        columns: numbers it holds, or None when a word stands where a number should.
        rows_before: good rows in the same block before it.
        last: nothing but blank lines follows in the same block.
    """

    def __init__(self, message: str, line: int, columns: int | None, rows_before: int, last: bool):
        super().__init__(message)
        self.line, self.columns, self.rows_before, self.last = line, columns, rows_before, last


def blocks_of(file: TextIO, name: str, lines: int | None = None) -> Iterator[list[str]]:
    """A text file in lists of lines; at most `lines` lines in total.

    Raises: PointCloudError: a line is longer than any of numbers.
    """
    left = ROWS_PER_BLOCK if lines is None else lines
    while left > 0:
        block: list[str] = []
        characters = 0
        while len(block) < min(left, ROWS_PER_BLOCK) and characters < BYTES_PER_BLOCK:
            line = file.readline(LONGEST_LINE + 1)
            if not line:
                break
            if len(line) > LONGEST_LINE:
                raise long_line(name)
            block.append(line)
            characters += len(line)
        if not block:
            return
        if lines is not None:
            left -= len(block)
        yield block


def parse_lines(
    lines: Sequence[str],
    name: str,
    *,
    first_line: int,
    columns: int,
    delimiter: str | None = None,
    wanted: Sequence[int] | None = None,
) -> np.ndarray:
    """Rows of numbers in text lines. Blank lines and whatever follows a # are skipped.

    Args:
        first_line: number of lines[0] in the file, for messages.
        columns: numbers in each row.
        wanted: read only these columns; the others may hold words.
    Returns: (k, columns or len(wanted)) float64.
    Raises:  BadLine.
    """
    rows = [line for line in lines if (text := line.strip()) and text[0] != "#"]
    if not rows:
        return np.empty((0, columns if wanted is None else len(wanted)))
    try:
        table = np.loadtxt(rows, delimiter=delimiter, comments="#", usecols=wanted, quotechar='"', ndmin=2)
    except ValueError as error:
        raise _first_bad_line(lines, name, first_line, columns, delimiter, wanted) from error
    if wanted is None and table.shape[1] != columns:
        raise _first_bad_line(lines, name, first_line, columns, delimiter, wanted)
    return table


def _first_bad_line(
    lines: Sequence[str], name: str, first_line: int, columns: int, delimiter: str | None, wanted: Sequence[int] | None
) -> BadLine:
    rows = [(i, text) for i, line in enumerate(lines) if (text := line.split("#")[0].strip())]
    for good, (i, text) in enumerate(rows):
        number, last = first_line + i, good == len(rows) - 1
        cells = [cell.strip().strip('"') for cell in text.split(delimiter)]
        if len(cells) != columns if wanted is None else len(cells) <= max(wanted):
            hint = Message("Every row needs the same columns.")
            if last:
                hint = Message("It is the last line: the file may be cut short.")
            where = {"name": name, "number": number, "n": len(cells), "_s": "" if len(cells) == 1 else "s"}
            return BadLine(
                Message(
                    "{name}, line {number:,} has {n} column{_s} where {columns} are needed. {hint}",
                    **where,
                    columns=columns,
                    hint=hint,
                ),
                number,
                len(cells),
                good,
                last,
            )
        for cell in cells if wanted is None else [cells[k] for k in wanted]:
            if not _is_number(cell):
                what = repr(cell[:40]) if cell else Message("nothing")
                text = Message("{name}, line {number:,} has {what} where a number is needed.")
                return BadLine(Message(text, name=name, number=number, what=what), number, None, good, last)
    text = Message("{name}, from line {first_line:,}: rows of {columns} numbers are needed.")
    return BadLine(Message(text, name=name, first_line=first_line, columns=columns), first_line, None, 0, False)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text  # Python reads 1_000 as a number, files do not mean it


def is_number_row(cells: Sequence[str]) -> bool:
    """There are cells, and each is a number."""
    return bool(cells) and all(_is_number(cell) for cell in cells)
