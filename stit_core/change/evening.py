"""Both halves of a face change alike: what a drawing says of one of them alone is doubted.

No direction of edits but one that moves the head means one half of a face. Readers of drawn faces err on one of them,
where half a moustache looks like a lip, and what they say then tears a mouth. Source: ours.
"""

from __future__ import annotations

import cv2
import numpy as np

from stit_core.change.drawn import Drawn
from stit_core.change.opening import CORNERS, MIDDLE, millimetre_of
from stit_core.change.smile import unsmiling
from stit_core.warps import warp

BRIDGE = 28  # landmark on the bridge of the nose
BEGINS = 10.0  # millimetres below it, over which this begins: eyes look aside both at once
AS_WIDE = 0.45, 0.7  # of one half of a mouth, the width of the other: up to where a face looks aside, and ahead
MIDLINE = 6.0  # millimetres from the middle, at which one half is nearly as wide as it is
COMMON = 12.0  # millimetres, deviation of the Gaussian over what both move in common
DOUBT = 0.7  # millimetres by which a half may leave that without being doubted


def even(motion: np.ndarray, source: Drawn) -> np.ndarray:
    """A motion (S, S, 2) whose lower face does left what it does right; the half nearer to both in common counts more.

    A face that looks aside, of which halves look different, is left alone.
    """
    points, face = source.points, unsmiling(source)
    if face is None:
        return motion
    right, down = face.right.astype(np.float32), face.down.astype(np.float32)
    millimetre = millimetre_of(points)
    middle = points[list(MIDDLE)].mean(axis=0).astype(np.float32)
    left_half, right_half = (
        max(side * float((points[corner] - middle) @ right), 1.0) for side, corner in zip((-1, 1), CORNERS, strict=True)
    )
    share = np.interp(min(left_half / right_half, right_half / left_half), AS_WIDE, (0, 1))
    if share == 0:
        return motion
    rows, columns = np.indices(motion.shape[:2], dtype=np.float32)
    x = (columns - np.float32(middle[0])) * right[0] + (rows - np.float32(middle[1])) * right[1]
    # Where the same place of the other half lies, and how much wider that is; in the middle there is no step.
    wider = np.exp(np.float32(np.log(right_half / left_half)) * np.tanh(-x / np.float32(MIDLINE * millimetre)))
    other = warp(motion, (-(1 + wider) * x)[..., None] * right)
    other = other - ((other @ right) * (1 + 1 / wider))[..., None] * right
    common = cv2.GaussianBlur((motion + other) / 2, (0, 0), COMMON * millimetre)
    doubt = np.float32((DOUBT * millimetre) ** 2)
    own, mirrored = (1 / (np.square(each - common).sum(axis=-1, keepdims=True) + doubt) for each in (motion, other))
    alike = (own * motion + mirrored * other) / (own + mirrored)
    below = (columns - np.float32(points[BRIDGE, 0])) * down[0] + (rows - np.float32(points[BRIDGE, 1])) * down[1]
    there = np.float32(share) * np.clip(below / np.float32(BEGINS * millimetre), 0, 1)
    return motion + there[..., None] * (alike - motion)
