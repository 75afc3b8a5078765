"""A drawn head whose parser's classes are known, without a parser: pictures that belong to nobody."""

from __future__ import annotations

import cv2
import numpy as np

SIDE = 256  # pixels
_SKIN, _HAIR, _LIPS = (205, 165, 140), (70, 50, 40), (170, 90, 90)
# class, colour, centre, half axes of an ellipse; later ones lie over earlier ones
SHAPES = (
    (16, (90, 90, 160), (128, 262), (110, 40)),
    (17, _HAIR, (128, 100), (88, 92)),
    (14, (180, 140, 118), (128, 210), (36, 40)),
    (7, (195, 150, 130), (62, 125), (14, 22)),
    (8, (195, 150, 130), (194, 125), (14, 22)),
    (1, _SKIN, (128, 130), (62, 80)),
    (2, (60, 45, 40), (100, 96), (20, 6)),
    (3, (60, 45, 40), (156, 96), (20, 6)),
    (4, (235, 235, 230), (100, 115), (17, 8)),
    (5, (235, 235, 230), (156, 115), (17, 8)),
    (10, (198, 152, 128), (128, 138), (13, 22)),
    (12, _LIPS, (128, 178), (28, 8)),
    (11, (120, 40, 40), (128, 182), (24, 5)),
    (13, _LIPS, (128, 189), (26, 8)),
)


def draw_head(seed: int, zoom: float = 1.0, shift: tuple[float, float] = (0.0, 0.0)) -> tuple[np.ndarray, np.ndarray]:
    """A head with marks of its own, (SIDE, SIDE, 3) uint8, and its classes (SIDE, SIDE) uint8.

    zoom, shift: of the crop about its centre, pixels; the head is the same.
    """
    random = np.random.default_rng(seed)
    picture = np.full((SIDE, SIDE, 3), (120, 140, 130), np.uint8)
    labels = np.zeros((SIDE, SIDE), np.uint8)
    move = np.array([[zoom, 0, 128 * (1 - zoom) + shift[0]], [0, zoom, 128 * (1 - zoom) + shift[1]]])
    for number, colour, centre, axes in SHAPES:
        at = tuple(round(float(v)) for v in move @ (*centre, 1))
        size = tuple(round(zoom * v) for v in axes)
        cv2.ellipse(picture, at, size, 0, 0, 360, colour, -1)
        cv2.ellipse(labels, at, size, 0, 0, 360, number, -1)
    for _ in range(150):  # moles and locks, which tell where the head is
        x, y = move @ (*random.uniform(40, 216, 2), 1)
        if labels[int(y) % SIDE, int(x) % SIDE] in (1, 14, 17):
            cv2.circle(picture, (round(float(x)), round(float(y))), 2, (110, 80, 70), -1)
    noise = np.random.default_rng([seed, 1]).normal(size=picture.shape) * 2
    return np.clip(picture + noise, 0, 255).astype(np.uint8), labels


def with_noise(picture: np.ndarray, seed: int, levels: float = 3.0) -> np.ndarray:
    """The picture with other grain."""
    noise = np.random.default_rng(seed).normal(size=picture.shape) * levels
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def tinted(picture: np.ndarray, where: np.ndarray, amount: int = -30) -> np.ndarray:
    """The picture, darker (or lighter) by `amount` levels where (SIDE, SIDE) bool says so."""
    return np.where(where[..., None], np.clip(picture.astype(int) + amount, 0, 255), picture).astype(np.uint8)
