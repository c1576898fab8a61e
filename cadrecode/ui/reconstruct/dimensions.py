"""A row for every named number of the program on screen: type it, slide it, lock it, round it. A moved number never
calls the model: Manifold rebuilds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from html import escape
from pathlib import Path

import gradio as gr

from cadrecode.errors import Message
from cadrecode.part import Part
from cadrecode.program.edit import Parameter
from cadrecode.ui.draw import html
from cadrecode.ui.reconstruct.state import Work
from cadrecode.ui.words.text import Words

MOST_SIZES, MOST_PLACES = 16, 32  # nobody reads more sliders; the program shows all numbers
FIRST = 6  # sizes that are there without a click
SCRIPT = Path(__file__).with_name("dimensions.js").read_text(encoding="utf-8")


def named(part: Part | None) -> tuple[list[Parameter], list[Parameter]]:
    """Sizes and places of a part's program; empty for text outside of the language."""
    numbers = [] if part is None else part.numbers
    sizes = [p for p in numbers if p.is_length]
    places = [p for p in numbers if not p.is_length]
    return sizes[:MOST_SIZES], places[:MOST_PLACES]


def left_out(part: Part) -> int:
    """The number of a program's numbers that have no slider."""
    sizes, places = named(part)
    return len(part.parameters) - len(sizes) - len(places) if sizes else 0


def moved(work: Work, base: Part, values: Mapping[str, float]) -> Work:
    """The part with some of its numbers set.

    Args:
        base: The part that the sliders were made for; the same object, whatever has been edited since.
        values: By name, in the part's unit; numbers that were not moved are left as they are in the program.
    Raises: ProgramError: the numbers make no solid, or the program has no such number.
    """
    changed = {name: value for name, value in values.items() if abs(value - base.parameters.get(name, 0.0)) > 1e-9}
    if not changed:
        return replace(work, edited=None if base in work.parts else base)
    return replace(work, edited=base.with_parameters(changed))


def sent(event: gr.EventData, unit: str) -> dict[str, float]:
    """The numbers that the page sends, in the part's unit: the page shows lengths in that of `html.shown_in`."""
    factor, _ = html.shown_in(unit)
    return {name: float(value) / (1 if angle else factor) for name, (value, angle) in event.numbers.items()}


def reasons(part: Part, unit: str, words: Words) -> dict[str, str]:
    """The reasons why numbers were changed after the fit, by name: "12.02 → 12: whole, within 0.05"."""
    factor, _ = html.shown_in(unit)
    texts = {}
    for snap in part.snapped:
        values = snap.reason.values
        reason = words.said(Message(snap.reason.template, **values | {"x": factor * values["x"]}))
        before, after = (f"{factor * value:.6g}" for value in (snap.before, snap.after))
        texts[snap.name] = words("dimensions.snapped", before=before, after=after, reason=reason)
    return texts


def component() -> gr.HTML:
    """The rows, of which there are none yet. Fill it with `rows`; its `input` sends `numbers`, see `sent`."""
    return gr.HTML("", js_on_load=SCRIPT, apply_default_css=False, elem_id="dimensions")


def rows(part: Part | None, unit: str, words: Words) -> str:
    """The rows of a part's numbers, in the order in which a person looks for them."""
    if part is None:
        return ""
    sizes, places = named(part)
    if not sizes:
        return html.note(words("dimensions.none"))
    why = reasons(part, unit, words)
    measured = {snap.name: snap.before for snap in part.snapped}
    lines = [
        _row(number, unit, words, why.get(number.name, ""), measured.get(number.name), folded=place >= FIRST)
        for place, number in enumerate([*sizes, *places])
    ]
    more = left_out(part)
    note = html.note(words("dimensions.more", n=more)) if more else ""
    if len(lines) > FIRST:
        rest = escape(words("dimensions.rest", n=len(lines) - FIRST))
        note += f'<button type="button" class="cr-more" aria-expanded="false">{rest}</button>'
    head = (
        f"<h3>{escape(words('dimensions.title'))}</h3>"
        f'<button type="button" class="cr-reset">{escape(words("dimensions.reset"))}</button>'
    )
    return f'<div class="cr-dims"><div class="cr-dims-head">{head}</div>{"".join(lines)}{note}</div>'


def _row(number: Parameter, unit: str, words: Words, why: str, measured: float | None, *, folded: bool) -> str:
    """One number: its name, the number to type, two buttons, and the slider.

    Args:
        why: Why it was made simple, if it was; `measured` is what it was before.
        folded: It is among those behind one click.
    """
    factor, unit = (1.0, "°") if number.is_angle else html.shown_in(unit)
    low, high, step = slider_ends(number)
    value, low, high, step = (f"{factor * x:.10g}" for x in (number.value, low, high, step))
    label = escape(f"{words.dimension(number.name)} ({unit})")
    before = "" if measured is None else f' data-measured="{factor * measured:.6g}"'
    name = f'data-name="{escape(number.name)}"'
    snap_help = escape(why or words("dimensions.snap.help"))
    return (
        f'<div class="cr-dim{" cr-snapped" if why else ""}{" cr-rest" if folded else ""}" {name} '
        f'data-value="{value}"{before} '
        f'{"data-angle" if number.is_angle else ""} title="{escape(why)}">'
        f"<span>{escape(words.dimension(number.name))}</span>"
        f'<input type="number" step="any" value="{value}" aria-label="{label}"><i>{unit}</i>'
        f'<input type="range" min="{low}" max="{high}" step="{step}" value="{value}" aria-label="{label}">'
        f'<button type="button" data-do="snap" title="{snap_help}">{escape(words("dimensions.snap"))}</button>'
        f'<button type="button" data-do="lock" aria-pressed="false" title="{escape(words("dimensions.lock.help"))}">'
        f"{escape(words('dimensions.lock'))}</button></div>"
    )


def slider_ends(number: Parameter) -> tuple[float, float, float]:
    """Lowest and highest value and the step of a slider: whole steps, never through zero for a size."""
    step = number.step
    low, high = step * (number.minimum // step), step * -(-number.maximum // step)
    if abs(number.value / step - round(number.value / step)) > 1e-6:
        step /= 10  # the browser draws the handle at the nearest step: not where the number stands
    if number.is_length:
        low, high = (max(low, step), high) if number.value > 0 else (low, min(high, -step))
    return round(min(low, number.value), 9), round(max(high, number.value), 9), step
