from __future__ import annotations

import cv2
import numpy as np
import pytest

from stit_core.change.drawn import Drawn
from stit_core.change.placing import (
    GUIDED_CONTRAST,
    GUIDED_FLAT,
    GUIDED_WINDOW,
    Weights,
    _guided,
    apply_change,
    place_weights,
)
from stit_core.change.reading import Change
from stit_core.config import TransferConfig
from stit_core.faces.labels import EYES, is_one_of
from stit_core.geometry import quad_bounds
from tests.support.transfer_cases import (
    EAR,
    GLASSES,
    HAIR,
    SIZE,
    SKIN,
    WHOLE_FACE,
    drawn,
    head_labels,
    landmarks,
    painted,
)

LABELS, EARRING = head_labels(), 9


def change_of(motion: tuple[float, float] = (0.0, 0.0), shade: float = 0.0, novelty: float = 0.0) -> Change:
    def plane(value: float | tuple[float, ...], channels: int) -> np.ndarray:
        return np.broadcast_to(np.float32(value), (SIZE, SIZE, channels)).copy()

    new, none = plane(novelty, 1)[..., 0], plane(0.0, 1)[..., 0]
    return Change(plane(motion, 2), plane(shade, 3), plane(shade, 3), plane(200.0, 3), new, none)


def everywhere(value: float) -> Weights:
    plane = np.full((SIZE, SIZE), value, np.float32)
    return Weights(plane, plane, plane, plane, plane, plane)


def quad_at(left: float, top: float, side: float) -> np.ndarray:
    return np.array([[left, top], [left, top + side], [left + side, top + side], [left + side, top]])


FRAME = np.random.default_rng(0).integers(0, 256, (200, 300, 3)).astype(np.uint8)
QUAD = quad_at(60, 20, SIZE)


def inner(patch: np.ndarray, quad: np.ndarray = QUAD, margin: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """The patch and the frame inside the quad."""
    left, top, right, bottom = quad_bounds(quad, 300, 200)
    assert patch.shape == (bottom - top, right - left, 3)
    there = FRAME[top:bottom, left:right]
    return patch[margin:-margin, margin:-margin], there[margin:-margin, margin:-margin]


def test_without_a_change_every_pixel_stays() -> None:
    for change, weights in ((change_of(), everywhere(1.0)), (change_of((3, 2), -0.5, 1.0), everywhere(0.0))):
        patch, frame = inner(apply_change(FRAME, QUAD, change, weights), margin=1)
        np.testing.assert_array_equal(patch, frame)


def test_motion_says_where_a_pixel_comes_from_at_any_scale() -> None:
    patch, _ = inner(apply_change(FRAME, QUAD, change_of((3, 2)), everywhere(1.0)))
    left, top, right, bottom = quad_bounds(QUAD, 300, 200)
    expected = FRAME[top + 2 : bottom + 2, left + 3 : right + 3][12:-12, 12:-12]
    np.testing.assert_array_equal(patch, expected)
    large = quad_at(20, 4, 1.5 * SIZE)  # two pixels of the crop are three of the frame
    patch, _ = inner(apply_change(FRAME, large, change_of((2, 0)), everywhere(1.0)), large)
    left, top, right, bottom = quad_bounds(large, 300, 200)
    np.testing.assert_array_equal(patch, FRAME[top:bottom, left + 3 : right + 3][12:-12, 12:-12])


def test_shade_is_a_ratio_and_what_is_new_replaces() -> None:
    flat = np.full((200, 300, 3), 120, np.uint8)
    shaded = apply_change(flat, QUAD, change_of(shade=float(np.log(0.5))), everywhere(1.0))
    assert shaded[40, 40, 0] == 55  # (120 + 10) / 2 - 10
    new = apply_change(flat, QUAD, change_of(novelty=1.0), everywhere(1.0))
    assert new[40, 40, 0] == 200


def test_a_quad_beside_the_frame_is_an_empty_patch() -> None:
    patch = apply_change(FRAME, quad_at(-400, -400, 100), change_of((1, 1)), everywhere(1.0))
    assert patch.size == 0


@pytest.mark.parametrize("kept", [HAIR, EAR])
def test_what_may_not_change_has_no_weight_at_all(kept: int) -> None:
    weights = place_weights(drawn(LABELS), WHOLE_FACE, TransferConfig())
    where = kept == LABELS
    assert weights.motion[where].max() == 0
    assert weights.shade[where].max() == 0
    assert weights.shade[70:80, 60:68].min() > 0.99, "the middle of the face changes in full"


def test_glasses_keep_their_pixels() -> None:
    worn = LABELS.copy()
    worn[54:57, 30:98] = GLASSES
    worn[57:68, 36:38] = GLASSES
    weights = place_weights(drawn(worn, painted(worn)), WHOLE_FACE, TransferConfig())
    assert weights.shade[55, 40:90].max() < 0.05
    assert weights.motion[55, 40:90].max() < 0.05
    assert weights.shade[75:85, 60:70].min() > 0.9


def test_specks_that_hang_on_nothing_do_not_change() -> None:
    specked = LABELS.copy()
    specked[4:7, 4:7] = SKIN
    weights = place_weights(drawn(specked), WHOLE_FACE, TransferConfig())
    assert weights.shade[5, 5] < 0.01


def test_shares_scale_the_parts() -> None:
    full = place_weights(drawn(LABELS), WHOLE_FACE, TransferConfig())
    half = place_weights(drawn(LABELS), WHOLE_FACE, TransferConfig(motion=0.5, shade=0.0))
    np.testing.assert_allclose(half.motion, 0.5 * full.motion)
    assert half.shade.max() == 0
    np.testing.assert_array_equal(half.fresh, full.fresh)


def test_a_chin_comes_to_lie_where_there_was_background() -> None:
    weights = place_weights(drawn(LABELS), WHOLE_FACE, TransferConfig(steadying=0))
    frame, edge = np.zeros((SIZE, SIZE, 3), np.uint8), int(np.flatnonzero(LABELS[:, 64] == SKIN).max())
    frame[LABELS == SKIN] = 200
    change = change_of((0.0, -8.0))
    patch = apply_change(frame, quad_at(0, 0, SIZE), change, weights)
    chin = np.flatnonzero(patch[:SIZE, 64, 0] > 100).max()
    assert chin == pytest.approx(edge + 8, abs=2)


@pytest.mark.parametrize("tone", [60, 230])
def test_what_gets_lighter_is_bent_towards_white_and_what_gets_darker_is_not(tone: int) -> None:
    frame = np.full((200, 300, 3), tone, np.uint8)
    lighter, _ = inner(apply_change(frame, QUAD, change_of(shade=0.5), everywhere(1.0)))
    darker, _ = inner(apply_change(frame, QUAD, change_of(shade=-0.5), everywhere(1.0)))
    assert darker.mean() == pytest.approx((tone + 10) * np.exp(-0.5) - 10, abs=1)
    assert tone < lighter.mean() <= 254
    if tone < 100:
        assert lighter.mean() == pytest.approx((tone + 10) * np.exp(0.5) - 10, abs=1)


def test_a_strong_shade_ends_at_the_edge_that_the_picture_has() -> None:
    shrunk = LABELS.copy()  # a parser that misses four pixels of the skin beside the background
    missed = (LABELS == SKIN) & (cv2.erode((LABELS == SKIN).astype(np.uint8), np.ones((9, 9))) == 0)
    missed[:100] = False
    shrunk[missed] = 0
    weights = place_weights(drawn(shrunk, painted(LABELS)), WHOLE_FACE, TransferConfig())
    inside = cv2.erode((LABELS == SKIN).astype(np.uint8), np.ones((3, 3))) > 0
    found, seen = weights.spill[missed & inside].mean(), weights.shade[missed & inside].mean()
    assert found > 0.45
    assert found > 3 * seen
    assert weights.spill[:8].max() < 0.05


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

    found = _guided(mask, picture)
    between = []
    for row, column in ((70, 29), (90, 34), (40, 44), (108, 64), (70, 64)):
        around = [fit(row + i, column + j) for i in range(-half, half + 1) for j in range(-half, half + 1)]
        slope, start = np.mean([s for s, _ in around], axis=0), np.mean([b for _, b in around])
        expected = np.clip(0.5 + GUIDED_CONTRAST * (slope @ guide[row, column] + start - 0.5), 0, 1)
        assert found[row, column] == pytest.approx(expected, abs=2e-3)
        between.append(0.02 < expected < 0.98)
    assert any(between), "an oracle of nothing but 0 and 1 proves little"


def test_an_ear_that_the_parser_misses_is_shaded_by_its_colour() -> None:
    missed = LABELS.copy()
    missed[LABELS == EAR] = 0
    points = landmarks()
    points[36:42], points[42:48] = (48, 60), (80, 60)
    points[[0, 1, 2]], points[[14, 15, 16]] = (30, 68), (98, 68)
    source = Drawn(painted(LABELS, grain=4.0), missed, points)
    ear = cv2.erode((LABELS == EAR).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    with_ears = place_weights(source, (*WHOLE_FACE, EAR, 8), TransferConfig())
    without = place_weights(source, WHOLE_FACE, TransferConfig())
    assert with_ears.spill[ear].mean() > 0.7
    assert without.spill[ear].mean() < 0.4
    assert with_ears.spill[:, :10].max() < 0.1


def test_a_speck_of_jewellery_does_not_hold_the_ear() -> None:
    worn = LABELS.copy()
    worn[78:80, 22:25] = EARRING
    whole = (*WHOLE_FACE, EAR, 8, HAIR, 14)
    weights = place_weights(drawn(worn, painted(LABELS)), whole, TransferConfig())
    assert weights.motion[78:80, 22:25].min() > 0.9


def test_eyes_that_keep_their_own_colour_share_a_little_of_the_skins_shade() -> None:
    source = drawn(head_labels())
    weights = place_weights(source, (SKIN,), TransferConfig())
    eyes = cv2.erode(is_one_of(source.labels, EYES), np.ones((3, 3), np.uint8)) > 0
    assert eyes.any()
    assert 0.1 < weights.shade[eyes].min() <= weights.shade[eyes].max() < 0.5
