"""Scoring models from the page: what to rebuild, with which models, and how it is told. Knows no widgets."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from cadrecode.cloud import BREP_SUFFIXES, MESH_SUFFIXES
from cadrecode.errors import CadrecodeError, DatasetError
from cadrecode.ui import archive, models
from cadrecode.ui.background import Report
from cadrecode.ui.draw import film, html
from cadrecode.ui.evaluate.stored import Asked, Kept
from cadrecode.ui.services import Services
from cadrecode.ui.words.text import Words

INVENTED, UPLOAD, OWN = "invented", "upload", "own"
BASE = "base:"  # choices are base:<name> or adapter:<name>
ADAPTER = "adapter:"
COLUMNS = ("model", "n", "invalid", "single", "best", "fit", "mean", "cd", "seconds")
SUFFIXES = (*MESH_SUFFIXES, *BREP_SUFFIXES)
SHOWN = 4  # worst and best

# Not measured here: CAD-Recode v1.5 as its authors report it, in CHANGELOG.md of github.com/filaPro/cad-recode, which
# names the paper's second version, arXiv 2412.14042v2. Set, IoU, median Chamfer distance x 1000, invalid ratio.
QUOTED = (("DeepCAD", 0.920, 0.157, 0.0037), ("Fusion360", 0.878, 0.151, 0.005))

Scored = tuple[str, dict]  # a model, and its report
Meshes = dict[str, tuple[np.ndarray, np.ndarray]]  # of an id: (n, 3) and (m, 3)


@dataclass(frozen=True)
class Scores:
    """What there is of an evaluation.

    Args: targets: the true parts that its pictures show. whole: whether all models have scored all parts.
    """

    asked: Asked
    reports: list[Scored]
    targets: Meshes
    whole: bool


def targets_of(source: str, family: str, files: Sequence[str] | None, path: str | None, folder: Path) -> str:
    """What to evaluate on. Uploads go into `folder`, where they stay when the page and its uploads are gone.

    Raises: DatasetError, ArchiveError: nothing was given, or nothing in it can be read.
    """
    if source == INVENTED:
        return f"invent:{family}"
    if source == UPLOAD:
        return str(_uploaded([Path(file) for file in files or ()], folder / "targets"))
    path = (path or "").strip().strip("'\"")
    if not path:
        raise DatasetError("Give a folder of meshes, a STEP file, or an .npz of <id>_v and <id>_f arrays.")
    return str(Path(path).expanduser())


def _uploaded(files: list[Path], folder: Path) -> Path:
    """One folder of meshes, from files and zips of them; an .npz as it is."""
    if not files:
        raise DatasetError(f"Drop meshes ({', '.join(SUFFIXES)}), a .zip of them, or an .npz.")
    folder.mkdir(parents=True)
    if len(files) == 1 and files[0].suffix.lower() == ".npz":
        return Path(shutil.copyfile(files[0], folder / files[0].name))
    for file in files:
        if file.suffix.lower() == ".zip":
            unpacked, _ = archive.unpack(file, folder, SUFFIXES)
            if not unpacked:
                raise DatasetError(f"{file.name} holds no meshes. Readable: {', '.join(SUFFIXES)}.")
        elif file.suffix.lower() in SUFFIXES:
            shutil.copyfile(file, folder / file.name)
        else:
            raise DatasetError(f"{file.name} is no mesh. Readable: {', '.join(SUFFIXES)}, a .zip of them, or one .npz.")
    return folder


def choices(services: Services, words: Words) -> list[tuple[str, str]]:
    """Bases and adapters to compare, as (what is shown, value)."""
    bases, adapters = models.choices(services, words)
    listed = [(shown, BASE + value) for shown, value in bases if models.is_here(value)]
    return listed + [(shown, ADAPTER + value) for shown, value in adapters if value != models.PLAIN]


def evaluate(
    kept: Kept,
    services: Services,
    report: Report,
    stop: Callable[[], bool],
    *,
    generate: Callable[..., list[str]] | None = None,
) -> Scores:
    """Score what `kept` asks for, from where it ended if it was cut off. What was in use before is in use afterwards.

    Args: generate: in place of `model.decode.generate`.
    Raises: CadrecodeError: no such model, no usable target, stopped before anything was scored.
    """
    from cadrecode.evaluation import evaluate as score_model

    asked = kept.asked()
    whole, rows = kept.read()

    def told(name: str, done: int, total: int | None) -> None:
        report(name, done, total or asked.limit)

    try:
        with models.kept(services):
            for one in asked.chosen:
                if one in whole:
                    continue
                name = name_of(one)
                report("loading", 0, 1)
                models.use(services, *((name, None) if one.startswith(BASE) else (None, name)))
                with services.engine.ready() as (model, tokenizer):
                    scored = score_model(
                        asked.targets, model, tokenizer, candidates=asked.candidates, limit=asked.limit,
                        seed=asked.seed, fit_seconds=asked.fit_seconds, sandbox=services.sandbox(),
                        on_progress=partial(told, name), on_row=lambda row, one=one: kept.add(one, row=row),
                        earlier=rows.get(one, ()), should_stop=stop, generate=generate,
                    )  # fmt: skip
                if scored["stopped"]:
                    break
                kept.add(one, report=scored)
    except CadrecodeError:
        if not (stop() and any(kept.read())):  # stopped before this model had scored any: there is what came before
            raise
    return so_far(kept)


def so_far(kept: Kept) -> Scores:
    """What there is of an evaluation, be it at its end or cut off: by model, in the order chosen."""
    from cadrecode.evaluation import report_of

    asked = kept.asked()
    whole, rows = kept.read()
    options = {"candidates": asked.candidates, "seed": asked.seed, "fit_seconds": asked.fit_seconds}
    partly = {one: report_of(found, asked.targets, **options) for one, found in rows.items()}
    reports = [(name_of(one), found) for one in asked.chosen if (found := whole.get(one) or partly.get(one))]
    return Scores(asked, reports, shown_targets(reports), kept.whole())


def name_of(choice: str) -> str:
    """The name in one of `choices`."""
    return choice.removeprefix(BASE).removeprefix(ADAPTER)


def asked_for(asked: Asked, words: Words) -> str:
    """What an evaluation is of, in one line."""
    source = Path(asked.targets)
    uploaded = source.name == "targets" or source.parent.name == "targets"
    return words(
        "evaluate.of", targets=words("evaluate.upload") if uploaded else asked.targets, limit=asked.limit,
        candidates=asked.candidates, seed=asked.seed, fit=f"{asked.fit_seconds:g}",
    )  # fmt: skip


def cut_off(scores: Scores, words: Words) -> str:
    """What is missing of an evaluation that was cut off; nothing where nothing is."""
    if scores.whole:
        return ""
    done = sum(report["n"] for _, report in scores.reports)
    return words("evaluate.cut", done=done, total=scores.asked.limit * len(scores.asked.chosen))


def rows(reports: Sequence[Scored], words: Words) -> list[list[str]]:
    """The table: one row a model. IoU counts failures as 0; the Chamfer distance is of valid programs alone."""
    table = []
    for name, scored in reports:
        several = scored["candidates"] > 1
        single = scored["single_median_iou"] if several else scored["median_iou"]
        fitted = "fit_median_iou" in scored
        mean = scored["fit_mean_iou_all" if fitted else "mean_iou_all"]
        distance = scored["fit_median_cd" if fitted else "median_cd"]
        table.append(
            [
                models.base_words(name, words),
                f"{scored['n']}",
                f"{100 * scored['invalid_ratio']:.0f} %",
                f"{single:.3f}",
                f"{scored['median_iou']:.3f}" if several else "–",
                f"{scored['fit_median_iou']:.3f}" if fitted else "–",
                f"{mean:.3f}",
                "–" if distance is None else f"{distance:.2f}",
                html.clock(scored["seconds"]),
            ]
        )
    return table


def skipped(reports: Sequence[Scored], words: Words) -> str:
    """Targets that could not be scored, and why; nothing where there were none."""
    missed = reports[0][1]["skipped"] if reports else []
    if not missed:
        return ""
    return html.more(
        words("evaluate.skipped", n=len(missed)), [f"{one['id']}: {words.said(one['reason'])}" for one in missed]
    )


def ious(reports: Sequence[Scored], words: Words) -> dict[str, list[float]]:
    """The IoU of each part by model, for the histogram; with a fit, before and after it."""
    found = {}
    for name, scored in reports:
        shown = models.base_words(name, words)
        found[shown] = [one["iou"] for one in scored["shapes"]]
        if "fit_median_iou" in scored:
            found[f"{shown} {words('evaluate.fitted')}"] = [one["fit_iou"] for one in scored["shapes"]]
    return found


def shown_targets(reports: Sequence[Scored]) -> Meshes:
    """The parts that `pictures` shows, as they were asked for; to be read while they are there."""
    from cadrecode.scoring.targets import Shape, load_targets

    wanted = {one["id"] for _, _, _, parts in _picked(reports) for one in parts}
    try:
        shapes = load_targets(reports[0][1]["targets"], ids=wanted) if wanted else ()
        return {one.id: (one.vertices, one.faces) for one in shapes if isinstance(one, Shape)}
    except DatasetError:  # an evaluation of another day, whose parts are gone: its figures stand
        return {}


def pictures(reports: Sequence[Scored], targets: Meshes, services: Services, words: Words) -> str:
    """The worst and the best parts of each model: the part that was asked for, then what came out."""
    drawn = [
        (words(title, model=models.base_words(name, words)),
         [cell for one in parts for cell in _pair(one, prefix, targets, services, words)])
        for title, name, prefix, parts in _picked(reports)
    ]  # fmt: skip
    return film.film(words("evaluate.pictures"), drawn)


def _picked(reports: Sequence[Scored]) -> list[tuple[str, str, str, list[dict]]]:
    """(title's key, model, "fit_" where there was one, rows) of what is shown."""
    picked = []
    for name, scored in reports:
        prefix = "fit_" if "fit_median_iou" in scored else ""
        ranked = sorted(scored["shapes"], key=lambda one: one[f"{prefix}iou"])
        count = min(SHOWN, (len(ranked) + 1) // 2)
        picked.append(("evaluate.worst", name, prefix, ranked[:count]))
        picked.append(("evaluate.best_parts", name, prefix, ranked[-count:][::-1] if count else []))
    return picked


def _pair(one: dict, prefix: str, targets: Meshes, services: Services, words: Words) -> list[film.Picture]:
    from cadrecode.scoring import build_text

    built = build_text(one[f"{prefix}program"], services.sandbox())
    said = words("film.iou", x=f"{one[f'{prefix}iou']:.2f}") if built.ok else words.outcome(built.outcome)
    return [(film.of_part(targets.get(one["id"])), one["id"]), (film.of_part(built.mesh if built.ok else None), said)]


def quoted(words: Words) -> str:
    """Published figures, marked as not ours."""
    headers = [words("quoted.set"), words("adapters.iou"), words("quoted.cd"), words("evaluate.invalid")]
    table = [
        [words("quoted.row", name=name), f"{iou:.3f}", f"{distance:.3f}", f"{100 * invalid:.2g} %"]
        for name, iou, distance, invalid in QUOTED
    ]
    return html.plain_table(words("quoted.title"), headers, table)


def write_report(reports: Sequence[Scored], services: Services) -> Path:
    """Everything that was measured, as JSON."""
    text = json.dumps([{"model": name, **scored} for name, scored in reports], indent=1)
    path = services.folder_for("evaluation", text) / f"evaluation-{time.strftime('%Y%m%d-%H%M')}.json"
    path.write_text(text, encoding="utf-8")
    return path
