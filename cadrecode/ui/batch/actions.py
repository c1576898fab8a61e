"""Rebuilds many scans, one after the other: a row and a folder of files for each; a failure is a row, too."""

from __future__ import annotations

import hashlib
import shutil
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cadrecode.cloud import READABLE
from cadrecode.config import ReconstructConfig
from cadrecode.errors import CadrecodeError, Message
from cadrecode.ui import archive, models
from cadrecode.ui.background import OnProgress
from cadrecode.ui.batch.items import DONE, FAILED, WORKING, BatchItem, worst_first
from cadrecode.ui.batch.page import index_page
from cadrecode.ui.draw import film
from cadrecode.ui.reconstruct import describe
from cadrecode.ui.reconstruct.actions import open_cloud, rebuild
from cadrecode.ui.reconstruct.files import write_files
from cadrecode.ui.services import Services
from cadrecode.ui.words.text import Words

PACKED = ("py", "step", "stl", "3mf", "report", "page")


@dataclass(frozen=True)
class Batch:
    """The work of a batch.

    Args:
        scans: Files to rebuild.
        refused: Rows of the files that are no scans.
        folder: For the results.
        config: Settings for all scans.
        base: As `models.choices` lists it, and so is `adapter`.
        tolerance: The distance within which points count as explained, in the unit of the settings; None: by the size.
    """

    scans: tuple[Path, ...]
    refused: tuple[BatchItem, ...]
    folder: Path
    config: ReconstructConfig
    base: str | None = None
    adapter: str = models.PLAIN
    tolerance: float | None = None


def gather(
    uploads: Sequence[str | Path],
    folder: Path,
    config: ReconstructConfig,
    base: str | None = None,
    adapter: str = models.PLAIN,
    tolerance: float | None = None,
) -> Batch:
    """The scans among the uploads, zips unpacked, and a failed row for every other file.

    Raises: CadrecodeError: there is nothing to rebuild.
    """
    scans: list[Path] = []
    refused: list[BatchItem] = []
    for number, path in enumerate(map(Path, uploads)):
        if path.suffix.lower() == ".zip":
            try:
                unpacked, others = archive.unpack(path, folder / f"zip-{number}", READABLE)
            except archive.ArchiveError as error:
                refused.append(BatchItem(path.name, FAILED, why=str(error)))
                continue
            scans += unpacked
            refused += [_unreadable(name) for name in others]
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
    return Batch(tuple(scans), tuple(refused), folder, config, base, adapter, tolerance)


def _unreadable(name: str) -> BatchItem:
    return BatchItem(
        name, FAILED, why=Message("not a kind of file that is read ({suffixes})", suffixes=", ".join(sorted(READABLE)))
    )


def rebuild_all(
    batch: Batch, services: Services, words: Words, on_progress: OnProgress, stop: Callable[[], bool]
) -> Iterator[list[BatchItem]]:
    """Rebuild one scan after the other, and yield all rows whenever one changes. A stop takes effect after a scan.

    Scans that were rebuilt before with the same settings are not rebuilt again, so that a batch goes on where it ended.
    """
    rows = [BatchItem(path.name) for path in batch.scans] + list(batch.refused)
    yield list(rows)
    for index, path in enumerate(batch.scans):
        if stop():
            return
        key = _key(path, batch, words)
        before = services.finished.get(key)
        if before is not None and before.folder.is_dir():
            rows[index] = replace(before, name=path.name)
            continue
        rows[index] = replace(rows[index], state=WORKING)
        yield list(rows)
        began = time.monotonic()
        try:
            done = _rebuilt(path, index, batch, services, words, on_progress, stop)
        except CadrecodeError as error:
            if stop():  # it did not fail: it waits, as those after it do
                rows[index] = BatchItem(path.name)
                break
            done = BatchItem(path.name, FAILED, why=str(error))
        rows[index] = replace(done, seconds=time.monotonic() - began)
        if done.state == DONE and not stop():  # a rebuild that was stopped has fewer candidates
            services.finished[key] = rows[index]
        yield list(rows)
    yield list(rows)


def _key(path: Path, batch: Batch, words: Words) -> str:
    """Tells rebuilds apart: the file's content and name, the settings, the model, the language of the report."""
    what = f"{path.name}\n{batch.config.model_dump_json()}\n{batch.base}\n{batch.adapter}\n{batch.tolerance}\n"
    what += words.language
    return hashlib.sha256(path.read_bytes() + what.encode()).hexdigest()


def _rebuilt(
    path: Path,
    index: int,
    batch: Batch,
    services: Services,
    words: Words,
    on_progress: OnProgress,
    stop: Callable[[], bool],
) -> BatchItem:
    """Rebuild a scan and copy its files into its folder. Raises: CadrecodeError: it cannot be rebuilt."""
    work = replace(open_cloud(path, services, batch.config.unit), tolerance=batch.tolerance)
    work = rebuild(work, batch.config, services, on_progress, stop, base=batch.base, adapter=batch.adapter)
    on_progress("checking", 0, 1)
    made = write_files(work, services, words)
    folder = batch.folder / f"{index + 1:03d}-{work.name[:60]}"
    folder.mkdir(parents=True, exist_ok=True)
    for kind in PACKED:
        if kind in made.paths:
            shutil.copy2(made.paths[kind], folder)
    part = work.shown
    return BatchItem(
        path.name, DONE, str(part.assessment.verdict), part.assessment.text,
        part.deviation.within(work.tolerance_shown), work.tolerance_shown, why=made.note,
        hint=describe.unit_hint(work.cloud, work.unit, words), picture=film.of_part((part.vertices, part.faces)),
        folder=folder,
    )  # fmt: skip


def pack(rows: Sequence[BatchItem], target: Path, unit: str, words: Words) -> Path | None:
    """A zip with a page that lists all, a folder for each rebuilt scan and a list of the failures; None where no scan
    was rebuilt."""
    done = [row for row in rows if row.folder is not None]
    if not done:
        return None
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as out:
        for row in done:
            for file in sorted(row.folder.iterdir()):
                out.write(file, f"{row.folder.name}/{file.name}")
        out.writestr("index.html", index_page(worst_first(rows), unit, words))
        failed = [f"{row.name}: {row.why}" for row in rows if row.state == FAILED]
        if failed:
            out.writestr("failed.txt", "\n".join(failed) + "\n")
    return target
