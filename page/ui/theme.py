"""The page's look: one accent colour, calm greys, the fonts that come with gradio."""

from __future__ import annotations

import gradio as gr

ACCENT = gr.themes.Color(
    c50="#f4f4ff",
    c100="#e9e9fe",
    c200="#d5d4fb",
    c300="#b5b3f5",
    c400="#908dec",
    c500="#6f6adf",
    c600="#5a54ca",
    c700="#4a45aa",
    c800="#3d3989",
    c900="#302d6a",
    c950="#1e1c45",
    name="accent",
)
GREY = gr.themes.Color(
    c50="#f8f8fa",
    c100="#f1f1f5",
    c200="#e3e3ea",
    c300="#cdcdd8",
    c400="#9c9cab",
    c500="#6c6c7c",
    c600="#52525f",
    c700="#3b3b47",
    c800="#26262f",
    c900="#19191f",
    c950="#111116",
    name="grey",
)


def build_theme() -> gr.themes.Base:
    """Colours, type and spacing in light and dark."""
    theme = gr.themes.Base(
        primary_hue=ACCENT,
        secondary_hue=ACCENT,
        neutral_hue=GREY,
        radius_size=gr.themes.sizes.radius_lg,
        text_size=gr.themes.sizes.text_md,
        font=[gr.themes.LocalFont("IBM Plex Sans", weights=(400, 700)), "system-ui", "sans-serif"],
        font_mono=[gr.themes.LocalFont("IBM Plex Mono"), "ui-monospace", "monospace"],
    )
    return theme.set(
        body_background_fill="*neutral_50",
        body_background_fill_dark="*neutral_950",
        body_text_color="*neutral_900",
        body_text_color_dark="*neutral_100",
        body_text_color_subdued="*neutral_500",
        body_text_color_subdued_dark="*neutral_400",
        background_fill_primary="white",
        background_fill_primary_dark="*neutral_900",
        background_fill_secondary="*neutral_100",
        background_fill_secondary_dark="*neutral_800",
        border_color_primary="*neutral_200",
        border_color_primary_dark="*neutral_800",
        border_color_accent="*primary_500",
        color_accent="*primary_600",
        color_accent_soft="*primary_50",
        color_accent_soft_dark="*primary_950",
        link_text_color="*primary_700",
        link_text_color_dark="*primary_300",
        block_background_fill="white",
        block_background_fill_dark="*neutral_900",
        block_border_width="1px",
        block_shadow="none",
        block_label_background_fill="transparent",
        block_label_background_fill_dark="transparent",
        block_label_border_width="0px",
        block_label_text_color="*neutral_500",
        block_label_text_color_dark="*neutral_400",
        block_title_text_weight="600",
        input_background_fill="*neutral_50",
        input_background_fill_dark="*neutral_950",
        input_border_width="1px",
        slider_color="*primary_600",
        slider_color_dark="*primary_400",
        button_large_radius="*radius_lg",
        button_large_padding="*spacing_md *spacing_xxl",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_dark="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_hover_dark="*primary_500",
        button_primary_text_color="white",
        button_primary_text_color_dark="white",
        button_secondary_background_fill="white",
        button_secondary_background_fill_dark="*neutral_800",
        button_secondary_background_fill_hover="*neutral_100",
        button_secondary_background_fill_hover_dark="*neutral_700",
        button_secondary_border_color="*neutral_300",
        button_secondary_border_color_dark="*neutral_700",
        button_border_width="1px",
        button_primary_border_color="*primary_600",
        button_primary_border_color_dark="*primary_600",
    )


# In the head, for gradio rewrites what a style sheet says of its container for screens of one width only.
WIDE_SCREENS = """<style>
@media (min-width: 2200px) { .gradio-container { zoom: 1.3; } }
@media (min-width: 3200px) { .gradio-container { zoom: 1.9; } }
</style>"""
