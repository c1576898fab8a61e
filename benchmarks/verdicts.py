"""How far a verdict can be trusted: verdicts by the true IoU, which they never see.

    python -m benchmarks.verdicts made --programs FILE.jsonl.gz [--count 40] [--seed 0]
    python -m benchmarks.verdicts reports REPORT.json ...

`made` takes the `code` of each row for the true shape, and samples clouds of it: clean, with noise of 0.25, 0.5 and 1 %
of the size, and seen from one side. Each cloud is compared with the true program, with programs that have one
feature less or more, with programs whose numbers are moved by 0.3, 1 and 3 CODE units, and with what models wrote where
the row has it. `reports` takes the rows of `evaluate --json`: results as people get them.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from cadrecode.cloud import sample_surface
from cadrecode.errors import ProgramError
from cadrecode.fit import ruler_for
from cadrecode.fit.knobs import knobs_of
from cadrecode.fit.structure import simpler
from cadrecode.program import Program, build, iou, mesh_of, parse
from cadrecode.program.solid import through_holes
from cadrecode.scoring import build_program
from cadrecode.scoring.verdict import Verdict, assess_cloud

POINTS = 8192
NOISES = (0.0, 0.0025, 0.005, 0.01)  # of the longest side
MOVED = (0.3, 1.0, 3.0)  # CODE
BINS = (0.0, 0.5, 0.8, 0.9, 0.95, 0.97, 0.99, 1.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ways = parser.add_subparsers(dest="way", required=True)
    made = ways.add_parser("made")
    made.add_argument("--programs", type=Path, required=True)
    made.add_argument("--count", type=int, default=40)
    made.add_argument("--seed", type=int, default=0)
    made.add_argument("--json", type=Path, help="the single cases, to look at")
    reports = ways.add_parser("reports")
    reports.add_argument("files", type=Path, nargs="+")
    options = parser.parse_args()
    if options.way == "reports":
        for path in options.files:
            print(path.name)
            print_table([(row["verdict"], row["iou"]) for row in json.loads(path.read_text())["shapes"]])
        return
    cases: dict[str, list[dict]] = defaultdict(list)
    for case in _cases(options.programs, options.count, options.seed):
        cases[case["cloud"]].append(case)
    for name, rows in cases.items():
        print(name)
        print_table([(row["verdict"], row["iou"]) for row in rows])
    if options.json:
        options.json.write_text(json.dumps(cases))


def print_table(pairs: Iterable[tuple[str, float]]) -> None:
    """Verdicts by true IoU, and how many of the good matches are right."""
    counts: Counter[tuple[str, int]] = Counter()
    good = []
    for verdict, overlap in pairs:
        counts[verdict, int(np.searchsorted(BINS[1:-1], overlap, side="right"))] += 1
        if verdict == Verdict.GOOD:
            good.append(overlap >= 0.97)
    print(f"  {'true IoU from':<18}" + "".join(f"{low:>7}" for low in BINS[:-1]))
    for verdict in Verdict:
        print(f"  {verdict:<18}" + "".join(f"{counts[verdict, place]:>7}" for place in range(len(BINS) - 1)))
    if good:
        print(f"  good matches with an IoU of 0.97 or more: {sum(good)} of {len(good)}, {np.mean(good):.1%}")


def _cases(path: Path, count: int, seed: int) -> Iterator[dict]:
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt") as lines:
        rows = [json.loads(line) for line in lines]
    for place in np.random.default_rng(seed).permutation(len(rows))[:count]:
        row = rows[place]
        try:
            truth = parse(row["code"])
            solid = build(truth)
        except (ProgramError, KeyError):
            continue
        rng = np.random.default_rng([seed, int(place)])
        candidates = {name: build_program(program) for name, program in _candidates(truth, row, rng)}
        for cloud, points in _clouds(mesh_of(solid), rng):
            ruler = ruler_for(points)
            for name, candidate in candidates.items():
                if candidate.ok:
                    assessed = assess_cloud(candidate.solid, ruler)
                    yield {
                        "id": row["id"],
                        "cloud": cloud,
                        "candidate": name,
                        "iou": iou(candidate.solid, solid),
                        "holes": through_holes(candidate.solid) - through_holes(solid),
                        "likeness": assessed.likeness,
                        "clusters": len(assessed.unexplained),
                        "verdict": str(assessed.verdict),
                    }


def _candidates(truth: Program, row: dict, rng: np.random.Generator) -> Iterator[tuple[str, Program]]:
    yield "true", truth
    for number, program in enumerate(islice(simpler(truth), 3)):
        yield f"simpler {number}", program
    for by in MOVED:
        program = truth
        for knob in knobs_of(truth):
            program = knob.turned(program, float(rng.uniform(-by, by))) or program
        yield f"moved by {by:g}", program
    for name in ("model_a", "model_b"):
        if name in row:
            try:
                yield name, parse(row[name])
            except ProgramError:
                continue


def _clouds(mesh: tuple[np.ndarray, np.ndarray], rng: np.random.Generator) -> Iterator[tuple[str, np.ndarray]]:
    points, normals = sample_surface(*mesh, POINTS, rng)
    size = float(np.ptp(points, axis=0).max())
    for noise in NOISES:
        yield f"noise of {noise:.2%}", points + rng.normal(0, noise * size, points.shape)
    view = rng.normal(size=3)
    seen = normals @ view / np.linalg.norm(view) > 0.2
    yield "seen from one side", points[seen]


if __name__ == "__main__":
    main()
