"""JSON files of people and of other processes: read with checks, and replaced such that no reader sees half of one."""

from __future__ import annotations

import gzip
import json
import os
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cadrecode.errors import CadrecodeError, DatasetError

if TYPE_CHECKING:
    from pydantic import ValidationError

MOST_BYTES = 8 * 2**20  # of a file that is read whole


class DamagedFile(CadrecodeError):
    """The file cannot be read, or holds something else than it should."""


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file.

    Raises:
        FileNotFoundError: There is no such file.
        DamagedFile: It is unreadable, too long, not UTF-8, not JSON, nested too deeply, or no object.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise DamagedFile("{name} cannot be read ({error}).", name=path.name, error=error) from error
    if len(content) > MOST_BYTES:
        raise DamagedFile("{name} is damaged: it is over {most} MB long.", name=path.name, most=MOST_BYTES >> 20)
    value = parsed(content)
    if not isinstance(value, dict):
        raise DamagedFile("{name} is damaged: it holds no JSON object.", name=path.name)
    return value


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a file of JSON lines. Lines that were cut short or damaged are left out."""
    if not path.is_file():
        return
    for line in path.read_bytes().splitlines():
        value = parsed(line)
        if isinstance(value, dict):
            yield value


def wrong_fields(error: ValidationError) -> str:
    """The names of the fields that a model refuses, with commas between them."""
    return ", ".join(dict.fromkeys(str(fault["loc"][0]) for fault in error.errors(include_input=False)))


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a text file, plain or packed by gzip (.gz), each with its number from 1. Empty lines are left out.

    Raises: DatasetError: The file cannot be read.
    """
    opened = gzip.open if path.suffix.lower() == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8-sig") as lines:
            yield from ((number, line) for number, line in enumerate(lines, start=1) if line.strip())
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise DatasetError("{path} cannot be read as JSON lines: {error}.", path=path, error=error) from error


def write_whole(path: Path, text: str) -> None:
    """Replace a file. Readers see the old content or the new, also after a power cut; a failure keeps the old."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{time.monotonic_ns()}")
    try:
        with temporary.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())  # otherwise the new name may reach the disk before the content
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if os.name != "nt":  # Windows cannot open a folder
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def parsed(content: bytes) -> Any:
    """The value of a JSON text; None for anything else."""
    try:
        return json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
