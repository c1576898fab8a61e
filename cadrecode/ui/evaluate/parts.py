"""An evaluation part by part: the true part beside what each model made of it, the worst first, by verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from html import escape
from typing import TYPE_CHECKING

from cadrecode.report.parts import GRADES, Mesh, ScoredPart, mesh_of_program, scored_parts
from cadrecode.report.series import ModelReport
from cadrecode.report.shell import beside
from cadrecode.scoring.verdict import WORDS, Verdict
from cadrecode.ui import models
from cadrecode.ui.draw import film, html
from cadrecode.ui.words.text import Words

if TYPE_CHECKING:
    from cadrecode.kernel.sandbox import Sandbox

MOST_PARTS = 60  # drawn: the worst
LONGEST_NAME = 22  # letters of a part's name

FILTER = beside("filter.js")
PILLS = {"failed": "failed", Verdict.NONE: "failed", Verdict.DETAILS: "tight", Verdict.GOOD: "done"}


def grade_words(grade: str, words: Words) -> str:
    return words("row.failed") if grade == "failed" else words.said(WORDS[Verdict(grade)])


def parts_html(
    reports: Sequence[ModelReport], targets: Mapping[str, Mesh], sandbox: Sandbox | None, words: Words
) -> str:
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


def _card(part: ScoredPart, targets: Mapping[str, Mesh], sandbox: Sandbox | None, words: Words) -> str:
    pictures = [(film.of_part(targets.get(part.id)), words("evaluate.true"), "")]
    for answer in part.answers:  # each in the colour of its own verdict: that of the card is the worst of them
        failed = answer.grade == "failed"
        said = words.outcome(answer.outcome) if failed else words("film.iou", x=f"{answer.iou:.2f}")
        verdict = escape(grade_words(answer.grade, words))
        said = f'<b class="cr-pill {PILLS[answer.grade]}" title="{verdict}">{escape(said)}</b>'
        pictures.append((_drawn(answer.program, sandbox), models.base_words(answer.model, words), said))
    cells = "".join(
        f'<figure><img src="{address}" width="{film.PIXELS}" height="{film.PIXELS}" alt="{escape(caption)}">'
        f'<figcaption title="{escape(caption)}">{escape(html.middle(caption, LONGEST_NAME))}{said}'
        "</figcaption></figure>"
        for address, caption, said in pictures
    )
    name = f'<h4 title="{escape(part.id)}">{escape(html.middle(part.id, LONGEST_NAME))}</h4>'
    pill = f'<span class="cr-pill {PILLS[part.grade]}">{escape(grade_words(part.grade, words))}</span>'
    return f'<article data-grade="{part.grade}"><header>{name}{pill}</header><div>{cells}</div></article>'


@lru_cache(maxsize=512)  # a page asks again whenever it is opened
def _drawn(program: str, sandbox: Sandbox | None) -> str:
    return film.of_part(mesh_of_program(program, sandbox))
