"""The trainings: their list, and the training that is chosen, which a page reads from its folder again and again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import gradio as gr

from cadrecode.jobs import queue
from cadrecode.runs import Run
from cadrecode.ui import models
from cadrecode.ui.draw import confirm, figures, html
from cadrecode.ui.draw.table import PICK, empty_table, rows_html
from cadrecode.ui.events import hear
from cadrecode.ui.runs import metrics
from cadrecode.ui.services import Services
from cadrecode.ui.train import more, sweep, views
from cadrecode.ui.words.text import Words

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

LOOK_SECONDS = 2.0  # how often a page looks at the runs
MOST_COMPARED = 3
# A second curve takes half of the row from the first, which Plotly does not see.
FIT_CURVES = "() => { setTimeout(() => window.dispatchEvent(new Event('resize')), 300); }"


def _table_shape(words: Words) -> tuple[str, list[str], list[bool]]:
    headers = [words(f"runs.{key}") for key in views.COLUMNS]
    return words("runs.title"), headers, [key in views.NUMBERS for key in views.COLUMNS]


class Shown:
    """The list of runs, laid out, and below it the chosen run."""

    def __init__(self, words: Words):
        self.chosen = gr.State(None)
        small = {"size": "sm", "interactive": False, "min_width": 100}
        self.table = empty_table(*_table_shape(words), elem_id="runs")
        self.sweep = gr.HTML("", js_on_load=PICK, padding=False, elem_id="sweep-table")
        self.status = gr.HTML(html.empty(words("runs.empty")), min_height=60, elem_id="run-status")
        with gr.Column(visible=False) as self.details:  # until there is a run
            with gr.Row(elem_classes="cr-actions"):
                self.stop = gr.Button(words("train.stop"), elem_id="stop", **small)
                self.resume = gr.Button(words("train.resume"), elem_id="resume", **small)
                self.again = gr.Button(words("train.again"), elem_id="again", **{**small, "interactive": True})
                self.keep = gr.Button(words("train.keep"), elem_id="keep-checkpoint", **small)
                self.kill = gr.Button(words("train.kill"), variant="stop", elem_id="kill", **small)
                self.delete = gr.Button(words("train.delete"), variant="stop", elem_id="delete", **small)
            self.kill_question = confirm.asking(words("train.kill.sure"), words("train.kill.yes"), "kill-yes", words)
            self.delete_question = confirm.asking(
                words("train.delete.sure"), words("train.delete.yes"), "delete-yes", words
            )
            self.film = gr.HTML(elem_id="film", padding=False)
            hidden = {"visible": False, "min_width": 280}  # until there are two points
            self.losses = gr.Plot(label=words("train.curve"), elem_id="loss", **hidden)
            with gr.Row():
                self.quality = gr.Plot(label=words("train.quality"), elem_id="quality", **hidden)
                self.rate = gr.Plot(label=words("train.rate"), elem_id="rate", **hidden)
            self.compare = gr.Dropdown(
                [], multiselect=True, max_choices=MOST_COMPARED, allow_custom_value=True, label=words("compare.title"),
                info=words("compare.info"), elem_id="compare", visible=False,
            )  # fmt: skip
            self.differences = gr.HTML(elem_id="differences", padding=False)
            self.log = gr.HTML(
                html.log("", words), label=words("train.log"), show_label=True, container=True, elem_id="log"
            )


@dataclass(frozen=True)
class Seen:
    """The state of a page; the next look sends the changes since.

    Args:
        table: The list as HTML.
        sweep: The table of the sweep that the chosen run belongs to.
        names: The names of all runs.
        view: The chosen run; None where there is no run.
        others: Figures of the runs that it is compared with.
    """

    table: str
    sweep: str
    names: tuple[str, ...]
    view: views.RunView | None
    others: dict[str, list[dict]]


def _look(services: Services, name: str | None, compared: list[str] | None, words: Words) -> Seen:
    listed = views.rows(services.runs_dir, words)
    run = views.find(services.runs_dir, name) or views.find(services.runs_dir, views.latest(services.runs_dir))
    name = run.name if run else None
    others = {other: views.find(services.runs_dir, other) for other in compared or () if other != name}
    return Seen(
        rows_html(*_table_shape(words), listed, name),
        sweep.table(run, words) if run else "",
        tuple(row[0] for row in listed),
        views.look(run, words) if run else None,
        {other: metrics(other_run) for other, other_run in others.items() if other_run is not None},
    )


def _updates(now: Seen, old: Seen | None, shown: Shown, services: Services, words: Words) -> dict:
    """The widgets to redraw; all of them where `old` is None."""
    view, before = now.view, old.view if old else None
    updates: dict = {}
    if old is None or now.table != old.table:
        updates[shown.table] = now.table
    if old is None or now.sweep != old.sweep:
        updates[shown.sweep] = now.sweep
    name = view.name if view else None
    if old is None or (now.names, name) != (old.names, before and before.name):
        choices = [other for other in now.names if other != name]
        updates[shown.compare] = gr.update(choices=choices, visible=bool(choices))
    if view is None:
        return updates | {shown.status: html.empty(words("runs.empty")), shown.details: gr.update(visible=False)}
    updates |= {shown.status: view.html, shown.log: html.log(view.log, words)}
    if before is None:
        updates[shown.details] = gr.update(visible=True)
    if before is None or ((view.name, view.evaluations) != (before.name, before.evaluations)):
        updates[shown.film] = views.samples_film(views.existing(services.runs_dir, view.name), words)
    able = {shown.stop: view.stoppable, shown.kill: view.stoppable, shown.resume: view.resumable}
    for button, can in {**able, shown.keep: view.keepable, shown.delete: view.deletable}.items():
        updates[button] = gr.update(interactive=can)
    rows = view.metrics
    if before is None or rows != before.metrics or now.others != old.others:
        names = words.curve()
        updates |= {
            shown.losses: _plot(figures.losses(rows, names, now.others)),
            shown.quality: _plot(figures.quality(rows, names, now.others)),
            shown.rate: _plot(figures.rate(rows, names)),
        }
        runs = [views.existing(services.runs_dir, other) for other in (view.name, *now.others)]
        updates[shown.differences] = views.comparison(runs, words) if len(runs) > 1 else ""
    return updates


def _plot(figure: Figure) -> dict:
    """A curve from its second point on: of one point, axes from nowhere to nowhere are all there is to see."""
    return gr.update(value=figure, visible=any(len(line.x) > 1 for line in figure.data))


def wire(shown: Shown, services: Services, words: Words, page: gr.Blocks) -> Callable[[Callable], gr.events.Dependency]:
    """Wire the list. Returns a function that makes the page look again right after an event."""
    seen = gr.State(None)
    outputs = [
        seen, shown.chosen, shown.table, shown.sweep, shown.status, shown.details, shown.stop, shown.resume, shown.keep,
        shown.kill, shown.delete, shown.film, shown.losses, shown.quality, shown.rate, shown.compare,
        shown.differences, shown.log,
    ]  # fmt: skip

    def refresh(name: str | None, compared: list[str] | None, old: Seen | None):
        now = _look(services, name, compared, words)
        if now == old:
            return [gr.skip()] * len(outputs)
        chosen = now.view.name if now.view else None
        # A choice that stands is not written again: this look may be slower than the person who has just made another.
        choice = {} if chosen == name else {shown.chosen: chosen}
        return {seen: now, **choice, **_updates(now, old, shown, services, words)}

    def follow(event: gr.events.Dependency):
        inputs = [shown.chosen, shown.compare]
        return hear(event, lambda name, compared: refresh(name, compared, None), inputs, outputs, words)

    shown.quality.change(None, None, None, js=FIT_CURVES, api_visibility="private")
    opened = hear(page.load, lambda: views.latest(services.runs_dir), None, shown.chosen, words)
    follow(opened.success)
    hear(gr.Timer(LOOK_SECONDS).tick, refresh, [shown.chosen, shown.compare, seen], outputs, words)
    follow(shown.compare.input)

    def pick(event: gr.EventData):
        return event.name

    for table in (shown.table, shown.sweep):
        follow(hear(table.select, pick, None, shown.chosen, words).success)

    def delete(run: Run) -> None:
        models.forget(services, run.name)
        queue.delete(run)

    def acting(verb: Callable[[Run], object]) -> Callable[[str | None], None]:
        def act(name: str | None) -> None:
            verb(views.existing(services.runs_dir, name))

        return act

    follow(hear(shown.stop.click, acting(queue.stop), shown.chosen, None, words).success)

    def keep(name: str | None) -> None:
        kept = more.keep_checkpoint(views.existing(services.runs_dir, name))
        gr.Info(words("train.kept", name=kept))

    hear(shown.keep.click, keep, shown.chosen, None, words)
    follow(hear(shown.resume.click, acting(queue.resume), shown.chosen, None, words).success)
    follow(confirm.ask_first(shown.kill, shown.kill_question, acting(queue.kill), shown.chosen, words).success)
    follow(confirm.ask_first(shown.delete, shown.delete_question, acting(delete), shown.chosen, words).success)
    return follow
