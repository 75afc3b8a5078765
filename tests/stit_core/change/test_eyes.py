"""Eyes that an edit of the whole face makes larger: how far they follow it."""

from __future__ import annotations

import numpy as np
import pytest

from stit_core.change.drawn import Drawn, moved_point
from stit_core.change.eyes import LIDS, hold_eyes
from tests.support.smile_cases import calm_face
from tests.support.transfer_cases import SIZE


def higher(source: Drawn, times: float) -> np.ndarray:
    """A motion under which all that lies around either eye gets higher from its middle, by a factor."""
    rows = np.arange(SIZE, dtype=np.float32)[:, None]
    motion, middle = np.zeros((SIZE, SIZE, 2), np.float32), source.points[36:48, 1].mean()
    motion[..., 1] = (1 / times - 1) * (rows - middle) * np.exp(-0.5 * np.square((rows - middle) / 16))
    return motion


def heights(source: Drawn, motion: np.ndarray) -> np.ndarray:
    """Of both eyes after a motion, held against those before."""

    def opening(pairs: tuple[tuple[int, int], ...], moved: np.ndarray) -> float:
        places = [[moved_point(source.points[i], moved)[1] for i in pair] for pair in pairs]
        return float(np.diff(places, axis=1).sum())

    still = np.zeros_like(motion)
    return np.array([opening(pairs, motion) / opening(pairs, still) for pairs in LIDS])


@pytest.fixture(name="face")
def _face() -> Drawn:
    face = calm_face()
    for upper, lower in (*LIDS[0], *LIDS[1]):
        face.points[upper, 1], face.points[lower, 1] = 55, 65
    return face


@pytest.mark.parametrize("times", [1.3, 1.6])
def test_an_eye_gets_higher_by_a_tenth_at_most(face: Drawn, times: float) -> None:
    motion = higher(face, times)
    assert (heights(face, motion) > 1.2).all()
    held = heights(face, hold_eyes(motion, face, 0.1))
    assert (held > 1.02).all(), "larger they get"
    assert (held < 1.13).all()


@pytest.mark.parametrize("times", [0.8, 1.0])
def test_eyes_that_do_not_grow_are_left_alone(face: Drawn, times: float) -> None:
    motion = higher(face, times)
    np.testing.assert_array_equal(hold_eyes(motion, face, 0.1), motion)


def test_eyes_that_are_meant_grow(face: Drawn) -> None:
    motion = higher(face, 1.4)
    np.testing.assert_allclose(heights(face, hold_eyes(motion, face, 10.0)), heights(face, motion), atol=0.03)


def test_what_lies_away_from_the_eyes_stays(face: Drawn) -> None:
    motion = higher(face, 1.4)
    np.testing.assert_allclose(hold_eyes(motion, face, 0.1)[95:], motion[95:], atol=0.05)
