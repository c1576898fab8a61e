"""Where a training computes, in what numbers, and the base it loads for that."""

from __future__ import annotations

import gc
import logging
import os
import time
from dataclasses import dataclass

import torch

from cadrecode.config import TrainConfig
from cadrecode.errors import ConfigError
from cadrecode.model.attention import attend_short_rows
from cadrecode.model.devices import cpu_training_dtype, pick_device
from cadrecode.model.hub import find_folder
from cadrecode.model.load import load_model
from cadrecode.model.team import own_device
from cadrecode.runs import Run, State

log = logging.getLogger(__name__)

STATUS_SECONDS, LOG_SECONDS = 0.5, 10.0  # between words on a download, in status.json and in the log


class Stopped(Exception):
    """Somebody asked the run to stop while there was nothing to save."""


@dataclass(frozen=True)
class Precision:
    """Where to compute, and in what numbers."""

    device: torch.device
    dtype: torch.dtype
    bf16: bool = False
    fp16: bool = False

    @classmethod
    def of(cls, config: TrainConfig) -> Precision:
        """What the settings ask for, as far as the machine has it."""
        if config.device.startswith("cuda:"):
            os.environ["CUDA_VISIBLE_DEVICES"] = config.device.removeprefix("cuda:")  # Trainer takes the first it sees
        device = pick_device("cuda" if config.device.startswith("cuda") else config.device)
        if device.type == "cuda" and not torch.cuda.is_available():
            raise ConfigError(
                "device is {device}, and torch finds no CUDA here. Set device to auto or cpu.", device=config.device
            )
        if device.type != "cuda":
            mixed = config.mixed_precision if device.type == "cpu" else "no"
            dtype = cpu_training_dtype(mixed, config.quantization)
            if dtype == torch.float32 and (config.mixed_precision != "no" or config.quantization == "4bit"):
                log.info("On this %s training computes in float32.", device.type.upper())
            return cls(device, dtype, bf16=dtype == torch.bfloat16)
        device = own_device(device)
        kind = config.mixed_precision
        if kind == "bf16" and not torch.cuda.is_bf16_supported(including_emulation=False):
            log.warning("This GPU has no bf16; training in fp16 instead.")
            kind = "fp16"
        dtype = {"bf16": torch.bfloat16, "fp16": torch.float16, "no": torch.float32}[kind]
        if config.quantization == "4bit":
            dtype = getattr(torch, config.bnb_4bit_compute_dtype)
            if dtype == torch.bfloat16 and kind == "fp16":
                dtype = torch.float16
        return cls(device, dtype, bf16=kind == "bf16", fp16=kind == "fp16")


def fetch_base(config: TrainConfig, run: Run) -> None:
    """Download a base that is named on the hub and not here yet; the run's status and log tell how far that is.

    Raises: ModelError: there is no such base, or the hub cannot be reached. Stopped: the run was asked to.
    """
    name, told, logged = config.base_model_name, 0.0, 0.0

    def tell(done: int, total: int) -> None:
        nonlocal told, logged
        if run.stop_requested():
            raise Stopped
        now = time.monotonic()
        if now - told >= STATUS_SECONDS:
            told = now
            run.set_status(State.PREPARING, download={"done": done, "total": total})
        if now - logged >= LOG_SECONDS:
            logged = now
            log.info("Downloading %s: %.2f of %.2f GB", name, done / 1e9, total / 1e9)

    find_folder(name, tell)
    if logged:
        run.set_status(State.PREPARING, download=None)
        log.info("Downloaded %s.", name)


def load_base(config: TrainConfig, precision: Precision):
    """The base to train on, and its tokenizer."""
    model, tokenizer = load_model(
        config.base_model_name,
        device=precision.device,
        dtype=precision.dtype,
        quantization=config.quantization,
        quant_type=config.bnb_4bit_quant_type,
        double_quant=config.bnb_4bit_use_double_quant,
    )
    attend_short_rows(model)
    return model, tokenizer


@torch.no_grad()
def loss_of(model, batch: dict[str, torch.Tensor]) -> float:
    """The mean loss of a batch, without dropout."""
    model.eval()
    return float(model(**batch).loss)


def free_memory() -> None:
    """Give back what nothing refers to any more, on the GPU too."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
