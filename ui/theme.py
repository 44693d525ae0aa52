"""Colors and type of the page: quiet, so that the pictures speak. System fonts only, nothing is loaded."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

PAGE_CSS = Path(__file__).with_name("page.css")

_SANS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif")
_MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")


def page_theme() -> gr.themes.Base:
    """The theme. Fonts are plain strings: gradio would fetch its own named ones from another host."""
    return gr.themes.Base(
        primary_hue=gr.themes.colors.teal,
        neutral_hue=gr.themes.colors.stone,
        radius_size=gr.themes.sizes.radius_md,
        font=_SANS,
        font_mono=_MONO,
    ).set(
        body_background_fill="#faf9f7",
        body_background_fill_dark="#171614",
        background_fill_primary="#ffffff",
        background_fill_primary_dark="#211f1d",
        background_fill_secondary="#f3f1ed",
        background_fill_secondary_dark="#1d1b19",
        block_background_fill="transparent",
        block_background_fill_dark="transparent",
        block_border_width="0px",
        block_padding="0px",
        block_label_background_fill="transparent",
        block_shadow="none",
        input_background_fill="#ffffff",
        input_background_fill_dark="#211f1d",
        input_border_width="1px",
        input_border_color="#cfc9bf",
        input_border_color_dark="#4a4641",
        body_text_color="#26231f",
        body_text_color_dark="#eeebe6",
        body_text_color_subdued="#625c54",
        body_text_color_subdued_dark="#b3aca2",
        border_color_primary="#ddd8d0",
        border_color_primary_dark="#3d3935",
        color_accent="#0f766e",
    )
