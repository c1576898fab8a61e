"""Our training and our decoding against what a plain script would do, at Qwen3-1.7B's shape, on one GPU.

    python -m benchmarks.gpu [--device cuda] [--json FILE] [--parts lora,qlora,decode] [--shape qwen3-1.7b] [--steps 10]
    python -m benchmarks.gpu --device cpu --shape tiny --steps 2        # the same lines, in a minute, without a GPU

The weights are random: nothing is downloaded. `ours` is what `cadrecode.training` runs, `plain` what one writes by the
manuals of PEFT and transformers (benchmarks/sides.py). Both see the same pairs in each step, so that their losses can
be compared. Each row of the table is a process of its own, with its own peak memory; a row that fails is reported, and
the others still run.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cadrecode.config import TrainConfig

WARM_UP = 3  # by default: steps before the clock runs: kernels are chosen, workers start, the optimizer's state is made
SEED = 0
MAX_SEQ_LENGTH = 1024
POINTS = 256
# Tokens of 18 programs: evenly spaced quantiles of 500 programs of invent:general in Qwen's vocabulary (mean 139).
TYPICAL = (48, 51, 62, 86, 89, 95, 102, 110, 120, 131, 143, 154, 162, 178, 202, 218, 247, 296)
TWO = TYPICAL[5:12:6]  # two programs of typical length, for one core
FULL = (MAX_SEQ_LENGTH - POINTS,) * 4  # the longest programs that the settings let through
SMALL = (256,) * 4  # four programs of the same length, for machines without a GPU
TAIL = 1500  # characters of a failed row's output that are shown


@dataclass(frozen=True)
class Row:
    """One line of the table: what is measured, by whose code, on which batch."""

    part: str
    side: str
    lengths: tuple[int, ...] = FULL  # tokens of each program of a batch, START and END among them
    checkpointing: bool = False  # `plain` 4-bit always has it, as PEFT's preparation turns it on
    batch: int = 0  # decoding alone

    @property
    def name(self) -> str:
        if self.part == "decode":
            return f"decode, batch {self.batch}"
        words = f"batch {len(self.lengths)}, typical"
        if len(set(self.lengths)) == 1:
            words = f"{len(self.lengths)} x {POINTS + self.lengths[0]:,} tokens"
        return f"{self.part}, {words}" + (", gradient checkpointing" if self.checkpointing else "")


ROWS = (  # in the order of importance: time may run out
    Row("lora", "ours"),
    Row("lora", "plain"),
    Row("qlora", "ours"),
    Row("qlora", "plain", checkpointing=True),
    Row("decode", "ours", batch=1),
    Row("decode", "plain", batch=1),
    Row("lora", "ours", TYPICAL),
    Row("lora", "plain", TYPICAL),
    Row("decode", "ours", batch=8),
    Row("decode", "plain", batch=8),
    Row("qlora", "ours", checkpointing=True),
    Row("decode", "ours", batch=64),
    Row("decode", "plain", batch=64),
    Row("lora", "ours", TYPICAL, checkpointing=True),
    Row("lora", "plain", TYPICAL, checkpointing=True),
    Row("lora", "ours", checkpointing=True),
    Row("lora", "plain", checkpointing=True),
    Row("lora", "ours", SMALL),
    Row("lora", "ours", SMALL, checkpointing=True),
    Row("qlora", "ours", SMALL),
    Row("qlora", "ours", SMALL, checkpointing=True),
    Row("lora", "plain", SMALL),
    Row("lora", "ours", TWO),
    Row("lora", "plain", TWO),
)


# --- one process for each row


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    arguments.add_argument("--shape", default="qwen3-1.7b", help="of benchmarks/sides.py [%(default)s]")
    arguments.add_argument("--parts", default="lora,qlora,decode", help="which parts, with commas [%(default)s]")
    arguments.add_argument("--steps", type=int, default=10, help=f"timed steps, after {WARM_UP} others [%(default)s]")
    arguments.add_argument("--new-tokens", type=int, default=256, help="tokens to decode [%(default)s]")
    arguments.add_argument("--json", type=Path, help="rewritten after each row")
    arguments.add_argument("--seconds", type=float, default=60, help="limit of each row [%(default)s]")
    arguments.add_argument("--total-seconds", type=float, default=210, help="of all rows [%(default)s]")
    arguments.add_argument(
        "--ahead", type=int, help="processes begun early, to import; by default half the cores, up to 4"
    )
    arguments.add_argument("--layers", type=int, default=0, help="fewer layers than the shape has [all]")
    arguments.add_argument("--dropout", type=float, default=0.1, help="of the adapter [%(default)s]")
    arguments.add_argument("--warm-up", type=int, default=WARM_UP, help="steps before the timed ones [%(default)s]")
    arguments.add_argument("--give-back", type=int, default=0, help="1: ours gives back what it frees (train/heap.py)")
    arguments.add_argument("--cpu-precision", default="no", choices=("no", "bf16"), help="of training there [float32]")
    arguments.add_argument("--row", type=int, help=argparse.SUPPRESS)
    arguments.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = arguments.parse_args()
    if options.row is not None:
        return _measure_row(options)
    unknown = set(options.parts.split(",")) - {row.part for row in ROWS}
    if unknown:
        arguments.error(f"no part {min(unknown)!r}; there are lora, qlora and decode")
    options.folder = Path(tempfile.mkdtemp(prefix="gpu-benchmark-"))
    try:
        _run_rows(options)
    finally:
        shutil.rmtree(options.folder, ignore_errors=True)


def _run_rows(options: argparse.Namespace) -> None:
    started = time.monotonic()
    numbers = [i for i, row in enumerate(ROWS) if row.part in options.parts.split(",")]
    ahead = options.ahead or min(4, max(1, (os.cpu_count() or 1) // 2))
    report = {"about": {"shape": options.shape}, "rows": []}
    waiting = {}
    for place, number in enumerate(numbers):
        row = ROWS[number]
        for other in numbers[place : place + ahead]:
            if other not in waiting:
                waiting[other] = start_row(other, options)
        process = waiting.pop(number)
        left = options.total_seconds - (time.monotonic() - started)
        if left <= 0:
            process.kill()
            process.wait()
            result = {"error": "not run: the time was up"}
        else:
            result = result_of(process, options.folder / str(number), min(options.seconds, left))
        report["about"] |= result.pop("about", {})
        report["rows"].append({"name": row.name, "side": row.side, **result})
        print(f"[{time.monotonic() - started:5.1f} s] {row.name}, {row.side}: {json.dumps(result)}", flush=True)
        if options.json:
            report["seconds"] = round(time.monotonic() - started, 1)
            options.json.write_text(json.dumps(report, indent=1), encoding="utf-8")
    print(f"\n{json.dumps(report['about'])}\n")
    print(table(report["rows"]))


def start_row(number: int, options: argparse.Namespace) -> subprocess.Popen:
    """A process that imports, which takes as long as the measuring, and then waits for a line."""
    # -P: this folder's kernels.py would be taken for the package `kernels` that transformers looks for.
    command = [sys.executable, "-P", __file__, "--row", str(number), "--folder", str(options.folder)]
    numbers = ("steps", "new_tokens", "layers", "dropout", "warm_up", "give_back")
    for name in ("device", "shape", "cpu_precision", *numbers):
        command += [f"--{name.replace('_', '-')}", str(getattr(options, name))]
    root = str(Path(__file__).resolve().parents[1])
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH")))),
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
    with open(options.folder / f"{number}.log", "w") as log:
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log, env=environment)


def result_of(process: subprocess.Popen, files: Path, seconds: float) -> dict:
    """Tell a waiting process to go, and read what it measured."""
    try:
        process.communicate(b"go\n", timeout=seconds)
        words = f"exit code {process.returncode}"
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        words = f"still running after {seconds:.0f} s"
    written = files.with_suffix(".json")
    if written.exists():
        return json.loads(written.read_text(encoding="utf-8"))
    log = files.with_suffix(".log").read_text(encoding="utf-8", errors="replace")
    return {"error": words, "log": log[-TAIL:]}


def _measure_row(options: argparse.Namespace) -> None:
    """In the process of a row."""
    import peft  # noqa: F401
    import torch
    import transformers

    import cadrecode.model.decode
    import cadrecode.training  # noqa: F401

    if not sys.stdin.readline():
        return  # whoever began this process is gone
    row = ROWS[options.row]
    try:
        torch.manual_seed(SEED)
        if options.device == "cpu":
            torch.set_num_threads(min(2, torch.get_num_threads()))
        measure = _decode if row.part == "decode" else _train
        result = measure(row, options)
        result["about"] = {
            "device": torch.cuda.get_device_name() if options.device == "cuda" else platform.processor() or "cpu",
            "python": platform.python_version(),
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            **{name: _version(name) for name in ("peft", "accelerate", "bitsandbytes")},
        }
    except torch.OutOfMemoryError as error:
        result = {"error": "out of memory", "log": str(error)[:TAIL]}
    except Exception as error:
        traceback.print_exc()
        trace = traceback.format_exc()
        result = {"error": f"{type(error).__name__}: {error}"[:TAIL], "log": trace[-TAIL:]}
    target = options.folder / f"{options.row}.json"
    target.with_suffix(".half").write_text(json.dumps(result), encoding="utf-8")
    target.with_suffix(".half").replace(target)


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


# --- training


def _train_config(row: Row, options: argparse.Namespace) -> TrainConfig:
    from cadrecode.config import TrainConfig

    return TrainConfig(
        device=options.device,
        mixed_precision="bf16" if options.device == "cuda" else options.cpu_precision,
        use_qlora=row.part == "qlora",
        lora_dropout=options.dropout,
        per_device_train_batch_size=len(row.lengths),
        gradient_accumulation_steps=1,
        gradient_checkpointing=row.checkpointing,
        max_seq_length=MAX_SEQ_LENGTH,
        n_points=POINTS,
        noise_probability=0,
        max_steps=options.warm_up + options.steps,
        save_steps=options.warm_up + options.steps + 1,
        warmup_steps=1,
        logging_steps=1,
        seed=SEED,
    )


def _train(row: Row, options: argparse.Namespace) -> dict:
    """Peak memory, speed and last loss of a few steps."""
    import torch

    from benchmarks import sides
    from cadrecode.heap import return_freed_blocks
    from cadrecode.training.base import Precision, free_memory, load_base
    from cadrecode.training.watch import peak_memory_mb

    config = _train_config(row, options)
    precision = Precision.of(config)
    if options.give_back and row.side == "ours":
        return_freed_blocks()
    if row.part == "qlora":
        config = config.changed(
            base_model_name=str(sides.saved_model(options.folder, options.shape, options.layers, precision))
        )
        free_memory()
        load = sides.load_plain_4bit if row.side == "plain" else lambda c, p: load_base(c, p)[0]
        model = load(config, precision)
    else:
        model = sides.random_model(
            options.shape, options.layers, precision.device, precision.dtype, stock=row.side == "plain"
        )
    free_memory()
    gpu = options.device == "cuda"
    if gpu:
        torch.cuda.reset_peak_memory_stats()
    held = model.get_memory_footprint() / 2**30
    views = sides.random_pairs(row.lengths, sides.SHAPES[options.shape].vocab_size)
    clock = sides.Clock(torch.cuda.synchronize if gpu else lambda: None)
    torch.manual_seed(SEED)  # the same adapters on both sides
    build = sides.plain_trainer if row.side == "plain" else sides.our_trainer
    trainer = build(config, precision, model, views, options.folder / f"run-{options.row}")
    trainer.add_callback(clock)
    trainer.train()
    seconds, used = (times[-1] - times[options.warm_up - 1] for times in (clock.ended, clock.used))
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    tokens = sum(row.lengths) + POINTS * len(row.lengths)  # padding is not counted as work
    return {
        "base_gib": round(held, 2),
        "peak_gib": round(peak_memory_mb() / 2**10, 2),
        "memory_is": "GPU, allocated" if gpu else "process",
        "reserved_gib": round(torch.cuda.max_memory_reserved() / 2**30, 2) if gpu else None,
        "step_ms": round(1000 * seconds / options.steps, 1),
        "samples_per_second": round(options.steps * len(row.lengths) / seconds, 2),
        "samples_per_processor_second": round(options.steps * len(row.lengths) / used, 2),
        "tokens_per_second": round(options.steps * tokens / seconds),
        "first_loss": round(losses[0], 4),
        "last_loss": round(losses[-1], 4),
        "losses": losses,
        "expected_gib": round(
            sides.expected_bytes(config, precision, options.shape, options.layers, max(row.lengths)) / 2**30, 2
        ),
    }


# --- decoding


def _decode(row: Row, options: argparse.Namespace) -> dict:
    """Greedy tokens a second, the prompt included, after a short warm-up."""
    import torch

    from benchmarks.sides import random_model
    from cadrecode.model.decode import generate
    from cadrecode.model.devices import pick_dtype
    from cadrecode.model.tokens import START, build_tokenizer
    from cadrecode.training.watch import peak_memory_mb

    device = torch.device(options.device)
    dtype = pick_dtype(None, device)
    model = random_model(options.shape, options.layers, device, dtype, stock=row.side == "plain").eval()
    tokenizer = build_tokenizer([])
    start = tokenizer.convert_tokens_to_ids(START)
    clouds = torch.rand(row.batch, POINTS, 3, generator=torch.Generator().manual_seed(SEED)) * 2 - 1
    synchronise = torch.cuda.synchronize if options.device == "cuda" else lambda: None

    def ours(new_tokens: int) -> int:
        written = []
        generate(model, tokenizer, clouds, max_new_tokens=new_tokens, on_token=lambda _, going: written.append(going))
        return sum(written)

    @torch.inference_mode()
    def plain(new_tokens: int) -> int:
        embeds = model.prompt_embeds(clouds, start)
        ones = torch.ones(embeds.shape[:2], dtype=torch.long, device=device)
        # Without an end it writes all the tokens it is asked for.
        words = model.generate(
            inputs_embeds=embeds, attention_mask=ones, do_sample=False, max_new_tokens=new_tokens, eos_token_id=None
        )
        return words.numel()

    run = plain if row.side == "plain" else ours
    model.generation_config.eos_token_id = None
    run(min(16, options.new_tokens))
    synchronise()
    if options.device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    started = time.perf_counter()
    count = run(options.new_tokens)
    synchronise()
    seconds = time.perf_counter() - started
    return {
        "peak_gib": round(peak_memory_mb() / 2**10, 2),
        "memory_is": "GPU, allocated" if options.device == "cuda" else "process",
        "tokens": count,
        "samples_per_second": round(row.batch / seconds, 2),
        "tokens_per_second": round(count / seconds, 1),
    }


# --- the table


def table(rows: list[dict]) -> str:
    """The rows as Markdown."""
    lines = ["| | | peak memory | samples/s | tokens/s | loss, first and last |", "|---|---|---|---|---|---|"]
    for row in rows:
        if "error" in row:
            figures = [f"failed: {' '.join(row['error'].split())[:100]}", "", "", ""]
        else:
            losses = f"{row['first_loss']:.3f} {row['last_loss']:.3f}" if "last_loss" in row else ""
            memory = f"{row['peak_gib']:.2f} GiB" + ("" if row["memory_is"].startswith("GPU") else " (process)")
            figures = [memory, f"{row['samples_per_second']:.2f}", f"{row['tokens_per_second']:,.0f}", losses]
        lines.append(f"| {' | '.join([row['name'], row['side'], *figures])} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
