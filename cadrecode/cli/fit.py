"""`python -m cadrecode fit`: one program and its scan, or a file of programs and their true solids."""

from __future__ import annotations

import argparse
import logging
from dataclasses import replace
from pathlib import Path

from cadrecode.cli.shared import (
    Arguments,
    count,
    deviations_of,
    log_progress,
    noise_share,
    output_of,
    parser_of,
    positive,
    run_verb,
    say,
    say_deviation,
    say_skipped,
    say_verdict,
    say_written,
    seed,
    size_of,
)
from cadrecode.config import FIT_SECONDS, UNITS
from cadrecode.figures import length

log = logging.getLogger(__name__)

SINGLE = ("program", "cloud", "output")  # what each of the two forms needs
MANY = ("programs", "targets", "json")
SINGLE_OPTIONS = ("frame", "units")  # the options that belong to one of them
MANY_OPTIONS = ("points", "noise", "limit")


def fit_main(argv: Arguments = None) -> int:
    """Fit programs to clouds, without a model."""
    parser = parser_of("fit", "Fit the numbers and features of a CadQuery program to a cloud. Needs no model.")
    single = parser.add_argument_group("one program and its cloud")
    single.add_argument("--program", metavar="FILE", help=".py in the units and the place of the cloud's file")
    single.add_argument("--cloud", metavar="FILE", help="cloud, mesh or STEP file")
    single.add_argument(
        "--output", metavar="FILE", help="the fitted program; .step, .stl, deviation and report beside it"
    )
    single.add_argument(
        "--frame", choices=("raw", "code"), help="code: the program is centred, longest side 200, as models write [raw]"
    )
    single.add_argument("--units", choices=UNITS, help="of the cloud's file [mm]")
    many = parser.add_argument_group("many programs and their true solids")
    many.add_argument("--programs", metavar="FILE", help='.jsonl or .jsonl.gz of {"id": ..., "code": ...}')
    many.add_argument("--targets", help="folder of <id>.stl, .ply, .step ..., or .npz of <id>_v and <id>_f")
    many.add_argument("--json", metavar="FILE", help="where the rows and their means go")
    many.add_argument("--points", type=count, help="to sample on a target; the fit sees nothing else of it [8192]")
    many.add_argument(
        "--noise", type=noise_share, help="standard deviation of the points, as a share of the longest side, to 0.2 [0]"
    )
    many.add_argument("--limit", type=count, help="this many programs, drawn with the seed")
    parser.add_argument("--seconds", type=positive, default=FIT_SECONDS, help="at most, for each program [%(default)s]")
    parser.add_argument("--seed", type=seed, default=0)
    arguments = parser.parse_args(argv)
    work = {SINGLE: _fit_single, MANY: _fit_many}[_form(parser, arguments)]
    return run_verb(lambda: work(arguments), failure=2)


def _form(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> tuple[str, ...]:
    """Which of the two forms the options belong to. Exits where one is missing or belongs to the other form."""
    given = {name for name, value in vars(arguments).items() if value is not None}
    form, others = (MANY, SINGLE + SINGLE_OPTIONS) if given & set(MANY) else (SINGLE, MANY + MANY_OPTIONS)
    missing = [f"--{name}" for name in form if name not in given]
    if missing:
        parser.error(
            f"{', '.join(missing)} missing: give --program, --cloud and --output, or --programs, --targets and --json"
        )
    stray = [f"--{name}" for name in others if name in given]
    if stray:
        parser.error(f"{', '.join(stray)} cannot be used together with --{form[0]}")
    return form


def _fit_single(arguments: argparse.Namespace) -> None:
    from cadrecode.cloud import read_cloud
    from cadrecode.errors import ConfigError
    from cadrecode.kernel import shared_sandbox
    from cadrecode.refine import refine

    output, program = output_of(arguments.output), Path(arguments.program)
    units = arguments.units or "mm"
    try:
        text = program.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError("--program {program} cannot be read: {error}.", program=program, error=error) from error
    cloud = read_cloud(arguments.cloud, seed=arguments.seed)
    log.info("fitting %s to %s", program.name, cloud.name)
    refined = refine(
        text,
        cloud,
        seconds=arguments.seconds,
        seed=arguments.seed,
        written_in=arguments.frame or "raw",
        unit=units,
        program_name=program.name,
    )
    before, after = refined.before, refined.after
    say_verdict(after)
    say(f"cloud       {cloud.name}: {len(cloud.points):,} points, {size_of(cloud.points, units)}")
    for warning in after.about["warnings"]:
        say(f"            {warning}")
    say(f"distance    {length(before.distance, units)} -> {length(after.distance, units)}, {refined.seconds:.1f} s")
    say(f"before      {deviations_of(before.deviation, units)}, deviation")
    say_deviation(after.deviation, units)
    if after.program == before.program:
        say("            the fit is no nearer: the program stays as it was")
    written = replace(after, name=output.stem).write_all(output.parent, sandbox=shared_sandbox())
    say(f"part        {size_of(after.vertices, units)}")
    say_written(written)


def _fit_many(arguments: argparse.Namespace) -> None:
    from cadrecode.export import write_json
    from cadrecode.refine import CLOUD_POINTS, refine_all

    report = refine_all(
        arguments.programs,
        arguments.targets,
        seconds=arguments.seconds,
        points=arguments.points or CLOUD_POINTS,
        noise=arguments.noise or 0.0,
        limit=arguments.limit,
        seed=arguments.seed,
        on_progress=log_progress("programs"),
    )
    write_json(Path(arguments.json), report)
    say(
        f"programs    {report['n']} fitted or failed, {report['n_errors']} of them with an error, "
        f"{report['n_skipped']} skipped, {report['seconds']:.1f} s"
    )
    say_skipped((entry["id"], entry["reason"]) for entry in report["skipped"])
    say_skipped((row["id"], row["error"]) for row in report["rows"] if "error" in row)
    rows = {
        "mean IoU (all)": "mean_iou_{}",
        "mean IoU (valid)": "mean_iou_{}_valid",
        "median IoU": "median_iou_{}",
        "mean distance, model units": "mean_distance_{}",
    }
    for name, key in rows.items():
        before, after = (report[key.format(when)] for when in ("before", "after"))
        say(f"{name:28}{_figure(before)} -> {_figure(after)}")
    say(f"written     {arguments.json}")


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
