"""Adapters that people upload as a zip: only names, settings and sizes on a list get in, and no path with them."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
import zipfile
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError, safe_open

from cadrecode.adapters import CONFIG_FILE, WEIGHTS_FILE, same_base
from cadrecode.engine import HUB_BASES
from cadrecode.errors import ModelError
from cadrecode.jobs import queue
from cadrecode.json_files import parsed, write_whole, wrong_fields
from cadrecode.runs import free_folder
from cadrecode.shipped import EMBEDDED
from cadrecode.ui import archive
from cadrecode.ui.draw import html
from cadrecode.ui.services import Services

INCOMING = ".incoming"  # below the runs folder: adapters are unpacked here and moved when they are complete
CARD = "README.md"
MOST_BYTES = {CONFIG_FILE: 2**16, WEIGHTS_FILE: archive.MOST_BYTES, CARD: 2**20}  # the files that are unpacked
BESIDE = (  # files that lie beside an adapter, and that the app neither needs nor takes from others
    "config.yaml", "tokenizer.json", "tokenizer_config.json", "tokenizer.model", "special_tokens_map.json",
    "added_tokens.json", "vocab.json", "merges.txt", "chat_template.jinja", "generation_config.json",
)  # fmt: skip
# Of a run's whole folder, zipped as it is, all but the adapter is left where it is: nothing of it is unpacked.
OF_A_RUN = re.compile(r"(log\.txt|(status|data)\.json|metrics\.jsonl|(checkpoint-\d+|merged_model|samples)/.*)")
PICKLES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib", ".npy", ".npz")
TENSOR = re.compile(r"(.+\.)?(lora_[AB](\.weight)?|lora_magnitude_vector(\.weight)?|point_encoder\.[\w.]+)")
LayerName = Annotated[str, Field(pattern=r"^\w{1,64}$")]  # PEFT reads longer texts as regular expressions


class Description(BaseModel):
    """adapter_config.json, as far as the app takes it over from others."""

    model_config = ConfigDict(strict=True, extra="forbid")
    peft_type: Literal["LORA"]
    task_type: Literal["CAUSAL_LM"] = "CAUSAL_LM"
    base_model_name_or_path: str | None = None
    r: Annotated[int, Field(ge=1, le=1024)]
    lora_alpha: Annotated[float, Field(gt=0, le=1e5, allow_inf_nan=False)] = 8
    lora_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    target_modules: Annotated[list[LayerName], Field(min_length=1, max_length=64)] | None = None
    modules_to_save: list[Literal["point_encoder"]] = ["point_encoder"]
    use_rslora: bool = False
    use_dora: bool = False
    inference_mode: bool = True


CONFIG_KEYS = tuple(Description.model_fields)
# What PEFT writes for settings that are not in use; other settings of these names are refused
IDLE = {"bias": "none", "init_lora_weights": True, "qalora_group_size": 16, "megatron_core": "megatron.core"}


def take_in(path: str | Path, services: Services) -> str:
    """Check an uploaded adapter and unpack it. Returns its name.

    Raises: ModelError, ArchiveError: It is not sound; nothing of it is kept.
    """
    path = Path(path)
    bases = [*services.engine.models(services.runs_dir), *HUB_BASES]
    incoming = services.runs_dir / INCOMING
    incoming.mkdir(parents=True, exist_ok=True)
    staged = Path(tempfile.mkdtemp(dir=incoming))
    try:
        with archive.opened(path) as packed:
            for name, entry in _entries(path.name, packed).items():
                archive.copy(packed, entry, staged / name, MOST_BYTES[name], path)
        description = _description(path.name, (staged / CONFIG_FILE).read_bytes(), bases)
        write_whole(staged / CONFIG_FILE, json.dumps(description, indent=1))
        _check_weights(path.name, staged / WEIGHTS_FILE)
        with queue.locked(services.runs_dir):
            folder = free_folder(services.runs_dir, path.stem.removesuffix("-adapter"))
            staged.rename(folder)
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    return folder.name


def _entries(name: str, packed: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """The files to unpack, by their names without folders.

    Raises: ModelError: a file is missing, too large or not on the list.
    """
    entries: dict[str, zipfile.ZipInfo] = {}
    for entry in packed.infolist():
        where = PurePosixPath(entry.filename)
        if entry.is_dir() or "__MACOSX" in where.parts[:1] or where.name == ".DS_Store":
            continue
        _check_path(name, entry, where)
        if any(OF_A_RUN.fullmatch("/".join(where.parts[depth:])) for depth in (0, 1)):  # in a folder of its own, or not
            continue
        _check_name(name, entry, where)
        if where.name in entries:
            raise ModelError("{name} holds {file} twice. Pack one adapter alone.", name=name, file=where.name)
        if where.name in MOST_BYTES:
            entries[where.name] = entry
    for needed in (CONFIG_FILE, WEIGHTS_FILE):
        if needed not in entries:
            raise ModelError(
                "{name} holds no {file}, so it is no adapter. Pack the files of its folder.", name=name, file=needed
            )
    for file, entry in entries.items():
        if entry.file_size > MOST_BYTES[file]:
            raise ModelError(
                "{name} unpacks to {size}; at most {most} are taken.",
                name=f"{name}: {file}",
                size=html.file_size(entry.file_size),
                most=html.file_size(MOST_BYTES[file]),
            )
    return entries


def _check_path(name: str, entry: zipfile.ZipInfo, where: PurePosixPath) -> None:
    raw = entry.filename
    if "\\" in raw or raw.startswith("/") or ":" in raw or ".." in where.parts:
        raise ModelError(
            "{name} holds {path!r}, a path that leads out of its folder: it is not unpacked.", name=name, path=raw
        )
    if entry.external_attr >> 28 == 0xA:  # S_IFLNK in the upper bits
        raise ModelError("{name} holds {path!r}, a link to another place: it is not unpacked.", name=name, path=raw)


def _check_name(name: str, entry: zipfile.ZipInfo, where: PurePosixPath) -> None:
    if where.suffix.lower() in PICKLES:
        raise ModelError(
            "{name} holds {file}, which can run code when it is read. Save it as safetensors.",
            name=name,
            file=where.name,
        )
    if where.name not in MOST_BYTES and where.name not in BESIDE:
        raise ModelError(
            "{name} holds {file}, which is no file of an adapter. Pack these alone: {files}.",
            name=name,
            file=entry.filename,
            files=", ".join([*MOST_BYTES, *BESIDE]),
        )


def _description(name: str, raw: bytes, bases: list[str]) -> dict:
    """The settings of an adapter, rebuilt from those on the list.

    Args:
        bases: The models that the app offers; an adapter names one of them.
    Raises: ModelError: a setting is missing, unknown, or has a value that is not taken.
    """
    given = parsed(raw)
    if not isinstance(given, dict):
        raise ModelError("{name}: {file} holds no JSON object.", name=name, file=CONFIG_FILE)
    unknown = {key: value for key, value in given.items() if key not in CONFIG_KEYS and key != "peft_version"}
    for key, value in unknown.items():
        if value not in (None, False, {}, []) and not (key in IDLE and value == IDLE[key]):
            raise ModelError(
                "{name}: {file} sets {key}, which the app does not take from others.", name=name, file=CONFIG_FILE,
                key=key,
            )  # fmt: skip
    try:
        known = {key: value for key, value in given.items() if key not in unknown and value is not None}
        known.pop("peft_version", None)
        description = Description.model_validate(known)
    except ValidationError as error:
        raise ModelError(
            "{name}: {file} describes no LoRA adapter that the app can use: {keys} cannot be taken.",
            name=name,
            file=CONFIG_FILE,
            keys=wrong_fields(error),
        ) from error
    wanted = description.base_model_name_or_path or EMBEDDED
    base = next((base for base in bases if same_base(base, wanted)), None)
    if base is None:
        raise ModelError(
            "{name} was trained on the base {base}, which this app does not offer. It offers {bases}.", name=name,
            base=wanted, bases=", ".join(bases),
        )  # fmt: skip
    return description.model_copy(update={"base_model_name_or_path": base}).model_dump(exclude_none=True)


def _check_weights(name: str, path: Path) -> None:
    """Check an unpacked safetensors file: it must be complete, and hold an adapter with its point encoder."""
    try:
        with safe_open(path, framework="numpy") as tensors:
            names = list(tensors.keys())
    except SafetensorError as error:
        raise ModelError(
            "{path} is damaged or cut short ({error}).", path=f"{name}: {path.name}", error=error
        ) from error
    strange = [key for key in names if not TENSOR.fullmatch(key)]
    if strange:  # PEFT would write them over weights of the base
        raise ModelError("{name} holds {tensor}, which is no weight of an adapter.", name=name, tensor=strange[0])
    if not any("lora_A" in key for key in names) or not any("point_encoder" in key for key in names):
        raise ModelError(
            "{name} holds no LoRA weights with their point encoder: without it an adapter cannot be used.", name=name
        )
