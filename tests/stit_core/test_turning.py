"""Pictures turned by quarters, and places in them carried there and back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stit_core.artefacts import FrameFolder
from stit_core.turning import TurnedFrames, tell_turn, turn_box, turn_picture, turn_points

HEIGHT, WIDTH = 3, 5


@pytest.mark.parametrize("turn", [0, 1, 2, 3])
def test_a_point_goes_where_its_pixel_goes(turn: int) -> None:
    picture = np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH)
    turned = turn_picture(picture, turn)
    for y in range(HEIGHT):
        for x in range(WIDTH):
            there = turn_points(np.array([x, y]), turn, WIDTH, HEIGHT)
            assert turned[there[1], there[0]] == picture[y, x]


@pytest.mark.parametrize("turn", [0, 1, 2, 3])
def test_points_and_boxes_come_back(turn: int) -> None:
    height, width = (WIDTH, HEIGHT) if turn % 2 else (HEIGHT, WIDTH)
    points = np.random.default_rng(0).random((4, 68, 2)) * 3
    there = turn_points(points, turn, WIDTH, HEIGHT)
    np.testing.assert_allclose(turn_points(there, -turn, width, height), points)
    box = (1.0, 0.0, 3.0, 2.0)
    assert turn_box(turn_box(box, turn, WIDTH, HEIGHT), -turn, width, height) == box


def test_a_box_covers_the_same_pixels() -> None:
    picture = np.zeros((HEIGHT, WIDTH))
    picture[0:2, 1:4] = 1
    for turn in range(4):
        left, top, right, bottom = (int(edge) for edge in turn_box((1, 0, 4, 2), turn, WIDTH, HEIGHT))
        turned = turn_picture(picture, turn)
        assert turned[top:bottom, left:right].all()
        assert turned.sum() == (bottom - top) * (right - left)


def test_frames_are_read_turned_and_stay_as_they_are(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (4, 6, 3), dtype=np.uint8)
    FrameFolder(tmp_path, (0,)).write(0, picture)
    turned = TurnedFrames(tmp_path, (0,), 1)
    for found in (turned.read(0), turned[0], next(iter(turned))):
        np.testing.assert_array_equal(found, np.rot90(picture))
        assert found.flags["C_CONTIGUOUS"]
    np.testing.assert_array_equal(FrameFolder(tmp_path, (0,)).read(0), picture)


def test_it_is_told_how_a_clip_lies() -> None:
    assert tell_turn(0) == ()
    assert ["on its head" in text and "half a turn" in text for text in tell_turn(2)] == [True]
    assert "quarter turn to the left" in tell_turn(1)[0]
