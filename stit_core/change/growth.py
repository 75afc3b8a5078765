"""How the shape of a face goes with its age, where a small generator shrinks and stretches all of it alike.

The globe of an eye has nearly its size at birth, and faces grow around it; the fat of cheeks goes with the years; the
skin between nose and lip gets longer and never shorter again. Source: ours; what changes after Farkas,
"Anthropometry of the Head and Face" (1994).
"""

from __future__ import annotations

import cv2
import numpy as np

from stit_core.change.drawn import Drawn, moved_point
from stit_core.change.smile import EYES

FULLNESS = 0.8  # of how far an edit draws the cheeks of younger faces in, that they stay where they are
BESIDE = 0.35, 0.75  # of half a face's width: from where on there is cheek, and nothing else
LEVELS = (-0.1, 0.15, 0.6, 1.0), (0.0, 1.0, 1.0, 0.0)  # from eyes to chin, and how much there is cheek
MOUTH_SIDE = 0.5, 1.0  # of the eyes' distance, from the mouth's middle: up to where it moves as one, and where it ends
EYE_GROWTH = 0.07  # of an eye's size, by which it is larger in a face that is younger
EYE_REACH = 0.24  # of the eyes' distance, deviation of the Gaussian around it
NOSE, CUPID, LOWER_LIP, CHIN, JAW_ENDS = 33, 51, 57, 8, (2, 14)  # landmarks


def grow(source: Drawn, motion: np.ndarray, ageing: float) -> np.ndarray:
    """Where in the result of a motion (S, S, 2) each pixel of a face that ages so lies: offsets (S, S, 2).

    `ageing` is how much older the face gets, -1 ... 1.
    """
    size = len(motion)
    eyes = [source.points[list(eye)].mean(axis=0) for eye in EYES]
    unit = float(np.hypot(*(eyes[1] - eyes[0])))
    if unit < 1 or ageing == 0:
        return np.zeros_like(motion)
    right = ((eyes[1] - eyes[0]) / unit).astype(np.float32)
    down = np.array([-right[1], right[0]])
    rows, columns = np.indices((size, size), dtype=np.float32)

    def moved(landmark: int) -> np.ndarray:
        return moved_point(source.points[landmark], motion).astype(np.float32)

    def across(point: np.ndarray) -> np.ndarray:
        return (columns - point[0]) * right[0] + (rows - point[1]) * right[1]

    def along(point: np.ndarray) -> np.ndarray:
        return (columns - point[0]) * down[0] + (rows - point[1]) * down[1]

    nose, cupid, lower, chin = (moved(i) for i in (NOSE, CUPID, LOWER_LIP, CHIN))
    # The mouth goes along with the nose, so that the lip between them keeps its length.
    rise = float(((nose - source.points[NOSE]) - (cupid - source.points[CUPID])) @ down) * abs(ageing)
    below, ends = (
        along(nose),
        [0.0, *(float((p - nose) @ down) + rise for p in (cupid, lower)), float((chin - nose) @ down)],
    )
    share = np.interp(below, ends, (0, 1, 1, 0)) if np.all(np.diff(ends) > 0) else np.zeros_like(below)
    share = share * np.interp(np.abs(across(cupid)) / unit, MOUTH_SIDE, (1, 0))
    found = -np.float32(rise) * cv2.GaussianBlur(share.astype(np.float32), (0, 0), 1.5)[..., None] * down
    if ageing > 0:
        return found.astype(np.float32)
    middle = np.mean(eyes, axis=0)
    level = along(middle) / max(float((chin - middle) @ down), 1.0)
    for side, end, eye in zip((-1, 1), JAW_ENDS, eyes, strict=True):
        width = abs(float((moved(end) - nose) @ right))
        cheek = np.interp(side * across(nose) / max(width, 1.0), BESIDE, (0, 1)) * np.interp(level, *LEVELS)
        inwards = np.maximum(motion @ (side * right), 0)
        found = found + (ageing * FULLNESS * cheek * inwards)[..., None] * (side * right)
        eye = moved_point(eye, motion).astype(np.float32)
        near = np.exp(-0.5 * (across(eye) ** 2 + along(eye) ** 2) / (EYE_REACH * unit) ** 2)
        found = found + (ageing * EYE_GROWTH * near)[..., None] * np.stack([columns - eye[0], rows - eye[1]], axis=-1)
    return found.astype(np.float32)
