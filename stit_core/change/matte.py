"""Where skin ends by the colours of the picture: a soft matte between it and what is beside it."""

from __future__ import annotations

import cv2
import numpy as np

REACH = 17  # pixels of the crop, twice the reach to both sides of the parser's edge within which the picture's is looked for
AWAY = 9  # pixels of the crop, twice the distance from that edge from which a colour is surely skin's, or surely not
AROUND = 12.0  # pixels of the crop, deviation of the Gaussian within which colours are compared
ALIKE = 50.0  # grey levels between both colours at which half of what they say is believed
CLEAR = (0.25, 0.75)  # of the way from one colour to the other: what lies outside is wholly the one or the other
SMOOTH = 1.5  # pixels of the crop


def read_matte(mask: np.ndarray, hair: np.ndarray, picture: np.ndarray, blur: float, prior: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """
    """
    kernel = np.ones((AWAY, AWAY), np.uint8)
    inside, outside = cv2.erode(mask, kernel), cv2.erode(hair * (1 - mask), np.ones((5, 5), np.uint8))
    levels = picture.astype(np.float32)
    own, other = _near(levels, inside), _near(levels, outside)
    apart = own - other
    square = np.einsum("ijk,ijk->ij", apart, apart)
    slope = apart / (square + ALIKE**2)[..., None] / (CLEAR[1] - CLEAR[0])
    smooth = cv2.GaussianBlur(levels, (0, 0), blur)
    way = np.einsum("ijk,ijk->ij", smooth - (own + other) / 2, slope)
    sure = square / (square + ALIKE**2)
    found = 0.5 + way / np.maximum(sure, 1e-3)
    wide = np.ones((REACH, REACH), np.uint8)
    inner = cv2.GaussianBlur(cv2.erode(mask, wide), (0, 0), 3.0)
    near = cv2.GaussianBlur(cv2.dilate(mask, wide), (0, 0), 3.0)
    found = inner + (1 - inner) * near * found
    beside = np.clip(3 * cv2.GaussianBlur(outside, (0, 0), REACH / 3), 0, 1)
    head = np.clip(2 * cv2.GaussianBlur(np.maximum(mask, hair), (0, 0), 1.2) - 1, 0, 1)
    share = head * beside * np.clip((sure - 0.3) / 0.4, 0, 1)
    found = (1 - share) * prior + share * found
    return found, slope * (share * (1 - inner) * near)[..., None]


def _near(levels: np.ndarray, mask: np.ndarray) -> np.ndarray:
    weight = cv2.GaussianBlur(mask, (0, 0), AROUND)[..., None]
    whole = levels[mask > 0].mean(axis=0) if mask.any() else levels.mean(axis=(0, 1))
    return (cv2.GaussianBlur(levels * mask[..., None], (0, 0), AROUND) + 1e-3 * whole) / (weight + 1e-3)
