"""The facts of a scan and of a part as pieces of page: sizes, deviations, warnings, and where a program is wrong."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from cadrecode.errors import ProgramError
from cadrecode.figures import LEAST, figure
from cadrecode.frames import TINY_MM
from cadrecode.scoring import source_words
from cadrecode.ui.draw import html

if TYPE_CHECKING:
    from cadrecode.cloud import Cloud
    from cadrecode.cloud.align import Alignment
    from cadrecode.part import Part
    from cadrecode.scoring import Deviation
    from cadrecode.ui.reconstruct.state import Work
    from cadrecode.ui.words.text import Words

MOST_UNEXPLAINED = 3  # groups of places that are listed on the page; the report has more
LONGEST_NAME = 34  # letters of a file's name, in a column of 280 pixels
LEAST_BIAS = 0.25  # of the mean deviation: less may be noise alone


# A new tolerance goes to Python as an `input` event; a spot that is clicked is shown by the 3D view.
SCRIPT = """
element.addEventListener('change', ({target}) => {
  if (target.valueAsNumber > 0) trigger('input', {tolerance: target.valueAsNumber});
});
element.addEventListener('click', ({target}) => {
  const button = target.closest('[data-spot]');
  if (button) document.dispatchEvent(new CustomEvent('cadrecode:spot', {detail: Number(button.dataset.spot)}));
  if (target.closest('[data-search]')) trigger('select', {});
});
"""


def distance(part: Part, unit: str) -> str:
    """The distance before and after the fit, in the unit that is shown but without it; a single number for a part that
    was not fitted."""
    after, before = (
        None if value is None else figure(html.shown_in(unit)[0] * value)
        for value in (part.distance, part.distance_before)
    )
    return after if before is None else f"{before} → {after}"


def cloud_facts(cloud: Cloud | None, unit: str, words: Words, source: str = "") -> str:
    """Count, size and warnings of a cloud.

    Args:
        source: Who made it, of a sample.
    """
    if cloud is None:
        return html.note(words("cloud.none"))
    sides = cloud.points.max(0) - cloud.points.min(0)
    name = f'<b title="{escape(cloud.name)}">{escape(html.middle(cloud.name, LONGEST_NAME))}</b>'
    lines = f"{name}<br>{words('cloud.facts', n=f'{len(cloud.points):,}', size=html.lengths(sides, unit))}"
    if source:
        lines = f'<span title="{escape(words("cloud.source", source=source))}">{lines}</span>'
    if cloud.kind in ("mesh", "brep"):
        lines += f"<br>{escape(words.said(cloud.used_as))}"
    warnings = [words.said(warning) for warning in cloud.warnings]
    if hint := unit_hint(cloud, unit, words):
        warnings.append(hint)
    return f'<div class="cr-note">{lines}</div>' + "".join(html.warning(warning) for warning in warnings)


def unit_hint(cloud: Cloud, unit: str, words: Words) -> str:
    """A hint at a scan too small for its unit; else empty."""
    side = float(np.ptp(cloud.points, axis=0).max())
    return words("cloud.tiny", size=html.length(side, unit)) if unit == "mm" and side < TINY_MM else ""


def numbers(work: Work, words: Words, validity: str = "", *, judged: bool = True) -> str:
    """The verdict, the share of the points within the tolerance, a table of facts, and what is not explained.

    Args:
        validity: What OpenCASCADE says about the part.
        judged: False where a hand waits, and the verdict follows.
    """
    part, unit = work.shown, work.unit
    if part is None:
        note = "" if work.cloud is None else html.note(words("result.none"))
        return f'<div class="cr-numbers">{note}</div>'
    verdict = ""
    if not judged and part.cloud is not None:
        verdict = f'<span class="cr-lead">{escape(words("result.checking"))}</span>'
    elif part.assessment is not None:
        verdict = f'<span class="cr-lead {part.assessment.verdict}">{escape(words.said(part.assessment.text))}</span>'
    within = "" if part.deviation is None else _within(part.deviation, work.tolerance_shown, unit, words)
    size = f"<b>{html.lengths(part.size, unit)}</b>"
    facts = {"fit": _distances(part, unit, words), "size": [size], "solid": _solid(work, part, words, validity)}
    facts = {key: lines for key, lines in facts.items() if lines}
    head = "".join(f'<th scope="col">{escape(words(f"facts.{key}"))}</th>' for key in facts)
    cells = "".join(f"<td>{' · '.join(lines)}</td>" for lines in facts.values())
    notes = " · ".join(_notes(work, words))
    told = () if work.rebuilt is None else (*work.rebuilt.remarks, *work.rebuilt.advice)
    hints = "".join(html.warning(words.said(line)) for line in told)
    missed = _unexplained(part, unit, words, can_search=work.rebuilt is not None) if judged else ""
    return (
        f'<div class="cr-numbers"><p class="cr-verdict">{verdict}{within}</p>{missed}'
        f'<table class="cr-facts"><thead><tr>{head}</tr></thead><tbody><tr>{cells}</tr></tbody></table>'
        f'<p class="cr-small">{notes}</p>{hints}</div>'
    )


def _within(deviation: Deviation, tolerance: float, unit: str, words: Words) -> str:
    """ "98.4 % of the points within [0.5] mm"; the tolerance can be edited."""
    factor, unit = html.shown_in(unit)
    field = (
        f'<input type="number" min="0" step="any" value="{factor * tolerance:.6g}" '
        f'aria-label="{escape(words("result.tolerance"))} ({unit})">'
    )
    share = html.percent(deviation.within(tolerance))
    text = escape(words("result.within", share=share, x="|")).replace("|", f"{field} {unit}")
    return f'<span class="cr-within">{text}</span>'


def _solid(work: Work, part: Part, words: Words, validity: str) -> list[str]:
    """The kind of solid, and its source."""
    facts = [f"<b>{validity}</b>"] if validity else []
    if work.edited is not None:
        facts.append(words("result.edited"))
    elif part.index is not None:
        facts.append(escape(words.said(source_words(part.source))))
    return facts


def _notes(work: Work, words: Words) -> list[str]:
    """Notes on the rebuild: failed candidates, turning, cleaning."""
    notes: list[str] = []
    if work.rebuilt is None:
        return notes
    if work.edited is None and work.rebuilt.failed:
        failed = [str(candidate.outcome) for candidate in work.rebuilt.failed]
        why = ", ".join(sorted({words.outcome(outcome) for outcome in failed}))
        notes.append(words("result.failures", bad=len(failed), total=len(work.parts) + len(failed), why=why))
    notes += _standing(work.rebuilt.alignment, words)
    whole, left = len(work.cloud.points), len(work.scan.points)
    if left < whole:
        notes.append(words("result.cleaned", x=f"{whole - left:,}", n=f"{whole:,}"))
    return notes


def spots(part: Part | None, unit: str, words: Words) -> list[dict[str, Any]]:
    """Where part and scan disagree: `text`, and the `place` and `size` of each spot, in the order in which `numbers`
    lists them."""
    if part is None or part.assessment is None:
        return []
    entries = part.assessment.report(unit)["unexplained"][:MOST_UNEXPLAINED]
    return [
        {"place": place, "size": entry["size"], "text": words.said(entry["text"]), "entry": number}
        for number, entry in enumerate(entries)
        for place in entry["places"]
    ]


def _unexplained(part: Part, unit: str, words: Words, *, can_search: bool) -> str:
    """Where part and scan disagree: a button each, which turns the view there, and one that searches longer."""
    texts = {spot["entry"]: spot["text"] for spot in spots(part, unit, words)}
    title = escape(words("result.spot"))
    buttons = "".join(
        f'<li><button type="button" data-spot="{number}" title="{title}">{escape(text)}</button></li>'
        for number, text in texts.items()
    )
    look = f'<li><button type="button" data-search>{escape(words("result.search"))}</button></li>'
    return f'<ul class="cr-missed">{buttons}{look if can_search else ""}</ul>' if buttons else ""


def _distances(part: Part, unit: str, words: Words) -> list[str]:
    """How far the points lie from the part, and how far they did before the fit."""

    def bold(value: float) -> str:
        return f"<b>{escape(html.length(value, unit))}</b>"

    facts = []
    if part.deviation is not None:
        bias = part.deviation.bias
        facts.append(f"{words('result.mean')} {bold(part.deviation.mean)}")
        facts.append(words("result.p95", x=bold(part.deviation.p95)))
        facts.append(words("result.max", x=bold(part.deviation.max)))
        if abs(bias) > max(LEAST_BIAS * part.deviation.mean, LEAST / html.shown_in(unit)[0]):
            facts.append(words("result.outside" if bias >= 0 else "result.inside", x=bold(abs(bias))))
    if part.distance is not None:
        before = "" if part.distance_before is None else words("result.before", x=bold(part.distance_before))
        facts.append(words("result.distance", x=bold(part.distance)) + before)
    return facts


def _standing(alignment: Alignment, words: Words) -> list[str]:
    """Notes on how a part that stood askew was turned; empty where it stood upright."""
    if alignment.rotation is not None:
        return [words("result.turned", x=f"{alignment.degrees:.1f}")]
    return [words("result.unclear")] if alignment.standing == "unclear" else []


def program_error(error: ProgramError, text: str, words: Words) -> str:
    """Where a program is wrong, with that line, a mark below it where the column is known, and what was expected."""
    if error.line is None:
        return html.bad(words.said(str(error)))
    lines = text.splitlines() or [""]
    line = lines[min(error.line, len(lines)) - 1]
    column = max(1, error.column or 1)
    start = max(0, column - 1 - 40)
    excerpt = ("…" if start else "") + line[start : start + 90] + ("…" if len(line) > start + 90 else "")
    if error.column is None:
        place = words("error.line", line=error.line)
    else:
        place = words("error.place", line=error.line, column=column)
        excerpt += "\n" + " " * (column - 1 - start + (1 if start else 0)) + "^"
    text = f"{place} {words.said(error.message)}"
    if error.expected:
        text += " " + words("error.expected", what=words.said(error.expected))
    return f'<div class="cr-bad" role="alert">{escape(text)}<pre>{escape(excerpt)}</pre></div>'
