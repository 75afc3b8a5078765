"""A drawn face with the landmarks that a smile asks for, and motions that take its mouth's corners somewhere."""

from __future__ import annotations

import dataclasses

import numpy as np

from stit_core.change.drawn import Drawn
from stit_core.warps import warp_between
from tests.support.transfer_cases import SIZE, drawn, face_landmarks, head_labels

SIDES = {1: (28, 66), 15: (100, 66), 28: (64, 66)}  # landmarks: ends of the jaw, bridge of the nose


def calm_face() -> Drawn:
    """A face whose mouth is shut and whose eyes are open; they are 32 pixels apart."""
    points = face_landmarks()
    for mark, place in SIDES.items():
        points[mark] = place
    return dataclasses.replace(drawn(head_labels()), points=points)


def corners_go(x: float, y: float) -> np.ndarray:
    """A motion that takes the mouth's corners outwards by x and down by y, and leaves the rest nearly alone."""
    points = calm_face().points[[48, 54, 51, 57, 36, 45, 33, 8]]
    ways = np.array([(-x, y), (x, y), *[(0, 0)] * 6], float)
    return -warp_between(points + ways, ways, SIZE)
