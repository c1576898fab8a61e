"""Options that `evaluate` and `score` share, and at the end a table of scores, and a page where a folder is named."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from cadrecode.cli.shared import Arguments, add_processor_time, count, not_negative, say, say_skipped, seed
from cadrecode.errors import ConfigError


def add_options(parser: argparse.ArgumentParser) -> None:
    """How much is measured, and where the figures go."""
    parser.add_argument(
        "--fit", type=not_negative, default=0.0, metavar="SECONDS", help="for fitting to points, for each shape [0]"
    )
    add_processor_time(parser)
    parser.add_argument("--limit", type=count, help="this many targets, drawn with the seed")
    parser.add_argument("--seed", type=seed, default=0)
    parser.add_argument("--json", metavar="FILE", help="file for the whole report")
    parser.add_argument(
        "--report", type=_folder, metavar="DIR", help="folder for index.html: tables, charts, shapes that can be turned"
    )


def _folder(text: str) -> Path:
    if Path(text).is_file():
        raise argparse.ArgumentTypeError(f"{text!r} is a file")
    return Path(text)


def earlier_report(path: Path) -> dict:
    """The report that `evaluate --json` wrote into a file.

    Raises: ConfigError: The file cannot be read, or holds something else.
    """
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError("{path} cannot be read as a report: {error}.", path=path, error=error) from error
    if not isinstance(report, dict) or not {"targets", "shapes", "n"} <= set(report):
        raise ConfigError("{path} is no report of evaluate --json.", path=path)
    return report


def require_same_shapes(name: str, report: dict, own: dict) -> None:
    """Raises: ConfigError: A report is of other shapes than ours."""
    theirs, ours = ({row["id"] for row in rows["shapes"]} for rows in (report, own))
    if theirs != ours:
        raise ConfigError(
            "The report {name} is of other shapes: {theirs} of them, {both} of our {ours} among them. Take the same "
            "--targets, --limit and --seed.",
            name=name,
            theirs=len(theirs),
            both=len(theirs & ours),
            ours=len(ours),
        )


def say_scores(reports: Sequence[tuple[str, dict]], seconds: float) -> None:
    """Print the table of scores, with their intervals, and which targets were skipped.

    Args:
        reports: On the same targets, with their names.
        seconds: That it took; 0 where nothing was done.
    """
    from cadrecode.report.series import scores, series_of

    report = reports[0][1]
    say(
        f"shapes      {report['n']} scored, {len(report['skipped'])} skipped"
        + (f", {seconds:.1f} s" if seconds else "")
    )
    say_skipped((entry["id"], entry["reason"]) for entry in report["skipped"])
    columns = series_of(reports)
    widths = [max(26, len(column.name) + 2) for column in columns]
    say(f"{'':26}" + "".join(f"{column.name:>{width}}" for column, width in zip(columns, widths)))
    for name, cells in scores(columns):
        shown = (f"{figure} ({interval})" if figure else "-" for figure, interval in cells)
        say(f"{name:<26}" + "".join(f"{cell:>{width}}" for cell, width in zip(shown, widths)))


def write_page(
    folder: Path | None, reports: Sequence[tuple[str, dict]], verb: str, argv: Arguments, *, sweep: bool = False
) -> None:
    """Write the page of an evaluation and print where it is; do nothing where no folder was named.

    Args:
        reports, sweep: See `report.page.evaluation_page`.
        verb, argv: The command, for the page.
    """
    if folder is None:
        return
    from cadrecode.kernel import shared_sandbox
    from cadrecode.report.page import write_report

    words = sys.argv[1:] if argv is None else argv
    command = shlex.join(["cadrecode", verb, *words])
    path = write_report(folder, reports, sweep=sweep, commands=[command], sandbox=shared_sandbox())
    say(f"written     {path}")
