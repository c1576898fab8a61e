"""The fields of the form, made from the settings class: the type of a setting decides on its widget."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from typing import Any

import gradio as gr

from cadrecode.config import TrainConfig
from cadrecode.ui.words.text import Words

FIRST = ("base_model_name", "max_steps", "learning_rate", "lora_r", "lora_alpha", "per_device_train_batch_size")
NOT_ASKED = ("train_data_path", "model_save_path", "resume_from_checkpoint")  # other widgets decide these
GROUPS = {
    "data": ("val_data_path", "more_train_data", "canonical", "turned_copies", "warped_copies", "pattern_copies",
             "height_steps", "max_train_samples", "max_eval_samples", "max_seq_length", "n_points", "noise_probability",
             "noise_std", "partial_probability"),
    "adapter": ("lora_dropout", "lora_target_modules", "rank_pattern", "init_lora_weights", "use_qlora",
                "load_in_4bit", "load_in_8bit",
                "bnb_4bit_compute_dtype", "bnb_4bit_quant_type", "bnb_4bit_use_double_quant"),
    "merging": ("auto_merge_lora", "auto_merge_final", "keep_lora_only", "keep_lora_final", "merge_final_only"),
    "training": (),  # all that are in no other group
}  # fmt: skip


def names(first: bool) -> list[str]:
    """The settings that are always in sight, or those of the fold."""
    return list(FIRST) if first else [name for group in grouped().values() for name in group]


def grouped() -> dict[str, list[str]]:
    """The settings of the fold by group; every setting of the form is in exactly one place."""
    listed = {n for group in GROUPS.values() for n in group}
    rest = [n for n in TrainConfig.model_fields if n not in listed and n not in FIRST and n not in NOT_ASKED]
    return {title: [*group, *(rest if title == "training" else ())] for title, group in GROUPS.items()}


def field(name: str, value: Any, words: Words) -> gr.components.Component:
    """The widget for a setting. Numbers are text fields, so that 2e-4 stays 2e-4."""
    label = words(f"set.{name}") if name in FIRST else name
    shape = {"label": label, "info": None if name in FIRST else words.help(name), "elem_id": f"set-{name}"}
    annotation = TrainConfig.model_fields[name].annotation
    if annotation is bool:
        return gr.Checkbox(bool(value), **shape)
    choices = _choices(annotation)
    if choices:
        return gr.Dropdown(choices, value=value, **shape)
    return gr.Textbox(as_text(value), max_lines=1, **shape)


def _choices(annotation: Any) -> list[str]:
    """The words of a Literal, also inside of Annotated or of a union with None."""
    if typing.get_origin(annotation) is typing.Literal:
        return list(typing.get_args(annotation))
    if typing.get_origin(annotation) in (typing.Annotated, typing.Union, types.UnionType):
        for part in typing.get_args(annotation):
            if choices := _choices(part):
                return choices
    return []


def as_text(value: Any) -> str:
    """A setting as a person would type it."""
    if value is None:
        return ""
    if isinstance(value, tuple | list):
        return ",".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def typed(value: Any) -> str:
    """A setting as the command line writes it."""
    return str(value).lower() if isinstance(value, bool) else as_text(value)


def shown(config: TrainConfig, name: str) -> Any:
    """The value of a setting's widget."""
    value = getattr(config, name)
    return value if isinstance(value, bool) or _choices(TrainConfig.model_fields[name].annotation) else as_text(value)


def differences(values: Mapping[str, Any], base: TrainConfig) -> dict[str, str]:
    """Settings that differ from a preset, as the command line writes them."""
    return {
        name: typed(value)
        for name, value in values.items()
        if name in TrainConfig.model_fields and as_text(value) != as_text(getattr(base, name))
    }
