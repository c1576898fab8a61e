"""Small pieces of page: numbers with units, states, messages, progress, tables. Text that is passed in is escaped."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

from cadrecode import figures
from cadrecode.figures import length as length  # with the small pieces of page, as they all are
from cadrecode.figures import shown_in as shown_in

if TYPE_CHECKING:
    from cadrecode.ui.words.text import Words


def lengths(values: Iterable[float], unit: str) -> str:
    """The sides of a box, and their unit."""
    return figures.lengths(values, unit, " × ")


def percent(share: float) -> str:
    """A share in per cent with a decimal, rounded down: 99.96 % is not all."""
    return f"{math.floor(1000 * share) / 10:g}"


def middle(text: str, most: int) -> str:
    """A name, cut in its middle where it is longer than `most` letters: its beginning and its ending tell the most."""
    if len(text) <= most:
        return text
    end = most // 2
    return f"{text[: most - end - 1]}…{text[-end:]}"


def clock(seconds: float | None) -> str:
    """m:ss, or h:mm:ss; a dash for None."""
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
    """A progress bar."""
    share = 100 * min(max(done / total, 0), 1) if total else 0
    shown = f'role="progressbar" aria-valuemin="0" aria-valuemax="100" aria-valuenow="{share:.0f}"'
    return f'<div class="cr-bar" {shown}><i style="width:{share:.1f}%"></i></div>'


def progress(text: str, done: float, total: float) -> str:
    """A line of text over a progress bar."""
    return f'<div class="cr-progress" role="status">{escape(text)}{bar(done, total)}</div>'


def plain_table(title: str, headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table to read; the first column names its row. For rows that a person can pick there is `draw.table`."""
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in headers)
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in cells)}</tr>'
        for name, *cells in rows
    )
    return (
        f'<div class="cr-rows cr-plain" role="region" tabindex="0" aria-label="{escape(title)}"><table>'
        f"<caption>{escape(title)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


# The browser saves a file, given its name and its text.
SAVE_FILE = """(name, text) => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], {type: "application/yaml"}));
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}"""

# The browser copies a `command` when its button is pressed.
COPY = """
element.addEventListener('click', async (event) => {
  const button = event.target.closest('button[data-copied]');
  if (!button) return;
  await navigator.clipboard.writeText(element.querySelector('pre').innerText);
  button.innerText = button.dataset.copied;
});
"""


def command(text: str, words: Words) -> str:
    """A command for a terminal, with a button that copies it."""
    title = escape(words("train.command"))
    copied = escape(words("train.copied"))
    button = f'<button type="button" data-copied="{copied}">{escape(words("train.copy"))}</button>'
    shown = f'<pre tabindex="0" aria-label="{title}">{escape(text)}</pre>'
    return f'<div class="cr-cmd"><div>{title} {button}</div>{shown}</div>'


def more(summary: str, lines: Sequence[str]) -> str:
    """Lines under a heading that unfolds them."""
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f'<details class="cr-note"><summary>{escape(summary)}</summary><ul>{items}</ul></details>'


def idle(text: str = "") -> str:
    """A line of text that takes as much room as `progress`, so that nothing jumps when progress is shown."""
    return f'<div class="cr-progress" role="status">{escape(text)}</div>'


def explained(settings: dict[str, tuple[str, str]]) -> str:
    """Settings with their names and help.

    Args:
        settings: From the label to (name in the file, help).
    """
    rows = "".join(
        f"<dt>{escape(label)} <code>{name}</code></dt><dd>{_code(text)}</dd>"
        for label, (name, text) in settings.items()
    )
    return f'<dl class="cr-help">{rows}</dl>'


def _code(text: str) -> str:
    return re.sub("`(.+?)`", r"<code>\1</code>", escape(text))


def state_pill(state: str, words: Words) -> str:
    kind = {"done": "done", "failed": "failed", "damaged": "failed", "worse": "failed"}.get(
        state, "" if state in ("queued", "stopped") else "active"
    )
    return f'<span class="cr-pill {kind}">{escape(words.state(state))}</span>'


def log(text: str, words: Words) -> str:
    """The last lines of a log, scrolled to the newest."""
    return f'<pre class="cr-log" tabindex="0" aria-label="{words("train.log")}">{escape(text)}</pre>'
