"""Adapters: "what do I have, and how do I hand it on?". Drawing and wiring."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import gradio as gr

from cadrecode.adapters import find_adapter
from cadrecode.ui import models
from cadrecode.ui.adapters import actions, incoming, views
from cadrecode.ui.draw import confirm, html
from cadrecode.ui.draw.table import PICK
from cadrecode.ui.events import error_text, hear
from cadrecode.ui.services import Services
from cadrecode.ui.words.text import Words

LOOK_SECONDS = 1.0  # how often a page looks at a merge that is at work
# A file that was just packed is saved without another press; of several, a person picks.
SAVE = """() => {
  const save = (tries) => {
    const links = document.querySelectorAll('#adapter-file a[href]');
    if (links.length === 1) links[0].click();
    else if (!links.length && tries) setTimeout(save, 100, tries - 1);
  };
  setTimeout(save, 300, 20);
}"""


class Shown:
    """The widgets of the tab, laid out."""

    def __init__(self, words: Words):
        self.chosen = gr.State(None)  # name of the adapter
        self.followed = gr.State(None)  # name of the merge that was at work when this page last looked
        self.cards = gr.HTML(views.cards_html([], None, words), js_on_load=PICK, elem_id="adapters", padding=False)
        self.status = gr.HTML(min_height=24)
        with gr.Column(visible=False) as self.nothing:
            gr.HTML(html.empty(words("adapters.empty")))
            with gr.Row():
                gr.HTML("")
                self.to_train = gr.Button(words("adapters.go"), min_width=160, scale=0)
                gr.HTML("")
        self.picked = gr.HTML(elem_id="adapter-picked", min_height=24)
        small = {"size": "sm", "min_width": 120}
        off = {"interactive": False, **small}
        with gr.Row(elem_classes="cr-actions"):
            self.use = gr.Button(words("adapters.use"), variant="primary", elem_id="adapter-use", **off)
            self.back = gr.Button(words("adapters.back"), elem_id="adapter-back", **small)
            self.merge = gr.Button(words("adapters.merge"), elem_id="merge", **off)
            self.pack = gr.Button(words("adapters.pack"), elem_id="pack-adapter", **off)
            self.pack_merged = gr.Button(words("adapters.pack_merged"), elem_id="pack-merged", **off)
            self.take = gr.UploadButton(
                words("adapters.import"), file_types=[".zip"], elem_id="import-adapter", **small
            )
            self.remove = gr.Button(words("adapters.delete"), variant="stop", elem_id="adapter-delete", **off)
        self.remove_question = confirm.asking(
            words("adapters.sure"), words("adapters.delete.yes"), "adapter-delete-yes", words
        )
        self.progress = gr.HTML(html.idle(), min_height=44, elem_id="merge-progress")
        self.files = gr.File(label=words("adapters.file"), interactive=False, visible=False, elem_id="adapter-file")


def build(services: Services, words: Words, page: gr.Blocks, tabs: gr.Tabs, tab: gr.Tab) -> None:
    """Lay the tab out and wire it."""
    shown = Shown(words)
    look, picked = _wire_list(shown, services, words, page, tabs, tab)
    _wire_model(shown, look, services, words)
    _wire_merge(shown, look, [picked.success, tab.select], services, words)
    _wire_files(shown, look, services, words)


def _wire_list(
    shown: Shown, services: Services, words: Words, page: gr.Blocks, tabs: gr.Tabs, tab: gr.Tab
) -> tuple[Callable[[Callable], gr.events.Dependency], gr.events.Dependency]:
    """Returns what makes the list follow an event, and the event of picking a card."""

    def refresh(chosen: str | None):
        listed = {card.name: card for card in views.cards(services, words)}
        card = listed.get(chosen) or next(iter(listed.values()), None)
        name = card.name if card else None
        choice = {} if name == chosen else {shown.chosen: name}  # in the meantime a person may have picked another
        able = gr.update(interactive=card is not None)
        merge = views.merge_look(name, services, words)
        size = f" ({html.file_size(card.merged_bytes)})" if card and card.merged_bytes else ""
        return {
            shown.cards: views.cards_html(list(listed.values()), name, words),
            **choice,
            shown.picked: html.note(words("adapters.picked", name=name)) if name else "",
            shown.nothing: gr.update(visible=card is None),
            shown.status: views.answering(services, words),
            **dict.fromkeys((shown.use, shown.pack, shown.remove), able),
            shown.merge: gr.update(interactive=card is not None and not (merge and merge.busy)),
            shown.pack_merged: gr.update(interactive=bool(size), value=words("adapters.pack_merged") + size),
        }

    outputs = [
        shown.cards, shown.chosen, shown.picked, shown.nothing, shown.status, shown.use, shown.merge, shown.pack,
        shown.pack_merged, shown.remove,
    ]  # fmt: skip

    def look(event: Callable) -> gr.events.Dependency:
        return hear(event, refresh, shown.chosen, outputs, words)

    def pick(event: gr.EventData):
        return event.name, None, gr.update(visible=False), html.idle()

    look(page.load)
    look(tab.select)
    replaced = [shown.chosen, shown.followed, shown.files, shown.progress]
    picked = hear(shown.cards.select, pick, None, replaced, words)
    look(picked.success)
    hear(shown.to_train.click, lambda: gr.update(selected="train"), None, tabs, words)
    return look, picked


def _wire_model(shown: Shown, look: Callable, services: Services, words: Words) -> None:
    """Wire the choice of the model that answers."""

    def use(name: str | None):
        yield html.progress(words.stage("loading"), 0, 1)
        adapter = find_adapter(services.runs_dir, name).name
        yield html.idle(words("adapters.used", model=models.use(services, None, adapter)))

    def use_base():
        yield html.progress(words.stage("loading"), 0, 1)
        yield html.idle(words("adapters.used", model=models.use(services, None, None)))

    look(hear(shown.use.click, use, shown.chosen, shown.progress, words).success)
    look(hear(shown.back.click, use_base, None, shown.progress, words).success)


def _wire_merge(shown: Shown, look: Callable, events: Sequence[Callable], services: Services, words: Words) -> None:
    """Merging, which is done in the queue: a page shows the merge of its adapter, wherever it was started.

    Args:
        events: After these, another adapter may be chosen.
    """
    timer = gr.Timer(LOOK_SECONDS, active=False)
    inputs, outputs = [shown.chosen, shown.followed], [shown.followed, timer, shown.progress]

    def refresh(name: str | None, followed: str | None):
        now = views.merge_look(name, services, words)
        if now is None or not (now.busy or now.run == followed):  # of an earlier merge the cards show the result
            return {shown.followed: None, timer: gr.update(active=False)}
        return {
            shown.followed: now.run if now.busy else None,
            timer: gr.update(active=now.busy),
            shown.progress: now.html,
        }

    started = hear(
        shown.merge.click, lambda name: actions.merge(name, services).name, shown.chosen, shown.followed, words
    )
    for event in (started.success, *events, timer.tick):
        hear(event, refresh, inputs, outputs, words)
    look(shown.followed.change)


def _wire_files(shown: Shown, look: Callable, services: Services, words: Words) -> None:
    """Downloads, an upload, and deleting."""

    def offer(make: Callable[..., list[Path]]):
        def offered(name: str | None):
            paths = make(name, services)
            size = html.file_size(sum(path.stat().st_size for path in paths))
            names = [str(path) for path in paths]
            message = html.idle(words("adapters.packed", size=size))
            return gr.update(value=names if len(names) > 1 else names[0], visible=True), message

        return offered

    for button, make in ((shown.pack, actions.pack_adapter), (shown.pack_merged, actions.offer_merged)):
        packed = hear(button.click, offer(make), shown.chosen, [shown.files, shown.progress], words)
        packed.success(None, None, None, js=SAVE, api_visibility="private")

    def take_in(path: str):
        try:
            name = incoming.take_in(path, services)
        except Exception as error:
            yield gr.skip(), html.bad(error_text(error, words))
            raise
        yield name, html.idle(words("adapters.imported", name=name))

    look(hear(shown.take.upload, take_in, shown.take, [shown.chosen, shown.progress], words).success)
    removed = confirm.ask_first(
        shown.remove, shown.remove_question, lambda name: actions.delete(name, services), shown.chosen, words
    )
    look(removed.success)
