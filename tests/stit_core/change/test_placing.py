from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest

from stit_core.change.carrying import carry
from stit_core.change.drawn import Drawn
from stit_core.change.placing import place_weights
from stit_core.change.tint import strength
from stit_core.config import TransferConfig
from stit_core.faces.labels import EYES, NECK, is_one_of
from tests.support.transfer_cases import (
    EAR,
    GLASSES,
    HAIR,
    MOUTH,
    SKIN,
    WHOLE_FACE,
    change_of,
    drawn,
    face_landmarks,
    head_labels,
    landmarks,
    painted,
)

LABELS, EARRING = head_labels(), 9


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


@pytest.mark.parametrize("frame", [(40, 60, 110), (12, 12, 12), (70, 48, 38)], ids=["blue", "black", "brown"])
def test_skin_that_the_parser_takes_for_glasses_gets_its_tone_and_frames_keep_theirs(
    frame: tuple[int, int, int],
) -> None:
    """It sees them broadly, and dark sockets of eyes as such."""
    worn, picture = LABELS.copy(), painted(LABELS, grain=4.0)
    worn[50:70, 30:98] = GLASSES
    picture[58:62, 30:98] = frame
    tint = place_weights(drawn(worn, picture), WHOLE_FACE, TransferConfig()).tint
    assert tint is not None
    assert tint.share[52:55, 40:90].min() > 0.9
    assert tint.share[59:61, 40:90].max() < 0.1


def test_grain_decides_nothing_about_what_may_be_a_frame() -> None:
    worn, shares = LABELS.copy(), []
    worn[54:66, 44:60] = GLASSES
    for seed in range(6):
        picture = painted(LABELS).astype(np.float32)
        picture[54:66, 44:60] = 0.46 * picture[78, 64]
        picture += np.random.default_rng(seed).normal(0, 4, picture.shape)
        picture = np.clip(np.rint(picture), 0, 255).astype(np.uint8)
        tint = place_weights(drawn(worn, picture), WHOLE_FACE, TransferConfig()).tint
        assert tint is not None
        shares.append(float(tint.share[57:63, 47:57].mean()))
    assert np.ptp(shares) < 0.4


def test_what_is_left_of_glasses_that_are_none_gets_the_tone_too() -> None:
    """Skin around lashes would stay light."""
    worn, picture = LABELS.copy(), painted(LABELS, grain=4.0)
    worn[54:66, 44:60] = GLASSES
    picture[54:66, 44:60] = picture[78, 64]
    picture[58:60, 50:53] = (60, 46, 40)
    tint = place_weights(drawn(worn, picture), WHOLE_FACE, TransferConfig()).tint
    assert tint is not None
    assert tint.share[57, 50:53].min() > 0.6


def test_walls_that_have_the_colour_of_skin_get_no_tone() -> None:
    wall = LABELS.copy()
    wall[20:90, 0:14] = SKIN  # parsers take it for skin, far from the face
    source = Drawn(painted(wall), wall, landmarks())
    free = place_weights(source, (*WHOLE_FACE, HAIR), TransferConfig())
    assert free.tint is not None
    for weight in (free.shade, free.tint.share):
        assert weight[25:85, 2:12].max() < 0.01
        assert weight[70:80, 60:68].min() > 0.99
    hidden = LABELS.copy()
    hidden[:, 25:30] = HAIR  # a lock between an ear and its face
    ear = cv2.erode((hidden == EAR).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    weights = place_weights(drawn(hidden), (*WHOLE_FACE, EAR), TransferConfig())
    assert weights.shade[ear].mean() > 0.4


def test_a_wall_beside_an_ear_is_no_ear_though_it_has_its_colour() -> None:
    missed, picture = LABELS.copy(), painted(LABELS, grain=4.0)
    missed[LABELS == EAR] = 0
    points = landmarks()
    points[36:42], points[42:48] = (48, 60), (80, 60)
    points[[0, 1, 2]], points[[14, 15, 16]] = (30, 68), (98, 68)
    walled = picture.copy()
    walled[:, :26] = picture[78, 64]
    found = [
        place_weights(Drawn(each, missed, points), (*WHOLE_FACE, EAR, 8), TransferConfig()).tint
        for each in (picture, walled)
    ]
    ear, wall = (tint.share[64:80, 12:22] for tint in found if tint is not None)
    assert wall.max() < 0.1 < ear.max()


def test_nothing_new_is_shown_on_what_is_held_before_a_face() -> None:
    held = LABELS.copy()
    held[84:128, 40:60] = 0  # parsers call a hand background
    weights = place_weights(drawn(held), WHOLE_FACE, TransferConfig())
    assert weights.fresh[88:96, 44:56].max() < 0.01
    assert weights.fresh[88:96, 66:76].min() > 0.99
    hand = dataclasses.replace(drawn(held), points=face_landmarks())
    weights = place_weights(hand, WHOLE_FACE, TransferConfig())
    moved = carry(change_of((4.0, 0.0)).motion, weights.motion, weights.still)
    assert np.abs(moved[86:94, 52:57]).max() == 0, "nor does it bend"
    assert moved[60:70, 60:68, 0].min() > 3.5
    speck = LABELS.copy()
    speck[92, 64] = 0
    assert place_weights(drawn(speck), WHOLE_FACE, TransferConfig()).fresh[92, 64] > 0.99


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


def test_a_lobe_that_the_parser_takes_for_an_earring_is_shaded_and_an_earring_is_not() -> None:
    worn = LABELS.copy()
    worn[76:80, 20:25] = EARRING
    metal = painted(LABELS)
    metal[76:80, 20:25] = 90, 110, 140
    whole = (*WHOLE_FACE, EAR, 8, HAIR, 14)
    lobe, ring = (
        place_weights(drawn(worn, picture), whole, TransferConfig()).tint for picture in (painted(LABELS), metal)
    )
    assert lobe is not None
    assert ring is not None
    assert lobe.share[76:78, 21:24].min() > 0.9
    assert ring.share[76:78, 21:24].max() < 0.1


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


def test_only_a_strong_shade_asks_for_a_tint() -> None:
    source = drawn(LABELS)
    assert place_weights(source, WHOLE_FACE, TransferConfig(), strong=False).tint is None
    assert not strength(change_of(shade=0.04)).any()
    assert strength(change_of(shade=-0.3)).min() == 1


def test_what_lies_beside_a_neck_does_not_turn_with_the_head() -> None:
    labels = LABELS.copy()
    labels[112:, 44:85] = NECK
    labels[118:126:3, 44:46] = 16  # cloth, in notches as a parser's edges have them
    moving = place_weights(drawn(labels), (*WHOLE_FACE, EAR, 8, HAIR, NECK), TransferConfig()).motion
    assert moving[116:].max() == 0
    assert moving[labels == HAIR].min() == 1
    assert moving[labels == EAR].min() == 1


def test_an_edit_of_the_mouth_leaves_hair_and_ears_to_the_bit_and_one_of_the_whole_face_takes_them_along() -> None:
    source = drawn(LABELS)
    mouth = place_weights(source, (SKIN, MOUTH), TransferConfig()).still
    face = place_weights(source, (*WHOLE_FACE, EAR), TransferConfig()).still
    beside = (LABELS == HAIR) | (LABELS == EAR)
    assert mouth[beside].min() == 1
    assert mouth[LABELS == SKIN].max() == 0
    assert face[LABELS == EAR].max() == 0


def test_the_line_from_which_hair_grows_stays_unless_the_hair_may_change() -> None:
    labels = LABELS.copy()
    row = 80
    edge = int(np.flatnonzero(labels[row] == SKIN)[0])
    labels[row - 10 : row + 20, edge - 8 : edge] = HAIR
    points = landmarks()
    points[17:27, 1] = 48
    face = Drawn(painted(labels), labels, points)
    above = np.arange(len(labels))[:, None] < 48
    crown, hanging = (labels == HAIR) & above, (labels == HAIR) & ~above
    for classes, stays in ((WHOLE_FACE, True), ((*WHOLE_FACE, HAIR), False)):
        weights = place_weights(face, (*classes, EAR), TransferConfig())
        moved = carry(change_of((0.0, 4.0)).motion, weights.motion, weights.still)
        assert (np.abs(moved[crown]).max() == 0) == stays
        if stays:
            assert np.abs(moved[hanging]).max() > 1, "what hangs beside a face goes along with it"


def test_a_speck_that_a_parser_takes_for_glasses_changes_as_what_lies_beside_it() -> None:
    specked = LABELS.copy()
    specked[57:59, 44:52] = GLASSES  # a lid
    weights, clean = (
        place_weights(drawn(each, painted(LABELS)), WHOLE_FACE, TransferConfig()) for each in (specked, LABELS)
    )
    assert weights.tint is not None
    assert clean.tint is not None
    lid = np.s_[55:58, 42:54]
    np.testing.assert_allclose(weights.tint.share[lid], clean.tint.share[lid], atol=0.15)
    np.testing.assert_allclose(weights.shade[lid], clean.shade[lid], atol=0.15)
    assert weights.still[lid].max() == 0
