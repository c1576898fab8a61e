"""Train: "can it learn my parts?". All that is shown of a run is read from its folder, so it outlives the page."""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from cadrecode import jobs
from cadrecode.config import TrainConfig, load_yaml
from cadrecode.errors import ConfigError, RunError
from cadrecode.runs import Run, State
from cadrecode.ui import form, html, show
from cadrecode.ui.services import REPOSITORY, Services
from cadrecode.ui.table import empty_table, rows_html
from cadrecode.ui.text import Words
from cadrecode.ui.wire import hear

CONFIGS = REPOSITORY / "configs"
PRESETS = {"quickstart": "quickstart.yaml", "lora": "train_config_lora.yaml", "qlora": "train_config_qlora.yaml"}
INVENTED, OWN = "invented", "own"
COLUMNS = ("name", "state", "step", "loss", "eta", "started")
NUMBERS = ("step", "loss", "eta")
LOG_LINES = 40
LOOK_SECONDS = 2.0


# --- handlers: they know no widgets ---------------------------------------------------------------------------------


def preset(name: str) -> TrainConfig:
    """The settings of a preset file. Raises ConfigError as the command line would."""
    return load_yaml(CONFIGS / PRESETS[name], TrainConfig)


def data_path(source: str, family: str, path: str, config: TrainConfig) -> str:
    """What train_data_path becomes.

    Raises: ConfigError: no path was given, or there is nothing at it.
    """
    if source == INVENTED:
        return config.train_data_path if _family(config.train_data_path) == family else f"invent:{family}"
    path = (path or "").strip().strip("'\"")
    if not path:
        raise ConfigError("Give the folder of .py programs or the .jsonl file to train on.")
    if not Path(path).expanduser().exists():
        raise ConfigError(f"There is no folder or file {path} on the machine that runs the app.")
    return str(Path(path).expanduser())


def _family(data: str) -> str | None:
    """The family in invent:<family>[:count]; None for a path."""
    kind, _, rest = data.partition(":")
    return rest.split(":")[0] if kind == "invent" else None


def start(values: Mapping[str, Any], runs_dir: Path, name: str | None = None) -> str:
    """Form values in, the run's name out. Raises ConfigError: settings that are impossible or at odds."""
    config = TrainConfig.from_values(values, source="form")
    return jobs.start(config, runs_dir, (name or "").strip() or name_of(config.train_data_path)).name


def name_of(data: str) -> str:
    """A run's name where none was given: what it learns from."""
    return _family(data) or Path(data).name.split(".")[0]


def command(values: Mapping[str, Any], preset_name: str, runs_dir: Path, name: str) -> str:
    """What to type in a terminal for the same run."""
    words = ["python", "train_cad_recode_lora.py", "--config", f"configs/{PRESETS[preset_name]}"]
    folder = Path(runs_dir.name) / (name or name_of(values["train_data_path"]))
    for key, value in {**form.differences(values, preset(preset_name)), "model_save_path": str(folder)}.items():
        words += [f"--{key}", value]
    return shlex.join(words)


def find(runs_dir: Path, name: str | None) -> Run | None:
    """The run of that name, if it is there."""
    run = Run(runs_dir / name) if name and Path(name).name == name else None
    return run if run is not None and run.exists() else None


def existing(runs_dir: Path, name: str | None) -> Run:
    """The run of that name. Raises RunError: none was chosen, or it is gone."""
    run = find(runs_dir, name)
    if run is None:
        raise RunError("Pick a run in the list first." if not name else f"There is no run named {name} any more.")
    return run


def latest(runs_dir: Path) -> str | None:
    """The run to show when a page opens: the newest one at work, else the newest."""
    found = jobs.list_runs(runs_dir)
    busy = [run for run in found if run.state.active or run.state == State.QUEUED]
    return (busy or found)[0].name if found else None


def rows(runs_dir: Path, words: Words) -> list[list[str]]:
    """The run list: name, state, step, loss, ETA, started; newest first."""
    waiting = [run.name for run in jobs.queue(runs_dir)]
    table = []
    for run in jobs.list_runs(runs_dir):
        status = run.status()
        state = words.state(status["state"])
        if run.name in waiting:
            state += f" #{waiting.index(run.name) + 1}"
        losses = [m["loss"] for m in run.metrics() if m.get("loss") is not None]
        step, total = status.get("step"), status.get("total")
        began = status.get("started_at") or status.get("created_at")
        table.append(
            [
                run.name,
                state,
                f"{step:,} / {total:,}" if step is not None and total else "–",
                f"{losses[-1]:.3f}" if losses else "–",
                html.clock(status.get("eta_seconds")) if State(status["state"]).active else "–",
                time.strftime("%m-%d %H:%M", time.localtime(began)) if began else "–",
            ]
        )
    return table


@dataclass(frozen=True)
class RunView:
    """One run, read from its folder."""

    name: str
    state: State
    html: str
    metrics: list[dict]
    log: str


def look(run: Run, words: Words) -> RunView:
    """Read a run folder."""
    status, metrics = run.status(), run.metrics()
    state = State(status["state"])
    step, total = status.get("step") or 0, status.get("total") or 0
    facts = [f"<b>{html.escape(run.name)}</b>", html.state_pill(state, words)]
    if total:
        facts.append(words("train.step", step=f"{step:,}", total=f"{total:,}"))
    if state.active and status.get("eta_seconds") is not None:
        facts.append(words("train.eta", eta=html.clock(status["eta_seconds"])))
    newest = {key: value for row in metrics for key, value in row.items() if value is not None}
    if "loss" in newest:
        facts.append(words("train.loss_now", x=f"{newest['loss']:.3f}"))
    if "samples_per_second" in newest:
        facts.append(words("train.speed", x=f"{newest['samples_per_second']:.0f}"))
    if run.stop_requested() and state.active:
        facts.append(words("train.stopping"))
    share = 100 * min(step / total, 1) if total else 0
    lines = f'<div class="cr-state">{"".join(f"<span>{fact}</span>" for fact in facts)}</div>'
    lines += f'<div class="cr-bar"><i style="width:{share:.1f}%"></i></div>'
    if status.get("error"):
        lines += html.bad(str(status["error"]))
    return RunView(run.name, state, lines, metrics, run.log_tail(LOG_LINES))


# --- the tab ----------------------------------------------------------------------------------------------------------


def build(services: Services, words: Words, page: gr.Blocks) -> None:
    """Lay the tab out and wire it."""
    from cadrecode.program.invent import FAMILIES

    runs_dir = services.runs_dir
    config = preset("quickstart")
    chosen, seen = gr.State(None), gr.State(None)
    headers = [words(f"runs.{key}") for key in COLUMNS]
    shape = (words("runs.title"), headers, [key in NUMBERS for key in COLUMNS])
    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=320):
            kinds = [(words("data.invented"), INVENTED), (words("data.own"), OWN)]
            source = gr.Radio(kinds, value=INVENTED, label=words("data.title"))
            families = [(f"{key}: {words.family(key, said)}", key) for key, said in FAMILIES.items()]
            family = gr.Dropdown(
                families, value=_family(config.train_data_path), label=words("data.family"), elem_id="family"
            )
            path = gr.Textbox(
                label=words("data.path"), info=words("data.path.info"), visible=False, elem_id="data-path"
            )
            presets = [(words(f"preset.{key}"), key) for key in PRESETS]
            which = gr.Dropdown(presets, value="quickstart", label=words("preset.title"), elem_id="preset")
            name = gr.Textbox(label=words("train.name"), info=words("train.name.info"), max_lines=1, elem_id="run-name")
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
            go = gr.Button(words("train.start"), variant="primary", elem_id="start")
            shell = gr.Textbox(
                label=words("train.command"),
                interactive=False,
                lines=3,
                max_lines=8,
                buttons=["copy"],
                elem_classes="cr-cmd",
            )
        with gr.Column(scale=3, min_width=340):
            table = empty_table(*shape, elem_id="runs")
            status = gr.HTML(html.empty(words("runs.empty")), min_height=60, elem_id="run-status")
            with gr.Row():
                stop = gr.Button(words("train.stop"), size="sm", interactive=False, elem_id="stop")
                resume = gr.Button(words("train.resume"), size="sm", interactive=False, elem_id="resume")
                kill = gr.Button(words("train.kill"), size="sm", variant="stop", interactive=False, elem_id="kill")
            with gr.Row(visible=False) as sure:
                gr.HTML(html.warning(words("train.kill.sure")))
                kill_yes = gr.Button(words("train.kill.yes"), size="sm", variant="stop", elem_id="kill-yes")
                kill_no = gr.Button(words("train.kill.no"), size="sm")
            curve = gr.Plot(show.loss_curve([], words.curve()), label=words("train.curve"), elem_id="loss")
            log = gr.HTML(html.log("", words), label=words("train.log"), show_label=True, container=True, elem_id="log")
    every = gr.Timer(LOOK_SECONDS)

    asked = [which, source, family, path, name]

    def gathered(which, source, family, path, name, *values) -> dict[str, Any]:
        given = dict(zip(fields, values))
        given["train_data_path"] = data_path(source, family, path, preset(which))
        return {**preset(which).model_dump(), **given}

    # the form
    def fill(which: str):
        chosen = preset(which)
        family = _family(chosen.train_data_path)
        return [
            gr.update(value=INVENTED if family else OWN),
            gr.update(value=family or next(iter(FAMILIES)), visible=bool(family)),
            gr.update(visible=not family),
            *[form.shown(chosen, setting) for setting in fields],
        ]

    hear(which.input, fill, which, [source, family, path, *fields.values()], words)

    def show_source(source: str):
        return gr.update(visible=source == INVENTED), gr.update(visible=source == OWN)

    hear(source.input, show_source, source, [family, path], words)

    def show_command(*given) -> str:
        try:
            values = gathered(*given)
        except ConfigError as error:
            return str(error)
        return command(values, given[0], runs_dir, given[4])

    inputs = [*asked, *fields.values()]
    changes = [page.load, *(widget.change for widget in (which, source, family, path, name, *fields.values()))]
    hear(partial(gr.on, changes), show_command, inputs, shell, words, trigger_mode="always_last")

    # looking
    def refresh(name: str | None, seen: Any, force: bool = False):
        """Everything that changed since the last look; nothing at all where nothing has."""
        run = find(runs_dir, name)
        table_now = rows_html(*shape, rows(runs_dir, words), name)
        view = look(run, words) if run else None
        now = (table_now, view)
        if now == seen and not force:
            return [gr.skip()] * 9
        old_table, old_view = seen or (None, None)
        state = view.state if view else None
        busy = state is not None and (state.active or state == State.QUEUED)
        same_curve = old_view is not None and view is not None and old_view.metrics == view.metrics and not force
        return [
            now,
            gr.skip() if table_now == old_table and not force else table_now,
            view.html if view else html.empty(words("runs.empty")),
            gr.skip() if same_curve else show.loss_curve(view.metrics if view else [], words.curve()),
            html.log(view.log if view else "", words),
            gr.update(interactive=busy),
            gr.update(interactive=state is not None and state.final),
            gr.update(interactive=busy),
            name if view else None,
        ]

    looks = [seen, table, status, curve, log, stop, resume, kill, chosen]

    def follow(event):
        return hear(event, lambda name: refresh(name, None, force=True), chosen, looks, words)

    opened = hear(page.load, lambda: latest(runs_dir), None, chosen, words)
    follow(opened.success)
    hear(every.tick, refresh, [chosen, seen], looks, words)

    def pick(event: gr.EventData):
        return event.name

    follow(hear(table.select, pick, None, chosen, words).success)

    # acting
    def start_now(*given):
        return start(gathered(*given), runs_dir, given[4])

    follow(hear(go.click, start_now, inputs, chosen, words).success)
    follow(hear(stop.click, lambda name: jobs.stop(existing(runs_dir, name)), chosen, None, words).success)
    follow(hear(resume.click, lambda name: jobs.resume(existing(runs_dir, name)) and None, chosen, None, words).success)
    ask, hide = (lambda: gr.update(visible=True)), (lambda: gr.update(visible=False))
    hear(kill.click, ask, None, sure, words)
    hear(kill_no.click, hide, None, sure, words)
    killed = hear(kill_yes.click, lambda name: jobs.kill(existing(runs_dir, name)), chosen, None, words)
    follow(killed.success)
    hear(kill_yes.click, hide, None, sure, words)
