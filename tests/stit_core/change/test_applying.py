from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest

from stit_core.change.applying import LOWER, SHARPEST, _focus, _grain_of, apply_change
from stit_core.change.mouth import Mouth
from stit_core.change.opening import COLUMNS, Opening
from stit_core.change.placing import Weights, place_weights
from stit_core.change.tint import Tint
from stit_core.config import TransferConfig
from stit_core.geometry import patch_bounds
from tests.support.transfer_cases import (
    HAIR,
    SIZE,
    SKIN,
    WHOLE_FACE,
    change_of,
    drawn,
    head_labels,
)

LABELS, EARRING = head_labels(), 9
ARC = np.sqrt(np.clip(1 - (COLUMNS[0] / 25.0) ** 2, 0, 1))  # of an opening of 50 millimetres


def everywhere(value: float) -> Weights:
    plane = np.full((SIZE, SIZE), value, np.float32)
    return Weights(plane, np.zeros_like(plane), plane, plane, plane)


def quad_at(left: float, top: float, side: float) -> np.ndarray:
    return np.array([[left, top], [left, top + side], [left + side, top + side], [left + side, top]])


FRAME = np.random.default_rng(0).integers(0, 256, (200, 300, 3)).astype(np.uint8)


QUAD = quad_at(60, 20, SIZE)


def inner_frame(patch: np.ndarray, quad: np.ndarray = QUAD) -> np.ndarray:
    """The part of the frame in whose place a patch lies."""
    left, top, right, bottom = patch_bounds(quad, 300, 200)
    assert patch.shape == (bottom - top, right - left, 3)
    return FRAME[top:bottom, left:right]


def inner(patch: np.ndarray, quad: np.ndarray = QUAD, margin: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """The patch and the frame inside the quad, down to where a shade begins to fade."""
    there = inner_frame(patch, quad)
    whole = slice(margin, min(int(LOWER[0] * np.ptp(quad[:, 1])), len(patch) - margin)), slice(margin, -margin)
    return patch[whole], there[whole]


def test_without_a_change_every_pixel_stays() -> None:
    for change, weights in ((change_of(), everywhere(1.0)), (change_of((3, 2), -0.5, 1.0), everywhere(0.0))):
        patch, frame = inner(apply_change(FRAME, QUAD, change, weights), margin=1)
        np.testing.assert_array_equal(patch, frame)


def test_motion_says_where_a_pixel_comes_from_at_any_scale() -> None:
    far = 44  # pixels from the rim, before which a motion comes to rest
    patch, _ = inner(apply_change(FRAME, QUAD, change_of((3, 2)), everywhere(1.0)), margin=far)
    left, top, _, _ = patch_bounds(QUAD, 300, 200)
    rows, columns = patch.shape[:2]
    expected = FRAME[top + far + 2 :, left + far + 3 :][:rows, :columns]
    np.testing.assert_array_equal(patch, expected)
    large = quad_at(20, 4, 1.5 * SIZE)  # two pixels of the crop are three of the frame
    patch, _ = inner(apply_change(FRAME, large, change_of((2, 0)), everywhere(1.0)), large, far)
    left, top, _, _ = patch_bounds(large, 300, 200)
    rows, columns = patch.shape[:2]
    np.testing.assert_array_equal(patch, FRAME[top + far :, left + far + 3 :][:rows, :columns])


@pytest.mark.parametrize("side", ["left", "top", "right", "bottom"])
def test_what_would_come_from_beyond_the_frame_is_stretched_and_makes_no_streaks(side: str) -> None:
    turns = ("left", "top", "right", "bottom").index(side)
    ramp = np.repeat(np.linspace(250, 20, 80)[:, None], 80, axis=1)  # by its left edge once turned
    frame = np.repeat(np.rot90(ramp.T, -turns)[..., None], 3, axis=-1).astype(np.uint8)
    way = np.array([(-9.0, 0.0), (0.0, -9.0), (9.0, 0.0), (0.0, 9.0)])[turns]
    whole = quad_at(0, 0, 80)
    change = change_of(tuple(way))
    plane = np.ones((SIZE, SIZE), np.float32)
    weights = Weights(plane, np.zeros_like(plane), plane, plane, plane)
    line = np.rot90(apply_change(frame, whole, change, weights)[..., 0], turns)[40].astype(float)
    steps = np.diff(line[1:16])
    assert (steps <= -0.9).all(), "no pixel beside the edge is the same as the next"
    before = np.rot90(frame[..., 0], turns)[40].astype(float)
    assert line[40] == pytest.approx(np.interp(40 - 9 * 80 / SIZE, np.arange(80), before), abs=1.5), "inside all moves"


def test_grain_is_that_of_the_cheeks_as_strong_as_there_and_goes_along_with_them() -> None:
    random = np.random.default_rng(0)
    relief = random.normal(0, 3.0, (240, 320, 3)).astype(np.float32)
    skin = np.ones((SIZE, SIZE), np.float32)
    mouth = Opening(np.array([[50.0, 90.0], [78.0, 90.0]]), 0.56, -ARC, ARC, 0.0, 0.0)
    matrix = np.array([[1.5, 0.0, 20.0], [0.0, 1.5, 10.0]])

    def grain(relief: np.ndarray, skin: np.ndarray = skin, shift: int = 0) -> np.ndarray:
        return _grain_of(relief, skin, mouth, matrix + np.array([[0, 0, shift], [0, 0, 0]]), (30, 50))

    made = grain(relief)
    assert made.shape == (30, 50, 3)
    assert made.std() == pytest.approx(3.0, rel=0.15)
    np.testing.assert_array_equal(grain(np.roll(relief, 7, axis=1), shift=7), made)
    one = skin.copy()
    one[:, 64:] = 0  # a hand before one of them
    assert grain(relief, one).std() == pytest.approx(3.0, rel=0.15)
    mole = relief.copy()
    mole[120:126, 75:81] = -60
    assert np.abs(grain(mole)).max() < 15
    assert not grain(relief, 0 * skin).any()
    assert not grain(relief, shift=1000).any()


def test_shade_is_a_ratio_and_what_is_new_replaces() -> None:
    flat = np.full((200, 300, 3), 120, np.uint8)
    shaded = apply_change(flat, QUAD, change_of(shade=float(np.log(0.5))), everywhere(1.0))
    assert shaded[40, 40, 0] == 55  # (120 + 10) / 2 - 10
    new = apply_change(flat, QUAD, change_of(novelty=1.0), everywhere(1.0))
    assert new[40, 40, 0] == 200


def test_a_quad_beside_the_frame_is_an_empty_patch() -> None:
    patch = apply_change(FRAME, quad_at(-400, -400, 100), change_of((1, 1)), everywhere(1.0))
    assert patch.size == 0


def test_what_moves_is_the_same_whether_or_not_something_moves_far_from_it() -> None:
    """Only what moves is sampled anew; how much that is must not show."""
    here, both = change_of(), change_of()
    here.motion[40:50, 40:60] = both.motion[40:50, 40:60] = (1.3, -0.7)
    both.motion[110:115, 100:110] = (-2.4, 0.2)
    one, two = (apply_change(FRAME, QUAD, change, everywhere(1.0)) for change in (here, both))
    np.testing.assert_array_equal(one[:90], two[:90])
    assert (one[100:] != two[100:]).any()
    assert (one[:90] != inner_frame(one)[:90]).any()


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


def test_ageing_makes_the_frame_s_own_folds_deeper_or_shallower() -> None:
    frame = np.full((200, 300, 3), 150, np.uint8)
    frame[80:82, 90:160] = 110
    plane = np.ones((SIZE, SIZE), np.float32)
    still = everywhere(1.0)

    def fold(ageing: float) -> float:
        patch = apply_change(frame, QUAD, change_of(), dataclasses.replace(still, ageing=np.float32(ageing) * plane))
        left, top, _, _ = patch_bounds(QUAD, 300, 200)
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


def test_it_is_told_how_soft_the_edges_of_a_face_are() -> None:
    step = np.zeros((80, 80), np.float32)
    step[:, 40:] = 200.0
    face = np.ones((80, 80), bool)
    for soft in (1.0, 1.6, 2.4):
        picture = np.rint(cv2.GaussianBlur(step, (0, 0), soft))[..., None].repeat(3, axis=-1).astype(np.uint8)
        assert _focus(picture, face) == pytest.approx(soft, abs=0.2)
    assert _focus(picture, ~face) == SHARPEST


def test_a_drawn_mouth_lies_in_the_frame_and_is_as_soft_as_the_frame() -> None:
    opening = Opening(np.array([[50.0, 92], [78, 92]]), 0.56, -2.0 * ARC, 9.0 * ARC, 1.0, 0.0)
    change = dataclasses.replace(change_of(), mouth=Mouth(opening, np.full(3, 200.0), 1.0, np.full(3, 100.0)))
    weights = everywhere(1.0)
    large = quad_at(0, 0, 4 * SIZE)
    sharp = np.full((4 * SIZE, 4 * SIZE, 3), 150, np.uint8)
    sharp[:, ::16] = 60
    shown = [apply_change(frame, large, change, weights) for frame in (sharp, cv2.GaussianBlur(sharp, (0, 0), 2.0))]
    outside = np.ones((4 * SIZE, 4 * SIZE), bool)
    outside[85 * 4 : 101 * 4, 47 * 4 : 81 * 4] = False  # nor are lips shaded further away
    np.testing.assert_array_equal(shown[0][outside], sharp[outside])
    middle = slice(92 * 4, 96 * 4), slice(58 * 4, 70 * 4)
    assert shown[0][middle].mean() < 0.6 * sharp.mean(), "it is dark under the teeth"
    steps = [
        np.abs(np.diff(cv2.cvtColor(each, cv2.COLOR_RGB2GRAY)[360:400, 256].astype(float))).max() for each in shown
    ]
    assert steps[1] < 0.8 * steps[0]
    without = apply_change(sharp, large, change, dataclasses.replace(weights, fresh=0 * weights.fresh))
    np.testing.assert_array_equal(without, sharp)


def test_an_upper_lip_keeps_its_shape_where_the_lower_one_leaves_it() -> None:
    opening = Opening(np.array([[50.0, 92], [78, 92]]), 0.56, -1.0 * ARC, 9.0 * ARC, 1.0, 0.0)
    change = change_of()
    aside = np.clip(1 - ((np.arange(SIZE) - 64) / 12.0) ** 2, 0, 1)
    change.motion[93:, :, 1] = -12 * aside  # the lower lip has gone down; in one row the motion folds
    parted = dataclasses.replace(change, mouth=Mouth(opening, np.full(3, 200.0), 1.0, np.full(3, 100.0)))
    frame = np.repeat(np.arange(SIZE, dtype=np.uint8)[:, None, None] + 60, SIZE, axis=1).repeat(3, axis=2)
    crop, levels = quad_at(0, 0, SIZE), frame[:, 64, 0].astype(int)
    weights = dataclasses.replace(everywhere(1.0), fresh=np.zeros((SIZE, SIZE), np.float32))  # only lips are looked at
    made, smoothed = (apply_change(frame, crop, each, weights)[:, 64, 0].astype(int) for each in (parted, change))
    np.testing.assert_array_equal(made[:91], levels[:91])
    assert np.abs(smoothed[:91] - levels[:91]).max() > 1, "else there is nothing to tell"


def test_a_tone_goes_on_below_the_crop_and_any_other_shade_fades_before_its_edge() -> None:
    frame = np.full((200, 300, 3), 90, np.uint8)
    frame[:, 100:150] = (190, 150, 130)
    neck = np.zeros((SIZE, SIZE), np.float32)
    neck[70:, 40:90] = 1
    plane = np.ones((SIZE, SIZE), np.float32)
    tint = Tint(
        plane,
        np.zeros((SIZE, SIZE, 3), np.float32),
        np.zeros((SIZE, SIZE, 3), np.float32),
        np.zeros(3),
        neck,
        np.zeros(3, np.float32),
        0 * plane,
        np.zeros((SIZE, SIZE, 3), np.float32),
    )
    quad = quad_at(60, 20, SIZE)
    darker = change_of(shade=-0.4)
    left, top, _, _ = patch_bounds(quad, 300, 200)
    edge = slice(20 + SIZE - 8 - top, 20 + SIZE + 8 - top)
    toned = apply_change(frame, quad, darker, dataclasses.replace(everywhere(1.0), tint=tint)).astype(int)
    faded = apply_change(frame, quad, change_of(shade=-0.1), everywhere(1.0)).astype(int)
    for made in (toned, faded):
        steps = np.abs(np.diff(made[edge, 105 - left : 145 - left], axis=0))
        assert steps.max() <= 3, "an edge of the crop shows"
    assert toned[edge, 125 - left].max() < 140
    redder = dataclasses.replace(tint, redder=np.array([0, -0.2, -0.2], np.float32))
    warm = apply_change(frame, quad, darker, dataclasses.replace(everywhere(1.0), tint=redder)).astype(int)
    place = np.s_[100 - top : 120 - top, 115 - left : 135 - left]
    assert warm[place][..., 0].mean() == pytest.approx(toned[place][..., 0].mean(), abs=2)
    assert np.all(warm[place][..., 1:] < toned[place][..., 1:] - 10), "the neck is as red as the face"
    hidden = dataclasses.replace(tint, flush=np.broadcast_to(np.float32([-0.1, 0.1, 0]), (SIZE, SIZE, 3)).copy())
    for shade, sign in ((-0.4, 1), (0.4, 0)):
        both = [dataclasses.replace(everywhere(1.0), tint=each) for each in (hidden, tint)]
        made = [apply_change(frame, quad, change_of(shade=shade), each).astype(int)[place] for each in both]
        red, green, blue = (made[0] - made[1]).mean(axis=(0, 1))
        assert sign * 4 <= green <= sign * 20, "blood shows less in skin that gets darker, and only there"
        assert sign * 4 <= -red <= sign * 20
        assert blue == pytest.approx(0, abs=0.5)
    source = frame[top : top + len(toned), left : left + toned.shape[1]]
    np.testing.assert_array_equal(toned[edge.stop :, : 90 - left], source[edge.stop :, : 90 - left])
    np.testing.assert_array_equal(faded[edge.stop :], source[edge.stop :])


def test_a_motion_too_small_to_be_seen_leaves_every_pixel_at_any_scale() -> None:
    for scale in (1, 2):
        large = quad_at(10, 10, scale * SIZE)
        frame = np.random.default_rng(1).integers(0, 256, (300, 300, 3)).astype(np.uint8)
        small, seen = (apply_change(frame, large, change_of((way / scale, 0)), everywhere(1.0)) for way in (0.2, 0.8))
        left, top, right, bottom = patch_bounds(large, 300, 300)
        np.testing.assert_array_equal(small, frame[top:bottom, left:right])
        assert (seen != small).mean() > 0.5


def test_hair_beside_skin_that_gets_darker_is_a_little_darker_and_keeps_its_contrast() -> None:
    labels = np.full((SIZE, SIZE), SKIN, np.uint8)
    labels[:60] = HAIR
    frame = np.full((SIZE, SIZE, 3), (190, 150, 130), np.uint8)
    frame[:60] = (60, 50, 40)
    frame[:60, ::8] = (84, 70, 56)  # strands
    weights = place_weights(drawn(labels, frame), WHOLE_FACE, TransferConfig())

    def shaded(by: float) -> np.ndarray:
        left, top, _, _ = patch_bounds(quad_at(0, 0, SIZE), SIZE, SIZE)
        patch = apply_change(frame, quad_at(0, 0, SIZE), change_of(shade=by), weights)
        return (patch[50 - top : 55 - top, 20 - left : 100 - left] + 10.0).mean(axis=(0, -1))

    before, dark, light = (frame[50:55, 20:100] + 10.0).mean(axis=(0, -1)), shaded(-0.4), shaded(0.4)
    assert 0.83 < dark.mean() / before.mean() < 0.97
    assert np.ptp(dark) / dark.mean() > 0.9 * np.ptp(before) / before.mean()
    assert light.mean() == pytest.approx(before.mean(), rel=0.02), "what gets lighter leaves it"
    far = apply_change(frame, quad_at(0, 0, SIZE), change_of(shade=-0.4), weights)[10:20]
    np.testing.assert_array_equal(far, frame[10:20])


def test_how_sharp_a_face_is_say_its_eyes_too(monkeypatch: pytest.MonkeyPatch) -> None:
    arc = np.clip(1 - (COLUMNS[0] / 20.0) ** 2, 0, 1)
    opening = Opening(np.array([[50.0, 92], [78, 92]]), 0.56, -4 * arc, 8 * arc, 0.0, 0.0)
    change = dataclasses.replace(change_of(), mouth=Mouth(opening, np.full(3, 200.0), 1.0, np.full(3, 100.0)))
    skin = np.zeros((SIZE, SIZE), np.float32)
    skin[20:110, 20:110] = 1
    skin[50:60, 40:55] = 0  # an eye
    weights = dataclasses.replace(everywhere(1.0), skin=skin)
    seen: list[np.ndarray] = []

    def focus(_: np.ndarray, face: np.ndarray) -> float:
        seen.append(face)
        return 1.0

    monkeypatch.setattr("stit_core.change.applying._focus", focus)
    apply_change(np.full((200, 200, 3), 120, np.uint8), quad_at(10, 10, SIZE), change, weights)
    size = len(seen[0])
    assert seen[0][55 * size // SIZE, 47 * size // SIZE], "the eye"
    assert not seen[0][5, 5], "and nothing beside the face"
