"""Checks of this machine, for the owner: the findings of `cadrecode doctor`, each bad one with its cure."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from html import escape

import gradio as gr

from cadrecode.doctor import Finding, examine
from cadrecode.ui.draw import html
from cadrecode.ui.events import hear
from cadrecode.ui.services import Services
from cadrecode.ui.words.text import Words


def build(services: Services, words: Words) -> None:
    """A fold with a button, under which the findings appear, one after the other."""
    with gr.Accordion(words("doctor.title"), open=False, elem_classes="cr-fold", elem_id="machine"):
        findings = gr.HTML(html.note(words("doctor.info")), padding=False, elem_id="machine-findings")
        look = gr.Button(words("doctor.look"), size="sm", scale=0, min_width=180, elem_id="machine-look")

    hear(look.click, partial(found, services, words), None, findings, words)


def found(services: Services, words: Words) -> Iterator[str]:
    """The findings so far, whenever there is another."""
    rows = ""
    for finding in examine(services.runs_dir):
        rows += _row(finding, words)
        yield f'<dl class="cr-machine">{rows}</dl>'


def _row(finding: Finding, words: Words) -> str:
    """A finding: its subject, its result and its cure."""
    kind, state = ("done", "doctor.ok") if finding.ok else ("tight", "doctor.not_ok")
    cure = f"<br><b>{escape(words.said(finding.cure))}</b>" if finding.cure else ""
    name = f'{escape(words(f"doctor.{finding.name}"))}<span class="cr-pill {kind}">{escape(words(state))}</span>'
    return f"<div><dt>{name}</dt><dd>{escape(words.said(finding.text))}{cure}</dd></div>"
