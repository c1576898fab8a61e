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


def common_fields(words: Words, *, with_ids: bool = False) -> dict[str, gr.Component]:
    """The fields that both tabs show one below the other, by the settings that they stand for: whether a part that
    stands askew is turned, whether lone points and the table under the part are removed, how far a number may change to
    be a simple one (auto, off, or a length that is typed), whether dimensions are variables.

    Args:
        with_ids: Each has its setting as its id.
    """

    def texts(key: str) -> dict[str, str | None]:
        return {"elem_id": key if with_ids else None, **_texts(key, words)}

    return {
        "align": gr.Checkbox(USUAL.align, **texts("align")),
        "clean": gr.Checkbox(USUAL.clean != "off", **texts("clean")),
        "snap": gr.Dropdown(["auto", "off"], value=str(USUAL.snap), allow_custom_value=True, **texts("snap")),
        "names": gr.Checkbox(USUAL.names, **texts("names")),
    }
