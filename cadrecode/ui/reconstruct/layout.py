"""The widgets of Reconstruct: the input on the left, the part in the middle, its numbers and its files on the right."""

from __future__ import annotations

import json
from html import escape
from pathlib import Path

import gradio as gr

from cadrecode.config import UNITS
from cadrecode.program.parse import METHOD_NAMES
from cadrecode.ui.draw import html
from cadrecode.ui.draw.strip import strip
from cadrecode.ui.reconstruct import describe, dimensions
from cadrecode.ui.reconstruct.files import KINDS
from cadrecode.ui.reconstruct.options import USUAL, candidates_slider, common_fields, fit_slider
from cadrecode.ui.reconstruct.state import Work
from cadrecode.ui.viewer import component
from cadrecode.ui.words.text import Words

# Opens and closes the program under the part. (The page takes classes from its elements, so the body holds the state.)
DRAWER = """
element.addEventListener('click', ({target}) => {
  const isOpen = document.body.toggleAttribute('data-program');
  target.setAttribute('aria-expanded', isOpen);
  if (isOpen) document.querySelector('#program-drawer').scrollIntoView({block: 'nearest', behavior: 'smooth'});
});
"""
# Ctrl-Enter runs the program: CodeMirror would add a line. The colours of Gradio's code are made to be read: on white
# its numbers have a contrast of 2 to 1.
EDITOR = """
const legible = () => {
  if (!document.querySelector('#program .cm-line span')) return setTimeout(legible, 500);
  document.querySelector('#program .cm-scroller').tabIndex = 0;  // what scrolls must be reached by the keyboard
  const isDark = document.body.classList.contains('dark');
  const change = (x) => isDark ? Math.round(x + (255 - x) * 0.45) : Math.round(x * 0.55);
  for (const sheet of [...document.adoptedStyleSheets, ...document.styleSheets]) {
    for (const {selectorText, style} of sheet.cssRules) {
      const colour = selectorText?.startsWith('.ͼ') && style.color.match(/^rgb\\((\\d+), (\\d+), (\\d+)\\)$/);
      if (colour) sheet.legible = true;
      if (colour) style.setProperty('color', `rgb(${colour.slice(1).map(x => change(Number(x)))})`, 'important');
    }
  }
};
legible();
document.addEventListener('keydown', (event) => {
  if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey) || !event.target.closest?.('#program')) return;
  event.preventDefault();
  event.stopPropagation();
  document.querySelector('#run-program')?.click();
}, true);
"""

COMPLETE = Path(__file__).with_name("complete.js")


def completion() -> str:
    """Offers the language's methods after a dot of the program."""
    return f"{{ {COMPLETE.read_text(encoding='utf-8').replace('WORDS', json.dumps(METHOD_NAMES))} }}"


NAMED = ("freecad", "build123d", "openscad", "aligned", "deviation", "report", "page")  # files with names of their own


def draw(words: Words) -> tuple[Form, Shown]:
    """Lay the tab out."""
    with gr.Row(equal_height=False, elem_classes="cr-bench"):
        with gr.Column(elem_classes="cr-input", min_width=260):
            form = Form(words)
        shown = Shown(words)
    shown.draw_program(words)
    return form, shown


class Form:
    """The widgets on the left: a cloud, and how it is rebuilt."""

    def __init__(self, words: Words):
        self.upload = gr.File(label=words("cloud.drop"), show_label=False, height=38, elem_id="cloud-file")
        self.fault = gr.HTML("", padding=False, elem_id="cloud-fault")
        self.samples = strip("samples")
        with gr.Row(elem_classes="cr-file"):
            self.facts = gr.HTML(html.note(words("cloud.none")), min_height=44, elem_id="cloud-facts")
            self.unit = gr.Dropdown(
                list(UNITS), value=USUAL.unit, label=words("cloud.unit"), show_label=False, container=False,
                elem_id="unit", min_width=70,
            )  # fmt: skip
        with gr.Row(elem_classes="cr-go"):
            self.go = gr.Button(words("rebuild.go"), variant="primary", elem_id="rebuild")
            self.cancel = gr.Button(words("rebuild.cancel"), interactive=False, elem_id="cancel", min_width=90)
        self.progress = gr.HTML(html.idle(), min_height=44, elem_id="progress")
        with gr.Accordion(words("options.title"), open=False, elem_classes="cr-fold"):
            self.options = {
                "candidates": candidates_slider(words),
                "temperature": gr.Slider(
                    0.1, 1.5, USUAL.temperature, step=0.05,
                    label=words("options.temperature"), info=words("options.temperature.info"),
                ),
                "fit_seconds": fit_slider(words, "fit-seconds"),
                **common_fields(words, with_ids=True),
                "seed": gr.Number(
                    USUAL.seed, precision=0, label=words("options.seed"), info=words("options.seed.info")
                ),
            }  # fmt: skip
            self.base = gr.Dropdown([], label=words("options.base"), allow_custom_value=True)
            self.adapter = gr.Dropdown([], label=words("options.adapter"))


class Shown:
    """The widgets in the middle and on the right: the part. Below them comes its program."""

    def __init__(self, words: Words):
        with gr.Column(elem_classes="cr-part", min_width=340):
            self.view, self.faces = component.view(words), component.knowledge()
            self.candidates = strip("candidates")
            self.numbers = gr.HTML(
                describe.numbers(Work(), words), js_on_load=describe.SCRIPT, apply_default_css=False, min_height=52,
                elem_id="numbers",
            )  # fmt: skip
        with gr.Column(elem_classes="cr-numbers-side", min_width=280):
            self.dimensions = dimensions.component()
            self._draw_files(words)
            name = escape(words("program.title"))
            gr.HTML(f'<button type="button" id="open-program" aria-expanded="false">{name}</button>', js_on_load=DRAWER,
                    apply_default_css=False)  # fmt: skip

    @property
    def pictures(self) -> list[gr.components.Component]:
        """The widgets that `views.drawn` fills."""
        return [self.view, self.numbers, self.code, self.fault]

    def _draw_files(self, words: Words) -> None:
        """STEP is the button; the other files are behind it."""
        step = gr.DownloadButton(words("files.step"), interactive=False, variant="primary", elem_id="download-step")
        with gr.Accordion(words("files.more"), open=False, elem_classes="cr-fold"), gr.Row(elem_classes="cr-files"):
            labels = {kind: words(f"files.{kind}") for kind in NAMED}
            others = {
                kind: gr.DownloadButton(
                    labels.get(kind, f".{kind}"), interactive=False, size="sm", elem_id=f"download-{kind}", min_width=80
                )
                for kind in KINDS
                if kind != "step"
            }
            self.make_link = gr.Button(words("link.make"), size="sm", elem_id="make-link", min_width=80)
        self.address = gr.Textbox(
            label=words("link.label"),
            info=words("link.info"),
            visible=False,
            buttons=["copy"],
            max_lines=1,
            elem_id="link",
        )
        self.note = gr.HTML("", padding=False)
        self.files = [others.get(kind, step) for kind in KINDS]

    def draw_program(self, words: Words) -> None:
        """The editor, in a drawer under the columns."""
        with gr.Column(elem_id="program-drawer"):
            self.code = gr.Code(
                label=words("program.title"), show_label=False, language="python", interactive=True, lines=8,
                max_lines=24, wrap_lines=True, elem_id="program",
            )  # fmt: skip
            self.fault = gr.HTML("", elem_id="program-error", padding=False, js_on_load=EDITOR + completion())
            self.run = gr.Button(words("program.run"), size="sm", elem_id="run-program")
