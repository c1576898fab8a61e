"""Peak memory of our training against the script a user would write, and against what `cadrecode estimate` said.

    python -m benchmarks.training_memory --layers 4                # Qwen3-1.7B's shape, 4 of its 28 layers, fp32, a CPU
    python -m benchmarks.training_memory --device cuda             # all layers, bf16, on a GPU
    python -m benchmarks.training_memory --estimates               # LoRA, QLoRA, checkpointing, on four small shapes

`plain` is Trainer with PEFT, the default collator and the logits of every position. Each row is a process of its own.
The adapter has no dropout here, so that the losses of both sides can be compared step by step.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from pathlib import Path

from benchmarks import gpu

COMPARED = [gpu.Row("lora", "plain"), gpu.Row("lora", "ours"), gpu.Row("lora", "plain", checkpointing=True),
            gpu.Row("lora", "ours", checkpointing=True), gpu.Row("qlora", "ours"),
            gpu.Row("qlora", "plain", checkpointing=True), gpu.Row("qlora", "ours", checkpointing=True)]  # fmt: skip
ESTIMATED = [gpu.Row(part, "ours", gpu.SMALL, checkpointing=again) for part in ("lora", "qlora") for again in (0, 1)]
SMALL_SHAPES = ("narrow", "deep", "wide", "wordy")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    arguments.add_argument("--shape", default="qwen3-1.7b", choices=sorted(gpu.SHAPES))
    arguments.add_argument("--layers", type=int, default=0, help="fewer layers than the shape has [all]")
    arguments.add_argument("--steps", type=int, default=20 - gpu.WARM_UP, help="timed steps [%(default)s]")
    arguments.add_argument("--warm-up", type=int, default=gpu.WARM_UP, help="steps before those [%(default)s]")
    arguments.add_argument("--rows", default="", help="only these of the comparison, by number with commas")
    arguments.add_argument("--estimates", action="store_true", help="how good the estimate is, on small shapes")
    arguments.add_argument("--shapes", default=",".join(SMALL_SHAPES), help="which of these, with commas [%(default)s]")
    arguments.add_argument("--seconds", type=float, default=3600, help="limit of a row [%(default)s]")
    arguments.add_argument("--cpu-precision", default="no", choices=("no", "bf16"), help="of a CPU [float32]")
    arguments.add_argument("--json", type=Path, help="where the figures go")
    options = arguments.parse_args()
    options.new_tokens, options.dropout = 0, 0.1 if options.estimates else 0.0
    options.give_back = 1  # as a training does that is short of memory, which is when its peak counts
    if options.estimates:
        options.warm_up, options.steps = 1, 1  # the second step is the first that has the optimizer's state
    rows = COMPARED if not options.rows else [COMPARED[int(number)] for number in options.rows.split(",")]
    measured = []
    for shape in options.shapes.split(",") if options.estimates else (options.shape,):
        options.shape = shape
        for row in ESTIMATED if options.estimates else rows:
            result = measure(row, options)
            measured.append({"shape": shape, "name": row.name, "side": row.side, **result})
            print(line(measured[-1], measured), flush=True)
            if options.json:
                options.json.write_text(json.dumps(measured, indent=1), encoding="utf-8")


def measure(row: gpu.Row, options: argparse.Namespace) -> dict:
    """One row in a process of its own."""
    options.folder = Path(tempfile.mkdtemp(prefix="training-memory-"))
    try:
        number = gpu.ROWS.index(row)
        return gpu._result(gpu._start(number, options), options.folder / str(number), options.seconds)
    finally:
        shutil.rmtree(options.folder, ignore_errors=True)


def line(row: dict, rows: list[dict]) -> str:
    """A row of the table, with its share of the plain script's memory and the largest difference of their losses."""
    if "error" in row:
        return f"| {row['shape']} | {row['name']} | {row['side']} | {row['error']} {row.get('log', '')[-300:]}"
    cells = [f"{row['peak_gib']:.2f} GiB", f"expected {row['expected_gib']:.2f}" if row["side"] == "ours" else ""]
    if row["side"] == "ours":
        cells.append(f"{row['expected_gib'] / row['peak_gib'] - 1:+.0%}")
    for other in rows:
        if row["side"] == "ours" and (other["side"], other["name"]) == ("plain", row["name"]) and "losses" in other:
            differ = max(abs(a - b) for a, b in zip(row["losses"], other["losses"]))
            cells.append(f"{row['peak_gib'] / other['peak_gib']:.0%} of plain, losses within {differ:.1e}")
            cells.append(f"{row['samples_per_second'] / other['samples_per_second']:.2f} x its speed")
    return f"| {' | '.join([row['shape'], row['name'], row['side'], *cells])} |"


if __name__ == "__main__":
    main()
