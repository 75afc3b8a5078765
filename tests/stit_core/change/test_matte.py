from __future__ import annotations

import cv2
import numpy as np
import pytest

from stit_core.change.matte import GUIDED_CONTRAST, GUIDED_FLAT, GUIDED_WINDOW, guided, hair_matte, picture_mask
from tests.support.transfer_cases import HAIR, SIZE, SKIN, head_labels, painted

LABELS = head_labels()
SKIN_COLOUR, HAIR_COLOUR = np.float32([190, 150, 130]), np.float32([50, 40, 36])


def hairline(share: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Masks of skin and of hair, which meet in row 60 as a parser sees them, and a picture with `share` of skin."""
    skin = np.zeros((SIZE, SIZE), np.float32)
    skin[60:] = 1
    picture = share[..., None] * SKIN_COLOUR + (1 - share[..., None]) * HAIR_COLOUR
    return skin, 1 - skin, picture.astype(np.float32)


def test_where_hair_thins_out_a_pixel_is_skin_as_far_as_its_colour_is() -> None:
    share = np.repeat(np.clip((np.arange(SIZE) - 52) / 12, 0, 1)[:, None], SIZE, axis=1).astype(np.float32)
    skin, hair, picture = hairline(share)
    matte, slope = hair_matte(skin, hair, picture, skin)
    middle = np.clip(matte[:, SIZE // 2], 0, 1)
    assert middle[58] == pytest.approx(0.5, abs=0.1)
    assert middle[:52].max() < 0.05, "dark hair is not tinted"
    assert middle[66:].min() > 0.9
    # A grey level more in each channel counts for what it does in a picture that has it.
    brighter = hair_matte(skin, hair, picture + 4 * (np.arange(SIZE) == 58)[:, None, None], skin)[0]
    assert brighter[58, 64] - matte[58, 64] == pytest.approx(4 * slope[58, 64].sum(), rel=0.05)


def test_where_hair_has_the_colour_of_skin_the_prior_stands() -> None:
    skin, hair, picture = hairline(np.ones((SIZE, SIZE), np.float32))
    prior = cv2.GaussianBlur(skin, (0, 0), 2)
    matte, slope = hair_matte(skin, hair, picture, prior)
    np.testing.assert_allclose(matte, prior, atol=1e-3)
    assert np.abs(slope).max() < 1e-3


def test_background_is_never_hair() -> None:
    labels = np.where(LABELS == HAIR, 0, LABELS)
    skin = (LABELS == SKIN).astype(np.float32)
    prior = picture_mask(skin, painted(LABELS))
    matte, _ = hair_matte(skin, (labels == HAIR).astype(np.float32), painted(LABELS).astype(np.float32), prior)
    np.testing.assert_array_equal(matte, prior)


def test_the_guided_mask_is_the_ridge_regression_of_every_window() -> None:
    picture, mask = painted(LABELS, grain=30.0), (LABELS == SKIN).astype(np.float32)
    half, guide = GUIDED_WINDOW // 2, picture / 255.0

    def fit(row: int, column: int) -> tuple[np.ndarray, float]:
        window = np.s_[row - half : row + half + 1, column - half : column + half + 1]
        colours, inside = guide[window].reshape(-1, 3), mask[window].ravel()
        apart = colours - colours.mean(axis=0)
        spread = apart.T @ apart / len(apart) + GUIDED_FLAT * np.eye(3)
        slope = np.linalg.solve(spread, apart.T @ (inside - inside.mean()) / len(apart))
        return slope, inside.mean() - slope @ colours.mean(axis=0)

    found = guided(mask, picture)
    between = []
    for row, column in ((70, 29), (90, 34), (40, 44), (108, 64), (70, 64)):
        around = [fit(row + i, column + j) for i in range(-half, half + 1) for j in range(-half, half + 1)]
        slope, start = np.mean([s for s, _ in around], axis=0), np.mean([b for _, b in around])
        expected = np.clip(0.5 + GUIDED_CONTRAST * (slope @ guide[row, column] + start - 0.5), 0, 1)
        assert found[row, column] == pytest.approx(expected, abs=2e-3)
        between.append(0.02 < expected < 0.98)
    assert any(between), "an oracle of nothing but 0 and 1 proves little"


def test_a_strand_that_shines_within_hair_is_no_skin_and_skin_between_strands_at_the_hairline_is() -> None:
    share = np.zeros((SIZE, SIZE), np.float32)
    share[60:] = 1
    for column in range(0, SIZE, 12):
        share[:52, column : column + 3] = 0.7  # a strand
        share[56:60, column + 5 : column + 8] = 0.9  # between the last of them
    skin, hair, picture = hairline(share)
    matte = np.clip(hair_matte(skin, hair, cv2.GaussianBlur(picture, (0, 0), 0.8), skin)[0], 0, 1)
    assert matte[:56].max() < 0.1
    assert matte[58, 30:100:12].min() > 0.7


def test_halfway_between_skin_and_hair_a_pixel_is_half_of_each() -> None:
    """Were it counted as hair, a pale rim would stay along the hairline of a face that gets darker."""
    share = np.clip((np.arange(SIZE, dtype=np.float32)[:, None] - 54) / 8, 0, 1) * np.ones((1, SIZE), np.float32)
    skin, hair, picture = hairline(share)
    matte = np.clip(hair_matte(skin, hair, picture, skin)[0], 0, 1)[52:66, 40:90].mean(axis=1)
    np.testing.assert_allclose(matte, share[52:66, 0], atol=0.14)
