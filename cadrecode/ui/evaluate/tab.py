"""Evaluate: "how good is it, honestly?". Drawing and wiring."""

from __future__ import annotations

from typing import Any

import gradio as gr

from cadrecode.cloud import SURFACE_SUFFIXES
from cadrecode.ui.draw import figures, html
from cadrecode.ui.draw.table import empty_table, rows_html
from cadrecode.ui.evaluate import actions, parts, views
from cadrecode.ui.evaluate.actions import INVENTED, OWN, UPLOAD
from cadrecode.ui.events import error_text, hear
from cadrecode.ui.services import Services
from cadrecode.ui.words.text import Words

LOOK_SECONDS = 1.0  # how often a page looks at an evaluation that is at work


def build(services: Services, words: Words, page: gr.Blocks, tab: gr.Tab) -> None:
    """Lay the tab out and wire it."""
    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=320):
            form = Form(services, words)
        with gr.Column(scale=3, min_width=340):
            shown = Shown(words)
    _wire_form(form, services, words, page, tab)
    _wire_scores(form, shown, services, words, tab)


class Form:
    """The widgets that say what to score, laid out, and the buttons below them."""

    def __init__(self, services: Services, words: Words):
        with gr.Column(elem_classes="cr-step"):
            kinds = [(words(f"evaluate.{kind}"), kind) for kind in (INVENTED, UPLOAD, OWN)]
            self.source = gr.Radio(kinds, value=INVENTED, label=words("evaluate.targets"), elem_id="evaluate-source")
            self.family = gr.Dropdown(words.families(), value="brackets", label=words("data.family"))
            self.files = gr.File(
                label=words("evaluate.files"), file_count="multiple", file_types=[*SURFACE_SUFFIXES, ".zip", ".npz"],
                visible=False, elem_id="evaluate-files", height=140,
            )  # fmt: skip
            self.path = gr.Textbox(label=words("evaluate.path"), info=words("evaluate.path.info"), visible=False)
            offered = actions.choices(services, words)
            self.chosen = gr.CheckboxGroup(
                offered, value=_ticked([], offered), label=words("evaluate.models"), elem_id="evaluate-models"
            )
            with gr.Row():
                self.limit, self.candidates, self.seed = (
                    gr.Number(
                        value,
                        precision=0,
                        minimum=minimum,
                        label=words(label),
                        min_width=100,
                        elem_id=f"evaluate-{name}",
                    )
                    for name, value, minimum, label in (
                        ("limit", 50, 1, "evaluate.limit"),
                        ("candidates", 1, 1, "options.candidates"),
                        ("seed", 0, 0, "options.seed"),
                    )
                )
            self.fit_seconds = gr.Slider(
                0, 20, 0, step=1, label=words("evaluate.fit_seconds"), info=words("evaluate.fit_seconds.info"),
                elem_id="evaluate-fit",
            )  # fmt: skip
        with gr.Row():
            self.go = gr.Button(words("evaluate.go"), variant="primary", elem_id="evaluate")
            self.cancel = gr.Button(words("rebuild.cancel"), interactive=False, min_width=90, elem_id="evaluate-cancel")
        self.go_on = gr.Button(words("evaluate.go_on"), visible=False, elem_id="evaluate-go-on")
        self.progress = gr.HTML(html.idle(), min_height=44, elem_id="evaluate-progress")

    @property
    def inputs(self) -> dict[str, gr.components.Component]:
        """The widgets that decide an evaluation, by the names of `actions.start`."""
        names = ("source", "family", "files", "path", "chosen", "candidates", "limit", "seed", "fit_seconds")
        return {name: getattr(self, name) for name in names}


class Shown:
    """The widgets of the scores, laid out."""

    def __init__(self, words: Words):
        self.table = empty_table(*_table_shape(words), elem_id="evaluation")
        self.settings = gr.HTML(elem_id="evaluate-of", padding=False)
        self.hint = gr.HTML(html.empty(words("evaluate.empty")), elem_id="evaluate-hint")
        with gr.Column(visible=False) as self.details:
            self.histogram = gr.Plot(label=words("evaluate.histogram"), elem_id="histogram")
            self.pictures = gr.HTML(elem_id="evaluate-parts", padding=False, js_on_load=parts.FILTER)
            self.skipped = gr.HTML(padding=False)
            with gr.Row(elem_classes="cr-actions"):
                self.page = gr.DownloadButton(
                    words("evaluate.page"), size="sm", variant="primary", elem_id="evaluate-page"
                )
                self.export = gr.DownloadButton(words("evaluate.export"), size="sm")
        gr.HTML(html.note(words("evaluate.how")))
        gr.HTML(views.quoted(words) + html.note(words("quoted.note")), elem_id="quoted", padding=False)


def _table_shape(words: Words) -> tuple[str, list[str], list[bool]]:
    headers = [words(f"evaluate.{key}") for key in views.COLUMNS]
    return words("evaluate.title"), headers, [key != "model" for key in views.COLUMNS]


def _wire_form(form: Form, services: Services, words: Words, page: gr.Blocks, tab: gr.Tab) -> None:
    def show_source(source: str):
        return [gr.update(visible=source == kind) for kind in (INVENTED, UPLOAD, OWN)]

    hear(form.source.input, show_source, form.source, [form.family, form.files, form.path], words)

    def offer(ticked: list[str]):
        offered = actions.choices(services, words)
        value = _ticked(ticked, offered)
        # the value is sent only where it changes: what a person ticks in the meantime stays
        return gr.update(choices=offered) if value == ticked else gr.update(choices=offered, value=value)

    hear(page.load, offer, form.chosen, form.chosen, words)
    hear(tab.select, offer, form.chosen, form.chosen, words)


def _ticked(ticked: list[str], offered: list[tuple[str, str]]) -> list[str]:
    """The ticked models that are still offered, or the first offered model where there are none."""
    values = [value for _, value in offered]
    return [value for value in ticked if value in values] or values[:1]


def _wire_scores(form: Form, shown: Shown, services: Services, words: Words, tab: gr.Tab) -> None:
    seen = gr.State(None)  # the `views.Look` that this page shows
    timer = gr.Timer(LOOK_SECONDS, active=False)
    outputs = [seen, timer, form.progress, form.go, form.cancel, form.go_on, *vars(shown).values()]

    def refresh(before: views.Look | None):
        """The changes since `before`. A page looks again as long as an evaluation is at work."""
        now = views.look(services, words)
        if now == before:
            return [gr.skip()] * len(outputs)
        updates = {
            seen: now,
            timer: gr.update(active=now.busy),
            form.progress: now.html,
            form.go: gr.update(interactive=not now.busy),
            form.cancel: gr.update(interactive=now.busy),
            form.go_on: gr.update(visible=now.resumable),
        }
        results = None if now.busy else views.latest_results(services)
        return updates if results is None else updates | _results(results, shown, services, words)

    hear(tab.select, refresh, seen, outputs, words)
    hear(timer.tick, refresh, seen, outputs, words)

    def start(*values: Any):
        try:
            actions.start(services, **dict(zip(form.inputs, values)))
        except Exception as error:
            yield html.bad(error_text(error, words))
            raise

    for event in (
        hear(form.go.click, start, list(form.inputs.values()), form.progress, words),
        hear(form.go_on.click, lambda: actions.go_on(services), None, None, words),
        hear(form.cancel.click, lambda: actions.cancel(services), None, None, words),
    ):
        hear(event.then, refresh, seen, outputs, words)  # after a failure, too: another page may have started one


def _results(results: views.Results, shown: Shown, services: Services, words: Words) -> dict:
    reports = results.reports
    drawn = parts.parts_html(reports, results.targets, services.sandbox(), words)
    page, report = views.files(results, services, words)
    return {
        shown.table: rows_html(*_table_shape(words), views.rows(reports, words), pickable=False),
        shown.settings: html.note(views.settings_line(results.settings, words)),
        shown.hint: "",
        shown.details: gr.update(visible=True),
        shown.histogram: figures.histogram(views.ious(reports, words), words.curve()),
        shown.pictures: drawn,
        shown.skipped: views.skipped(reports, words),
        shown.page: str(page),
        shown.export: str(report),
    }
