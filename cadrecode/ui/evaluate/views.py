"""The contents of the Evaluate tab: how far an evaluation is, its scores, its best and its worst parts."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cadrecode.config import EvaluationConfig
from cadrecode.errors import ConfigError, restored
from cadrecode.export import write_json
from cadrecode.jobs import evaluating, queue
from cadrecode.jobs.evaluating import name_of
from cadrecode.report.page import evaluation_page
from cadrecode.report.parts import Mesh, scored_parts, targets_of
from cadrecode.report.series import ModelReport
from cadrecode.runs import Kind, Run, State
from cadrecode.ui import models
from cadrecode.ui.draw import html
from cadrecode.ui.evaluate.parts import MOST_PARTS
from cadrecode.ui.runs import queued
from cadrecode.ui.services import Services
from cadrecode.ui.words.text import Words

COLUMNS = ("model", "n", "invalid", "single", "best", "fit", "mean", "cd", "seconds")

# Not measured here: CAD-Recode v1.5 as its authors report it, in CHANGELOG.md of github.com/filaPro/cad-recode, which
# names the paper's second version, arXiv 2412.14042v2. Set, IoU, median Chamfer distance x 1000, invalid ratio.
QUOTED = (("DeepCAD", 0.920, 0.157, 0.0037), ("Fusion360", 0.878, 0.151, 0.005))


@dataclass(frozen=True)
class Results:
    """The scores of an evaluation.

    Args:
        settings: What it scores.
        reports: In the order of the settings; of a model that was cut off, a report of its rows.
        targets: The true parts that are drawn.
    """

    settings: EvaluationConfig
    reports: list[ModelReport]
    targets: Mapping[str, Mesh]


@dataclass(frozen=True)
class Look:
    """The state of the latest evaluation on screen, apart from its results.

    Args:
        name: The name of its run; None where nothing was evaluated yet.
        html: How far it is, or why it ended early.
        busy: It waits or is at work.
        resumable: It was cut off and can go on.
    """

    name: str | None
    html: str
    busy: bool
    resumable: bool


def look(services: Services, words: Words) -> Look:
    """The latest evaluation as it is now."""
    run = evaluating.latest(services.runs_dir)
    if run is None:
        return Look(None, html.idle(), False, False)
    status = run.status()
    state = State(status["state"])
    if not state.final:
        return Look(run.name, _progress(run, status, words), True, False)
    try:
        missing = cut_off(run, words)
    except ConfigError as error:  # its settings are damaged or gone, and its scores cannot be told apart
        return Look(run.name, html.bad(words.said(status.get("error") or str(error))), False, False)
    resumable = bool(missing) and (state == State.STOPPED or any(evaluating.read_scores(run)))
    if status.get("error"):
        shown = html.bad(words.said(status["error"]))
    else:
        shown = html.warning(missing) if missing else html.idle()
    return Look(run.name, shown, False, resumable)


def _progress(run: Run, status: dict, words: Words) -> str:
    step, total = status.get("step", 0), status.get("total", 1)
    if status["state"] == State.QUEUED:
        return html.progress(queued(run, words), 0, 1)
    if status["state"] == State.PREPARING:
        return html.progress(words.stage("loading"), 0, 1)
    return html.progress(f"{models.base_words(status['model'], words)} {step} / {total}", step, total)


def cut_off(run: Run, words: Words) -> str:
    """The progress of an evaluation that was cut off; empty where it is complete."""
    if evaluating.is_complete(run):
        return ""
    settings = evaluating.settings(run)
    reports, rows = evaluating.read_scores(run)
    done = sum(reports[model]["n"] if model in reports else len(rows.get(model, ())) for model in settings.models)
    return words("evaluate.cut", done=done, total=settings.limit * len(settings.models))


def latest_results(services: Services) -> Results | None:
    """The results of the latest evaluation that has scored anything; None where there is none."""
    for run in queue.list_runs(services.runs_dir, Kind.EVALUATION):
        if any(evaluating.read_scores(run)):
            return results(run)
    return None


def results(run: Run) -> Results:
    """The scores of an evaluation so far."""
    from cadrecode.evaluation import report_of

    settings = evaluating.settings(run)
    reports, rows = evaluating.read_scores(run)
    options = {"candidates": settings.candidates, "seed": settings.seed, "fit_seconds": settings.fit_seconds}
    partial = {model: report_of(scored, settings.targets, **options) for model, scored in rows.items()}
    listed = [(name_of(m), report) for m in settings.models if (report := reports.get(m) or partial.get(m))]
    worst = {part.id for part in scored_parts(listed)[:MOST_PARTS]}
    return Results(settings, listed, targets_of(listed[0][1], worst) if listed else {})


def settings_line(settings: EvaluationConfig, words: Words) -> str:
    """The settings of an evaluation, in one line."""
    source = Path(settings.targets)
    uploaded = source.name == "targets" or source.parent.name == "targets"
    return words(
        "evaluate.of", targets=words("evaluate.upload") if uploaded else settings.targets, limit=settings.limit,
        candidates=settings.candidates, seed=settings.seed, fit=f"{settings.fit_seconds:g}",
    )  # fmt: skip


def rows(reports: Sequence[ModelReport], words: Words) -> list[list[str]]:
    """The table, a row for each model. IoU counts failures as 0; the Chamfer distance is that of valid programs."""
    table = []
    for name, scored in reports:
        several = scored["candidates"] > 1
        single = scored["single_median_iou"] if several else scored["median_iou"]
        fitted = "fit_median_iou" in scored
        mean = scored["fit_mean_iou_all" if fitted else "mean_iou_all"]
        distance = scored["fit_median_cd" if fitted else "median_cd"]
        table.append(
            [
                models.base_words(name, words),
                f"{scored['n']}",
                f"{100 * scored['invalid_ratio']:.0f} %",
                f"{single:.3f}",
                f"{scored['median_iou']:.3f}" if several else "–",
                f"{scored['fit_median_iou']:.3f}" if fitted else "–",
                f"{mean:.3f}",
                "–" if distance is None else f"{distance:.2f}",
                html.clock(scored["seconds"]),
            ]
        )
    return table


def skipped(reports: Sequence[ModelReport], words: Words) -> str:
    """Targets that could not be scored, and why; empty where there are none."""
    entries = [restored(entry) for entry in reports[0][1]["skipped"]] if reports else []
    if not entries:
        return ""
    lines = [f"{entry['id']}: {words.said(entry['reason'])}" for entry in entries]
    return html.more(words("evaluate.skipped", n=len(entries)), lines)


def ious(reports: Sequence[ModelReport], words: Words) -> dict[str, list[float]]:
    """The IoU of each part by model, for the histogram; with a fit, before and after it."""
    by_model = {}
    for name, scored in reports:
        label = models.base_words(name, words)
        by_model[label] = [row["iou"] for row in scored["shapes"]]
        if "fit_median_iou" in scored:
            by_model[f"{label} {words('evaluate.fitted')}"] = [row["fit_iou"] for row in scored["shapes"]]
    return by_model


def quoted(words: Words) -> str:
    """Published figures, marked as quoted."""
    headers = [words("quoted.set"), words("adapters.iou"), words("quoted.cd"), words("evaluate.invalid")]
    table = [
        [words("quoted.row", name=name), f"{iou:.3f}", f"{distance:.3f}", f"{100 * invalid:.2g} %"]
        for name, iou, distance, invalid in QUOTED
    ]
    return html.plain_table(words("quoted.title"), headers, table)


def files(results: Results, services: Services, words: Words) -> tuple[Path, Path]:
    """The evaluation as a page to hand on, and as JSON."""
    stem = services.fresh_folder() / f"evaluation-{time.strftime('%Y%m%d-%H%M')}"
    named = [(models.base_words(name, words), report) for name, report in results.reports]
    page = evaluation_page(
        named, commands=evaluating.commands(results.settings, services.runs_dir), sandbox=services.sandbox(),
        said=words.said, language=words.language,
    )  # fmt: skip
    stem.with_suffix(".html").write_text(page, encoding="utf-8")
    reports = [{"model": name, **scored} for name, scored in results.reports]
    return stem.with_suffix(".html"), write_json(stem.with_suffix(".json"), reports)
