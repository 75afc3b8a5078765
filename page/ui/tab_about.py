"""The tab "About": what this is, whose work it builds on, what it is for and what it is not for."""

from __future__ import annotations

import gradio as gr

from page.ui.words.about import about_text
from stit_core.packs.manifest import Pack


def build_about(pack: Pack) -> None:
    """Fill the tab."""
    gr.Markdown(about_text(pack), elem_id="about")
