"""The tensors of a folder's safetensors, read from their headers alone. A .bin file is a pickle, and is not opened."""

from __future__ import annotations

import hashlib
import json
from math import prod
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import safe_open

from cadrecode.errors import ModelError

SINGLE_FILE = "model.safetensors"  # what is written has one file, whatever the size, as the guide promises
ENCODER_PREFIX = "point_encoder."
FINGERPRINT_BYTES = 2**20


class Weights(NamedTuple):
    """The shape, the dtype and the file of each tensor in a folder's safetensors."""

    shapes: dict[str, tuple[int, ...]]
    dtypes: dict[str, str]
    files: dict[str, Path]

    def main_dtype(self) -> torch.dtype:
        """The dtype of the largest tensor outside of the point encoder: the precision the base was published in."""
        keys = [key for key in self.shapes if not key.startswith(ENCODER_PREFIX)]
        largest = max(keys, key=lambda key: prod(self.shapes[key]))
        return {"BF16": torch.bfloat16, "F16": torch.float16}.get(self.dtypes[largest], torch.float32)


def weight_files(folder: Path) -> list[Path]:
    """model.safetensors, or all the files that an index names, whether they are there or not."""
    index = folder / f"{SINGLE_FILE}.index.json"
    if index.is_file():
        return sorted({folder / name for name in json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()})
    return [path for path in [folder / SINGLE_FILE] if path.is_file()]


def read_weights(folder: Path, name: str) -> Weights:
    """The names, shapes and dtypes of a folder's tensors.

    Raises: ModelError: no safetensors, or a damaged or missing file among them.
    """
    files = weight_files(folder)
    if not files:
        pickles = sorted(path.name for pattern in ("*.bin", "*.pt", "*.pth") for path in folder.glob(pattern))
        if pickles:
            raise ModelError(
                "{name} holds its weights in {file}, a pickle, which can run any code when it is opened. "
                "Only safetensors are loaded: get or make a model.safetensors.",
                name=name,
                file=pickles[0],
            )
        raise ModelError("{name} has no model.safetensors.", name=name)
    shapes: dict[str, tuple[int, ...]] = {}
    dtypes: dict[str, str] = {}
    homes: dict[str, Path] = {}
    for path in files:
        if not path.is_file():
            raise ModelError("{name} lacks {file}, which its index names.", name=name, file=path.name)
        try:
            with safe_open(path, framework="pt") as tensors:
                for key in tensors.keys():  # noqa: SIM118  (safe_open is no mapping)
                    header = tensors.get_slice(key)
                    shapes[key], dtypes[key], homes[key] = tuple(header.get_shape()), header.get_dtype(), path
        except Exception as error:  # safetensors raises its own class, which is an Exception and no more
            raise ModelError(
                "{name}: {file} is damaged or cut short ({error}).", name=name, file=path.name, error=error
            ) from error
    return Weights(shapes, dtypes, homes)


def weights_fingerprint(folder: Path) -> str:
    """A short checksum of each file's size, first and last megabyte. Equal weights have equal checksums."""
    checksum = hashlib.sha256()
    for path in sorted(folder.glob("*.safetensors")):
        size = path.stat().st_size
        checksum.update(f"{path.name} {size} ".encode())
        with path.open("rb") as file:
            checksum.update(file.read(FINGERPRINT_BYTES))
            file.seek(max(0, size - FINGERPRINT_BYTES))
            checksum.update(file.read(FINGERPRINT_BYTES))
    return checksum.hexdigest()[:16]
