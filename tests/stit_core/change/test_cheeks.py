"""What a smile does to cheeks and eyes: lids that slide over irises, cheeks that rise, and the light on them."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest

from stit_core.change.carrying import area_ratio
from stit_core.change.cheeks import AMBIENT, CHEEK, CHEEK_RISE, LID_RISE, cheek_shade, find_light, raise_cheeks
from stit_core.change.drawn import Drawn
from stit_core.change.smile import Smile, find_smile
from tests.support.smile_cases import calm_face, corners_go
from tests.support.transfer_cases import SIZE, STILL

LIDS = (41, 40, 46, 47)  # landmarks of the lower ones
FULLEST = np.array([(48 - 32 * CHEEK[0], 63 + 32 * CHEEK[1]), (80 + 32 * CHEEK[0], 63 + 32 * CHEEK[1])])  # of a cheek


def smile(strength: float = 1.0) -> Smile:
    found = find_smile(calm_face(), corners_go(6.0, -4.0))
    assert found is not None
    return dataclasses.replace(found, strength=strength)


def came(point: np.ndarray, motion: np.ndarray) -> np.ndarray:
    """How far a point (2,) of the source goes, to a fraction of a pixel."""
    place = point.astype(np.float32)
    for _ in range(20):
        at = cv2.remap(motion, *place.reshape(2, 1, 1), cv2.INTER_LINEAR)[0, 0]
        place = (point - at).astype(np.float32)
    return place - point


@pytest.mark.parametrize(("strength", "share"), [(0.3, 0.43), (0.5, 0.65), (1.0, 1.0)])
def test_cheeks_rise_by_a_share_of_the_eyes_distance_and_join_a_smile_soon(strength: float, share: float) -> None:
    motion = raise_cheeks(STILL, smile(strength))
    for cheek in FULLEST:
        x, y = came(cheek, motion)
        assert y == pytest.approx(-share * CHEEK_RISE * 32, rel=0.2)
        assert abs(x) < 0.2
    for still in (np.array([64.0, 116.0]), np.array([64.0, 30.0]), calm_face().points[48]):
        assert np.abs(came(still, motion)).max() < 0.6
    np.testing.assert_allclose(motion[:, 1:, 0], -motion[:, :0:-1, 0], atol=0.02)  # both cheeks alike


def test_lower_lids_rise_by_a_share_of_the_eye_s_opening_and_irises_and_upper_lids_stay() -> None:
    motion, points = raise_cheeks(STILL, smile()), calm_face().points
    for lid in LIDS:
        assert came(points[lid], motion)[1] == pytest.approx(-LID_RISE * 6, rel=0.3)
    for kept in (np.array([48.0, 59.0]), np.array([80.0, 59.0]), *points[[36, 37, 38, 39, 43, 44]]):
        assert np.abs(came(kept, motion)).max() < 0.25


def test_a_shut_eye_stays_shut() -> None:
    points = calm_face().points.copy()
    points[[37, 38, 40, 41, 43, 44, 46, 47], 1] = 62
    motion = raise_cheeks(STILL, dataclasses.replace(smile(), points=points))
    assert np.abs(motion[52:63, 42:55]).max() < 0.3


def test_nothing_folds_and_nothing_beside_the_face_moves() -> None:
    motion = raise_cheeks(corners_go(6.0, -4.0), smile())
    assert area_ratio(motion - corners_go(6.0, -4.0)).min() > 0.5
    assert area_ratio(motion).min() > 0.15
    alone = raise_cheeks(STILL, smile())
    for axis in (0, 1):  # nor, below the lids, does it begin or end anywhere at once
        assert np.abs(np.diff(alone[68:], axis=axis)).max() < 0.4
    assert np.abs(alone[:, :8]).max() < 0.02
    assert np.abs(alone[:50]).max() == 0


def test_a_turned_head_s_cheeks_rise_along_the_face() -> None:
    angle = 0.5
    turn = cv2.getRotationMatrix2D((64, 70), -np.degrees(angle), 1.0)
    points = calm_face().points @ turn[:, :2].T + turn[:, 2]
    right = np.array([np.cos(angle), np.sin(angle)])
    turned = dataclasses.replace(smile(), points=points, right=right, down=np.array([-right[1], right[0]]))
    way = came(FULLEST[0] @ turn[:, :2].T + turn[:, 2], raise_cheeks(STILL, turned))
    np.testing.assert_allclose(way / np.hypot(*way), -turned.down, atol=0.05)


def lit(light: tuple[float, float, float]) -> Drawn:
    """The face as Lambert's law lights it from right, down and forwards."""
    columns, rows = np.meshgrid(np.arange(SIZE) - 64, np.arange(SIZE) - 66)
    x, y = columns / 37.8, rows / 55.2
    normal = np.stack([x, y, np.sqrt(np.maximum(1 - x * x - y * y, 0.15))])
    level = 130 * (AMBIENT + np.maximum(np.tensordot(light, normal, 1), 0))
    picture = np.repeat(np.clip(level, 0, 255)[..., None], 3, axis=-1).astype(np.uint8)
    return dataclasses.replace(calm_face(), picture=picture)


def test_light_is_found_where_it_comes_from() -> None:
    found = {way: find_light(lit((way, -0.3, 0.7)), smile()) for way in (-0.5, 0.0, 0.5)}
    assert found[-0.5][0] < -0.2
    assert found[0.5][0] > 0.2
    assert found[0.0][0] == pytest.approx(0.0, abs=0.03)
    assert all(light[1] < -0.15 and light[2] > 0.5 for light in found.values())


def test_what_heaps_up_is_brighter_towards_the_light() -> None:
    from_right, from_left = (cheek_shade(STILL, smile(), lit((way, -0.3, 0.7))) for way in (0.5, -0.5))
    outwards, inwards = np.s_[76:84, 88:94], np.s_[76:84, 74:80]  # of the right cheek
    assert from_right[outwards].mean() > from_left[outwards].mean() + 0.02
    assert from_right[inwards].mean() < from_left[inwards].mean() - 0.02
    above, below = np.s_[70:76, 78:90], np.s_[82:88, 78:90]
    assert cheek_shade(STILL, smile(), lit((0.0, -0.5, 0.6)))[above].mean() > 0.02
    assert cheek_shade(STILL, smile(), lit((0.0, -0.5, 0.6)))[below].mean() < -0.02


def test_shade_is_soft_and_leaves_what_is_around_a_cheek_alone() -> None:
    mild, broad = (cheek_shade(STILL, smile(strength), calm_face()) for strength in (0.3, 1.0))
    assert np.abs(mild).max() < 0.6 * np.abs(broad).max() < 0.6 * 0.15
    assert np.abs(broad[100:]).max() < 0.01
    assert np.abs(broad[:52]).max() < 0.01
    assert np.abs(broad[:, :10]).max() < 0.01


def test_beside_a_mouth_s_corner_there_is_a_soft_shadow_and_no_more() -> None:
    shade = cheek_shade(STILL, smile(), calm_face())
    for corner in calm_face().points[[48, 54]]:
        x, y = corner.astype(int)
        beside = shade[y - 3 : y + 4, x - 4 : x + 5]
        assert -0.1 < beside.min() < -0.02
