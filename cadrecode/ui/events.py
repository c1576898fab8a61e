"""Wiring of events to handlers: permissions are checked, and errors become messages on the page."""

from __future__ import annotations

import errno
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

BY_A_PERSON = ("click", "input", "upload", "submit")  # other events, such as load and tick, happen by themselves
ONCE = ("click", "tick")  # while they are answered, another press or look asks for nothing new


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
    """Wire `handler` to an event, without Gradio's spinner: the page shows progress of its own.

    An event that comes while the handler is at work is handled after it, the last of several. Gradio alone leaves it
    out, also where one event follows another, so that the page would show one part and offer the files of another.

    Args:
        listener: `button.click`, `event.success` and the like.
        guests: Owner only unless True.
        options: Options of Gradio's listener.
    """
    name = getattr(listener, "event_name", "")  # none where it follows another event
    trigger_mode = "once" if name in ONCE else "always_last"
    options = {"show_progress": "hidden", "api_visibility": "private", "trigger_mode": trigger_mode, **options}
    by_a_person = name in BY_A_PERSON
    return listener(in_words(handler, words, guests=guests, by_a_person=by_a_person), inputs, outputs, **options)


def in_words(handler: Callable, words: Words, *, guests: bool = True, by_a_person: bool = True) -> Callable:
    """The handler, with its errors as messages on the page. Unexpected errors are logged in full.

    Args:
        guests: Owner only unless True.
        by_a_person: Whether a person caused the event; guests are refused other events without a message.
    """
    wraps = functools.wraps(handler, assigned=[n for n in functools.WRAPPER_ASSIGNMENTS if hasattr(handler, n)])

    def admit() -> None:
        if not guests and access.is_guest():
            raise gr.Error(
                words("guest.refused"), title=words("error.title"), visible=by_a_person, print_exception=False
            )

    if inspect.isgeneratorfunction(handler):

        @wraps
        def speaking(*args: Any, **kwargs: Any):
            admit()
            empty = True
            try:
                for update in handler(*args, **kwargs):
                    empty = False
                    yield update
                if empty:
                    yield gr.skip()  # after a generator without items Gradio empties the outputs, with their labels
            except Exception as error:
                raise _message(error, words) from None

    else:

        @wraps
        def speaking(*args: Any, **kwargs: Any):
            admit()
            try:
                return handler(*args, **kwargs)
            except Exception as error:
                raise _message(error, words) from None

    vars(speaking)["for_guests"] = guests
    return speaking


def _message(error: Exception, words: Words) -> gr.Error:
    if isinstance(error, gr.Error):
        return error
    if not isinstance(error, CadrecodeError):
        log.error("A handler failed", exc_info=error)
    return gr.Error(error_text(error, words), title=words("error.title"), duration=12, print_exception=False)


def error_text(error: Exception, words: Words) -> str:
    """The text for an error: the message of an error of ours, what the disk lacks, the kind of any other."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return words("error.disk")
    return (
        words.said(str(error))
        if isinstance(error, CadrecodeError)
        else words("error.unexpected", kind=type(error).__name__)
    )
