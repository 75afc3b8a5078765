"""The parser's classes by name, and where a label map shows them."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

SKIN, MOUTH, NECK, HAIR = 1, 11, 14, 17
BROWS, EYES, EARS, LIPS = (2, 3), (4, 5), (7, 8), (12, 13)
GLASSES, EARRING, NOSE = 6, 9, 10
SKIN_LIKE = (SKIN, NOSE, *EARS, NECK)  # what has the skin's colour
FACE = (SKIN, NOSE, *BROWS, *EYES, *LIPS, MOUTH)
HEAD = (*SKIN_LIKE, *BROWS, *EYES, MOUTH, *LIPS, HAIR)
COVERS = (GLASSES, EARRING, 15, 18)  # glasses, earring, necklace, hat


def is_one_of(labels: np.ndarray, classes: Collection[int]) -> np.ndarray:
    """1 where a label map (S, S) uint8 shows one of `classes`, else 0; float32."""
    table = np.zeros(256, dtype=np.float32)
    table[list(classes)] = 1.0
    return table[labels]
