"""Adapters on disk: finding them and reading what their folders say. Needs no torch, so the app lists them at once."""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from cadrecode.errors import ModelError
from cadrecode.json_files import DamagedFile, read_object
from cadrecode.shipped import EMBEDDED, EMBEDDED_FOLDER

CONFIG_FILE, WEIGHTS_FILE = "adapter_config.json", "adapter_model.safetensors"
MERGED = "merged_model"  # the folder of the merged model, within the adapter's folder
MERGED_FROM = "merged_from"  # in the header of its weights: the fingerprints of the adapters in it


@dataclass(frozen=True)
class AdapterInfo:
    """An adapter on disk.

    Args:
        name: The name of its folder.
        folder: Where adapter_config.json lies.
        base: The model it was trained on, as it was named then.
        r, alpha: Width and scale of the update.
        size_mb: Size of its weights.
        written_at: When its weights were written, in seconds since 1970.
        settings: The run's config.yaml as text; empty where there is none.
        merged: The merged model beside it, if there is one.
    """

    name: str
    folder: Path
    base: str
    r: int
    alpha: int
    size_mb: float
    written_at: float
    settings: str = ""
    merged: Path | None = None


def discover_adapters(runs_dir: str | Path) -> list[AdapterInfo]:
    """Complete adapters in the folders of `runs_dir`, newest first. Broken adapters are left out."""
    dated = []
    for config in Path(runs_dir).glob(f"*/{CONFIG_FILE}"):
        with contextlib.suppress(ModelError):  # a run that is still saving has written half of it
            dated.append((config.stat().st_mtime, adapter_info(config.parent)))
    return [info for _, info in sorted(dated, key=lambda pair: pair[0], reverse=True)]


def find_adapter(runs_dir: str | Path, name: str | None) -> AdapterInfo:
    """The adapter of that name.

    Raises: ModelError: No name was given, or there is no such adapter.
    """
    if not name:
        raise ModelError("Pick an adapter in the list first.")
    for info in discover_adapters(runs_dir):
        if info.name == name:
            return info
    raise ModelError("There is no adapter named {name} in {folder} any more.", name=name, folder=runs_dir)


def adapter_info(folder: str | Path) -> AdapterInfo:
    """The facts about an adapter in its folder.

    Raises: ModelError: It is not an adapter, or not a complete one.
    """
    folder = Path(folder)
    config, weights, settings = _read_config(folder), folder / WEIGHTS_FILE, folder / "config.yaml"
    if not weights.is_file():
        raise ModelError("{folder} has no {file}: the adapter is not complete.", folder=folder, file=WEIGHTS_FILE)
    return AdapterInfo(
        name=folder.resolve().name,
        folder=folder,
        base=config.get("base_model_name_or_path") or EMBEDDED,
        r=config.get("r", 0),
        alpha=config.get("lora_alpha", 0),
        size_mb=weights.stat().st_size / 1e6,
        written_at=weights.stat().st_mtime,
        settings=settings.read_text(encoding="utf-8", errors="replace") if settings.is_file() else "",
        merged=merged_model(folder),
    )


def adapter_base(folder: str | Path) -> str:
    """The name of the base that an adapter was trained on; empty where its folder does not say.

    Raises: ModelError: It is not an adapter's folder.
    """
    return str(_read_config(Path(folder)).get("base_model_name_or_path") or "")


def _read_config(folder: Path) -> dict[str, Any]:
    path = folder / CONFIG_FILE
    if not path.is_file():
        raise ModelError("{folder} is not an adapter folder: it has no {file}.", folder=folder, file=CONFIG_FILE)
    try:
        config = read_object(path)
    except (OSError, DamagedFile) as error:
        raise ModelError("{path} cannot be read ({error}).", path=path, error=error) from error
    base, numbers = config.get("base_model_name_or_path"), [config.get(name, 0) for name in ("r", "lora_alpha")]
    if not (base is None or isinstance(base, str)) or not all(isinstance(number, int | float) for number in numbers):
        raise ModelError("{path} does not describe an adapter.", path=path)
    return config


def merged_model(folder: str | Path) -> Path | None:
    """`<folder>/merged_model`, where it holds weights and the adapter beside it has not been trained since."""
    merged, adapter = Path(folder) / MERGED, Path(folder) / WEIGHTS_FILE
    weights = sorted(merged.glob("*.safetensors"))
    if not weights or not (merged / "config.json").is_file():
        return None
    return merged if not adapter.is_file() or _was_merged(adapter, weights[0]) else None


def has_outdated_merge(folder: str | Path) -> bool:
    """Whether the merged model beside an adapter belongs to an earlier training."""
    return any((Path(folder) / MERGED).glob("*.safetensors")) and merged_model(folder) is None


def adapter_fingerprint(folder: str | Path) -> str:
    """A checksum of an adapter's weights."""
    weights = Path(folder) / WEIGHTS_FILE
    written = weights.stat()
    return _checksum(weights, written.st_mtime_ns, written.st_size)


@lru_cache(maxsize=64)
def _checksum(weights: Path, written_at: int, size: int) -> str:
    """The checksum of a file as it was written then. Cached, since lists of adapters need it again and again."""
    with weights.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def _was_merged(adapter: Path, merged: Path) -> bool:
    """Whether merged weights come from an adapter: by its fingerprint, or by age where older versions wrote none.

    Damaged weights come from none.
    """
    try:
        with safe_open(merged, "numpy") as file:
            prints = (file.metadata() or {}).get(MERGED_FROM)
    except SafetensorError:
        return False
    if prints is None:
        return merged.stat().st_mtime >= adapter.stat().st_mtime
    return adapter_fingerprint(adapter.parent) in prints.split()


def same_base(a: str | None, b: str | None) -> bool:
    """Whether two names mean the same model: the embedded one under any of its names, a folder, or a hub name."""
    return _canonical(a) == _canonical(b)


def _canonical(base: str | None) -> str:
    if not base or base == EMBEDDED:
        return EMBEDDED
    path = Path(base)
    if not path.exists():
        # the embedded base is recognised in the path of a checkout that was moved
        return EMBEDDED if path.parts[-2:] == EMBEDDED_FOLDER.parts[-2:] and path.is_absolute() else base
    return EMBEDDED if path.resolve() == EMBEDDED_FOLDER.resolve() else str(path.resolve())
