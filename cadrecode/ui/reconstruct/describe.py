"""The facts of a scan and of a part as pieces of page: sizes, deviations, warnings, and where a program is wrong."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from cadrecode.errors import ProgramError
from cadrecode.scoring import source_words
from cadrecode.ui.draw import html

if TYPE_CHECKING:
    from cadrecode.cloud import Cloud
    from cadrecode.cloud.align import Alignment
    from cadrecode.part import Part
    from cadrecode.scoring import Deviation
    from cadrecode.ui.reconstruct.state import Work
    from cadrecode.ui.words.text import Words

MISSED = 0.02  # of the longest side: the part does not explain points that are farther away than this
MISSED_SHARE = 0.01  # of the points; a smaller share is not mentioned
MOST_UNEXPLAINED = 3  # groups of places that are listed on the page; the report has more
TINY_MM = 1.0  # a scan whose longest side is less was most likely taken in metres


def distance(part: Part) -> str:
    """The distance before and after the fit, without its unit; a single number for a part that was not fitted."""
    after = html.length(part.distance)
    return after if part.distance_before is None else f"{html.length(part.distance_before)} → {after}"


def cloud_facts(cloud: Cloud | None, unit: str, words: Words, source: str = "") -> str:
    """Count, size and warnings of a cloud.

    Args:
        source: Who made it, of a sample.
    """
    if cloud is None:
        return html.note(words("cloud.none"))
    sides = cloud.points.max(0) - cloud.points.min(0)
    size = " × ".join(html.length(float(side)) for side in sides)
    lines = f"<b>{escape(cloud.name)}</b><br>{words('cloud.facts', n=f'{len(cloud.points):,}', size=size, unit=unit)}"
    if source:
        lines += f"<br>{escape(words('cloud.source', source=source))}"
    if cloud.kind in ("mesh", "brep"):
        lines += f"<br>{escape(words.said(cloud.used_as))}"
    warnings = [words.said(warning) for warning in cloud.warnings]
    if unit == "mm" and float(sides.max()) < TINY_MM:
        warnings.append(words("cloud.tiny", size=html.length(float(sides.max()), unit)))
    return f'<div class="cr-note">{lines}</div>' + "".join(html.warning(warning) for warning in warnings)


def numbers(work: Work, words: Words, validity: str = "") -> str:
    """The verdict in large type, and the other facts of the part in small print.

    The mean deviation takes the place of the verdict for a part that a person wrote.

    Args:
        validity: What OpenCASCADE says about the part.
    """
    part, unit = work.shown, work.unit
    if part is None:
        return f'<div class="cr-numbers">{html.note(words("result.none"))}</div>'
    lead, deviation = "", part.deviation
    facts = _unexplained(part, unit, words)
    if part.assessment is not None:
        lead = f'<span class="cr-lead {part.assessment.verdict}">{escape(words.said(part.assessment.text))}</span>'
    if deviation is not None:
        mean = escape(html.length(deviation.mean, unit))
        if lead:
            facts.append(f"{words('result.mean')} <b>{mean}</b>")
        else:
            lead = f'<span class="cr-lead">{mean}<small>{words("result.mean")}</small></span>'
    size = " × ".join(html.length(float(side)) for side in part.size)
    facts += [*_distances(part, unit, words), f"<b>{size} {unit}</b>"]
    if work.edited is None and part.index is not None:
        facts.append(escape(words.said(source_words(part.source))))
    if validity:
        facts.append(validity)
    if work.edited is not None:
        facts.append(words("result.edited"))
    elif work.rebuilt is not None and work.rebuilt.failed:
        failed = [str(candidate.outcome) for candidate in work.rebuilt.failed]
        why = ", ".join(sorted({words.outcome(outcome) for outcome in failed}))
        facts.append(words("result.failures", bad=len(failed), total=len(work.parts) + len(failed), why=why))
    if deviation is not None:
        facts += _missed(deviation, unit, words)
    if work.rebuilt is not None:
        facts += _standing(work.rebuilt.alignment, words)
        whole, left = len(work.cloud.points), len(work.scan.points)
        if left < whole:
            facts.append(words("result.cleaned", x=f"{whole - left:,}", n=f"{whole:,}"))
        if work.rebuilt.stopped:
            facts.append(words("result.stopped"))
    small_print = f'<span class="cr-small">{" · ".join(facts)}</span>'
    return f'<div class="cr-numbers">{lead}{small_print}{_legend(deviation, unit, words)}</div>'


def _unexplained(part: Part, unit: str, words: Words) -> list[str]:
    """Where the part and the scan disagree."""
    if part.assessment is None:
        return []
    texts = [words.said(entry["text"]) for entry in part.assessment.report(unit)["unexplained"]]
    return [f'<b class="cr-missed">{escape(text)}</b>' for text in texts[:MOST_UNEXPLAINED]]


def _distances(part: Part, unit: str, words: Words) -> list[str]:
    """How far the points lie from the part, and how far they did before the fit."""

    def bold(value: float) -> str:
        return f"<b>{html.length(value, unit)}</b>"

    facts = []
    if part.deviation is not None:
        bias = part.deviation.bias
        side = "result.outside" if bias >= 0 else "result.inside"
        facts.append(words("result.p95", x=bold(part.deviation.p95)))
        facts.append(words("result.max", x=bold(part.deviation.max)))
        facts.append(words(side, x=bold(abs(bias))))
    if part.distance is not None:
        before = "" if part.distance_before is None else words("result.before", x=bold(part.distance_before))
        facts.append(words("result.distance", x=bold(part.distance)) + before)
    return facts


def _missed(deviation: Deviation, unit: str, words: Words) -> list[str]:
    """The share of points that the part leaves unexplained; empty where it is small."""
    far = MISSED * float((deviation.points.max(0) - deviation.points.min(0)).max())
    share = float((abs(deviation.signed) > far).mean())
    text = words("result.missed", share=f"{share:.0%}", x=html.length(far, unit))
    return [f'<b class="cr-missed">{escape(text)}</b>'] if share >= MISSED_SHARE else []


def _legend(deviation: Deviation | None, unit: str, words: Words) -> str:
    """What the colours of the deviation mean; the style sheet shows it while they are on screen."""
    if deviation is None:
        return ""
    end = html.length(deviation.limit, unit)
    inside, outside = words("legend.inside", x=end), words("legend.outside", x=end)
    return f'<span class="cr-legend">{inside}<i></i>{outside}</span>'


def _standing(alignment: Alignment, words: Words) -> list[str]:
    """What was done about a part that stood askew; empty where it stood upright."""
    if alignment.rotation is not None:
        return [words("result.turned", x=f"{alignment.degrees:.1f}")]
    return [words("result.unclear")] if alignment.standing == "unclear" else []


def program_error(error: ProgramError, text: str, words: Words) -> str:
    """Where a program is wrong, with that line and a mark below it, and what was expected."""
    if error.line is None:
        return html.bad(words.said(str(error)))
    lines = text.splitlines() or [""]
    line = lines[min(error.line, len(lines)) - 1]
    column = max(1, error.column or 1)
    start = max(0, column - 1 - 40)
    excerpt = ("…" if start else "") + line[start : start + 90] + ("…" if len(line) > start + 90 else "")
    mark = " " * (column - 1 - start + (1 if start else 0)) + "^"
    text = f"{words('error.place', line=error.line, column=column)} {words.said(error.message)}"
    if error.expected:
        text += " " + words("error.expected", what=words.said(error.expected))
    return f'<div class="cr-bad" role="alert">{escape(text)}<pre>{escape(excerpt)}\n{escape(mark)}</pre></div>'
