"""Skin colour in CIELAB: what an edit does to lightness and hue of the same skin."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from skimage.color import deltaE_ciede2000, rgb2lab

from stit_core.faces.labels import NOSE, SKIN, is_one_of

SKIN_CLASSES = (SKIN, NOSE)
EDGE = 5  # pixels, side of the square by which the skin is shrunk: its edges mix with hair, lips and brows
LEAST_SKIN = 200  # pixels, under which nothing is said of the skin
# Individual typology angle in degrees -> its name; Chardon et al. 1991, del Bino and Bernerd 2013.
ITA_NAMES = ((55.0, "very light"), (41.0, "light"), (28.0, "intermediate"), (10.0, "tan"), (-30.0, "brown"))


@dataclass(frozen=True)
class SkinColour:
    """Median CIELAB (D65) of one patch of skin: lightness 0 ... 100, a (green to red), b (blue to yellow)."""

    lightness: float
    a: float
    b: float

    @property
    def hue(self) -> float:
        """Hue angle in degrees: towards 0 redder, towards 90 yellower. Source: Thong et al. 2023."""
        return float(np.degrees(np.arctan2(self.b, self.a)))

    @property
    def ita(self) -> float:
        """Individual typology angle in degrees, the higher the lighter. Source: Chardon et al. 1991."""
        return float(np.degrees(np.arctan2(self.lightness - 50.0, self.b)))


def ita_name(ita: float) -> str:
    """The usual name of an individual typology angle in degrees."""
    return next((name for limit, name in ITA_NAMES if ita > limit), "dark")


def same_skin(*labels: np.ndarray) -> np.ndarray:
    """Where all label maps (S, S) show skin, without its edges, (S, S) bool; all of one face and framing."""
    skin = np.prod([is_one_of(one, SKIN_CLASSES) for one in labels], axis=0).astype(np.uint8)
    return cv2.erode(skin, np.ones((EDGE, EDGE), np.uint8)) > 0


def skin_colour(picture: np.ndarray, mask: np.ndarray) -> SkinColour | None:
    """The colour of a picture (S, S, 3) uint8 sRGB inside a mask (S, S) bool; None where that is too small."""
    if mask.sum() < LEAST_SKIN:
        return None
    lab = np.median(rgb2lab(picture[mask]), axis=0)
    return SkinColour(*(float(value) for value in lab))


def colour_difference(before: SkinColour, after: SkinColour) -> float:
    """CIEDE2000 between two colours; about 1 is just noticeable. Source: Sharma, Wu and Dalal 2005."""
    pair = [np.array([colour.lightness, colour.a, colour.b]) for colour in (before, after)]
    return float(deltaE_ciede2000(*pair))


def hue_turn(before: SkinColour, after: SkinColour) -> float:
    """Degrees by which the hue angle turned, -180 ... 180; above 0 yellower."""
    return float((after.hue - before.hue + 180.0) % 360.0 - 180.0)
