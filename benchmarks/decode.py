"""How fast candidates are written, beside transformers' own `generate`; and which temperature and top-p serve best.

python -m benchmarks.decode speed [--rounds 5] [--threads 1] [--deep]
python -m benchmarks.decode latency [--targets invent:general:10] [--limit 10]
python -m benchmarks.decode mask [--targets invent:general:60] [--limit 60]
python -m benchmarks.decode sampling [--programs FILE.jsonl.gz] [--count 60]

`speed`: the embedded base, one held-out part, both sides in turn, the median of the rounds. 8 candidates are one greedy
sample and 7 drawn ones in one batch, as in `reconstruct`; `generate` cannot mix them and draws all. Both sides write
until the last row has ended. Times are given by the clock and, for a machine that others use too, by the seconds of the
processor. `--deep`: random weights in 28 layers so narrow that nothing but the overhead of each token is left, as on a
GPU; both write up to DEEP_TOKENS.
`latency`: one cloud alone, from its points to 8 programs, built and ranked, without a fit.
`mask`: what the masks of `model.mask` cost and what they are good for, in greedy samples: that of edges, which is the
default, none, and that of the grammar beside it.
`sampling`: best of 8 by distance to the cloud, on held-out invented parts that `evaluate` does not report (their
numbers begin at FIRST_PART), or on the first programs of a file that can be built.
"""

from __future__ import annotations

import argparse
import functools
import gzip
import itertools
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from cadrecode.cloud import Cloud, sample_surface
from cadrecode.config import ReconstructConfig
from cadrecode.data.stream import held_out_pairs
from cadrecode.errors import ProgramError
from cadrecode.evaluation import CLOUD_POINTS, evaluate
from cadrecode.invent.held_out import held_out
from cadrecode.model.decode import generate
from cadrecode.model.load import load_model
from cadrecode.model.network import new_model
from cadrecode.model.tokens import START, build_tokenizer
from cadrecode.program import Program, build, mesh_of, parse
from cadrecode.reconstruction import reconstruct, threads_for
from cadrecode.scoring.targets import Shape, load_targets

CANDIDATES = 8
TEMPERATURE = 0.7
TEMPERATURES, TOP_PS = (0.5, 0.7, 1.0), (1.0, 0.95)
FIRST_PART = 10_000
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
    alone = modes.add_parser("latency")
    alone.add_argument("--targets", default="invent:general:10", help="as `evaluate` takes them")
    alone.add_argument("--limit", type=int, default=10)
    ruled = modes.add_parser("mask")
    ruled.add_argument("--targets", default="invent:general:60", help="as `evaluate` takes them")
    ruled.add_argument("--limit", type=int, default=60)
    drawn = modes.add_parser("sampling")
    drawn.add_argument("--programs", type=Path, help="a .jsonl.gz of programs under `code`; invented parts otherwise")
    drawn.add_argument("--count", type=int, default=60)
    options = arguments.parse_args()
    if options.mode == "speed":
        speed(options.rounds, options.threads, options.deep)
    elif options.mode == "latency":
        latency(options.targets, options.limit)
    elif options.mode == "mask":
        mask(options.targets, options.limit)
    else:
        sampling(options.programs, options.count)


# --- speed


@dataclass(frozen=True)
class Timed:
    """What writing took: by the clock, of the processor, and steps of the decoder."""

    seconds: float
    processor: float
    steps: int

    @classmethod
    def of(cls, write: Callable[..., int], *what) -> Timed:
        started, used = time.perf_counter(), time.process_time()
        steps = write(*what)
        return cls(time.perf_counter() - started, time.process_time() - used, steps)


def speed(rounds: int, threads: int, deep: bool) -> None:
    """Prints a row for one greedy sample, and one for 8 candidates."""
    torch.set_num_threads(threads)
    model, tokenizer = _deep() if deep else load_model("embedded")
    limit = DEEP_TOKENS if deep else 768
    cloud = held_out_pairs(1, n_points=model.point_settings.n_points).clouds
    clouds = torch.from_numpy(np.repeat(cloud, CANDIDATES, axis=0))
    print("| | steps | ours: ms a step, of the processor | `generate` | faster by, of the processor |")
    print("|---|---|---|---|---|")
    for name, count in (("1 greedy", 1), (f"{CANDIDATES} candidates", CANDIDATES)):
        ours, theirs = [], []
        for _ in range(rounds + 1):  # the first one warms up
            ours.append(Timed.of(_ours, model, tokenizer, clouds[:count], limit))
            theirs.append(Timed.of(_theirs, model, tokenizer, clouds[:count], limit))
        (clock, processor), (their_clock, their_processor) = _each_step(ours[1:]), _each_step(theirs[1:])
        steps = f"{ours[0].steps} / {theirs[0].steps}"
        gain = f"{their_clock / clock:.2f}, {their_processor / processor:.2f}"
        each = f"{clock:.1f}, {processor:.1f} | {their_clock:.1f}, {their_processor:.1f}"
        print(f"| {name} | {steps} | {each} | {gain} |", flush=True)


def _each_step(runs: list[Timed]) -> tuple[float, float]:
    """Milliseconds a step, medians: by the clock, of the processor."""
    kinds = zip(*((one.seconds / one.steps, one.processor / one.steps) for one in runs))
    clock, processor = (1e3 * statistics.median(kind) for kind in kinds)
    return clock, processor


def _deep():
    torch.manual_seed(0)
    tokenizer = build_tokenizer([])
    points = {"kind": "fourier", "n_points": 256}
    model = new_model(tokenizer, hidden_size=64, num_hidden_layers=28, head_dim=16, point_encoder=points)
    return model.eval(), tokenizer


def _ours(model, tokenizer, clouds, limit: int) -> int:
    temperature = [0.0] + [TEMPERATURE] * (len(clouds) - 1)
    return _steps(model, tokenizer, clouds, temperature=temperature, max_new_tokens=limit)


def _steps(model, tokenizer, clouds, **options) -> int:
    """Writes, and counts the steps."""
    steps: list[int] = []
    generate(model, tokenizer, clouds, on_token=lambda count, going: steps.append(going), **options)
    return len(steps)


@torch.inference_mode()
def _theirs(model, tokenizer, clouds, limit: int) -> int:
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


# --- latency


def latency(targets: str, limit: int) -> None:
    """Prints the seconds of each cloud, and their median and greatest."""
    model, tokenizer = load_model("embedded")
    shapes = [shape for shape in load_targets(targets, limit=limit) if isinstance(shape, Shape)]
    points = [sample_surface(one.vertices, one.faces, CLOUD_POINTS, 0)[0] for one in shapes]
    clouds = [Cloud(some, None, one.id, "cloud") for some, one in zip(points, shapes)]
    runs = []
    with threads_for(model):
        for cloud in (clouds[0], *clouds):  # the first one warms up
            started, used = time.perf_counter(), time.process_time()
            reconstruct(cloud, model, tokenizer, ReconstructConfig(candidates=CANDIDATES, seconds=0))
            runs.append((time.perf_counter() - started, time.process_time() - used))
            print(f"{cloud.name}: {runs[-1][0]:.2f} s, {runs[-1][1]:.2f} of the processor", flush=True)
    for name, values in zip(("by the clock", "of the processor"), zip(*runs[1:])):
        print(f"{CANDIDATES} candidates, {name}: median {statistics.median(values):.2f} s, most {max(values):.2f} s")


# --- the mask


def mask(targets: str, limit: int) -> None:
    """Prints a row for each of MASKS. The time is that of one held-out part's 8 rows, all in turn."""
    torch.set_num_threads(1)
    model, tokenizer = load_model("embedded")
    cloud = held_out_pairs(1, n_points=model.point_settings.n_points).clouds
    clouds = np.repeat(cloud, CANDIDATES, axis=0)
    sides = {name: functools.partial(_steps, **masks) for name, masks in MASKS.items()}
    runs: dict[str, list[Timed]] = {name: [] for name in sides}
    for write in sides.values():  # the first time, a mask gets to know the language
        write(model, tokenizer, clouds)
    for _ in range(MASK_ROUNDS):
        for name, write in sides.items():
            runs[name].append(Timed.of(write, model, tokenizer, clouds))
    print(f"{targets}, at most {limit} greedy samples\n")
    print("| | invalid | median IoU | mean IoU | ms a step, of the processor |\n|---|---|---|---|---|")
    for name, masks in MASKS.items():
        draw = functools.partial(generate, **masks)
        report = evaluate(targets, model, tokenizer, limit=limit, generate=draw)
        figures = f"{report['invalid_ratio']:.1%} | {report['median_iou']:.3f} | {report['mean_iou_all']:.3f}"
        print(f"| {name} | {figures} | {_each_step(runs[name])[1]:.2f} |", flush=True)


# --- sampling


def sampling(programs: Path | None, count: int) -> None:
    """Prints a row for each temperature and top-p."""
    torch.set_num_threads(1)
    model, tokenizer = load_model("embedded")
    with tempfile.TemporaryDirectory() as folder:
        targets = Path(folder) / "targets.npz"
        _save(targets, itertools.islice(_invented() if programs is None else _read(programs), count))
        print(
            f"{programs.name if programs else 'invented, held out'}, {count} parts, best of {CANDIDATES}\n\n"
            "| temperature | top-p | median IoU | mean IoU | valid candidates | single: median | mean |\n"
            "|---|---|---|---|---|---|---|"
        )
        for temperature, top_p in itertools.product(TEMPERATURES, TOP_PS):
            draw = functools.partial(generate, top_p=top_p)
            report = evaluate(targets, model, tokenizer, candidates=CANDIDATES, temperature=temperature, generate=draw)
            valid = np.mean([shape["valid_candidates"] for shape in report["shapes"]]) / CANDIDATES
            names = ("median_iou", "mean_iou_all", "single_median_iou", "single_mean_iou_all")
            median, mean, *single = (f"{report[name]:.3f}" for name in names)
            print(f"| {temperature} | {top_p} | {median} | {mean} | {valid:.1%} | {' | '.join(single)} |", flush=True)


def _invented() -> Iterator[Program]:
    return (held_out("general", index) for index in itertools.count(FIRST_PART))


def _read(path: Path) -> Iterator[Program]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            try:
                program = parse(json.loads(line)["code"])
                build(program)
            except ProgramError:
                continue
            yield program


def _save(path: Path, programs: Iterator[Program]) -> None:
    arrays = {}
    for index, program in enumerate(programs):
        arrays[f"part{index:04d}_v"], arrays[f"part{index:04d}_f"] = mesh_of(build(program))
    np.savez(path, **arrays)


if __name__ == "__main__":
    main()
