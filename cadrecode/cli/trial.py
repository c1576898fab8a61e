"""`cadrecode evaluate --input ... --from ...`: the whole way from a cloud or a mesh to a program, on known shapes."""

from __future__ import annotations

import argparse
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cadrecode.cli.report import write_page
from cadrecode.cli.shared import (
    Arguments,
    clock_of,
    log_progress,
    noise_share,
    open_model,
    positive,
    say,
    workers_for,
    writer_of,
)
from cadrecode.config import ReconstructConfig

if TYPE_CHECKING:
    from cadrecode.parallel import Workers
    from cadrecode.trial import Trial

OF_A_MODEL = ("model", "lora_path", "candidates", "grammar")  # options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that ask for a trial."""
    group = parser.add_argument_group("the whole way", "Any of these rebuilds by measuring, too, and fits the result.")
    group.add_argument("--input", choices=("cloud", "mesh"), help="what is rebuilt from: points alone, or the solid")
    group.add_argument("--from", dest="source", choices=("both", "model", "measured"), help="where programs come from")
    group.add_argument("--seconds", type=positive, help="for each shape, from points to program [20]")
    group.add_argument(
        "--noise",
        type=noise_share,
        metavar="SHARE",
        help="standard deviation of the points of clouds, as a share of the longest side, from 0 to 0.2 [0]",
    )
    group.add_argument(
        "--sweep",
        action="store_true",
        help="a row for each kind of scan: noise, few points, a side missing, a table, ...",
    )


def is_asked(arguments: argparse.Namespace) -> bool:
    given = any(getattr(arguments, name) is not None for name in ("input", "source", "seconds", "noise"))
    return given or arguments.sweep


def contradiction(arguments: argparse.Namespace) -> str | None:
    """Which options of a trial have no effect beside the others, in words; None where each has one."""
    if arguments.sweep and arguments.noise is not None:
        return "--noise cannot be used together with --sweep, which has noise of its own"
    if arguments.input == "mesh" and arguments.sweep:
        return "--sweep is of clouds: it cannot be used together with --input mesh"
    if arguments.input == "mesh" and arguments.noise:
        return "--noise is of clouds: it cannot be used together with --input mesh"
    if arguments.fit:
        return "--fit is of a model alone: the whole way is fitted within --seconds"
    if arguments.temperature != ReconstructConfig().temperature:
        return f"--temperature is of a model alone: the whole way draws at {ReconstructConfig().temperature:g}"
    named = [option for option in OF_A_MODEL if getattr(arguments, option) not in (None, False)]
    if arguments.source == "measured" and named:
        return f"--{named[0]} is of a model: it cannot be used together with --from measured"
    return None


def run(arguments: argparse.Namespace, argv: Arguments) -> None:
    """Rebuild the targets, print the figures, and write the report where a file is named."""
    from cadrecode.export import write_json
    from cadrecode.reconstruction import Writer
    from cadrecode.scans import Scan
    from cadrecode.trial import DEFAULTS, Trial

    source = arguments.source or "both"
    opened = None
    ready: Any = nullcontext((None, None))
    if source != "measured":
        engine, opened = open_model(arguments)
        ready = engine.ready()
    with ready as (model, tokenizer), clock_of(arguments):
        trial = Trial(
            input=arguments.input or "cloud",
            source=source,
            seconds=arguments.seconds or 20.0,
            scan=Scan(noise=arguments.noise or 0.0),
            seed=arguments.seed,
            candidates=arguments.candidates or DEFAULTS.candidates,
            writer=Writer(model, tokenizer, writer_of(arguments.grammar)),
        )
        workers = workers_for(model, arguments)
        if arguments.sweep:
            _sweep(trial, workers, arguments, argv)
            return
        report = trial.run(
            arguments.targets,
            limit=arguments.limit,
            workers=workers,
            on_progress=log_progress("shapes"),
        )
    if arguments.json:
        write_json(Path(arguments.json), {"model": opened and opened.base, **report})
    say(f"shapes      {report['n']} scored, {len(report['skipped'])} skipped, from {report['input']}, {report['from']}")
    say(
        f"IoU         {report['final_mean_iou']:.3f} mean, {report['final_median_iou']:.3f} median, "
        f"{report['final_worst_iou']:.3f} for the worst 5 %, {report['final_invalid_ratio']:.1%} invalid"
    )
    say(f"holes       as many as in the solid in {report['final_genus_right']:.1%} of the shapes")
    say(f"programs    {report['median_characters']:.0f} characters, {report['median_seconds']:.1f} s, in the median")
    for kind in ("verdict", "source"):
        say(f"{kind:<12}" + ", ".join(f"{count} {name}" for name, count in sorted(report[kind].items())))
    write_page(arguments.report, [(source, report)], "evaluate", argv)


def _sweep(trial: Trial, workers: Workers, arguments: argparse.Namespace, argv: Arguments) -> None:
    """Print a row for each kind of scan as it is done, and write all reports where a file is named."""
    from cadrecode.export import write_json
    from cadrecode.report.series import good_matches
    from cadrecode.scans import Scan

    say(f"{'scan':<22}{'shapes':>7}{'mean IoU':>10}{'median':>8}{'holes right':>13}{'seconds':>9}  good matches, right")
    reports = []
    for report in trial.sweep(arguments.targets, limit=arguments.limit, workers=workers):
        reports.append(report)
        good, right = good_matches(report["shapes"])
        name = Scan.of_report(report).name
        say(
            f"{name:<22}{report['n']:>7}{report['final_mean_iou']:>10.3f}{report['final_median_iou']:>8.3f}"
            f"{report['final_genus_right']:>13.1%}{report['median_seconds']:>9.1f}  {good}, {right}"
        )
    if arguments.json:
        write_json(Path(arguments.json), {"sweep": reports})
    write_page(arguments.report, [("", report) for report in reports], "evaluate", argv, sweep=True)
