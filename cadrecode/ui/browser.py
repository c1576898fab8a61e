"""The browser remembers what a person has set in a form, and puts it back after a reload. The server keeps nothing."""

from __future__ import annotations

import json
from typing import Any

import gradio as gr

NO_SECRET = "cadrecode settings"  # Gradio requires a secret; a constant one stays readable after a restart of the app


def browser_state(key: str) -> gr.BrowserState:
    """A value that the browser keeps. Make it outside of tabs: in a tab that was not opened yet it stays empty."""
    return gr.BrowserState(None, storage_key=f"cadrecode_{key}", secret=NO_SECRET)


def remember(memory: gr.BrowserState, widgets: dict[str, gr.components.Component]) -> None:
    """Keep the values of widgets in the browser, as {name: value}; None as long as a person has changed nothing.

    (It listens to `input`, because a page that opens fires `change` for some widgets before their values are put back.)
    """
    named = f"(...values) => Object.fromEntries({json.dumps(list(widgets))}.map((name, i) => [name, values[i]]))"
    inputs = [widget.input for widget in widgets.values()]
    options = {"show_progress": "hidden", "api_visibility": "private", "trigger_mode": "always_last"}
    gr.on(inputs, None, [*widgets.values()], memory, js=named, **options)


def put_back(memory: dict[str, Any] | None, widgets: dict[str, gr.components.Component]) -> list:
    """Updates that put values back. Widgets that an earlier version of the form did not have stay as they are."""
    return [(memory or {}).get(name, gr.skip()) for name in widgets]
