"""Fold an adapter, or several, into the base: a model of its own that needs no PEFT and answers faster."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cadrecode.errors import ModelError
from cadrecode.merging.plan import merge_adapters
from cadrecode.model.adapters import adapter_base


@dataclass(frozen=True)
class MergeReport:
    """What a merge made, and that it was verified.

    Args:
        tensors: of the merged model, as many as the base has.
        max_logit_difference: between base with adapter and their sum, on seeded inputs; largest_logit is the scale.
        rounding: the same for the model as it is stored.
        dtype: the numbers it is stored in, those of the base.
    """

    output: Path
    base: str
    tensors: int
    max_logit_difference: float
    largest_logit: float
    rounding: float
    dtype: str
    size_mb: float
    seconds: float


def merge(
    base_model: str | None,
    lora_path: str | Path | Mapping[str | Path, float],
    output_path: str | Path,
    *,
    on_progress: Callable[[str, float], None] | None = None,
) -> MergeReport:
    """Merge `lora_path` into `base_model`, read afresh, compare the answers, and leave the result at `output_path`.

    Args:
        base_model: None means the base that the adapter names.
        lora_path: the adapter's folder; or several folders and the weight of each, of which the weighted sum is merged.
        on_progress: called with ("merging" | "saving" | "done", share done).
    Raises: ModelError: no adapter there, it does not fit the base, the merged model answers otherwise, or there is
        something else at `output_path`.
    """
    started = time.monotonic()
    tell = on_progress or (lambda step, share: None)
    output = Path(output_path)
    if output.exists() and any(output.iterdir()) and not (output / "config.json").is_file():
        raise ModelError("{output} holds something that is no model. Choose another output_path.", output=output)
    first = next(iter(lora_path)) if isinstance(lora_path, Mapping) else lora_path
    base_model = base_model or adapter_base(first) or None
    tell("merging", 0.0)
    check = merge_adapters(base_model, lora_path, output, on_verified=lambda: tell("saving", 0.9))
    tell("done", 1.0)
    return MergeReport(
        output=output,
        base=check.base,
        tensors=check.tensors,
        max_logit_difference=check.max_logit_difference,
        largest_logit=check.largest_logit,
        rounding=check.rounding,
        dtype=str(check.base_dtype).removeprefix("torch."),
        size_mb=sum(path.stat().st_size for path in output.iterdir()) / 2**20,
        seconds=time.monotonic() - started,
    )
