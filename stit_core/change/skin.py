"""What is known of skin and light: pigment takes from what comes out of skin, not from what its surface reflects.

Source: ours, after the dichromatic model of Shafer, "Using Color to Separate Reflection Components" (1985).
"""

from __future__ import annotations

import cv2
import numpy as np

from stit_core.change.drawn import OFFSET, Drawn
from stit_core.faces.labels import SKIN_LIKE, is_one_of

GAMMA = 2.2  # of grey levels: light is their power
# How much melanin takes from red, green and blue light, for a mean of 1. The fourth to eighth of the Monk skin tones
# have 0.73, 1.05 and 1.22, the power of -3.3 of the wavelength (Jacques, "Skin Optics", 1998) 0.62, 0.88 and 1.50.
MELANIN = np.array([0.70, 1.01, 1.29], np.float32)
SURFACE = 0.015  # of white's light, that the surface of skin reflects on the average, whatever lies under it
LARGEST_SURFACE = 0.15  # of the light of the darkest channel, that counts so: much of it makes dark skin purple
DEPTHS = np.linspace(-4, 4, 321, dtype=np.float32)  # of pigment, tried
LEAST_TONE = 0.02  # of the logarithm of a ratio: what is less has the same hue
SHEEN_BLUR = 2.0  # pixels of the crop, deviation of the Gaussian over what is seen of sheen
SHEEN_INSIDE = 5  # pixels of the crop, twice the distance from the edge of skin within which it is not looked for
PURE = 25  # percentile of blue to red among skin, at which there is no sheen
LIT = (0.85, 1.4)  # of the skin's mean light: from where on it may shine, and surely does
LARGEST_SHEEN = 0.6  # of the light of a channel
MEAN_SHEEN = 0.12  # the same on the average over skin: what is more is coloured light
LEAST_BELOW = 0.3  # of a ratio, that what comes out of skin is darkened by at the most
# Red to green of the Monk skin tones 8 to 4, by their mean grey level: what pigment makes of skin.
PIGMENT_LEVELS, PIGMENT_RED = (71.0, 97.0, 124.0, 185.0, 213.0), (1.48, 1.41, 1.27, 1.14, 1.07)
FLUSH_BLUR = 4.0  # pixels of the crop, deviation of the Gaussian over what is seen of blood
FLUSH = 0.4  # of the logarithm of red to green beyond that, that pigment hides
LARGEST_FLUSH = 0.2  # of that logarithm: what is more is coloured light
SMALLEST_SKIN = 64  # pixels, area under which nothing is said of it


def pigment_hue(colour: np.ndarray, tone: float) -> np.ndarray:
    """How much of a change of tone each channel gets, (3,) with a mean of 1, where more or less melanin makes it.

    Light skin gets golden at first; dark skin changes its hue less, since its surface reflects what is left of blue.

    Parameters
    ----------
    colour: (3,), mean grey levels of the skin.
    tone: logarithm of the ratio by which they change, mean of the channels.
    """
    light = _light(np.asarray(colour, np.float32))
    surface = np.minimum(SURFACE, LARGEST_SURFACE * light.min())
    after = surface + (light - surface) * np.exp(-DEPTHS[:, None] * MELANIN)
    shades = np.log((255 * np.power(after, 1 / GAMMA) + OFFSET) / (colour + OFFSET))  # (depths, 3)
    means = shades.mean(axis=1)  # falls with the depth
    tone = float(np.copysign(max(abs(tone), LEAST_TONE), tone))
    found = np.array([np.interp(tone, means[::-1], channel[::-1]) for channel in shades.T], np.float32)
    return found / found.mean()  # type: ignore[no-any-return]


def read_sheen(source: Drawn) -> tuple[np.ndarray, np.ndarray]:
    """Share of the light that the surface of skin reflects, (S, S, 3) in [0, 1], and of that of all skin, (3,).

    What comes out of skin has much less blue than red, what its surface adds has the colour of the light. Only what is
    well lit shines: the blue of a shaven chin is none. Beyond skin the share is that of all skin.
    """
    size = source.labels.shape[0]
    skin = is_one_of(source.labels, SKIN_LIKE)
    inside = cv2.erode(skin, np.ones((SHEEN_INSIDE, SHEEN_INSIDE), np.uint8))
    if np.count_nonzero(inside) < SMALLEST_SKIN:
        return np.zeros((size, size, 3), np.float32), np.zeros(3, np.float32)
    # At half the size, where a blurred picture has all that it has.
    half = (size // 2, size // 2)
    levels = cv2.resize(source.picture * inside[..., None], half, interpolation=cv2.INTER_AREA)
    weight = cv2.resize(inside, half, interpolation=cv2.INTER_AREA)
    known = weight > 0
    levels, weight = (cv2.GaussianBlur(each, (0, 0), SHEEN_BLUR / 2) for each in (levels, weight))
    light = _light(levels / np.maximum(weight, 1e-3)[..., None])
    red, green, blue = cv2.split(light)
    pure = min(float(np.percentile(blue[known] / np.maximum(red[known], 1e-3), PURE)), 0.9)
    sheen = np.maximum(blue - pure * red, 0) / (1 - pure)
    sheen *= np.clip((green / green[known].mean() - LIT[0]) / (LIT[1] - LIT[0]), 0, 1)
    shares = np.minimum(sheen[..., None] / np.maximum(light, 1e-3), LARGEST_SHEEN)
    mean = (shares * light)[known].sum(axis=0) / np.maximum(light[known].sum(axis=0), 1e-3)
    much = min(1.0, MEAN_SHEEN / max(float(mean.max()), 1e-3))
    shares = mean + np.minimum(2 * weight, 1)[..., None] * (shares - mean)
    return cv2.resize(np.float32(much) * shares, (size, size)), np.float32(much) * mean


def read_flush(source: Drawn) -> np.ndarray:
    """Logarithm of the ratio (S, S, 3) by which skin changes its hue where pigment hides the blood in it; mean of 0.

    Light skin that is flushed would get red where dark skin is brown.
    """
    skin = is_one_of(source.labels, SKIN_LIKE)
    if np.count_nonzero(skin) < SMALLEST_SKIN:
        return np.zeros((*skin.shape, 3), np.float32)
    red, green, _ = cv2.split(np.log(source.picture.astype(np.float32) + OFFSET))
    level = float(source.picture[skin > 0].mean())
    pigment = float(np.log(np.interp(level, PIGMENT_LEVELS, PIGMENT_RED)))
    weight = cv2.GaussianBlur(skin, (0, 0), FLUSH_BLUR)
    mean = cv2.GaussianBlur((red - green) * skin, (0, 0), FLUSH_BLUR) / np.maximum(weight, 1e-3)
    beyond = np.clip(mean - pigment, 0, LARGEST_FLUSH) * np.minimum(2 * weight, 1)
    return FLUSH * beyond[..., None] * np.array([-0.5, 0.5, 0], np.float32)  # type: ignore[no-any-return]


def keep_sheen(shade: np.ndarray, sheen: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """A shade that takes from what comes out of skin only, so that what shines goes on shining.

    Parameters
    ----------
    shade: (S, S, 3), logarithm of a ratio of grey levels; the mean of what it does to all skin stays.
    sheen: (S, S, 3), and its mean over all skin, (S, S, 3) or (3,), as `read_sheen` has them.
    """
    ratio = np.exp(np.float32(GAMMA) * shade)
    below = np.maximum((ratio - mean) / (1 - mean), LEAST_BELOW * ratio)
    return np.log(below + sheen * (1 - below)) / np.float32(GAMMA)  # type: ignore[no-any-return]


def _light(levels: np.ndarray) -> np.ndarray:
    """Light, 0 ... 1, of grey levels."""
    return np.power(np.maximum(levels, 0) / np.float32(255), np.float32(GAMMA))  # type: ignore[no-any-return]
