"""A drawn scene for the tests of the transfer: a head of flat colours with every class, and its landmarks."""

from __future__ import annotations

import cv2
import numpy as np

from stit_core.change.drawn import Drawn
from stit_core.change.reading import Change

SIZE = 128
STILL = np.zeros((SIZE, SIZE, 2), np.float32)  # a motion of nothing
SKIN, EYE, MOUTH, UPPER, LOWER, HAIR, EAR, GLASSES = 1, 4, 11, 12, 13, 17, 7, 6
COLOURS = {
    0: (40, 90, 60),
    SKIN: (190, 150, 130),
    EYE: (230, 230, 230),
    MOUTH: (60, 20, 20),
    UPPER: (170, 90, 90),
    LOWER: (175, 95, 95),
    HAIR: (50, 40, 30),
    EAR: (185, 145, 125),
    GLASSES: (10, 10, 10),
}
WHOLE_FACE = (SKIN, EYE, MOUTH, UPPER, LOWER)

FACE_POINTS = {33: (64, 80), 51: (64, 88), 57: (64, 96), 8: (64, 114)}
FACE_POINTS |= {2: (30, 76), 3: (33, 84), 31: (57, 79), 48: (50, 92)}  # of the left half
FACE_POINTS |= {36: (42, 60), 39: (54, 60), 37: (46, 57), 38: (50, 57), 40: (50, 63), 41: (46, 63)}
MIRRORED = {2: 14, 3: 13, 31: 35, 48: 54, 36: 45, 39: 42, 37: 44, 38: 43, 40: 47, 41: 46}


def head_labels(opening: int = 0, eyes: bool = True) -> np.ndarray:
    """Classes (SIZE, SIZE) of a head whose mouth is `opening` pixels open."""
    labels = np.zeros((SIZE, SIZE), np.uint8)
    cv2.ellipse(labels, (64, 60), (42, 52), 0, 0, 360, HAIR, -1)
    cv2.ellipse(labels, (22, 70), (5, 9), 0, 0, 360, EAR, -1)
    cv2.ellipse(labels, (64, 70), (36, 44), 0, 0, 360, SKIN, -1)
    if eyes:
        for x in (48, 80):
            cv2.ellipse(labels, (x, 60), (6, 3), 0, 0, 360, EYE, -1)
    labels[92 - opening // 2 - 4 : 92 - opening // 2, 50:78] = UPPER
    labels[92 - opening // 2 : 92 + opening - opening // 2, 50:78] = MOUTH
    labels[92 + opening - opening // 2 : 96 + opening - opening // 2, 50:78] = LOWER
    return labels


def painted(labels: np.ndarray, seed: int = 0, grain: float = 0.0) -> np.ndarray:
    """A picture (SIZE, SIZE, 3) uint8 in the classes' colours, soft, with grain."""
    table = np.zeros((19, 3), np.float32)
    for label, colour in COLOURS.items():
        table[label] = colour
    picture = cv2.GaussianBlur(table[labels], (0, 0), 0.7)
    noise = np.random.default_rng(seed).standard_normal((*labels.shape, 1)) * grain
    return np.clip(np.rint(picture + noise), 0, 255).astype(np.uint8)


def landmarks() -> np.ndarray:
    """Points (68, 2) on an oval; for scenes whose points do not move."""
    turn = np.linspace(0, 2 * np.pi, 68, endpoint=False)
    return np.stack([64 + 30 * np.cos(turn), 70 + 36 * np.sin(turn)], axis=1)


def face_landmarks() -> np.ndarray:
    """Points (68, 2) of which those of eyes, nose, mouth and jaw lie where the drawn head has them."""
    points = landmarks()
    for mark, place in FACE_POINTS.items():
        points[mark] = place
    for mark, other in MIRRORED.items():
        points[other] = 128 - points[mark][0], points[mark][1]
    return points


def drawn(labels: np.ndarray, picture: np.ndarray | None = None) -> Drawn:
    return Drawn(painted(labels) if picture is None else picture, labels, landmarks())


def change_of(motion: tuple[float, float] = (0.0, 0.0), shade: float = 0.0, novelty: float = 0.0) -> Change:
    """A change that is the same everywhere; `novelty` shows grey levels of 200."""

    def plane(value: float | tuple[float, ...], channels: int) -> np.ndarray:
        return np.broadcast_to(np.float32(value), (SIZE, SIZE, channels)).copy()

    new, none = plane(novelty, 1)[..., 0], plane(0.0, 1)[..., 0]
    return Change(plane(motion, 2), plane(shade, 3), plane(shade, 3), plane(200.0, 3), new, none, none)
