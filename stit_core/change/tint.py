"""How a strong shade of all skin, as another tone is, is laid over a face: up to where, and below the sheen."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from stit_core.change.drawn import OFFSET, Drawn
from stit_core.change.matte import EDGE_WIDTH, hair_matte, picture_mask
from stit_core.change.reading import Change
from stit_core.change.skin import keep_sheen, read_flush, read_sheen
from stit_core.faces.labels import HAIR, NECK, SKIN, SKIN_LIKE, is_one_of
from stit_core.warps import mean_of_channels, warp

RELIEF = 1.5  # pixels of the crop, deviation of the Gaussian over what counts as relief and not as light
STRONG = (0.05, 0.2)  # of the logarithm of a ratio: from where on a shade shows where it ends, and wholly does
TONE_WINDOW = 33  # pixels of the crop over which it is averaged: a fold has no tone
REFLECTED = 0.4  # of a shade that darkens skin, for hair beside it: it is thin there, and has light from the skin
LEAST_SEEN = 200  # pixels of neck and of face, of which a mean is one
REDDER = 0.8  # of the way from a neck's hue to the face's
GREYEST = 0.1  # of the logarithm of a ratio, by which a neck is greyer at most
INNER = 15  # pixels of the crop, window within which all is skin where its hue is learned
HUE_NOISE = 0.05  # of the logarithm of a ratio of two channels, by which that of skin varies at least
ANOTHER_HUE = 4.0  # deviations of it, from which on something at its outline is none
# Of the skin's mean level: up to where what has its hue is a frame, from where on it is not, as sockets of eyes.
DARK_FRAME, FRAME_BLUR = (0.38, 0.5), 0.7  # and pixels, deviation of the Gaussian over grain
SKINS_HUE = (2.5, 4.0)  # of them: up to where it is skin, and from where on it is not
SMALLEST_BEYOND = 0.003  # of the crop's area, of such a part: what is smaller may be a highlight
REFLECTS = 28.0  # pixels of the crop, over which that fades


@dataclass(frozen=True)
class Tint:
    """What of a source's crop (S, S) a strong shade goes by; float32.

    Attributes
    ----------
    share: how much of a pixel is skin by the picture's colours; clipped to [0, 1] it is a matte.
    slope: (S, S, 3), what a grey level more in each channel adds to it, for pixels finer than the crop's.
    sheen: (S, S, 3), share of the light that the surface of skin reflects.
    mean_sheen: (3,), the same of all skin.
    neck: (S, S), 1 where the neck is.
    redder: (3,), logarithm of the ratio by which it has to change to be no greyer than the face.
    reflected: (S, S), how much hair beside skin gets of a shade that darkens it.
    flush: (S, S, 3), logarithm of the ratio by which skin that gets darker loses what of its red is blood's.
    """

    share: np.ndarray
    slope: np.ndarray
    sheen: np.ndarray
    mean_sheen: np.ndarray
    neck: np.ndarray
    redder: np.ndarray
    reflected: np.ndarray
    flush: np.ndarray


def read_tint(source: Drawn, skin: np.ndarray, free: np.ndarray, apart: np.ndarray) -> Tint:
    """What a strong shade of a source goes by.

    Parameters
    ----------
    skin: (S, S), where what is shaded is seen, 0 or 1.
    free: (S, S), 0 ... 1, how far it may be shaded whatever its colour.
    apart: (S, S), how far hues are from the skin's, see `hue_apart`.
    """
    smooth = cv2.GaussianBlur(source.picture, (0, 0), RELIEF).astype(np.float32)
    hair = is_one_of(source.labels, (HAIR,))
    share, slope = hair_matte(skin, hair, smooth, picture_mask(skin, source.picture))
    free = free * (1 - _beyond_outline(source, skin, apart))
    away = cv2.distanceTransform((skin == 0).astype(np.uint8), cv2.DIST_L2, 5)
    near = np.square(np.maximum(1 - away / REFLECTS, 0)) * cv2.GaussianBlur(hair, (0, 0), EDGE_WIDTH)
    neck = is_one_of(source.labels, (NECK,))
    reflected = np.float32(REFLECTED) * free * near
    flush = read_flush(source)
    return Tint(
        free * share,
        free[..., None] * slope,
        *read_sheen(source),
        neck,
        _redder(source, neck, flush),
        reflected,
        flush,
    )


def _beyond_outline(source: Drawn, skin: np.ndarray, apart: np.ndarray) -> np.ndarray:
    """Where what parsers call skin (S, S) is the background beside it by its hue, (S, S) in [0, 1], softly.

    They do so along the outline of faces that look aside; a shade of skin would show there.
    """
    if not np.isfinite(apart).any():
        return np.zeros_like(skin)
    beside = ((apart > ANOTHER_HUE) & (skin > 0)).astype(np.uint8)
    other = cv2.morphologyEx(beside, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    outside = cv2.dilate((source.labels == 0).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    _, parts, facts, _ = cv2.connectedComponentsWithStats(other)
    large = np.flatnonzero(facts[:, cv2.CC_STAT_AREA] >= SMALLEST_BEYOND * other.size)
    beyond = np.isin(parts, np.setdiff1d(np.intersect1d(parts[outside], large), 0)).astype(np.float32)
    return cv2.GaussianBlur(cv2.dilate(beyond, np.ones((3, 3), np.uint8)), (0, 0), EDGE_WIDTH)


def skin_behind(source: Drawn, cover: np.ndarray, apart: np.ndarray) -> np.ndarray:
    """How far what covers a face (S, S) is skin, (S, S) in [0, 1]: parsers see glasses broadly, and frames are thin.

    Skin is what has its hue, `apart` from which is known as `hue_apart` has it, and is not as dark as a frame.
    """
    if not cover.any() or not np.isfinite(apart).any():
        return np.zeros_like(cover)
    light = mean_of_channels(cv2.GaussianBlur(source.picture, (0, 0), FRAME_BLUR))
    light = light / light[is_one_of(source.labels, SKIN_LIKE) > 0].mean()
    frame = cv2.dilate(np.interp(light, DARK_FRAME, (1, 0)).astype(np.float32), np.ones((3, 3), np.uint8))
    skin = cover * np.interp(apart, SKINS_HUE, (1, 0)).astype(np.float32) * (1 - frame)
    return cv2.morphologyEx(skin, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))  # type: ignore[no-any-return]


def hue_apart(source: Drawn) -> np.ndarray:
    """How many deviations of its own a hue is from that of skin, (S, S); infinite where nothing is known of that."""
    known = is_one_of(source.labels, SKIN_LIKE) > 0
    if known.sum() < LEAST_SEEN:
        return np.full(known.shape, np.inf, np.float32)
    levels = cv2.log(cv2.GaussianBlur(source.picture, (0, 0), RELIEF).astype(np.float32) + np.float32(OFFSET))
    hue = levels[..., ::2] - levels[..., 1:2]  # of red and blue to green, (S, S, 2)
    inside = cv2.erode(known.astype(np.uint8), np.ones((INNER, INNER), np.uint8)) > 0
    own = hue[inside if inside.sum() >= LEAST_SEEN else known]
    red, blue = np.moveaxis(hue - np.median(own, axis=0), -1, 0)
    inverse = np.linalg.inv(np.cov(own.T) + HUE_NOISE**2 * np.eye(2)).astype(np.float32)
    square = inverse[0, 0] * red * red + 2 * inverse[0, 1] * red * blue + inverse[1, 1] * blue * blue
    return np.sqrt(square)  # type: ignore[no-any-return]


def _redder(source: Drawn, neck: np.ndarray, flush: np.ndarray) -> np.ndarray:
    """Logarithm of the ratio (3,) by which a neck's green and blue fall towards the shares of red that the face has.

    That is the face without its `flush` (S, S, 3). A pale neck is greyer than a face that is flushed, a dark one is
    not.
    """
    both = neck > 0, is_one_of(source.labels, (SKIN,)) > 0
    if min(place.sum() for place in both) < LEAST_SEEN:
        return np.zeros(3, np.float32)
    own, face = (np.log(source.picture[place].mean(axis=0) + 1.0) + flush[place].mean(axis=0) for place in both)
    less = (face - face[0]) - (own - own[0])
    return np.clip(REDDER * less, -GREYEST, 0).astype(np.float32)


def strength(change: Change) -> np.ndarray:
    """How far, 0 ... 1, the shade of skin counts as strong, (S, S)."""
    tone = np.abs(cv2.blur(mean_of_channels(change.skin), (TONE_WINDOW, TONE_WINDOW)))
    return np.clip((tone - STRONG[0]) / (STRONG[1] - STRONG[0]), 0, 1)  # type: ignore[no-any-return]


def below_sheen(shade: np.ndarray, strong: np.ndarray, tint: Tint, motion: np.ndarray) -> np.ndarray:
    """A shade (S, S, 3) that leaves the sheen, which has come here along a motion (S, S, 2), as far as it is strong."""
    strong = strong[..., None]
    return keep_sheen(shade, strong * warp(tint.sheen, motion), strong * tint.mean_sheen)
