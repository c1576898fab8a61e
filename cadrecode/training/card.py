"""The card of an adapter, so that it can be handed on: what it is, its base, its data, its figures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cadrecode.config import TrainConfig
from cadrecode.data.pairs import DatasetReport
from cadrecode.errors import Message
from cadrecode.runs import Run
from cadrecode.scoring.bootstrap import interval

SETTINGS = (
    "lora_r", "lora_alpha", "lora_dropout", "use_rslora", "use_dora", "use_qlora", "learning_rate", "max_steps",
    "per_device_train_batch_size", "gradient_accumulation_steps", "n_points", "seed",
)  # fmt: skip
FIGURES = {
    "eval_loss": "loss", "invalid_ratio": "invalid", "median_iou": "median IoU",
    "mean_iou": "mean IoU, a failure as 0",
}  # fmt: skip
CLEARLY = 0.01  # of the mean IoU: a smaller difference of a few samples is chance


def compare(run: Run, best_step: int | None) -> dict[str, dict[str, Any]]:
    """The figures of the evaluation before the first step ("base") and of the weights in the end ("adapter").

    Args:
        best_step: the step whose weights are saved; None: the last.
    Returns: empty where nothing was evaluated.
    """
    evaluated = {entry["step"]: entry for entry in run.metrics() if "eval_loss" in entry}
    if not evaluated:
        return {}
    last = best_step if best_step in evaluated else max(evaluated)
    entries = {"base": evaluated.get(0), "adapter": evaluated[last]}
    scores = {
        name: {key: entry.get(key) for key in FIGURES if key in entry}
        for name, entry in entries.items()
        if entry is not None
    }
    if "gain" in entries["adapter"]:
        scores["adapter"] |= {key: entries["adapter"][key] for key in ("gain", "gain_low", "gain_high")}
    return scores


def gain_over(before: Sequence[float], after: Sequence[float]) -> dict[str, float]:
    """The change of the mean IoU of the same parts, with its 90 % bootstrap interval."""
    changes = np.asarray(after) - np.asarray(before)
    low, high = interval(changes, np.mean)
    return {"gain": float(changes.mean()), "gain_low": low, "gain_high": high}


def worse_than_base(scores: dict[str, dict[str, Any]]) -> Message | None:
    """A warning where the adapter rebuilds held-out parts worse than its base, or more often not at all; else None.

    Args:
        scores: See `compare`.
    """
    base, adapter = scores.get("base", {}), scores.get("adapter", {})
    if base.get("mean_iou") is None or adapter.get("mean_iou") is None:
        return None
    if adapter["mean_iou"] >= base["mean_iou"] - CLEARLY and adapter["invalid_ratio"] <= base["invalid_ratio"]:
        return None
    return Message(
        "The adapter is WORSE than its base on held-out parts: mean IoU {after:.3f} after {before:.3f}, invalid "
        "{invalid:.0%} after {was_invalid:.0%}. More programs, a smaller learning_rate or more steps may help.",
        after=adapter["mean_iou"],
        before=base["mean_iou"],
        invalid=adapter["invalid_ratio"],
        was_invalid=base["invalid_ratio"],
    )


def write_card(folder: Path, config: TrainConfig, report: DatasetReport, scores: dict[str, dict[str, Any]]) -> None:
    """Write README.md beside the adapter, in place of PEFT's empty form."""
    values = config.model_dump(mode="json")
    lines = [
        "---",
        f"base_model: {config.base_model_name}",
        "library_name: peft",
        "pipeline_tag: text-generation",
        "tags: [cad, point-cloud, lora]",
        "---",
        f"# {config.experiment_name or folder.name}",
        "",
        "A LoRA adapter of cadrecode: point clouds to CadQuery programs. It carries its encoder and needs its base.",
        "",
        f"- base: `{config.base_model_name}`",
        f"- data: `{config.train_data_path}`, {report.used:,} programs ({len(report.skipped):,} skipped, "
        f"{len(report.too_long):,} too long)",
        f"- layers: {', '.join(config.lora_target_modules)}",
        *(f"- {name}: {values[name]}" for name in SETTINGS),
        "",
    ]
    if scores:
        lines += [f"| | {' | '.join(FIGURES.values())} |", f"|---|{'---|' * len(FIGURES)}"]
        for name, figures in scores.items():
            lines.append(f"| {name} | {' | '.join(_cell(figures.get(key)) for key in FIGURES)} |")
        if "gain" in scores.get("adapter", {}):
            gain = "mean IoU {gain:+.3f} over the base ({gain_low:+.3f} to {gain_high:+.3f}, 90 %)"
            lines += ["", gain.format_map(scores["adapter"])]
        lines += ["", f"On {config.eval_programs} greedy programs and the validation loss; not a benchmark.", ""]
    if worse := worse_than_base(scores):
        lines += [f"**{worse}**", ""]
    lines += [
        "Use it:",
        "",
        f"    python inference_lora.py --base_model {config.base_model_name} --lora_path THIS_FOLDER "
        "--point_cloud_file scan.ply",
        "",
    ]
    (folder / "README.md").write_text("\n".join(lines), encoding="utf-8")


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
