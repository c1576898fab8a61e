"""The views of runs in the Train tab. All of them are read from their folders, so every page shows the same."""

from __future__ import annotations

import time
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from cadrecode.config.settings import read_yaml
from cadrecode.errors import ConfigError, RunError
from cadrecode.jobs import queue
from cadrecode.runs import Run, State
from cadrecode.ui.draw import film, html
from cadrecode.ui.runs import ious, metrics, newest, queued
from cadrecode.ui.words.text import Words

COLUMNS = ("name", "state", "step", "loss", "iou", "eta", "started")
NUMBERS = ("step", "loss", "iou", "eta")
LOG_LINES = 40
LONGEST_NAME = 40  # letters of a run's name
PHASES = ("preparing", "base_check", "training", "merging")
FRAMES = 6  # evaluations in the film: the first, and the newest
NOT_COMPARED = ("model_save_path", "experiment_name", "resume_from_checkpoint")  # these differ in every run


def find(runs_dir: Path, name: str | None) -> Run | None:
    """The run of that name; None where there is none."""
    run = Run(runs_dir / name) if name and Path(name).name == name else None
    return run if run is not None and run.exists() else None


def existing(runs_dir: Path, name: str | None) -> Run:
    """The run of that name. Raises RunError: no run was chosen, or it is gone."""
    run = find(runs_dir, name)
    if run is None:
        if not name:
            raise RunError("Pick a run in the list first.")
        raise RunError("There is no run named {name} any more.", name=name)
    return run


def latest(runs_dir: Path) -> str | None:
    """The run to show when a page opens: the newest that is at work or waits, or else the newest."""
    runs = queue.list_runs(runs_dir)
    busy = [run for run in runs if not run.state.final]
    return (busy or runs)[0].name if runs else None


def rows(runs_dir: Path, words: Words) -> list[list[str]]:
    """The run list, newest first: COLUMNS as text."""
    waiting = queue.waiting(runs_dir)
    return [_row(run, waiting, words) for run in queue.list_runs(runs_dir)]


def _row(run: Run, waiting: list[Run], words: Words) -> list[str]:
    status = run.status()
    figures = _figures(run, status)
    state = queued(run, words, waiting) if status["state"] == State.QUEUED else words.state(shown_state(status))
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
        html: Its state, its figures and what went wrong.
        stoppable, resumable, keepable, deletable: What can be done with it now; a checkpoint is kept as an adapter.
        evaluations: At which steps sample parts were drawn, and when.
    """

    name: str
    state: State
    html: str
    metrics: list[dict]
    log: str
    stoppable: bool
    resumable: bool
    keepable: bool
    deletable: bool
    evaluations: tuple[tuple[str, int], ...]


def look(run: Run, words: Words) -> RunView:
    """Read a run folder."""
    status = run.status()
    state = State(status["state"])
    name = html.middle(run.name, LONGEST_NAME)
    pill = html.state_pill(shown_state(status), words)
    lines = f'<div class="cr-state"><b title="{html.escape(run.name)}">{html.escape(name)}</b>{pill}</div>'
    if not state.final:
        lines += _progress(run, status, words)
    facts = "".join(f"<span>{fact}</span>" for fact in _facts(status, _figures(run, status), words))
    lines += f'<div class="cr-state">{facts}</div>'
    if status.get("error"):
        lines += html.bad(words.said(status["error"]))
    if status.get("worse"):
        lines += html.bad(words.said(status["worse"]))
    if status.get("ended_early"):
        lines += html.note(words.said(status["ended_early"]))
    hindrance = queue.why_not_resumable(run) if state.unfinished else None
    resumable = state.unfinished and not hindrance
    if hindrance:
        lines += html.warning(words.said(hindrance))
    elif state.unfinished:
        lines += html.note(words("train.resume.how"))
    samples = sorted((run.folder / "samples").glob("step-*/samples.json"))
    return RunView(
        run.name,
        state,
        lines,
        metrics(run),
        run.log_tail(LOG_LINES),
        stoppable=state.active or state == State.QUEUED,
        resumable=resumable,
        keepable=resumable and bool(run.checkpoints()),
        deletable=state.final,
        evaluations=tuple((path.parent.name, path.stat().st_mtime_ns) for path in samples),
    )


def _figures(run: Run, status: dict[str, Any]) -> dict[str, Any]:
    """The last of each figure; its IoU is that of what was learnt and kept, not the base's."""
    figures, (_, iou) = newest(run), ious(run, status)
    return {key: value for key, value in figures.items() if key != "median_iou"} | (
        {} if iou is None else {"median_iou": iou}
    )


def shown_state(status: dict[str, Any]) -> str:
    """The state of a run as people read it: a training that made things worse is not just done."""
    return "worse" if status["state"] == State.DONE and status.get("worse") else str(status["state"])


def phase_of(status: dict[str, Any]) -> int:
    """The phase, of PHASES, that a run at work has reached."""
    match State(status["state"]):
        case State.QUEUED | State.PREPARING:
            return 0
        case State.EVALUATING if not status.get("step"):
            return 1
        case State.TRAINING | State.EVALUATING:
            return 2
        case State.SAVING if (status.get("step") or 0) < (status.get("total") or 0):
            return 2
    return 3


def _progress(run: Run, status: dict[str, Any], words: Words) -> str:
    """The phases, of which one is at work, and how far it is."""
    reached = phase_of(status)
    names = "".join(
        f'<li class="{"done" if number < reached else ""}"{" aria-current=step" if number == reached else ""}>'
        f"{html.escape(words(f'phase.{phase}'))}</li>"
        for number, phase in enumerate(PHASES)
    )
    state, step, total = State(status["state"]), status.get("step") or 0, status.get("total") or 0
    facts = [words.state(state)]
    if state == State.QUEUED:
        facts = [queued(run, words)]
    elif download := _download(status):
        (step, total), (done, whole) = download, map(html.file_size, download)
        facts = [words("train.download", done=done, total=whole)]
    elif reached == 0:
        reading = status.get("reading") or {"done": 0, "total": 0}
        step, total = reading["done"], reading["total"]
        if total:
            facts.append(f"{step:,} / {total:,}")
    elif reached == 1:
        facts = [words("train.base_check")]
    elif reached == 2:
        facts = [words("train.step", step=f"{step:,}", total=f"{total:,}")]
        if state != State.TRAINING:
            facts.append(words.state(state))
        if status.get("eta_seconds") is not None:
            facts.append(words("train.eta", eta=html.clock(status["eta_seconds"])))
    if run.stop_requested() and state.active:
        facts.append(words("train.stopping"))
    return f'<ol class="cr-phases">{names}</ol>' + html.progress(" · ".join(facts), step, total)


def _facts(status: dict[str, Any], figures: dict[str, Any], words: Words) -> list[str]:
    """The line of figures."""
    facts = []
    if State(status["state"]).final and status.get("total"):
        facts.append(words("train.step", step=f"{status.get('step') or 0:,}", total=f"{status['total']:,}"))
    if status.get("processes", 1) > 1:
        facts.append(words("train.together", n=status["processes"]))
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
    return facts


def _download(status: dict[str, Any]) -> tuple[int, int] | None:
    """The bytes of the base that have arrived, and all of them, while it is downloaded."""
    download = status.get("download") if status["state"] == State.PREPARING else None
    return (download["done"], download["total"]) if download else None


def differences(runs: Sequence[Run]) -> list[list[str]]:
    """Settings in which runs differ: name of the setting, then its value in each run."""
    settings = [_settings(run) for run in runs]
    names = list(dict.fromkeys(name for values in settings for name in values))
    table = []
    for name in names:
        values = [each.get(name) for each in settings]
        if name not in NOT_COMPARED and any(value != values[0] for value in values):
            table.append([name, *("–" if value is None else str(value) for value in values)])
    return table


def _settings(run: Run) -> dict[str, Any]:
    """The settings of a run; empty where they cannot be read any more."""
    try:
        return read_yaml(run.folder / "config.yaml")
    except ConfigError:
        return {}


def comparison(runs: Sequence[Run], words: Words) -> str:
    """A table of the settings in which runs differ, and of their last figures."""
    table = differences(runs)
    for key in ("loss", "eval_loss", "median_iou", "invalid_ratio"):
        values = [newest(run).get(key) for run in runs]
        if any(value is not None for value in values):
            table.append([words(f"compare.{key}"), *("–" if v is None else f"{v:.3f}" for v in values)])
    return html.plain_table(words("compare.differ"), ["", *(run.name for run in runs)], table)


def samples_film(run: Run, words: Words) -> str:
    """The sample parts of a run, drawn at each evaluation; empty before the first evaluation."""
    try:
        return _film(run.samples(), words)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):  # a file of a sample is damaged or was removed
        return html.warning(words("film.damaged"))


def _film(evaluations: list[dict[str, Any]], words: Words) -> str:
    if not evaluations:
        return ""
    shown = evaluations[:1] + evaluations[1:][-(FRAMES - 1) :]
    rows = []
    for i, sample in enumerate(shown[-1]["samples"]):
        strip = [(_cloud_file(Path(shown[-1]["folder"]) / sample["cloud"]), words("film.cloud"))]
        strip += [_frame(e, e["samples"][i], words) for e in shown if i < len(e["samples"])]
        rows.append((str(sample["name"]), strip))
    return film.film(words("film.title"), rows)


def _frame(evaluation: dict, sample: dict, words: Words) -> film.Picture:
    when = words("film.base") if evaluation["step"] == 0 else words("film.step", step=f"{evaluation['step']:,}")
    if not sample.get("mesh"):
        return film.of_part(None), f"{when} · {words('film.invalid')}"
    path = Path(evaluation["folder"]) / sample["mesh"]
    iou = sample.get("iou")
    score = "" if iou is None else " · " + words("film.iou", x=f"{iou:.2f}")
    return _mesh_file(path, path.stat().st_mtime_ns), when + score


@lru_cache(maxsize=256)
def _mesh_file(path: Path, written: int) -> str:
    """Drawn once for all pages. `written` tells a new file of a resumed run from the old one."""
    with np.load(path, allow_pickle=False) as arrays:
        return film.of_part((arrays["vertices"], arrays["faces"]))


@lru_cache(maxsize=64)
def _cloud_file(path: Path) -> str:
    return film.of_cloud(np.load(path, allow_pickle=False))
