"""Train: "can it learn my parts?". On the left a new run, on the right what became of the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import gradio as gr

from cadrecode.config import LORA_PRESETS, TrainConfig, load_yaml
from cadrecode.errors import CadrecodeError, ConfigError
from cadrecode.jobs import queue
from cadrecode.runs import Run
from cadrecode.ui import models
from cadrecode.ui.browser import again, remember
from cadrecode.ui.draw import confirm, figures, film, form, html
from cadrecode.ui.draw.table import empty_table, rows_html
from cadrecode.ui.events import hear
from cadrecode.ui.runs import metrics
from cadrecode.ui.services import Services
from cadrecode.ui.train import actions as new_run
from cadrecode.ui.train import views as watching
from cadrecode.ui.train.actions import INVENTED, OWN
from cadrecode.ui.words.text import Words

LOOK_SECONDS = 2.0
MOST_COMPARED = 3


def build(services: Services, words: Words, page: gr.Blocks, tab: gr.Tab, kept: gr.BrowserState) -> None:
    """Lay the tab out and wire it.

    Args: kept: what was set in the form; see `remembered`.
    """
    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=320):
            asked = _ask(words)
        with gr.Column(scale=3, min_width=340):
            shown = _show(words)
    follow = _wire_runs(shown, services, words, page)
    _wire_form(asked, shown, follow, services, words, tab)
    remember(kept, asked.named)
    hear(page.load, lambda found: again(found, asked.named), kept, asked.inputs, words)


# --- a new run --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Asked:
    """The widgets of the form."""

    source: gr.Radio
    family: gr.Dropdown
    count: gr.Number
    path: gr.Textbox
    preview: gr.HTML
    draw: gr.Button
    preset: gr.Dropdown
    strength: gr.Radio
    name: gr.Textbox
    fields: dict[str, gr.components.Component]
    badge: gr.HTML
    fix: gr.Button
    processes: gr.Number
    start: gr.Button
    command: gr.HTML
    import_yaml: gr.UploadButton
    export_yaml: gr.Button
    exported: list[gr.Textbox]  # a file's name and its text, on their way to the browser

    @property
    def data(self) -> list[gr.components.Component]:
        return [self.source, self.family, self.count, self.path]

    @property
    def inputs(self) -> list[gr.components.Component]:
        """Everything that decides a run, as `_gathered` takes it."""
        return list(self.named.values())

    @property
    def named(self) -> dict[str, gr.components.Component]:
        """The same by name."""
        data = {"source": self.source, "family": self.family, "count": self.count, "path": self.path}
        return {"preset": self.preset, **data, "name": self.name, "processes": self.processes, **self.fields}


def _ask(words: Words) -> Asked:
    from cadrecode.invent.draw import FAMILIES

    config = new_run.preset("quickstart")
    data = config.train_data_path
    kinds = [(words("data.invented"), INVENTED), (words("data.own"), OWN)]
    source = gr.Radio(kinds, value=INVENTED, label=words("data.title"))
    families = [(f"{key}: {words.family(key, said)}", key) for key, said in FAMILIES.items()]
    with gr.Row():
        family = gr.Dropdown(
            families, value=new_run.family_of(data), label=words("data.family"), elem_id="family", min_width=180
        )
        count = gr.Number(
            new_run.count_of(data), precision=0, minimum=1, label=words("data.count"), min_width=100, elem_id="count"
        )
    path = gr.Textbox(label=words("data.path"), info=words("data.path.info"), visible=False, elem_id="data-path")
    with gr.Accordion(words("data.look"), open=False, elem_id="data-look"):
        preview = gr.HTML(html.note(words("data.look.hint")), elem_id="data-preview")
        draw = gr.Button(words("data.draw"), size="sm", elem_id="data-draw")
    presets = [(words(f"preset.{key}"), key) for key in new_run.PRESETS]
    which = gr.Dropdown(presets, value="quickstart", label=words("preset.title"), elem_id="preset")
    strengths = [
        (words(f"strength.{key}", r=both["lora_r"], a=both["lora_alpha"]), key) for key, both in LORA_PRESETS.items()
    ]
    strength = gr.Radio(strengths, value=None, label=words("strength.title"), elem_id="strength")
    name = gr.Textbox(label=words("train.name"), info=words("train.name.info"), max_lines=1, elem_id="run-name")
    fields = _fields(config, words)
    badge = gr.HTML(html.note(words("fit.waiting")), min_height=76, elem_id="badge")
    fix = gr.Button(words("fit.fix"), size="sm", visible=False, elem_id="fix")
    processes = gr.Number(
        1, precision=0, minimum=1, label=words("train.processes"), info=words("train.processes.info"),
        elem_id="processes",
    )  # fmt: skip
    start = gr.Button(words("train.start"), variant="primary", elem_id="start")
    command = gr.HTML(html.command("", words), js_on_load=html.COPY, container=True, elem_id="command")
    with gr.Row():
        kinds = [".yaml", ".yml"]
        load = gr.UploadButton(words("train.import"), file_types=kinds, size="sm", min_width=120, elem_id="import-yaml")
        save = gr.Button(words("train.export"), size="sm", min_width=120, elem_id="export-yaml")
        file = [gr.Textbox(visible="hidden", label=part) for part in ("name", "text")]
    return Asked(
        source, family, count, path, preview, draw, which, strength, name, fields, badge, fix, processes, start,
        command, load, save, file,
    )  # fmt: skip


def _fields(config: TrainConfig, words: Words) -> dict[str, gr.components.Component]:
    """A widget for each setting: the few that matter, and all others in a fold, each with its help."""
    fields: dict[str, gr.components.Component] = {}
    few = form.names(first=True)
    with gr.Row():  # three side by side, two on a phone
        for setting in few:
            with gr.Column(min_width=130):
                fields[setting] = form.field(setting, getattr(config, setting), words)
    with gr.Accordion(words("train.more"), open=False, max_height=560):
        gr.HTML(html.explained({words(f"set.{s}"): (s, words.help(s)) for s in few}))
        for title, settings in form.grouped().items():
            gr.Markdown(f"**{words(f'group.{title}')}**")
            with gr.Row():
                for setting in settings:
                    with gr.Column(min_width=210):
                        fields[setting] = form.field(setting, getattr(config, setting), words)
    return fields


def _gathered(fields, which, source, family, count, path, name, processes, *values) -> dict[str, Any]:
    """Widget values in, settings out. Raises ConfigError: there is no such data."""
    base = new_run.preset(which).model_dump()
    return {**base, **dict(zip(fields, values)), "train_data_path": new_run.data_path(source, family, count, path)}


def _filled(config: TrainConfig, asked: Asked) -> dict:
    """Updates that put a configuration into the form."""
    data = config.train_data_path
    family = new_run.family_of(data)
    strength = next((key for key, both in LORA_PRESETS.items() if both.items() <= config.model_dump().items()), None)
    return {
        asked.source: INVENTED if family else OWN,
        asked.family: gr.update(visible=bool(family), **({"value": family} if family else {})),
        asked.count: gr.update(visible=bool(family), value=new_run.count_of(data)),
        asked.path: gr.update(visible=not family, **({} if family else {"value": data})),
        asked.strength: strength,
        **{widget: form.shown(config, setting) for setting, widget in asked.fields.items()},
    }


def _wire_form(asked: Asked, shown: Shown, follow: Callable, services: Services, words: Words, tab: gr.Tab) -> None:
    gathered = partial(_gathered, asked.fields)
    name_at, processes_at = (list(asked.named).index(one) for one in ("name", "processes"))

    def launched(given) -> tuple:
        """What is asked for besides the settings: the run's name, and its number of processes."""
        return given[name_at], given[processes_at]

    form_widgets = [*asked.data, asked.strength, *asked.fields.values()]

    hear(asked.preset.input, lambda which: _filled(new_run.preset(which), asked), asked.preset, form_widgets, words)
    hear(asked.import_yaml.upload, lambda file: _filled(load_yaml(file, TrainConfig), asked), asked.import_yaml,
         form_widgets, words)  # fmt: skip

    def show_source(source: str):
        invented = source == INVENTED
        return gr.update(visible=invented), gr.update(visible=invented), gr.update(visible=not invented)

    hear(asked.source.change, show_source, asked.source, asked.data[1:], words)
    rank, alpha = asked.fields["lora_r"], asked.fields["lora_alpha"]
    hear(
        asked.strength.input,
        lambda key: [str(n) for n in LORA_PRESETS[key].values()],
        asked.strength,
        [rank, alpha],
        words,
    )

    # what follows every change: the command, the badge; at first when the tab is looked at
    changes = [tab.select, *(widget.change for widget in asked.inputs)]
    always = {"trigger_mode": "always_last"}

    def show_command(*given):
        try:
            values = gathered(*given)
            return html.command(new_run.command(values, given[0], services.runs_dir, *launched(given)), words)
        except ConfigError as error:
            return html.warning(words.said(str(error)))

    hear(partial(gr.on, changes), show_command, asked.inputs, asked.command, words, **always)

    def export(*given):
        return new_run.settings_file(gathered(*given), given[name_at])

    # as the form is when it is clicked: a link made ready before might lag behind what was typed last
    exported = hear(asked.export_yaml.click, export, asked.inputs, asked.exported, words)
    exported.success(None, asked.exported, None, js=html.SAVE_FILE, api_visibility="private")

    def show_badge(*given):
        try:
            values, processes = gathered(*given), given[processes_at]
            changes = new_run.changes(values, processes=processes)
            return new_run.badge(values, words, processes=processes), gr.update(visible=bool(changes))
        except CadrecodeError as error:
            return html.warning(words.said(str(error))), gr.update(visible=False)

    hear(partial(gr.on, changes), show_badge, asked.inputs, [asked.badge, asked.fix], words, **always)

    def fix_it(*given):
        changes = new_run.changes(gathered(*given), processes=given[processes_at])
        return {asked.fields[name]: value if isinstance(value, bool) else form.as_text(value)
                for name, value in changes.items()}  # fmt: skip

    hear(asked.fix.click, fix_it, asked.inputs, list(asked.fields.values()), words)

    # the data
    drawn = gr.State(0)

    def draw(count, *data):
        return count + 1, new_run.preview(new_run.data_path(*data), count, words)

    hear(asked.draw.click, draw, [drawn, *asked.data], [drawn, asked.preview], words)

    def start_now(*given):
        return new_run.start(gathered(*given), services.runs_dir, *launched(given))

    follow(hear(asked.start.click, start_now, asked.inputs, shown.chosen, words).success)


# --- runs -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Shown:
    """The widgets of the runs."""

    chosen: gr.State
    table: gr.HTML
    status: gr.HTML
    details: gr.Column
    stop: gr.Button
    resume: gr.Button
    kill: gr.Button
    delete: gr.Button
    kill_asked: tuple
    delete_asked: tuple
    film: gr.HTML
    losses: gr.Plot
    quality: gr.Plot
    rate: gr.Plot
    compare: gr.Dropdown
    differences: gr.HTML
    log: gr.HTML


def _table_shape(words: Words) -> tuple[str, list[str], list[bool]]:
    headers = [words(f"runs.{key}") for key in watching.COLUMNS]
    return words("runs.title"), headers, [key in watching.NUMBERS for key in watching.COLUMNS]


def _show(words: Words) -> Shown:
    small = {"size": "sm", "interactive": False, "min_width": 100}
    table = empty_table(*_table_shape(words), elem_id="runs")
    status = gr.HTML(html.empty(words("runs.empty")), min_height=60, elem_id="run-status")
    with gr.Column(visible=False) as details:  # until there is a run
        with gr.Row(elem_classes="cr-files"):
            stop = gr.Button(words("train.stop"), elem_id="stop", **small)
            resume = gr.Button(words("train.resume"), elem_id="resume", **small)
            kill = gr.Button(words("train.kill"), variant="stop", elem_id="kill", **small)
            delete = gr.Button(words("train.delete"), variant="stop", elem_id="delete", **small)
        kill_asked = confirm.asking(words("train.kill.sure"), words("train.kill.yes"), "kill-yes", words)
        delete_asked = confirm.asking(words("train.delete.sure"), words("train.delete.yes"), "delete-yes", words)
        shots = gr.HTML(elem_id="film", padding=False)
        losses = gr.Plot(label=words("train.curve"), elem_id="loss")
        with gr.Row():
            quality = gr.Plot(label=words("train.quality"), elem_id="quality", min_width=280)
            rate = gr.Plot(label=words("train.rate"), elem_id="rate", min_width=280)
        compare = gr.Dropdown(
            [], multiselect=True, max_choices=MOST_COMPARED, allow_custom_value=True, label=words("compare.title"),
            info=words("compare.info"), elem_id="compare", visible=False,
        )  # fmt: skip
        differences = gr.HTML(elem_id="differences", padding=False)
        log = gr.HTML(html.log("", words), label=words("train.log"), show_label=True, container=True, elem_id="log")
    return Shown(
        gr.State(None), table, status, details, stop, resume, kill, delete, kill_asked, delete_asked, shots, losses,
        quality, rate, compare, differences, log,
    )  # fmt: skip


@dataclass(frozen=True)
class Seen:
    """What a page shows now; the next look sends what has changed since."""

    table: str
    names: tuple[str, ...]
    view: watching.RunView | None
    others: dict[str, list[dict]]


def _look(services: Services, name: str | None, compared: list[str] | None, words: Words) -> Seen:
    listed = watching.rows(services.runs_dir, words)
    run = watching.find(services.runs_dir, name) or watching.find(services.runs_dir, watching.latest(services.runs_dir))
    name = run.name if run else None
    others = {one: found for one in compared or () if one != name and (found := watching.find(services.runs_dir, one))}
    return Seen(
        rows_html(*_table_shape(words), listed, name),
        tuple(row[0] for row in listed),
        watching.look(run, words) if run else None,
        {one: metrics(found) for one, found in others.items()},
    )


def _updates(now: Seen, old: Seen | None, shown: Shown, services: Services, words: Words) -> dict:
    """What to redraw. Everything where nothing was seen before."""
    view, before = now.view, old.view if old else None
    updates: dict = {}
    if old is None or now.table != old.table:
        updates[shown.table] = now.table
    name = view.name if view else None
    if old is None or (now.names, name) != (old.names, before and before.name):
        choices = [one for one in now.names if one != name]
        updates[shown.compare] = gr.update(choices=choices, visible=bool(choices))
    if view is None:
        return updates | {shown.status: html.empty(words("runs.empty")), shown.details: gr.update(visible=False)}
    updates |= {shown.status: view.html, shown.log: html.log(view.log, words)}
    if before is None:
        updates[shown.details] = gr.update(visible=True)
    if before is None or ((view.name, view.evaluations) != (before.name, before.evaluations)):
        updates[shown.film] = film.of_run(watching.existing(services.runs_dir, view.name), words)
    able = {shown.stop: view.stoppable, shown.kill: view.stoppable, shown.resume: view.resumable}
    for button, can in {**able, shown.delete: view.deletable}.items():
        updates[button] = gr.update(interactive=can)
    rows = view.metrics
    if before is None or rows != before.metrics or now.others != old.others:
        names = words.curve()
        updates |= {
            shown.losses: figures.losses(rows, names, now.others),
            shown.quality: figures.quality(rows, names, now.others),
            shown.rate: figures.rate(rows, names),
        }
        runs = [watching.existing(services.runs_dir, one) for one in (view.name, *now.others)]
        updates[shown.differences] = watching.comparison(runs, words) if len(runs) > 1 else ""
    return updates


def _wire_runs(shown: Shown, services: Services, words: Words, page: gr.Blocks) -> Callable:
    """Returns what makes the page follow an event at once, instead of at its next look."""
    seen = gr.State(None)
    every = gr.Timer(LOOK_SECONDS)
    looks = [
        seen, shown.chosen, shown.table, shown.status, shown.details, shown.stop, shown.resume, shown.kill,
        shown.delete, shown.film, shown.losses, shown.quality, shown.rate, shown.compare, shown.differences, shown.log,
    ]  # fmt: skip

    def refresh(name: str | None, compared: list[str] | None, old: Seen | None):
        now = _look(services, name, compared, words)
        if now == old:
            return [gr.skip()] * len(looks)
        chosen = now.view.name if now.view else None
        return {seen: now, shown.chosen: chosen, **_updates(now, old, shown, services, words)}

    def follow(event):
        return hear(event, lambda name, compared: refresh(name, compared, None), [shown.chosen, shown.compare], looks,
                    words)  # fmt: skip

    opened = hear(page.load, lambda: watching.latest(services.runs_dir), None, shown.chosen, words)
    follow(opened.success)
    hear(every.tick, refresh, [shown.chosen, shown.compare, seen], looks, words)
    follow(shown.compare.input)

    def pick(event: gr.EventData):
        return event.name

    follow(hear(shown.table.select, pick, None, shown.chosen, words).success)

    def acting(verb: Callable) -> Callable:
        def act(name: str | None) -> None:
            verb(watching.existing(services.runs_dir, name))

        return act

    follow(hear(shown.stop.click, acting(queue.stop), shown.chosen, None, words).success)
    follow(hear(shown.resume.click, acting(queue.resume), shown.chosen, None, words).success)
    killed = confirm.ask_first(shown.kill, shown.kill_asked, acting(queue.kill), shown.chosen, words)
    follow(killed.success)

    def delete(run: Run) -> None:
        models.forget(services, run.name)
        queue.delete(run)

    deleted = confirm.ask_first(shown.delete, shown.delete_asked, acting(delete), shown.chosen, words)
    follow(deleted.success)
    return follow
