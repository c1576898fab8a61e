"""The contents of the Adapters tab: a card for each adapter, which model answers, and how far a merge is."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from html import escape
from pathlib import Path

from cadrecode.adapters import AdapterInfo, discover_adapters
from cadrecode.config import TrainConfig
from cadrecode.errors import ConfigError
from cadrecode.invent.source import PREFIX
from cadrecode.jobs import merging
from cadrecode.runs import Run, State
from cadrecode.shipped import EMBEDDED
from cadrecode.ui import models
from cadrecode.ui.adapters.actions import folder_size
from cadrecode.ui.draw import film, html
from cadrecode.ui.runs import ious, queued
from cadrecode.ui.services import Services
from cadrecode.ui.words.text import Words

LONGEST_NAME = 26  # letters of an adapter's name


@dataclass(frozen=True)
class Card:
    """An adapter as it is shown.

    Args:
        facts: A label and a text each.
        gain: What it adds to its base on parts of the kind that it has learnt, as HTML; empty where nobody measured.
        pictures: Parts of the kind that it has learnt, as data addresses.
    """

    name: str
    facts: tuple[tuple[str, str], ...]
    in_use: bool
    merged_bytes: int | None
    gain: str = ""
    pictures: tuple[str, ...] = ()


def cards(services: Services, words: Words) -> list[Card]:
    """A card for each adapter, newest first."""
    used = models.in_use(services)[1]
    return [_card(info, info.name == used, words) for info in discover_adapters(services.runs_dir)]


def _card(info: AdapterInfo, in_use: bool, words: Words) -> Card:
    run = Run(info.folder)
    status = run.status() if run.exists() else {}
    merged = folder_size(info.merged) if info.merged else None
    before, after = ious(run, status)
    facts = (
        ("base", models.base_words(info.base, words) if info.base == EMBEDDED else Path(info.base).name),
        ("data", _data(info.folder)),
        ("rank", f"{info.r} / {info.alpha:g}"),
        ("steps", f"{status['step']:,}" if status.get("step") else "–"),
        ("iou", "–" if after is None else f"{after:.2f}" if before is None else f"{before:.2f} → {after:.2f}"),
        ("size", html.file_size(info.size_mb * 1e6)),
        ("merged", html.file_size(merged) if merged is not None else words("adapters.not_merged")),
    )
    labelled = tuple((words(f"adapters.{key}"), text) for key, text in facts)
    return Card(
        info.name, labelled, in_use, merged, _gain(before, after, bool(status.get("worse")), words), _learnt(run)
    )


def _learnt(run: Run) -> tuple[str, ...]:
    """Pictures of held-out parts of its training."""
    try:
        samples = run.samples()
        shown = samples[-1]["samples"] if samples else ()
        return tuple(_picture(sample["target"]) for sample in shown if sample["target"])
    except (OSError, ValueError, KeyError):  # a file of a sample is damaged or was removed
        return ()


@lru_cache(maxsize=256)
def _picture(program: str) -> str:
    return film.of_program(program)


def _data(folder: Path) -> str:
    try:
        path = TrainConfig.load(folder / "config.yaml").train_data_path
    except ConfigError:  # an uploaded adapter without the settings of its run
        return "–"
    return path.removeprefix(PREFIX) if path.startswith(PREFIX) else Path(path).name


def cards_html(listed: list[Card], chosen: str | None, words: Words) -> str:
    """The cards, of which one can be picked by mouse or keyboard."""
    shown = ""
    for card in listed:
        facts = "".join(f"<dt>{escape(word)}</dt><dd>{escape(text)}</dd>" for word, text in card.facts)
        used = f'<span class="cr-pill active">{escape(words("adapters.in_use"))}</span>' if card.in_use else ""
        drawn = "".join(f'<img src="{address}" alt="" width="76" height="76">' for address in card.pictures)
        picked = f'role="option" tabindex="0" aria-selected="{str(card.name == chosen).lower()}"'
        name, short = escape(card.name), escape(html.middle(card.name, LONGEST_NAME))
        head = f'<h4 title="{name}">{short}</h4><p>{card.gain}{used}</p><div class="cr-learnt">{drawn}</div>'
        shown += f'<div class="cr-card" data-name="{name}" {picked}>{head}<dl>{facts}</dl></div>'
    return f'<div class="cr-cards" role="listbox" aria-label="{escape(words("adapters.title"))}">{shown}</div>'


def _gain(before: float | None, after: float | None, is_worse: bool, words: Words) -> str:
    """A pill with what an adapter adds."""
    if before is None or after is None:
        return ""
    text = words("adapters.gain", x=f"{after - before:+.2f}".replace("-", "−"))
    if is_worse:
        text += f", {words('adapters.worse')}"
    kind = "failed" if is_worse else "done" if after > before else ""
    return f'<span class="cr-pill {kind}">{escape(text)}</span>'


def answering(services: Services, words: Words) -> str:
    """The model that answers now."""
    engine = services.engine
    if engine.base is None:
        return html.note(words("adapters.none_loaded"))
    name = models.base_words(engine.base, words)
    return html.note(words("adapters.answering", model=f"{name} + {engine.active}" if engine.active else name))


@dataclass(frozen=True)
class MergeLook:
    """The state of the latest merge of an adapter on screen.

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
