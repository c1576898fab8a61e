"""The widgets of Reconstruct: the input on the left, the part in the middle, its numbers and its files on the right."""

from __future__ import annotations

import json
from dataclasses import dataclass
from html import escape
from pathlib import Path

import gradio as gr

from cadrecode.config import UNITS
from cadrecode.program.parse import METHOD_NAMES
from cadrecode.ui.draw import html
from cadrecode.ui.draw.strip import strip
from cadrecode.ui.reconstruct import describe, dimensions
from cadrecode.ui.reconstruct.files import KINDS
from cadrecode.ui.reconstruct.options import USUAL, align_box, candidates_slider, clean_box, fit_slider, snap_field
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


@dataclass(frozen=True)
class Form:
    """The widgets on the left: a cloud, and how it is rebuilt."""

    upload: gr.File
    samples: gr.HTML
    fault: gr.HTML  # of a file that could not be read
    facts: gr.HTML
    unit: gr.Dropdown
    options: dict[str, gr.components.Component]  # a field for each setting, but for the unit
    base: gr.Dropdown
    adapter: gr.Dropdown
    go: gr.Button
    cancel: gr.Button
    progress: gr.HTML


@dataclass(frozen=True)
class Shown:
    """The widgets in the middle and on the right: the part."""

    view: gr.HTML
    faces: gr.HTML
    numbers: gr.HTML
    candidates: gr.HTML
    dimensions: gr.HTML
    files: list[gr.DownloadButton]  # in the order of KINDS
    make_link: gr.Button
    address: gr.Textbox
    note: gr.HTML
    code: gr.Code
    run: gr.Button
    fault: gr.HTML

    @property
    def pictures(self) -> list[gr.components.Component]:
        """What `views.drawn` fills."""
        return [self.view, self.numbers, self.code, self.fault]


def draw(words: Words) -> tuple[Form, Shown]:
    """Lay the tab out."""
    with gr.Row(equal_height=False, elem_classes="cr-bench"):
        with gr.Column(elem_classes="cr-input", min_width=260):
            form = _draw_form(words)
        with gr.Column(elem_classes="cr-part", min_width=340):
            view, faces = component.view(words), component.knowledge()
            candidates = strip("candidates")
            numbers = gr.HTML(
                describe.numbers(Work(), words), js_on_load=describe.SCRIPT, apply_default_css=False, min_height=52,
                elem_id="numbers",
            )  # fmt: skip
        with gr.Column(elem_classes="cr-numbers-side", min_width=280):
            sliders = dimensions.component()
            files, make_link, address, note = _draw_files(words)
            name = escape(words("program.title"))
            gr.HTML(f'<button type="button" id="open-program" aria-expanded="false">{name}</button>', js_on_load=DRAWER,
                    apply_default_css=False)  # fmt: skip
    code, run, fault = _draw_program(words)
    return form, Shown(
        view, faces, numbers, candidates, sliders, files, make_link, address, note, code, run, fault
    )  # fmt: skip


def _draw_form(words: Words) -> Form:
    upload = gr.File(label=words("cloud.drop"), show_label=False, height=38, elem_id="cloud-file")
    fault = gr.HTML("", padding=False, elem_id="cloud-fault")
    pictures = strip("samples")
    with gr.Row(elem_classes="cr-file"):
        facts = gr.HTML(html.note(words("cloud.none")), min_height=44, elem_id="cloud-facts")
        unit = gr.Dropdown(
            list(UNITS), value=USUAL.unit, label=words("cloud.unit"), show_label=False, container=False,
            elem_id="unit", min_width=70,
        )  # fmt: skip
    with gr.Row(elem_classes="cr-go"):
        go = gr.Button(words("rebuild.go"), variant="primary", elem_id="rebuild")
        cancel = gr.Button(words("rebuild.cancel"), interactive=False, elem_id="cancel", min_width=90)
    progress = gr.HTML(html.idle(), min_height=44, elem_id="progress")
    with gr.Accordion(words("options.title"), open=False, elem_classes="cr-fold"):
        options = {
            "candidates": candidates_slider(words),
            "temperature": gr.Slider(
                0.1, 1.5, USUAL.temperature, step=0.05,
                label=words("options.temperature"), info=words("options.temperature.info"),
            ),
            "fit_seconds": fit_slider(words, "fit-seconds"),
            "align": align_box(words, "align"),
            "clean": clean_box(words, "clean"),
            "snap": snap_field(words, "snap"),
            "seed": gr.Number(USUAL.seed, precision=0, label=words("options.seed"), info=words("options.seed.info")),
        }  # fmt: skip
        base = gr.Dropdown([], label=words("options.base"), allow_custom_value=True)
        adapter = gr.Dropdown([], label=words("options.adapter"))
    return Form(upload, pictures, fault, facts, unit, options, base, adapter, go, cancel, progress)


def _draw_files(words: Words) -> tuple[list[gr.DownloadButton], gr.Button, gr.Textbox, gr.HTML]:
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
        make_link = gr.Button(words("link.make"), size="sm", elem_id="make-link", min_width=80)
    address = gr.Textbox(
        label=words("link.label"), info=words("link.info"), visible=False, buttons=["copy"], max_lines=1, elem_id="link"
    )
    note = gr.HTML("", padding=False)
    return [others.get(kind, step) for kind in KINDS], make_link, address, note


def _draw_program(words: Words) -> tuple[gr.Code, gr.Button, gr.HTML]:
    with gr.Column(elem_id="program-drawer"):
        code = gr.Code(
            label=words("program.title"), show_label=False, language="python", interactive=True, lines=8,
            max_lines=24, wrap_lines=True, elem_id="program",
        )  # fmt: skip
        fault = gr.HTML("", elem_id="program-error", padding=False, js_on_load=EDITOR + completion())
        run = gr.Button(words("program.run"), size="sm", elem_id="run-program")
    return code, run, fault
