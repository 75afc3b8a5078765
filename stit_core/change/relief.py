"""The folds and wrinkles that an edit brings and the generator does not draw, laid over the source. Source: ours."""

from __future__ import annotations

import numpy as np

from stit_core.change.drawn import Drawn
from stit_core.faces.relief import lay_over, read_relief
from stit_core.warps import warp

HIGHLIGHT = 0.8  # of what a map makes lighter, that it may where there is no fold to be filled
SHADOW = np.array([0.88, 1.04, 1.08], np.float32)  # of red, green and blue, for a mean of 1: folds in skin are warm


def relief_shade(
    relief: np.ndarray, source: Drawn, edited: Drawn, offset: np.ndarray, motion: np.ndarray
) -> np.ndarray:
    """Logarithm of the ratio (S, S, 3) by which a map of relief shades the source.

    What gets darker is a fold that comes. What gets lighter is one that goes: only where the source has one.

    Parameters
    ----------
    relief: the map (faces.relief.SHAPE), by the edit's factors.
    source, edited: of one frame and one size; the edit's places are known.
    offset: (S, S, 2), from each pixel of the source to its place in the pivot.
    motion: (S, S, 2), where in the source a pixel of the result comes from.
    """
    laid = warp(lay_over(relief, edited.places, edited.head, len(source.picture)), offset)
    folds = np.maximum(-warp(read_relief(source.picture, source.labels)[0], motion), 0)
    shade = np.where(laid > 0, np.minimum(laid, folds + HIGHLIGHT * laid), laid)
    return shade[..., None] * SHADOW
