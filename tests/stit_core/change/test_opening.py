from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from stit_core.change.opening import (
    BELOW_NOSE,
    COLUMNS,
    CORNERS,
    NOSE,
    Opening,
    find_opening,
    hold_corners,
    narrow_mouth,
)
from tests.support.mouth_cases import LEFT, LIPS_MEET, RIGHT, face, opening_of
from tests.support.transfer_cases import SIZE, STILL

WIDTH = RIGHT - LEFT
FEATURES = np.s_[:78]  # rows above the mouth: eyes and the bridge of the nose


def width_of(opening: Opening | None) -> float:
    assert opening is not None
    return float(np.hypot(*(opening.corners[1] - opening.corners[0])))


def open_width(opening: Opening | None) -> float:
    """Millimetres between the ends of what is open."""
    assert opening is not None
    return float(np.ptp(COLUMNS[0, opening.bottom > opening.top + 0.2]))


def across(way: float) -> np.ndarray:
    """A motion that takes the corners of the mouth outwards by a share of their distance from the middle."""
    motion = np.zeros((SIZE, SIZE, 2), np.float32)
    motion[..., 0] = -way / (1 + way) * (np.arange(SIZE) - 64)
    return motion


def test_a_mouth_gets_narrower_the_further_the_jaw_drops() -> None:
    widths = [width_of(opening_of(pixels)) / WIDTH for pixels in (3, 8, 14)]
    assert 1 >= widths[0] > widths[1] > widths[2]
    assert 0.85 < widths[2] < 0.95, "by no more than a tenth or so"
    assert width_of(opening_of(5, teeth=1.0)) == pytest.approx(WIDTH), "a smile that shows teeth drops no jaw"


def test_what_is_open_ends_before_the_corners_of_the_lips() -> None:
    opened = opening_of(12)
    assert opened is not None
    assert open_width(opened) < 0.98 * width_of(opened) / opened.millimetre


def test_pursed_lips_part_in_their_middle_only() -> None:
    wide, pursed = (opening_of(8, motion=across(way)) for way in (0.0, -0.4))
    assert wide is not None
    assert pursed is not None
    shares = [open_width(each) * each.millimetre / width_of(each) for each in (wide, pursed)]
    assert shares[1] < 0.85 * shares[0]


def test_a_mouth_that_the_edit_narrows_already_gets_no_narrower() -> None:
    assert width_of(opening_of(12, motion=across(-0.15))) == pytest.approx(0.85 * WIDTH, rel=0.03)
    assert width_of(opening_of(12, motion=across(0.2))) < 1.15 * WIDTH, "and one that it widens gives way too"


def test_an_outline_is_highest_in_its_middle_and_falls_towards_both_ends() -> None:
    for pixels in (4, 9, 14):  # drawn as rectangles
        opened = opening_of(pixels)
        assert opened is not None
        height = opened.bottom - opened.top
        top = int(height.argmax())
        assert abs(COLUMNS[0, top]) < 3
        assert (np.diff(height[:top]) > -1e-6).all()
        assert (np.diff(height[top:]) < 1e-6).all()
        assert height.max() * opened.millimetre == pytest.approx(pixels, rel=0.12)


def test_lips_and_cheeks_follow_the_corners_smoothly() -> None:
    source, opened = face(), opening_of(14)
    assert opened is not None
    motion = narrow_mouth(STILL, opened, source)
    for corner, end in zip(CORNERS, opened.corners, strict=True):
        x, y = np.rint(end).astype(int)
        np.testing.assert_allclose(end + motion[y, x], source.points[corner], atol=0.35)
    stretch = 1 + np.gradient(motion[..., 0], axis=1)
    assert 0.7 < stretch.min() < 1 < stretch.max() < 1.35, "nothing folds, no pixel is drawn out"
    assert np.abs(np.gradient(motion[..., 0], axis=0)).max() < 0.2
    assert np.abs(motion[FEATURES]).max() < 0.4
    assert np.abs(motion[:, [2, -3]]).max() < 0.1, "beside the face nothing moves"
    row = round(LIPS_MEET)
    np.testing.assert_allclose(motion[row, 64], 0, atol=0.1)
    half = np.abs(motion[row, [57, 71], 0]) / np.abs(motion[row, [52, 76], 0])
    np.testing.assert_allclose(half, 7 / 12, atol=0.15)


def test_a_mouth_that_keeps_its_width_pulls_at_no_cheek() -> None:
    opened = opening_of(5, teeth=1.0)
    assert opened is not None
    np.testing.assert_array_equal(narrow_mouth(STILL, opened, face()), STILL)


def test_corners_are_held_as_far_inwards_as_lips_are_joined() -> None:
    opened = opening_of(12)
    assert opened is not None
    torn = STILL.copy()
    torn[92:, :, 1] = -6.0
    further = dataclasses.replace(opened, top=opened.top * (np.abs(COLUMNS[0]) < 12), bottom=opened.bottom * 1.0)
    further = dataclasses.replace(further, bottom=np.where(np.abs(COLUMNS[0]) < 12, opened.bottom, further.top))
    inwards = round(opened.corners[0, 0] + 5 * opened.millimetre), 96
    held = [abs(hold_corners(torn, each, face())[inwards[::-1]][1]) for each in (opened, further)]
    assert held[1] < 0.75 * held[0]


def test_no_mouth_is_found_where_corners_meet() -> None:
    source, edited = face(), face(10)
    points = source.points.copy()
    points[54] = points[48]
    lost = dataclasses.replace(source, points=points)
    assert find_opening(edited.labels, lost, STILL, edited.picture.astype(np.float32)) is None


def test_teeth_stay_with_the_skull_where_lips_are_pursed_or_drawn_up() -> None:
    """Upper lips that lie ten millimetres higher and lower than at rest, over teeth that have not moved."""
    opened, ends = face(10), []
    for rises in (-5.6, 0.0, 5.6):
        source = face()
        source.points[[61, 62, 63], 1] -= rises
        found = find_opening(opened.labels, source, STILL, opened.picture.astype(np.float32))
        assert found is not None
        ends.append(found.edge)
    nose = found.millimetres(face().points[NOSE])[1]
    assert np.ptp(ends) <= BELOW_NOSE[1] - BELOW_NOSE[0] + 1e-6
    assert ends[0] >= ends[1] >= ends[2] >= nose + BELOW_NOSE[0] - 1e-6


def test_the_midline_and_the_teeth_go_along_with_a_face_that_moves_as_a_whole() -> None:
    source, opened, way = face(), face(10), 6
    picture = np.roll(opened.picture, way, axis=1).astype(np.float32)
    motion = STILL.copy()
    motion[..., 0] = -way
    stays = find_opening(opened.labels, source, STILL, opened.picture.astype(np.float32))
    goes = find_opening(np.roll(opened.labels, way, axis=1), source, motion, picture)
    assert stays is not None
    assert goes is not None
    assert goes.middle == pytest.approx(stays.middle, abs=0.3)
    assert goes.edge == pytest.approx(stays.edge, abs=0.3)


def test_a_face_that_looks_aside_keeps_its_teeth_below_the_lip() -> None:
    """Its eyes are nearer to each other, so that its millimetres are smaller: the skull says nothing there."""
    edges = []
    for aside in (0.0, 8.0):
        source = face()
        source.points[[33, 51, 62, 66, 57], 0] += aside
        source.points[33, 1] = 70  # the nose is higher than a face that looks ahead has it
        opened = face(10)
        found = find_opening(opened.labels, source, STILL, opened.picture.astype(np.float32))
        assert found is not None
        edges.append(found.edge - float(found.top[found.centre]))
    assert edges[1] > edges[0]
    assert edges[1] > 1.5
