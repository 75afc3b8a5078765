"""Pictures with what is known of them, and fields that are known in places only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from stit_core.faces.labels import is_one_of

OFFSET = 10.0  # grey levels added before brightnesses are divided: near black a ratio says little
LARGEST_SHADE = 1.4  # of the logarithm of a ratio
EDGE = 5  # pixels, window within which all labels must agree for a ratio to be believed


@dataclass(frozen=True)
class Drawn:
    """A picture and what is known of it.

    Attributes
    ----------
    picture: (S, S, 3) uint8.
    labels: (S, S) uint8, the parser's classes.
    points: (68, 2), landmarks in pixels; (0, 2) for an edit whose places are known, whose motion is read off them.
    places, head: (h, h, 3) and (h, h), as in `faces.Reading`; None where the parser does not tell.
    """

    picture: np.ndarray
    labels: np.ndarray
    points: np.ndarray
    places: np.ndarray | None = None
    head: np.ndarray | None = None


def agreed(a: np.ndarray, b: np.ndarray, classes: Sequence[int], window: int = EDGE) -> np.ndarray:
    """Where both label maps show one of the classes and so do all pixels around."""
    both = is_one_of(a, classes) * is_one_of(b, classes)
    return cv2.erode(both, np.ones((window, window), np.uint8))


def moved_point(point: np.ndarray, motion: np.ndarray) -> np.ndarray:
    """Where a point (2,) of the source comes to lie under a motion (S, S, 2) that is looked up where things arrive."""
    place = point
    for _ in range(3):
        row, column = np.clip(np.rint(place[::-1]).astype(int), 0, motion.shape[0] - 1)
        place = point - motion[row, column]
    return place
