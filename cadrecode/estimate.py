"""The needs of a training before it is started: parameters, the adapter's size, memory by part, and what would help.

`estimate` is a pure function of the settings and the machine. Importing this module does not import torch; the first
call does, in some seconds. Later calls take about a second, and none for settings that were estimated before.

On a CPU `peak_bytes` is for a training that gives freed memory back at once (heap.py), as it does where memory
is short or gradients are checkpointed. A training with more memory does not, and grows to `most_bytes`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

import psutil

from cadrecode.config import LORA_PRESETS, TrainConfig
from cadrecode.errors import Message
from cadrecode.figures import GIB
from cadrecode.shipped import EMBEDDED

if TYPE_CHECKING:
    import torch

    from cadrecode.model.footprint import Footprint

Verdict = Literal["enough", "tight", "not_enough"]

COMFORT = 0.85  # a training that needs less than this share of the memory certainly has enough
FRAMEWORK_CPU = 520 * 2**20  # measured: a process that has imported torch, transformers and peft
FRAMEWORK_GPU = 600 * 2**20  # CUDA context and libraries beside what torch allocates: assumed, not measured
SCARCE = 0.5  # a training that needs more than this share of the free memory gives freed blocks back
KEPT_SHARE = 1.0  # of activations and logits: the most that a process was measured to keep of them
SMALLER_BASE = {"Qwen/Qwen2-7B": "Qwen/Qwen2.5-3B", "Qwen/Qwen2.5-3B": "Qwen/Qwen3-1.7B-Base"}


@dataclass(frozen=True)
class Estimate:
    """The needs of a training.

    Args:
        parts: bytes of weights, adapters, optimizer, activations, logits and framework, at the peak of a step with the
            longest programs that the settings allow.
        trainable, total: parameters, counted on the model itself.
        adapter_bytes: size of the adapter's file.
        peak_bytes: sum of the parts.
        most_bytes: what the process may grow to where memory is plenty, so that freed blocks are not given back.
        available_bytes: free on the device now.
        verdict: whether the memory is enough, tight (the training needs nearly all of it) or not_enough.
        advice: the change after which the memory is enough, in words; None where it is enough already.
        changes: that change as settings; empty where no change of settings would help.
        recommended: the settings that the guide recommends for this much memory.
    """

    parts: dict[str, int]
    trainable: int
    total: int
    adapter_bytes: int
    peak_bytes: int
    most_bytes: int
    available_bytes: int
    verdict: Verdict
    advice: str | None
    changes: dict[str, Any] = field(default_factory=dict)
    recommended: dict[str, Any] = field(default_factory=dict)


def estimate(
    settings: TrainConfig, *, available_bytes: int | None = None, longest: int | None = None, processes: int = 1
) -> Estimate:
    """Memory, parameters and advice for these settings on this machine.

    Args:
        available_bytes: memory to compare with; by default what is free on the device now.
        longest: tokens of the longest program with START and END; by default as many as the settings allow.
        processes: number of processes that train together on this machine. The estimate is for each of them, with a
            GPU of its own or its share of the machine's memory.
    Raises: ModelError: the base is not here and not known, or lacks layers that the settings name.
    """
    room = available_bytes if available_bytes is not None else _share(settings.device, processes)
    parts, measured = _parts(settings, longest)
    peak = sum(parts.values())
    verdict = _verdict(peak, room)
    advice, changes = (None, {}) if verdict == "enough" else _advice(settings, room, longest, peak)
    return Estimate(
        parts=dict(parts),
        trainable=measured.trainable,
        total=measured.total,
        adapter_bytes=measured.adapter_file,
        peak_bytes=peak,
        most_bytes=peak + _not_given_back(settings, parts, peak, room),
        available_bytes=room,
        verdict=verdict,
        advice=advice,
        changes=changes,
        recommended=recommended(room),
    )


def is_scarce(settings: TrainConfig, peak: int, room: int) -> bool:
    """Whether memory counts for more than time: with gradient checkpointing, or if less than twice the need is free."""
    return settings.gradient_checkpointing or peak > SCARCE * room


def _not_given_back(settings: TrainConfig, parts: dict[str, int], peak: int, room: int) -> int:
    if _on_gpu(settings.device) or is_scarce(settings, peak, room):
        return 0
    return int(KEPT_SHARE * (parts["activations"] + parts["logits"]))


def available_memory(device: str) -> int:
    """Bytes free on the device that a setting names: the GPU's where there is one, else the machine's."""
    import torch

    if _on_gpu(device):
        number = int(device.removeprefix("cuda:")) if device.startswith("cuda:") else 0
        return torch.cuda.mem_get_info(number)[0]
    return psutil.virtual_memory().available


def _on_gpu(device: str) -> bool:
    import torch

    return device != "cpu" and torch.cuda.is_available()


def _share(device: str, processes: int) -> int:
    """Free memory for each process: that of its own GPU, or its share of the machine's."""
    return available_memory(device) // (1 if _on_gpu(device) else processes)


def recommended(available_bytes: int) -> dict[str, Any]:
    """The guide's choice by memory: LoRA from 16 GB, QLoRA below, with smaller batches under 12 GB."""
    if available_bytes >= 16 * GIB:
        return {"use_qlora": False, **LORA_PRESETS["balanced"]}
    if available_bytes >= 12 * GIB:
        return {"use_qlora": True, **LORA_PRESETS["balanced"]}
    smaller = {"per_device_train_batch_size": 4, "gradient_accumulation_steps": 8}
    return {"use_qlora": True, **LORA_PRESETS["light"], **smaller}


@lru_cache(maxsize=64)  # depends on the settings alone, not on the free memory
def _parts(settings: TrainConfig, longest: int | None) -> tuple[dict[str, int], Footprint]:
    from cadrecode.model.importing import import_in_turn

    import_in_turn("footprint")
    from cadrecode.model.encoder import PointEncoderSettings
    from cadrecode.model.footprint import Adapter, base_config, footprint

    config = base_config(settings.base_model_name)
    gpu = _on_gpu(settings.device)
    slots = PointEncoderSettings.of(config.point_encoder).n_tokens
    tokens = min(settings.max_seq_length - settings.n_points, config.max_position_embeddings - slots)
    measured = footprint(
        config,
        Adapter(
            settings.lora_r,
            settings.lora_alpha,
            settings.lora_dropout,
            settings.lora_target_modules,
            tuple(settings.ranks.items()),
        ),
        optim=settings.optim,
        batch=settings.per_device_train_batch_size,
        tokens=min(tokens, longest or tokens),
        dtype=_dtype(settings, gpu),
        quantization=settings.quantization,
        double_quant=settings.bnb_4bit_use_double_quant,
        checkpointing=settings.gradient_checkpointing,
    )
    parts = {
        "weights": measured.weights,
        "adapters": measured.adapter,
        "optimizer": measured.optimizer,
        "activations": measured.activations,
        "logits": measured.logits,
        "framework": FRAMEWORK_GPU if gpu else FRAMEWORK_CPU,
    }
    return parts, measured


def _dtype(settings: TrainConfig, gpu: bool) -> torch.dtype:
    import torch

    if not gpu:
        from cadrecode.model.devices import cpu_training_dtype

        return cpu_training_dtype(settings.mixed_precision, settings.quantization)
    return {"bf16": torch.bfloat16, "fp16": torch.float16, "no": torch.float32}[settings.mixed_precision]


def _verdict(peak: int, room: int) -> Verdict:
    if peak > room:
        return "not_enough"
    return "enough" if peak <= COMFORT * room else "tight"


def _advice(settings: TrainConfig, room: int, longest: int | None, peak: int) -> tuple[str, dict[str, Any]]:
    """The first change of the guide that is enough alone, else all changes together, else a smaller base."""
    single = list(_changes(settings))
    together: dict[str, Any] = {name: value for changes in single for name, value in changes.items()}
    for changes in [*single, together]:
        smaller = sum(_parts(settings.changed(**changes), longest)[0].values())
        if changes and _verdict(smaller, room) == "enough":
            return Message(
                "Set {changes}: {less:.1f} GB in place of {peak:.1f}.",
                changes=_words(changes),
                less=smaller / GIB,
                peak=peak / GIB,
            ), changes
    base = SMALLER_BASE.get(settings.base_model_name, EMBEDDED)
    return Message(
        "Use a smaller base, for example {base}: {room:.1f} GB are free here.", base=base, room=room / GIB
    ), {}


def _changes(settings: TrainConfig) -> Iterator[dict[str, Any]]:
    """The guide's advice for short memory, the cheapest first. A step has the same programs as before."""
    batch, steps = settings.per_device_train_batch_size, settings.gradient_accumulation_steps
    if not settings.gradient_checkpointing:
        yield {"gradient_checkpointing": True}
    for size in (4, 1):
        if batch > size:
            yield {"per_device_train_batch_size": size, "gradient_accumulation_steps": math.ceil(batch * steps / size)}
            break
    if settings.quantization is None:
        yield {"use_qlora": True}


def _words(changes: dict[str, Any]) -> str:
    words = [f"{name} {str(value).lower() if isinstance(value, bool) else value}" for name, value in changes.items()]
    if len(words) == 1:
        return words[0]
    return Message("{names} and {last}", names=", ".join(words[:-1]), last=words[-1])
