"""Mouths that smile: what is one, what is held, how corners close, and the folds from the nose past them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from stit_core.change.drawn import Drawn, moved_point
from stit_core.change.opening import COLUMNS, CORNERS, NOSE, Opening
from stit_core.change.smile import (
    TEETH_SEEN,
    Smile,
    close_corners,
    find_smile,
    fold_shade,
    hold_grin,
    hold_pursed,
    nasolabial_shade,
    unsmiling,
    without_smudges,
)
from stit_core.faces.labels import MOUTH
from tests.support.smile_cases import calm_face, corners_go
from tests.support.transfer_cases import SIZE


def smile_of(x: float, y: float) -> Smile | None:
    return find_smile(calm_face(), corners_go(x, y))


def test_wider_and_higher_corners_smile() -> None:
    mild, broad = smile_of(2.0, -2.0), smile_of(6.0, -4.0)
    assert mild is not None
    assert broad is not None
    assert 0 < mild.strength < broad.strength <= 1
    assert mild.unit == pytest.approx(32.0, abs=0.5)


@pytest.mark.parametrize(("x", "y"), [(0.0, 0.0), (-3.0, 0.0), (4.0, 4.0)], ids=["still", "pursed", "drawn down"])
def test_other_mouths_do_not(x: float, y: float) -> None:
    assert smile_of(x, y) is None


def test_a_face_that_grows_as_a_whole_does_not() -> None:
    rows, columns = np.indices((SIZE, SIZE), dtype=np.float32)
    grows = -0.2 * np.stack([columns - 64, rows - 70], axis=-1)
    assert find_smile(calm_face(), grows) is None


def test_a_mouth_that_rises_as_a_whole_or_only_gets_wider_does_not() -> None:
    rows = np.indices((SIZE, SIZE), dtype=np.float32)[0]
    rises = np.zeros((SIZE, SIZE, 2), np.float32)
    rises[..., 1] = 4 * np.clip((rows - 80) / 6, 0, 1)  # all that lies below the nose
    assert find_smile(calm_face(), rises) is None
    assert smile_of(6.0, 0.0) is None


def test_lips_lie_on_each_other_beyond_the_teeth_that_a_smile_shows() -> None:
    arc = np.sqrt(np.clip(1 - (COLUMNS[0] / 32.0) ** 2, 0, 1))
    opening = Opening(calm_face().points[[48, 54]], 0.5, 1.0 - arc, 1.0 + 5 * arc, 4.0, 0.0)
    closed = close_corners(opening, 1.0)
    apart = closed.bottom - closed.top > 0.05
    assert np.abs(COLUMNS[0][apart]).max() < TEETH_SEEN + 0.5
    assert np.ptp(closed.bottom - closed.top) == pytest.approx(np.ptp(opening.bottom - opening.top), rel=0.02)
    assert close_corners(opening, 0.0) is opening


def test_a_cheek_that_is_seen_edgeways_does_not_fold() -> None:
    still, ahead = np.zeros((SIZE, SIZE, 2), np.float32), calm_face()
    points = ahead.points.copy()
    points[NOSE, 0] = points[CORNERS[1], 0] - 0.2 * (points[CORNERS[1], 0] - points[CORNERS[0], 0])
    shades = []
    for face in (ahead, dataclasses.replace(ahead, points=points)):
        smile = unsmiling(face)
        assert smile is not None
        shades.append(np.abs(nasolabial_shade(still, smile)))
    near, far = np.s_[:, : SIZE // 2 - 8], np.s_[:, SIZE // 2 + 8 :]
    assert shades[0][far].max() > 0.1
    assert shades[1][far].max() < 1e-6
    np.testing.assert_allclose(shades[1][near].max(), shades[0][near].max(), rtol=0.1)


def test_a_broad_smile_folds_the_skin_between_nose_and_mouth_on_both_sides_alike() -> None:
    motion, smile = corners_go(5.0, -4.0), smile_of(5.0, -4.0)
    assert smile is not None
    shade = fold_shade(motion, smile)
    rows, columns = np.nonzero(shade < 0.6 * shade.min())
    assert shade.min() < -0.03
    assert shade.max() < 0.5 * -shade.min(), "a cheek gets less lighter than its fold gets darker"
    assert rows.min() > 76, "it begins at the nose"
    assert rows.max() < 96, "it ends by the mouth"
    assert not np.any((columns > 56) & (columns < 72)), "nothing on nose and lips"
    assert shade[:, :64].sum() == pytest.approx(shade[:, 65:].sum(), rel=0.15)


def test_the_shadow_of_a_fold_goes_on_towards_the_lips_and_ends_at_the_cheek() -> None:
    motion, smile = corners_go(5.0, -4.0), smile_of(5.0, -4.0)
    assert smile is not None
    shade = fold_shade(motion, smile)
    lower = np.minimum(shade[78:92, 64:], 0)  # from the face's middle to its side
    crease = lower.argmin(axis=1)
    towards_lips = [row[:place].sum() for row, place in zip(lower, crease, strict=True)]
    towards_cheek = [row[place + 1 :].sum() for row, place in zip(lower, crease, strict=True)]
    assert sum(towards_lips) < 1.3 * sum(towards_cheek) < 0


def test_shadows_around_a_smiling_mouth_go_and_lights_and_the_rest_stay() -> None:
    motion, smile, tone = corners_go(6.0, -4.0), smile_of(6.0, -4.0), np.array([-0.02, -0.03, -0.04], np.float32)
    assert smile is not None
    rows, columns = np.indices((SIZE, SIZE))
    shade = np.broadcast_to(tone + np.float32(-0.1), (SIZE, SIZE, 3)).copy()
    shade[:, 64:] = tone + np.float32(0.1)
    result = without_smudges(shade, tone, motion, dataclasses.replace(smile, strength=1.0))
    beside = (np.abs(rows - 90) < 6) & (columns > 44) & (columns < 64)
    np.testing.assert_allclose(result[beside], np.broadcast_to(tone, (beside.sum(), 3)), atol=0.02)
    np.testing.assert_array_equal(result[:, 64:], shade[:, 64:])
    np.testing.assert_allclose(result[:40], shade[:40], atol=0.01)
    mild = without_smudges(shade, tone, motion, dataclasses.replace(smile, strength=0.5))
    assert shade[90, 54, 0] < mild[90, 54, 0] < result[90, 54, 0]


def test_a_mouth_that_is_pursed_meanwhile_has_no_folds() -> None:
    smile = smile_of(5.0, -4.0)
    assert smile is not None
    pursed = corners_go(-6.0, 0.0)
    assert np.abs(fold_shade(pursed, smile)).max() == 0
    assert np.abs(fold_shade(corners_go(5.0, -4.0), dataclasses.replace(smile, strength=0.0))).max() == 0


def grinning() -> Drawn:
    points = calm_face().points.copy()
    points[[48, 54]] = (46, 90), (82, 90)  # wider than the eyes stand apart
    labels = calm_face().labels.copy()
    labels[86:94, 48:81] = MOUTH
    return dataclasses.replace(calm_face(), points=points, labels=labels)


def test_a_mouth_that_grins_already_is_drawn_no_further() -> None:
    motion, stays = hold_grin(corners_go(6.0, -4.0), grinning(), 0.0)
    assert stays == 1
    for corner in grinning().points[[48, 54]]:
        np.testing.assert_allclose(moved_point(corner, motion), corner, atol=0.1)
    assert find_smile(grinning(), motion) is None


def test_a_mouth_that_a_hand_hides_is_left_alone() -> None:
    wanted = corners_go(6.0, -4.0)
    points = calm_face().points.copy()
    points[48:60] = [(50 + 28 * (i % 4) / 3, 88 + 4 * (i // 4)) for i in range(12)]
    hidden, touched = (dataclasses.replace(calm_face(), points=points) for _ in range(2))
    hidden.labels[84:112, 40:66] = 0
    motion, stays = hold_grin(wanted, hidden, 1.0)
    assert stays == 1
    assert np.abs(motion[88:96, 56:76]).max() < 0.1
    touched.labels[84:112, 48:53] = 0
    assert hold_grin(wanted, touched, 1.0)[1] < 0.5


def test_a_mouth_that_is_pursed_goes_along_as_one_piece() -> None:
    motion = corners_go(3.0, -2.0)
    motion[..., 1] -= 4.0
    source = calm_face()
    pursed = source.points.copy()
    pursed[[48, 54], 0] = 56, 72
    held = hold_pursed(motion, dataclasses.replace(source, points=pursed), 1.0)
    lips = held[88:96, 58:70]
    assert np.ptp(lips, axis=(0, 1)).max() < 0.3 * np.ptp(motion[88:96, 58:70], axis=(0, 1)).max()
    assert lips[..., 1].mean() == pytest.approx(motion[80:104, 50:78, 1].mean(), abs=0.7), "with the face around"
    np.testing.assert_array_equal(hold_pursed(motion, source, 1.0), motion)
    np.testing.assert_array_equal(hold_pursed(motion, dataclasses.replace(source, points=pursed), 0.0), motion)


def test_a_jaw_that_drops_takes_a_grin_along_and_a_calm_mouth_is_not_held() -> None:
    wanted = corners_go(6.0, -4.0)
    wide_but_shut = dataclasses.replace(calm_face(), points=grinning().points)
    for source, opens in ((grinning(), 1.0), (calm_face(), 0.0), (wide_but_shut, 0.0)):
        motion, stays = hold_grin(wanted, source, opens)
        assert stays == 0
        np.testing.assert_array_equal(motion, wanted)
