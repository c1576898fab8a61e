"""`cadrecode score`: how good programs are that are there already, whoever wrote them."""

from __future__ import annotations

import argparse
from pathlib import Path

from cadrecode.cli.report import add_options, earlier_report, require_same_shapes, say_scores, write_page
from cadrecode.cli.shared import Arguments, clock_of, log_progress, parser_of, run_verb, say


def score_main(argv: Arguments = None) -> int:
    """Score programs that any system wrote, on shapes whose solid is known."""
    parser = parser_of("score", "Score programs of any system beside the solids that they should be. Needs no model.")
    parser.add_argument("--programs", help='folder of <id>.py, or .jsonl[.gz] of {"id", "code"}')
    parser.add_argument(
        "--field",
        nargs="+",
        default=["code"],
        help="the name of the program in a row of JSON; several are scored side by side, several joined by + are "
        "samples of one system [code]",
    )
    parser.add_argument(
        "--targets",
        help="folder of <id>.stl ..., .npz of <id>_v and <id>_f, .jsonl[.gz] of true programs",
    )
    parser.add_argument(
        "--frame",
        choices=("code", "raw"),
        default="code",
        help="code: centred, longest side 200, as models write; raw: in the target's place and units [%(default)s]",
    )
    parser.add_argument(
        "--beside",
        type=Path,
        nargs="+",
        default=[],
        metavar="REPORT",
        help="reports of evaluate or score --json on the same targets, for columns beside these, or alone",
    )
    add_options(parser)
    arguments = parser.parse_args(argv)
    if bool(arguments.programs) != bool(arguments.targets) or not (arguments.programs or arguments.beside):
        parser.error("give --programs and --targets, or --beside alone")
    if arguments.json and not arguments.programs:
        parser.error("--json is for the report of --programs")
    return run_verb(lambda: _score(arguments, argv), failure=2)


def _score(arguments: argparse.Namespace, argv: Arguments) -> None:
    from cadrecode.export import write_json

    beside = [(path.stem, earlier_report(path)) for path in arguments.beside]
    reports = _reports(arguments) if arguments.programs else []
    columns = [*reports, *beside]
    for name, report in columns[1:]:
        require_same_shapes(name, report, columns[0][1])
    if arguments.json:
        write_json(Path(arguments.json), reports[0][1] if len(reports) == 1 else dict(reports))
    for name, report in reports:
        outcomes = ", ".join(f"{count} {outcome}" for outcome, count in report["outcomes"].items())
        say(f"{name if len(reports) > 1 else 'outcomes':<11} {outcomes}")
    say_scores(columns, sum(report["seconds"] for _, report in reports))
    for name, group in reports[0][1]["groups"].items() if reports else ():
        low, high = group["mean_iou_interval"]
        means = f"mean IoU {group['mean_iou']:.3f} ({low:.3f} – {high:.3f}), median {group['median_iou']:.3f}"
        say(f"  {name:<24}{group['n']:>5} shapes, {means}")
    write_page(arguments.report, columns, "score", argv)


def _reports(arguments: argparse.Namespace) -> list[tuple[str, dict]]:
    """Score the programs of each field. Returns the reports with the names of the fields."""
    from cadrecode.kernel import shared_sandbox
    from cadrecode.scores import Scores

    scores = Scores(arguments.frame == "code", arguments.seed, shared_sandbox(), arguments.fit)
    reports = []
    with clock_of(arguments):
        for name in arguments.field:
            report = scores.run(
                arguments.programs,
                arguments.targets,
                field=name,
                limit=arguments.limit,
                on_progress=log_progress("shapes"),
            )
            reports.append((name, report))
    return reports
