"""Reconstruct: "what is this part?"."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import gradio as gr

from cadrecode.config import UNITS, ReconstructConfig
from cadrecode.errors import CadrecodeError, Message, ProgramError
from cadrecode.part import Part
from cadrecode.ui import events, models
from cadrecode.ui.background import Result, follow
from cadrecode.ui.browser import again, browser_state, remember
from cadrecode.ui.draw import html
from cadrecode.ui.events import told
from cadrecode.ui.reconstruct import describe, dimensions, link, samples
from cadrecode.ui.reconstruct.actions import open_cloud, rebuild, run_program
from cadrecode.ui.reconstruct.files import KINDS, write_files
from cadrecode.ui.reconstruct.options import USUAL, align_box, candidates_slider, clean_box, fit_slider
from cadrecode.ui.reconstruct.state import Work
from cadrecode.ui.reconstruct.views import (
    DEVIATION,
    SOLID,
    WITH_POINTS,
    cloud_view,
    stage_words,
    strip,
    strip_title,
    view,
)
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


# --- the tab ----------------------------------------------------------------------------------------------------------


def build(services: Services, words: Words, page: gr.Blocks, tab: gr.Tab) -> None:
    """Lay the tab out and wire it."""
    work = gr.State(None)
    turned = gr.State(None)  # the part that the sliders are made for
    with gr.Row(equal_height=False):
        with gr.Column(scale=1, min_width=300):
            upload = gr.File(label=words("cloud.drop"), height=100, elem_id="cloud-file")
            gallery = gr.Gallery(
                label=words("cloud.samples"), show_label=False, columns=4, height="auto", allow_preview=False,
                object_fit="contain", interactive=False, buttons=[], elem_id="samples", visible=bool(samples.samples()),
            )  # fmt: skip
            preview = gr.Model3D(
                label=words("cloud.preview"), height=150, camera_position=CAMERA, interactive=False, elem_id="cloud"
            )
            facts = gr.HTML(html.note(words("cloud.none")), min_height=44, elem_id="cloud-facts")
            unit = gr.Dropdown(list(UNITS), value="mm", label=words("cloud.unit"), elem_id="unit")
            with gr.Accordion(words("options.title"), open=False):
                candidates = candidates_slider(words)
                temperature = gr.Slider(
                    0.1, 1.5, USUAL.temperature, step=0.05,
                    label=words("options.temperature"), info=words("options.temperature.info"),
                )  # fmt: skip
                fit_seconds = fit_slider(words, "fit-seconds")
                align, clean = align_box(words, "align"), clean_box(words, "clean")
                seed = gr.Number(USUAL.seed, precision=0, label=words("options.seed"), info=words("options.seed.info"))
                base = gr.Dropdown([], label=words("options.base"), allow_custom_value=True)
                adapter = gr.Dropdown([], label=words("options.adapter"))
            with gr.Row():
                go = gr.Button(words("rebuild.go"), variant="primary", elem_id="rebuild")
                cancel = gr.Button(words("rebuild.cancel"), interactive=False, elem_id="cancel", min_width=90)
            progress = gr.HTML(html.idle(), min_height=44)
        with gr.Column(scale=3, min_width=340):
            result = gr.Model3D(
                label=words("result.title"),
                height=HEIGHT,
                camera_position=CAMERA,
                interactive=False,
                elem_id="result",
            )
            modes = [
                (words("mode.points"), WITH_POINTS), (words("mode.deviation"), DEVIATION), (words("mode.solid"), SOLID),
            ]  # fmt: skip
            mode = gr.Radio(
                modes, value=WITH_POINTS, show_label=False, container=False, label=words("mode.title"), elem_id="mode"
            )
            numbers = gr.HTML(describe.numbers(Work(), words), min_height=52, elem_id="numbers")
            chosen = gr.Gallery(
                label=words("candidates.title"), columns=8, height="auto", allow_preview=False, object_fit="contain",
                interactive=False, buttons=[], elem_id="candidates", elem_classes="cr-strip", visible=False,
            )  # fmt: skip
            with gr.Row(elem_classes="cr-files"):
                named = {kind: words(f"files.{kind}") for kind in ("aligned", "deviation", "report", "page")}
                files = [
                    gr.DownloadButton(
                        named.get(kind, f".{kind}"), interactive=False, size="sm", elem_id=f"download-{kind}",
                        min_width=110,
                    )
                    for kind in KINDS
                ]  # fmt: skip
                make_link = gr.Button(words("link.make"), size="sm", elem_id="make-link", min_width=110)
            address = gr.Textbox(
                label=words("link.label"), info=words("link.info"), visible=False, buttons=["copy"], max_lines=1,
                elem_id="link",
            )  # fmt: skip
            files_note = gr.HTML("", padding=False)
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

    pictures = [result, numbers, code, fault]

    def draw(now: Work, mode: str):
        shown = now.shown
        return (
            view(now, mode, services),
            describe.numbers(now, words, words("result.checking")),
            shown.program if shown else "",
            "",
        )

    def draw_strip(now: Work):
        small = strip(now)
        return gr.update(
            value=small,
            label=strip_title(now, words),
            visible=bool(small),
            selected_index=now.chosen if small else None,
        )

    def draw_cloud(now: Work):
        return cloud_view(now, services), describe.cloud_facts(now.cloud, now.unit, words, now.source)

    def make_files(now: Work):
        made = write_files(now, services, words)
        buttons = [
            gr.update(value=str(made.paths[kind]) if kind in made.paths else None, interactive=kind in made.paths)
            for kind in KINDS
        ]
        return [describe.numbers(now, words, made.validity), html.note(made.note) if made.note else "", *buttons]

    def no_files():
        return [gr.update(value=None, interactive=False) for _ in KINDS]

    def show_part(event):
        """Draw what is shown now, then make its files: the picture does not wait for OpenCASCADE."""
        drawn = hear(event.success, draw, [work, mode], pictures, words)
        hear(drawn.success, lambda now: now.shown, work, turned, words)
        return hear(drawn.success, make_files, work, [numbers, files_note, *files], words)

    def show_cloud(event):
        drawn = hear(event.success, draw_cloud, work, [preview, facts], words)
        drawn = hear(drawn.success, draw, [work, mode], pictures, words)
        fresh = [chosen, turned, *files]
        return hear(drawn.success, lambda now: [draw_strip(now), now.shown, *no_files()], work, fresh, words)

    # the first look
    def first(request: gr.Request):
        services.page_is_there.set()
        shared = request.query_params.get(link.QUERY)
        now = link.opened(shared) if shared else samples.first_work()
        return now, now.unit

    opened = hear(page.load, first, None, [work, unit], words)
    hear(page.load, lambda: list(samples.thumbnails(words.language)), None, gallery, words)
    opened = hear(opened.success, draw_cloud, work, [preview, facts], words)
    show_part(opened)

    def offer_models():
        bases, adapters = models.choices(services, words)
        base_now, adapter_now = models.in_use(services)
        return gr.update(choices=bases, value=base_now), gr.update(choices=adapters, value=adapter_now)

    for event in (page.load, tab.select):
        hear(event, offer_models, None, [base, adapter], words)

    # a cloud
    show_cloud(hear(upload.upload, lambda path, unit: open_cloud(path, services, unit), [upload, unit], work, words))

    def pick(event: gr.SelectData):
        sample = samples.samples()[event.index]
        now = replace(open_cloud(sample.path, services, sample.unit), source=sample.source)
        return now, sample.unit

    show_cloud(hear(gallery.select, pick, None, [work, unit], words))
    changed = hear(unit.input, lambda now, unit: now.in_unit(unit), [work, unit], work, words)
    changed = hear(changed.success, draw_cloud, work, [preview, facts], words)
    hear(show_part(changed).success, draw_strip, work, chosen, words)

    # a reload
    options = {"candidates": candidates, "temperature": temperature, "fit_seconds": fit_seconds, "align": align,
               "clean": clean, "seed": seed}  # fmt: skip
    kept = browser_state("options")
    remember(kept, options)
    hear(page.load, lambda found: again(found, options), kept, list(options.values()), words)

    # rebuild
    def rebuild_live(
        request: gr.Request,
        now: Work,
        base: str,
        adapter: str,
        *values,
    ) -> Iterator:
        values = dict(zip(options, values)) | {"unit": now.unit}
        visitor = request.session_hash
        busy = (gr.update(interactive=False), gr.update(interactive=True))
        rested = (gr.update(interactive=True), gr.update(interactive=False))
        began = time.monotonic()
        with services.stoppable(visitor) as stop:
            yield gr.skip(), html.progress(words.stage("loading"), 0, 1), *busy

            def work(report):
                config = ReconstructConfig.from_values(values, source=Message("form"))
                return rebuild(now, config, services, report, stop.is_set, base=base, adapter=adapter)

            try:
                for item in follow(work):
                    if isinstance(item, Result):
                        yield (
                            item.value,
                            html.idle(words("rebuild.done", seconds=f"{time.monotonic() - began:.1f}")),
                            *rested,
                        )
                    else:
                        yield gr.skip(), stage_words(item, words), *busy
            except Exception as error:
                yield gr.skip(), html.bad(told(error, words)), *rested
                raise

    asked = hear(
        go.click, rebuild_live, [work, base, adapter, *options.values()],
        [work, progress, go, cancel],
        words, concurrency_limit=8,
    )  # fmt: skip
    show_part(asked)
    hear(asked.success, draw_strip, work, chosen, words)

    def cancel_now(request: gr.Request):
        services.cancel(request.session_hash)

    hear(cancel.click, cancel_now, None, None, words)

    # looking around
    hear(mode.input, lambda now, mode: view(now, mode, services), [work, mode], result, words)

    def choose(now: Work, event: gr.SelectData):
        return now.choosing(event.index)

    show_part(hear(chosen.select, choose, work, work, words))

    # the program
    def run_now(now: Work, text: str, mode: str):
        try:
            after = run_program(now, text, services)
        except ProgramError as error:
            return now, gr.skip(), gr.skip(), describe.program_error(error, text, words)
        return after, view(after, mode, services), describe.numbers(after, words, words("result.checking")), ""

    ran = hear(run.click, run_now, [work, code, mode], [work, result, numbers, fault], words)
    hear(ran.success, make_files, work, [numbers, files_note, *files], words)
    hear(ran.success, lambda now: now.shown, work, turned, words)

    def to_share(now: Work):
        if now.shown is None:
            raise CadrecodeError("There is no part yet to share: press Rebuild first.")
        return gr.update(value=link.packed(now.shown.program, now.unit), visible=True)

    shared = hear(make_link.click, to_share, work, address, words)
    shared.success(None, address, address, js=WHOLE_ADDRESS, api_visibility="private")

    # its dimensions
    def move(names: tuple[str, ...], now: Work, base: Part, mode: str, *values):
        try:
            after = dimensions.moved(now, base, dict(zip(names, values)))
        except ProgramError as error:
            return now, gr.skip(), gr.skip(), gr.skip(), html.bad(words.said(str(error)))
        checking = describe.numbers(after, words, words("result.checking"))
        return after, view(after, mode, services), checking, after.shown.program, ""

    with sliders:

        @gr.render(inputs=[turned, unit], triggers=[turned.change, unit.input], show_progress="hidden")
        def show_sliders(base: Part | None, unit: str):
            sizes, places = dimensions.named(base)
            if base is None:
                return
            gr.Markdown(f"**{words('dimensions.title')}**")
            if not sizes:
                gr.HTML(html.note(words("dimensions.none")))
                return
            made = [dimensions.slider(p, words.dimension(p.name), unit) for p in sizes]
            if places:
                with gr.Accordion(words("dimensions.places"), open=False):
                    made += [dimensions.slider(p, words.dimension(p.name), unit) for p in places]
            if more := dimensions.left_out(base):
                gr.HTML(html.note(words("dimensions.more", n=more)))
            reset = gr.Button(words("dimensions.reset"), size="sm")
            names = tuple(p.name for p in (*sizes, *places))
            after_move = [work, result, numbers, code, fault]
            slid = hear(  # without the queue: one answer to one request, where a hand waits for it
                partial(gr.on, [one.input for one in made]), partial(move, names), [work, turned, mode, *made],
                after_move, words, trigger_mode="always_last", queue=False,
            )  # fmt: skip
            hear(slid.success, make_files, work, [numbers, files_note, *files], words, trigger_mode="always_last")
            put_back = hear(reset.click, lambda: [p.value for p in (*sizes, *places)], None, made, words)
            put_back = hear(put_back.success, partial(move, ()), [work, turned, mode], after_move, words)
            hear(put_back.success, make_files, work, [numbers, files_note, *files], words)
