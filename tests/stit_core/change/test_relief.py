"""A map of relief over a source: folds come as they are, and go only where the source has them."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np

from stit_core.change.drawn import Drawn
from stit_core.change.reading import read_change
from stit_core.change.relief import HIGHLIGHT, relief_shade
from stit_core.faces.relief import AXIS, SHAPE
from tests.support.transfer_cases import SIZE, WHOLE_FACE, drawn, head_labels

STILL = np.zeros((SIZE, SIZE, 2), np.float32)
FOLD = slice(98, 100), slice(52, 76)  # of the crop


def scene(folds: bool = False) -> Drawn:
    """The drawn head, with the places of a cylinder, and a fold in its skin or none."""
    found = drawn(head_labels(eyes=False))
    y, x = np.indices((SIZE, SIZE), dtype=np.float32)
    angle = np.arcsin(np.clip((x - 64) / 60, -1, 1))
    places = np.stack([0.6 * np.sin(angle), (64 - y) / 53, AXIS + 0.6 * np.cos(angle)], axis=-1)
    picture = found.picture.copy()
    if folds:
        picture[104:106, 52:76] = picture[104:106, 52:76] * 0.7
    return dataclasses.replace(found, picture=picture, places=places, head=np.ones((SIZE, SIZE), np.float32))


def map_of(value: float) -> np.ndarray:
    return np.full(SHAPE, value, np.float32)


def shade_of(value: float, source: Drawn) -> np.ndarray:
    return relief_shade(map_of(value), source, scene(), STILL, STILL).mean(axis=-1)


def test_folds_come_wherever_the_map_has_them() -> None:
    shade = shade_of(-0.1, scene())
    np.testing.assert_allclose(shade[30:100, 40:88], -0.1, atol=1e-3)
    reds = relief_shade(map_of(-0.1), scene(), scene(), STILL, STILL)[70, 64]
    assert reds[0] > reds[2], "a fold in skin is warm"


def test_folds_go_only_where_the_source_has_them() -> None:
    smooth, folded = shade_of(0.1, scene()), shade_of(0.1, scene(folds=True))
    assert smooth[70:80, 50:78].max() <= 0.1 * HIGHLIGHT + 1e-3
    assert folded[104:106, 56:72].mean() > 0.08
    assert folded[70:80, 50:78].max() <= 0.1 * HIGHLIGHT + 1e-3


def test_it_is_part_of_the_change_where_anatomy_is_believed() -> None:
    face = scene()
    changes = [
        read_change(face, face, face, STILL, WHOLE_FACE, anatomy, relief)
        for anatomy, relief in ((True, map_of(-0.1)), (True, None), (False, map_of(-0.1)))
    ]
    skin = cv2.erode((face.labels == 1).astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    means = [change.skin.mean(axis=-1)[skin].mean() for change in changes]
    np.testing.assert_allclose(means, [-0.1, 0, 0], atol=0.01)
