"""Programs of a file, by the names of the solids that they are written for."""

from __future__ import annotations

import gzip
import json
import zlib
from pathlib import Path
from typing import Any, NamedTuple

from cadrecode.errors import DatasetError, Message, joined


class Row(NamedTuple):
    """A program of a file: the id of its target, its text (CODE), and its line, from 1."""

    id: str
    code: str
    line: int


def read_programs(path: str | Path) -> tuple[list[Row], list[dict[str, Any]]]:
    """Rows of {"id": ..., "code": ...}, and the lines that are none, with a reason.

    Args:
        path: .jsonl, or .jsonl.gz.
    Raises: DatasetError: no such file, or nothing usable in it.
    """
    path = Path(path)
    rows: list[Row] = []
    skipped: list[dict[str, Any]] = []
    try:
        opened = gzip.open if path.suffix.lower() == ".gz" else open
        with opened(path, "rt", encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.strip():
                    continue
                row = _row(line, number)
                (rows if isinstance(row, Row) else skipped).append(row)
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise DatasetError("{path} cannot be read as JSON lines: {error}.", path=path, error=error) from error
    if not rows:
        sentences = [Message("{path} holds no programs.", path=path)]
        if skipped:
            first = skipped[0]
            sentences.append(Message("Line {line}: {reason}.", line=first["line"], reason=first["reason"]))
        sentences.append(Message("Each line needs an `id` and a program under `code`."))
        raise DatasetError(joined("{first} {second}", sentences))
    return rows, skipped


def _row(line: str, number: int) -> Row | dict[str, Any]:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        return skip(None, number, Message("not JSON: {error}, column {column}", error=error.msg, column=error.colno))
    except (RecursionError, ValueError) as error:  # nested too deeply; a number of 5,000 digits
        return skip(None, number, Message("not JSON: {error}, column {column}", error=str(error), column=1))
    id = str(row["id"]) if isinstance(row, dict) and isinstance(row.get("id"), str | int) else None
    if id is None or not isinstance(row.get("code"), str):
        return skip(id, number, Message("a row needs an `id` and a text as `code`"))
    return Row(id, row["code"], number)


def skip(id: str | None, line: int | None, reason: str) -> dict[str, Any]:
    """The entry of a row that is skipped."""
    return {"id": id, "line": line, "reason": reason}
