"""Folders of labelled pictures to learn from: drawn faces that belong to nobody."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from tests.support.drawn_face import draw_face

SIDE = 120  # pixels


def face(number: int, smile: float, light: float = 0.0) -> np.ndarray:
    """Person `number`, (SIDE, SIDE, 3) uint8: place, size and noise of his or her own; `light` brightens all."""
    random = np.random.default_rng([number, round(100 * smile)])
    place = SIDE / 2 + random.normal(size=2) / 3
    picture = draw_face(SIDE, SIDE, (float(place[0]), float(place[1])), 30 + number % 5 / 5, smile)
    return np.clip(picture + random.normal(size=picture.shape) * 2 + light, 0, 255).astype(np.uint8)


def write_set(
    top: Path, classes: Mapping[str, float], people: Mapping[str, Iterable[int]], order: int = 0, light: float = 0.0
) -> Path:
    """Write `top`/CLASS/pNN_0.png for the people of each class, smiling as the class says, in a shuffled order.

    The second class is `light` levels brighter.
    """
    files = [(label, number) for label in classes for number in people[label]]
    brighter = list(classes)[1]
    for position in np.random.default_rng(order).permutation(len(files)):
        label, number = files[position]
        (top / label).mkdir(parents=True, exist_ok=True)
        picture = face(number, classes[label], light if label == brighter else 0.0)
        Image.fromarray(picture).save(top / label / f"p{number:02d}_0.png")
    return top


def apart(count: int) -> dict[str, range]:
    """Two classes of `count` people each, nobody in both."""
    return {"serious": range(count), "smiling": range(count, 2 * count)}
