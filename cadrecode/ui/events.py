"""Between the page and the handlers: what goes wrong is told in words, never as a traceback."""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Callable
from typing import Any

import gradio as gr

from cadrecode.errors import CadrecodeError
from cadrecode.ui import access
from cadrecode.ui.words.text import Words

log = logging.getLogger(__name__)

ASKED = ("click", "input", "upload", "submit")  # a person did that; other events happen to a visitor by themselves


def hear(
    listener: Callable,
    handler: Callable,
    inputs: Any,
    outputs: Any,
    words: Words,
    *,
    guests: bool = False,
    **options: Any,
) -> Any:
    """Wire `handler` to an event. Its own progress is shown in the page, so Gradio's spinner stays away.

    Args:
        listener: `button.click`, `event.success` and the like.
        guests: whether guests may call it, too. What nobody thought of is the owner's.
        options: of Gradio's listener.
    """
    options = {"show_progress": "hidden", "api_visibility": "private", **options}
    asked = getattr(listener, "event_name", "") in ASKED
    return listener(in_words(handler, words, guests=guests, asked=asked), inputs, outputs, **options)


def in_words(handler: Callable, words: Words, *, guests: bool = True, asked: bool = True) -> Callable:
    """The handler, with its errors as messages on the page. What we did not foresee goes to the terminal in full.

    Args: asked: a person did something; where nobody did, a guest is refused without a word.
    """
    wraps = functools.wraps(handler, assigned=[n for n in functools.WRAPPER_ASSIGNMENTS if hasattr(handler, n)])

    def admit() -> None:
        if not guests and access.is_guest():
            raise gr.Error(words("guest.refused"), title=words("error.title"), visible=asked, print_exception=False)

    if inspect.isgeneratorfunction(handler):

        @wraps
        def speaking(*args, **kwargs):
            admit()
            said = False
            try:
                for update in handler(*args, **kwargs):
                    said = True
                    yield update
                if not said:
                    yield gr.skip()  # Gradio empties the outputs of a generator that gives nothing, labels and all
            except Exception as error:
                raise _message(error, words) from None

    else:

        @wraps
        def speaking(*args, **kwargs):
            admit()
            try:
                return handler(*args, **kwargs)
            except Exception as error:
                raise _message(error, words) from None

    return speaking


def _message(error: Exception, words: Words) -> gr.Error:
    if isinstance(error, gr.Error):
        return error
    if not isinstance(error, CadrecodeError):
        log.error("A handler failed", exc_info=error)
    return gr.Error(told(error, words), title=words("error.title"), duration=12, print_exception=False)


def told(error: Exception, words: Words) -> str:
    """What to say of an error: our own errors speak for themselves, of others only the kind is shown."""
    return (
        words.said(str(error))
        if isinstance(error, CadrecodeError)
        else words("error.unexpected", kind=type(error).__name__)
    )
