"""Merge an adapter, or several, into their base: a model of its own that needs no PEFT and answers faster."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cadrecode.errors import ModelError
from cadrecode.merging.plan import MergeCheck, merge_adapters
from cadrecode.model.adapters import adapter_base


@dataclass(frozen=True)
class MergeReport(MergeCheck):
    """A merged model: where it is, how it was verified, its size and how long it took."""

    output: Path
    size_mb: float
    seconds: float

    @property
    def dtype(self) -> str:
        """The name of the dtype that the model is stored in."""
        return str(self.base_dtype).removeprefix("torch.")


def merge(
    base_model: str | None,
    lora_path: str | Path | Mapping[str | Path, float],
    output_path: str | Path,
    *,
    on_progress: Callable[[str, float], None] | None = None,
) -> MergeReport:
    """Merge `lora_path` into a fresh `base_model`, compare the answers, and leave the result at `output_path`.

    Args:
        base_model: None: the base that the adapter names.
        lora_path: the adapter's folder; or several folders with a weight each, for their weighted sum.
        on_progress: called with ("merging" | "saving" | "done", share done).
    Raises: ModelError: there is no adapter, it belongs to another base, the merged model answers differently, or
        there is something else at `output_path`.
    """
    started = time.monotonic()
    announce = on_progress or (lambda step, share: None)
    output = Path(output_path)
    if output.exists() and any(output.iterdir()) and not (output / "config.json").is_file():
        raise ModelError("{output} holds something that is no model. Choose another output_path.", output=output)
    first = next(iter(lora_path)) if isinstance(lora_path, Mapping) else lora_path
    base_model = base_model or adapter_base(first) or None
    announce("merging", 0.0)
    check = merge_adapters(base_model, lora_path, output, on_verified=lambda: announce("saving", 0.9))
    announce("done", 1.0)
    return MergeReport(
        **vars(check),
        output=output,
        size_mb=sum(path.stat().st_size for path in output.iterdir()) / 2**20,
        seconds=time.monotonic() - started,
    )
