"""Archives that people upload: looked at before anything is unpacked, and unpacked into one flat folder."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Collection
from pathlib import Path, PurePosixPath

from cadrecode.errors import CadrecodeError

MOST_FILES = 500
MOST_BYTES = 2 * 1024**3  # all of them together, unpacked
SLICE = 1 << 20
BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError)  # what zipfile makes of a bad or odd file


class ArchiveError(CadrecodeError):
    """The archive is broken, too large, or holds nothing to use."""


def unpack(path: Path, folder: Path, suffixes: Collection[str]) -> tuple[list[Path], list[str]]:
    """Take the files with one of `suffixes` out of a zip.

    Folders in it are dropped, names are made safe, and what an announced size hides is counted while it is written.
    Returns: the files, as `folder`/<name>, and the names of those that were left out.
    Raises: ArchiveError: it is no zip, is encrypted, or is larger than MOST_FILES and MOST_BYTES.
    """
    path, folder = Path(path), Path(folder)
    try:
        with zipfile.ZipFile(path) as archive:
            entries = [one for one in archive.infolist() if not one.is_dir() and not _hidden(one.filename)]
            wanted = [one for one in entries if PurePosixPath(one.filename).suffix.lower() in suffixes]
            _check(path, wanted)
            folder.mkdir(parents=True, exist_ok=True)
            files, left = [], MOST_BYTES
            for entry in wanted:
                target = _free(folder / _safe(entry.filename))
                left -= _copy(archive, entry, target, left, path)
                files.append(target)
    except BROKEN as error:
        raise ArchiveError(
            "{name} is not a zip file, or it is cut short: {error}.", name=path.name, error=error
        ) from error
    return files, [one.filename for one in entries if one not in wanted]


def _hidden(name: str) -> bool:
    """What macOS and others add without being asked."""
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
    if sum(one.file_size for one in wanted) > MOST_BYTES:
        raise ArchiveError("{name} unpacks to over {most:.0f} GB. Split it.", name=path.name, most=MOST_BYTES / 1024**3)
    if any(one.flag_bits & 0x1 for one in wanted):
        raise ArchiveError("{name} is encrypted. Pack it again without a password.", name=path.name)


def _safe(name: str) -> str:
    name = PurePosixPath(name.replace("\\", "/")).name
    return re.sub(r"[^\w. -]+", "_", name).lstrip(".") or "file"


def _free(target: Path) -> Path:
    """Two folders of an archive may hold the same name."""
    number, found = 2, target
    while found.exists():
        found, number = target.with_stem(f"{target.stem}-{number}"), number + 1
    return found


def _copy(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, left: int, path: Path) -> int:
    """Returns: how many bytes it really had."""
    written = 0
    with archive.open(entry) as source, target.open("wb") as out:
        while piece := source.read(SLICE):
            written += len(piece)
            if written > left:
                raise ArchiveError(
                    "{name} unpacks to over {most:.0f} GB. Split it.",
                    name=path.name,
                    most=MOST_BYTES / 1024**3,
                )
            out.write(piece)
    return written
