"""Halves of a face that change alike."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from stit_core.change.drawn import Drawn
from stit_core.change.evening import even
from tests.support.smile_cases import calm_face
from tests.support.transfer_cases import SIZE

LEFT, RIGHT, ROW = 52, 76, 92  # the same place of either half, the midline being column 64


def frontal(middle: float = 64.0) -> Drawn:
    """A face whose nose and lips have their middle in that column."""
    face = calm_face()
    points = face.points.copy()
    points[[33, 51, 62, 66, 57], 0] = middle
    return dataclasses.replace(face, points=points)


def down(left: float, right: float) -> np.ndarray:
    """A motion under which the halves of a face go down by so many pixels."""
    motion = np.zeros((SIZE, SIZE, 2), np.float32)
    motion[:, :64, 1], motion[:, 64:, 1] = -left, -right
    return motion


def test_what_both_halves_do_stays() -> None:
    motion = down(4.0, 4.0)
    motion[..., 0] = np.linspace(3, -3, SIZE)  # a mouth that gets wider does so to both sides
    np.testing.assert_allclose(even(motion, frontal())[70:110, 30:98], motion[70:110, 30:98], atol=0.15)


def test_what_one_half_does_alone_and_against_the_face_around_is_not_believed() -> None:
    motion = down(-3.0, -3.0)
    motion[88:96, 48:58, 1] = 5.0  # a corner of the mouth that jumps up
    made = even(motion, frontal())
    assert made.dtype == np.float32
    assert made[ROW, LEFT, 1] == pytest.approx(3.0, abs=0.4)
    assert made[ROW, RIGHT, 1] == pytest.approx(3.0, abs=0.4)


def test_a_face_that_looks_a_little_aside_moves_without_a_step_in_its_middle() -> None:
    motion = np.zeros((SIZE, SIZE, 2), np.float32)
    motion[..., 0] = 2.0
    made = even(motion, frontal(65.5))
    assert np.abs(np.diff(made[70:110], axis=1)).max() < 0.15


def test_eyes_may_look_aside_and_a_face_that_does_is_left_alone() -> None:
    motion = down(2.0, -2.0)
    made = even(motion, frontal())
    np.testing.assert_array_equal(made[:66], motion[:66])
    assert np.abs(made[ROW, LEFT, 1] - made[ROW, RIGHT, 1]) < 1.0
    np.testing.assert_array_equal(even(motion, frontal(72.0)), motion)
