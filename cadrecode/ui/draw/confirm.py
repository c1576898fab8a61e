"""A button that asks for confirmation before it does what cannot be undone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from cadrecode.ui.draw import html
from cadrecode.ui.events import hear
from cadrecode.ui.words.text import Words


def asking(question: str, yes: str, elem_id: str, words: Words) -> tuple[gr.Row, gr.Button, gr.Button]:
    """Lay out a question, hidden at first. Returns the row and its buttons Yes and No."""
    with gr.Row(visible=False) as row:
        gr.HTML(html.warning(question))
        agree = gr.Button(yes, size="sm", variant="stop", elem_id=elem_id)
        refuse = gr.Button(words("train.kill.no"), size="sm")
    return row, agree, refuse


def ask_first(
    button: gr.Button, question: tuple[gr.Row, gr.Button, gr.Button], act: Callable, inputs: Any, words: Words
):
    """Wire it: the button shows the question, and Yes acts. Returns the event of acting."""
    row, agree, refuse = question
    hear(button.click, lambda: gr.update(visible=True), None, row, words)
    for answer in (agree, refuse):
        hear(answer.click, lambda: gr.update(visible=False), None, row, words)
    return hear(agree.click, act, inputs, None, words)
