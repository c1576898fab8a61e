"""The Adapters tab without its widgets: adapters out as a zip, in again after a check, merged and deleted."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import zipfile
from pathlib import Path, PurePosixPath

from safetensors import SafetensorError, safe_open

from cadrecode.adapters import CONFIG_FILE, WEIGHTS_FILE, find_adapter
from cadrecode.errors import ModelError, RunError
from cadrecode.jobs import merging, queue
from cadrecode.runs import Run, free_folder
from cadrecode.ui import archive, models
from cadrecode.ui.draw import html
from cadrecode.ui.services import Services

ADAPTER_FILES = ("*.json", "*.safetensors", "*.yaml", "*.jinja", "*.model", "merges.txt", "README.md")
NOT_PACKED = ("status.json", "complete.json", "trainer_state.json", "data.json")
DOWNLOADS = ".downloads"  # below the runs folder, which is served as it is
INCOMING = ".incoming"  # below the runs folder: adapters are unpacked here and moved when they are complete
ONE_FILE_BYTES = 200e6  # a merged model up to this size becomes a zip; of a larger model each file is linked

ALLOWED = (".json", ".safetensors", ".yaml", ".jinja", ".model", ".txt", ".md")
PICKLES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib", ".npy", ".npz")
MOST_BYTES = archive.MOST_BYTES  # unpacking refuses a larger adapter anyway, but later


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


# --- out


def pack(files: list[Path], to: Path) -> Path:
    """Pack files into a zip without compression, which would not make weights smaller."""
    to.parent.mkdir(parents=True, exist_ok=True)
    newest = max(p.stat().st_mtime for p in files)
    if to.is_file() and to.stat().st_mtime >= newest:
        return to
    part = to.with_suffix(".part")
    with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as packed:
        for path in files:
            packed.write(path, path.name)
    part.replace(to)
    return to


def pack_adapter(name: str | None, services: Services) -> list[Path]:
    """The files of an adapter as a zip. Raises ModelError: there is no such adapter."""
    info = find_adapter(services.runs_dir, name)
    files = {p for pattern in ADAPTER_FILES for p in info.folder.glob(pattern) if p.name not in NOT_PACKED}
    return [pack(sorted(files), services.runs_dir / DOWNLOADS / f"{info.name}-adapter.zip")]


def offer_merged(name: str | None, services: Services) -> list[Path]:
    """The merged model of an adapter: a small one as a zip, a larger one as its files, linked and not copied.

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


# --- in


def take_in(path: str | Path, services: Services) -> str:
    """Check an uploaded adapter and unpack it. Returns its name.

    Raises: ModelError, ArchiveError: It is not sound; nothing of it is kept.
    """
    path = Path(path)
    _check_before_unpacking(path)
    incoming = services.runs_dir / INCOMING
    incoming.mkdir(parents=True, exist_ok=True)
    staged = Path(tempfile.mkdtemp(dir=incoming))
    try:
        archive.unpack(path, staged, ALLOWED)
        _check_weights(path.name, staged / WEIGHTS_FILE)
        folder = free_folder(services.runs_dir, path.stem.removesuffix("-adapter"))
        staged.rename(folder)
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    return folder.name


def _check_before_unpacking(path: Path) -> None:
    """Check what a zip announces. Raises ModelError: it is not that of an adapter; the message says why."""
    try:
        with zipfile.ZipFile(path) as packed:
            _check_config(path.name, packed.read(_entries(path.name, packed)[CONFIG_FILE]))
    except (*archive.BROKEN, OSError, RuntimeError) as error:
        raise ModelError(
            "{name} is not a zip file, or it is cut short: {error}.", name=path.name, error=error
        ) from error


def _entries(name: str, packed: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """The files of a zip by their names without folders. Raises ModelError: a file is missing or not allowed."""
    entries: dict[str, zipfile.ZipInfo] = {}
    for entry in packed.infolist():
        where = PurePosixPath(entry.filename)
        if entry.is_dir() or where.parts[0] == "__MACOSX" or where.name == ".DS_Store":
            continue
        _check_place(name, entry, where)
        if where.name in entries:
            raise ModelError("{name} holds {file} twice. Pack one adapter alone.", name=name, file=where.name)
        entries[where.name] = entry
    for needed in (CONFIG_FILE, WEIGHTS_FILE):
        if needed not in entries:
            raise ModelError(
                "{name} holds no {file}, so it is no adapter. Pack the files of its folder.", name=name, file=needed
            )
    total = sum(entry.file_size for entry in entries.values())
    if total > MOST_BYTES:
        raise ModelError(
            "{name} unpacks to {size}; adapters of up to {most:g} GB are taken.",
            name=name,
            size=html.file_size(total),
            most=MOST_BYTES / 1e9,
        )
    return entries


def _check_place(name: str, entry: zipfile.ZipInfo, where: PurePosixPath) -> None:
    raw = entry.filename
    if "\\" in raw or raw.startswith("/") or ":" in raw or ".." in where.parts:
        raise ModelError(
            "{name} holds {path!r}, a path that leads out of its folder: it is not unpacked.", name=name, path=raw
        )
    if entry.external_attr >> 28 == 0xA:  # S_IFLNK in the upper bits
        raise ModelError("{name} holds {path!r}, a link to another place: it is not unpacked.", name=name, path=raw)
    if entry.flag_bits & 0x1:
        raise ModelError("{name} is encrypted. Pack it again without a password.", name=name)
    suffix = where.suffix.lower()
    if suffix in PICKLES:
        raise ModelError(
            "{name} holds {file}, which can run code when it is read. Save it as safetensors.",
            name=name,
            file=where.name,
        )
    if suffix not in ALLOWED:
        raise ModelError(
            "{name} holds {file}; an adapter is made of {suffixes} files alone.",
            name=name,
            file=where.name,
            suffixes=", ".join(ALLOWED),
        )


def _check_config(name: str, raw: bytes) -> None:
    try:
        config = json.loads(raw)
    except ValueError as error:
        raise ModelError("{name}: {file} is not JSON ({error}).", name=name, file=CONFIG_FILE, error=error) from error
    if not isinstance(config, dict) or config.get("peft_type") != "LORA" or not isinstance(config.get("r"), int):
        raise ModelError("{name}: {file} describes no LoRA adapter.", name=name, file=CONFIG_FILE)


def _check_weights(name: str, path: Path) -> None:
    """Check an unpacked safetensors file: it must be complete, and hold an adapter with its point encoder."""
    try:
        with safe_open(path, framework="numpy") as tensors:
            names = list(tensors.keys())
    except SafetensorError as error:
        raise ModelError(
            "{path} is damaged or cut short ({error}).", path=f"{name}: {path.name}", error=error
        ) from error
    if not any("lora_A" in key for key in names) or not any("point_encoder" in key for key in names):
        raise ModelError(
            "{name} holds no LoRA weights with their point encoder: without it an adapter cannot be used.", name=name
        )
