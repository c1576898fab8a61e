"""An evaluation part by part: the true part beside what each model made of it, the worst first, by verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cadrecode.errors import DatasetError
from cadrecode.scoring import build_text
from cadrecode.scoring.verdict import GOOD, SOME, WORDS, Verdict
from cadrecode.ui import models
from cadrecode.ui.draw import film, html
from cadrecode.ui.words.text import Words

if TYPE_CHECKING:
    from cadrecode.kernel.sandbox import Sandbox

ModelReport = tuple[str, dict]  # a model's name, and its report
Meshes = dict[str, tuple[np.ndarray, np.ndarray]]  # of an id: (n, 3) and (m, 3)

MOST_PARTS = 60  # drawn: the worst
LONGEST_NAME = 22  # letters of a part's name
GRADES = ("failed", Verdict.NONE, Verdict.DETAILS, Verdict.GOOD)  # the worst first

# A press on a verdict leaves its parts alone in sight; a press on "all" brings the others back.
FILTER = """
element.addEventListener('click', ({target}) => {
  const button = target.closest('[data-only]');
  if (!button) return;
  const only = button.dataset.only;
  element.querySelectorAll('[data-only]').forEach(other => other.setAttribute('aria-pressed', other === button));
  element.querySelectorAll('[data-grade]').forEach(card => card.hidden = only !== '' && card.dataset.grade !== only);
});
"""


@dataclass(frozen=True)
class ScoredPart:
    """A part, and what each model made of it.

    Args:
        made: (model, IoU, program, outcome) each.
        grade: Of GRADES, that of the worst of them.
    """

    id: str
    made: tuple[tuple[str, float, str, str], ...]
    grade: str

    @property
    def worst(self) -> float:
        return min(score for _, score, _, _ in self.made)


def scored_parts(reports: Sequence[ModelReport]) -> list[ScoredPart]:
    """Every part, the worst first; with a fit, as it is after it."""
    made: dict[str, list[tuple[str, float, str, str]]] = {}
    for name, report in reports:
        prefix = "fit_" if "fit_median_iou" in report else ""
        for row in report["shapes"]:
            cell = (name, row[f"{prefix}iou"], row[f"{prefix}program"], str(row["outcome"]))
            made.setdefault(row["id"], []).append(cell)
    parts = [
        ScoredPart(key, tuple(cells), min((_grade(*cell[1:]) for cell in cells), key=GRADES.index))
        for key, cells in made.items()
    ]
    return sorted(parts, key=lambda part: (GRADES.index(part.grade), part.worst))


def _grade(score: float, _: str, outcome: str) -> str:
    """As a closed mesh's verdict goes by its IoU."""
    if not score and outcome != "ok":
        return "failed"
    return Verdict.NONE if score < SOME else Verdict.DETAILS if score < GOOD else Verdict.GOOD


def grade_words(grade: str, words: Words) -> str:
    return words("row.failed") if grade == "failed" else words.said(WORDS[Verdict(grade)])


def targets_of(reports: Sequence[ModelReport]) -> Meshes:
    """The true parts that `parts_html` shows."""
    from cadrecode.scoring.targets import Shape, load_targets

    wanted = {part.id for part in scored_parts(reports)[:MOST_PARTS]}
    try:
        shapes = load_targets(reports[0][1]["targets"], ids=wanted) if wanted else ()
        return {shape.id: (shape.vertices, shape.faces) for shape in shapes if isinstance(shape, Shape)}
    except DatasetError:  # the parts were deleted since; the figures stand
        return {}


def parts_html(reports: Sequence[ModelReport], targets: Meshes, sandbox: Sandbox | None, words: Words) -> str:
    """A card for each part, and above them a button for each verdict."""
    parts = scored_parts(reports)
    counts = {grade: sum(part.grade == grade for part in parts) for grade in GRADES}
    buttons = _button("", f"{words('evaluate.all')} {len(parts)}", True) + "".join(
        _button(grade, f"{grade_words(grade, words)} {count}", False) for grade, count in counts.items() if count
    )
    cards = "".join(_card(part, targets, sandbox, words) for part in parts[:MOST_PARTS])
    more = html.note(words("evaluate.worst_of", n=MOST_PARTS, total=len(parts))) if len(parts) > MOST_PARTS else ""
    title = escape(words("evaluate.pictures"))
    return (
        f'<h3>{title}</h3><div class="cr-filter" role="group" aria-label="{title}">{buttons}</div>{more}'
        f'<div class="cr-parts">{cards}</div>'
    )


def _button(grade: str, text: str, pressed: bool) -> str:
    return f'<button type="button" data-only="{grade}" aria-pressed="{str(pressed).lower()}">{escape(text)}</button>'


def _card(part: ScoredPart, targets: Meshes, sandbox: Sandbox | None, words: Words) -> str:
    pictures = [(film.of_part(targets.get(part.id)), words("evaluate.true"), "")]
    for name, score, program, outcome in part.made:
        said = words("film.iou", x=f"{score:.2f}") if score or outcome == "ok" else words.outcome(outcome)
        pictures.append((_picture(program, sandbox), models.base_words(name, words), said))
    cells = "".join(
        f'<figure><img src="{address}" width="{film.PIXELS}" height="{film.PIXELS}" alt="{escape(caption)}">'
        f'<figcaption title="{escape(caption)}">{escape(html.middle(caption, LONGEST_NAME))}<b>{escape(said)}</b>'
        "</figcaption></figure>"
        for address, caption, said in pictures
    )
    name = f'<h4 title="{escape(part.id)}">{escape(html.middle(part.id, LONGEST_NAME))}</h4>'
    pill = f'<span class="cr-pill {PILLS[part.grade]}">{escape(grade_words(part.grade, words))}</span>'
    return f'<article data-grade="{part.grade}"><header>{name}{pill}</header><div>{cells}</div></article>'


PILLS = {"failed": "failed", Verdict.NONE: "failed", Verdict.DETAILS: "tight", Verdict.GOOD: "done"}


def _picture(program: str, sandbox: Sandbox | None) -> str:
    return film.of_part(None) if not program else _drawn(program, sandbox)


@lru_cache(maxsize=512)  # a page asks again whenever it is opened
def _drawn(program: str, sandbox: Sandbox | None) -> str:
    built = build_text(program, sandbox)
    return film.of_part(built.mesh if built.ok else None)


STYLE = """<style>.cr-parts{display:flex;flex-wrap:wrap;gap:14px}article{border:1px solid #e3e7ed;border-radius:8px;
padding:10px}article div{display:flex;gap:8px}article header{display:flex;gap:8px;align-items:baseline}
h4{margin:0 0 6px;font-size:14px}figure{max-width:none;margin:0;width:122px}figcaption b{display:block}
.cr-filter button{margin:0 8px 12px 0;font:inherit;padding:4px 10px}.cr-filter [aria-pressed=true]{font-weight:700}
.cr-pill{font-size:12.5px;color:#5b6675}[hidden]{display:none}</style>"""


def report_page(tables: str, parts: str, words: Words) -> str:
    """The evaluation as a page that opens anywhere, with its filter.

    Args:
        tables, parts: HTML.
    """
    from cadrecode.ui.reconstruct.report import whole_page

    title = escape(words("evaluate.title"))
    script = f"<script>(element => {{{FILTER}}})(document.body)</script>"
    return whole_page(title, f"{STYLE}<h1>{title}</h1>{tables}{parts}{script}", words)


def write_page(path: Path, *given: Any) -> Path:
    """Write `report_page`."""
    path.write_text(report_page(*given), encoding="utf-8")
    return path
