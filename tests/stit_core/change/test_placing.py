from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest

from stit_core.change.carrying import carry
from stit_core.change.drawn import Drawn
from stit_core.change.placing import Weights, apply_change, place_weights
from stit_core.change.reading import Change
from stit_core.change.tint import strength
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
    return Weights(plane, np.zeros_like(plane), plane, plane, plane)


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
    far = 44  # pixels from the rim, before which a motion comes to rest
    patch, _ = inner(apply_change(FRAME, QUAD, change_of((3, 2)), everywhere(1.0)), margin=far)
    left, top, right, bottom = quad_bounds(QUAD, 300, 200)
    expected = FRAME[top + 2 : bottom + 2, left + 3 : right + 3][far:-far, far:-far]
    np.testing.assert_array_equal(patch, expected)
    large = quad_at(20, 4, 1.5 * SIZE)  # two pixels of the crop are three of the frame
    patch, _ = inner(apply_change(FRAME, large, change_of((2, 0)), everywhere(1.0)), large, far)
    left, top, right, bottom = quad_bounds(large, 300, 200)
    np.testing.assert_array_equal(patch, FRAME[top:bottom, left + 3 : right + 3][far:-far, far:-far])


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
    moved = carry(change_of((4.0, 0.0)).motion, weights.motion, weights.still)
    assert np.abs(moved[55, 40:90]).max() == 0
    assert moved[90:100, 60:70, 0].min() > 3.5
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
    change = change_of((0.0, -4.0))
    patch = apply_change(frame, quad_at(0, 0, SIZE), change, weights)
    chin = np.flatnonzero(patch[:SIZE, 64, 0] > 100).max()
    assert chin == pytest.approx(edge + 4, abs=1)


@pytest.mark.parametrize("tone", [60, 230])
def test_what_gets_lighter_is_bent_towards_white_and_what_gets_darker_comes_from_there(tone: int) -> None:
    frame = np.full((200, 300, 3), tone, np.uint8)
    lighter, _ = inner(apply_change(frame, QUAD, change_of(shade=0.5), everywhere(1.0)))
    darker, _ = inner(apply_change(frame, QUAD, change_of(shade=-0.5), everywhere(1.0)))
    assert tone < lighter.mean() <= 254
    if tone < 100:
        assert lighter.mean() == pytest.approx((tone + 10) * np.exp(0.5) - 10, abs=1)
        assert darker.mean() == pytest.approx((tone + 10) * np.exp(-0.5) - 10, abs=1)
    else:
        assert darker.mean() > (tone + 10) * np.exp(-0.5) - 5


def test_a_strong_shade_ends_at_the_edge_that_the_picture_has() -> None:
    shrunk = LABELS.copy()  # a parser that misses four pixels of the skin beside the background
    missed = (LABELS == SKIN) & (cv2.erode((LABELS == SKIN).astype(np.uint8), np.ones((9, 9))) == 0)
    missed[:100] = False
    shrunk[missed] = 0
    weights = place_weights(drawn(shrunk, painted(LABELS)), WHOLE_FACE, TransferConfig())
    inside = cv2.erode((LABELS == SKIN).astype(np.uint8), np.ones((3, 3))) > 0
    assert weights.tint is not None
    found, seen = weights.tint.share[missed & inside].mean(), weights.shade[missed & inside].mean()
    assert found > 0.45
    assert found > 3 * seen
    assert weights.tint.share[:8].max() < 0.05


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
    assert with_ears.tint is not None
    assert without.tint is not None
    assert with_ears.tint.share[ear].mean() > 0.7
    assert without.tint.share[ear].mean() < 0.4
    assert with_ears.tint.share[:, :10].max() < 0.1


def test_a_speck_of_jewellery_does_not_hold_the_ear() -> None:
    worn = LABELS.copy()
    worn[78:80, 22:25] = EARRING
    whole = (*WHOLE_FACE, EAR, 8, HAIR, 14)
    weights = place_weights(drawn(worn, painted(LABELS)), whole, TransferConfig())
    moved = carry(change_of((0.0, 3.0)).motion, weights.motion, weights.still)
    assert moved[78:80, 22:25, 1].min() > 2.4


def test_eyes_that_keep_their_own_colour_share_a_little_of_the_skins_shade() -> None:
    source = drawn(head_labels())
    weights = place_weights(source, (SKIN,), TransferConfig())
    eyes = cv2.erode(is_one_of(source.labels, EYES), np.ones((3, 3), np.uint8)) > 0
    assert eyes.any()
    assert 0.1 < weights.shade[eyes].min() <= weights.shade[eyes].max() < 0.5


def test_skin_that_may_change_ages_and_nothing_beside_it_does() -> None:
    source = drawn(LABELS)
    ageing = place_weights(source, WHOLE_FACE, TransferConfig(), ageing=-0.5).ageing
    assert ageing is not None
    assert ageing[100, 64] == pytest.approx(-0.5, abs=0.01)
    assert np.abs(ageing[LABELS != SKIN]).max() == 0
    assert place_weights(source, (*EYES,), TransferConfig(), ageing=-0.5).ageing is None
    assert place_weights(source, WHOLE_FACE, TransferConfig()).ageing is None


def test_ageing_makes_the_frame_s_own_folds_deeper_or_shallower() -> None:
    frame = np.full((200, 300, 3), 150, np.uint8)
    frame[80:82, 90:160] = 110
    plane = np.ones((SIZE, SIZE), np.float32)
    still = everywhere(1.0)

    def fold(ageing: float) -> float:
        patch = apply_change(frame, QUAD, change_of(), dataclasses.replace(still, ageing=np.float32(ageing) * plane))
        left, top, _, _ = quad_bounds(QUAD, 300, 200)
        return float(patch[80 - top : 82 - top, 100 - left : 150 - left].mean())

    assert fold(1.0) < fold(0.0) - 5
    assert fold(-1.0) > fold(0.0) + 10


def test_light_from_beyond_white_stays_bright_in_darker_skin() -> None:
    shade = float(np.log(0.6))
    lit, dim = (np.full((200, 300, 3), level, np.uint8) for level in (245, 150))
    left = [inner(apply_change(frame, QUAD, change_of(shade=shade), everywhere(1.0)))[0].mean() for frame in (lit, dim)]
    assert left[1] == pytest.approx(160 * 0.6 - 10, abs=1)
    assert left[0] > 1.08 * (255 * 0.6 - 10)


def test_hairs_across_skin_are_shaded_as_wholly_as_the_skin_around_and_pores_are_kept() -> None:
    kept = []
    for depth in (8, 120):
        frame = np.full((200, 300, 3), 160, np.uint8)
        frame[:, ::12] -= np.uint8(depth)
        patch, _ = inner(apply_change(frame, QUAD, change_of(shade=float(np.log(0.5))), everywhere(1.0)))
        kept.append(np.ptp(patch[..., 0].astype(float).mean(axis=0)) / depth)
    assert kept[0] > 0.85
    assert kept[1] < 0.65


def test_only_a_strong_shade_asks_for_a_tint() -> None:
    source = drawn(LABELS)
    assert place_weights(source, WHOLE_FACE, TransferConfig(), strong=False).tint is None
    assert not strength(change_of(shade=0.04)).any()
    assert strength(change_of(shade=-0.3)).min() == 1
