"""A table whose rows can be picked by mouse and keyboard. Gradio's own is a spreadsheet and too wide for a phone."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import zip_longest

import gradio as gr

from cadrecode.ui.draw.html import middle

LONGEST_NAME = 32  # letters of a row's name

# The browser sends a picked row (or card) to Python, as a `select` event with the row's name.
PICK = """
let picked = null;  // by keyboard: the answer replaces the table, so the new row gets the focus of the old
const pick = (target) => {
  const row = target.closest('[data-name]');
  if (row) trigger('select', {name: row.dataset.name});
  return row?.dataset.name;
};
new MutationObserver(() => {
  const lost = document.activeElement === document.body || !document.activeElement;
  if (picked && lost) [...element.querySelectorAll('tr[data-name]')].find(row => row.dataset.name === picked)?.focus();
}).observe(element, {childList: true, subtree: true});
element.addEventListener('focusout', (event) => { if (event.relatedTarget) picked = null; });
element.addEventListener('click', (event) => pick(event.target));
element.addEventListener('keydown', (event) => {
  if (event.key === 'Enter' || event.key === ' ') { event.preventDefault(); picked = pick(event.target); }
});
"""


def empty_table(title: str, headers: Sequence[str], numbers: Sequence[bool], elem_id: str) -> gr.HTML:
    """The component: a table without rows. Fill it with `rows_html`; listen to its `select`."""
    return gr.HTML(rows_html(title, headers, numbers, []), js_on_load=PICK, elem_id=elem_id, padding=False)


def rows_html(
    title: str,
    headers: Sequence[str],
    numbers: Sequence[bool],
    rows: Sequence[Sequence[str]],
    chosen: str | None = None,
    *,
    pickable: bool = True,
    pictures: Sequence[tuple[str, str]] = (),
) -> str:
    """The table as HTML.

    Args:
        numbers: Which columns are aligned to the right.
        rows: Cells as plain text; the first cell is the name of its row.
        chosen: The name of the picked row.
        pictures: For each row, the address of a picture before its name, or "", and a class of the row.
    """
    sides = ["cr-number" if number else "" for number in numbers]
    head = "".join(f'<th scope="col" class="{side}">{escape(text)}</th>' for text, side in zip(headers, sides))
    body = ""
    for row, (picture, kind) in zip_longest(rows, pictures, fillvalue=("", "")):
        picks = f' data-name="{escape(row[0])}" tabindex="0" aria-selected="{str(row[0] == chosen).lower()}"'
        name = f'<td class="{sides[0]}" title="{escape(row[0])}">{escape(middle(row[0], LONGEST_NAME))}</td>'
        cells = name + "".join(f'<td class="{side}">{escape(text)}</td>' for text, side in zip(row[1:], sides[1:]))
        if picture:
            cells = cells.replace(">", f'><img src="{picture}" alt="" width="48" height="48">', 1)
        body += f'<tr class="{kind}"{picks if pickable else ""}>{cells}</tr>'
    reach = -1 if pickable and rows else 0  # what scrolls must be reached by the keyboard
    return (
        f'<div class="cr-rows" role="region" aria-label="{escape(title)}" tabindex="{reach}"><table>'
        f"<caption>{escape(title)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )
