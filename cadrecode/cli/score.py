"""`cadrecode score`: how good programs are that are there already, whoever wrote them."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import Any

from cadrecode.cli.shared import Arguments, count, parser_of, run_verb, say, seed

log = logging.getLogger(__name__)

ROWS = (  # of the table: words, key of the report
    ("mean IoU, failures 0", "mean_iou_all"),
    ("median IoU, failures 0", "median_iou"),
    ("mean IoU, valid", "mean_iou_valid"),
    ("mean Chamfer x 1,000", "mean_cd_valid"),
    ("median Chamfer x 1,000", "median_cd_valid"),
    ("F-score at 1 %", "mean_f_score_valid"),
    ("normal consistency", "mean_normal_consistency_valid"),
    ("invalid", "invalid_ratio"),
    ("as many through holes", "genus_right"),
    ("characters, median", "median_characters_valid"),
    ("numbers, median", "median_numbers_valid"),
)


def score_main(argv: Arguments = None) -> int:
    """Score programs that any system wrote, on shapes whose solid is known."""
    parser = parser_of("score", "Score programs of any system beside the solids that they should be. Needs no model.")
    parser.add_argument("--programs", required=True, help='folder of <id>.py, or .jsonl[.gz] of {"id", "code"}')
    parser.add_argument("--field", default="code", help="the name of the program in a row of JSON [%(default)s]")
    parser.add_argument(
        "--targets",
        required=True,
        help="folder of <id>.stl ..., .npz of <id>_v and <id>_f, .jsonl[.gz] of true programs",
    )
    parser.add_argument(
        "--frame",
        choices=("code", "raw"),
        default="code",
        help="code: centred, longest side 200, as models write; raw: in the target's place and units [%(default)s]",
    )
    parser.add_argument("--limit", type=count, help="this many targets, drawn with the seed")
    parser.add_argument("--seed", type=seed, default=0)
    parser.add_argument("--json", metavar="FILE", help="file for the whole report")
    arguments = parser.parse_args(argv)
    return run_verb(lambda: _score(arguments), failure=2)


def _score(arguments: argparse.Namespace) -> None:
    from cadrecode.export import write_json
    from cadrecode.kernel import shared_sandbox
    from cadrecode.scores import Scores

    report = Scores(arguments.frame == "code", arguments.seed, shared_sandbox()).run(
        arguments.programs,
        arguments.targets,
        field=arguments.field,
        limit=arguments.limit,
        on_progress=lambda done, total: log.info("%d%s shapes", done, f" of {total}" if total else ""),
    )
    if arguments.json:
        write_json(Path(arguments.json), report)
    _say_scores(report)


def _say_scores(report: dict[str, Any]) -> None:
    outcomes = ", ".join(f"{count} {name}" for name, count in report["outcomes"].items())
    say(f"shapes      {report['n']} scored ({outcomes}), {len(report['skipped'])} skipped, {report['seconds']:.1f} s")
    for entry in report["skipped"][:10]:
        say(f"            {entry['id']}: {entry['reason']}")
    prefixes = {"first": "", "nearest": "best_"} if "best_n" in report else {"first": ""}
    say(f"{'':26}" + "".join(f"{name:>26}" for name in prefixes))
    for words, key in ROWS:
        say(f"{words:<26}" + "".join(f"{_cell(report, prefix + key):>26}" for prefix in prefixes.values()))
    for name, group in report["groups"].items():
        say(f"  {name:<24}{group['n']:>5} shapes, mean IoU {group['mean_iou']:.3f}, median {group['median_iou']:.3f}")


def _cell(report: dict[str, Any], key: str) -> str:
    value, interval = report[key], report.get(f"{key.removesuffix('_all')}_interval", report.get(f"{key}_interval"))
    if value is None:
        return "-"
    return f"{value:.3f}" + (f" ({interval[0]:.3f} to {interval[1]:.3f})" if interval else "")
