"""Where a model computes, and in what numbers."""

from __future__ import annotations

import torch

from cadrecode.errors import ModelError


def pick_device(device: str | torch.device = "auto") -> torch.device:
    """The device of a name; for "auto" the fastest kind that this machine has."""
    if str(device) != "auto":
        return torch.device(device)
    if torch.cuda.is_available():
        return torch.device("cuda", torch.cuda.current_device())
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def cpu_training_dtype(mixed_precision: str, quantization: str | None) -> torch.dtype:
    """bfloat16 where the settings name it and the processor multiplies in it (AVX-512 BF16, AMX), else float32.

    A quantised base always trains in float32.
    """
    capabilities = torch.cpu.get_capabilities()
    has_bf16 = capabilities.get("avx512_bf16") or capabilities.get("amx_bf16")
    return torch.bfloat16 if mixed_precision == "bf16" and quantization is None and has_bf16 else torch.float32


def pick_dtype(dtype: str | torch.dtype | None, device: torch.device) -> torch.dtype:
    """The dtype of a name, or the best one for the device.

    Raises: ModelError: not a floating dtype's name.
    """
    if isinstance(dtype, str) and dtype != "auto":
        dtype = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}.get(dtype, dtype)
        named = getattr(torch, dtype, None)
        if not isinstance(named, torch.dtype) or not named.is_floating_point:
            raise ModelError("{name!r} is not a dtype; use float32, bfloat16 or float16.", name=dtype)
        return named
    if isinstance(dtype, torch.dtype):
        return dtype
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    return torch.float32
