"""Reconstruct: "what is this part?". Drawing and wiring; what happens is in `actions`, what is shown in `views`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import gradio as gr

from cadrecode.config import UNITS, ReconstructConfig
from cadrecode.errors import Message, ProgramError
from cadrecode.part import Part
from cadrecode.ui import events, models
from cadrecode.ui.background import OnProgress, Result, follow
from cadrecode.ui.browser import browser_state, put_back, remember
from cadrecode.ui.draw import html
from cadrecode.ui.events import error_text
from cadrecode.ui.reconstruct import actions, describe, dimensions, link, samples, views
from cadrecode.ui.reconstruct.files import KINDS, write_files
from cadrecode.ui.reconstruct.options import USUAL, align_box, candidates_slider, clean_box, fit_slider, snap_field
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
CAMERA = (55, 62, 4.0)  # degrees and distance: from the front right, a little above
HEIGHT = "clamp(280px, 42vw, 440px)"
STRIP: dict[str, Any] = {
    "height": "auto", "allow_preview": False, "object_fit": "contain", "interactive": False, "buttons": [],
}  # fmt: skip


def build(services: Services, words: Words, page: gr.Blocks, tab: gr.Tab) -> None:
    """Lay the tab out and wire it."""
    with gr.Row(equal_height=False):
        with gr.Column(scale=1, min_width=300):
            form = _draw_form(words)
        with gr.Column(scale=3, min_width=340):
            shown = _draw_part(words)
    screen = Screen(services, words, form, shown, gr.State(None), gr.State(None))
    _wire_opening(screen, page, tab)
    _wire_cloud(screen)
    _wire_rebuild(screen)
    _wire_looks(screen)
    _wire_program(screen)
    _wire_sliders(screen)


# --- the widgets ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Form:
    """The widgets on the left: a cloud, and how it is rebuilt."""

    upload: gr.File
    gallery: gr.Gallery
    preview: gr.Model3D
    facts: gr.HTML
    unit: gr.Dropdown
    options: dict[str, gr.components.Component]  # a field for each setting, but for the unit
    base: gr.Dropdown
    adapter: gr.Dropdown
    go: gr.Button
    cancel: gr.Button
    progress: gr.HTML


@dataclass(frozen=True)
class Shown:
    """The widgets on the right: the part."""

    result: gr.Model3D
    mode: gr.Radio
    numbers: gr.HTML
    candidates: gr.Gallery
    files: list[gr.DownloadButton]  # in the order of KINDS
    make_link: gr.Button
    address: gr.Textbox
    note: gr.HTML
    sliders: gr.Column
    code: gr.Code
    run: gr.Button
    fault: gr.HTML

    @property
    def pictures(self) -> list[gr.components.Component]:
        """What `views.drawn` fills."""
        return [self.result, self.numbers, self.code, self.fault]


def _draw_form(words: Words) -> Form:
    upload = gr.File(label=words("cloud.drop"), height=100, elem_id="cloud-file")
    gallery = gr.Gallery(
        label=words("cloud.samples"), show_label=False, columns=4, elem_id="samples",
        visible=bool(samples.samples()), **STRIP,
    )  # fmt: skip
    preview = gr.Model3D(
        label=words("cloud.preview"), height=150, camera_position=CAMERA, interactive=False, elem_id="cloud"
    )
    facts = gr.HTML(html.note(words("cloud.none")), min_height=44, elem_id="cloud-facts")
    unit = gr.Dropdown(list(UNITS), value=USUAL.unit, label=words("cloud.unit"), elem_id="unit")
    with gr.Accordion(words("options.title"), open=False):
        options = {
            "candidates": candidates_slider(words),
            "temperature": gr.Slider(
                0.1, 1.5, USUAL.temperature, step=0.05,
                label=words("options.temperature"), info=words("options.temperature.info"),
            ),
            "fit_seconds": fit_slider(words, "fit-seconds"),
            "align": align_box(words, "align"),
            "clean": clean_box(words, "clean"),
            "snap": snap_field(words, "snap"),
            "seed": gr.Number(USUAL.seed, precision=0, label=words("options.seed"), info=words("options.seed.info")),
        }  # fmt: skip
        base = gr.Dropdown([], label=words("options.base"), allow_custom_value=True)
        adapter = gr.Dropdown([], label=words("options.adapter"))
    with gr.Row():
        go = gr.Button(words("rebuild.go"), variant="primary", elem_id="rebuild")
        cancel = gr.Button(words("rebuild.cancel"), interactive=False, elem_id="cancel", min_width=90)
    progress = gr.HTML(html.idle(), min_height=44)
    return Form(upload, gallery, preview, facts, unit, options, base, adapter, go, cancel, progress)


def _draw_part(words: Words) -> Shown:
    result = gr.Model3D(
        label=words("result.title"), height=HEIGHT, camera_position=CAMERA, interactive=False, elem_id="result"
    )
    modes = [(words(f"mode.{mode}"), mode) for mode in (views.WITH_POINTS, views.DEVIATION, views.SOLID)]
    mode = gr.Radio(
        modes, value=views.WITH_POINTS, show_label=False, container=False, label=words("mode.title"), elem_id="mode"
    )
    numbers = gr.HTML(describe.numbers(Work(), words), min_height=52, elem_id="numbers")
    candidates = gr.Gallery(
        label=words("candidates.title"), columns=8, elem_id="candidates", elem_classes="cr-strip", visible=False,
        **STRIP,
    )  # fmt: skip
    with gr.Row(elem_classes="cr-files"):
        labels = {kind: words(f"files.{kind}") for kind in ("aligned", "deviation", "report", "page")}
        files = [
            gr.DownloadButton(
                labels.get(kind, f".{kind}"), interactive=False, size="sm", elem_id=f"download-{kind}", min_width=110
            )
            for kind in KINDS
        ]
        make_link = gr.Button(words("link.make"), size="sm", elem_id="make-link", min_width=110)
    address = gr.Textbox(
        label=words("link.label"), info=words("link.info"), visible=False, buttons=["copy"], max_lines=1, elem_id="link"
    )
    note = gr.HTML("", padding=False)
    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=300, elem_id="dimensions") as sliders:
            pass
        with gr.Column(scale=3, min_width=300):
            code = gr.Code(
                label=words("program.title"), language="python", interactive=True, lines=8, wrap_lines=True,
                elem_id="program",
            )  # fmt: skip
            run = gr.Button(words("program.run"), size="sm", elem_id="run-program")
            fault = gr.HTML("", elem_id="program-error")
    return Shown(result, mode, numbers, candidates, files, make_link, address, note, sliders, code, run, fault)


# --- what is drawn after every change ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Screen:
    """The tab, and the chains of events that draw it.

    Args:
        work: Holds a visitor's `Work`.
        turned: Holds the part that the sliders are made for.
    """

    services: Services
    words: Words
    form: Form
    shown: Shown
    work: gr.State
    turned: gr.State

    def draw(self, work: Work, mode: str) -> tuple:
        return views.drawn(work, mode, self.services, self.words)

    def draw_strip(self, work: Work) -> dict:
        return views.strip_drawn(work, self.words)

    def draw_cloud(self, work: Work) -> tuple:
        facts = describe.cloud_facts(work.cloud, work.unit, self.words, work.source)
        return views.cloud_view(work, self.services), facts

    def make_files(self, work: Work) -> list:
        made = write_files(work, self.services, self.words)
        note = html.note(made.note) if made.note else ""
        return [describe.numbers(work, self.words, made.validity), note, *views.downloads(made.paths)]

    def then_files(self, event: gr.events.Dependency, **options: Any):
        """After an event, make the files of the part on screen: the picture does not wait for OpenCASCADE."""
        shown = self.shown
        return hear(
            event.success, self.make_files, self.work, [shown.numbers, shown.note, *shown.files], self.words, **options
        )

    def then_part(self, event: gr.events.Dependency):
        """After an event, draw the part on screen, its sliders and its files."""
        drawn = hear(event.success, self.draw, [self.work, self.shown.mode], self.shown.pictures, self.words)
        hear(drawn.success, lambda work: work.shown, self.work, self.turned, self.words)
        return self.then_files(drawn)

    def then_strip(self, event: gr.events.Dependency):
        return hear(event.success, self.draw_strip, self.work, self.shown.candidates, self.words)

    def then_cloud(self, event: gr.events.Dependency):
        return hear(event.success, self.draw_cloud, self.work, [self.form.preview, self.form.facts], self.words)

    def then_new_cloud(self, event: gr.events.Dependency):
        """After an event, draw a cloud that has no part yet."""
        shown = self.shown
        drawn = hear(self.then_cloud(event).success, self.draw, [self.work, shown.mode], shown.pictures, self.words)
        fresh = [shown.candidates, self.turned, *shown.files]
        return hear(
            drawn.success,
            lambda work: [self.draw_strip(work), work.shown, *views.downloads({})],
            self.work, fresh, self.words,
        )  # fmt: skip


# --- the events -------------------------------------------------------------------------------------------------------


def _wire_opening(screen: Screen, page: gr.Blocks, tab: gr.Tab) -> None:
    """What is there when the page opens: the sample part or a shared one, the models, what was set before."""
    services, words, form = screen.services, screen.words, screen.form

    def first(request: gr.Request):
        services.page_is_there.set()
        shared = request.query_params.get(link.QUERY)
        work = link.opened(shared) if shared else samples.first_work()
        return work, work.unit

    def offer_models():
        bases, adapters = models.choices(services, words)
        base_now, adapter_now = models.in_use(services)
        return gr.update(choices=bases, value=base_now), gr.update(choices=adapters, value=adapter_now)

    opened = hear(page.load, first, None, [screen.work, form.unit], words)
    hear(page.load, lambda: list(samples.thumbnails(words.language)), None, form.gallery, words)
    screen.then_part(screen.then_cloud(opened))
    for event in (page.load, tab.select):
        hear(event, offer_models, None, [form.base, form.adapter], words)
    memory = browser_state("options")
    remember(memory, form.options)
    hear(page.load, lambda values: put_back(values, form.options), memory, list(form.options.values()), words)


def _wire_cloud(screen: Screen) -> None:
    services, words, form, work = screen.services, screen.words, screen.form, screen.work

    def pick(event: gr.SelectData):
        now = actions.open_sample(event.index, services)
        return now, now.unit

    dropped = hear(
        form.upload.upload, lambda path, unit: actions.open_cloud(path, services, unit), [form.upload, form.unit],
        work, words,
    )  # fmt: skip
    screen.then_new_cloud(dropped)
    screen.then_new_cloud(hear(form.gallery.select, pick, None, [work, form.unit], words))
    changed = hear(form.unit.input, lambda now, unit: now.in_unit(unit), [work, form.unit], work, words)
    screen.then_strip(screen.then_part(screen.then_cloud(changed)))


def _wire_rebuild(screen: Screen) -> None:
    services, words, form, work = screen.services, screen.words, screen.form, screen.work

    def rebuild(request: gr.Request, now: Work, base: str, adapter: str, *values: Any) -> Iterator:
        busy = (gr.update(interactive=False), gr.update(interactive=True))
        rested = (gr.update(interactive=True), gr.update(interactive=False))
        given = dict(zip(form.options, values)) | {"unit": now.unit}
        began = time.monotonic()
        with services.stoppable(request.session_hash) as stop:

            def rebuilt(report: OnProgress) -> Work:
                config = ReconstructConfig.from_values(given, source=Message("form"))
                return actions.rebuild(now, config, services, report, stop.is_set, base=base, adapter=adapter)

            yield gr.skip(), html.progress(words.stage("loading"), 0, 1), *busy
            try:
                for item in follow(rebuilt):
                    if isinstance(item, Result):
                        done = words("rebuild.done", seconds=f"{time.monotonic() - began:.1f}")
                        yield item.value, html.idle(done), *rested
                    else:
                        yield gr.skip(), views.stage_words(item, words), *busy
            except Exception as error:
                yield gr.skip(), html.bad(error_text(error, words)), *rested
                raise

    def cancel(request: gr.Request) -> None:
        services.cancel(request.session_hash)

    inputs = [work, form.base, form.adapter, *form.options.values()]
    outputs = [work, form.progress, form.go, form.cancel]
    done = hear(form.go.click, rebuild, inputs, outputs, words, concurrency_limit=64)
    screen.then_part(done)
    screen.then_strip(done)
    hear(form.cancel.click, cancel, None, None, words)


def _wire_looks(screen: Screen) -> None:
    """Another view, another candidate."""
    shown, words, work = screen.shown, screen.words, screen.work

    def choose(now: Work, event: gr.SelectData) -> Work:
        return now.choosing(event.index)

    look = partial(views.view, services=screen.services)
    hear(shown.mode.input, look, [work, shown.mode], shown.result, words)
    screen.then_part(hear(shown.candidates.select, choose, work, work, words))


def _wire_program(screen: Screen) -> None:
    services, words, shown, work = screen.services, screen.words, screen.shown, screen.work

    def run(now: Work, text: str, mode: str) -> tuple:
        try:
            after = actions.run_program(now, text, services)
        except ProgramError as error:
            return now, gr.skip(), gr.skip(), describe.program_error(error, text, words)
        picture, numbers, _, fault = screen.draw(after, mode)
        return after, picture, numbers, fault

    inputs, outputs = [work, shown.code, shown.mode], [work, shown.result, shown.numbers, shown.fault]
    ran = hear(shown.run.click, run, inputs, outputs, words)
    screen.then_files(ran)
    hear(ran.success, lambda now: now.shown, work, screen.turned, words)

    def share(now: Work) -> dict:
        return gr.update(value=actions.shared(now), visible=True)

    shared = hear(shown.make_link.click, share, work, shown.address, words)
    shared.success(None, shown.address, shown.address, js=WHOLE_ADDRESS, api_visibility="private")


def _wire_sliders(screen: Screen) -> None:
    """A slider for each named number of a part; they are made anew for each part."""
    words, shown, unit = screen.words, screen.shown, screen.form.unit

    def move(names: tuple[str, ...], now: Work, base: Part, mode: str, *values: Any) -> tuple:
        try:
            after = dimensions.moved(now, base, dict(zip(names, values)))
        except ProgramError as error:
            return now, gr.skip(), gr.skip(), gr.skip(), html.bad(error_text(error, words))
        return after, *screen.draw(after, mode)

    def make(base: Part | None, unit: str) -> None:
        if base is None:
            return
        gr.Markdown(f"**{words('dimensions.title')}**")
        sizes, places = dimensions.named(base)
        if not sizes:
            gr.HTML(html.note(words("dimensions.none")))
            return
        reasons = dimensions.reasons(base, words)
        sliders = [dimensions.slider(p, words.dimension(p.name), unit, reasons.get(p.name)) for p in sizes]
        if places:
            with gr.Accordion(words("dimensions.places"), open=False):
                sliders += [dimensions.slider(p, words.dimension(p.name), unit, reasons.get(p.name)) for p in places]
        if more := dimensions.left_out(base):
            gr.HTML(html.note(words("dimensions.more", n=more)))
        reset = gr.Button(words("dimensions.reset"), size="sm")
        numbers, drawn = [*sizes, *places], [screen.work, *shown.pictures]
        state = [screen.work, screen.turned, shown.mode]
        slid = hear(  # without the queue: one answer to one request, where a hand waits for it
            partial(gr.on, [slider.input for slider in sliders]), partial(move, tuple(p.name for p in numbers)),
            [*state, *sliders], drawn, words, trigger_mode="always_last", queue=False,
        )  # fmt: skip
        screen.then_files(slid, trigger_mode="always_last")
        put_back = hear(reset.click, lambda: [p.value for p in numbers], None, sliders, words)
        screen.then_files(hear(put_back.success, partial(move, ()), state, drawn, words))

    with shown.sliders:
        gr.render([screen.turned, unit], triggers=[screen.turned.change, unit.input], show_progress="hidden")(make)
