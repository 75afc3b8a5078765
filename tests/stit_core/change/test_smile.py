"""What a smile does beyond the mouth: told from other changes by the corners, and felt in cheeks and lids."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest

from stit_core.change.cheeks import cheek_shade, find_light, raise_cheeks
from stit_core.change.drawn import Drawn, moved_point
from stit_core.change.opening import COLUMNS, Opening
from stit_core.change.smile import (
    TEETH_SEEN,
    Smile,
    close_corners,
    find_smile,
    fold_shade,
    hold_grin,
    without_smudges,
)
from stit_core.faces.labels import MOUTH
from stit_core.warps import warp_between
from tests.support.transfer_cases import SIZE, drawn, head_labels

STILL = np.zeros((SIZE, SIZE, 2), np.float32)
LANDMARKS = {33: (64, 80), 31: (57, 79), 35: (71, 79), 48: (50, 92), 54: (78, 92)}
EYES = {36: (42, 60), 39: (54, 60), 37: (46, 57), 38: (50, 57), 40: (50, 63), 41: (46, 63)}
CHEEKS = np.array([(46, 78), (82, 78)])


def face() -> Drawn:
    scene = drawn(head_labels())
    points = scene.points.copy()
    for mark, place in LANDMARKS.items():
        points[mark] = place
    mirrored = {36: 45, 39: 42, 37: 44, 38: 43, 40: 47, 41: 46}
    for mark, (x, y) in EYES.items():
        points[mark], points[mirrored[mark]] = (x, y), (128 - x, y)
    return dataclasses.replace(scene, points=points)


def corners_go(x: float, y: float) -> np.ndarray:
    """A motion that takes the mouth's corners outwards by x and down by y, and leaves the rest nearly alone."""
    points = face().points[[48, 54, 36, 45, 33, 8]]
    ways = np.array([(-x, y), (x, y), (0, 0), (0, 0), (0, 0), (0, 0)], float)
    return -warp_between(points + ways, ways, SIZE)


def smile_of(x: float, y: float) -> Smile | None:
    return find_smile(face(), corners_go(x, y))


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
    assert find_smile(face(), grows) is None


def test_cheeks_and_lower_lids_rise_and_upper_lids_and_chin_stay() -> None:
    smile, source = smile_of(5.0, -4.0), face()
    assert smile is not None
    motion = raise_cheeks(STILL, smile)
    for cheek in CHEEKS:
        assert (moved_point(cheek, motion) - cheek)[1] < -1.0
    for lid in (41, 46):
        assert (moved_point(source.points[lid], motion) - source.points[lid])[1] < -1.0
    for still in (np.array([64, 116]), np.array([64, 30]), source.points[48]):
        assert np.abs(moved_point(still.astype(float), motion) - still).max() < 0.6
    np.testing.assert_allclose(motion[:, 1:, 0], -motion[:, :0:-1, 0], atol=0.04)  # both cheeks alike, and fuller
    assert np.abs(motion[..., 0]).max() < 0.2 * np.abs(motion[..., 1]).max(), "nearly straight up in an upright face"


def test_an_iris_stays_where_the_lower_lid_rises_over_it_and_nothing_folds() -> None:
    smile = smile_of(6.0, -4.0)
    assert smile is not None
    motion = raise_cheeks(STILL, dataclasses.replace(smile, strength=1.0))
    for iris in (np.array([48.0, 58.0]), np.array([80.0, 58.0])):
        assert np.abs(moved_point(iris, motion) - iris).max() < 0.25
    right, down = np.gradient(motion, axis=1), np.gradient(motion, axis=0)
    area = (1 + right[..., 0]) * (1 + down[..., 1]) - right[..., 1] * down[..., 0]
    assert area.min() > 0.1


def test_a_cheek_that_heaps_up_is_brighter_on_the_side_of_the_light() -> None:
    smile, columns = smile_of(6.0, -4.0), np.arange(SIZE, dtype=np.float32)
    assert smile is not None

    def lit_from(side: float) -> Drawn:
        levels = np.clip(130 + 1.5 * side * (columns - 64), 20, 250).astype(np.uint8)
        return dataclasses.replace(face(), picture=np.broadcast_to(levels[None, :, None], (SIZE, SIZE, 3)).copy())

    assert find_light(lit_from(1.0), smile)[0] > find_light(lit_from(-1.0), smile)[0] + 0.05
    right, left = (cheek_shade(STILL, smile, lit_from(side)) for side in (1.0, -1.0))
    flank = np.s_[72:84, 90:98]  # the right cheek's outer side
    assert right[flank].mean() > left[flank].mean()


def test_lips_lie_on_each_other_beyond_the_teeth_that_a_smile_shows() -> None:
    arc = np.sqrt(np.clip(1 - (COLUMNS[0] / 32.0) ** 2, 0, 1))
    opening = Opening(face().points[[48, 54]], 0.5, 1.0 - arc, 1.0 + 5 * arc, 4.0, 0.0)
    closed = close_corners(opening, 1.0)
    apart = closed.bottom - closed.top > 0.05
    assert np.abs(COLUMNS[0][apart]).max() < TEETH_SEEN + 0.5
    assert np.ptp(closed.bottom - closed.top) == pytest.approx(np.ptp(opening.bottom - opening.top), rel=0.02)
    assert close_corners(opening, 0.0) is opening


def test_a_turned_head_s_cheeks_rise_along_the_face() -> None:
    scene, angle = face(), 0.5
    turn = cv2.getRotationMatrix2D((64, 70), -np.degrees(angle), 1.0)
    points = scene.points @ turn[:, :2].T + turn[:, 2]
    smile = smile_of(5.0, -4.0)
    assert smile is not None
    right = np.array([np.cos(angle), np.sin(angle)])
    turned = dataclasses.replace(smile, points=points, right=right, down=np.array([-right[1], right[0]]))
    motion = raise_cheeks(STILL, turned)
    cheek = CHEEKS[0] @ turn[:, :2].T + turn[:, 2]
    way = moved_point(cheek, motion) - cheek
    np.testing.assert_allclose(way / np.hypot(*way), -turned.down, atol=0.05)


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
    points = face().points.copy()
    points[[48, 54]] = (46, 90), (82, 90)  # wider than the eyes stand apart
    labels = face().labels.copy()
    labels[86:94, 48:81] = MOUTH
    return dataclasses.replace(face(), points=points, labels=labels)


def test_a_mouth_that_grins_already_is_drawn_no_further() -> None:
    motion, stays = hold_grin(corners_go(6.0, -4.0), grinning(), 0.0)
    assert stays == 1
    for corner in grinning().points[[48, 54]]:
        np.testing.assert_allclose(moved_point(corner, motion), corner, atol=0.1)
    assert find_smile(grinning(), motion) is None


def test_a_jaw_that_drops_takes_a_grin_along_and_a_calm_mouth_is_not_held() -> None:
    wanted = corners_go(6.0, -4.0)
    wide_but_shut = dataclasses.replace(face(), points=grinning().points)
    for source, opens in ((grinning(), 1.0), (face(), 0.0), (wide_but_shut, 0.0)):
        motion, stays = hold_grin(wanted, source, opens)
        assert stays == 0
        np.testing.assert_array_equal(motion, wanted)
