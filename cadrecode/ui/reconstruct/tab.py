"""Reconstruct: "what is this part?". The events; the widgets are in `layout`, what happens in `actions`, what is shown
in `views`."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any
from weakref import WeakValueDictionary

import gradio as gr

from cadrecode.config import ReconstructConfig
from cadrecode.errors import CadrecodeError, Message, ProgramError
from cadrecode.part import Part
from cadrecode.ui import events, models
from cadrecode.ui.background import OnProgress, Result, follow
from cadrecode.ui.browser import browser_state, put_back, remember
from cadrecode.ui.draw import html
from cadrecode.ui.draw.strip import strip_html
from cadrecode.ui.events import error_text
from cadrecode.ui.reconstruct import actions, describe, dimensions, layout, link, samples, views
from cadrecode.ui.reconstruct.files import write_files
from cadrecode.ui.reconstruct.layout import Form, Shown
from cadrecode.ui.reconstruct.state import Work
from cadrecode.ui.services import Services
from cadrecode.ui.words.text import Words

hear = partial(events.hear, guests=True)
# The packed program as an address of this app, in the clipboard where the browser lets a page write there.
WHOLE_ADDRESS = f"""(packed) => {{
  const address = location.origin + location.pathname + '?{link.QUERY}=' + packed;
  navigator.clipboard?.writeText(address).catch(() => {{}});
  return address;
}}"""

# The secret of a browser's tab, which lasts as long as the tab.
KEY = """() => sessionStorage.cadrecode_tab ??=
  [...crypto.getRandomValues(new Uint8Array(16))].map(x => x.toString(16).padStart(2, '0')).join('')"""


def build(services: Services, words: Words, page: gr.Blocks, tab: gr.Tab) -> None:
    """Lay the tab out and wire it."""
    form, shown = layout.draw(words)
    key = gr.Textbox(visible="hidden", label="key")
    screen = Screen(services, words, form, shown, gr.State(None), gr.State(None), key)
    _wire_opening(screen, page, tab)
    _wire_cloud(screen)
    _wire_rebuild(screen)
    _wire_looks(screen)
    _wire_program(screen)
    _wire_sliders(screen)


# --- what is drawn after every change ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Screen:
    """The tab, and the chains of events that draw it.

    Args:
        work: Holds a visitor's `Work`.
        turned: Holds the part that the sliders are made for.
        key: Holds the secret of the browser's tab, by which a reload finds the work again.
        pages: What each open page shows, by Gradio's name of its session. A copy of a browser's tab has the same key.
    """

    services: Services
    words: Words
    form: Form
    shown: Shown
    work: gr.State
    turned: gr.State
    key: gr.Textbox
    pages: WeakValueDictionary[str, Work] = field(default_factory=WeakValueDictionary)

    def draw(self, work: Work, **options: bool) -> tuple:
        return views.drawn(work, self.words, **options)

    def bring(self, request: gr.Request, work: Work) -> Work:
        """Note a scan that comes onto the page, and end the rebuild of the scan before."""
        self.services.cancel(request.session_hash)
        self.pages[request.session_hash] = work
        return work

    def on_page(self, request: gr.Request, work: Work) -> Work:
        """The work on the page, where it is known; else the given one."""
        return self.pages.get(request.session_hash, work)

    def has_left(self, request: gr.Request, work: Work) -> bool:
        """Whether another scan has come onto the page, which must not get a part of this one's."""
        return self.on_page(request, work).cloud is not work.cloud

    def unless_late(self, request: gr.Request, work: Work, updates: list) -> list:
        """The updates; none where the page has got another part while they were made."""
        return updates if self.on_page(request, work) is work else [gr.skip()] * len(updates)

    def draw_part(self, request: gr.Request, work: Work) -> list:
        """The part, and the rows of its numbers; the files of the part before are no longer offered."""
        self.pages[request.session_hash] = work
        rows = dimensions.rows(work.shown, work.unit, self.words)
        return self.unless_late(request, work, [*self.draw(work), rows, work.shown, *views.downloads({})])

    def draw_cloud(self, work: Work) -> str:
        return describe.cloud_facts(work.cloud, work.unit, self.words, work.source)

    def make_files(self, request: gr.Request, work: Work, key: str) -> list:
        self.pages[request.session_hash] = work
        self.services.keep(key, work)
        made = write_files(work, self.services, self.words)
        note, fault = html.note(made.note) if made.note else "", gr.skip()
        if made.fault is not None:
            fault = describe.program_error(made.fault, work.shown.program, self.words)
            note = html.bad(made.note)
        numbers = describe.numbers(work, self.words, made.validity)
        return self.unless_late(request, work, [numbers, note, fault, *views.downloads(made.paths)])

    def then_files(self, event: gr.events.Dependency):
        """After an event, make the files of the part on screen, and look which numbers move which faces: the picture
        does not wait for either."""
        shown = self.shown
        hear(event.success, partial(views.knowledge, words=self.words), self.work, shown.faces, self.words)
        outputs = [shown.numbers, shown.note, shown.fault, *shown.files]
        return hear(event.success, self.make_files, [self.work, self.key], outputs, self.words)

    def then_part(self, event: gr.events.Dependency):
        """After an event, draw the part on screen, its sliders and its files."""
        outputs = [*self.shown.pictures, self.shown.dimensions, self.turned, *self.shown.files]
        return self.then_files(hear(event.success, self.draw_part, self.work, outputs, self.words))

    def then_strip(self, event: gr.events.Dependency):
        draw = partial(views.strip_drawn, words=self.words)
        return hear(event.success, draw, self.work, self.shown.candidates, self.words)

    def then_cloud(self, event: gr.events.Dependency):
        return hear(event.success, self.draw_cloud, self.work, self.form.facts, self.words)

    def then_new_cloud(self, event: gr.events.Dependency):
        """After an event, draw a cloud that has no part yet."""
        self.then_strip(event)
        self.then_part(self.then_cloud(event))


# --- the events -------------------------------------------------------------------------------------------------------


def _wire_opening(screen: Screen, page: gr.Blocks, tab: gr.Tab) -> None:
    """Fill the page as it opens: the sample part or a shared one, the models, what was set before."""
    services, words, form = screen.services, screen.words, screen.form

    def first(request: gr.Request, key: str):
        services.page_is_there.set()
        shared = request.query_params.get(link.QUERY)
        work = link.opened(shared) if shared else services.works.get(key) or samples.first_work()
        return work, work.unit, key

    def offer_models():
        bases, adapters = models.choices(services, words)
        base_now, adapter_now = models.in_use(services)
        return gr.update(choices=bases, value=base_now), gr.update(choices=adapters, value=adapter_now)

    def offer_samples():
        return strip_html(words("cloud.samples"), samples.thumbnails(words.language))

    opened = hear(page.load, first, screen.key, [screen.work, form.unit, screen.key], words, js=KEY)
    screen.then_strip(opened)
    hear(page.load, offer_samples, None, form.samples, words)
    screen.then_part(screen.then_cloud(opened))
    for event in (page.load, tab.select):
        hear(event, offer_models, None, [form.base, form.adapter], words)
    memory = browser_state("options")
    remember(memory, form.options)
    hear(page.load, lambda values: put_back(values, form.options), memory, list(form.options.values()), words)


def _wire_cloud(screen: Screen) -> None:
    services, words, form, work = screen.services, screen.words, screen.form, screen.work

    def drop(request: gr.Request, path: str, unit: str) -> tuple:
        fault = ""
        try:
            now = actions.open_cloud(path, services, unit)
        except CadrecodeError as error:  # nothing of the part before stays, which might be taken for this file's
            now, fault = Work(unit=unit), html.bad(error_text(error, words))
        return screen.bring(request, now), fault, None  # there is room for the next file

    def pick(request: gr.Request, event: gr.EventData) -> tuple:
        now = screen.bring(request, actions.open_sample(int(event.number), services))
        return now, now.unit, "", None

    dropped = hear(form.upload.upload, drop, [form.upload, form.unit], [work, form.fault, form.upload], words)
    screen.then_new_cloud(dropped)
    outputs = [work, form.unit, form.fault, form.upload]
    screen.then_new_cloud(hear(form.samples.select, pick, None, outputs, words))
    changed = hear(form.unit.input, lambda now, unit: now.in_unit(unit), [work, form.unit], work, words)
    screen.then_strip(screen.then_part(screen.then_cloud(changed)))


def _wire_rebuild(screen: Screen) -> None:
    services, words, form, work = screen.services, screen.words, screen.form, screen.work

    def rebuild(verb: Callable, request: gr.Request, now: Work, base: str, adapter: str, *values: Any) -> Iterator:
        busy = (gr.update(interactive=False), gr.update(interactive=True))
        rested = (gr.update(interactive=True), gr.update(interactive=False))
        given = dict(zip(form.options, values)) | {"unit": now.unit}
        began = time.monotonic()

        with services.stoppable(request.session_hash) as stop:

            def rebuilt(report: OnProgress) -> Work:
                config = ReconstructConfig.from_values(given, source=Message("form"))
                return verb(now, config, services, report, stop.is_set, base=base, adapter=adapter)

            yield gr.skip(), html.progress(words.stage("loading"), 0, 1), *busy
            try:
                for item in follow(rebuilt):
                    if not isinstance(item, Result):
                        yield gr.skip(), views.stage_words(item, words), *busy
                    elif screen.has_left(request, now):
                        yield gr.skip(), html.idle(), *rested
                    else:
                        same = verb is actions.search_longer and item.value.rebuilt is now.rebuilt
                        said = words(
                            "rebuild.nothing" if same else "rebuild.done", seconds=f"{time.monotonic() - began:.1f}"
                        )
                        yield item.value.in_unit(screen.on_page(request, now).unit), html.idle(said), *rested
            except Exception as error:
                if screen.has_left(request, now):
                    yield gr.skip(), html.idle(), *rested
                    return
                yield gr.skip(), html.bad(error_text(error, words)), *rested
                raise

    def cancel(request: gr.Request) -> None:
        services.cancel(request.session_hash)

    inputs = [work, form.base, form.adapter, *form.options.values()]
    outputs = [work, form.progress, form.go, form.cancel]

    def once(request: gr.Request, *given: Any) -> Iterator:
        yield from rebuild(actions.rebuild, request, *given)

    def longer(request: gr.Request, *given: Any) -> Iterator:
        yield from rebuild(actions.search_longer, request, *given)

    for event, handler in ((form.go.click, once), (screen.shown.numbers.select, longer)):
        done = hear(event, handler, inputs, outputs, words, concurrency_limit=64, trigger_mode="once")
        screen.then_part(done)
        screen.then_strip(done)
    hear(form.cancel.click, cancel, None, None, words)


def _wire_looks(screen: Screen) -> None:
    """Another candidate, another tolerance."""
    shown, words, work = screen.shown, screen.words, screen.work

    def choose(now: Work, event: gr.EventData) -> Work:
        return now.choosing(int(event.number))

    def tolerate(now: Work, event: gr.EventData) -> Work:
        return replace(now, tolerance=float(event.tolerance) / html.shown_in(now.unit)[0])

    chosen = hear(shown.candidates.select, choose, work, work, words)
    screen.then_strip(chosen)
    screen.then_part(chosen)
    screen.then_part(hear(shown.numbers.input, tolerate, work, work, words))


def _wire_program(screen: Screen) -> None:
    services, words, shown, work = screen.services, screen.words, screen.shown, screen.work

    def run(request: gr.Request, now: Work, text: str) -> list:
        try:
            after = actions.run_program(now, text, services)
        except ProgramError as error:
            fault = describe.program_error(error, text, words) + html.note(words("program.before"))
            return [now, *[gr.skip()] * 4, fault, *[gr.skip()] * len(shown.files)]
        if screen.has_left(request, now):
            return [gr.skip()] * len(outputs)
        picture, numbers, _, fault = screen.draw(after)
        rows = dimensions.rows(after.shown, after.unit, words)
        return [after, after.shown, picture, numbers, rows, fault, *views.downloads({})]

    inputs = [work, shown.code]
    outputs = [work, screen.turned, shown.view, shown.numbers, shown.dimensions, shown.fault, *shown.files]
    screen.then_files(hear(shown.run.click, run, inputs, outputs, words))
    changed = json.dumps(html.warning(words("program.changed")))
    shown.code.input(None, None, shown.fault, js=f"() => {changed}", api_visibility="private")

    def share(now: Work) -> dict:
        return gr.update(value=actions.shared(now), visible=True)

    shared = hear(shown.make_link.click, share, work, shown.address, words)
    shared.success(None, shown.address, shown.address, js=WHOLE_ADDRESS, api_visibility="private")


def _wire_sliders(screen: Screen) -> None:
    words, shown = screen.words, screen.shown

    def move(now: Work, base: Part, event: gr.EventData) -> tuple:
        try:
            after = dimensions.moved(now, base, dimensions.sent(event, now.unit))
        except ProgramError as error:
            kept = [gr.skip()] * len(shown.files)
            return now, gr.skip(), gr.skip(), gr.skip(), html.bad(error_text(error, words)), *kept
        return after, *screen.draw(after, judged=False), *views.downloads({})

    outputs = [screen.work, *shown.pictures, *shown.files]
    slid = hear(  # without the queue: one answer to one request, where a hand waits for it
        shown.dimensions.input, move, [screen.work, screen.turned], outputs, words,
        queue=False,
    )  # fmt: skip
    screen.then_files(slid)
