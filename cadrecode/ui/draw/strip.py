"""Small pictures in one line, of which a person picks one by mouse or keyboard; a single stop of the Tab key."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import gradio as gr

# A picked picture comes to Python as a `select` event with its number; the arrow keys go from one to the next.
PICK = """
element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-number]');
  if (button) trigger('select', {number: Number(button.dataset.number)});
});
element.addEventListener('keydown', (event) => {
  const step = {ArrowRight: 1, ArrowLeft: -1}[event.key], buttons = [...element.querySelectorAll('[data-number]')];
  const next = buttons[buttons.indexOf(document.activeElement) + step];
  if (!next) return;
  event.preventDefault();
  buttons.forEach(button => { button.tabIndex = button === next ? 0 : -1; });
  next.focus();
});
"""


def strip(elem_id: str) -> gr.HTML:
    """The component, without pictures. Fill it with `strip_html`; listen to its `select`."""
    return gr.HTML("", js_on_load=PICK, apply_default_css=False, elem_id=elem_id)


def strip_html(title: str, pictures: Sequence[tuple[str, str]], chosen: int | None = None) -> str:
    """The pictures.

    Args:
        title: For screen readers.
        pictures: The address and the caption of each.
        chosen: The number of the picked picture.
    """
    buttons = "".join(
        f'<button type="button" data-number="{number}" title="{escape(caption)}" '
        f'tabindex="{0 if number == (chosen or 0) else -1}" aria-pressed="{str(number == chosen).lower()}">'
        f'<img src="{address}" alt=""><span>{escape(caption)}</span></button>'
        for number, (address, caption) in enumerate(pictures)
    )
    return f'<div class="cr-strip" role="group" aria-label="{escape(title)}">{buttons}</div>' if pictures else ""
