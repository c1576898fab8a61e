"""The form of a new training: its widgets, and what a change in it brings about."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import gradio as gr

from cadrecode.config import LORA_PRESETS, TrainConfig
from cadrecode.errors import CadrecodeError, ConfigError
from cadrecode.ui.draw import html
from cadrecode.ui.events import hear
from cadrecode.ui.services import Services
from cadrecode.ui.train import actions, fields, more, sweep, views
from cadrecode.ui.train.actions import INVENTED, OWN
from cadrecode.ui.words.text import Words


class Form:
    """The widgets of the form, laid out and filled with the quickstart."""

    def __init__(self, words: Words):
        config = actions.preset("quickstart")
        with _card(1, words("train.card.parts")):
            self._draw_data(config.train_data_path, words)
        with _card(2, words("preset.title")):
            presets = [(words(f"preset.{key}"), key) for key in actions.PRESETS]
            self.preset = gr.Dropdown(
                presets, value="quickstart", label=words("preset.title"), show_label=False, elem_id="preset"
            )
            strengths = [(words(f"strength.{key}", r=both["lora_r"]), key) for key, both in LORA_PRESETS.items()]
            self.strength = gr.Radio(strengths, value=None, label=words("strength.title"), elem_id="strength")
            self.settings = _draw_settings(config, words)
        with _card(3, words("train.card.start")):
            self.name = gr.Textbox(
                label=words("train.name"),
                show_label=False,
                max_lines=1,
                elem_id="run-name",
                placeholder=f"{words('train.name')}. {words('train.name.info')}",
            )
            self.badge = gr.HTML(html.note(words("memory.waiting")), min_height=76, elem_id="badge")
            self.fix = gr.Button(words("memory.fix"), size="sm", visible=False, elem_id="fix")
            self.start = gr.Button(words("train.start"), variant="primary", elem_id="start")
            with gr.Accordion(words("train.advanced"), open=False, elem_classes="cr-fold", elem_id="train-advanced"):
                self._draw_advanced(words)
                self._draw_sweep(words)

    def _draw_data(self, data: str, words: Words) -> None:
        """The data to train on."""
        kinds = [(words("data.invented"), INVENTED), (words("data.own"), OWN)]
        self.source = gr.Radio(kinds, value=INVENTED, label=words("data.title"), show_label=False)
        with gr.Row():
            self.family = gr.Dropdown(
                words.families(), value=actions.family_of(data), label=words("data.family"), elem_id="family",
                min_width=180,
            )  # fmt: skip
            self.count = gr.Number(
                actions.count_of(data),
                precision=0,
                minimum=1,
                label=words("data.count"),
                min_width=100,
                elem_id="count",
            )
        self.path = gr.Textbox(
            label=words("data.path"), info=words("data.path.info"), visible=False, elem_id="data-path"
        )
        self.upload = gr.UploadButton(
            words("data.upload"), file_count="multiple", file_types=[*more.TAKEN, ".zip"], size="sm", visible=False,
            elem_id="data-upload",
        )  # fmt: skip
        self.uploaded = gr.HTML("", padding=False, elem_id="data-uploaded")
        with gr.Accordion(words("data.look"), open=False, elem_id="data-look", elem_classes="cr-fold"):
            self.preview = gr.HTML(html.note(words("data.look.hint")), elem_id="data-preview")
            self.draw = gr.Button(words("data.draw"), size="sm", elem_id="data-draw")

    def _draw_advanced(self, words: Words) -> None:
        """Draw the settings that few people need: processes, the command for a terminal, and the settings as a file."""
        self.processes = gr.Number(
            1, precision=0, minimum=1, label=words("train.processes"), info=words("train.processes.info"),
            elem_id="processes",
        )  # fmt: skip
        self.command = gr.HTML(html.command("", words), js_on_load=html.COPY, container=True, elem_id="command")
        with gr.Row():
            kinds = [".yaml", ".yml"]
            self.import_yaml = gr.UploadButton(
                words("train.import"), file_types=kinds, size="sm", min_width=120, elem_id="import-yaml"
            )
            self.export_yaml = gr.Button(words("train.export"), size="sm", min_width=120, elem_id="export-yaml")
            # a file's name and its text, on their way to the browser
            self.exported = [gr.Textbox(visible="hidden", label=part) for part in ("name", "text")]

    def _draw_sweep(self, words: Words) -> None:
        """A training for each pair of a rank and a learning rate."""
        gr.HTML(html.note(words("sweep.info")), padding=False)
        with gr.Row():
            self.ranks = gr.Textbox(
                "8, 16, 32", label=words("sweep.ranks"), max_lines=1, min_width=120, elem_id="sweep-ranks"
            )
            self.rates = gr.Textbox(
                "0.001, 0.002", label=words("sweep.rates"), max_lines=1, min_width=120, elem_id="sweep-rates"
            )
        self.sweep = gr.Button(words("sweep.start"), size="sm", elem_id="sweep")

    @property
    def data(self) -> list[gr.components.Component]:
        return [self.source, self.family, self.count, self.path]

    @property
    def named(self) -> dict[str, gr.components.Component]:
        """Everything that decides a run, by name."""
        data = {"source": self.source, "family": self.family, "count": self.count, "path": self.path}
        return {"preset": self.preset, **data, "name": self.name, "processes": self.processes, **self.settings}

    @property
    def inputs(self) -> list[gr.components.Component]:
        """The same, in the order in which `entered` takes the values."""
        return list(self.named.values())


@dataclass(frozen=True)
class Entered:
    """The entries of a person.

    Args:
        preset: The preset that was chosen first.
        values: Settings of `TrainConfig`, as the widgets have them.
        name: The run's name.
        processes: How many train together.
    """

    preset: str
    values: dict[str, Any]
    name: str | None
    processes: float | None


def entered(form: Form, *values: Any) -> Entered:
    """Values of `form.inputs` in. Raises ConfigError: there is no such data."""
    settings = dict(zip(form.named, values))
    preset, name, processes = (settings.pop(key) for key in ("preset", "name", "processes"))
    data = actions.data_path(*(settings.pop(key) for key in ("source", "family", "count", "path")))
    base = actions.preset(preset).model_dump()
    return Entered(preset, {**base, **settings, "train_data_path": data}, name, processes)


def _card(number: int, title: str) -> gr.Column:
    """A step of the form, with its number and its name above what is drawn in it."""
    card = gr.Column(elem_classes="cr-step")
    with card:
        gr.HTML(f'<h2><span aria-hidden="true">{number}</span>{html.escape(title)}</h2>', padding=False)
    return card


def _draw_settings(config: TrainConfig, words: Words) -> dict[str, gr.components.Component]:
    """A widget for each setting: a few in sight, all others in a fold, each with its help."""
    widgets: dict[str, gr.components.Component] = {}

    def draw_some(names: list[str], min_width: int) -> None:
        with gr.Row():
            for name in names:
                with gr.Column(min_width=min_width):
                    widgets[name] = fields.field(name, getattr(config, name), words)

    few = fields.names(first=True)
    draw_some(few, 130)  # three side by side, two on a phone
    with gr.Accordion(words("train.more"), open=False, max_height=560, elem_classes="cr-fold"):
        gr.HTML(html.explained({words(f"set.{name}"): (name, words.help(name)) for name in few}))
        for title, names in fields.grouped().items():
            gr.Markdown(f"**{words(f'group.{title}')}**")
            draw_some(names, 210)
    return widgets


def _filled(config: TrainConfig, form: Form) -> dict:
    """Updates that put a configuration into the form."""
    data = config.train_data_path
    family = actions.family_of(data)
    strength = next((key for key, both in LORA_PRESETS.items() if both.items() <= config.model_dump().items()), None)
    return {
        form.source: INVENTED if family else OWN,
        form.family: gr.update(visible=bool(family), **({"value": family} if family else {})),
        form.count: gr.update(visible=bool(family), value=actions.count_of(data)),
        form.path: gr.update(visible=not family, **({} if family else {"value": data})),
        form.strength: strength,
        **{widget: fields.shown(config, name) for name, widget in form.settings.items()},
    }


def wire(
    form: Form, chosen: gr.State, again: gr.Button, services: Services, words: Words, tab: gr.Tab
) -> list[gr.events.Dependency]:
    """Wire the form.

    Args:
        chosen: Becomes the name of the run that is started.
        again: The button that brings the settings of the chosen run into the form.

    Returns: the events of starting runs.
    """
    _wire_filling(form, words)
    _wire_again(form, chosen, again, services, words)
    _wire_judging(form, services, words, tab)
    read = partial(entered, form)

    def export(*values: Any):
        now = read(*values)
        return actions.settings_file(now.values, now.name)

    # made when the button is pressed: a file that was made before might lag behind the last key
    exported = hear(form.export_yaml.click, export, form.inputs, form.exported, words)
    exported.success(None, form.exported, None, js=html.SAVE_FILE, api_visibility="private")

    drawn = gr.State(0)

    def draw_parts(count: int, *data: Any):
        return count + 1, actions.preview(actions.data_path(*data), count, words)

    hear(form.draw.click, draw_parts, [drawn, *form.data], [drawn, form.preview], words)

    def start(*values: Any):
        now = read(*values)
        return actions.start(now.values, services.runs_dir, now.name, now.processes)

    def start_sweep(ranks: str, rates: str, *values: Any):
        now = read(*values)
        return sweep.start(now.values, services.runs_dir, now.name, ranks, rates)[0]

    return [
        hear(form.start.click, start, form.inputs, chosen, words),
        hear(form.sweep.click, start_sweep, [form.ranks, form.rates, *form.inputs], chosen, words),
    ]


def _wire_again(form: Form, chosen: gr.State, again: gr.Button, services: Services, words: Words) -> None:
    """A run's settings, and uploaded parts, come into the form."""

    def fill(name: str | None) -> dict:
        run = views.existing(services.runs_dir, name)
        config = TrainConfig.load(run.folder / "config.yaml")
        return {**_filled(config, form), form.name: f"{run.name}-2"}

    hear(again.click, fill, chosen, [*form.data, form.strength, *form.settings.values(), form.name], words)

    def take_in(paths: list[str]):
        folder, count, left_out = more.take_in(paths, services.runs_dir)
        note = html.note(words("data.uploaded", n=f"{count:,}"))
        return str(folder), note + (html.more(words("data.left_out", n=len(left_out)), left_out) if left_out else "")

    hear(form.upload.upload, take_in, form.upload, [form.path, form.uploaded], words)


def _wire_filling(form: Form, words: Words) -> None:
    """Wire the widgets that fill others: a preset, a YAML file, the source of the data, the strength."""
    filled = [*form.data, form.strength, *form.settings.values()]

    def load(file: str) -> dict:
        return _filled(TrainConfig.load(file), form)

    hear(form.preset.input, lambda key: _filled(actions.preset(key), form), form.preset, filled, words)
    hear(form.import_yaml.upload, load, form.import_yaml, filled, words)

    def show_source(source: str):
        invented = source == INVENTED
        return *2 * [gr.update(visible=invented)], *3 * [gr.update(visible=not invented)]

    hear(form.source.change, show_source, form.source, [*form.data[1:], form.upload, form.uploaded], words)
    size = [form.settings["lora_r"], form.settings["lora_alpha"]]
    hear(form.strength.input, lambda key: [str(n) for n in LORA_PRESETS[key].values()], form.strength, size, words)


def _wire_judging(form: Form, services: Services, words: Words, tab: gr.Tab) -> None:
    """Wire the results of every change, and of the first look at the tab: the command and the memory."""
    changed = partial(gr.on, [tab.select, *(widget.change for widget in form.inputs)])

    def show_command(*values: Any):
        try:
            now = entered(form, *values)
            command = actions.command(now.values, now.preset, services.runs_dir, now.name, now.processes)
        except ConfigError as error:
            return html.warning(words.said(error.described))
        return html.command(command, words)

    def show_badge(*values: Any):
        try:
            now = entered(form, *values)
            expected = actions.estimated(now.values, now.processes)
            shown = actions.badge(expected, words, actions.whole(now.processes))
            return shown, gr.update(visible=bool(expected.changes))
        except CadrecodeError as error:
            return html.warning(words.said(error.described)), gr.update(visible=False)

    hear(changed, show_command, form.inputs, form.command, words)
    hear(changed, show_badge, form.inputs, [form.badge, form.fix], words)

    def fix(*values: Any):
        now = entered(form, *values)
        changes = actions.estimated(now.values, now.processes).changes
        return {form.settings[name]: value if isinstance(value, bool) else fields.as_text(value)
                for name, value in changes.items()}  # fmt: skip

    hear(form.fix.click, fix, form.inputs, list(form.settings.values()), words)
