"""The look of the app: light, one accent colour, the fonts of the system. Nothing is fetched from a network."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "Noto Sans CJK SC", "Microsoft YaHei")
STYLE = Path(__file__).with_name("style.css")
MONO = ("ui-monospace", "SFMono-Regular", "Consolas", "DejaVu Sans Mono", "monospace")


def theme() -> gr.themes.Base:
    """Gradio's base theme with blue as its accent."""
    return gr.themes.Base(
        primary_hue=gr.themes.colors.blue,
        secondary_hue=gr.themes.colors.blue,
        neutral_hue=gr.themes.colors.slate,
        font=[*FONTS, "sans-serif"],
        font_mono=list(MONO),
        radius_size=gr.themes.sizes.radius_md,
        spacing_size=gr.themes.sizes.spacing_md,
        text_size=gr.themes.sizes.text_md,
    ).set(
        body_background_fill="#f6f7f9",
        block_background_fill="white",
        block_border_width="1px",
        block_border_color="#e3e7ed",
        block_shadow="none",
        block_label_background_fill="transparent",
        block_label_background_fill_dark="transparent",
        block_label_border_width="0px",
        block_label_text_color="#5b6675",
        block_label_text_color_dark="#9aa6b6",
        block_info_text_color="#5b6675",
        block_info_text_color_dark="#9aa6b6",
        body_text_color_subdued="#5b6675",
        body_text_color_subdued_dark="#9aa6b6",
        block_title_text_color="#3a4454",
        block_title_text_color_dark="#d5dbe4",
        block_title_text_weight="500",
        button_primary_background_fill="#1f5fbf",
        button_primary_background_fill_hover="#194e9e",
        button_primary_text_color="white",
        button_secondary_background_fill="white",
        button_secondary_background_fill_hover="#eef2f8",
        button_secondary_text_color="#1e2937",
        button_secondary_text_color_dark="#d5dbe4",
        button_secondary_border_color="#ccd4df",
        button_cancel_background_fill="white",
        button_cancel_background_fill_hover="#fdf0ee",
        button_cancel_text_color="#b3261e",
        button_cancel_border_color="#e5b8b4",
        button_border_width="1px",
        input_background_fill="white",
        input_border_color="#ccd4df",
        input_border_width="1px",
        input_shadow="none",
        section_header_text_weight="500",
        link_text_color="#1f5fbf",
        slider_color="#1f5fbf",
    )
