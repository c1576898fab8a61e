"""Train: "can it learn my parts?". On the left the form of a new run, on the right the runs there are."""

from __future__ import annotations

import gradio as gr

from cadrecode.ui.browser import put_back, remember
from cadrecode.ui.events import hear
from cadrecode.ui.services import Services
from cadrecode.ui.train import form, run_list
from cadrecode.ui.words.text import Words


def build(services: Services, words: Words, page: gr.Blocks, tab: gr.Tab, memory: gr.BrowserState) -> None:
    """Lay the tab out and wire it.

    Args:
        memory: What a person has set in the form; see `browser.remember`.
    """
    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=320):
            widgets = form.Form(words)
        with gr.Column(scale=3, min_width=340):
            shown = run_list.Shown(words)
    follow = run_list.wire(shown, services, words, page)
    for started in form.wire(widgets, shown.chosen, shown.again, services, words, tab):
        follow(started.success)
    remember(memory, widgets.named)
    hear(page.load, lambda values: put_back(values, widgets.named), memory, widgets.inputs, words)
