"""How the app looks: calm, light, one accent colour, the system's own fonts. Nothing is fetched from a network."""

from __future__ import annotations

import gradio as gr

FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "Noto Sans CJK SC", "Microsoft YaHei")
MONO = ("ui-monospace", "SFMono-Regular", "Consolas", "DejaVu Sans Mono", "monospace")


def theme() -> gr.themes.Base:
    """Gradio's base theme with one blue."""
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
        block_label_border_width="0px",
        block_label_text_color="#5b6675",
        block_title_text_color="#3a4454",
        block_title_text_weight="500",
        button_primary_background_fill="#1f5fbf",
        button_primary_background_fill_hover="#194e9e",
        button_primary_text_color="white",
        button_secondary_background_fill="white",
        button_secondary_background_fill_hover="#eef2f8",
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


CSS = """
.gradio-container { max-width: 1480px !important; margin: 0 auto !important; padding: 0 18px !important; }
.gradio-container .app.app { padding: 10px 4px 24px; }
footer, .gradio-container .nav-holder { display: none !important; }
.cr-head { display: flex; align-items: baseline; gap: 14px; padding: 2px 2px 0; flex-wrap: wrap; }
.cr-head h1 { font-size: 20px; margin: 0; letter-spacing: -0.01em; color: var(--body-text-color); }
.cr-head p { margin: 0; color: #5b6675; flex: 1; min-width: 180px; }
.cr-head nav a { color: #1f5fbf; text-decoration: none; padding: 4px 8px; border-radius: 6px; }
.cr-head nav a[aria-current] { color: #5b6675; background: #e9edf3; }
.cr-note { color: #5b6675; font-size: 13px; line-height: 1.5; }
.cr-note b { color: #3a4454; font-weight: 600; }
.cr-warn { color: #8a4b08; background: #fdf5ea; border: 1px solid #f0dcc0; border-radius: 8px;
  padding: 6px 10px; font-size: 13px; margin-top: 6px; }
.cr-bad { color: #8f1d16; background: #fdf2f1; border: 1px solid #efc9c5; border-radius: 8px; padding: 8px 10px;
  font-size: 13px; }
.cr-bad pre { margin: 6px 0 0; font-size: 12.5px; white-space: pre; overflow-x: auto; background: none; border: 0;
  font-family: var(--font-mono); }
.cr-numbers { display: flex; gap: 8px 22px; align-items: baseline; flex-wrap: wrap; min-height: 52px; }
.cr-lead { font-size: 26px; font-weight: 600; letter-spacing: -0.01em; font-variant-numeric: tabular-nums;
  color: var(--body-text-color); }
.cr-lead small { font-size: 13px; font-weight: 400; color: #5b6675; letter-spacing: 0; margin-left: 6px; }
.cr-small { color: #5b6675; font-size: 13px; font-variant-numeric: tabular-nums; }
.cr-small b { color: #3a4454; font-weight: 600; }
.cr-progress { min-height: 44px; font-size: 13px; color: #3a4454; font-variant-numeric: tabular-nums; }
.cr-bar { height: 6px; border-radius: 3px; background: #e6eaf0; overflow: hidden; margin-top: 6px; }
.cr-bar i { display: block; height: 100%; background: #1f5fbf; border-radius: 3px; transition: width .3s; }
.cr-empty { color: #5b6675; text-align: center; padding: 26px 12px; font-size: 14px; }
.cr-state { display: flex; gap: 6px 18px; flex-wrap: wrap; align-items: baseline; font-variant-numeric: tabular-nums;
  font-size: 14px; color: #3a4454; }
.cr-pill { padding: 1px 9px; border-radius: 10px; font-size: 12.5px; background: #e9edf3; color: #3a4454; }
.cr-pill.active { background: #dfeafb; color: #174a95; }
.cr-pill.done { background: #e0f2e7; color: #17603a; }
.cr-pill.failed { background: #fbe3e1; color: #8f1d16; }
.cr-log { margin: 0; font: 12px/1.5 var(--font-mono); white-space: pre-wrap; overflow-wrap: anywhere; height: 260px;
  overflow-y: auto; display: flex; flex-direction: column-reverse; color: #3a4454; }
.cr-cmd textarea { font-family: var(--font-mono) !important; font-size: 12.5px !important; }
.cr-files { gap: 8px !important; }
.cr-files button { min-width: 88px !important; }
.cr-table th, .cr-table th * { font-family: var(--font) !important; font-weight: 500 !important; color: #5b6675; }
.cr-table td, .cr-table td * { font-variant-numeric: tabular-nums; font-family: var(--font) !important; }
.cr-table tbody tr { cursor: pointer; }
.cr-strip .caption-label { font-size: 12px; font-variant-numeric: tabular-nums; }
#samples .grid-wrap { padding: 6px; overflow: hidden auto; min-height: 0; }
#samples .grid-container { gap: 6px; grid-template-columns: repeat(4, minmax(0, 1fr)); }
#samples .thumbnail-item { aspect-ratio: 1; height: auto; }
#samples .caption-label { display: none; }
#cloud-file .icon-wrap { display: none; }
.cr-help { margin: 0 0 8px; font-size: 13px; color: #5b6675; }
.cr-help dt { color: #3a4454; margin-top: 6px; } .cr-help dd { margin: 0; }
.cr-danger button, button#samples .grid-wrap { padding: 6px; overflow: hidden auto; min-height: 0; }
#samples .grid-container { gap: 6px; grid-template-columns: repeat(4, minmax(0, 1fr)); }
#samples .thumbnail-item { aspect-ratio: 1; height: auto; }
#samples .caption-label { display: none; }
#cloud-file .icon-wrap { display: none; }
.cr-help { margin: 0 0 8px; font-size: 13px; color: #5b6675; }
.cr-help dt { color: #3a4454; margin-top: 6px; } .cr-help dd { margin: 0; }
.cr-danger { color: #b3261e; }
@media (max-width: 700px) { .cr-lead { font-size: 22px; } .gradio-container { padding: 0 8px !important; } }
@media (prefers-reduced-motion: reduce) { .cr-bar i { transition: none; } }
"""
