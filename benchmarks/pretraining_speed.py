"""Pretraining in pairs a second, beside the loop that one would write with transformers' Trainer, in one run.

    taskset -c 0 python -m benchmarks.pretraining_speed [--config configs/pretrain_base.yaml] [--steps 6] [--rounds 1]

Both train the same fresh network on the same pairs in the same batches, on one core. `ours` is the loop of
`cadrecode.pretrain`, which also chooses the points of each cloud. `plain` is the Trainer with its default collator:
programs padded to max_tokens, an attention mask, logits of every position; its rows, points and all, are ready before
the clock runs. Making pairs is timed apart, and added to both, as where one core does everything. Speed is given by the
clock, and by the processor's time, which alone is a measurement on a machine that others use.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch.optim.lr_scheduler import LambdaLR
from transformers import PrinterCallback, TrainingArguments

from benchmarks.sides import Clock, PlainTrainer, network, padded
from cadrecode import pretrain as verb
from cadrecode.config import EMBEDDED, PretrainConfig
from cadrecode.data.stream import BATCHES_PER_CHUNK
from cadrecode.model.load import load_model
from cadrecode.model.team import Team
from cadrecode.model.tokens import PAD
from cadrecode.runs import Run

WARM_UP = 2  # steps


@dataclass
class Side:
    """When each step began and the last one ended, by the clock and of the processor, and what was lost."""

    seconds: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)

    def note(self) -> None:
        self.seconds.append(time.perf_counter())
        self.processor.append(time.process_time())

    def a_pair(self, batch_size: int) -> np.ndarray:
        """Seconds by the clock, and of the processor, after the warm-up."""
        ends = np.array([self.seconds, self.processor])[:, WARM_UP:]
        return (ends[:, -1] - ends[:, 0]) / (ends.shape[1] - 1) / batch_size


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--config", type=Path, default=Path("configs/pretrain_base.yaml"))
    arguments.add_argument("--steps", type=int, default=6, help=f"after {WARM_UP} others [%(default)s]")
    arguments.add_argument("--rounds", type=int, default=1, help="turns of each side; the fastest is shown")
    options = arguments.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        compare(options.config, options.steps + WARM_UP, options.rounds, Path(folder))


def compare(recipe: Path, steps: int, rounds: int, folder: Path) -> None:
    """Prints a row for each side, and by how much ours is faster."""
    tokenizer = load_model(EMBEDDED)[1]
    tokenizer.save_pretrained(folder)
    config = PretrainConfig.load(recipe, {"output_path": str(folder), "device": "cpu", "log_every": 1})
    config = config.changed(minutes=None, max_pairs=10**9, eval_every=10**9)  # the learning rate rises alone
    making, batches = made(config, steps)
    print("| | pairs/s | a second of the processor | with making pairs on the same core | loss, first and last |")
    print("|---|---|---|---|---|")
    fastest, losses = [], []
    for name, run in (("plain", plain), ("ours", ours)):
        sides = [run(config, tokenizer, batches, folder / f"{name}-{turn}") for turn in range(rounds)]
        best = np.min([side.a_pair(config.batch_size) for side in sides], axis=0)
        fastest.append(np.array([*best, best[1] + making]))
        losses.append(np.array(sides[0].losses))
        speeds = " | ".join(f"{speed:.1f}" for speed in 1 / fastest[-1])
        print(f"| {name} | {speeds} | {losses[-1][0]:.4f} {losses[-1][-1]:.4f} |", flush=True)
    apart = np.abs(losses[0] - losses[1]).max()
    ratios = " | ".join(f"{ratio:.2f} x" for ratio in fastest[0] / fastest[1])
    print(f"| ours / plain | {ratios} | of all {steps} steps within {apart:.1e} |")
    print(
        f"\nMaking pairs: {1 / making:.0f} a second of the processor. {steps - WARM_UP} steps of {config.batch_size}."
    )


def made(config: PretrainConfig, steps: int) -> tuple[float, list[verb.RawBatch]]:
    """Seconds of the processor that a pair takes, and the batches that a training begins with."""
    make = verb._make_chunk
    make(0, config=config, tokenizer_folder=config.output_path, rank=0, size=1)  # what is loaded once
    chunks = -(-steps // BATCHES_PER_CHUNK)
    started = time.process_time()
    batches = [
        batch
        for number in range(chunks)
        for batch in make(number, config=config, tokenizer_folder=config.output_path, rank=0, size=1)
    ]
    seconds = (time.process_time() - started) / (chunks * BATCHES_PER_CHUNK * config.batch_size)
    return seconds, batches[:steps]


def fresh(config: PretrainConfig, tokenizer):
    torch.manual_seed(config.seed)
    return verb._fresh_model(config, tokenizer)


def ours(config: PretrainConfig, tokenizer, batches: list[verb.RawBatch], folder: Path) -> Side:
    side, run, team = Side(), Run.create(folder, config.to_yaml()), Team.join(torch.device("cpu"))
    model = fresh(config, tokenizer)

    def noted() -> Iterator[verb.RawBatch]:
        for number, batch in enumerate(batches, 1):
            side.note()
            if number == len(batches):
                run.request_stop()
            yield batch

    optimizer = _optimizer(model, config)
    verb._loop(config, run, team, model, tokenizer, optimizer, verb.Progress(), noted(), held_out=None)
    side.note()
    side.losses = [row["loss"] for row in run.metrics()]
    return side


def _optimizer(model, config: PretrainConfig) -> torch.optim.Optimizer:
    return torch.optim.AdamW(verb._parameter_groups(model, config), lr=config.learning_rate, betas=verb.ADAM_BETAS)


def plain(config: PretrainConfig, tokenizer, batches: list[verb.RawBatch], folder: Path) -> Side:
    model = fresh(config, tokenizer)
    model.__class__ = network(stock=True)
    pad, slots = tokenizer.convert_tokens_to_ids(PAD), model.n_point_tokens
    prepare = verb._Prepare(config, pad, slots, model.device)
    rows = []
    for step, raw in enumerate(batches):
        clouds = prepare(raw, step)["point_cloud"]
        for tokens, cloud in zip(raw.tokens.tolist(), clouds.numpy()):
            item = {"tokens": [token for token in tokens if token != pad], "point_cloud": cloud}
            rows.append(padded(item, pad, slots, slots + config.max_tokens))
    arguments = TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=config.batch_size,
        max_grad_norm=config.grad_clip,
        max_steps=len(batches),
        logging_steps=1,
        save_strategy="no",
        use_cpu=True,
        seed=config.seed,
        report_to="none",
        disable_tqdm=True,
    )
    optimizer, clock = _optimizer(model, config), Clock()
    rising = LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / config.warmup_steps))
    trainer = PlainTrainer(
        model=model, args=arguments, train_dataset=rows, callbacks=[clock], optimizers=(optimizer, rising)
    )
    trainer.remove_callback(PrinterCallback)
    size = config.batch_size
    trainer.order = [list(range(first, first + size)) for first in range(0, len(rows), size)]
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    return Side([0.0, *clock.ended], [0.0, *clock.used], losses)


if __name__ == "__main__":
    main()
