"""The skin's own folds and blotches, made shallower or deeper in its own pixels. Source: ours.

Skin is taken apart by width, after the frequency separation of those who retouch portraits: pores, which stay; folds;
what is broader: bags, rings and blotches; and the shape of the face, which stays. None of this adds what no source has.
"""

from __future__ import annotations

import cv2
import numpy as np

from stit_core.change.drawn import OFFSET
from stit_core.warps import mean_of_channels

# Pixels of a crop of 256, deviations of the Gaussians between which lie folds, and bags and blotches.
PORES, FOLDS, BAGS, ZONES = 0.6, 3.5, 11.0, 20.0
PORE, NOISE = 0.012, 0.02  # of the logarithm of brightness: less is no fold, and for one that gets deeper may be noise
FILLED, LIT = 0.8, 0.4  # of a fold's dark, and of the light beside it, that goes
LIFTED = 0.55  # of the dark of bags and rings that goes
EVENED = 0.5  # of blotches of colour that goes
LARGEST_LIFT = (
    0.16  # of the logarithm of brightness, by which bags and rings get lighter: deeper ones are a face's shape
)
DEEPENED, SAGGED, MOTTLED = 0.8, 0.3, 0.1  # the same for skin that ages: by how much they grow
LARGEST_FOLD = 0.15  # of the logarithm of brightness, by which a fold gets deeper


def change_folds(picture: np.ndarray, ageing: np.ndarray, zoom: float) -> np.ndarray:
    """A picture of a face whose skin has shallower or deeper folds than it had.

    Parameters
    ----------
    picture: (h, w, 3) float32, grey levels.
    ageing: (h, w) in [-1, 1]: below 0 where folds go, above 0 where they get deeper; 0 off the skin.
    zoom: pixels of the picture in a pixel of a crop of 256.

    Returns
    -------
    (h, w, 3) float32, equal to the picture where `ageing` is 0.
    """
    known = (ageing != 0).astype(np.uint8)
    left, top, width, height = cv2.boundingRect(known)
    if width == 0:
        return picture
    skin = slice(top, top + height), slice(left, left + width)
    result = picture.copy()
    result[skin] += _change(picture[skin], ageing[skin], known[skin].astype(np.float32), zoom)
    return result


def _change(picture: np.ndarray, ageing: np.ndarray, known: np.ndarray, zoom: float) -> np.ndarray:
    """The grey levels (h, w, 3) by which a picture changes; `known` (h, w) is 1 on skin."""
    levels = np.maximum(picture, 0) + np.float32(OFFSET)
    colours = cv2.log(levels)
    light = mean_of_channels(colours)
    size = max(round(light.shape[1] / zoom), 1), max(round(light.shape[0] / zoom), 1)
    small, weight = (
        cv2.resize(part, size, interpolation=cv2.INTER_AREA) for part in (colours * known[..., None], known)
    )

    def smoothed(width: float) -> np.ndarray:
        """The mean of skin around each pixel of the small picture; what is no skin has no part in it."""
        total, share = (cv2.GaussianBlur(part, (0, 0), width) for part in (small, weight))
        return total / np.maximum(share, 1e-3)[..., None]  # type: ignore[no-any-return]

    def enlarged(values: np.ndarray) -> np.ndarray:
        return cv2.resize(values, light.shape[::-1], interpolation=cv2.INTER_LINEAR)

    folds = smoothed(FOLDS)
    without_folds = mean_of_channels(folds)
    creases = cv2.GaussianBlur(colours, (0, 0), PORES * zoom) - enlarged(folds)  # a deep one is redder, too
    fold = mean_of_channels(creases)
    bag = enlarged(np.maximum(mean_of_channels(smoothed(BAGS)) - without_folds, 0))
    blotch = folds - smoothed(ZONES)
    blotch = enlarged(blotch - mean_of_channels(blotch)[..., None])
    younger = LARGEST_LIFT * np.tanh(LIFTED / LARGEST_LIFT * bag) - LIT * np.maximum(fold - PORE, 0)
    filled = FILLED * np.maximum(-fold - PORE, 0) / np.maximum(-fold, PORE)
    older = -LARGEST_FOLD * np.tanh((DEEPENED * np.maximum(-fold - NOISE, 0) + SAGGED * bag) / LARGEST_FOLD)
    goes, comes = np.maximum(-ageing, 0), np.maximum(ageing, 0)
    change = (goes * younger + comes * older)[..., None] - (goes * filled)[..., None] * creases
    change += (MOTTLED * comes - EVENED * goes)[..., None] * blotch
    return levels * (cv2.exp(change) - 1)  # type: ignore[no-any-return]
