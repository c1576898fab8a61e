"""The fields for the settings of a rebuild, which more than one tab shows, with the defaults of `ReconstructConfig`."""

from __future__ import annotations

import gradio as gr

from cadrecode.config import ReconstructConfig
from cadrecode.ui.words.text import Words

USUAL = ReconstructConfig()


def candidates_slider(words: Words, elem_id: str | None = None) -> gr.Slider:
    """How many programs are drawn."""
    said = {"label": words("options.candidates"), "info": words("options.candidates.info")}
    return gr.Slider(1, 32, USUAL.candidates, step=1, elem_id=elem_id, **said)


def fit_slider(words: Words, elem_id: str) -> gr.Slider:
    """Seconds of fitting."""
    said = {"label": words("options.fit"), "info": words("options.fit.info")}
    return gr.Slider(0, 30, USUAL.seconds, step=1, elem_id=elem_id, **said)


def align_box(words: Words, elem_id: str | None = None) -> gr.Checkbox:
    """Whether a part that stands askew is turned."""
    said = {"label": words("options.align"), "info": words("options.align.info")}
    return gr.Checkbox(USUAL.align, elem_id=elem_id, **said)


def clean_box(words: Words, elem_id: str | None = None) -> gr.Checkbox:
    """Whether lone points and the table under the part are taken away."""
    said = {"label": words("options.clean"), "info": words("options.clean.info")}
    return gr.Checkbox(USUAL.clean != "off", elem_id=elem_id, **said)
