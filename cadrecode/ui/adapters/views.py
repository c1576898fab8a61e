"""What the Adapters tab shows: a card for each adapter, which model answers, and how far a merge is."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path

from cadrecode.adapters import AdapterInfo, discover_adapters
from cadrecode.config import TrainConfig
from cadrecode.errors import ConfigError
from cadrecode.jobs import merging
from cadrecode.runs import Run, State
from cadrecode.shipped import EMBEDDED
from cadrecode.ui import models
from cadrecode.ui.adapters.actions import folder_size
from cadrecode.ui.draw import html
from cadrecode.ui.runs import metrics, queued
from cadrecode.ui.services import Services
from cadrecode.ui.words.text import Words


@dataclass(frozen=True)
class Card:
    """An adapter as it is shown; each fact has a label and a text."""

    name: str
    facts: tuple[tuple[str, str], ...]
    in_use: bool
    merged_bytes: int | None


def cards(services: Services, words: Words) -> list[Card]:
    """A card for each adapter, newest first."""
    used = models.in_use(services)[1]
    return [_card(info, info.name == used, words) for info in discover_adapters(services.runs_dir)]


def _card(info: AdapterInfo, in_use: bool, words: Words) -> Card:
    run = Run(info.folder)
    status = run.status() if run.exists() else {}
    merged = folder_size(info.merged) if info.merged else None
    facts = (
        ("base", models.base_words(info.base, words) if info.base == EMBEDDED else Path(info.base).name),
        ("data", _data(info.folder)),
        ("rank", f"{info.r} / {info.alpha}"),
        ("steps", f"{status['step']:,}" if status.get("step") else "–"),
        ("iou", _scores(run) + (f", {words('adapters.worse')}" if status.get("worse") else "")),
        ("size", html.file_size(info.size_mb * 1e6)),
        ("merged", html.file_size(merged) if merged is not None else words("adapters.not_merged")),
    )
    return Card(info.name, tuple((words(f"adapters.{key}"), text) for key, text in facts), in_use, merged)


def _scores(run: Run) -> str:
    """The median IoU of the adapter, with that of its base before it where it was measured."""
    rows = [row for row in metrics(run) if row.get("median_iou") is not None]
    if not rows:
        return "–"
    before = f"{rows[0]['median_iou']:.2f} → " if rows[0]["step"] == 0 and len(rows) > 1 else ""
    return f"{before}{rows[-1]['median_iou']:.2f}"


def _data(folder: Path) -> str:
    try:
        path = TrainConfig.load(folder / "config.yaml").train_data_path
    except ConfigError:  # an uploaded adapter without the settings of its run
        return "–"
    return path.removeprefix("invent:") if path.startswith("invent:") else Path(path).name


def cards_html(listed: list[Card], chosen: str | None, words: Words) -> str:
    """The cards, of which one can be picked by mouse or keyboard."""
    shown = ""
    for card in listed:
        facts = "".join(f"<dt>{escape(word)}</dt><dd>{escape(text)}</dd>" for word, text in card.facts)
        used = f'<span class="cr-pill done">{escape(words("adapters.in_use"))}</span>' if card.in_use else ""
        picked = f'role="option" tabindex="0" aria-selected="{str(card.name == chosen).lower()}"'
        name = escape(card.name)
        shown += f'<div class="cr-card" data-name="{name}" {picked}><h4>{name} {used}</h4><dl>{facts}</dl></div>'
    return f'<div class="cr-cards" role="listbox" aria-label="{escape(words("adapters.title"))}">{shown}</div>'


def answering(services: Services, words: Words) -> str:
    """Which model answers now."""
    engine = services.engine
    if engine.base is None:
        return html.note(words("adapters.none_loaded"))
    name = models.base_words(engine.base, words)
    return html.note(words("adapters.answering", model=f"{name} + {engine.active}" if engine.active else name))


@dataclass(frozen=True)
class MergeLook:
    """What is shown of the latest merge of an adapter.

    Args:
        run: Name of its run.
        html: How far it is, or how it ended.
        busy: It waits or is at work.
    """

    run: str
    html: str
    busy: bool


def merge_look(adapter: str | None, services: Services, words: Words) -> MergeLook | None:
    """The latest merge of an adapter as it is now; None where there is none."""
    run = merging.latest(adapter, services.runs_dir) if adapter else None
    if run is None:
        return None
    status = run.status()
    state, total = State(status["state"]), len(merging.STEPS)
    if state == State.DONE:
        text = words("merge.verified", x=f"{status['max_logit_difference']:.1e}", tensors=status["tensors"])
        return MergeLook(run.name, html.progress(text, 1, 1), False)
    if state.final:
        return MergeLook(
            run.name, html.bad(words.said(status["error"]) if status.get("error") else words.state(state)), False
        )
    step = status.get("step", 0)
    text = queued(run, words) if state == State.QUEUED else words.stage("loading")
    if step:
        text = f"{step} / {total} · {words.stage(state)}"
    return MergeLook(run.name, html.progress(text, step, total), True)
