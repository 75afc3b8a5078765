"""Motion over a frame: smooth on skin, carried on past the face, and at rest before what must not move.

What is moved has to stay whole: neither folded nor torn. A map x + u(x) is one to one where no slope of u is 1 or
more, by Banach's theorem on contractions, so that every step here bounds a slope. Source: ours.
"""

from __future__ import annotations

import cv2
import numpy as np

from stit_core.faces.labels import BROWS, EYES, LIPS, MOUTH, is_one_of
from stit_core.warps import warp

SKIN_BLUR = 5.0  # pixels of 256, deviation of the Gaussian over the motion of skin, whose texture says little of it
FEATURE_BLUR = 1.2  # the same for brows, eyes and lips, which move by themselves
FEATURE_REACH = 13  # pixels of 256, width of the skin around them that moves as they do
SLOPE = 0.4  # pixels a pixel, by which motion fades beyond what moves and before what must not
SHORTEST_FADE = 8.0  # pixels of 256
FADE_BLUR = 2.0  # pixels of 256
SHARPEST = 4  # power of the mean by which motion is kept under its bound
FOLDED, SQUEEZED = 0.3, 3.0  # share of its area to which the frame may be stretched and squeezed: a pixel shows
SMOOTHINGS = (2.0, 4.0, 8.0, 16.0)  # pixels of 256, deviations that are tried where it is more


def calm(motion: np.ndarray, labels: np.ndarray, known: np.ndarray) -> np.ndarray:
    """A motion (S, S, 2) that is smooth on skin and fine at the features, known where `known` (S, S) is 1.

    `labels` are those of the picture that the motion leads to.
    """
    unit = len(labels) / 256
    width = round(FEATURE_REACH * unit) | 1
    features = cv2.dilate(is_one_of(labels, (*BROWS, *EYES, MOUTH, *LIPS)), np.ones((width, width), np.uint8))
    share = cv2.GaussianBlur(features, (0, 0), width / 3)[..., None]
    weighted = np.dstack([motion * known[..., None], known])

    def mean(blur: float) -> np.ndarray:
        total = cv2.GaussianBlur(weighted, (0, 0), blur * unit)
        return total[..., :2] / np.maximum(total[..., 2:], 1e-3)

    smooth = mean(SKIN_BLUR)
    return smooth + share * (mean(FEATURE_BLUR) - smooth)


def carry(motion: np.ndarray, moving: np.ndarray, still: np.ndarray) -> np.ndarray:
    """A motion (S, S, 2) as the frame takes it: all of it where something moves or arrives, fading from there.

    Parameters
    ----------
    motion: where in the source a pixel of the result comes from, known all over.
    moving: (S, S) in [0, 1], what moves by itself.
    still: (S, S), 1 where nothing may move.
    """
    unit = len(moving) / 256
    reached = np.maximum(moving, warp(moving, motion))  # a chin that sinks comes to lie where there was no face
    beyond = cv2.distanceTransform((reached < 0.5).astype(np.uint8), cv2.DIST_L2, 5)
    length = np.sqrt(np.square(motion).sum(axis=-1))
    fade = np.maximum(SHORTEST_FADE * unit, 1.5 * length / SLOPE)  # 1.5 is how steep a smooth step is in its middle
    t = np.clip(1 - beyond / fade, 0, 1)
    share = t * t * (3 - 2 * t)
    motion = motion * share[..., None]
    blocked = np.pad(still < 0.5, 1)[1:-1, 1:-1].astype(np.uint8)
    blocked[[0, -1]], blocked[:, [0, -1]] = 0, 0  # beyond the crop's rim the frame stays as it is
    limit = SLOPE * cv2.distanceTransform(blocked, cv2.DIST_L2, 5)
    length = np.maximum(length * share, 1e-6)
    held = (1 + (length / np.maximum(limit, 1e-6)) ** SHARPEST) ** (-1 / SHARPEST)
    return motion * held[..., None]


def area_ratio(motion: np.ndarray) -> np.ndarray:
    """Jacobian (S, S) of the map x + motion: pixels of the source in a pixel of the result; below 0 where it folds."""
    xx, xy, yx, yy = (
        cv2.Scharr(motion[..., channel], cv2.CV_32F, *axis, scale=1 / 32) for channel in (0, 1) for axis in ((1, 0), (0, 1))
    )
    return (1 + xx) * (1 + yy) - xy * yx


def unfold(motion: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """A motion (S, S, 2) whose Jacobian stays within FOLDED and SQUEEZED but where all is `drawn` (S, S) anew."""
    unit = len(motion) / 256
    for blur in SMOOTHINGS:
        ratio = area_ratio(motion)
        worst = ((ratio < FOLDED) | (ratio > SQUEEZED)) & (drawn < 0.5)
        if not worst.any():
            break
        width = 2 * round(2 * blur * unit) + 1
        near = cv2.dilate(worst.astype(np.float32), np.ones((width, width), np.uint8))
        near = cv2.GaussianBlur(near, (0, 0), blur * unit)[..., None]
        motion = motion + near * (cv2.GaussianBlur(motion, (0, 0), blur * unit) - motion)
    return motion
