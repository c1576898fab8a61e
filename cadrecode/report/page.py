"""An evaluation as one page: scores with intervals, charts, shapes that can be turned, settings. Nothing is fetched."""

from __future__ import annotations

import base64
import gzip
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup

from cadrecode import __version__
from cadrecode.errors import Message, restored
from cadrecode.frames import Frame
from cadrecode.json_files import write_whole
from cadrecode.report import charts, shell, turnable
from cadrecode.report.parts import (
    GRADES,
    Answer,
    Mesh,
    ScoredPart,
    mesh_of_program,
    scored_parts,
    targets_of,
    worst_first,
)
from cadrecode.report.series import BANDS, ModelReport, Series, good_matches, scores, series_of, verdicts
from cadrecode.scans import Scan
from cadrecode.scoring.bootstrap import interval
from cadrecode.scoring.targets import seed_of
from cadrecode.scoring.verdict import WORDS as VERDICTS
from cadrecode.scoring.verdict import Verdict
from cadrecode.shipped import ROOT

if TYPE_CHECKING:
    from cadrecode.kernel.sandbox import Sandbox

Said = Callable[[str], str]  # translates a message

WORST, BEST = 48, 12  # parts of the gallery
PACKAGES = ("torch", "transformers", "manifold3d", "cadquery", "numpy", "scipy")
SETTINGS = (
    "programs", "targets", "frame", "model", "adapter", "grammar", "from", "input", "candidates", "temperature",
    "fit_seconds", "seconds", "points", "noise", "flaw", "seed",
)  # fmt: skip
SWEPT = ("points", "noise", "flaw")  # settings that a sweep changes
WORDS = {
    "scores": Message("Scores"),
    "brackets": Message("Small: the range of 90 of 100 redrawings of the shapes. A failure counts as an IoU of 0."),
    "nothing": Message("No shape was scored."),
    "histogram": Message("Shapes by IoU"),
    "iou": Message("IoU"),
    "mean": Message("mean IoU"),
    "median": Message("median IoU"),
    "shapes": Message("shapes"),
    "group": Message("group"),
    "groups": Message("Groups, first programs"),
    "sweep": Message("Kinds of scan"),
    "scan": Message("scan"),
    "holes": Message("as many through holes"),
    "good": Message("good matches, right"),
    "sweep_iou": Message("Mean IoU by kind of scan, and the range of 90 of 100 redrawings"),
    "sweep_verdicts": Message("Verdicts by kind of scan"),
    "verdicts": Message("Verdicts by true IoU"),
    "verdicts_note": Message("A verdict does not see the true IoU. A good match is right from an IoU of 0.97 on."),
    "from": Message("true IoU from"),
    "gallery": Message("Part by part"),
    "gallery_note": Message("Drag a shape to turn it, or use the arrow keys; a double click turns it back."),
    "only": Message("The worst {worst} and the best {best} of {total}."),
    "broken": Message("This browser cannot draw the shapes: it lacks WebGL or is too old."),
    "all": Message("all"),
    "failed": Message("failed"),
    "true": Message("true part"),
    "points": Message("points"),
    "every": Message("All shapes, the worst first"),
    "shape": Message("shape"),
    "skipped": Message("Not scored"),
    "settings": Message("Settings"),
    "versions": Message("Versions"),
    "command": Message("Command"),
    "wrong": Message("good match, wrong"),
}


def write_report(folder: str | Path, reports: Sequence[ModelReport], **options: Any) -> Path:
    """Write `evaluation_page` as index.html of a folder, which is made where it is missing."""
    path = Path(folder) / "index.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, evaluation_page(reports, **options))
    return path


def evaluation_page(
    reports: Sequence[ModelReport],
    *,
    sweep: bool = False,
    commands: Sequence[str] = (),
    sandbox: Sandbox | None = None,
    said: Said = str,
    language: str = "en",
) -> str:
    """The page.

    Args:
        reports: Of the same targets, as `evaluation.evaluate`, `trial.Trial` and `scores.Scores` return them.
        sweep: The reports are of the kinds of scan of `Trial.sweep`, and their names do not matter.
        commands: What a terminal needs to get the same.
        sandbox: Runs programs outside of the language, to draw them.
        said: Translates a message.
        language: Of the page: "en" or "zh".
    """
    if sweep:
        reports = [(said(Scan.of_report(report).name), report) for _, report in reports]
    first = reports[0][1] if reports else {}
    columns = series_of(reports, said)
    gallery = Gallery(reports, sweep, sandbox, said)
    parts = _parts(reports, sweep)
    targets = str(first.get("targets", ""))
    skipped = [restored(entry) for entry in first.get("skipped", ())]
    return shell.drawn(
        "page.html",
        language=language,
        title=said(Message("Evaluation of {targets}", targets=Path(targets).name or "-")),
        about=f"cadrecode {__version__} · {datetime.now():%Y-%m-%d %H:%M}",
        words={key: said(word) for key, word in WORDS.items()},
        commands=commands,
        columns=[(column.name, charts.COLOURS[i % len(charts.COLOURS)]) for i, column in enumerate(columns)],
        count=len(first.get("shapes", ())),
        scores=[] if sweep else [(said(name), cells) for name, cells in scores(columns)],
        histogram=None if sweep or not columns else _histogram(columns, said),
        groups=[(name if len(reports) > 1 else "", report["groups"]) for name, report in reports if "groups" in report],
        sweep=_sweep(reports, said) if sweep else None,
        verdicts=_verdicts(reports, said),
        bands=[f"{band:g}" for band in BANDS],
        filters=_filters(parts, said),
        cards=gallery.cards(parts),
        total=len(parts),
        only=said(Message(str(WORDS["only"]), worst=WORST, best=BEST, total=len(parts))),
        shapes=gallery.shapes,
        code={name: Markup(shell.beside(name)) for name in ("gallery.js", "filter.js")},
        three=_three(),
        licence=Markup((ROOT / "assets" / "viewer" / "LICENSE.three").read_text(encoding="utf-8")),
        rows=_rows(columns, parts, said),
        skipped=[(entry["id"], said(entry["reason"])) for entry in skipped],
        settings=_settings(first, sweep),
        versions=_versions(),
    )


def _histogram(columns: Sequence[Series], said: Said) -> Markup:
    bars = [(column.name, column.ious()) for column in columns]
    return charts.histogram(bars, said(WORDS["histogram"]), said(WORDS["iou"]))


def _sweep(reports: Sequence[ModelReport], said: Said) -> dict[str, Any]:
    """The charts and the table of the kinds of scan."""
    lines, table = [], []
    for name, report in reports:
        ious = np.array([row["iou"] for row in report["shapes"]], np.float64)
        low, high = interval(ious, np.mean)
        good, right = good_matches(report["shapes"])
        counts = {"good": right, "wrong": good - right}
        counts |= {
            str(verdict): report["verdict"].get(str(verdict), 0) for verdict in Verdict if verdict != Verdict.GOOD
        }
        shares = [(kind, _words_of(kind, said), count / len(ious)) for kind, count in counts.items()]
        lines.append(charts.ScanLine(name, float(ious.mean()), low, high, shares))
        genus = f"{100 * report['final_genus_right']:.0f} %"
        table.append(
            (name, f"{ious.mean():.3f}", f"{low:.3f} – {high:.3f}", f"{np.median(ious):.3f}", genus, f"{good}, {right}")
        )
    kinds = ("good", "wrong", Verdict.DETAILS, Verdict.PARTLY, Verdict.NONE)
    return {
        "iou": charts.iou_chart(lines, said(WORDS["sweep_iou"])),
        "verdicts": charts.verdict_chart(lines, said(WORDS["sweep_verdicts"])),
        "kinds": [(str(kind), _words_of(kind, said)) for kind in kinds],
        "table": table,
    }


def _words_of(kind: str, said: Said) -> str:
    """The words for a verdict, for a failure, and for the good matches that are right ("good") and "wrong"."""
    if kind in ("failed", "wrong"):
        return said(WORDS[kind])
    return said(VERDICTS[Verdict.GOOD if kind == "good" else Verdict(kind)])


def _verdicts(reports: Sequence[ModelReport], said: Said) -> list[tuple[str, list[int]]]:
    """The table of verdicts by true IoU; empty where no verdicts were given."""
    pairs = [(row["verdict"], row["iou"]) for _, report in reports for row in report["shapes"] if "verdict" in row]
    return [(_words_of(verdict, said), counts) for verdict, counts in verdicts(pairs).items()] if pairs else []


def _parts(reports: Sequence[ModelReport], sweep: bool) -> list[ScoredPart]:
    """A part for each shape; in a sweep, for each shape and kind of scan."""
    if not sweep:
        return scored_parts(reports)
    return worst_first(part for named in reports for part in scored_parts([named]))


def _filters(parts: Sequence[ScoredPart], said: Said) -> list[tuple[str, str, int]]:
    """A button each: grade, words, and count over all parts."""
    counts = [(grade, sum(part.grade == grade for part in parts)) for grade in GRADES]
    return [("", said(WORDS["all"]), len(parts))] + [
        (str(grade), _words_of(grade, said), count) for grade, count in counts if count
    ]


def _rows(columns: Sequence[Series], parts: Sequence[ScoredPart], said: Said) -> list[tuple[str, list[str]]]:
    """Each shape with its IoU in each column, or how its program ended."""
    cells: dict[str, list[str]] = {part.id: ["–"] * len(columns) for part in parts}
    for place, column in enumerate(columns):
        for row in column.rows:
            failed = column.of(row, "cd") is None
            cells[row["id"]][place] = said(str(column.of(row, "outcome"))) if failed else f"{column.of(row, 'iou'):.3f}"
    return list(cells.items())


def _settings(report: dict, sweep: bool) -> list[tuple[str, str]]:
    own = [key for key in SETTINGS if report.get(key) is not None and not (sweep and key in SWEPT)]
    if "from" not in report and "seconds" in own:  # how long it took, which is no setting
        own.remove("seconds")
    return [(key, str(report[key])) for key in own if report[key] != ""]


def _versions() -> list[tuple[str, str]]:
    own = [("cadrecode", __version__), ("python", platform.python_version()), ("system", platform.platform())]
    return own + [(package, version(package)) for package in PACKAGES]


def _three() -> str:
    script = (ROOT / "assets" / "viewer" / "three.js").read_bytes()
    return base64.b64encode(gzip.compress(script, mtime=0)).decode()


@dataclass
class Gallery:
    """The worst and the best parts.

    Args:
        reports, sweep, sandbox, said: See `evaluation_page`.
        shapes: Each shape that is drawn, by the key under which a card names it.
    """

    reports: Sequence[ModelReport]
    sweep: bool
    sandbox: Sandbox | None
    said: Said
    shapes: dict[str, str] = field(default_factory=dict)

    def cards(self, parts: Sequence[ScoredPart]) -> list[dict[str, Any]]:
        """The data of a card for each chosen part, the worst first."""
        chosen = parts if len(parts) <= WORST + BEST else [*parts[:WORST], *parts[-BEST:]]
        targets = targets_of(self.reports[0][1], {part.id for part in chosen}) if chosen else {}
        return [self._card(part, targets.get(part.id)) for part in chosen]

    def _card(self, part: ScoredPart, target: Mesh | None) -> dict[str, Any]:
        report = dict(self.reports)[part.answers[0].model]
        frame = None if target is None else Frame.of(target[0])
        figures = []
        if target is not None and frame is not None:
            figures.append(self._figure(WORDS["true"], "", turnable.packed_mesh(frame.to_code(target[0]), target[1])))
            points = cloud_of(report, part.id, target)
            if points is not None:
                figures.append(
                    self._figure(WORDS["points"], f"{len(points):,}", turnable.packed_points(frame.to_code(points)))
                )
        for answer in part.answers:
            name = answer.model if len(self.reports) > 1 and not self.sweep else self.said(Message("result"))
            figures.append(self._figure(name, self._said_of(answer), self._made(answer, report, frame)))
        return {
            "id": part.id,
            "note": part.answers[0].model if self.sweep else "",
            "grade": str(part.grade),
            "words": _words_of(part.grade, self.said),
            "figures": figures,
        }

    def _figure(self, caption: str, detail: str, shape: str) -> dict[str, str]:
        key = ""
        if shape:
            key = f"s{len(self.shapes)}"
            self.shapes[key] = shape
        return {"caption": self.said(caption), "detail": detail, "shape": key}

    def _said_of(self, answer: Answer) -> str:
        if answer.grade == "failed":
            return self.said(answer.outcome)
        verdict = f" · {self.said(VERDICTS[Verdict(answer.verdict)])}" if answer.verdict else ""
        return f"IoU {answer.iou:.3f}{verdict}"

    def _made(self, answer: Answer, report: dict, frame: Frame | None) -> str:
        """The part of an answer, packed; empty where there is none."""
        mesh = None if answer.grade == "failed" else mesh_of_program(answer.program, self.sandbox)
        if mesh is None:
            return ""
        vertices, faces = mesh
        raw = report.get("frame") == "raw" and frame is not None
        return turnable.packed_mesh(frame.to_code(vertices) if raw else vertices, faces)


def cloud_of(report: dict, id: str, target: Mesh) -> np.ndarray | None:
    """(n, 3) RAW, the points that a shape was rebuilt from, sampled again; None where there were none."""
    if report.get("input") == "mesh" or "programs" in report:
        return None
    return Scan.of_report(report).of(*target, seed_of(id, report["seed"]))
