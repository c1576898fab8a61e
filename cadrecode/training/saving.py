"""The results of a training: a checked adapter and a verified merged model."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import torch

from cadrecode.adapters import MERGED
from cadrecode.config import TrainConfig
from cadrecode.errors import ModelError
from cadrecode.merging.plan import merge_adapters
from cadrecode.model import adapters
from cadrecode.runs import Run, State
from cadrecode.training.base import Precision, load_base, loss_of

log = logging.getLogger(__name__)

LOSS_TOLERANCE, LOSS_TOLERANCE_HALF = 1e-4, 2e-2  # relative; float32, and 16 bits or quantised


def check_saved(config: TrainConfig, folder: Path, batch: dict[str, torch.Tensor], expected: float) -> None:
    """Load the saved adapter onto a fresh base: it must have the loss of the live model.

    Raises: ModelError: it has another loss, so the saved adapter is not the trained one.
    """
    precision = Precision.of(config)
    base, _ = load_base(config, precision)
    model = adapters.load_adapter(base, folder)
    loss = loss_of(model, {key: value.to(precision.device) for key, value in batch.items()})
    exact = precision.dtype == torch.float32 and config.quantization is None
    if not abs(loss - expected) <= (LOSS_TOLERANCE if exact else LOSS_TOLERANCE_HALF) * max(1.0, expected):
        raise ModelError(
            "The saved adapter has loss {loss:.4f} where the trained model had {expected:.4f}: it is not "
            "what was trained. The last checkpoint in {folder} may be sound.",
            loss=loss,
            expected=expected,
            folder=folder,
        )
    log.info("Checked: the saved adapter on a fresh base has the live model's loss (%.6f, %.6f)", expected, loss)


def merge_beside(config: TrainConfig, folder: Path, run: Run) -> Path:
    """Merge the adapter in `folder` into a fresh base in full precision, and write it beside."""
    run.set_status(State.MERGING)
    started = time.monotonic()
    target = folder / MERGED
    check = merge_adapters(config.base_model_name, folder, target)
    log.info(
        "Merged: %d tensors, logits equal to base and adapter within %.2g, %.1f MB, %.1f s: %s",
        check.tensors,
        check.max_logit_difference,
        sum(size_mb(path) for path in target.glob("*.safetensors")),
        time.monotonic() - started,
        target,
    )
    return target


def size_mb(path: Path) -> float:
    return path.stat().st_size / 2**20
