"""Where a training computes and in what numbers, and the base that it loads."""

from __future__ import annotations

import gc
import logging
import os
import time
from dataclasses import dataclass

import torch
from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from cadrecode.config import TrainConfig
from cadrecode.errors import ConfigError
from cadrecode.model.attention import attend_short_rows
from cadrecode.model.devices import cpu_training_dtype, pick_device
from cadrecode.model.hub import find_folder
from cadrecode.model.load import load_model
from cadrecode.model.team import own_device
from cadrecode.runs import Run, State

log = logging.getLogger(__name__)

STATUS_SECONDS, LOG_SECONDS = 0.5, 10.0  # between reports of a download, in status.json and in the log


class Stopped(Exception):
    """The run was asked to stop while there was nothing to save."""


@dataclass(frozen=True)
class Precision:
    """The device that computes, and its dtype."""

    device: torch.device
    dtype: torch.dtype
    bf16: bool = False
    fp16: bool = False

    @classmethod
    def of(cls, config: TrainConfig) -> Precision:
        """The precision that the settings name, as far as the machine has it."""
        if config.device.startswith("cuda:"):
            # The Trainer takes the first GPU that it sees.
            os.environ["CUDA_VISIBLE_DEVICES"] = config.device.removeprefix("cuda:")
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
    """Download a base from the hub unless it is here; the run's status and log say how far the download is.

    Raises:
        ModelError: there is no such base, or the hub cannot be reached.
        Stopped: the run was asked to stop.
    """
    name, noted, logged = config.base_model_name, 0.0, 0.0

    def on_bytes(done: int, total: int) -> None:
        nonlocal noted, logged
        if run.stop_requested():
            raise Stopped
        now = time.monotonic()
        if now - noted >= STATUS_SECONDS:
            noted = now
            run.set_status(State.PREPARING, download={"done": done, "total": total})
        if now - logged >= LOG_SECONDS:
            logged = now
            log.info("Downloading %s: %.2f of %.2f GB", name, done / 1e9, total / 1e9)

    find_folder(name, on_bytes)
    if logged:
        run.set_status(State.PREPARING, download=None)
        log.info("Downloaded %s.", name)


def load_base(config: TrainConfig, precision: Precision) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
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
def loss_of(model: nn.Module, batch: dict[str, torch.Tensor]) -> float:
    """The mean loss of a batch, without dropout."""
    model.eval()
    return float(model(**batch).loss)


def free_memory() -> None:
    """Free what nothing refers to any more, on the GPU too."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
