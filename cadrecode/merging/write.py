"""Write a model's tensors as safetensors piece by piece, so that the model is never in memory as a whole."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import torch

from cadrecode.merging.lazy import Tensors

DTYPE_NAMES = {torch.float32: "F32", torch.bfloat16: "BF16", torch.float16: "F16"}


def write_tensors(
    path: Path,
    shapes: Mapping[str, tuple[int, ...]],
    dtypes: Mapping[str, torch.dtype],
    fetch: Tensors,
    metadata: Mapping[str, str],
) -> None:
    """Write the tensors that `shapes` names, in their `dtypes`, into a file with its `metadata`.

    The file is the header's length in 8 bytes, the header, and the numbers: wide dtypes first, so that all are aligned.
    """
    ordered = sorted(shapes, key=lambda key: -dtypes[key].itemsize)
    header: dict[str, Any] = {"__metadata__": {"format": "pt", **metadata}}
    end = 0
    for key in ordered:
        offsets = [end, end := end + prod(shapes[key]) * dtypes[key].itemsize]
        header[key] = {"dtype": DTYPE_NAMES[dtypes[key]], "shape": list(shapes[key]), "data_offsets": offsets}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for key in ordered:
            for piece in fetch.pieces(key):
                value = piece.to(dtypes[key]).contiguous()
                file.write(memoryview(value.reshape(-1).view(torch.uint8).numpy()))
