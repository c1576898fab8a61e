"""Adapters: "what do I have, and how do I hand it on?"."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path

import gradio as gr

from cadrecode.adapters import AdapterInfo, discover_adapters
from cadrecode.config import TrainConfig, load_yaml
from cadrecode.errors import ConfigError
from cadrecode.jobs import queue
from cadrecode.runs import Run
from cadrecode.ui import models
from cadrecode.ui.adapters import actions as handing_on
from cadrecode.ui.adapters.actions import DOWNLOADS  # noqa: F401  where `build.serve` finds it
from cadrecode.ui.background import Report, Result, follow
from cadrecode.ui.draw import confirm, html
from cadrecode.ui.draw.table import PICK
from cadrecode.ui.events import hear, told
from cadrecode.ui.services import Services
from cadrecode.ui.train import views as watching
from cadrecode.ui.words.text import Words

STEPS = ("merging", "saving", "done")  # of a merge


# --- handlers: they know no widgets ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Card:
    """An adapter, as it is shown: what is said of it, by the word for it."""

    name: str
    facts: tuple[tuple[str, str], ...]
    in_use: bool
    merged_bytes: int | None


def cards(services: Services, words: Words) -> list[Card]:
    """Every adapter there is, newest first."""
    used = models.in_use(services)[1]
    return [_card(info, info.name == used, words) for info in discover_adapters(services.runs_dir)]


def _card(info: AdapterInfo, in_use: bool, words: Words) -> Card:
    run = Run(info.folder)
    status = run.status() if run.exists() else {}
    merged = handing_on.folder_size(info.merged) if info.merged else None
    facts = (
        ("base", models.base_words(info.base, words) if info.base == "embedded" else Path(info.base).name),
        ("data", _data(info.folder)),
        ("rank", f"{info.r} / {info.alpha}"),
        ("steps", f"{status['step']:,}" if status.get("step") else "–"),
        ("iou", _scores(run)),
        ("size", html.file_size(info.size_mb * 1e6)),
        ("merged", html.file_size(merged) if merged is not None else words("adapters.not_merged")),
    )
    return Card(info.name, tuple((words(f"adapters.{key}"), said) for key, said in facts), in_use, merged)


def _scores(run: Run) -> str:
    """The median IoU of the base, where it was measured, and of the adapter."""
    rows = [row for row in watching.metrics(run) if row.get("median_iou") is not None]
    if not rows:
        return "–"
    before = f"{rows[0]['median_iou']:.2f} → " if rows[0]["step"] == 0 and len(rows) > 1 else ""
    return f"{before}{rows[-1]['median_iou']:.2f}"


def _data(folder: Path) -> str:
    try:
        path = load_yaml(folder / "config.yaml", TrainConfig).train_data_path
    except ConfigError:  # an adapter from elsewhere, without our settings file
        return "–"
    return path.removeprefix("invent:") if path.startswith("invent:") else Path(path).name


def cards_html(listed: list[Card], chosen: str | None, words: Words) -> str:
    """The cards; one can be picked, by mouse and keyboard."""
    shown = ""
    for card in listed:
        facts = "".join(f"<dt>{escape(word)}</dt><dd>{escape(said)}</dd>" for word, said in card.facts)
        used = f'<span class="cr-pill done">{escape(words("adapters.in_use"))}</span>' if card.in_use else ""
        picked = f'role="option" tabindex="0" aria-selected="{str(card.name == chosen).lower()}"'
        name = escape(card.name)
        shown += f'<div class="cr-card" data-name="{name}" {picked}><h4>{name} {used}</h4><dl>{facts}</dl></div>'
    return f'<div class="cr-cards" role="listbox" aria-label="{escape(words("adapters.title"))}">{shown}</div>'


def merge(name: str | None, services: Services, report: Report):
    """Merge an adapter into its base, beside the adapter; verified before it is reported. Returns the MergeReport."""
    from cadrecode.merging.merge import merge as merge_weights

    info = models.find(services, name)
    return merge_weights(
        info.base,
        info.folder,
        info.folder / "merged_model",
        on_progress=lambda stage, share: report(stage, STEPS.index(stage) + 1, len(STEPS)),
    )


def delete(name: str | None, services: Services) -> None:
    """Remove an adapter and its run folder. Raises: it is in use by a run, or gone."""
    info = models.find(services, name)
    models.forget(services, info.name)
    run = Run(info.folder)
    if run.exists():
        queue.delete(run)
    else:
        shutil.rmtree(info.folder)
    handing_on.forget_downloads(info.name, services)


def answering(services: Services, words: Words) -> str:
    """What answers now."""
    engine = services.engine
    if engine.base is None:
        return html.note(words("adapters.none_loaded"))
    name = models.base_words(engine.base, words)
    return html.note(words("adapters.answering", model=f"{name} + {engine.active}" if engine.active else name))


# --- the tab ----------------------------------------------------------------------------------------------------------


def build(services: Services, words: Words, page: gr.Blocks, tabs: gr.Tabs, tab: gr.Tab) -> None:
    """Lay the tab out and wire it."""
    chosen = gr.State(None)
    shown = gr.HTML(cards_html([], None, words), js_on_load=PICK, elem_id="adapters", padding=False)
    status = gr.HTML(min_height=24)
    with gr.Column(visible=False) as nothing:
        gr.HTML(html.empty(words("adapters.empty")))
        with gr.Row():
            gr.HTML("")
            to_train = gr.Button(words("adapters.go"), min_width=160, scale=0)
            gr.HTML("")
    picked = gr.HTML(elem_id="adapter-picked", min_height=24)
    small = {"size": "sm", "min_width": 210}
    with gr.Row(elem_classes="cr-actions"):
        use = gr.Button(words("adapters.use"), variant="primary", interactive=False, elem_id="adapter-use", **small)
        back = gr.Button(words("adapters.back"), elem_id="adapter-back", **small)
        fold = gr.Button(words("adapters.merge"), interactive=False, elem_id="merge", **small)
        pack = gr.Button(words("adapters.pack"), interactive=False, elem_id="pack-adapter", **small)
        whole = gr.Button(words("adapters.pack_merged"), interactive=False, elem_id="pack-merged", **small)
        take = gr.UploadButton(words("adapters.import"), file_types=[".zip"], elem_id="import-adapter", **small)
        remove = gr.Button(
            words("adapters.delete"), variant="stop", interactive=False, elem_id="adapter-delete", **small
        )
    sure = confirm.asking(words("adapters.sure"), words("adapters.delete.yes"), "adapter-delete-yes", words)
    progress = gr.HTML(html.idle(), min_height=44, elem_id="merge-progress")
    files = gr.File(label=words("adapters.file"), interactive=False, visible=False, elem_id="adapter-file")

    def refresh(name: str | None):
        listed = {card.name: card for card in cards(services, words)}
        card = listed.get(name) or next(iter(listed.values()), None)
        name = card.name if card else None
        able = gr.update(interactive=card is not None)
        size = f" ({html.file_size(card.merged_bytes)})" if card and card.merged_bytes else ""
        return {
            shown: cards_html(list(listed.values()), name, words),
            chosen: name,
            picked: html.note(words("adapters.picked", name=name)) if name else "",
            nothing: gr.update(visible=card is None),
            status: answering(services, words),
            **dict.fromkeys((use, fold, pack, remove), able),
            whole: gr.update(interactive=bool(size), value=words("adapters.pack_merged") + size),
        }

    looks = [shown, chosen, picked, nothing, status, use, fold, pack, whole, remove]

    def look(event):
        return hear(event, refresh, chosen, looks, words)

    look(page.load)
    look(tab.select)
    hear(to_train.click, lambda: gr.update(selected="train"), None, tabs, words)

    def pick(event: gr.EventData):
        return event.name, gr.update(visible=False), html.idle()

    look(hear(shown.select, pick, None, [chosen, files, progress], words).success)

    def use_now(name: str | None):
        yield html.progress(words.stage("loading"), 0, 1)
        yield html.idle(words("adapters.used", model=models.use(services, None, models.find(services, name).name)))

    def use_base():
        yield html.progress(words.stage("loading"), 0, 1)
        yield html.idle(words("adapters.used", model=models.use(services, None, None)))

    look(hear(use.click, use_now, chosen, progress, words).success)
    look(hear(back.click, use_base, None, progress, words).success)

    def merge_live(name: str | None) -> Iterator:
        yield html.progress(words.stage("loading"), 0, len(STEPS)), gr.update(interactive=False)
        try:
            for item in follow(lambda report: merge(name, services, report)):
                if isinstance(item, Result):
                    done = item.value
                    said = words("merge.verified", x=f"{done.max_logit_difference:.1e}", tensors=done.tensors)
                    yield html.progress(said, 1, 1), gr.update(interactive=True)
                else:
                    said = f"{item.done} / {item.total} · {words.stage(item.stage)}"
                    yield html.progress(said, item.done, item.total), gr.update(interactive=False)
        except Exception as error:
            yield html.bad(told(error, words)), gr.update(interactive=True)
            raise

    look(hear(fold.click, merge_live, chosen, [progress, fold], words).success)

    def offer(make):
        def offered(name: str | None):
            paths = make(name, services)
            size = html.file_size(sum(path.stat().st_size for path in paths))
            shown = [str(path) for path in paths]
            said = html.idle(words("adapters.packed", size=size))
            return gr.update(value=shown if len(shown) > 1 else shown[0], visible=True), said

        return offered

    hear(pack.click, offer(handing_on.pack_adapter), chosen, [files, progress], words)
    hear(whole.click, offer(handing_on.offer_merged), chosen, [files, progress], words)

    def take_in(path: str):
        try:
            name = handing_on.take_in(path, services)
        except Exception as error:
            yield gr.skip(), html.bad(told(error, words))
            raise
        yield name, html.idle(words("adapters.imported", name=name))

    look(hear(take.upload, take_in, take, [chosen, progress], words).success)

    removed = confirm.ask_first(remove, sure, lambda name: delete(name, services), chosen, words)
    look(removed.success)
