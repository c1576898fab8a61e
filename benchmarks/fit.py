"""What the fit is worth: programs before and after it, against the true solids that it never sees.

    python -m benchmarks.fit mistakes --programs FILE.jsonl.gz [--start model_b] [--noise 0] [--count 200] [--seconds 3]
    python -m benchmarks.fit disturbed --programs FILE.jsonl.gz [--by 10] [--count 200] [--seconds 3]
    python -m benchmarks.fit searches --programs FILE.jsonl.gz [--start model_b] [--count 200] [--seconds 3]
    python -m benchmarks.fit model --targets MESHES [--count 202] [--candidates 8] [--seconds 10]

`mistakes` begins with what another model wrote for each `code`; `disturbed` with `code`, each of its numbers moved by
up to so many CODE units at random. Both give the fit 2,048 points without normals. `searches` compares the two ways to
move numbers, alone and together, on `mistakes`; nothing is changed in structure or rounded. `model` is `evaluate` with
the embedded base: the cloud alone goes in. One core; `--numbers` leaves the structure alone. `--processor-time` counts
seconds of this process's own, for a machine that others use.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from cadrecode.cloud import sample_surface
from cadrecode.errors import ProgramError
from cadrecode.fit import fit, ruler_for
from cadrecode.fit.knobs import knobs_of
from cadrecode.fit.numbers import STEPS, coordinate_steps, fit_numbers, least_squares
from cadrecode.fit.objective import Objective
from cadrecode.fit.search import SEARCHES
from cadrecode.json_files import numbered_lines
from cadrecode.program import Program, build, iou, mesh_of, parse
from cadrecode.program.solid import Manifold

CLOUD_POINTS = 2048
LOSS = 0.005  # of IoU: more than this is a loss


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("what", choices=("mistakes", "disturbed", "searches", "model"))
    arguments.add_argument("--programs", type=Path, help=".jsonl.gz with `code` in each row")
    arguments.add_argument("--targets", help="as `evaluate` takes them")
    arguments.add_argument("--start", default="model_b", help="the column to begin with [%(default)s]")
    arguments.add_argument("--noise", type=float, default=0.0, help="deviation of the points, CODE [%(default)s]")
    arguments.add_argument("--by", type=float, default=10.0, help="CODE units [%(default)s]")
    arguments.add_argument("--count", type=int, default=200)
    arguments.add_argument("--candidates", type=int, default=8)
    arguments.add_argument("--seconds", type=float, help="a program [3], or a shape [10]")
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--numbers", action="store_true")
    arguments.add_argument("--processor-time", action="store_true")
    options = arguments.parse_args()
    if options.processor_time:
        time.monotonic = time.process_time  # the clock that the fit looks at
    if options.seconds is None:
        options.seconds = 10.0 if options.what == "model" else 3.0
    if options.what == "model":
        _model(options)
    elif options.what == "searches":
        _searches(options)
    else:
        _programs(options)


def _cases(options: argparse.Namespace) -> Iterator[tuple[str, Manifold, Program, float, np.ndarray]]:
    """Rows drawn with the seed: id, true solid, the program to begin with, its IoU, and points (2048, 3) CODE."""
    rows = [row for _, line in numbered_lines(options.programs) if (row := json.loads(line))["code"]]
    for index in np.random.default_rng(options.seed).permutation(len(rows))[: options.count]:
        row, rng = rows[index], np.random.default_rng([options.seed, index])
        try:
            true = build(parse(row["code"]))
            given = (
                _disturbed(row["code"], options.by, rng) if options.what == "disturbed" else parse(row[options.start])
            )
            before = iou(build(given), true)
        except ProgramError as error:
            print(f"  left out: {row['id']}: {error}")
            continue
        points, _ = sample_surface(*mesh_of(true), CLOUD_POINTS, options.seed)
        points += options.noise * rng.standard_normal(points.shape)
        yield row["id"], true, given, before, points


def _programs(options: argparse.Namespace) -> None:
    figures = []
    for id, true, given, before, points in _cases(options):
        fitted = fit(given, points, seconds=options.seconds, seed=options.seed, structure=not options.numbers)
        after = iou(build(fitted.program), true)
        figures.append((before, after, fitted.seconds, fitted.evaluations / fitted.seconds))
        if after < before - LOSS:
            distances = f"{fitted.distance_before:.3f} -> {fitted.distance_after:.3f}"
            print(f"  lost: {id}: IoU {before:.4f} -> {after:.4f}, distance {distances}")
    before, after, seconds, speed = np.array(figures).T
    print(f"programs           {len(figures)}")
    print(f"mean IoU           {before.mean():.4f} -> {after.mean():.4f}")
    print(f"median IoU         {np.median(before):.4f} -> {np.median(after):.4f}")
    print(f"lost over {LOSS}    {np.mean(after < before - LOSS):.1%}")
    print(f"seconds            {seconds.mean():.2f} of {options.seconds:g}")
    print(f"evaluations/s      {np.median(speed):.0f}, median, normals and rounding included")


def _searches(options: argparse.Namespace) -> None:
    ways = {
        "coordinate steps": lambda program, cost, on, rng: coordinate_steps(program, cost, on, rng, STEPS),
        "least squares": lambda program, cost, on, rng: least_squares(program, cost, on),
        "both": lambda program, cost, on, rng: fit_numbers(program, on, rng),
    }
    figures: dict[str, list[tuple[float, float, float, int]]] = {name: [] for name in ways}
    for _, true, given, before, points in _cases(options):
        ruler = ruler_for(points, seed=options.seed).coarse(*SEARCHES[0], options.seed)
        for name, way in ways.items():
            started = time.monotonic()
            objective = Objective(ruler, given, started + options.seconds)
            program, _ = way(given, objective.cost(given), objective, np.random.default_rng(options.seed))
            seconds = time.monotonic() - started
            figures[name].append((before, iou(build(program), true), seconds, objective.evaluations))
    print(f"programs           {len(figures['both'])}, median IoU {np.median([b for b, *_ in figures['both']]):.4f}")
    for name, rows in figures.items():
        before, after, seconds, evaluations = np.array(rows).T
        print(
            f"{name:18} mean IoU {after.mean():.4f}   median {np.median(after):.4f}   "
            f"lost over {LOSS} {np.mean(after < before - LOSS):.1%}   {seconds.mean():.2f} s   "
            f"{np.median(evaluations):.0f} evaluations, {np.median(evaluations / seconds):.0f}/s"
        )


def _disturbed(text: str, by: float, rng: np.random.Generator) -> Program:
    """A program with all of its numbers moved, as long as there is still a solid."""
    program = parse(text)
    for knob in knobs_of(program):
        moved = knob.turned(program, rng.uniform(-by, by))
        try:
            program = program if moved is None or not build(moved) else moved
        except ProgramError:
            continue
    return program


def _model(options: argparse.Namespace) -> None:
    from cadrecode.engine import Engine
    from cadrecode.evaluation import evaluate

    started = time.monotonic()
    engine = Engine("cpu")
    engine.open(None, None)
    with engine.ready() as (model, tokenizer):
        report = evaluate(
            options.targets,
            model,
            tokenizer,
            candidates=options.candidates,
            limit=options.count,
            seed=options.seed,
            fit_seconds=options.seconds,
            fit_structure=not options.numbers,
        )
    print(f"shapes {report['n']}, {time.monotonic() - started:.0f} s")
    names = {
        "single_": "single",
        "": f"best of {options.candidates}",
        "fit_": "+ numbers" if options.numbers else "+ structure",
    }
    for prefix, name in names.items():
        cells = [f"{key} {report[prefix + key]:.4f}" for key in ("mean_iou_all", "median_iou", "median_cd")]
        ratios = [f"{key} {report[prefix + key]:.1%}" for key in ("invalid_ratio", "bbox_ratio")]
        print(f"{name:18}{'   '.join(cells + ratios)}")


if __name__ == "__main__":
    main()
