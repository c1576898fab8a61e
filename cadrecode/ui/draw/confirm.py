"""A button for what cannot be undone: it asks first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from cadrecode.ui.draw import html
from cadrecode.ui.events import hear
from cadrecode.ui.words.text import Words


def asking(question: str, yes: str, elem_id: str, words: Words) -> tuple[gr.Row, gr.Button, gr.Button]:
    """Lay out a question that is not seen yet: (the row, Yes, No)."""
    with gr.Row(visible=False) as row:
        gr.HTML(html.warning(question))
        agree = gr.Button(yes, size="sm", variant="stop", elem_id=elem_id)
        refuse = gr.Button(words("train.kill.no"), size="sm")
    return row, agree, refuse


def ask_first(button: gr.Button, asked: tuple[gr.Row, gr.Button, gr.Button], act: Callable, inputs: Any, words: Words):
    """Wire it: the button shows the question, Yes acts. Returns the event of the deed."""
    row, agree, refuse = asked
    hide = lambda: gr.update(visible=False)  # noqa: E731
    hear(button.click, lambda: gr.update(visible=True), None, row, words)
    hear(refuse.click, hide, None, row, words)
    done = hear(agree.click, act, inputs, None, words)
    hear(agree.click, hide, None, row, words)
    return done
