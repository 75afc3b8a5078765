"""Motion over a frame: smooth on skin, carried on past the face, and at rest before what must not move.

What is moved has to stay whole, neither folded nor torn: a map of a square that leaves its rim where it is and whose
Jacobian is positive all over is one to one. Three things keep it so: what is read is smooth (`calm`), what fades does
so over a way as long as the motion is large (`carry`), and what is folded or stretched all the same is smoothed
(`unfold`). Source: ours.
"""

from __future__ import annotations

import cv2
import numpy as np

from stit_core.faces.labels import BROWS, EYES, LIPS, MOUTH, is_one_of
from stit_core.warps import warp

SKIN_BLUR = 5.0  # pixels of 256, deviation of the Gaussian over the motion of skin, whose texture says little of it
FEATURE_BLUR = 1.2  # the same for brows, eyes and lips, which move by themselves
FEATURE_REACH = 13  # pixels of 256, width of the skin around them that moves as they do
SLOPE = 0.6  # pixels a pixel, by which motion fades beyond what moves
HOLDS = 0.4  # the same before what must not move, whose edge cuts what slides along it
STEEPEST = 1.5  # slope of a smooth step from 0 to 1 in its middle
SHORTEST_FADE = 8.0  # pixels of 256
EVEN = 1.5, 0.3  # pixels of 256 and a share: deviation of the blur, and height, by which an edge is no stair
SHARPEST = 4  # power of the mean by which motion is kept under its bound
FOLDED, SQUEEZED = 0.15, 4.0  # pixels of the source that a pixel of the result may show, at least and at most
LESS = 0.8  # of a motion that no smoothing mends
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

    It takes along what lies around, the shadow under a chin and hair beside it, the further the more it moves.

    Parameters
    ----------
    motion: where in the source a pixel of the result comes from, known all over.
    moving: (S, S), the share of it by which what moves by itself does so, 0 elsewhere.
    still: (S, S), 1 where nothing may move; neither does the rim, beyond which the frame stays as it is.
    """
    unit, motion = len(moving) / 256, motion * moving.max()
    reached = np.maximum(moving, warp(moving, motion))  # a chin that sinks comes to lie where there was no face
    beyond = _distance(reached <= 0.5 * moving.max())
    length = np.hypot(motion[..., 0], motion[..., 1])
    t = np.clip(1 - beyond / np.maximum(SHORTEST_FADE * unit, STEEPEST * length / SLOPE), 0, 1)
    share = t * t * (3 - 2 * t)
    free = (cv2.GaussianBlur(still, (0, 0), EVEN[0] * unit) < EVEN[1]) & (still < 0.5)
    free[[0, -1]], free[:, [0, -1]] = False, False
    limit = np.maximum(HOLDS * _distance(free), 1e-6)
    held = (1 + (length * share / limit) ** SHARPEST) ** (-1 / SHARPEST)
    return motion * (share * held * free)[..., None]


def settle(motion: np.ndarray, least: float) -> np.ndarray:
    """A motion (S, S, 2) of which what is much less than `least` pixels is none.

    Nobody sees a fraction of a pixel, but grain that is resampled by it is another in every frame. Lengths r become
    r^5 / (r^4 + least^4), a smooth curve that rises all along, nowhere steeper than 25/16.
    """
    power = np.square(np.square(motion[..., :1]) + np.square(motion[..., 1:]))
    return motion * (power / (power + np.float32(least**4)))  # type: ignore[no-any-return]


def _distance(mask: np.ndarray) -> np.ndarray:
    """How many pixels it is from each pixel of a mask (S, S) to what is not in it."""
    return cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5)


def area_ratio(motion: np.ndarray) -> np.ndarray:
    """Jacobian (S, S) of the map x + motion: pixels of the source in a pixel of the result; below 0 where it folds."""
    xx, xy, yx, yy = (
        cv2.Scharr(motion[..., channel], cv2.CV_32F, *axis, scale=1 / 32)
        for channel in (0, 1)
        for axis in ((1, 0), (0, 1))
    )
    return (1 + xx) * (1 + yy) - xy * yx


def unfold(motion: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """A motion (S, S, 2) whose Jacobian stays within FOLDED and SQUEEZED but where all is `drawn` (S, S) anew.

    It is smoothed where it does not, and as the last resort becomes less everywhere.
    """
    unit = len(motion) / 256
    for blur in SMOOTHINGS:
        worst = _torn(motion, drawn)
        if not worst.any():
            return motion
        width = 2 * round(2 * blur * unit) + 1
        near = cv2.dilate(worst.astype(np.float32), np.ones((width, width), np.uint8))
        near = cv2.GaussianBlur(near, (0, 0), blur * unit)[..., None]
        motion = motion + near * (cv2.GaussianBlur(motion, (0, 0), blur * unit) - motion)
    while _torn(motion, drawn).any():
        motion = motion * np.float32(LESS)
    return motion


def _torn(motion: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    ratio = area_ratio(motion)
    return ((ratio < FOLDED) | (ratio > SQUEEZED)) & (drawn < 0.5)
