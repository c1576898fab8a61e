"""The Adapters tab without its widgets: adapters merged, deleted and packed as a zip."""

from __future__ import annotations

import os
import shutil
import threading
import zipfile
from pathlib import Path

from cadrecode.adapters import find_adapter
from cadrecode.errors import ModelError, RunError
from cadrecode.jobs import merging, queue
from cadrecode.runs import Run
from cadrecode.ui import models
from cadrecode.ui.adapters.incoming import BESIDE, MOST_BYTES
from cadrecode.ui.services import Services

DOWNLOADS = ".downloads"  # below the runs folder, which is served as it is
ONE_FILE_BYTES = 200e6  # a merged model up to this size becomes a zip; of a larger model each file is linked


def merge(name: str | None, services: Services) -> Run:
    """Queue a merge of an adapter into its base. Raises CadrecodeError: no such adapter, or a merge is at work."""
    return merging.start(find_adapter(services.runs_dir, name), services.runs_dir)


def delete(name: str | None, services: Services) -> None:
    """Remove an adapter and its run folder. Raises CadrecodeError: a run or a merge is at work on it, or it is gone."""
    info = find_adapter(services.runs_dir, name)
    merge_run = merging.latest(info.name, services.runs_dir)
    if merge_run is not None:
        if not merge_run.state.final:
            raise RunError("{name} is being merged. Wait for it.", name=info.name)
        queue.delete(merge_run)
    models.forget(services, info.name)
    run = Run(info.folder)
    if run.exists():
        queue.delete(run)
    else:
        shutil.rmtree(info.folder)
    forget_downloads(info.name, services)


def pack(files: list[Path], to: Path) -> Path:
    """Pack files into a zip without compression, which would not make weights smaller.

    The zip has the time of its newest file, so that it is known as up to date whatever the clock says.
    """
    to.parent.mkdir(parents=True, exist_ok=True)
    newest = max(p.stat().st_mtime_ns for p in files)
    if to.is_file() and to.stat().st_mtime_ns == newest:
        return to
    part = to.with_suffix(f".{os.getpid()}-{threading.get_ident()}.part")  # others may pack the same files
    try:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED, strict_timestamps=False) as packed:
            for path in files:
                packed.write(path, path.name)
        os.utime(part, ns=(newest, newest))
        part.replace(to)
    finally:
        part.unlink(missing_ok=True)
    return to


def pack_adapter(name: str | None, services: Services) -> list[Path]:
    """The files of an adapter as a zip. Raises ModelError: there is no such adapter."""
    info = find_adapter(services.runs_dir, name)
    files = [path for name in (*MOST_BYTES, *BESIDE) if (path := info.folder / name).is_file()]
    return [pack(files, services.runs_dir / DOWNLOADS / f"{info.name}-adapter.zip")]


def offer_merged(name: str | None, services: Services) -> list[Path]:
    """The merged model of an adapter: a small model as a zip, a larger model as its files, linked and not copied.

    Raises ModelError: It has not been merged yet.
    """
    info = find_adapter(services.runs_dir, name)
    if info.merged is None:
        raise ModelError("{name} has not been merged yet: press Merge first.", name=info.name)
    files = sorted(p for p in info.merged.iterdir() if p.is_file())
    if folder_size(info.merged) <= ONE_FILE_BYTES:
        return [pack(files, services.runs_dir / DOWNLOADS / f"{info.name}-merged_model.zip")]
    folder = services.runs_dir / DOWNLOADS / f"{info.name}-merged_model"
    shutil.rmtree(folder, ignore_errors=True)  # it holds nothing but links
    folder.mkdir(parents=True)
    for path in files:
        os.link(path, folder / path.name)
    return [folder / path.name for path in files]


def forget_downloads(name: str, services: Services) -> None:
    """Remove the files that were made for downloads of an adapter."""
    for kind in ("adapter", "merged_model"):
        (services.runs_dir / DOWNLOADS / f"{name}-{kind}.zip").unlink(missing_ok=True)
        shutil.rmtree(services.runs_dir / DOWNLOADS / f"{name}-{kind}", ignore_errors=True)


def folder_size(folder: Path) -> int:
    """The bytes of the files in a folder, without its subfolders."""
    return sum(p.stat().st_size for p in folder.iterdir() if p.is_file())
