"""The jaw is one bone: one that gets shorter gets narrower too.

A generator moves the chin and leaves the jaw's corners where they are, which squashes a face. Of men and women the
jaw's width between its corners differs as much as the height of the face does. Source: ours; the proportions are those
of Farkas, "Anthropometry of the Head and Face" (1994), width go-go and height n-gn.
"""

from __future__ import annotations

import numpy as np

from stit_core.change.drawn import Drawn, moved_point

CHIN, NOSE = 8, 33  # landmarks
EYES = (36, 39), (42, 45)
CORNERS = 4, 12  # of the jaw
NARROWS = 1.4  # share of its width by which a jaw gets narrower, for the share of the height that a face loses
LARGEST = 0.08  # of that share, which is how far men and women differ
BEGINS, ENDS = 0.35, 0.8  # of the way from the eyes to the chin, from where on it does, and fully


def shape_jaw(motion: np.ndarray, source: Drawn) -> np.ndarray:
    """A motion (S, S, 2) under which the jaw gets narrower as the face gets shorter, and wider as it gets longer.

    The face does so where nose and chin rise or sink together: a mouth that opens takes the chin alone.
    """
    points = source.points
    eyes = points[[*EYES[0], *EYES[1]]].mean(axis=0)
    height = max(float(np.hypot(*(points[CHIN] - eyes))), 1.0)
    down = (points[CHIN] - eyes) / height
    rises = [float((points[i] - moved_point(points[i], motion)) @ down) for i in (NOSE, CHIN)]
    shorter = np.sign(rises[0]) * min(map(abs, rises)) / height if rises[0] * rises[1] > 0 else 0.0
    if shorter == 0:
        return motion
    right = np.array([down[1], -down[0]])
    rows, columns = np.indices(motion.shape[:2], dtype=np.float32)
    x, y = columns - np.float32(eyes[0]), rows - np.float32(eyes[1])
    across = x * np.float32(right[0]) + y * np.float32(right[1])
    along = np.clip(((x * down[0] + y * down[1]) / height - BEGINS) / (ENDS - BEGINS), 0, 1)
    half = max(abs(float((points[CORNERS[1]] - points[CORNERS[0]]) @ right)) / 2, 1.0)
    outwards = np.clip(across / half, -1, 1)
    share = along * along * (3 - 2 * along) * np.abs(outwards)
    narrower = LARGEST * np.tanh(NARROWS * shorter / LARGEST)
    inwards = np.float32(narrower * half) * (outwards * share).astype(np.float32)
    return motion + inwards[..., None] * right.astype(np.float32)
