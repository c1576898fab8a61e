"""Batch: rebuild many files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from cadrecode.config import UNITS, ReconstructConfig
from cadrecode.errors import Message
from cadrecode.ui import events, models
from cadrecode.ui.background import OnProgress, Progress, Result, follow
from cadrecode.ui.batch import actions as batching
from cadrecode.ui.batch.items import DONE, FAILED, BatchItem, worst_first
from cadrecode.ui.batch.page import remark, within
from cadrecode.ui.draw import html
from cadrecode.ui.draw.table import empty_table, rows_html
from cadrecode.ui.events import error_text
from cadrecode.ui.reconstruct import views
from cadrecode.ui.reconstruct.options import USUAL, candidates_slider, common_fields, fit_slider
from cadrecode.ui.services import Services
from cadrecode.ui.words.text import Words

hear = partial(events.hear, guests=True)

COLUMNS = ("name", "state", "verdict", "within", "seconds", "why")
NUMBERS = ("within", "seconds")

KEEP_SECONDS = 48 * 3600  # how long a batch may take


def cells(rows: Sequence[BatchItem], unit: str, words: Words) -> list[list[str]]:
    """The table's text."""
    return [
        [
            row.name,
            words(f"row.{row.state}"),
            words.said(row.verdict) or "–",
            within(row, unit, words),
            "–" if row.seconds is None else html.clock(row.seconds),
            remark(row, words),
        ]
        for row in rows
    ]


def summary(rows: Sequence[BatchItem], words: Words) -> str:
    """ "3 rebuilt, 1 failed.", and how a batch that was cancelled goes on."""
    states = [row.state for row in rows]
    done, failed = states.count(DONE), states.count(FAILED)
    left = len(states) - done - failed
    return words("batch.done", done=done, failed=failed) + (words("batch.left", n=left) if left else "")


def build(services: Services, words: Words, page: gr.Blocks, tab: gr.Tab) -> None:
    """Lay the tab out and wire it."""
    with gr.Row(equal_height=False):
        with gr.Column(scale=1, min_width=300):
            uploads = gr.File(label=words("batch.drop"), file_count="multiple", height=140, elem_id="batch-files")
            folder = gr.UploadButton(words("batch.folder"), file_count="directory", size="sm", elem_id="batch-folder")
            with gr.Column(elem_classes="cr-step"):
                with gr.Row():
                    unit = gr.Dropdown(
                        list(UNITS), value=USUAL.unit, label=words("cloud.unit"), elem_id="batch-unit", min_width=100
                    )
                    tolerance = gr.Number(
                        0, minimum=0, label=words("result.tolerance"), elem_id="batch-tolerance", min_width=100
                    )
                gr.HTML(html.note(words("batch.tolerance.info")), padding=False)
                with gr.Accordion(words("options.title"), open=False, elem_id="batch-options", elem_classes="cr-fold"):
                    settings = {
                        "unit": unit,
                        "candidates": candidates_slider(words, "batch-candidates"),
                        "seconds": fit_slider(words, "batch-fit"),
                        **common_fields(words),
                    }
            model = gr.HTML("", padding=False)
            with gr.Row():
                go = gr.Button(words("batch.go"), variant="primary", elem_id="batch-go")
                cancel = gr.Button(words("rebuild.cancel"), interactive=False, elem_id="batch-cancel", min_width=90)
            progress = gr.HTML(html.idle(), min_height=44, elem_id="batch-progress")
        with gr.Column(scale=3, min_width=340):
            empty = gr.HTML(html.empty(words("batch.empty")), elem_id="batch-empty")
            table = empty_table(*_table_shape(words), elem_id="batch-rows")
            result = gr.DownloadButton(words("batch.zip"), interactive=False, elem_id="batch-zip")

    def name_model() -> str:
        base, adapter = models.in_use(services)
        model = models.base_words(base, words) + (f" + {adapter}" if adapter else "")
        return html.note(words("batch.model", model=model))

    for event in (page.load, tab.select):
        hear(event, name_model, None, model, words)
    hear(folder.upload, lambda files: files, folder, uploads, words)

    def run(request: gr.Request, uploads: list[str] | None, within: float | None, *values: Any) -> Iterator[tuple]:
        given = dict(zip(settings, values))
        yield from _run(services, words, f"batch {request.session_hash}", uploads or [], within or None, given)

    outputs = [table, empty, progress, go, cancel, result]
    hear(go.click, run, [uploads, tolerance, *settings.values()], outputs, words, concurrency_limit=8)

    def cancel_now(request: gr.Request) -> None:
        services.cancel(f"batch {request.session_hash}")

    hear(cancel.click, cancel_now, None, None, words)


def _table_shape(words: Words) -> tuple[str, list[str], list[bool]]:
    return words("batch.title"), [words(f"batch.{key}") for key in COLUMNS], [key in NUMBERS for key in COLUMNS]


def _run(
    services: Services,
    words: Words,
    visitor: str,
    uploads: list[str],
    tolerance: float | None,
    values: dict[str, Any],
) -> Iterator[tuple]:
    """Rebuild the uploads with the settings of the form, and show the rows as they change."""
    # the zip, too: it is of the rows before
    busy = (gr.update(interactive=False), gr.update(interactive=True), gr.update(interactive=False))
    rested = (gr.update(interactive=True), gr.update(interactive=False))
    base, adapter = models.in_use(services)
    folder = services.fresh_folder(KEEP_SECONDS)
    rows: list[BatchItem] = []

    def work(report: OnProgress) -> Path | None:
        for now in batching.rebuild_all(job, services, words, report, stop.is_set):
            rows[:] = now
            report("loading", 0, 1)
        rows[:] = worst_first(rows)
        return batching.pack(rows, folder / "cadrecode-batch.zip", job.config.unit, words)

    with services.stoppable(visitor) as stop:
        try:
            config = ReconstructConfig.from_values(values, source=Message("form"))
            tolerance = tolerance and tolerance / html.shown_in(config.unit)[0]  # entered as it is shown
            job = batching.gather(uploads, folder, config, base, adapter, tolerance)
            for item in follow(work):
                texts, pictures = cells(rows, config.unit, words), [(row.picture, row.grade) for row in rows]
                shown = rows_html(*_table_shape(words), texts, pickable=False, pictures=pictures)
                if isinstance(item, Result):
                    file = gr.update(value=item.value and str(item.value), interactive=item.value is not None)
                    yield shown, "", html.idle(summary(rows, words)), *rested, file
                else:
                    yield shown, "", _progress(rows, item, len(job.scans), words), *busy
        except Exception as error:
            yield gr.skip(), gr.skip(), html.bad(error_text(error, words)), *rested, gr.skip()
            raise


def _progress(rows: Sequence[BatchItem], item: Progress, total: int, words: Words) -> str:
    """The progress of the current scan, and of all of them."""
    finished = sum(row.state in (DONE, FAILED) and row.seconds is not None for row in rows)
    stage = views.stage_text(item, words)
    text = words("batch.progress", n=min(finished + 1, total), total=total, stage=stage)
    return html.progress(text, finished, total)
