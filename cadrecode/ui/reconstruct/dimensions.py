"""A slider for every named number of the program on screen. A moved slider never calls the model: Manifold rebuilds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import gradio as gr

from cadrecode.errors import Message
from cadrecode.part import Part
from cadrecode.program.edit import Parameter
from cadrecode.ui.reconstruct.state import Work
from cadrecode.ui.words.text import Words

MOST_SIZES, MOST_PLACES = 16, 32  # nobody reads more sliders; the program shows all numbers


def named(part: Part | None) -> tuple[list[Parameter], list[Parameter]]:
    """Sizes and places of a part's program; empty for text outside of the language."""
    numbers = [] if part is None else part.numbers
    sizes = [p for p in numbers if p.is_length]
    places = [p for p in numbers if not p.is_length]
    return sizes[:MOST_SIZES], places[:MOST_PLACES]


def left_out(part: Part) -> int:
    """How many numbers of a part's program have no slider."""
    sizes, places = named(part)
    return len(part.parameters) - len(sizes) - len(places) if sizes else 0


def moved(work: Work, base: Part, values: Mapping[str, float]) -> Work:
    """The part with some of its numbers set.

    Args:
        base: The part that the sliders were made for; the same object, whatever has been edited since.
        values: By name; numbers that were not moved are left as they are in the program.
    Raises: ProgramError: the numbers make no solid.
    """
    changed = {name: value for name, value in values.items() if abs(value - base.parameters[name]) > 1e-9}
    if not changed:
        return replace(work, edited=None if base in work.parts else base)
    return replace(work, edited=base.with_parameters(changed))


def reasons(part: Part, words: Words) -> dict[str, str]:
    """Why numbers were changed after the fit, by name: "12.02 → 12: whole, within 0.05"."""
    texts = {}
    for snap in part.snapped:
        why, within = snap.reason.values["reason"], snap.reason.values["x"]
        if "name" in why.values:
            why = Message(why.template, name=words.dimension(why.values["name"]))
        reason = words.said(Message(snap.reason.template, reason=why, x=within))
        texts[snap.name] = words(
            "dimensions.snapped", before=f"{snap.before:.6g}", after=f"{snap.after:.6g}", reason=reason
        )
    return texts


def slider(parameter: Parameter, label: str, unit: str, info: str | None = None) -> gr.Slider:
    """One number. Its ends are rounded outwards to whole steps, and it can be typed too.

    Args:
        info: A line under its label.
    """
    step = parameter.step
    low, high = step * (parameter.minimum // step), step * -(-parameter.maximum // step)
    if abs(parameter.value / step - round(parameter.value / step)) > 1e-6:
        step /= 10  # the browser draws the handle at the nearest step: not where the number stands
    if parameter.is_length:  # never through zero
        low, high = (max(low, step), high) if parameter.value > 0 else (low, min(high, -step))
    low, high = min(low, parameter.value), max(high, parameter.value)
    unit = "°" if parameter.is_angle else unit
    return gr.Slider(
        round(low, 9), round(high, 9), round(parameter.value, 9), step=step, label=f"{label} ({unit})", info=info,
        interactive=True,
    )  # fmt: skip
