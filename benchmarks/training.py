"""Training beside the script that a user would write: memory, speed, pretraining, attention; and the memory of a merge.

    python -m benchmarks.training memory --layers 4            # Qwen3-1.7B's shape, 4 of its 28 layers, fp32, a CPU
    python -m benchmarks.training memory --device cuda         # all layers, bf16, on a GPU
    python -m benchmarks.training estimates                    # `cadrecode estimate` against the peak, on small shapes
    taskset -c 0 python -m benchmarks.training speed --shape embedded [--steps 6]
    taskset -c 0 python -m benchmarks.training speed --layers 4 --steps 2
    taskset -c 0 python -m benchmarks.training pretraining [--config configs/pretrain_base.yaml] [--rounds 2]
    python -m benchmarks.training attention
    python -m benchmarks.training merging [--layers 28]

`memory`, `estimates` and `speed` measure rows of benchmarks/gpu.py, each in a process of its own. The adapter has no
dropout, so that losses of `ours` and `plain` can be compared step by step. `memory` gives freed blocks back at once, as
a training does that is short of memory (train/heap.py); `speed` does not, and trains on two programs of typical length.
Speed is given by the clock and by processor time, which alone is a measurement on a machine that others use too.

`pretraining`: the same fresh network, pairs and batches, in the loop of `cadrecode.pretrain`, which also chooses the
points of each cloud, and in transformers' Trainer with its default collator, whose rows are ready before the clock
runs. Making pairs is timed apart, and added to both, as where one core does everything.

`merging`: seconds and peak memory of the merge command, with the process that it starts to verify, by the size of the
model in bf16. Base and adapter are random, and are made in a process of their own.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
import torch
from torch.nn import functional
from torch.optim.lr_scheduler import LambdaLR
from transformers import PreTrainedTokenizerBase, PrinterCallback, TrainingArguments

from benchmarks import gpu
from benchmarks.sides import SEED, SHAPES, Clock, PlainTrainer, network, padded, random_model
from cadrecode import pretrain as verb
from cadrecode.config import PretrainConfig
from cadrecode.data.chunks import Prepare, RawBatch, make_chunk
from cadrecode.data.stream import BATCHES_PER_CHUNK
from cadrecode.model.adapters import attach_lora, save_adapter
from cadrecode.model.attention import CausalAttention
from cadrecode.model.load import load_model, save_model
from cadrecode.model.network import Qwen3WithPoints
from cadrecode.model.team import Team
from cadrecode.model.tokens import PAD, build_tokenizer
from cadrecode.runs import Run
from cadrecode.shipped import EMBEDDED

COMPARED = [gpu.Row("lora", "plain"), gpu.Row("lora", "ours"), gpu.Row("lora", "plain", checkpointing=True),
            gpu.Row("lora", "ours", checkpointing=True), gpu.Row("qlora", "ours"),
            gpu.Row("qlora", "plain", checkpointing=True), gpu.Row("qlora", "ours", checkpointing=True)]  # fmt: skip
ESTIMATED = [gpu.Row(part, "ours", gpu.SMALL, checkpointing=on) for part in ("lora", "qlora") for on in (False, True)]
SPEED = [gpu.Row("lora", side, gpu.TWO) for side in ("plain", "ours")]
SMALL_SHAPES = ("narrow", "deep", "wide", "wordy")
PRETRAINING_WARM_UP = 2  # steps
ATTENTION_ROWS, HEADS, GROUPS, WIDTH = 8, 10, 5, 32  # the embedded base's
ATTENTION_LENGTHS = (80, 115, 170, 264)  # 64 point tokens and a program; 264 is the longest that the base can learn
RANK, ALPHA = 16, 32  # of the adapter that is merged
LOOK_SECONDS = 0.005


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    modes = parser.add_subparsers(dest="mode", required=True)
    for name, steps, warm_up in (("memory", 17, 3), ("estimates", 1, 1), ("speed", 6, 1)):
        mode = modes.add_parser(name)
        mode.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
        mode.add_argument("--shape", default="qwen3-1.7b", choices=sorted(SHAPES))
        mode.add_argument("--layers", type=int, default=0, help="fewer layers than the shape has [all]")
        mode.add_argument("--steps", type=int, default=steps, help="timed steps [%(default)s]")
        mode.add_argument("--warm-up", type=int, default=warm_up, help="steps before those [%(default)s]")
        mode.add_argument("--rows", help="only these rows, by number with commas")
        mode.add_argument("--seconds", type=float, default=3600, help="limit of a row [%(default)s]")
        mode.add_argument("--cpu-precision", default="no", choices=("no", "bf16"), help="of a CPU [float32]")
        mode.add_argument("--json", type=Path, help="where the figures go")
        mode.set_defaults(new_tokens=0, dropout=0.1 if name == "estimates" else 0.0, give_back=int(name != "speed"))
    mode = modes.add_parser("pretraining")
    mode.add_argument("--config", type=Path, default=Path("configs/pretrain_base.yaml"))
    mode.add_argument("--steps", type=int, default=6, help=f"after {PRETRAINING_WARM_UP} others [%(default)s]")
    mode.add_argument("--rounds", type=int, default=1, help="turns of each side; the fastest is shown")
    modes.add_parser("attention").add_argument("--rounds", type=int, default=15, help="of each [%(default)s]")
    mode = modes.add_parser("merging")
    mode.add_argument("--shape", default="qwen3-1.7b", choices=sorted(SHAPES))
    mode.add_argument("--layers", type=int, default=0, help="fewer layers than the shape has [all]")
    mode.add_argument("--make", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.mode == "pretraining":
        pretraining(options.config, options.steps + PRETRAINING_WARM_UP, options.rounds)
    elif options.mode == "attention":
        attention(options.rounds)
    elif options.mode == "merging":
        merging(options)
    else:
        compare_rows(options)


# --- memory and speed


def compare_rows(options: argparse.Namespace) -> None:
    """Print each row of the mode, and what it is by the plain one before it."""
    rows = {"memory": COMPARED, "estimates": ESTIMATED, "speed": SPEED}[options.mode]
    if options.rows:
        rows = [rows[int(number)] for number in options.rows.split(",")]
    shapes = SMALL_SHAPES if options.mode == "estimates" else (options.shape,)
    measured: list[dict] = []
    for shape, row in itertools.product(shapes, rows):
        options.shape = shape
        figures = measure(row, options)
        measured.append({"shape": shape, "name": row.name, "side": row.side, **figures})
        print(line(measured[-1], measured), flush=True)
        if options.json:
            options.json.write_text(json.dumps(measured, indent=1), encoding="utf-8")


def measure(row: gpu.Row, options: argparse.Namespace) -> dict:
    """A row, in a process of its own."""
    options.folder = Path(tempfile.mkdtemp(prefix="training-"))
    try:
        number = gpu.ROWS.index(row)
        return gpu.result_of(gpu.start_row(number, options), options.folder / str(number), options.seconds)
    finally:
        shutil.rmtree(options.folder, ignore_errors=True)


def line(row: dict, rows: list[dict]) -> str:
    """A row of the table, with its share of the plain script's memory and the largest difference of their losses."""
    if "error" in row:
        return f"| {row['shape']} | {row['name']} | {row['side']} | {row['error']} {row.get('log', '')[-300:]}"
    speeds = row["samples_per_second"], row["samples_per_processor_second"]
    cells = [f"{row['peak_gib']:.2f} GiB", f"{speeds[0]:g} samples/s, {speeds[1]:g} a second of the processor"]
    if row["side"] == "ours":
        cells.append(f"expected {row['expected_gib']:.2f}, {row['expected_gib'] / row['peak_gib'] - 1:+.0%}")
    for other in rows:
        if row["side"] == "ours" and (other["side"], other["name"]) == ("plain", row["name"]) and "losses" in other:
            largest = max(abs(a - b) for a, b in zip(row["losses"], other["losses"], strict=True))
            clock, processor = (row[key] / other[key] for key in ("samples_per_second", "samples_per_processor_second"))
            cells.append(f"{row['peak_gib'] / other['peak_gib']:.0%} of plain, losses within {largest:.1e}")
            cells.append(f"{clock:.2f} x its speed, {processor:.2f} x by processor time")
    return f"| {' | '.join([row['shape'], row['name'], row['side'], *cells])} |"


# --- pretraining


@dataclass
class Times:
    """When each step began and the last step ended, by the clock and in processor time, and the losses."""

    seconds: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)

    def note(self) -> None:
        self.seconds.append(time.perf_counter())
        self.processor.append(time.process_time())

    def per_pair(self, batch_size: int) -> np.ndarray:
        """Seconds by the clock, and of the processor, after the warm-up."""
        ends = np.array([self.seconds, self.processor])[:, PRETRAINING_WARM_UP:]
        return (ends[:, -1] - ends[:, 0]) / (ends.shape[1] - 1) / batch_size


def pretraining(recipe: Path, steps: int, rounds: int) -> None:
    """Print a row for each side, and by how much ours is faster."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tokenizer = load_model(EMBEDDED)[1]
        tokenizer.save_pretrained(folder)
        config = PretrainConfig.load(recipe, {"output_path": name, "device": "cpu", "log_every": 1})
        config = config.changed(minutes=None, max_pairs=10**9, eval_every=10**9)  # the learning rate rises alone
        making, batches = make_batches(config, steps)
        print("| | pairs/s | a second of the processor | with making pairs on the same core | loss, first and last |")
        print("|---|---|---|---|---|")
        fastest, losses = [], []
        for side, run in (("plain", pretrain_plainly), ("ours", pretrain_ours)):
            turns = [run(config, tokenizer, batches, folder / f"{side}-{turn}") for turn in range(rounds)]
            best = np.min([times.per_pair(config.batch_size) for times in turns], axis=0)
            fastest.append(np.array([*best, best[1] + making]))
            losses.append(np.array(turns[0].losses))
            speeds = " | ".join(f"{speed:.1f}" for speed in 1 / fastest[-1])
            print(f"| {side} | {speeds} | {losses[-1][0]:.4f} {losses[-1][-1]:.4f} |", flush=True)
    ratios = " | ".join(f"{ratio:.2f} x" for ratio in fastest[0] / fastest[1])
    print(f"| ours / plain | {ratios} | of all {steps} steps within {np.abs(losses[0] - losses[1]).max():.1e} |")


def make_batches(config: PretrainConfig, steps: int) -> tuple[float, list[RawBatch]]:
    """Processor seconds that a pair takes, and the batches that a training begins with."""
    own = {"config": config, "tokenizer_folder": config.output_path, "rank": 0, "size": 1}
    make_chunk(0, **own)  # the first call loads libraries
    chunks = -(-steps // BATCHES_PER_CHUNK)
    started = time.process_time()
    batches = [batch for number in range(chunks) for batch in make_chunk(number, **own)]
    seconds = (time.process_time() - started) / (chunks * BATCHES_PER_CHUNK * config.batch_size)
    return seconds, batches[:steps]


def _fresh(config: PretrainConfig, tokenizer: PreTrainedTokenizerBase) -> tuple[Qwen3WithPoints, torch.optim.Optimizer]:
    torch.manual_seed(config.seed)
    model = verb.fresh_model(config, tokenizer)
    groups = verb.parameter_groups(model, config)
    return model, torch.optim.AdamW(groups, lr=config.learning_rate, betas=verb.ADAM_BETAS)


def pretrain_ours(
    config: PretrainConfig, tokenizer: PreTrainedTokenizerBase, batches: list[RawBatch], folder: Path
) -> Times:
    times, run, team = Times(), Run.create(folder, config.to_yaml()), Team.join(torch.device("cpu"))
    model, optimizer = _fresh(config, tokenizer)

    def noted() -> Iterator[RawBatch]:
        for number, batch in enumerate(batches, 1):
            times.note()
            if number == len(batches):
                run.request_stop()
            yield batch

    training = verb.Training(config, run, team, model, tokenizer, optimizer, verb.Elapsed())
    verb.train_steps(training, noted(), held_out=None)
    times.note()
    times.losses = [row["loss"] for row in run.metrics()]
    return times


def pretrain_plainly(
    config: PretrainConfig, tokenizer: PreTrainedTokenizerBase, batches: list[RawBatch], folder: Path
) -> Times:
    model, optimizer = _fresh(config, tokenizer)
    model.__class__ = network(stock=True)
    pad, slots = tokenizer.convert_tokens_to_ids(PAD), model.n_point_tokens
    prepare = Prepare(config, pad, slots, model.device)
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
    clock = Clock()
    rising = LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / config.warmup_steps))
    trainer = PlainTrainer(
        model=model, args=arguments, train_dataset=rows, callbacks=[clock], optimizers=(optimizer, rising)
    )
    trainer.remove_callback(PrinterCallback)
    size = config.batch_size
    trainer.order = [list(range(first, first + size)) for first in range(0, len(rows), size)]
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    return Times([0.0, *clock.ended], [0.0, *clock.used], losses)


# --- attention


def attention(rounds: int) -> None:
    """Print forward and backward of a layer's attention in bfloat16 on one core: medians, ours and torch's in turns."""
    torch.set_num_threads(1)
    print("| positions | torch's, ms | ours, ms | torch's / ours |\n|---|---|---|---|")
    for length in ATTENTION_LENGTHS:
        query, key, value, grad = (
            torch.randn(ATTENTION_ROWS, heads, length, WIDTH, dtype=torch.bfloat16, requires_grad=True)
            for heads in (HEADS, GROUPS, GROUPS, HEADS)
        )
        sides = (
            lambda q, k, v: functional.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True),
            lambda q, k, v: CausalAttention.apply(q, k, v, WIDTH**-0.5),
        )
        taken: tuple[list[float], list[float]] = ([], [])
        for _ in range(rounds + 1):
            for side, times in zip(sides, taken):
                started = time.perf_counter()
                side(query, key, value).backward(grad.detach())
                times.append(1000 * (time.perf_counter() - started))
        theirs, ours = (statistics.median(times[1:]) for times in taken)  # the first round warms up
        print(f"| {length} | {theirs:.1f} | {ours:.1f} | {theirs / ours:.1f} |")


# --- merging


def merging(options: argparse.Namespace) -> None:
    """Print what merging took; sizes in GiB."""
    if options.make:
        make_base_and_adapter(options.shape, options.layers, options.make)
        return
    with tempfile.TemporaryDirectory(prefix="merging-") as name:
        folder = Path(name)
        again = [sys.executable, "-m", "benchmarks.training", *sys.argv[1:], "--make", name]
        subprocess.run(again, check=True)
        size = sum(path.stat().st_size for path in (folder / "base").glob("*.safetensors")) / 2**30
        imports = peak_of([sys.executable, "-c", "import cadrecode.merging.merge"])  # in each of both processes
        command = ["merge", "--lora_path", str(folder / "adapter"), "--output_path", str(folder / "merged")]
        started = time.monotonic()
        peak = peak_of([sys.executable, "-m", "cadrecode", *command])
        seconds = time.monotonic() - started
    print(
        f"{options.shape}, {size:.2f} GiB in bf16: {seconds:.0f} s, peak {peak:.2f} GiB, {peak / size:.2f} x the model"
    )
    print(f"the libraries alone: {imports:.2f} GiB in each process")


def peak_of(command: list[str]) -> float:
    """Largest resident memory of a process and those it starts at one time, mapped files among it. GiB."""
    process = psutil.Popen(command, env=os.environ | {"HF_HUB_OFFLINE": "1"})
    peak = 0
    while process.poll() is None:
        try:
            peak = max(peak, sum(member.memory_info().rss for member in [process, *process.children(recursive=True)]))
        except psutil.NoSuchProcess:
            continue  # it has just ended
        time.sleep(LOOK_SECONDS)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with status {process.returncode}")
    return peak / 2**30


def make_base_and_adapter(shape: str, layers: int, folder: Path) -> None:
    """A random base in bf16, and an adapter that changes something."""
    torch.manual_seed(SEED)
    save_model(random_model(shape, layers, torch.device("cpu"), torch.bfloat16), build_tokenizer([]), folder / "base")
    base, tokenizer = load_model(folder / "base", device="cpu", dtype=torch.bfloat16)
    wrapped = attach_lora(base, r=RANK, alpha=ALPHA, dropout=0.0)
    with torch.no_grad():
        for name, parameter in wrapped.named_parameters():
            if ".lora_B." in name:
                parameter.normal_(std=0.01)
    save_adapter(wrapped, tokenizer, folder / "adapter")


if __name__ == "__main__":
    main()
