"""Evaluate: "how good is it, honestly?"."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import gradio as gr

from cadrecode.invent.draw import FAMILIES
from cadrecode.ui import models
from cadrecode.ui.background import Report, Result
from cadrecode.ui.draw import figures, html
from cadrecode.ui.draw.table import empty_table, rows_html
from cadrecode.ui.evaluate import actions as evaluation
from cadrecode.ui.evaluate.actions import COLUMNS, INVENTED, OWN, SUFFIXES, UPLOAD
from cadrecode.ui.evaluate.stored import Asked, Kept
from cadrecode.ui.events import hear, told
from cadrecode.ui.services import Services
from cadrecode.ui.words.text import Words


def build(services: Services, words: Words, page: gr.Blocks, tab: gr.Tab) -> None:
    """Lay the tab out and wire it."""
    shape = (
        words("evaluate.title"),
        [words(f"evaluate.{key}") for key in COLUMNS],
        [key != "model" for key in COLUMNS],
    )
    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=320):
            kinds = [(words(f"evaluate.{kind}"), kind) for kind in (INVENTED, UPLOAD, OWN)]
            source = gr.Radio(kinds, value=INVENTED, label=words("evaluate.targets"), elem_id="evaluate-source")
            families = [(f"{key}: {words.family(key, said)}", key) for key, said in FAMILIES.items()]
            family = gr.Dropdown(families, value="brackets", label=words("data.family"))
            files = gr.File(
                label=words("evaluate.files"), file_count="multiple", file_types=[*SUFFIXES, ".zip", ".npz"],
                visible=False, elem_id="evaluate-files", height=140,
            )  # fmt: skip
            path = gr.Textbox(label=words("evaluate.path"), info=words("evaluate.path.info"), visible=False)
            offered = evaluation.choices(services, words)
            chosen = gr.CheckboxGroup(
                offered, value=_ticked([], offered), label=words("evaluate.models"), elem_id="evaluate-models"
            )
            with gr.Row():
                limit = gr.Number(
                    50, precision=0, minimum=1, label=words("evaluate.limit"), min_width=100, elem_id="evaluate-limit"
                )
                candidates = gr.Number(
                    1, precision=0, minimum=1, label=words("options.candidates"), min_width=100,
                    elem_id="evaluate-candidates",
                )  # fmt: skip
                seed = gr.Number(0, precision=0, minimum=0, label=words("options.seed"), min_width=100)
            fit = gr.Slider(
                0, 20, 0, step=1, label=words("evaluate.fit_seconds"), info=words("evaluate.fit_seconds.info"),
                elem_id="evaluate-fit",
            )  # fmt: skip
            with gr.Row():
                go = gr.Button(words("evaluate.go"), variant="primary", elem_id="evaluate")
                cancel = gr.Button(words("rebuild.cancel"), interactive=False, min_width=90, elem_id="evaluate-cancel")
            again = gr.Button(words("evaluate.go_on"), visible=False, elem_id="evaluate-go-on")
            progress = gr.HTML(html.idle(), min_height=44, elem_id="evaluate-progress")
        with gr.Column(scale=3, min_width=340):
            table = empty_table(*shape, elem_id="evaluation")
            of = gr.HTML(elem_id="evaluate-of", padding=False)
            hint = gr.HTML(html.empty(words("evaluate.empty")), elem_id="evaluate-hint")
            with gr.Column(visible=False) as details:
                histogram = gr.Plot(label=words("evaluate.histogram"), elem_id="histogram")
                shots = gr.HTML(elem_id="evaluate-parts", padding=False)
                missed = gr.HTML(padding=False)
            gr.HTML(html.note(words("evaluate.how")))
            export = gr.DownloadButton(words("evaluate.export"), size="sm", interactive=False)
            gr.HTML(evaluation.quoted(words) + html.note(words("quoted.note")), elem_id="quoted", padding=False)

    def show_source(source: str):
        return [gr.update(visible=source == kind) for kind in (INVENTED, UPLOAD, OWN)]

    hear(source.input, show_source, source, [family, files, path], words)

    def offer(ticked: list[str]):
        offered = evaluation.choices(services, words)
        kept = _ticked(ticked, offered)
        # said only where it changes: what is ticked in the meantime stays
        return gr.update(choices=offered) if kept == ticked else gr.update(choices=offered, value=kept)

    hear(page.load, offer, chosen, chosen, words)
    hear(tab.select, offer, chosen, chosen, words)

    def results(scores: evaluation.Scores) -> dict:
        missing = evaluation.cut_off(scores, words)
        told_so = {progress: html.warning(missing) if missing else html.idle(), again: gr.update(visible=bool(missing))}
        reports = scores.reports
        if not reports:
            return told_so
        return told_so | {
            table: rows_html(*shape, evaluation.rows(reports, words), pickable=False),
            of: html.note(evaluation.asked_for(scores.asked, words)),
            hint: "",
            details: gr.update(visible=True),
            histogram: figures.histogram(evaluation.ious(reports, words), words.curve()),
            shots: evaluation.pictures(reports, scores.targets, services, words),
            missed: evaluation.skipped(reports, words),
            export: gr.update(value=str(evaluation.write_report(reports, services)), interactive=True),
        }

    going = services.evaluating
    busy = {go: gr.update(interactive=False), cancel: gr.update(interactive=True), again: gr.update(visible=False)}
    rested = {go: gr.update(interactive=True), cancel: gr.update(interactive=False)}

    def run(source, family, files, path, chosen, limit, candidates, seed, fit) -> Iterator[dict]:
        kept = Kept.new(services)
        try:
            targets = evaluation.targets_of(source, family, files, path, kept.folder)
            asked = Asked(targets, tuple(chosen), int(candidates), int(limit), int(seed), float(fit))

            def work(report: Report, stop: Callable[[], bool]) -> evaluation.Scores:
                kept.begin(asked)
                try:
                    return evaluation.evaluate(kept, services, report, stop)
                except Exception:
                    if not any(kept.read()):
                        kept.drop()
                    raise

            going.begin(work)
        except Exception as error:
            kept.drop()
            yield {progress: html.bad(told(error, words)), **(busy if going.active else rested)}
            raise
        yield from watch()

    def go_on() -> Iterator[dict]:
        kept = Kept.latest(services)
        if kept is not None:
            going.begin(lambda report, stop: evaluation.evaluate(kept, services, report, stop))
            yield from watch()

    def watch(asked_here: bool = True) -> Iterator[dict]:
        try:
            for item in going.follow():
                if isinstance(item, Result):
                    yield {**rested, **results(item.value)}
                else:
                    said = f"{models.base_words(words.stage(item.stage), words)} {item.done} / {item.total}"
                    yield {progress: html.progress(said, item.done, item.total), **busy}
        except Exception as error:
            latest = Kept.latest(services)
            seen = {} if asked_here or latest is None else results(evaluation.so_far(latest))
            some = latest is not None and not latest.whole()
            yield seen | {progress: html.bad(told(error, words)), **rested, again: gr.update(visible=some)}
            if asked_here:  # else it was told to the page that asked
                raise

    def rejoin() -> Iterator[dict]:
        """A page that comes later, or again, or after a restart of the app."""
        kept = Kept.latest(services)
        if kept is not None:
            going.begin_first(lambda report, stop: evaluation.so_far(kept))
        yield from watch(asked_here=False)

    asked = [source, family, files, path, chosen, limit, candidates, seed, fit]
    shown = [progress, go, cancel, again, table, of, hint, details, histogram, shots, missed, export]
    hear(go.click, run, asked, shown, words)
    hear(again.click, go_on, None, shown, words)
    hear(tab.select, rejoin, None, shown, words)
    hear(cancel.click, going.cancel, None, None, words)


def _ticked(ticked: list[str], offered: list[tuple[str, str]]) -> list[str]:
    """Of what was ticked, what is still offered; the first when that is nothing: a press never asks for none."""
    values = [value for _, value in offered]
    return [value for value in ticked if value in values] or values[:1]
