"""What lies between the framings of two crops of one head: a scale and a shift, found by robust least squares.

Crops are cut by landmarks, so a shape that moves those, eyes farther apart say, also zooms the whole crop. Rotation is
not sought: a head that is tilted is a change of the head. Source: ours, after Lucas and Kanade (1981), with the
weights of Cauchy.
"""

from __future__ import annotations

import cv2
import numpy as np

SIDE = 64  # pixels, at which the fit is made
BLURS = (3.0, 1.5, 0.8)  # pixels, coarse to fine
REACH = 6.0  # pixels; light and colour over larger areas do not count
STEPS = 10  # a blur at most
LARGEST_SCALE = 0.3  # of the logarithm; more is no framing but a failed fit
LARGEST_SHIFT = 0.1  # of the crop's side
STILL = 1e-3  # of a step, from which on the fit stands


def framing(first: np.ndarray, second: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """The similarity (2, 3) float32 that maps pixels of the first crop to those of the second, without a rotation.

    Parameters
    ----------
    first, second: crops (S, S, 3) uint8 RGB.
    inside: (S, S) bool, where a head is in either of them.

    Returns
    -------
    Matrix for cv2.warpAffine with WARP_INVERSE_MAP; the identity where nothing better is found.
    """
    side = first.shape[0]
    a, b = _light(first), _light(second)
    head = cv2.resize(inside.astype(np.uint8), (SIDE, SIDE), interpolation=cv2.INTER_AREA) > 0
    found = np.zeros(3)  # log of the scale about the crop's centre, shift to the right, shift down
    if head.sum() > found.size:
        for blur in BLURS:
            x, y = _edges(a, blur), _edges(b, blur)
            found = _fit(x, y, head, found)
        still = np.abs(found[0]) > LARGEST_SCALE or np.abs(found[1:]).max() > LARGEST_SHIFT * SIDE
        before, after = (float(np.median(np.abs(x - _warp(y, p))[head])) for p in (np.zeros(3), found))
        if still or not after < before:
            found = np.zeros(3)
    return _matrix(found * (1.0, side / SIDE, side / SIDE), side)


def _light(crop: np.ndarray) -> np.ndarray:
    small = cv2.resize(crop, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    return cv2.cvtColor(small, cv2.COLOR_RGB2LAB)[..., 0]  # (SIDE, SIDE)


def _edges(light: np.ndarray, blur: float) -> np.ndarray:
    """Light less that of the surroundings, over its own contrast: darker skin has the same edges."""
    fine = cv2.GaussianBlur(light, (0, 0), blur) - cv2.GaussianBlur(light, (0, 0), REACH)
    found: np.ndarray = fine / (np.sqrt(cv2.GaussianBlur(fine * fine, (0, 0), REACH)) + 1)
    return found


def _matrix(p: np.ndarray, side: int) -> np.ndarray:
    middle, scale = (side - 1) / 2, float(np.exp(p[0]))
    away = middle - scale * middle
    return np.array([[scale, 0, p[1] + away], [0, scale, p[2] + away]], np.float32)


def _warp(image: np.ndarray, p: np.ndarray) -> np.ndarray:
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(image, _matrix(p, SIDE), (SIDE, SIDE), flags=flags, borderMode=cv2.BORDER_REPLICATE)


def _fit(a: np.ndarray, b: np.ndarray, head: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Gauss-Newton from `start`; what differs much weighs little."""
    rows, columns = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    found = start
    for _ in range(STEPS):
        warped = _warp(b, found)
        down, right = np.gradient(warped)
        slopes = np.stack([right * columns + down * rows, right, down], axis=-1)[head]  # (n, 3)
        left = (a - warped)[head]
        usual = max(1.5 * float(np.median(np.abs(left))), 0.05)
        weight = 1 / np.sqrt(1 + (left / usual) ** 2)
        step = np.linalg.lstsq(slopes * weight[:, None], left * weight, rcond=None)[0]
        found = found + step
        if abs(step[0]) < STILL and np.abs(step[1:]).max() < 10 * STILL:
            break
    return found
