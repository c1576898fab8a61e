"""What is shown of runs. All of it is read from their folders, so it outlives the page, and two pages see the same."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cadrecode.config.settings import read_yaml
from cadrecode.errors import ConfigError, RunError
from cadrecode.jobs import queue
from cadrecode.runs import Run, State
from cadrecode.ui.draw import html
from cadrecode.ui.runs import metrics, newest, queued
from cadrecode.ui.words.text import Words

COLUMNS = ("name", "state", "step", "loss", "iou", "eta", "started")
NUMBERS = ("step", "loss", "iou", "eta")
LOG_LINES = 40
NOT_COMPARED = ("model_save_path", "experiment_name", "resume_from_checkpoint")  # they differ in every run


def find(runs_dir: Path, name: str | None) -> Run | None:
    """The run of that name, if it is there."""
    run = Run(runs_dir / name) if name and Path(name).name == name else None
    return run if run is not None and run.exists() else None


def existing(runs_dir: Path, name: str | None) -> Run:
    """The run of that name. Raises RunError: none was chosen, or it is gone."""
    run = find(runs_dir, name)
    if run is None:
        if not name:
            raise RunError("Pick a run in the list first.")
        raise RunError("There is no run named {name} any more.", name=name)
    return run


def latest(runs_dir: Path) -> str | None:
    """The run to show when a page opens: the newest one at work, else the newest."""
    found = queue.list_runs(runs_dir)
    busy = [run for run in found if run.state.active or run.state == State.QUEUED]
    return (busy or found)[0].name if found else None


def rows(runs_dir: Path, words: Words) -> list[list[str]]:
    """The run list, newest first: COLUMNS as text."""
    waiting = queue.waiting(runs_dir)
    return [_row(run, waiting, words) for run in queue.list_runs(runs_dir)]


def _row(run: Run, waiting: list[Run], words: Words) -> list[str]:
    status, figures = run.status(), newest(run)
    state = queued(run, words, waiting) if status["state"] == State.QUEUED else words.state(status["state"])
    step, total = status.get("step"), status.get("total")
    began = status.get("started_at") or status.get("created_at")
    return [
        run.name,
        state,
        f"{step:,} / {total:,}" if step is not None and total else "–",
        f"{figures['loss']:.3f}" if "loss" in figures else "–",
        f"{figures['median_iou']:.2f}" if "median_iou" in figures else "–",
        html.clock(status.get("eta_seconds")) if State(status["state"]).active else "–",
        time.strftime("%m-%d %H:%M", time.localtime(began)) if began else "–",
    ]


@dataclass(frozen=True)
class RunView:
    """One run, read from its folder.

    Args:
        html: state, figures and what went wrong.
        stoppable, resumable, deletable: what can be done with it now.
        evaluations: steps at which sample parts were drawn, and when.
    """

    name: str
    state: State
    html: str
    metrics: list[dict]
    log: str
    stoppable: bool
    resumable: bool
    deletable: bool
    evaluations: tuple[tuple[str, int], ...]


def look(run: Run, words: Words) -> RunView:
    """Read a run folder."""
    status = run.status()
    state = State(status["state"])
    lines = f'<div class="cr-state">{"".join(f"<span>{fact}</span>" for fact in _facts(run, status, words))}</div>'
    step, total = status.get("step") or 0, status.get("total") or 0
    if fetched := _download(status):
        step, total = fetched
    lines += html.bar(step, total)
    if status.get("error"):
        lines += html.bad(words.said(status["error"]))
    hindrance = queue.why_not_resumable(run) if state in (State.FAILED, State.STOPPED) else None
    if hindrance:
        lines += html.warning(words.said(hindrance))
    samples = sorted((run.folder / "samples").glob("step-*/samples.json"))
    return RunView(
        run.name,
        state,
        lines,
        metrics(run),
        run.log_tail(LOG_LINES),
        stoppable=state.active or state == State.QUEUED,
        resumable=state in (State.FAILED, State.STOPPED) and not hindrance,
        deletable=state.final,
        evaluations=tuple((path.parent.name, path.stat().st_mtime_ns) for path in samples),
    )


def _facts(run: Run, status: dict[str, Any], words: Words) -> list[str]:
    """The state line: what is known now, in the order in which a person asks."""
    state, figures = State(status["state"]), newest(run)
    facts = [f"<b>{html.escape(run.name)}</b>", html.state_pill(state, words)]
    if status.get("total"):
        facts.append(words("train.step", step=f"{status.get('step') or 0:,}", total=f"{status['total']:,}"))
    if fetched := _download(status):
        done, whole = map(html.file_size, fetched)
        facts.append(words("train.download", done=done, total=whole))
    if status.get("processes", 1) > 1:
        facts.append(words("train.together", n=status["processes"]))
    if state.active and status.get("eta_seconds") is not None:
        facts.append(words("train.eta", eta=html.clock(status["eta_seconds"])))
    for key, name, form in (
        ("loss", "train.loss_now", "{:.3f}"),
        ("eval_loss", "train.eval_now", "{:.3f}"),
        ("median_iou", "train.iou_now", "{:.2f}"),
        ("invalid_ratio", "train.invalid_now", "{:.0%}"),
        ("learning_rate", "train.rate_now", "{:.1e}"),
        ("samples_per_second", "train.speed", "{:,.1f}"),
    ):
        if key in figures:
            facts.append(words(name, x=form.format(figures[key])))
    if "peak_memory_mb" in figures:
        facts.append(words("train.memory", x=html.file_size(figures["peak_memory_mb"] * 2**20)))
    if run.stop_requested() and state.active:
        facts.append(words("train.stopping"))
    return facts


def _download(status: dict[str, Any]) -> tuple[int, int] | None:
    """Bytes of the base that are here and in all, while it is downloading."""
    found = status.get("download") if status["state"] == State.PREPARING else None
    return (found["done"], found["total"]) if found else None


def differences(runs: Sequence[Run]) -> list[list[str]]:
    """Settings in which runs differ: name of the setting, then its value in each run."""
    settings = [_settings(run) for run in runs]
    names = list(dict.fromkeys(name for one in settings for name in one))
    found = []
    for name in names:
        values = [one.get(name) for one in settings]
        if name not in NOT_COMPARED and any(value != values[0] for value in values):
            found.append([name, *("–" if value is None else str(value) for value in values)])
    return found


def _settings(run: Run) -> dict[str, Any]:
    """As they were frozen when it was queued; nothing where they cannot be read any more."""
    try:
        return read_yaml(run.folder / "config.yaml")
    except ConfigError:
        return {}


def comparison(runs: Sequence[Run], words: Words) -> str:
    """A table of differing settings and of the last figures of several runs."""
    table = differences(runs)
    for key in ("loss", "eval_loss", "median_iou", "invalid_ratio"):
        values = [newest(run).get(key) for run in runs]
        if any(value is not None for value in values):
            table.append([words(f"compare.{key}"), *("–" if v is None else f"{v:.3f}" for v in values)])
    return html.plain_table(words("compare.differ"), ["", *(run.name for run in runs)], table)
