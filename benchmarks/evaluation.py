"""What the reports of `cadrecode evaluate` mean: is a difference luck, and how high could a score be?

    python -m benchmarks.evaluation compare BASE.json ADAPTER.json
    python -m benchmarks.evaluation ceiling --programs FILE.jsonl.gz --targets MESHES.npz

`compare` takes two reports (`--json`) on the same targets and prints the differences of their IoU, where a failure
counts 0, each with a 90 % bootstrap interval over the targets (Efron 1979), and on how many targets either is nearer.

`ceiling` scores the designers' own programs, rounded to whole numbers, against the true meshes. Parts are not made of
whole numbers, so this is the best that a model can hope for that writes such programs. Where a row has no program (the
rounding broke the shape, or the language cannot express it) the row counts with the IoU of `--otherwise`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from cadrecode.scoring import Target, build_text, score
from cadrecode.scoring.programs import read_programs
from cadrecode.scoring.targets import Shape, load_targets

RESAMPLES = 20_000
LEVEL = (5, 95)  # percentiles of the interval
EQUAL = 0.002  # IoU: a smaller difference cannot be seen
PERCENTILES = (5, 25, 50, 75)  # of the table of `ceiling`


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    modes = parser.add_subparsers(dest="mode", required=True)
    pair = modes.add_parser("compare")
    pair.add_argument("reports", type=Path, nargs=2)
    own = modes.add_parser("ceiling")
    own.add_argument("--programs", type=Path, required=True, help='rows of {"id", "code"}, CODE frame')
    own.add_argument("--targets", required=True, help="as `cadrecode evaluate` takes them, with the same ids")
    own.add_argument("--otherwise", type=float, default=1.0, help="IoU where there is no program [%(default)s]")
    options = parser.parse_args()
    if options.mode == "ceiling":
        ceiling(options.programs, options.targets, options.otherwise)
        return
    first, second = (json.loads(path.read_text(encoding="utf-8")) for path in options.reports)
    if {row["id"] for row in first["shapes"]} != {row["id"] for row in second["shapes"]}:
        parser.error("the reports are of different targets")
    compare(first, second)


def compare(first: dict, second: dict) -> None:
    """Print a row for single samples, and one for the best of the candidates."""
    candidates = first["candidates"]
    print("| | median IoU | difference | mean IoU | difference | nearer, farther |\n|---|---|---|---|---|---|")
    for prefix, title in (("single_", "single sample"), ("", f"best of {candidates}")):
        if candidates > 1 or not prefix:
            print(f"| {title} | {' | '.join(_cells(_ious(first, prefix), _ious(second, prefix)))} |")


def _ious(report: dict, prefix: str) -> np.ndarray:
    """(targets,), in the order of their names."""
    return np.array([row[f"{prefix}iou"] or 0.0 for row in sorted(report["shapes"], key=lambda row: row["id"])])


def _cells(before: np.ndarray, after: np.ndarray) -> list[str]:
    resamples = np.random.default_rng(0).integers(0, len(before), (RESAMPLES, len(before)))
    nearer, farther = (int((sign * (after - before) > EQUAL).sum()) for sign in (1, -1))
    medians = _difference(np.median, before, after, resamples)
    means = _difference(np.mean, before, after, resamples)
    return [*medians, *means, f"{nearer}, {farther} of {len(before)}"]


def _difference(statistic: Callable, before: np.ndarray, after: np.ndarray, resamples: np.ndarray) -> tuple[str, str]:
    low, high = np.percentile(statistic(after[resamples], axis=1) - statistic(before[resamples], axis=1), LEVEL)
    first, second = statistic(before), statistic(after)
    return f"{first:.3f} -> {second:.3f}", f"{second - first:+.3f} ({low:+.3f} to {high:+.3f})"


def ceiling(programs: Path, targets: str, otherwise: float) -> None:
    """Print the IoU of the designers' own programs, rounded: where there is a program, and over all targets."""
    texts = {row.id: row.code for row in read_programs(programs)[0]}
    shapes = [shape for shape in load_targets(targets) if isinstance(shape, Shape)]
    known = np.array([_own_iou(shape, texts[shape.id]) for shape in shapes if texts.get(shape.id)])
    everywhere = np.concatenate((known, np.full(len(shapes) - len(known), otherwise)))
    percentiles = " | ".join(f"{percent} %" for percent in PERCENTILES)
    print(f"| the designers' own programs, rounded | shapes | mean IoU | {percentiles} |")
    print("|---|---|---|" + "---|" * len(PERCENTILES))
    for name, values in (("where there is a program", known), (f"all, the others at {otherwise:g}", everywhere)):
        cells = (f"{value:.3f}" for value in (values.mean(), *np.percentile(values, PERCENTILES)))
        print(f"| {name} | {len(values)} | {' | '.join(cells)} |")


def _own_iou(shape: Shape, text: str) -> float:
    return score(build_text(text, None), Target.of(shape.id, shape.vertices, shape.faces)).iou


if __name__ == "__main__":
    main()
