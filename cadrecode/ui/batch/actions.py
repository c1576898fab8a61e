"""Many scans, one after the other: each a row, each a folder of files; a failure is a row like the others."""

from __future__ import annotations

import shutil
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cadrecode.cloud import BREP_SUFFIXES, CLOUD_SUFFIXES, MESH_SUFFIXES
from cadrecode.config import ReconstructConfig
from cadrecode.errors import CadrecodeError, Message
from cadrecode.ui import archive, models
from cadrecode.ui.background import OnProgress
from cadrecode.ui.reconstruct.actions import open_cloud, rebuild
from cadrecode.ui.reconstruct.files import write_files
from cadrecode.ui.services import Services
from cadrecode.ui.words.text import Words

READABLE = frozenset({*CLOUD_SUFFIXES, *MESH_SUFFIXES, *BREP_SUFFIXES})
PACKED = ("py", "step", "stl", "3mf", "report", "page")
WAITING, WORKING, DONE, FAILED = "waiting", "working", "done", "failed"


@dataclass(frozen=True)
class Row:
    """One scan of a batch.

    Args:
        name: of its file.
        state: one of the words above.
        deviation: mean, in the unit of the batch; seconds: its own; why: it failed, or what is missing.
        folder: where its files are, once it is done.
    """

    name: str
    state: str = WAITING
    deviation: float | None = None
    seconds: float | None = None
    why: str = ""
    folder: Path | None = None


@dataclass(frozen=True)
class Batch:
    """What there is to do.

    Args:
        scans: files to rebuild; refused: rows of those that are no scans.
        folder: where what is made goes.
        config: settings for all of them.
        base, adapter: the model, as `models.choices` lists it.
    """

    scans: tuple[Path, ...]
    refused: tuple[Row, ...]
    folder: Path
    config: ReconstructConfig
    base: str | None = None
    adapter: str = models.PLAIN


def gather(
    uploads: Sequence[str | Path],
    folder: Path,
    config: ReconstructConfig,
    base: str | None = None,
    adapter: str = models.PLAIN,
) -> Batch:
    """The scans in what was dropped, zips unpacked; and a failed row for everything that is none.

    Raises: CadrecodeError: there is nothing to rebuild.
    """
    scans: list[Path] = []
    refused: list[Row] = []
    for number, path in enumerate(map(Path, uploads)):
        if path.suffix.lower() == ".zip":
            try:
                found, left = archive.unpack(path, folder / f"zip-{number}", READABLE)
            except archive.ArchiveError as error:
                refused.append(Row(path.name, FAILED, why=str(error)))
                continue
            scans += found
            refused += [_unreadable(name) for name in left]
        elif path.suffix.lower() in READABLE:
            scans.append(path)
        else:
            refused.append(_unreadable(path.name))
    if not scans:
        raise CadrecodeError(
            "There is no cloud, mesh or STEP file to rebuild. {hint}",
            hint=Message("{name}: {reason}", name=refused[0].name, reason=refused[0].why)
            if refused
            else Message("Drop several files, or a zip of them."),
        )
    return Batch(tuple(scans), tuple(refused), folder, config, base, adapter)


def _unreadable(name: str) -> Row:
    return Row(
        name, FAILED, why=Message("not a kind of file that is read ({suffixes})", suffixes=", ".join(sorted(READABLE)))
    )


def rebuild_all(
    batch: Batch, services: Services, words: Words, on_progress: OnProgress, stop: Callable[[], bool]
) -> Iterator[list[Row]]:
    """Rebuild one after the other; the rows as they stand, each time one of them changes. A stop ends after a scan."""
    rows = [Row(path.name) for path in batch.scans] + list(batch.refused)
    yield list(rows)
    for index, path in enumerate(batch.scans):
        if stop():
            return
        rows[index] = replace(rows[index], state=WORKING)
        yield list(rows)
        began = time.monotonic()
        try:
            done = _one(path, index, batch, services, words, on_progress, stop)
        except CadrecodeError as error:
            done = Row(path.name, FAILED, why=str(error))
        rows[index] = replace(done, seconds=time.monotonic() - began)
        yield list(rows)


def _one(path: Path, index: int, batch: Batch, services: Services, words: Words, on_progress: OnProgress, stop) -> Row:
    work = open_cloud(path, services, batch.config.unit)
    work = rebuild(work, batch.config, services, on_progress, stop, base=batch.base, adapter=batch.adapter)
    on_progress("checking", 0, 1)
    made = write_files(work, services, words)
    folder = batch.folder / f"{index + 1:03d}-{work.name[:60]}"
    folder.mkdir(parents=True, exist_ok=True)
    for kind in PACKED:
        if kind in made.paths:
            shutil.copy2(made.paths[kind], folder)
    return Row(path.name, DONE, work.shown.deviation.mean, why=made.note, folder=folder)


def pack(rows: Sequence[Row], target: Path) -> Path | None:
    """One zip of all that came out, a folder for each scan, and a list of those that failed; None for nothing."""
    done = [row for row in rows if row.folder is not None]
    if not done:
        return None
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as out:
        for row in done:
            for file in sorted(row.folder.iterdir()):
                out.write(file, f"{row.folder.name}/{file.name}")
        failed = [f"{row.name}: {row.why}" for row in rows if row.state == FAILED]
        if failed:
            out.writestr("failed.txt", "\n".join(failed) + "\n")
    return target
