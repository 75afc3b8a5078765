"""The skin's own folds: shallower in younger skin, deeper in older, and nothing where there is none."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from stit_core.change.folds import change_folds

SIDE = 160
FOLD, RING, BLOTCH, SMOOTH = (
    (slice(40, 42), slice(30, 130)),
    (slice(70, 84), slice(40, 60)),
    (slice(70, 84), slice(100, 120)),
    (slice(110, 150), slice(20, 140)),
)


def skin(pores: float = 0.0) -> np.ndarray:
    """Light skin with a fold, a dark ring and a red blotch; `pores` grey levels deep."""
    picture = np.full((SIDE, SIDE, 3), (190.0, 150.0, 130.0), np.float32)
    picture[FOLD] *= 0.75
    picture[RING] *= 0.88
    picture[BLOTCH] *= np.array([1.08, 0.96, 0.96], np.float32)
    picture = cv2.GaussianBlur(picture, (0, 0), 1.0)
    return picture + np.float32(pores) * np.random.default_rng(0).standard_normal((SIDE, SIDE, 1)).astype(np.float32)


def everywhere(value: float) -> np.ndarray:
    return np.full((SIDE, SIDE), value, np.float32)


def depth(picture: np.ndarray, place: tuple[slice, slice] = FOLD) -> float:
    """How much darker than the smooth skin a place is, as a logarithm."""
    return float(np.log(picture[SMOOTH].mean() / picture[place].mean()))


def redness(picture: np.ndarray) -> float:
    return float(np.log(picture[BLOTCH][..., 0] / picture[BLOTCH][..., 2]).mean() - np.log(190 / 130))


def test_younger_skin_has_shallower_folds_lighter_rings_and_fewer_blotches() -> None:
    source, younger = skin(), change_folds(skin(), everywhere(-1.0), 1.0)
    assert depth(younger) < 0.5 * depth(source)
    assert 0 < depth(younger, RING) < 0.8 * depth(source, RING)
    assert redness(younger) < 0.8 * redness(source)
    halfway = change_folds(skin(), everywhere(-0.5), 1.0)
    assert depth(younger) < depth(halfway) < depth(source)


def test_a_deep_crease_that_goes_leaves_no_red_line() -> None:
    """What is dark between two folds has hardly any blue: lighter by the same ratio, it would be orange."""
    source = skin()
    source[FOLD] = (60.0, 25.0, 14.0)
    source = cv2.GaussianBlur(source, (0, 0), 0.6)
    younger = change_folds(source, everywhere(-1.0), 1.0)

    def warmth(picture: np.ndarray) -> float:
        return float(np.log(picture[FOLD][:, 20:-20, 0] / picture[FOLD][:, 20:-20, 2]).mean() - np.log(190 / 130))

    assert warmth(source) > 0.5
    assert warmth(younger) < 0.45 * warmth(source)


def test_older_skin_has_deeper_ones() -> None:
    source, older = skin(), change_folds(skin(), everywhere(1.0), 1.0)
    assert depth(older) > 1.3 * depth(source)
    assert depth(older, RING) > depth(source, RING)
    assert redness(older) > redness(source)


@pytest.mark.parametrize("ageing", [-1.0, 1.0])
def test_nothing_is_added_where_nothing_is_and_pores_stay(ageing: float) -> None:
    smooth = change_folds(skin(), everywhere(ageing), 1.0)[SMOOTH]
    assert np.abs(smooth - skin()[SMOOTH]).max() < 1.0
    source = skin(pores=2.0)
    changed = change_folds(source, everywhere(ageing), 1.0)

    def grain(picture: np.ndarray) -> float:
        return float((picture - cv2.GaussianBlur(picture, (0, 0), 1.0))[SMOOTH].std())

    assert grain(changed) == pytest.approx(grain(source), rel=0.05)


def test_what_is_no_skin_keeps_its_values_and_lends_none() -> None:
    dark = skin()
    dark[:, :20] = 0.0  # hair beside it
    ageing = everywhere(-1.0)
    ageing[:, :20] = 0
    changed = change_folds(dark, ageing, 1.0)
    np.testing.assert_array_equal(changed[:, :20], dark[:, :20])
    beside = slice(110, 150), slice(22, 30)
    assert np.abs(changed[beside] - dark[beside]).max() < 6.0
    np.testing.assert_array_equal(change_folds(dark, everywhere(0.0), 1.0), dark)


def test_a_larger_picture_of_the_same_face_changes_alike() -> None:
    large = cv2.resize(skin(), (2 * SIDE, 2 * SIDE), interpolation=cv2.INTER_CUBIC)
    changed = change_folds(large, np.full((2 * SIDE, 2 * SIDE), -1.0, np.float32), 2.0)
    small = cv2.resize(changed, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    np.testing.assert_allclose(small, change_folds(skin(), everywhere(-1.0), 1.0), atol=4.0)
