"""The fields for the settings of a rebuild, which more than one tab shows, with the defaults of `ReconstructConfig`."""

from __future__ import annotations

import gradio as gr

from cadrecode.config import ReconstructConfig
from cadrecode.ui.words.text import Words

USUAL = ReconstructConfig()


def _texts(key: str, words: Words) -> dict[str, str]:
    return {"label": words(f"options.{key}"), "info": words(f"options.{key}.info")}


def candidates_slider(words: Words, elem_id: str | None = None) -> gr.Slider:
    """The number of programs that are drawn."""
    return gr.Slider(1, 32, USUAL.candidates, step=1, elem_id=elem_id, **_texts("candidates", words))


def fit_slider(words: Words, elem_id: str) -> gr.Slider:
    """Seconds for the fit."""
    return gr.Slider(0, 30, USUAL.seconds, step=1, elem_id=elem_id, **_texts("fit", words))


def align_box(words: Words, elem_id: str | None = None) -> gr.Checkbox:
    """Whether a part that stands askew is turned."""
    return gr.Checkbox(USUAL.align, elem_id=elem_id, **_texts("align", words))


def snap_field(words: Words, elem_id: str | None = None) -> gr.Dropdown:
    """How far a number may change to be a simple one: auto, off, or a length that is typed."""
    return gr.Dropdown(
        ["auto", "off"], value=str(USUAL.snap), allow_custom_value=True, elem_id=elem_id, **_texts("snap", words)
    )


def names_box(words: Words, elem_id: str | None = None) -> gr.Checkbox:
    """Whether the program's dimensions stand at its top as variables."""
    return gr.Checkbox(USUAL.names, elem_id=elem_id, **_texts("names", words))


def clean_box(words: Words, elem_id: str | None = None) -> gr.Checkbox:
    """Whether lone points and the table under the part are removed."""
    return gr.Checkbox(USUAL.clean != "off", elem_id=elem_id, **_texts("clean", words))
