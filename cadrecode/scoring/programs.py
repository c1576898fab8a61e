"""Programs of a file, by the names of the solids that they are written for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from cadrecode.errors import DatasetError, Message, joined
from cadrecode.json_files import numbered_lines


class Row(NamedTuple):
    """A program: the id of its target, its text, and its line in the file, from 1."""

    id: str
    code: str
    line: int


def read_programs(path: str | Path, field: str = "code") -> tuple[list[Row], list[dict[str, Any]]]:
    """The programs of a file or a folder, and the lines or files that are none, with a reason.

    Args:
        path: .jsonl or .jsonl.gz of {"id": ..., "code": ...}, or a folder of <id>.py.
        field: The name under which a row of JSON has its program.
    Raises: DatasetError: no such file, or nothing usable in it.
    """
    path = Path(path)
    rows: list[Row] = []
    skipped: list[dict[str, Any]] = []
    for row in _files(path) if path.is_dir() else (_row(line, number, field) for number, line in numbered_lines(path)):
        (rows if isinstance(row, Row) else skipped).append(row)
    if not rows:
        sentences = [Message("{path} holds no programs.", path=path)]
        if skipped:
            first = skipped[0]
            sentences.append(Message("Line {line}: {reason}.", line=first["line"], reason=first["reason"]))
        sentences.append(Message("Each line needs an `id` and a program under `{field}`.", field=field))
        raise DatasetError(joined("{first} {second}", sentences))
    return rows, skipped


def _files(folder: Path) -> Iterator[Row | dict[str, Any]]:
    for file in sorted(folder.glob("*.py")):
        try:
            yield Row(file.stem, file.read_text(encoding="utf-8-sig"), 1)
        except (OSError, UnicodeDecodeError) as error:
            yield skip(file.stem, 1, Message("{error}", error=error))


def _row(line: str, number: int, field: str) -> Row | dict[str, Any]:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        return skip(None, number, Message("not JSON: {error}, column {column}", error=error.msg, column=error.colno))
    except (RecursionError, ValueError) as error:  # nested too deeply; a number of 5,000 digits
        return skip(None, number, Message("not JSON: {error}, column {column}", error=str(error), column=1))
    id = str(row["id"]) if isinstance(row, dict) and isinstance(row.get("id"), str | int) else None
    if id is None or not isinstance(row.get(field), str):
        return skip(id, number, Message("a row needs an `id` and a text as `{field}`", field=field))
    return Row(id, row[field], number)


def none_met(programs: str | Path, targets: str | Path, skipped: Sequence[dict[str, Any]]) -> DatasetError:
    """The error where no program has a target, with the first reasons."""
    reasons = [Message("{name}: {reason}", name=entry["id"], reason=entry["reason"]) for entry in skipped[:3]]
    return DatasetError(
        "No program of {programs} has a target in {targets}. {reasons}",
        programs=programs,
        targets=targets,
        reasons=joined("{first}; {second}", reasons),
    )


def skip(id: str | None, line: int | None, reason: str) -> dict[str, Any]:
    """The entry of a row that is skipped."""
    return {"id": id, "line": line, "reason": reason}
