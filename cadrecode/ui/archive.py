"""Uploaded archives: they are checked before anything is unpacked, and unpacked into a flat folder."""

from __future__ import annotations

import contextlib
import re
import struct
import zipfile
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath

from cadrecode.errors import CadrecodeError
from cadrecode.figures import GIB

MOST_FILES = 500
MOST_BYTES = 2 * GIB  # of all files together, unpacked
MOST_LETTERS = 80  # of a name; file systems take 255 bytes
SLICE = 1 << 20
MOST_DIRECTORY_BYTES = 2**20  # of the list of files, which zipfile reads whole
PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
BROKEN = (  # what zipfile raises for a bad or odd file
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, RuntimeError, ValueError,
    OverflowError,
)  # fmt: skip


class ArchiveError(CadrecodeError):
    """The archive is broken, too large, or holds nothing usable."""


def unpack(path: Path, folder: Path, suffixes: Collection[str]) -> tuple[list[Path], list[str]]:
    """Unpack the files with one of `suffixes` from a zip.

    Folders are dropped and names are made safe. Bytes are counted as they are written, because an archive may announce
    less than it holds.

    Returns: the files, as `folder`/<name>, and the names of the files that were left out.

    Raises: ArchiveError: It is not a zip, or is encrypted, or exceeds MOST_FILES or MOST_BYTES.
    """
    path, folder = Path(path), Path(folder)
    with opened(path) as archive:
        entries = [entry for entry in archive.infolist() if not entry.is_dir() and not _hidden(entry.filename)]
        wanted = [entry for entry in entries if PurePosixPath(entry.filename).suffix.lower() in suffixes]
        _check(path, wanted)
        folder.mkdir(parents=True, exist_ok=True)
        files, left = [], MOST_BYTES
        for entry in wanted:
            target = _free(folder / _safe(entry.filename))
            left -= copy(archive, entry, target, left, path)
            files.append(target)
    return files, [entry.filename for entry in entries if entry not in wanted]


@contextlib.contextmanager
def opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """A zip file to read, whose list of files is not too long.

    Raises: ArchiveError: It is not a zip, or is broken, here or while it is read.
    """
    try:
        with path.open("rb") as file:
            end = zipfile._EndRecData(file)  # type: ignore[attr-defined]  # the same record that ZipFile goes by, before it reads the list
        if end and end[zipfile._ECD_SIZE] > MOST_DIRECTORY_BYTES:  # type: ignore[attr-defined]
            raise ArchiveError("{name} holds more files than the {most} that are taken at once.", name=path.name,
                               most=MOST_FILES)  # fmt: skip
        with zipfile.ZipFile(path) as archive:
            yield archive
    except BROKEN as error:
        raise ArchiveError(
            "{name} is not a zip file, or it is cut short: {error}.", name=path.name, error=error
        ) from error


def _hidden(name: str) -> bool:
    """Whether it is a file that macOS and other systems add."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    return any(part.startswith(".") or part == "__MACOSX" for part in parts if part != "..")


def _check(path: Path, wanted: list[zipfile.ZipInfo]) -> None:
    if len(wanted) > MOST_FILES:
        raise ArchiveError(
            "{name} holds {n:,} files; at most {most} are taken at once.",
            name=path.name,
            n=len(wanted),
            most=MOST_FILES,
        )
    if sum(entry.file_size for entry in wanted) > MOST_BYTES:
        raise _too_large(path)


def _too_large(path: Path) -> ArchiveError:
    return ArchiveError("{name} unpacks to over {most:.0f} GB. Split it.", name=path.name, most=MOST_BYTES / GIB)


def _safe(name: str) -> str:
    name = PurePosixPath(name.replace("\\", "/")).name
    stem, dot, suffix = re.sub(r"[^\w. -]+", "_", name).lstrip(".").rpartition(".")
    return f"{stem[:MOST_LETTERS]}{dot}{suffix[:MOST_LETTERS]}" or "file"


def _free(target: Path) -> Path:
    """`target`, with a number where it exists: two folders of an archive may hold the same name."""
    number, free = 2, target
    while free.exists():
        free, number = target.with_stem(f"{target.stem}-{number}"), number + 1
    return free


def copy(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, left: int, path: Path) -> int:
    """Unpack a file of at most `left` bytes. Returns how many bytes it had.

    Raises: ArchiveError: It is larger, encrypted, or not packed by deflate.
    """
    if entry.flag_bits & 0x1:
        raise ArchiveError("{name} is encrypted. Pack it again without a password.", name=path.name)
    if entry.compress_type not in PACKINGS:
        raise ArchiveError("{name} is not packed by deflate, as zip files usually are. Pack it again.", name=path.name)
    written = 0
    with archive.open(entry) as source, target.open("wb") as out:
        while piece := source.read(SLICE):
            written += len(piece)
            if written > left:
                raise _too_large(path)
            out.write(piece)
    return written
