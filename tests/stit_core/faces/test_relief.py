"""Folds of skin laid out over the head: they come back where they were, from whatever side a face is seen."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from stit_core.faces.labels import SKIN
from stit_core.faces.relief import AXIS, SHAPE, lay_over, read_relief, unroll

SIZE = 256


def head(turn: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Places (128, 128, 3) of a cylindrical head that is turned by an angle, and what of it is seen (128, 128)."""
    y, x = np.indices((128, 128), dtype=np.float32)
    x, y = (x - 63.5) / 53, (63.5 - y) / 53  # a crop is 2.4 units wide
    angle = np.arcsin(np.clip(x / 0.6, -1, 1)) - turn
    places = np.stack([0.6 * np.sin(angle), y, AXIS + 0.6 * np.cos(angle)], axis=-1)
    return places.astype(np.float32), (np.abs(x) < 0.55).astype(np.float32)


def folded() -> np.ndarray:
    """A map with one fold across the forehead and one beside the mouth."""
    drawn = np.zeros(SHAPE, np.float32)
    drawn[60:63, 90:134] = -0.1
    drawn[110:130, 80:83] = -0.2
    return cv2.GaussianBlur(drawn, (0, 0), 1.0)


@pytest.mark.parametrize("turn", [0.0, 0.4, -0.4])
def test_a_map_comes_back_from_a_face_that_it_is_laid_over(turn: float) -> None:
    places, seen = head(turn)
    laid = lay_over(folded(), places, seen, SIZE)
    assert laid.shape == (SIZE, SIZE)
    assert laid.min() < -0.08
    back, known = unroll(laid, cv2.resize(seen, (SIZE, SIZE)) > 0.99, places)
    middle = np.zeros(SHAPE, bool)
    middle[50:140, 70:154] = True
    assert known[middle].mean() > 0.9
    where = middle & known
    assert np.corrcoef(back[where], folded()[where])[0, 1] > 0.85


def test_what_is_not_on_the_head_has_no_relief() -> None:
    places, seen = head()
    laid = lay_over(np.ones(SHAPE, np.float32), places, seen, SIZE)
    assert laid[128, 128] == pytest.approx(1.0)
    assert np.abs(laid[:, :4]).max() == 0
    assert not lay_over(np.ones(SHAPE, np.float32), None, None, SIZE).any()


def test_a_wrinkle_is_relief_and_light_is_none() -> None:
    picture = np.full((SIZE, SIZE, 3), 160.0)
    picture *= np.linspace(0.7, 1.3, SIZE)[None, :, None]  # light from the side
    picture[100:102, 80:180] *= 0.8
    labels = np.zeros((SIZE, SIZE), np.uint8)
    labels[40:220, 60:200] = SKIN
    picture[labels != SKIN] = 20  # hair: its edge is no fold
    relief, known = read_relief(picture.astype(np.uint8), labels)
    assert relief[100:102, 100:160].mean() < -0.08
    assert np.abs(relief[120:200, 80:180]).max() < 0.02
    assert np.abs(relief[known > 0]).max() < 0.25
    assert known[100, 128] == 1
    assert known[41, 128] == 0


def test_a_picture_without_skin_has_no_known_relief() -> None:
    _, known = read_relief(np.zeros((64, 64, 3), np.uint8), np.zeros((64, 64), np.uint8))
    assert not known.any()
