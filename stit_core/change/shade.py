"""How an edit shades a face: skin, and the features in it, as ratios of what the generator draws after and before.

Source: the expression ratio images of Liu, Shan and Zhang, "Expressive Expression Mapping with Ratio Images" (2001).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from stit_core.change.drawn import LARGEST_SHADE, OFFSET, Drawn, agreed, moved_point
from stit_core.change.skin import pigment_hue
from stit_core.faces.labels import EYES, LIPS, NECK, NOSE, SKIN, SKIN_LIKE, is_one_of
from stit_core.warps import blurred, fill, mean_of_channels, warp, warp_labels

SHADE_BLUR = 0.8  # pixels, of the one over the ratio
HUE_BLUR = 6.0  # pixels, of the lightness that a change of hue is held against
HUE_NEEDS = 0.2  # change of the logarithm of lightness at which half of the change of hue is believed
SHADOW_HUE = 0.5  # of that change of hue, which shadows share
RELIEF_BLUR = 4.0  # pixels: what is narrower counts as folds and wrinkles
RELIEF_GAIN = 1.2
GRAIN = 0.03  # of the logarithm of a ratio: fainter folds are what two drawings of one skin differ by anyway
LARGEST_RELIEF = 0.07  # of the logarithm of a ratio, by which folds and wrinkles shade
WIDE_BLUR = 16.0  # pixels: the shade of skin stays near its mean within that
LARGEST_OWN = 0.035  # of the logarithm of a ratio, by which shade may leave that mean: what is more looks like a smudge
LARGEST_WIDE = 0.12  # of the logarithm of a ratio, by which that mean may leave the one of the whole face
VEIL = 0.1  # of the logarithm of a ratio: what is fainter than that and lies over a part of a face is left out
BEARD = 0.06, 0.14  # of the logarithm of a ratio, by which a beard is darker than skin above it: from where on, surely
BEARD_BEGINS = 0.4, 0.8  # of the way from the eyes to the base of the nose: no beard, and one
NOSE_BASE = 33  # landmark
BEARD_RIM, BEARD_BLUR = 9, 4.0  # pixels: window by which one is larger than it is dark, deviation of its soft edge
NECK_BLUR = 12.0  # pixels, of the shade of a neck
FEATURE_BLUR = 2.5  # pixels, of the one over the ratio of eyes and lips
LARGEST_FEATURE = 0.4  # of the logarithm of a ratio, by which the shade of lips and eyes may leave the skin's
LARGEST_LIPS = 0.06  # of the logarithm of a ratio, by which the shade of lips may leave the skin's, with `anatomy`
LIPS_DEPTH = 1.3  # of the skin's tone, for lips that get darker: in dark skin they are no lighter than it
LIPS_HUE = 0.7  # of the change of hue of skin: they get brown, and not as golden
TURNS = (0.03, 0.07)  # of the face's width, by which the nose goes aside: from where on a head turns, and surely does


@dataclass(frozen=True)
class Shade:
    """Logarithms of the ratios by which an edit shades, over the crop of the edit, (S, S, 3) float32.

    Attributes
    ----------
    skin: known all over.
    features: the same for brows, eyes and lips.
    level: (3,), the mean of skin's; 0 without `anatomy`.
    """

    skin: np.ndarray
    features: np.ndarray
    level: np.ndarray


def read_shade(
    source: Drawn, pivot: Drawn, edited: Drawn, flow: np.ndarray, anatomy: bool, folds: bool, beards: bool = True
) -> Shade:
    """Read how an edit shades the pivot that has moved to it.

    Parameters
    ----------
    source, pivot, edited, anatomy: as `read_change` takes them.
    flow: (S, S, 2), where in the pivot a pixel of the edit comes from.
    folds: whether folds of skin are believed as they are drawn.
    beards: whether those are meant that are drawn.
    """
    before, labels = warp(pivot.picture, flow), warp_labels(pivot.labels, flow)
    ratio = np.log((edited.picture.astype(np.float32) + OFFSET) / (before + OFFSET))
    ratio = np.clip(cv2.GaussianBlur(ratio, (0, 0), SHADE_BLUR), -LARGEST_SHADE, LARGEST_SHADE)
    ratio = _calm_hue(ratio)
    # Ears are drawn worst; they get what the skin beside them gets.
    known = agreed(labels, edited.labels, (SKIN, NOSE, NECK))
    skin = fill(ratio, known)
    if not beards:
        skin = _shaven(skin, known, pivot.points)
    skin = _with_relief(skin, RELIEF_GAIN if folds else 0.0)
    if anatomy:
        skin = _calm_neck(skin, known, edited.labels)
    parts = np.maximum(agreed(labels, edited.labels, EYES, 3), agreed(labels, edited.labels, LIPS, 1))
    features = fill(_mean_within(ratio, parts), parts)
    around = mean_of_channels(skin)[..., None]
    features = around + _within(features - around, LARGEST_FEATURE)
    if not anatomy:
        return Shade(skin, features, np.zeros(3, np.float32))
    # What is darker in places, by a shadow or a shaven chin, is not as much browner for that.
    known = is_one_of(edited.labels, SKIN_LIKE)[..., None]
    tone = (around * known).sum() / max(float(known.sum()), 1.0)
    points = edited.points if len(edited.points) else np.array([moved_point(each, flow) for each in pivot.points])
    apart = (1 - _turned(pivot.points, points)) * (around - tone)
    eyes = cv2.GaussianBlur(cv2.dilate(is_one_of(edited.labels, EYES), np.ones((9, 9))), (0, 0), FEATURE_BLUR)
    eyes, own = eyes[..., None], features - around
    lips = _within(own, LARGEST_LIPS)  # those that move are never drawn where they were, and get pale by that
    around = tone + apart
    hue = pigment_hue(_mean_skin(source), float(tone))
    skin = around + (tone + SHADOW_HUE * apart) * (hue - 1)
    # Lips get browner with the skin around them; where they end no two parsers agree.
    lips = lips + LIPS_HUE * (skin - around) + (LIPS_DEPTH - 1) * min(tone, 0)
    return Shade(skin, around + lips + eyes * (own - lips), tone * hue)


def _mean_skin(source: Drawn) -> np.ndarray:
    """Mean grey levels (3,) of the skin of a source."""
    skin = source.picture[is_one_of(source.labels, SKIN_LIKE) > 0]
    return skin.mean(axis=0) if len(skin) else np.full(3, 128)


def _turned(before: np.ndarray, after: np.ndarray) -> float:
    """How far, 0 ... 1, a head with landmarks (68, 2) turns aside: then its light stays where it is."""

    def nose(points: np.ndarray) -> float:  # where it stands between the jaw's ends, 0 ... 1
        along = points[45] - points[36]
        return float((points[30] - points[0]) @ along / ((points[16] - points[0]) @ along + 1e-6))

    return float(np.clip((abs(nose(after) - nose(before)) - TURNS[0]) / (TURNS[1] - TURNS[0]), 0, 1))


def _calm_hue(ratio: np.ndarray) -> np.ndarray:
    """A ratio (S, S, 3) whose colour changes no more than its lightness gives reason to.

    Skin that gets darker changes its hue with that; a hue that changes alone is what the generator mixes in.
    """
    light = mean_of_channels(ratio)[..., None]
    reason = np.square(cv2.GaussianBlur(light[..., 0], (0, 0), HUE_BLUR))[..., None]
    return light + (ratio - light) * reason / (reason + HUE_NEEDS**2)


def _shaven(shade: np.ndarray, known: np.ndarray, points: np.ndarray) -> np.ndarray:
    """A shade (S, S, 3) without beards, of skin that is `known` (S, S): without hairs one is brown dirt on a chin.

    What is darker below the eyes than the skin above the mouth is one; `points` are the pivot's landmarks (68, 2).
    """
    rows, eyes, nose = np.arange(len(shade)), points[36:48, 1].mean(), points[NOSE_BASE, 1]
    above = known * (rows < nose)[:, None]
    if not above.any():
        return shade
    tone = (shade * above[..., None]).sum(axis=(0, 1)) / above.sum()
    below = np.interp(rows, [eyes + share * (nose - eyes) for share in BEARD_BEGINS], (0, 1))
    darker = mean_of_channels(tone - blurred(shade, RELIEF_BLUR))
    beard = (below[:, None] * np.interp(darker, BEARD, (0, 1))).astype(np.float32)
    beard = cv2.GaussianBlur(cv2.dilate(beard, np.ones((BEARD_RIM, BEARD_RIM), np.uint8)), (0, 0), BEARD_BLUR)
    return shade + beard[..., None] * (tone - shade)  # type: ignore[no-any-return]


def _with_relief(shade: np.ndarray, gain: float) -> np.ndarray:
    """A shade (S, S, 3) whose folds and wrinkles are `gain` times as deep, as in skin, not as in a small generator."""
    smooth, wide = (blurred(shade, blur) for blur in (RELIEF_BLUR, WIDE_BLUR))
    tone = np.array(cv2.mean(shade)[:3], np.float32)
    # Far from what is around lies what was drawn elsewhere in the pivot than in the edit: a sideburn, the jaw's edge.
    return (
        tone
        + _within(_without_veil(wide - tone), LARGEST_WIDE)
        + _within(_without_veil(smooth - wide), LARGEST_OWN)
        + _within(gain * _cored(shade - smooth, GRAIN), LARGEST_RELIEF)
    )


def _cored(values: np.ndarray, grain: float) -> np.ndarray:
    """Values of which those under `grain` are nearly gone."""
    squared = np.square(values)
    return values * squared / (squared + np.float32(grain**2))


def _without_veil(values: np.ndarray) -> np.ndarray:
    """A shade (S, S, 3) of parts of a face without what is faint of it: a shadow without hairs looks like dirt."""
    squared = np.square(mean_of_channels(values))
    return values * (squared / (squared + np.float32(VEIL**2)))[..., None]  # type: ignore[no-any-return]


def _calm_neck(shade: np.ndarray, known: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """A shade (S, S, 3) that is even on the neck: of it generators have seen little, and draw patches."""
    neck = is_one_of(labels, (NECK,))
    weight = blurred(known * neck, NECK_BLUR)
    mean = blurred(shade * (known * neck)[..., None], NECK_BLUR) / np.maximum(weight, 1e-3)[..., None]
    share = cv2.GaussianBlur(neck, (0, 0), RELIEF_BLUR) * np.clip(20 * weight, 0, 1)
    return shade + share[..., None] * (mean - shade)


def _within(values: np.ndarray, largest: float) -> np.ndarray:
    """Values bent so that none is larger than `largest`; small ones stay what they are."""
    return largest * np.tanh(values / largest)


def _mean_within(ratio: np.ndarray, known: np.ndarray) -> np.ndarray:
    """The mean of what is known around each pixel: outlines of lips and lids never fall on each other exactly."""
    weight = cv2.GaussianBlur(known, (0, 0), FEATURE_BLUR)
    return cv2.GaussianBlur(ratio * known[..., None], (0, 0), FEATURE_BLUR) / np.maximum(weight, 1e-3)[..., None]
