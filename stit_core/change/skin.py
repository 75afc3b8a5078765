"""What is known of skin and light: pigment darkens what comes out of skin, not what its surface reflects.

Source: ours, after the dichromatic model of Shafer, "Using Color to Separate Reflection Components" (1985).
"""

from __future__ import annotations

import cv2
import numpy as np

from stit_core.change.drawn import OFFSET, Drawn
from stit_core.faces.labels import SKIN_LIKE, is_one_of

GAMMA = 2.2  # of grey levels: light is their power
# How much melanin takes from red, green and blue light, for a mean of 1. It absorbs as the wavelength's power of -3.3
# (Jacques, "Skin Optics", 1998), which is 0.6, 0.9, 1.5 for a screen's primaries; the fourth to sixth of the Monk skin tones have this.
MELANIN = np.array([0.70, 1.01, 1.29], np.float32)
SURFACE = 0.015  # of white's light, that all skin's surface reflects on the average, untinted
SHARE = 0.15
MOST_SURFACE = 0.6  # of the light of a channel, that counts as the surface's
MEAN_SURFACE = 0.12  # the same, at most, on the average over skin: more is coloured light and not sheen
PURE = 25  # percentile of blue to red among skin, below which what comes out of it is unmixed
LIT = (0.85, 1.4)  # of the mean light: from where skin may shine, and surely does
SHEEN_BLUR = 2.0  # pixels of the crop, deviation of the Gaussian over the estimate
SMALLEST_SKIN = 64  # pixels, area under which nothing is said of it
DEPTHS = np.linspace(-4, 4, 321, dtype=np.float32)  # of pigment, tried


def light_of(levels: np.ndarray) -> np.ndarray:
    """Light, 0 ... 1, of grey levels."""
    return np.power(np.maximum(levels, 0) / np.float32(255), GAMMA)


def pigment_shade(colour: np.ndarray, tone: float) -> np.ndarray:
    """Logarithm of the ratio (3,) by which more or less melanin changes skin of a mean colour (3,) in grey levels.

    Its mean is `tone`. Light skin gets golden at first and dark skin hardly changes its hue, since what the surface
    reflects is all that is left of blue.
    """
    light = light_of(np.asarray(colour, np.float32))
    surface = np.minimum(SURFACE, SHARE * light.min())
    after = surface + (light - surface) * np.exp(-DEPTHS[:, None] * MELANIN)
    shades = np.log((255 * np.power(after, 1 / GAMMA) + OFFSET) / (colour + OFFSET))  # (D, 3)
    means = shades.mean(axis=1)  # falls with the depth
    return np.array([np.interp(tone, means[::-1], channel[::-1]) for channel in shades.T], np.float32)


def read_sheen(source: Drawn) -> tuple[np.ndarray, np.ndarray]:
    """Share (S, S, 3), 0 ... 1, of the light of each channel that the surface of skin reflects, with the light's colour.

    What comes out of skin has a colour, in which blue is a fixed part of red, what its surface adds has equally much of
    each; only lit skin shines, so that the grey of a shaven chin is not taken for it.
    """
    skin = is_one_of(source.labels, SKIN_LIKE)
    if np.count_nonzero(skin) < SMALLEST_SKIN:
        return np.zeros((*skin.shape, 3), np.float32), np.zeros(3, np.float32)
    # What is beside skin says nothing of it.
    inside = cv2.erode(skin, np.ones((5, 5), np.uint8))
    weight = cv2.GaussianBlur(inside, (0, 0), SHEEN_BLUR)[..., None]
    levels = cv2.GaussianBlur(source.picture * inside[..., None], (0, 0), SHEEN_BLUR) / np.maximum(weight, 1e-3)
    light, known = light_of(levels), inside > 0
    red, green, blue = cv2.split(light)
    pure = min(float(np.percentile(blue[known] / np.maximum(red[known], 1e-3), PURE)), 0.9)
    sheen = np.maximum(blue - pure * red, 0) / (1 - pure)
    sheen *= np.clip((green / green[known].mean() - LIT[0]) / (LIT[1] - LIT[0]), 0, 1)
    shares = np.minimum(sheen[..., None] / np.maximum(light, 1e-3), MOST_SURFACE)
    mean = (shares * light)[known].sum(axis=0) / np.maximum(light[known].sum(axis=0), 1e-3)
    much = min(1.0, MEAN_SURFACE / max(float(mean.max()), 1e-3))
    shares = mean + np.minimum(2 * weight, 1) * (shares - mean)
    return much * shares, much * mean


def keep_sheen(shade: np.ndarray, sheen: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """A shade (S, S, 3) of which the surface's share of the light has no part, and which is on the average what it was.

    Parameters
    ----------
    shade: logarithm of a ratio of grey levels.
    sheen: (S, S, 3), shares as `read_sheen` gives them. mean: (3,), of the skin's light.
    """
    ratio = np.exp(GAMMA * shade)
    below = np.maximum((ratio - mean) / (1 - mean), 0.3 * ratio)
    return np.log(below + sheen * (1 - below)) / GAMMA
