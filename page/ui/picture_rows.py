"""Pictures as the steps show them: in a row, with captions, small on a card."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from page.ui import html
from page.ui.components import data_url
from stit_core.directions.preview import FACTORS, LABEL_HEIGHT, SIDE

THUMBNAIL_SIDE = 128  # pixels of a head on a card
ENDS = (-1.5, 1.5)  # of FACTORS; the two ends that a card names


def pictures(shown: Sequence[tuple[np.ndarray, str]]) -> str:
    """Pictures (H, W, 3) uint8 with their captions, side by side."""
    return html.pictures([(data_url(picture), caption) for picture, caption in shown])


def triple(shown: Sequence[tuple[str, np.ndarray | None]]) -> str:
    """Named pictures (H, W, 3) uint8 in a row; one that is not there yet leaves its place empty."""
    return html.triple([(name, None if picture is None else data_url(picture, 90)) for name, picture in shown])


def thumbnail(sheet: np.ndarray, factors: Sequence[float] = ENDS) -> str:
    """The head in the middle row of a direction's preview sheet at some of its factors, for a card."""
    if sheet.shape[1] != SIDE * len(FACTORS) or sheet.shape[0] < LABEL_HEIGHT + SIDE:
        return data_url(sheet)  # drawn by something else
    top = LABEL_HEIGHT + (sheet.shape[0] - LABEL_HEIGHT) // SIDE // 2 * SIDE
    row = sheet[top : top + SIDE]
    heads = [row[:, column * SIDE : (column + 1) * SIDE] for column in map(FACTORS.index, factors)]
    strip = Image.fromarray(np.concatenate(heads, axis=1))
    return data_url(np.asarray(strip.resize((len(heads) * THUMBNAIL_SIDE, THUMBNAIL_SIDE))))
