"""How fast candidates are written, beside transformers' own `generate`; and which temperature and top-p serve best.

python -m benchmarks.decode speed [--rounds 5] [--threads 1]
python -m benchmarks.decode sampling [--programs FILE.jsonl.gz] [--count 60]

`speed`: the embedded base, one held-out part, both sides in turn, the median of the rounds. 8 candidates are one
greedy sample and 7 drawn ones, as in `reconstruct`. Both sides write until the last row has ended.
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
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from cadrecode.data.stream import held_out_pairs
from cadrecode.errors import ProgramError
from cadrecode.evaluate import evaluate
from cadrecode.model.decode import generate
from cadrecode.model.load import load_model
from cadrecode.model.tokens import START
from cadrecode.program import Program, build, mesh_of, parse
from cadrecode.program.held_out import held_out

CANDIDATES = 8
TEMPERATURE = 0.7
TEMPERATURES, TOP_PS = (0.5, 0.7, 1.0), (1.0, 0.95)
FIRST_PART = 10_000


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    modes = arguments.add_subparsers(dest="mode", required=True)
    fast = modes.add_parser("speed")
    fast.add_argument("--rounds", type=int, default=5)
    fast.add_argument("--threads", type=int, default=1, help="of torch")
    drawn = modes.add_parser("sampling")
    drawn.add_argument("--programs", type=Path, help="a .jsonl.gz of programs under `code`; invented parts otherwise")
    drawn.add_argument("--count", type=int, default=60)
    options = arguments.parse_args()
    speed(options.rounds, options.threads) if options.mode == "speed" else sampling(options.programs, options.count)


# --- speed


def speed(rounds: int, threads: int) -> None:
    """Prints a row for one greedy sample, and one for 8 candidates."""
    torch.set_num_threads(threads)
    model, tokenizer = load_model("embedded")
    cloud = held_out_pairs(1, n_points=model.point_settings.n_points).clouds
    clouds = torch.from_numpy(np.repeat(cloud, CANDIDATES, axis=0))
    print("| | tokens | ours, s | ms a token | `generate`, s | ms a token | faster by |\n|---|---|---|---|---|---|---|")
    for name, count in (("1 greedy", 1), (f"{CANDIDATES} candidates", CANDIDATES)):
        ours, theirs = [], []
        for _ in range(rounds + 1):  # the first one warms up
            ours.append(_timed(_ours, model, tokenizer, clouds[:count]))
            theirs.append(_timed(_theirs, model, tokenizer, clouds[:count]))
        (seconds, longest), (their_seconds, their_longest) = _middle(ours[1:]), _middle(theirs[1:])
        each, their_each = 1e3 * seconds / longest, 1e3 * their_seconds / their_longest
        figures = f"{longest} / {their_longest} | {seconds:.2f} | {each:.1f} | {their_seconds:.2f} | {their_each:.1f}"
        print(f"| {name} | {figures} | {their_each / each:.2f} |", flush=True)


def _timed(write, *what) -> tuple[float, int]:
    """Seconds, and steps of the decoder that they were spent on."""
    started = time.perf_counter()
    steps = write(*what)
    return time.perf_counter() - started, steps


def _middle(runs: list[tuple[float, int]]) -> tuple[float, int]:
    return statistics.median(seconds for seconds, _ in runs), runs[0][1]


def _ours(model, tokenizer, clouds) -> int:
    steps: list[int] = []
    for rows, temperature in _batches(clouds):
        generate(model, tokenizer, rows, temperature=temperature, on_token=lambda count, going: steps.append(going))
    return len(steps)


@torch.inference_mode()
def _theirs(model, tokenizer, clouds) -> int:
    torch.manual_seed(0)
    steps = 0
    for rows, temperature in _batches(clouds):
        embeds = model.prompt_embeds(rows, tokenizer.convert_tokens_to_ids(START))
        drawn = {"do_sample": True, "temperature": temperature, "top_k": 0} if temperature else {"do_sample": False}
        words = model.generate(
            inputs_embeds=embeds,
            attention_mask=torch.ones(embeds.shape[:2], dtype=torch.long),
            max_new_tokens=768,
            **drawn,
        )
        steps += words.shape[1]
    return steps


def _batches(clouds) -> Iterator[tuple[torch.Tensor, float]]:
    yield clouds[:1], 0.0
    if len(clouds) > 1:
        yield clouds[1:], TEMPERATURE


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
