"""What a person has set in a form is there again after a reload: the browser keeps it, and no one else sees it."""

from __future__ import annotations

import json
from typing import Any

import gradio as gr

NO_SECRET = "cadrecode settings"  # Gradio wants one; what it is for must be readable after a restart of the app


def browser_state(key: str) -> gr.BrowserState:
    """A place in the browser. Make it outside of tabs: in a tab that was not opened yet it holds nothing."""
    return gr.BrowserState(None, storage_key=f"cadrecode_{key}", secret=NO_SECRET)


def remember(kept: gr.BrowserState, widgets: dict[str, gr.components.Component]) -> None:
    """Keep the values of widgets, in the browser alone: {name: value}, None as long as a person has changed nothing.

    (`change` is no good for that: a page that opens fires it for some widgets, before what was kept is put back.)
    """
    named = f"(...values) => Object.fromEntries({json.dumps(list(widgets))}.map((name, i) => [name, values[i]]))"
    inputs = [widget.input for widget in widgets.values()]
    options = {"show_progress": "hidden", "api_visibility": "private", "trigger_mode": "always_last"}
    gr.on(inputs, None, [*widgets.values()], kept, js=named, **options)


def again(kept: dict[str, Any] | None, widgets: dict[str, gr.components.Component]) -> list:
    """Updates that put back what was kept; what an earlier version of the form did not have stays as it is."""
    return [(kept or {}).get(name, gr.skip()) for name in widgets]
