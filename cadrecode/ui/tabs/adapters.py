"""Adapters: "what do I have, and how do I hand it on?"."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import gradio as gr

from cadrecode import jobs
from cadrecode.config import TrainConfig, load_yaml
from cadrecode.errors import ConfigError, ModelError
from cadrecode.runs import Run
from cadrecode.ui import html, models
from cadrecode.ui.live import Report, Result, follow
from cadrecode.ui.services import Services
from cadrecode.ui.table import empty_table, rows_html
from cadrecode.ui.text import Words
from cadrecode.ui.wire import hear, told

ADAPTER_FILES = ("*.json", "*.safetensors", "*.yaml", "*.jinja", "*.model", "merges.txt")
COLUMNS = ("name", "base", "data", "rank", "steps", "iou", "size", "merged")
NUMBERS = ("rank", "steps", "iou", "size", "merged")
DOWNLOADS = ".downloads"  # below the runs folder: zips of models are large, and are served from where they lie


# --- handlers: they know no widgets ---------------------------------------------------------------------------------


def rows(services: Services, words: Words) -> list[list[str]]:
    """The adapter list: name, base, data, rank, steps, held-out IoU, size, merged; newest first."""
    from cadrecode.engine import discover_adapters

    table = []
    for info in discover_adapters(services.runs_dir):
        run = Run(info.folder)
        status = run.status() if run.exists() else {}
        scores = [m["median_iou"] for m in run.metrics() if m.get("median_iou") is not None]
        merged = html.file_size(folder_size(info.merged)) if info.merged else "–"
        table.append(
            [
                info.name,
                Path(info.base).name,
                _data(info.folder),
                f"{info.r} / {info.alpha}",
                f"{status['step']:,}" if status.get("step") else "–",
                f"{scores[-1]:.2f}" if scores else "–",
                html.file_size(info.size_mb * 1e6),
                merged,
            ]
        )
    return table


def _data(folder: Path) -> str:
    try:
        path = load_yaml(folder / "config.yaml", TrainConfig).train_data_path
    except ConfigError:  # an adapter from elsewhere, without our settings file
        return "–"
    return path.removeprefix("invent:") if path.startswith("invent:") else Path(path).name


def folder_size(folder: Path) -> int:
    """Bytes of the files directly in a folder."""
    return sum(p.stat().st_size for p in folder.iterdir() if p.is_file())


def pack(files: list[Path], to: Path) -> Path:
    """Files into a zip without compression: weights do not get smaller, and this is as fast as the disk."""
    to.parent.mkdir(parents=True, exist_ok=True)
    newest = max(p.stat().st_mtime for p in files)
    if to.is_file() and to.stat().st_mtime >= newest:
        return to
    part = to.with_suffix(".part")
    with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
        for path in files:
            archive.write(path, path.name)
    part.replace(to)
    return to


def pack_adapter(name: str | None, services: Services) -> Path:
    """The adapter's own files as a zip. Raises ModelError: there is no such adapter."""
    info = models.find(services, name)
    files = sorted(p for pattern in ADAPTER_FILES for p in info.folder.glob(pattern))
    files = [p for p in files if p.name not in ("status.json", "complete.json", "trainer_state.json")]
    return pack(files, services.runs_dir / DOWNLOADS / f"{info.name}-adapter.zip")


def pack_merged(name: str | None, services: Services) -> Path:
    """The merged model as a zip. Raises ModelError: it has not been merged yet."""
    info = models.find(services, name)
    if info.merged is None:
        raise ModelError(f"{info.name} has not been merged yet: press Merge first.")
    files = sorted(p for p in info.merged.iterdir() if p.is_file())
    return pack(files, services.runs_dir / DOWNLOADS / f"{info.name}-merged_model.zip")


def merge(name: str | None, services: Services, report: Report):
    """Merge an adapter into its base, beside the adapter; verified before it is reported. Returns the MergeReport."""
    from cadrecode.merge import merge as merge_weights

    info = models.find(services, name)
    return merge_weights(
        info.base, info.folder, info.folder / "merged_model", on_progress=lambda stage, share: report(stage, share, 1)
    )


def delete(name: str | None, services: Services) -> None:
    """Remove an adapter and its run folder. Raises: it is in use by a run, or gone."""
    info = models.find(services, name)
    models.forget(services, info.name)
    run = Run(info.folder)
    if run.exists():
        jobs.delete(run)
    else:
        shutil.rmtree(info.folder)
    for kind in ("adapter", "merged_model"):
        (services.runs_dir / DOWNLOADS / f"{info.name}-{kind}.zip").unlink(missing_ok=True)


def answering(services: Services, words: Words) -> str:
    """What answers now."""
    engine = services.engine
    if engine.base is None:
        return html.note(words("adapters.none_loaded"))
    name = models.base_words(engine.base, words)
    return html.note(words("adapters.answering", model=f"{name} + {engine.active}" if engine.active else name))


# --- the tab ----------------------------------------------------------------------------------------------------------


def build(services: Services, words: Words, page: gr.Blocks, tabs: gr.Tabs, tab: gr.Tab) -> None:
    """Lay the tab out and wire it."""
    chosen = gr.State(None)
    headers = [words(f"adapters.{key}") for key in COLUMNS]
    shape = (words("adapters.title"), headers, [key in NUMBERS for key in COLUMNS])
    table = empty_table(*shape, elem_id="adapters")
    status = gr.HTML(min_height=24)
    with gr.Column(visible=False) as nothing:
        gr.HTML(html.empty(words("adapters.empty")))
        with gr.Row():
            gr.HTML("")
            to_train = gr.Button(words("adapters.go"), min_width=160, scale=0)
            gr.HTML("")
    picked = gr.HTML(elem_id="adapter-picked", min_height=24)
    with gr.Row(elem_classes="cr-files"):
        use = gr.Button(
            words("adapters.use"), size="sm", min_width=150, variant="primary", interactive=False, elem_id="adapter-use"
        )
        back = gr.Button(words("adapters.back"), size="sm", min_width=150, elem_id="adapter-back")
        fold = gr.Button(words("adapters.merge"), size="sm", min_width=150, interactive=False, elem_id="merge")
        small = gr.Button(words("adapters.pack"), size="sm", min_width=150, interactive=False, elem_id="pack-adapter")
        large = gr.Button(
            words("adapters.pack_merged"), size="sm", min_width=150, interactive=False, elem_id="pack-merged"
        )
        remove = gr.Button(
            words("adapters.delete"),
            size="sm",
            min_width=150,
            variant="stop",
            interactive=False,
            elem_id="adapter-delete",
        )
    with gr.Row(visible=False) as sure:
        gr.HTML(html.warning(words("adapters.sure")))
        remove_yes = gr.Button(words("adapters.delete.yes"), variant="stop", size="sm", elem_id="adapter-delete-yes")
        remove_no = gr.Button(words("train.kill.no"), size="sm")
    progress = gr.HTML(html.idle(), min_height=44, elem_id="merge-progress")
    files = gr.File(label=words("adapters.file"), interactive=False, visible=False, elem_id="adapter-file")

    def refresh(name: str | None):
        listed = rows(services, words)
        known = [row[0] for row in listed]
        name = name if name in known else (known[0] if known else None)
        merged = name is not None and models.find(services, name).merged is not None
        return [
            rows_html(*shape, listed, name),
            name,
            html.note(words("adapters.picked", name=name)) if name else "",
            gr.update(visible=not name),
            answering(services, words),
            *[gr.update(interactive=bool(name))] * 3,
            gr.update(interactive=merged),
            gr.update(interactive=bool(name)),
        ]

    looks = [table, chosen, picked, nothing, status, use, fold, small, large, remove]

    def look(event):
        return hear(event, refresh, chosen, looks, words)

    look(page.load)
    look(tab.select)
    hear(to_train.click, lambda: gr.update(selected="train"), None, tabs, words)

    def pick(event: gr.EventData):
        return event.name

    look(hear(table.select, pick, None, chosen, words).success)

    def use_now(name: str | None):
        yield html.progress(words.stage("loading"), 0, 1)
        yield html.idle(words("adapters.used", model=models.use(services, None, models.find(services, name).name)))

    def use_base():
        yield html.progress(words.stage("loading"), 0, 1)
        yield html.idle(words("adapters.used", model=models.use(services, None, None)))

    look(hear(use.click, use_now, chosen, progress, words).success)
    look(hear(back.click, use_base, None, progress, words).success)

    def merge_live(name: str | None) -> Iterator:
        yield html.progress(words.stage("loading"), 0, 3), gr.update(interactive=False)
        try:
            for item in follow(lambda report: merge(name, services, report)):
                if isinstance(item, Result):
                    done = item.value
                    said = words("merge.verified", x=f"{done.max_logit_difference:.1e}", tensors=done.tensors)
                    yield html.progress(said, 1, 1), gr.update(interactive=True)
                else:
                    yield html.progress(words.stage(item.stage), item.done, item.total), gr.update(interactive=False)
        except Exception as error:
            yield html.bad(told(error, words)), gr.update(interactive=True)
            raise

    look(hear(fold.click, merge_live, chosen, [progress, fold], words).success)

    def offer(pack):
        def packed(name: str | None):
            path = pack(name, services)
            size = html.file_size(path.stat().st_size)
            return gr.update(value=str(path), visible=True), html.idle(words("adapters.packed", size=size))

        return packed

    hear(small.click, offer(pack_adapter), chosen, [files, progress], words)
    hear(large.click, offer(pack_merged), chosen, [files, progress], words)

    hide = lambda: gr.update(visible=False)  # noqa: E731
    hear(remove.click, lambda: gr.update(visible=True), None, sure, words)
    hear(remove_no.click, hide, None, sure, words)
    look(hear(remove_yes.click, lambda name: delete(name, services), chosen, None, words).success)
    hear(remove_yes.click, hide, None, sure, words)
