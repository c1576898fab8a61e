"""Evaluate: "how good is it, honestly?"."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import gradio as gr

from cadrecode.errors import CadrecodeError, DatasetError
from cadrecode.program.invent import FAMILIES
from cadrecode.ui import html, models
from cadrecode.ui.live import Report, Result, follow
from cadrecode.ui.services import Services
from cadrecode.ui.table import empty_table, rows_html
from cadrecode.ui.text import Words
from cadrecode.ui.wire import hear, told

INVENTED, OWN = "invented", "own"
BASE = "base:"  # choices are base:<name> or adapter:<name>
ADAPTER = "adapter:"
COLUMNS = ("model", "n", "invalid", "single", "best", "mean", "cd", "seconds")


# --- handlers: they know no widgets ---------------------------------------------------------------------------------


def targets_of(source: str, family: str, path: str | None) -> str:
    """What to evaluate on. Raises DatasetError: no path was given."""
    if source == INVENTED:
        return f"invent:{family}"
    path = (path or "").strip().strip("'\"")
    if not path:
        raise DatasetError("Give a folder of meshes, a STEP file, or an .npz of <id>_v and <id>_f arrays.")
    return str(Path(path).expanduser())


def choices(services: Services, words: Words) -> list[tuple[str, str]]:
    """Bases and adapters to compare, as (what is shown, value)."""
    bases, adapters = models.choices(services, words)
    listed = [(shown, BASE + value) for shown, value in bases if models.is_here(value)]
    return listed + [(shown, ADAPTER + value) for shown, value in adapters if value != models.PLAIN]


def evaluate(
    targets: str,
    chosen: Sequence[str],
    services: Services,
    report: Report,
    stop: Callable[[], bool],
    *,
    candidates: int = 1,
    limit: int = 50,
    seed: int = 0,
    generate: Callable[..., list[str]] | None = None,
) -> list[tuple[str, dict]]:
    """One report a model, in the order chosen. What was in use before is in use again afterwards.

    Args: generate: in place of `model.decode.generate`.
    Raises: CadrecodeError: nothing chosen, no such model, no usable target.
    """
    from cadrecode.evaluate import evaluate as score_model

    if not chosen:
        raise CadrecodeError("Choose at least one model to evaluate.")
    engine = services.engine
    reports = []
    with models.kept(services):
        for one in chosen:
            name = one.removeprefix(BASE).removeprefix(ADAPTER)
            report("loading", 0, 1)
            models.use(services, *((name, None) if one.startswith(BASE) else (None, name)))

            def told(done: int, total: int | None, name: str = name) -> None:
                report(name, done, total or limit)

            with engine.ready() as (model, tokenizer):
                scored = score_model(
                    targets, model, tokenizer, candidates=int(candidates), limit=int(limit), seed=int(seed),
                    sandbox=services.sandbox(), on_progress=told, should_stop=stop, generate=generate,
                )  # fmt: skip
            reports.append((name, scored))
            if stop():
                break
    return reports


def rows(reports: Sequence[tuple[str, dict]], words: Words) -> list[list[str]]:
    """The table: one row a model. IoU counts failures as 0; the Chamfer distance is of valid programs alone."""
    table = []
    for name, scored in reports:
        several = scored["candidates"] > 1
        single = scored["single_median_iou"] if several else scored["median_iou"]
        distance = scored["median_cd"]
        table.append(
            [
                models.base_words(name, words),
                f"{scored['n']}",
                f"{100 * scored['invalid_ratio']:.0f} %",
                f"{single:.3f}",
                f"{scored['median_iou']:.3f}" if several else "–",
                f"{scored['mean_iou_all']:.3f}",
                "–" if distance is None else f"{distance:.2f}",
                html.clock(scored["seconds"]),
            ]
        )
    return table


def write_report(reports: Sequence[tuple[str, dict]], services: Services) -> Path:
    """Everything that was measured, as JSON."""
    text = json.dumps([{"model": name, **scored} for name, scored in reports], indent=1)
    path = services.folder_for("evaluation", text) / f"evaluation-{time.strftime('%Y%m%d-%H%M')}.json"
    path.write_text(text, encoding="utf-8")
    return path


# --- the tab ----------------------------------------------------------------------------------------------------------


def build(services: Services, words: Words, page: gr.Blocks, tab: gr.Tab) -> None:
    """Lay the tab out and wire it."""
    shape = (
        words("evaluate.title"),
        [words(f"evaluate.{key}") for key in COLUMNS],
        [key != "model" for key in COLUMNS],
    )
    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=320):
            kinds = [(words("evaluate.invented"), INVENTED), (words("evaluate.own"), OWN)]
            source = gr.Radio(kinds, value=INVENTED, label=words("evaluate.targets"))
            families = [(f"{key}: {words.family(key, said)}", key) for key, said in FAMILIES.items()]
            family = gr.Dropdown(families, value="brackets", label=words("data.family"))
            path = gr.Textbox(label=words("evaluate.path"), info=words("evaluate.path.info"), visible=False)
            chosen = gr.CheckboxGroup(choices=[], label=words("evaluate.models"), elem_id="evaluate-models")
            with gr.Row():
                limit = gr.Number(50, precision=0, minimum=1, label=words("evaluate.limit"), min_width=100)
                candidates = gr.Number(1, precision=0, minimum=1, label=words("options.candidates"), min_width=100)
                seed = gr.Number(0, precision=0, minimum=0, label=words("options.seed"), min_width=100)
            with gr.Row():
                go = gr.Button(words("evaluate.go"), variant="primary", elem_id="evaluate")
                cancel = gr.Button(words("rebuild.cancel"), interactive=False, min_width=90)
            progress = gr.HTML(html.idle(), min_height=44, elem_id="evaluate-progress")
        with gr.Column(scale=3, min_width=340):
            table = empty_table(*shape, elem_id="evaluation")
            gr.HTML(html.note(words("evaluate.how")))
            export = gr.DownloadButton(words("evaluate.export"), size="sm", interactive=False)

    def show_source(source: str):
        return gr.update(visible=source == INVENTED), gr.update(visible=source == OWN)

    hear(source.input, show_source, source, [family, path], words)

    def offer(ticked: list[str]):
        offered = choices(services, words)
        values = [value for _, value in offered]
        kept = [value for value in ticked if value in values]
        return gr.update(choices=offered, value=kept or values[:1])

    hear(page.load, offer, chosen, chosen, words)
    hear(tab.select, offer, chosen, chosen, words)

    def run(source, family, path, chosen, limit, candidates, seed, request: gr.Request) -> Iterator:
        busy = (gr.update(interactive=False), gr.update(interactive=True), gr.skip())
        rested = (gr.update(interactive=True), gr.update(interactive=False))
        with services.stoppable(f"evaluate {request.session_hash}") as stop:
            yield gr.skip(), html.progress(words.stage("loading"), 0, 1), *busy
            try:
                targets = targets_of(source, family, path)
                for item in follow(
                    lambda report: evaluate(
                        targets, chosen, services, report, stop.is_set, candidates=candidates, limit=limit, seed=seed
                    )
                ):
                    if isinstance(item, Result):
                        file = gr.update(value=str(write_report(item.value, services)), interactive=True)
                        said = words("result.stopped") if stop.is_set() else ""
                        yield rows_html(*shape, rows(item.value, words), pickable=False), html.idle(said), *rested, file
                    else:
                        said = f"{models.base_words(words.stage(item.stage), words)} {item.done} / {item.total}"
                        yield gr.skip(), html.progress(said, item.done, item.total), *busy
            except Exception as error:
                yield gr.skip(), html.bad(told(error, words)), *rested, gr.skip()
                raise

    asked = [source, family, path, chosen, limit, candidates, seed]
    hear(go.click, run, asked, [table, progress, go, cancel, export], words)

    def cancel_now(request: gr.Request):
        services.cancel(f"evaluate {request.session_hash}")

    hear(cancel.click, cancel_now, None, None, words)
