"""Speed and loss of our training against the script a user would write, in one run, on one core.

    taskset -c 0 python -m benchmarks.training_speed [--bases embedded,qwen3-slice] [--rounds 2] [--json FILE]

`embedded` is assets/base on invented parts; `qwen3-slice` is 4 of the 28 layers of Qwen3-1.7B's shape with random
weights, on random words in programs of typical length. Both sides see the same pairs in the same batches, so their
losses are compared step by step; the adapter has no dropout, the clouds no noise. The sides take turns, `--rounds`
times. Speed is given by the clock, and by the seconds that the process had of the processor: on a machine that others
use, too, only the second is a measurement.
"""

from __future__ import annotations

import argparse
import gc
import json
import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from benchmarks import gpu
from benchmarks.sides import Clock, network, our_trainer, plain_trainer
from cadrecode.config import EMBEDDED, TrainConfig
from cadrecode.data.batches import EncodedPair, Views, encode
from cadrecode.data.dataset import load_programs
from cadrecode.model.load import load_model
from cadrecode.training.base import Precision

LAYERS = 4  # of the slice
PAIRS = 64  # invented parts for the embedded base
SEED = 0


@dataclass(frozen=True)
class Base:
    """What is trained, and how long: the slice's steps are few, because one core takes a minute for a plain one."""

    name: str
    batch: int
    steps: int
    warm_up: int
    max_seq_length: int
    n_points: int


BASES = {
    base.name: base
    for base in (Base("embedded", 8, 6, 1, 900, 512), Base("qwen3-slice", 2, 2, 1, gpu.MAX_SEQ_LENGTH, gpu.POINTS))
}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--bases", default=",".join(BASES), help="which, with commas [%(default)s]")
    arguments.add_argument("--rounds", type=int, default=2, help="turns of each side [%(default)s]")
    arguments.add_argument("--steps", type=int, help="timed steps of each turn [6 and 2]")
    arguments.add_argument("--batch", type=int, help="programs in each [8 and 2]")
    arguments.add_argument("--cpu-precision", default="no", choices=("no", "bf16"), help="of both sides [float32]")
    arguments.add_argument("--json", type=Path, help="where the figures go")
    options = arguments.parse_args()
    torch.set_num_threads(1)
    print(
        "| base | side | samples/s | samples a second of the processor | loss, first and last |\n|---|---|---|---|---|"
    )
    measured = []
    for name in options.bases.split(","):
        chosen = {key: value for key in ("steps", "batch") if (value := getattr(options, key))}
        base = replace(BASES[name], **chosen)
        rows = [measure(base, side, options.cpu_precision) for _ in range(options.rounds) for side in ("plain", "ours")]
        measured += rows
        for row in rows:
            losses = f"{row['losses'][0]:.4f} {row['losses'][-1]:.4f}"
            print(
                f"| {name} | {row['side']} | {row['by_clock']:.3f} | {row['by_processor']:.3f} | {losses} |", flush=True
            )
        print(f"| {name} | {compared(rows)} |", flush=True)
        if options.json:
            options.json.write_text(json.dumps(measured, indent=1), encoding="utf-8")


def compared(rows: list[dict]) -> str:
    """Ours by plain, best of the rounds, and the largest difference of their losses."""
    best = {
        kind: {side: max(row[kind] for row in rows if row["side"] == side) for side in ("plain", "ours")}
        for kind in ("by_clock", "by_processor")
    }
    clock, processor = (best[kind]["ours"] / best[kind]["plain"] for kind in best)
    plain, ours = (next(row["losses"] for row in rows if row["side"] == side) for side in ("plain", "ours"))
    differ = max(abs(a - b) for a, b in zip(plain, ours, strict=True))
    return f"ours / plain | {clock:.2f} x | {processor:.2f} x | losses of all {len(ours)} steps within {differ:.1e}"


def measure(base: Base, side: str, mixed_precision: str) -> dict:
    """One side's steps from the same start: samples a second, and the losses."""
    config = TrainConfig(
        base_model_name=EMBEDDED,
        device="cpu",
        mixed_precision=mixed_precision,
        lora_dropout=0.0,
        noise_probability=0,
        per_device_train_batch_size=base.batch,
        gradient_accumulation_steps=1,
        max_seq_length=base.max_seq_length,
        n_points=base.n_points,
        max_steps=base.warm_up + base.steps,
        save_steps=base.warm_up + base.steps + 1,
        warmup_steps=1,
        logging_steps=1,
        num_workers=0,
        seed=SEED,
    )
    precision = Precision.of(config)
    model, views = _embedded(config, precision) if base.name == "embedded" else _slice(precision)
    model.__class__ = network(stock=side == "plain")
    clock, folder = Clock(), Path(tempfile.mkdtemp(prefix="training-speed-"))
    torch.manual_seed(SEED)  # the same adapters on both sides
    try:
        trainer = (plain_trainer if side == "plain" else our_trainer)(config, precision, model, views, folder)
        trainer.add_callback(clock)
        trainer.train()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    samples = base.steps * base.batch
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    del trainer, model
    gc.collect()
    return {
        "base": base.name,
        "side": side,
        "by_clock": samples / (clock.ended[-1] - clock.ended[base.warm_up - 1]),
        "by_processor": samples / (clock.used[-1] - clock.used[base.warm_up - 1]),
        "losses": losses,
    }


class SameClouds(Views):
    """Pairs that look the same in every epoch, as they do to a script that prepares its rows once."""

    def __getitem__(self, item: int) -> dict:
        return super().__getitem__(item % len(self.encoded))


def _embedded(config: TrainConfig, precision: Precision):
    model, tokenizer = load_model(EMBEDDED, device="cpu", dtype=precision.dtype)
    programs = load_programs(f"invent:general:{PAIRS}", seed=SEED)
    pairs, _ = encode(programs, tokenizer, config.max_seq_length - config.n_points)
    return model, SameClouds(pairs, config.n_points, seed=SEED)


def _slice(precision: Precision):
    gpu.SHAPES["slice"] = replace(gpu.SHAPES["qwen3-1.7b"], num_hidden_layers=LAYERS)
    torch.manual_seed(SEED)
    model = gpu._random_model("slice", precision.device, precision.dtype, stock=False)
    views = gpu._same_pairs(gpu.TYPICAL, gpu.SHAPES["slice"].vocab_size)
    return model, SameClouds([EncodedPair(entry.pair, entry.tokens) for entry in views.encoded], gpu.POINTS, seed=SEED)


if __name__ == "__main__":
    main()
