"""The state that Gradio keeps for a visitor. Every call of the API is a session of its own, so a session must cost
little, and nothing once it has been answered.

Gradio writes down the settings of all components for each session, for links to the state of a page, which this app
does not offer; for its thousands of components that takes a second in which the server answers nobody, and megabytes.
"""

from __future__ import annotations

from collections import ChainMap
from types import SimpleNamespace

import gradio as gr
from gradio.queueing import Queue
from gradio.state_holder import SessionState

MOST_SESSIONS = 1000  # that are remembered at the same time; the one that was used longest ago is forgotten first
MOST_MAILBOXES = 100  # before those that are empty go

_begin = SessionState.__init__


def lighten(app: gr.Blocks) -> None:
    """Let the sessions of an app share what they do not change. Called once all components are there."""
    config = app.default_config
    config.blocks, config.fns = ChainMap({}, config.blocks), ChainMap({}, config.fns)  # copied by their first map alone
    app.state_session_capacity = MOST_SESSIONS
    SessionState.__init__ = _without_settings
    SessionState._update_config = SessionState._update_value_in_config = _ignore


def _without_settings(session: SessionState, blocks: gr.Blocks) -> None:
    _begin(session, SimpleNamespace(default_config=blocks.default_config, blocks={}))
    forget_answered(blocks._queue)


def forget_answered(queue: Queue) -> None:
    """Drop the mailboxes of sessions whose every event has been delivered, once there are many.

    Gradio keeps the last 2,000, 2 kB each, and the names of all sessions for ever. It makes them anew when a session
    asks for something. Called in the loop of the server, as all that touches them.
    """
    pending = queue.pending_event_ids_session
    if len(pending) > MOST_MAILBOXES:
        for session in [name for name, events in pending.items() if not events]:
            del pending[session]
            queue.pending_messages_per_session.pop(session, None)


def _ignore(session: SessionState, *_: object) -> None:
    """Nobody reads these settings."""
