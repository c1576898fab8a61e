"""Small pieces of page: numbers with units, states, errors with their place, progress. What comes in is escaped."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from cadrecode.errors import ProgramError

if TYPE_CHECKING:
    from cadrecode.cloud import Cloud
    from cadrecode.cloud.align import Alignment
    from cadrecode.part import Part
    from cadrecode.scoring import Deviation
    from cadrecode.ui.reconstruct.state import Work
    from cadrecode.ui.words.text import Words


MISSED = 0.02  # of the longest side: points that are farther away than that are not explained by the part
MISSED_SHARE = 0.01  # of the points; fewer are not told
TINY_MM = 1.0  # a scan whose longest side is less was most likely taken in metres


def length(value: float, unit: str = "") -> str:
    """A length with three figures that count, and its unit."""
    size = abs(value)
    if size >= 1e6 or 0 < size < 1e-4:
        number = f"{value:.2e}"
    elif size >= 100:
        number = f"{value:,.0f}"
    elif size >= 10:
        number = f"{value:.1f}"
    elif size >= 1:
        number = f"{value:.2f}"
    elif size >= 0.1:
        number = f"{value:.3f}"
    else:
        number = f"{value:.4f}".rstrip("0").rstrip(".")
    return f"{number} {unit}".rstrip()


def distance(part: Part) -> str:
    """Before and after the fit, without their unit; the one number there is where it was not fitted."""
    after = length(part.distance)
    return after if part.distance_before is None else f"{length(part.distance_before)} → {after}"


def clock(seconds: float | None) -> str:
    """m:ss, or h:mm:ss; a dash for no time at all."""
    if seconds is None:
        return "–"
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def file_size(size: float) -> str:
    """Bytes as a person reads them."""
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.2f} GB"


def note(text: str) -> str:
    return f'<div class="cr-note">{escape(text)}</div>'


def empty(text: str) -> str:
    return f'<div class="cr-empty">{escape(text)}</div>'


def warning(text: str) -> str:
    return f'<div class="cr-warn">{escape(text)}</div>'


def bad(text: str) -> str:
    return f'<div class="cr-bad" role="alert">{escape(text)}</div>'


def bar(done: float, total: float) -> str:
    """How far it is, as a bar."""
    share = 100 * min(max(done / total, 0), 1) if total else 0
    shown = f'role="progressbar" aria-valuemin="0" aria-valuemax="100" aria-valuenow="{share:.0f}"'
    return f'<div class="cr-bar" {shown}><i style="width:{share:.1f}%"></i></div>'


def progress(text: str, done: float, total: float) -> str:
    """A line of words over a bar."""
    return f'<div class="cr-progress" role="status">{escape(text)}{bar(done, total)}</div>'


def plain_table(title: str, headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table to read; the first column names its row. Nothing in it can be picked: for that there is `table`."""
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in headers)
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in cells)}</tr>'
        for name, *cells in rows
    )
    return (
        f'<div class="cr-rows cr-plain" role="region" tabindex="0" aria-label="{escape(title)}"><table>'
        f"<caption>{escape(title)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


# What the browser does with a file's name and text: saves it.
SAVE_FILE = """(name, text) => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], {type: "application/yaml"}));
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}"""

# What the browser does with the button of a `command`.
COPY = """
element.addEventListener('click', async (event) => {
  const button = event.target.closest('button[data-copied]');
  if (!button) return;
  await navigator.clipboard.writeText(element.querySelector('pre').innerText);
  button.innerText = button.dataset.copied;
});
"""


def command(text: str, words: Words) -> str:
    """Something to paste into a terminal, with a button that copies it."""
    title = escape(words("train.command"))
    copied = escape(words("train.copied"))
    button = f'<button type="button" data-copied="{copied}">{escape(words("train.copy"))}</button>'
    shown = f'<pre tabindex="0" aria-label="{title}">{escape(text)}</pre>'
    return f'<div class="cr-cmd"><div>{title} {button}</div>{shown}</div>'


def more(summary: str, lines: Sequence[str]) -> str:
    """A fold of lines that one can look at."""
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f'<details class="cr-note"><summary>{escape(summary)}</summary><ul>{items}</ul></details>'


def idle(text: str = "") -> str:
    """The room that progress takes, so that nothing jumps when it comes."""
    return f'<div class="cr-progress" role="status">{escape(text)}</div>'


def cloud_facts(cloud: Cloud | None, unit: str, words: Words, source: str = "") -> str:
    """Count, size and warnings of a cloud. `source`: what made a sample."""
    if cloud is None:
        return note(words("cloud.none"))
    low, high = cloud.points.min(0), cloud.points.max(0)
    size = " × ".join(length(float(side)) for side in high - low)
    lines = f"<b>{escape(cloud.name)}</b><br>{words('cloud.facts', n=f'{len(cloud.points):,}', size=size, unit=unit)}"
    if source:
        lines += f"<br>{escape(words('cloud.source', source=source))}"
    warnings = [words.said(one) for one in cloud.warnings]
    if unit == "mm" and float((high - low).max()) < TINY_MM:
        warnings.append(words("cloud.tiny", size=length(float((high - low).max()), unit)))
    return f'<div class="cr-note">{lines}</div>' + "".join(warning(w) for w in warnings)


def numbers(work: Work, words: Words, validity: str = "") -> str:
    """The one number that leads, and the small print."""
    part = work.shown
    if part is None:
        return f'<div class="cr-numbers">{note(words("result.none"))}</div>'
    small = []
    lead = ""
    if part.deviation is not None:
        mean = escape(length(part.deviation.mean, work.unit))
        lead = f'<span class="cr-lead">{mean}<small>{words("result.mean")}</small></span>'
        small += [
            words("result.p95", x=f"<b>{length(part.deviation.p95, work.unit)}</b>"),
            words("result.max", x=f"<b>{length(part.deviation.max, work.unit)}</b>"),
            words(
                "result.outside" if part.deviation.bias >= 0 else "result.inside",
                x=f"<b>{length(abs(part.deviation.bias), work.unit)}</b>",
            ),
        ]
    if part.distance is not None:
        after = words("result.distance", x=f"<b>{length(part.distance, work.unit)}</b>")
        if part.distance_before is not None:
            after += words("result.before", x=f"<b>{length(part.distance_before, work.unit)}</b>")
        small.append(after)
    size = " × ".join(length(float(side)) for side in part.size)
    small.append(f"<b>{size} {work.unit}</b>")
    if validity:
        small.append(validity)
    if work.edited is not None:
        small.append(words("result.edited"))
    elif work.found is not None and work.found.failed:
        failures = [str(candidate.outcome) for candidate in work.found.failed]
        total = len(work.parts) + len(failures)
        small.append(words("result.failures", bad=len(failures), total=total, why=_why(failures, words)))
    if part.deviation is not None:
        small += _missed(part.deviation, work.unit, words)
    if work.found is not None:
        small += _standing(work.found.alignment, words)
        whole, left = len(work.cloud.points), len(work.scan.points)
        if left < whole:
            small.append(words("result.cleaned", x=f"{whole - left:,}", n=f"{whole:,}"))
        if work.found.stopped:
            small.append(words("result.stopped"))
    small_print = f'<span class="cr-small">{" · ".join(small)}</span>'
    return f'<div class="cr-numbers">{lead}{small_print}{_legend(part.deviation, work.unit, words)}</div>'


def _missed(deviation: Deviation, unit: str, words: Words) -> list[str]:
    """How many points the part leaves unexplained; nothing where it is hardly any."""
    far = MISSED * float((deviation.points.max(0) - deviation.points.min(0)).max())
    share = float((abs(deviation.signed) > far).mean())
    said = words("result.missed", share=f"{share:.0%}", x=length(far, unit))
    return [f'<b class="cr-missed">{escape(said)}</b>'] if share >= MISSED_SHARE else []


def _legend(deviation: Deviation | None, unit: str, words: Words) -> str:
    """What the colours of the deviation mean; the style sheet shows it while they are on screen."""
    if deviation is None:
        return ""
    end = length(deviation.limit, unit)
    inside, outside = words("legend.inside", x=end), words("legend.outside", x=end)
    return f'<span class="cr-legend">{inside}<i></i>{outside}</span>'


def _standing(alignment: Alignment, words: Words) -> list[str]:
    """What was done about a part that stood askew; nothing where there was nothing to do."""
    if alignment.rotation is not None:
        return [words("result.turned", x=f"{alignment.degrees:.1f}")]
    return [words("result.unclear")] if alignment.standing == "unclear" else []


def _why(failures: Sequence[str], words: Words) -> str:
    return ", ".join(sorted({words.outcome(f) for f in failures}))


def program_error(error: ProgramError, text: str, words: Words) -> str:
    """Where the fault is, with the line and a mark below it, and what was expected."""
    if error.line is None:
        return bad(words.said(str(error)))
    lines = text.splitlines() or [""]
    line = lines[min(error.line, len(lines)) - 1]
    column = max(1, error.column or 1)
    start = max(0, column - 1 - 40)
    excerpt = ("…" if start else "") + line[start : start + 90] + ("…" if len(line) > start + 90 else "")
    mark = " " * (column - 1 - start + (1 if start else 0)) + "^"
    said = f"{words('error.place', line=error.line, column=column)} {words.said(error.message)}"
    if error.expected:
        said += " " + words("error.expected", what=words.said(error.expected))
    return f'<div class="cr-bad" role="alert">{escape(said)}<pre>{escape(excerpt)}\n{escape(mark)}</pre></div>'


def explained(settings: dict[str, tuple[str, str]]) -> str:
    """Settings with their names and help.

    Args: settings: shown label -> (name in the file, help).
    """
    rows = "".join(
        f"<dt>{escape(label)} <code>{name}</code></dt><dd>{_code(said)}</dd>"
        for label, (name, said) in settings.items()
    )
    return f'<dl class="cr-help">{rows}</dl>'


def _code(text: str) -> str:
    return re.sub("`(.+?)`", r"<code>\1</code>", escape(text))


def state_pill(state: str, words: Words) -> str:
    kind = {"done": "done", "failed": "failed"}.get(state, "" if state in ("queued", "stopped") else "active")
    return f'<span class="cr-pill {kind}">{escape(words.state(state))}</span>'


def log(text: str, words: Words) -> str:
    """The last lines of a log, the newest in sight."""
    return f'<pre class="cr-log" tabindex="0" aria-label="{words("train.log")}">{escape(text)}</pre>'
