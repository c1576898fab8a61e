"""`cadrecode evaluate`: how good a model is, on shapes whose solid is known."""

from __future__ import annotations

import argparse
from pathlib import Path

from cadrecode.cli import trial
from cadrecode.cli.report import add_options, say_scores, write_page
from cadrecode.cli.shared import (
    GRAMMAR_HELP,
    Arguments,
    add_workers,
    clock_of,
    count,
    log_progress,
    open_model,
    parser_of,
    positive,
    run_verb,
    workers_for,
    writer_of,
)
from cadrecode.config import ReconstructConfig

TEMPERATURE = ReconstructConfig().temperature


def evaluate_main(argv: Arguments = None) -> int:
    """Measure a model on shapes whose solid is known."""
    parser = parser_of("evaluate", "Rebuild shapes whose solid is known from sampled clouds, and score the programs.")
    parser.add_argument(
        "--targets", required=True, help="folder, .npz of <id>_v and <id>_f, or invent:<family>:<count>"
    )
    parser.add_argument("--model", help="name or folder of a model [embedded]")
    parser.add_argument("--lora_path", help="folder of an adapter for it; a merged_model in it is preferred")
    parser.add_argument(
        "--candidates",
        type=count,
        help="programs of the model for each shape; above 1, the first is reported apart, too [1; the whole way: 8]",
    )
    parser.add_argument(
        "--temperature", type=positive, default=TEMPERATURE, help="of all candidates but the first [%(default)s]"
    )
    parser.add_argument("--device", default="auto")
    add_options(parser)
    parser.add_argument("--grammar", action="store_true", help=GRAMMAR_HELP)
    trial.add_arguments(parser)
    add_workers(parser)
    arguments = parser.parse_args(argv)
    evaluating = trial.run if trial.is_asked(arguments) else _evaluate
    if evaluating is trial.run and (fault := trial.contradiction(arguments)):
        parser.error(fault)
    return run_verb(lambda: evaluating(arguments, argv), failure=2)


def _evaluate(arguments: argparse.Namespace, argv: Arguments) -> None:
    from cadrecode.evaluation import evaluate
    from cadrecode.export import write_json
    from cadrecode.kernel import shared_sandbox
    from cadrecode.model.decode import follows_grammar

    engine, opened = open_model(arguments)
    with engine.ready() as (model, tokenizer), clock_of(arguments):
        grammar = arguments.grammar or follows_grammar(tokenizer)
        report = evaluate(
            arguments.targets,
            model,
            tokenizer,
            candidates=arguments.candidates or 1,
            limit=arguments.limit,
            seed=arguments.seed,
            temperature=arguments.temperature,
            fit_seconds=arguments.fit,
            sandbox=shared_sandbox(),
            generate=writer_of(arguments.grammar),
            workers=workers_for(model, arguments),
            on_progress=log_progress("shapes"),
        )
    adapter = opened.adapter and str(arguments.lora_path)
    report = {"model": opened.base, "adapter": adapter, "grammar": grammar, **report}
    if arguments.json:
        write_json(Path(arguments.json), report)
    reports = [(opened.base, report)]
    say_scores(reports, report["seconds"])
    write_page(arguments.report, reports, "evaluate", argv)
