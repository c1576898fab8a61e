"""Which recipe makes the best base in equal time, and where more compute goes.

python -m benchmarks.ablation variants [--minutes 4] [--output runs/ablation] [--only NAME ...]
python -m benchmarks.ablation sizes [--pairs 8000 16000 32000] [--output runs/ablation]

`variants`: each changes one thing of configs/pretrain_base.yaml and trains for so many minutes, on one core with parts
invented in the same process; then it rebuilds the same held-out parts. `sizes`: networks of three widths, each trained
to the end of its own cosine on so many pairs, and the lines through their losses. Loss is the mean of the last tenth.
What is done is kept under `--output`, and not done again.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from cadrecode.config import PretrainConfig
from cadrecode.data.stream import held_out_pairs
from cadrecode.model.load import load_model
from cadrecode.pretrain import EVALUATION_PARTS, measure, pretrain
from cadrecode.runs import Run, State

RECIPE = Path("configs/pretrain_base.yaml")
PLAIN = {"turn": False, "uneven_probability": 0.0, "missing_probability": 0.0, "outlier_probability": 0.0}
VARIANTS = {
    "the recipe": {},
    "clouds as they are (no turns, gaps, strays)": PLAIN,
    "16 point tokens": {"point_tokens": 16},
    "64 point tokens": {"point_tokens": 64},
    "one token per point, as published": {"point_encoder": "fourier"},
    "64 wide": {"hidden_size": 64, "intermediate_size": 192, "num_attention_heads": 2, "num_key_value_heads": 1},
    "256 wide": {"hidden_size": 256, "intermediate_size": 768, "num_attention_heads": 8, "num_key_value_heads": 4},
    "3 layers": {"num_hidden_layers": 3},
    "8 layers": {"num_hidden_layers": 8},
    "learning rate 1e-3": {"learning_rate": 1e-3},
    "learning rate 4e-3": {"learning_rate": 4e-3},
    "batches of 16": {"batch_size": 16},
    "batches of 64": {"batch_size": 64},
    "bf16": {"mixed_precision": "bf16"},
}
SIZES = ("64 wide", "the recipe", "256 wide")
LAST = 0.1  # of the steps: what the loss is the mean of


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("what", choices=("variants", "sizes"))
    arguments.add_argument(
        "--only", nargs="+", default=list(VARIANTS), metavar="NAME", help=", ".join(map(repr, VARIANTS))
    )
    arguments.add_argument("--minutes", type=float, default=4.0, help="for each variant [%(default)s]")
    arguments.add_argument("--pairs", type=int, nargs="+", default=[8000, 16000, 32000])
    arguments.add_argument("--output", type=Path, default=Path("runs/ablation"))
    options = arguments.parse_args()
    if unknown := set(options.only) - set(VARIANTS):
        arguments.error(f"no variant {', '.join(map(repr, unknown))}")
    if options.what == "variants":
        variants(options.only, options.minutes, options.output)
    else:
        sizes(sorted(options.pairs), options.output)


def variants(names: list[str], minutes: float, output: Path) -> None:
    """Prints a row for each."""
    held_out = held_out_pairs(EVALUATION_PARTS, family="general", n_points=256)
    print(f"{minutes:g} minutes each, {EVALUATION_PARTS} held-out parts\n")
    print("| | M parameters | pairs/s | pairs seen | loss a token | invalid | median IoU | best of 8 |")
    print("|---|---|---|---|---|---|---|---|")
    for name in names:
        run, config = _trained(name, output / f"{minutes:g}min", {"minutes": minutes})
        model, tokenizer = load_model(run.folder)
        figures = measure(model, tokenizer, held_out, config.max_tokens)
        pairs, loss = _outcome(run)
        parameters = sum(one.numel() for one in model.parameters()) / 1e6
        print(
            f"| {name} | {parameters:.2f} | {pairs / (60 * minutes):.0f} | {pairs:,} | {loss:.3f} | "
            f"{figures['invalid_ratio']:.0%} | {figures['median_iou']:.3f} | {figures['best_of_8_iou']:.3f} |",
            flush=True,
        )


def sizes(pairs: list[int], output: Path) -> None:
    """Prints the loss of each size after each number of pairs, and its power law."""
    print("| | " + " | ".join(f"{n:,} pairs" for n in pairs) + " | loss = a * pairs^-b |")
    print("|---|" + "---|" * (len(pairs) + 1))
    for name in SIZES:
        losses = [
            _outcome(_trained(name, output / f"{n}pairs", {"minutes": None, "max_pairs": n})[0])[1] for n in pairs
        ]
        slope, level = np.polyfit(np.log(pairs), np.log(losses), 1)
        cells = " | ".join(f"{loss:.3f}" for loss in losses)
        print(f"| {name} | {cells} | {np.exp(level):.2f} * pairs^{slope:.3f} |", flush=True)


def _trained(name: str, output: Path, length: dict) -> tuple[Run, PretrainConfig]:
    """The run of a variant, which is trained unless it is there; one that was cut off goes on."""
    folder = output / name.replace(" ", "_").replace(",", "")
    here = {"output_path": str(folder), "workers": 0, "device": "cpu"}
    often = {"log_every": 10, "eval_every": 10**9, "checkpoint_every": 200}
    config = PretrainConfig.load(RECIPE, VARIANTS[name] | length | here | often)
    if Run(folder).state is not State.DONE:
        pretrain(config, resume=(folder / "checkpoint.pt").exists())
    return Run(folder), config


def _outcome(run: Run) -> tuple[int, float]:
    """Pairs seen, and the loss at the end."""
    rows = [row for row in run.metrics() if "loss" in row]
    last = rows[-max(1, round(LAST * len(rows))) :]
    return rows[-1]["pairs"], float(np.mean([row["loss"] for row in last]))


if __name__ == "__main__":
    main()
