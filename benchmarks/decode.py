"""How fast candidates are written, beside transformers' own `generate`; and what the masks of `model.mask` are worth.

    python -m benchmarks.decode speed [--rounds 5] [--threads 1] [--deep]
    python -m benchmarks.decode mask [--targets invent:general:60] [--limit 60]

`speed`: the embedded base, a held-out part, both sides in turn, the median of the rounds. 8 candidates are a greedy
sample and 7 drawn ones in one batch, as in `reconstruct`; `generate` cannot mix them and draws all. Both sides write
until the last row has ended. Times are given by the clock and in processor time, for a machine that others use too.
`--deep`: random weights in 28 layers so narrow that nothing but the overhead of each token is left, as on a GPU; both
write up to DEEP_TOKENS.
`mask`: what greedy samples cost and how good they are with the mask of edges, which is the default, with no mask, and
with that of the grammar beside it.
"""

from __future__ import annotations

import argparse
import functools
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedTokenizerBase

from cadrecode.data.stream import held_out_pairs
from cadrecode.evaluation import evaluate
from cadrecode.model.decode import generate
from cadrecode.model.load import load_model
from cadrecode.model.network import Qwen3WithPoints, new_model
from cadrecode.model.tokens import START, build_tokenizer

CANDIDATES = 8
TEMPERATURE = 0.7
DEEP_TOKENS = 100
MASKS = {"edges": {}, "none": {"mask_edges": False}, "edges and grammar": {"grammar": True}}
MASK_ROUNDS = 5


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    modes = arguments.add_subparsers(dest="mode", required=True)
    fast = modes.add_parser("speed")
    fast.add_argument("--rounds", type=int, default=5)
    fast.add_argument("--threads", type=int, default=1, help="of torch")
    fast.add_argument("--deep", action="store_true", help="a narrow network of 28 layers")
    ruled = modes.add_parser("mask")
    ruled.add_argument("--targets", default="invent:general:60", help="as `evaluate` takes them")
    ruled.add_argument("--limit", type=int, default=60)
    options = arguments.parse_args()
    if options.mode == "speed":
        speed(options.rounds, options.threads, options.deep)
    else:
        mask(options.targets, options.limit)


# --- speed


@dataclass(frozen=True)
class Timed:
    """How long the writing took by the clock and in processor time, and in how many steps of the decoder."""

    seconds: float
    processor: float
    steps: int

    @classmethod
    def of(cls, write: Callable[[], int]) -> Timed:
        started, used = time.perf_counter(), time.process_time()
        steps = write()
        return cls(time.perf_counter() - started, time.process_time() - used, steps)


def speed(rounds: int, threads: int, deep: bool) -> None:
    """Print a row for a greedy sample, and one for 8 candidates."""
    torch.set_num_threads(threads)
    model, tokenizer = _deep() if deep else load_model("embedded")
    limit = DEEP_TOKENS if deep else 768
    cloud = held_out_pairs(1, n_points=model.point_settings.n_points).clouds
    clouds = torch.from_numpy(np.repeat(cloud, CANDIDATES, axis=0))
    print("| | steps | ours: ms a step, of the processor | `generate` | faster by, of the processor |")
    print("|---|---|---|---|---|")
    for name, count in (("1 greedy", 1), (f"{CANDIDATES} candidates", CANDIDATES)):
        ours, theirs = [], []
        for _ in range(rounds + 1):  # the first round warms up
            ours.append(Timed.of(functools.partial(_ours, model, tokenizer, clouds[:count], limit)))
            theirs.append(Timed.of(functools.partial(_theirs, model, tokenizer, clouds[:count], limit)))
        (clock, processor), (their_clock, their_processor) = _each_step(ours[1:]), _each_step(theirs[1:])
        steps = f"{ours[0].steps} / {theirs[0].steps}"
        gain = f"{their_clock / clock:.2f}, {their_processor / processor:.2f}"
        each = f"{clock:.1f}, {processor:.1f} | {their_clock:.1f}, {their_processor:.1f}"
        print(f"| {name} | {steps} | {each} | {gain} |", flush=True)


def _each_step(runs: list[Timed]) -> tuple[float, float]:
    """Milliseconds a step, medians: by the clock, of the processor."""
    kinds = zip(*((run.seconds / run.steps, run.processor / run.steps) for run in runs))
    clock, processor = (1e3 * statistics.median(kind) for kind in kinds)
    return clock, processor


def _deep() -> tuple[Qwen3WithPoints, PreTrainedTokenizerBase]:
    torch.manual_seed(0)
    tokenizer = build_tokenizer([])
    points = {"kind": "fourier", "n_points": 256}
    model = new_model(tokenizer, hidden_size=64, num_hidden_layers=28, head_dim=16, point_encoder=points)
    return model.eval(), tokenizer


def _ours(model: Qwen3WithPoints, tokenizer: PreTrainedTokenizerBase, clouds: torch.Tensor, limit: int) -> int:
    temperature = [0.0] + [TEMPERATURE] * (len(clouds) - 1)
    return _steps(model, tokenizer, clouds, temperature=temperature, max_new_tokens=limit)


def _steps(model: Qwen3WithPoints, tokenizer: PreTrainedTokenizerBase, clouds: torch.Tensor, **options: Any) -> int:
    """Write the programs, and return the number of steps."""
    steps: list[int] = []
    generate(model, tokenizer, clouds, on_token=lambda count, going: steps.append(going), **options)
    return len(steps)


@torch.inference_mode()
def _theirs(model: Qwen3WithPoints, tokenizer: PreTrainedTokenizerBase, clouds: torch.Tensor, limit: int) -> int:
    torch.manual_seed(0)
    embeds = model.prompt_embeds(clouds, tokenizer.convert_tokens_to_ids(START))
    drawn = {"do_sample": True, "temperature": TEMPERATURE, "top_k": 0} if len(clouds) > 1 else {"do_sample": False}
    words = model.generate(
        inputs_embeds=embeds,
        attention_mask=torch.ones(embeds.shape[:2], dtype=torch.long),
        max_new_tokens=limit,
        **drawn,
    )
    return words.shape[1]


# --- the mask


def mask(targets: str, limit: int) -> None:
    """Print a row for each of MASKS. The time is that of 8 rows of a held-out part, the masks in turn."""
    torch.set_num_threads(1)
    model, tokenizer = load_model("embedded")
    cloud = held_out_pairs(1, n_points=model.point_settings.n_points).clouds
    clouds = torch.from_numpy(np.repeat(cloud, CANDIDATES, axis=0))
    sides = {name: functools.partial(_steps, **masks) for name, masks in MASKS.items()}
    runs: dict[str, list[Timed]] = {name: [] for name in sides}
    for write in sides.values():  # a mask learns the language when it is first used
        write(model, tokenizer, clouds)
    for _ in range(MASK_ROUNDS):
        for name, write in sides.items():
            runs[name].append(Timed.of(functools.partial(write, model, tokenizer, clouds)))
    print(f"{targets}, at most {limit} greedy samples\n")
    print("| | invalid | median IoU | mean IoU | ms a step, of the processor |\n|---|---|---|---|---|")
    for name, masks in MASKS.items():
        draw = functools.partial(generate, **masks)
        report = evaluate(targets, model, tokenizer, limit=limit, generate=draw)
        figures = f"{report['invalid_ratio']:.1%} | {report['median_iou']:.3f} | {report['mean_iou_all']:.3f}"
        print(f"| {name} | {figures} | {_each_step(runs[name])[1]:.2f} |", flush=True)


if __name__ == "__main__":
    main()
