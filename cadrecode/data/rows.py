"""Rows and rings as a model learns them best: by their length and their count, which weighs more than other numbers."""

from __future__ import annotations

import re

ROW = re.compile(r"\.rarray\(([\d.]+),([\d.]+),(\d+),(\d+)\)")  # as `write` spells it
COUNTS = re.compile(r"\d+/(\d+)|\.(?:parray|polarArray)\([^()]*,(\d+)\)")
COUNT_WEIGHT = 10.0  # of a token of a count in the loss: beside some forty others, of sizes, it is learnt last
DECIMALS = 1  # of a row's length, CODE
SHORTEST = 10.0  # CODE: a shorter row needs all the digits of its spacing


def with_row_lengths(text: str) -> str:
    """A canonical program whose rows of three and more have their length over its gaps in place of the spacing.

    `rarray(12.96,1,14,1)` becomes `rarray(168.5/13,1,14,1)`. A length is read off the ends of a row; a spacing that is
    off by 2 % has moved the last of 14 by a quarter of its spacing.
    """
    return ROW.sub(_by_length, text)


def _by_length(row: re.Match[str]) -> str:
    dx, dy, columns, rows = row.groups()
    return f".rarray({_spacing(dx, int(columns))},{_spacing(dy, int(rows))},{columns},{rows})"


def _spacing(spacing: str, count: int) -> str:
    length = float(spacing) * (count - 1)
    return spacing if count < 3 or length < SHORTEST else f"{round(length, DECIMALS):g}/{count - 1}"


def counts_in(text: str) -> list[tuple[int, int]]:
    """Where a program first says how many of something there are: start and end of each such number in its text.

    Of a row with its length these are the gaps, which tell the rest, and of a ring its places.
    """
    return [match.span(match.lastindex) for match in COUNTS.finditer(text) if match.lastindex]
