"""What the reports of `cadrecode evaluate` mean: is a difference luck, how high could a score be, is a verdict right?

    python -m benchmarks.evaluation compare BASE.json ADAPTER.json
    python -m benchmarks.evaluation ceiling --programs FILE.jsonl.gz --targets MESHES.npz
    python -m benchmarks.evaluation lengths --programs FILE.jsonl.gz REPORT.json
    python -m benchmarks.evaluation verdicts REPORT.json ...
    python -m benchmarks.evaluation changed --programs FILE.jsonl.gz [--count 40] [--seed 0] [--points 8192]

`compare` takes two reports (`--json`) on the same targets and prints the differences of their IoU, where a failure
counts 0, each with a 90 % bootstrap interval over the targets (Efron 1979), and on how many targets either is nearer.

`ceiling` scores the designers' own programs, rounded to whole numbers, against the true meshes. Parts are not made of
whole numbers, so this is the best that a model can hope for that writes such programs. Where a row has no program (the
rounding broke the shape, or the language cannot express it) the row counts with the IoU of `--otherwise`.

`lengths` compares the characters of a report's programs with those of the designers' own.

`verdicts` and `changed` print verdicts by the true IoU, which a verdict never sees. `verdicts` takes the rows of
reports: results as people get them. `changed` takes the `code` of each row for the true shape, and samples clouds of
it: clean, with noise of 0.25, 0.5 and 1 % of the size, and seen from one side. Each cloud is compared with the true
program, with programs that have a feature less, with programs whose numbers are moved by 0.3, 1 and 3 CODE units, and
with what models wrote where the row has it.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from cadrecode.cloud import sample_surface
from cadrecode.errors import ProgramError
from cadrecode.fit import ruler_for
from cadrecode.fit.knobs import knobs_of
from cadrecode.fit.structure import simpler
from cadrecode.json_files import numbered_lines
from cadrecode.program import Program, build, iou, mesh_of, parse
from cadrecode.report.series import BANDS, good_matches, verdicts
from cadrecode.scoring import Target, build_program, build_text, score
from cadrecode.scoring.bootstrap import interval
from cadrecode.scoring.programs import read_programs
from cadrecode.scoring.targets import Shape, load_targets
from cadrecode.scoring.verdict import assess_cloud

EQUAL = 0.002  # IoU: a smaller difference cannot be seen
PERCENTILES = (5, 25, 50, 75)  # of the table of `ceiling`
NOISES = (0.0, 0.0025, 0.005, 0.01)  # of the longest side
MOVED = (0.3, 1.0, 3.0)  # CODE


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    modes = parser.add_subparsers(dest="mode", required=True)
    pair = modes.add_parser("compare")
    pair.add_argument("reports", type=Path, nargs=2)
    own = modes.add_parser("ceiling")
    own.add_argument("--programs", type=Path, required=True, help='rows of {"id", "code"}, CODE frame')
    own.add_argument("--targets", required=True, help="as `cadrecode evaluate` takes them, with the same ids")
    own.add_argument("--otherwise", type=float, default=1.0, help="IoU where there is no program [%(default)s]")
    lengths = modes.add_parser("lengths")
    lengths.add_argument("--programs", type=Path, required=True, help='rows of {"id", "code"}')
    lengths.add_argument("report", type=Path)
    modes.add_parser("verdicts").add_argument("reports", type=Path, nargs="+")
    changed = modes.add_parser("changed")
    changed.add_argument("--programs", type=Path, required=True)
    changed.add_argument("--count", type=int, default=40)
    changed.add_argument("--seed", type=int, default=0)
    changed.add_argument("--points", type=int, default=8192, help="of a cloud [%(default)s]")
    options = parser.parse_args()
    if options.mode == "ceiling":
        ceiling(options.programs, options.targets, options.otherwise)
    elif options.mode == "lengths":
        compare_lengths(options.programs, options.report)
    elif options.mode == "verdicts":
        rows = [row for path in options.reports for row in json.loads(path.read_text(encoding="utf-8"))["shapes"]]
        print_verdicts((row["verdict"], row["iou"]) for row in rows)
    elif options.mode == "changed":
        cases: dict[str, list[tuple[str, float]]] = defaultdict(list)
        for cloud, verdict, overlap in changed_programs(options.programs, options.count, options.seed, options.points):
            cases[cloud].append((verdict, overlap))
        for cloud, pairs in cases.items():
            print(cloud)
            print_verdicts(pairs)
    else:
        _compare_files(parser, options.reports)


def _compare_files(parser: argparse.ArgumentParser, reports: list[Path]) -> None:
    first, second = (json.loads(path.read_text(encoding="utf-8")) for path in reports)
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
    nearer, farther = (int((sign * (after - before) > EQUAL).sum()) for sign in (1, -1))
    return [
        *_difference(np.median, before, after),
        *_difference(np.mean, before, after),
        f"{nearer}, {farther} of {len(before)}",
    ]


def _difference(statistic: Callable, before: np.ndarray, after: np.ndarray) -> tuple[str, str]:
    def difference(targets: np.ndarray, axis: int) -> np.ndarray:
        return statistic(after[targets], axis=axis) - statistic(before[targets], axis=axis)

    low, high = interval(np.arange(len(before)), difference)
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


def compare_lengths(programs: Path, report: Path) -> None:
    """Print characters of a report's programs and of the designers', where there is one: medians, and of the ratio."""
    own = {row.id: len(row.code) for row in read_programs(programs)[0] if row.code}
    shapes = [shape for shape in json.loads(report.read_text(encoding="utf-8"))["shapes"] if shape["id"] in own]
    ours, theirs = (np.array(sizes) for sizes in zip(*((shape["characters"], own[shape["id"]]) for shape in shapes)))
    print("| shapes | characters, median | the designers' | ratio, median |\n|---|---|---|---|")
    print(f"| {len(shapes)} | {np.median(ours):.0f} | {np.median(theirs):.0f} | {np.median(ours / theirs):.2f} |")


def _own_iou(shape: Shape, text: str) -> float:
    return score(build_text(text, None), Target.of(shape.id, shape.vertices, shape.faces)).iou


def print_verdicts(pairs: Iterable[tuple[str, float]]) -> None:
    """Verdicts by true IoU, and how many of the good matches are right."""
    rows = [{"verdict": verdict, "iou": overlap} for verdict, overlap in pairs]
    print(f"  {'true IoU from':<18}" + "".join(f"{low:>7}" for low in BANDS))
    for verdict, counts in verdicts((row["verdict"], row["iou"]) for row in rows).items():
        print(f"  {verdict:<18}" + "".join(f"{count:>7}" for count in counts))
    good, right = good_matches(rows)
    if good:
        print(f"  good matches with an IoU of 0.97 or more: {right} of {good}, {right / good:.1%}")


def changed_programs(path: Path, count: int, seed: int, n_points: int) -> Iterator[tuple[str, str, float]]:
    """For each cloud and each candidate: the cloud's name, the verdict on the candidate, and its true IoU."""
    rows = [row for _, line in numbered_lines(path) if (row := json.loads(line)).get("code")]
    for place in np.random.default_rng(seed).permutation(len(rows))[:count]:
        row = rows[place]
        try:
            truth = parse(row["code"])
            solid = build(truth)
        except ProgramError:
            continue
        rng = np.random.default_rng([seed, int(place)])
        candidates = [build_program(program) for program in _candidates(truth, row, rng)]
        for cloud, points in _clouds(mesh_of(solid), n_points, rng):
            ruler = ruler_for(points)
            for candidate in candidates:
                if candidate.ok:
                    yield cloud, str(assess_cloud(candidate.solid, ruler).verdict), iou(candidate.solid, solid)


def _candidates(truth: Program, row: dict, rng: np.random.Generator) -> Iterator[Program]:
    yield truth
    yield from islice(simpler(truth), 3)
    for by in MOVED:
        program = truth
        for knob in knobs_of(truth):
            program = knob.turned(program, float(rng.uniform(-by, by))) or program
        yield program
    for name in ("model_a", "model_b"):
        if name in row:
            try:
                yield parse(row[name])
            except ProgramError:
                continue


def _clouds(
    mesh: tuple[np.ndarray, np.ndarray], n_points: int, rng: np.random.Generator
) -> Iterator[tuple[str, np.ndarray]]:
    points, normals = sample_surface(*mesh, n_points, rng)
    size = float(np.ptp(points, axis=0).max())
    for noise in NOISES:
        yield f"noise of {noise:.2%}", points + rng.normal(0, noise * size, points.shape)
    view = rng.normal(size=3)
    seen = normals @ view / np.linalg.norm(view) > 0.2
    yield "seen from one side", points[seen]


if __name__ == "__main__":
    main()
