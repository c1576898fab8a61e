"""Evaluations as runs of the queue: each in a folder of its own, its scores written as they come.

So nothing is lost when an evaluation is cut off: what it scored is there, and it can be resumed to the same end.
Beside the files of every run, the folder holds scored.jsonl (rows and whole reports) and targets/ (uploaded parts).
"""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cadrecode.adapters import find_adapter
from cadrecode.config import EvaluationConfig
from cadrecode.errors import CadrecodeError, RunError
from cadrecode.jobs import queue
from cadrecode.json_files import read_lines
from cadrecode.runs import Kind, Run, State

BASE, ADAPTER = "base:", "adapter:"  # a model is named base:<name or folder> or adapter:<name of a run>
SCORES = "scored.jsonl"

Scores = tuple[dict[str, dict], dict[str, list[dict]]]  # whole reports by model, and rows by model
Loader = Callable[[str, Path], tuple[Any, Any]]


def start(runs_dir: Path, settings_for: Callable[[Path], EvaluationConfig], *, run_programs: bool = True) -> Run:
    """Queue an evaluation.

    Args:
        settings_for: Called with the run's folder, where uploaded parts may be put.
        run_programs: Whether programs outside of the language may go to the sandbox.

    Raises: RunError: An evaluation is waiting or at work already.
    """
    for run in queue.list_runs(runs_dir, Kind.EVALUATION):
        if not run.state.final:
            raise RunError("An evaluation is running or waiting already. Wait for it, or cancel it.")
        if not any(read_scores(run)):
            queue.delete(run)  # it failed before it had scored anything
    name = time.strftime("%Y%m%d-%H%M%S")
    return queue.add(runs_dir, Kind.EVALUATION, name, settings_for, run_programs=run_programs)


def latest(runs_dir: Path) -> Run | None:
    """The evaluation that was started last, if there is any."""
    return next(iter(queue.list_runs(runs_dir, Kind.EVALUATION)), None)


def settings(run: Run) -> EvaluationConfig:
    """The settings of an evaluation. Raises ConfigError: its settings cannot be read."""
    return EvaluationConfig.load(run.folder / "config.yaml")


def name_of(model: str) -> str:
    """base:<name> or adapter:<name> without its kind."""
    return model.removeprefix(BASE).removeprefix(ADAPTER)


def commands(config: EvaluationConfig, runs_dir: Path) -> list[str]:
    """The commands that score the same in a terminal, one for each model."""
    lines = []
    for model in config.models:
        words = ["cadrecode", "evaluate", "--targets", config.targets, "--limit", str(config.limit)]
        words += ["--candidates", str(config.candidates), "--fit", f"{config.fit_seconds:g}"]
        words += ["--seed", str(config.seed)]
        chosen = ["--lora_path", str(runs_dir / name_of(model))] if model.startswith(ADAPTER) else []
        lines.append(shlex.join([*words, *(chosen or ["--model", name_of(model)])]))
    return lines


def read_scores(run: Run) -> Scores:
    """Whole reports by model, and rows by model. A line that was not written to its end is left out."""
    reports: dict[str, dict] = {}
    rows: dict[str, list[dict]] = {}
    for entry in read_lines(run.folder / SCORES):
        model, report, row = (entry.get(key) for key in ("model", "report", "row"))
        if isinstance(model, str) and isinstance(report, dict):
            reports[model] = report
        elif isinstance(model, str) and isinstance(row, dict):
            rows.setdefault(model, []).append(row)
    return reports, rows


def is_complete(run: Run) -> bool:
    """Whether all models have scored all parts."""
    reports, _ = read_scores(run)
    return all(model in reports for model in settings(run).models)


def add_score(run: Run, model: str, **score: Mapping[str, Any]) -> None:
    """Append a `row`, or the whole `report`, of a model. The first score replaces earlier evaluations."""
    path = run.folder / SCORES
    if not path.exists():
        for other in queue.list_runs(run.runs_dir, Kind.EVALUATION):
            if other.folder != run.folder.resolve() and other.state.final:
                queue.delete(other)
    with path.open("a", encoding="utf-8") as file:
        file.write("\n" + json.dumps({"model": model, **score}))  # the line before may have been cut off


def work(run: Run, *, load: Loader | None = None, generate: Callable[..., list[str]] | None = None) -> None:
    """Score all models, from where an earlier process ended. Runs in the child process.

    Args:
        load: In place of `load_model_of`.
        generate: In place of `model.decode.generate`.

    Raises: CadrecodeError: There is no such model or no usable target.
    """
    config = settings(run)
    complete, rows = read_scores(run)
    try:
        for model in config.models:
            if model not in complete and not _score_model(run, config, model, rows.get(model, []), load, generate):
                break
    except CadrecodeError:
        # stopped before this model had scored any part: the scores of the others stand
        if not (run.stop_requested() and any(read_scores(run))):
            raise
    run.set_status(State.DONE if is_complete(run) else State.STOPPED)


def _score_model(
    run: Run,
    config: EvaluationConfig,
    model: str,
    earlier: list[dict],
    load: Loader | None,
    generate: Callable[..., list[str]] | None,
) -> bool:
    """Whether the model has scored all parts; False where it was stopped."""
    from cadrecode.evaluation import evaluate
    from cadrecode.kernel import shared_sandbox
    from cadrecode.reconstruction import threads_for

    def show(done: int, total: int | None) -> None:
        run.set_status(State.EVALUATING, step=done, total=total or config.limit)

    run.set_status(State.PREPARING, model=name_of(model), step=0, total=config.limit)
    network, tokenizer = (load or load_model_of)(model, run.runs_dir)
    with threads_for(network):
        report = evaluate(
            config.targets, network, tokenizer, candidates=config.candidates, limit=config.limit, seed=config.seed,
            fit_seconds=config.fit_seconds, sandbox=shared_sandbox() if run.status()["run_programs"] else None,
            on_progress=show, on_row=lambda row: add_score(run, model, row=row), earlier=earlier,
            should_stop=run.stop_requested, generate=generate,
        )  # fmt: skip
    if report["stopped"]:
        return False
    add_score(run, model, report=report)
    return True


def load_model_of(model: str, runs_dir: Path) -> tuple[Any, Any]:
    """The network and tokenizer that base:<name> or adapter:<name> stands for. Raises ModelError."""
    from cadrecode.model.adapters import load_adapter
    from cadrecode.model.load import load_model

    if model.startswith(BASE):
        return load_model(name_of(model))
    info = find_adapter(runs_dir, name_of(model))
    network, tokenizer = load_model(info.base)
    return load_adapter(network, info.folder), tokenizer
