"""Write a model's tensors as safetensors one by one: what is written is never in memory as a whole."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from math import prod
from pathlib import Path

import torch

from cadrecode.merging.lazy import Tensors

SHARD_BYTES = 5_000_000_000  # transformers' own measure for years; Qwen3-1.7B in bf16 is one model.safetensors
NAMES = {torch.float32: "F32", torch.bfloat16: "BF16", torch.float16: "F16"}
SINGLE = "model.safetensors"


def write_tensors(
    folder: Path,
    shapes: Mapping[str, tuple[int, ...]],
    dtypes: Mapping[str, torch.dtype],
    fetch: Tensors,
    shard_bytes: int = SHARD_BYTES,
) -> None:
    """Write the tensors that `shapes` names, in their `dtypes`: one model.safetensors, or shards and an index."""
    sizes = {key: prod(shape) * dtypes[key].itemsize for key, shape in shapes.items()}
    shards: list[list[str]] = [[]]
    for key in shapes:
        if shards[-1] and sum(sizes[other] for other in shards[-1]) + sizes[key] > shard_bytes:
            shards.append([])
        shards[-1].append(key)
    names = (
        [SINGLE]
        if len(shards) == 1
        else [f"model-{i + 1:05}-of-{len(shards):05}.safetensors" for i in range(len(shards))]
    )
    for name, keys in zip(names, shards):
        _write_shard(folder / name, keys, shapes, dtypes, sizes, fetch)
    if len(shards) > 1:
        homes = {key: name for name, keys in zip(names, shards) for key in keys}
        index = {"metadata": {"total_size": sum(sizes.values())}, "weight_map": homes}
        (folder / f"{SINGLE}.index.json").write_text(json.dumps(index, indent=2, sort_keys=True) + "\n", "utf-8")


def _write_shard(path: Path, keys: Iterable[str], shapes, dtypes, sizes, fetch: Tensors) -> None:
    """One file: the header's length in 8 bytes, the header, the numbers; wide ones first, so that all are aligned."""
    ordered = sorted(keys, key=lambda key: -dtypes[key].itemsize)
    header, end = {"__metadata__": {"format": "pt"}}, 0
    for key in ordered:
        where = [end, end := end + sizes[key]]
        header[key] = {"dtype": NAMES[dtypes[key]], "shape": list(shapes[key]), "data_offsets": where}
    words = json.dumps(header, separators=(",", ":")).encode()
    words += b" " * (-len(words) % 8)
    with path.open("wb") as file:
        file.write(len(words).to_bytes(8, "little") + words)
        for key in ordered:
            for piece in fetch.pieces(key):
                value = piece.to(dtypes[key]).contiguous()
                file.write(memoryview(value.reshape(-1).view(torch.uint8).numpy()))
