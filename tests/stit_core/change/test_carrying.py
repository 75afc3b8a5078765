from __future__ import annotations

import cv2
import numpy as np
import pytest

from stit_core.change.carrying import FOLDED, SQUEEZED, area_ratio, calm, carry, settle, unfold
from stit_core.faces.labels import EYES, is_one_of
from tests.support.transfer_cases import SIZE, SKIN, head_labels

LABELS = head_labels()
FACE, NOTHING = is_one_of(LABELS, (SKIN, *EYES)), np.zeros((SIZE, SIZE), np.float32)


def motion_of(x: float, y: float) -> np.ndarray:
    return np.broadcast_to(np.float32((x, y)), (SIZE, SIZE, 2)).copy()


def test_skin_moves_smoothly_and_an_eye_by_itself() -> None:
    noise = np.random.default_rng(0).normal(0, 2, (SIZE, SIZE, 2)).astype(np.float32)
    eyes = cv2.dilate(is_one_of(LABELS, EYES), np.ones((3, 3), np.uint8))[..., None]
    calmed = calm(noise * (1 - eyes) + 4 * eyes, LABELS, np.ones_like(FACE))
    assert np.abs(calmed[74:80, 60:68]).max() < 1, "a cheek"
    assert calmed[59:62, 46:50].mean() > 2.8, "the middle of an eye"


def test_what_lies_beside_goes_along_and_the_rim_stays() -> None:
    moved = carry(motion_of(0, 5), FACE, NOTHING)
    np.testing.assert_allclose(moved[60:80, 50:78], motion_of(0, 5)[60:80, 50:78], atol=0.05)
    below = moved[np.flatnonzero(LABELS[:, 64] == SKIN).max() :, 64, 1]
    assert below[2] > 3
    assert (np.diff(below) <= 1e-3).all(), "it fades without a step back"
    for rim in (moved[0], moved[-1], moved[:, 0], moved[:, -1]):
        assert np.abs(rim).max() < 1e-3


def test_without_anything_that_moves_all_rests() -> None:
    assert np.abs(carry(motion_of(5, 5), NOTHING, NOTHING)).max() == 0


def test_what_moves_far_neither_folds_nor_tears() -> None:
    still = NOTHING.copy()
    still[70:76, 100:110] = 1
    for x, y in ((12, 0), (-12, 0), (0, -9), (6, 6)):
        moved = unfold(carry(motion_of(x, y), FACE, still), NOTHING)
        assert np.abs(moved[still > 0]).max() < 1e-3
        ratio = area_ratio(moved)
        assert FOLDED <= ratio.min() <= ratio.max() <= SQUEEZED


def test_a_fold_is_smoothed_but_not_where_all_is_drawn_anew() -> None:
    torn = motion_of(0, 0)
    torn[60:70, 60:70] = (9, -9)
    assert area_ratio(torn).min() < 0
    mended = area_ratio(unfold(torn, NOTHING))
    assert FOLDED <= mended.min() <= mended.max() <= SQUEEZED
    drawn = NOTHING.copy()
    drawn[40:90, 40:90] = 1
    np.testing.assert_array_equal(unfold(torn, drawn), torn)


def test_the_area_of_an_affine_map_is_its_determinant() -> None:
    rows, columns = np.indices((SIZE, SIZE), dtype=np.float32)
    motion = np.dstack([0.2 * columns + 0.1 * rows, 0.3 * columns - 0.4 * rows]).astype(np.float32)
    assert area_ratio(motion)[5:-5, 5:-5] == pytest.approx(1.2 * 0.6 - 0.1 * 0.3, abs=1e-4)


def test_a_motion_too_small_to_be_seen_is_none_and_a_larger_one_stays() -> None:
    lengths = np.linspace(0, 3, SIZE, dtype=np.float32)
    settled = settle(np.dstack([0.6 * np.tile(lengths, (SIZE, 1)), 0.8 * np.tile(lengths, (SIZE, 1))]), 0.5)
    after = np.hypot(settled[0, :, 0], settled[0, :, 1])
    assert after[lengths < 0.15].max() < 0.01
    assert after == pytest.approx(lengths**5 / (lengths**4 + 0.5**4), abs=1e-5)
    assert (np.diff(after) >= 0).all(), "what goes further arrives further"
    assert np.diff(after).max() < 1.6 * lengths[1]
    np.testing.assert_allclose(settled[..., 0], 0.75 * settled[..., 1], atol=1e-6)


def test_skin_beside_what_is_still_moves_little_and_along_an_edge_without_stairs() -> None:
    """A mask's edge is a stair of pixels; skin that slides along it must not be."""
    rows, columns = np.indices((256, 256))
    still = (columns + rows / 3 > 180).astype(np.float32)
    motion = carry(np.full((256, 256, 2), 8.0, np.float32), np.ones((256, 256), np.float32), still)
    away = (180 - columns - rows / 3) * 3 / np.sqrt(10)
    beside = (rows > 60) & (rows < 200)
    for distance in (3.0, 6.0, 10.0):
        there = motion[..., 1][beside & (np.abs(away - distance) < 0.3)]
        assert 0 < there.mean() < 0.33 * distance
        assert there.std() < 0.045
    assert not motion[still > 0].any()
