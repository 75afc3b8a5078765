"""Pieces that several steps show."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from page.parts import data_url


def pictures(shown: Sequence[tuple[np.ndarray, str]]) -> str:
    """Pictures (H, W, 3) uint8 with their captions, side by side."""
    figures = "".join(
        f'<figure><img src="{data_url(picture)}" alt="{escape(caption)}"><figcaption>{escape(caption)}</figcaption></figure>'
        for picture, caption in shown
    )
    return f'<div class="pictures">{figures}</div>'


def triple(shown: Sequence[tuple[str, np.ndarray | None]]) -> str:
    """Named pictures in a row; one that is not there yet leaves its place empty."""
    figures = "".join(
        "<figure>"
        + (
            '<div class="blank"></div>'
            if picture is None
            else f'<img src="{data_url(picture, 90)}" alt="{escape(name)}">'
        )
        + f"<figcaption>{escape(name)}</figcaption></figure>"
        for name, picture in shown
    )
    return f'<div class="triple">{figures}</div>'
