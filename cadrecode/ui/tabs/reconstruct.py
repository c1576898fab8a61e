"""Reconstruct: "what is this part?"."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import gradio as gr

from cadrecode.errors import CadrecodeError, ProgramError
from cadrecode.ui import dimensions, html, models, parts, samples, show
from cadrecode.ui.files import KINDS, write_files
from cadrecode.ui.live import Progress, Report, Result, follow
from cadrecode.ui.parts import UNITS, Part, Work
from cadrecode.ui.services import Services
from cadrecode.ui.text import Words
from cadrecode.ui.wire import hear, told

SOLID, WITH_POINTS, DEVIATION = "solid", "points", "deviation"
CAMERA = (55, 62, 4.0)  # degrees and distance: from the front right, a little above
HEIGHT = "clamp(280px, 42vw, 440px)"


# --- handlers: they know no widgets ---------------------------------------------------------------------------------


def open_cloud(path: str | Path, services: Services, unit: str = "mm") -> Work:
    """Read a file that was dropped. Raises PointCloudError, in words."""
    from cadrecode.cloud import BREP_SUFFIXES, read_cloud

    path = Path(path)
    if path.suffix.lower() in BREP_SUFFIXES and not services.run_programs:
        raise CadrecodeError("STEP and BREP files need the OpenCASCADE sandbox, which is off on this link.")
    cloud = read_cloud(path)
    return Work(cloud, re.sub(r"[^\w.-]+", "_", path.stem) or "part", unit)


@dataclass(frozen=True)
class Options:
    """How to rebuild."""

    candidates: int = 8
    temperature: float = 0.7
    seed: int = 0
    base: str | None = None
    adapter: str = models.PLAIN
    fit_seconds: float = 6.0
    align: bool = True
    clean: bool = False


def rebuild(work: Work, options: Options, services: Services, report: Report, stop) -> Work:
    """Ask the model for candidates. Raises CadrecodeError: no cloud, no model, nothing valid, cancelled."""
    if work.cloud is None:
        raise CadrecodeError("There is no cloud yet: drop a file or pick a sample.")
    report("loading", 0, 1)
    model = models.use(services, options.base, options.adapter)
    cloud = work.cloud
    if options.clean:
        from cadrecode.cloud.clean import clean

        report("cleaning", 0, 1)
        cloud = clean(cloud).cloud
    found = services.engine.reconstruct(
        cloud,
        candidates=int(options.candidates),
        temperature=float(options.temperature),
        seed=int(options.seed),
        fit_seconds=float(options.fit_seconds),
        align=options.align,
        sandbox=services.sandbox(),
        on_progress=report,
        should_stop=stop,
    )
    report("measuring", 0, 1)
    return parts.of_reconstruction(found, work, model)


def run_program(work: Work, text: str, services: Services) -> Work:
    """Show what an edited program makes. Raises ProgramError with its place."""
    shown = work.shown
    if shown is not None and text.strip() == shown.text.strip():
        return work
    return replace(work, edited=parts.of_program(text, work.scan, services.sandbox()))


# --- views: work in, something to show out --------------------------------------------------------------------------


def view(work: Work, mode: str, services: Services) -> str | None:
    """A GLB of the part on screen, with the cloud over it if asked; of the cloud alone while there is no part."""
    part, points = work.shown, None if work.scan is None else work.scan.points
    if part is None:
        return cloud_view(work, services)
    folder = services.folder_for("view", part.text, mode, work.name, None if points is None else points.shape)
    over, colours = (points if mode == WITH_POINTS else None), None
    if mode == DEVIATION and part.deviation is not None:
        over, colours = parts.in_sight(part), part.deviation.colours()
    path = folder / f"{work.name}.glb"
    extent = points if points is not None else part.vertices
    return str(show.scene(path, mesh=(part.vertices, part.faces), points=over, colours=colours, extent=extent))


def cloud_view(work: Work, services: Services) -> str | None:
    """A GLB of the cloud."""
    if work.cloud is None:
        return None
    points = work.cloud.points
    folder = services.folder_for("cloud", work.name, points.shape, points[0].tolist(), points[-1].tolist())
    return str(show.scene(folder / f"{work.name}-cloud.glb", points=points))


def strip(work: Work) -> list[tuple]:
    """A picture of each candidate with its distance, best first; its unit stands in the numbers above."""
    return [
        (show.small_picture((p.vertices, p.faces), pixels=140), html.distance(p))
        for p in work.parts
        if p.distance is not None
    ]


def strip_title(work: Work, words: Words) -> str:
    """What the numbers below the candidates are."""
    fitted = any(p.distance_before is not None for p in work.parts)
    return words("candidates.title" if fitted else "candidates.unfitted")


def stage_words(progress: Progress, words: Words) -> str:
    """ "sampling 3 / 8", as a bar with words."""
    said = words.stage(progress.stage)
    if progress.total > 1:
        said += f" {progress.done} / {progress.total}"
    return html.progress(said, progress.done, progress.total)


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
                candidates = gr.Slider(
                    1, 32, 8, step=1, label=words("options.candidates"), info=words("options.candidates.info")
                )
                temperature = gr.Slider(
                    0.1, 1.5, 0.7, step=0.05, label=words("options.temperature"), info=words("options.temperature.info")
                )
                fit_seconds = gr.Slider(
                    0, 30, 6, step=1, label=words("options.fit"), info=words("options.fit.info"), elem_id="fit-seconds"
                )
                align = gr.Checkbox(
                    True, label=words("options.align"), info=words("options.align.info"), elem_id="align"
                )
                clean = gr.Checkbox(
                    False, label=words("options.clean"), info=words("options.clean.info"), elem_id="clean"
                )
                seed = gr.Number(0, precision=0, label=words("options.seed"), info=words("options.seed.info"))
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
            numbers = gr.HTML(html.numbers(Work(), words), min_height=52, elem_id="numbers")
            chosen = gr.Gallery(
                label=words("candidates.title"), columns=8, height="auto", allow_preview=False, object_fit="contain",
                interactive=False, buttons=[], elem_id="candidates", elem_classes="cr-strip", visible=False,
            )  # fmt: skip
            with gr.Row(elem_classes="cr-files"):
                named = {"deviation": words("files.deviation"), "report": words("files.report")}
                files = [
                    gr.DownloadButton(
                        named.get(kind, f".{kind}"), interactive=False, size="sm", elem_id=f"download-{kind}",
                        min_width=110,
                    )
                    for kind in KINDS
                ]  # fmt: skip
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
            html.numbers(now, words, words("result.checking")),
            shown.text if shown else "",
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
        return cloud_view(now, services), html.cloud_facts(now.cloud, now.unit, words)

    def make_files(now: Work):
        made = write_files(now, services, words)
        buttons = [
            gr.update(value=str(made.paths[kind]) if kind in made.paths else None, interactive=kind in made.paths)
            for kind in KINDS
        ]
        return [html.numbers(now, words, made.validity), html.note(made.note) if made.note else "", *buttons]

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
    def first():
        return samples.first_work()

    opened = hear(page.load, first, None, work, words)
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
        now = open_cloud(sample.path, services, sample.unit)
        return now, sample.unit

    show_cloud(hear(gallery.select, pick, None, [work, unit], words))
    changed = hear(unit.input, lambda now, unit: replace(now, unit=unit), [work, unit], work, words)
    changed = hear(changed.success, draw_cloud, work, [preview, facts], words)
    hear(show_part(changed).success, draw_strip, work, chosen, words)

    # rebuild
    def rebuild_live(
        now: Work,
        candidates: int,
        temperature: float,
        seed: int,
        base: str,
        adapter: str,
        fit_seconds: float,
        align: bool,
        clean: bool,
        request: gr.Request,
    ) -> Iterator:
        options = Options(candidates, temperature, seed, base, adapter, fit_seconds, align, clean)
        visitor = request.session_hash
        busy = (gr.update(interactive=False), gr.update(interactive=True))
        rested = (gr.update(interactive=True), gr.update(interactive=False))
        began = time.monotonic()
        with services.stoppable(visitor) as stop:
            yield gr.skip(), html.progress(words.stage("loading"), 0, 1), *busy
            try:
                for item in follow(lambda report: rebuild(now, options, services, report, stop.is_set)):
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
        go.click, rebuild_live, [work, candidates, temperature, seed, base, adapter, fit_seconds, align, clean],
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
            return now, gr.skip(), gr.skip(), html.program_error(error, text, words)
        return after, view(after, mode, services), html.numbers(after, words, words("result.checking")), ""

    ran = hear(run.click, run_now, [work, code, mode], [work, result, numbers, fault], words)
    hear(ran.success, make_files, work, [numbers, files_note, *files], words)
    hear(ran.success, lambda now: now.shown, work, turned, words)

    # its dimensions
    def move(names: tuple[str, ...], now: Work, base: Part, mode: str, *values):
        try:
            after = dimensions.moved(now, base, dict(zip(names, values)))
        except ProgramError as error:
            return now, gr.skip(), gr.skip(), gr.skip(), html.bad(str(error))
        checking = html.numbers(after, words, words("result.checking"))
        return after, view(after, mode, services), checking, after.shown.text, ""

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
            reset = gr.Button(words("dimensions.reset"), size="sm")
            names = tuple(p.name for p in (*sizes, *places))
            after_move = [work, result, numbers, code, fault]
            slid = hear(
                partial(gr.on, [one.input for one in made]), partial(move, names), [work, turned, mode, *made],
                after_move, words, trigger_mode="always_last",
            )  # fmt: skip
            hear(slid.success, make_files, work, [numbers, files_note, *files], words, trigger_mode="always_last")
            put_back = hear(reset.click, lambda: [p.value for p in (*sizes, *places)], None, made, words)
            put_back = hear(put_back.success, partial(move, ()), [work, turned, mode], after_move, words)
            hear(put_back.success, make_files, work, [numbers, files_note, *files], words)
