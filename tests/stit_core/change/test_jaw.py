from __future__ import annotations

import numpy as np
import pytest

from stit_core.change.drawn import Drawn
from stit_core.change.jaw import CHIN, CORNERS, NOSE, shape_jaw
from tests.support.transfer_cases import SIZE, head_labels, landmarks, painted


def face() -> Drawn:
    points = landmarks()
    points[36:42], points[42:48] = (48, 56), (80, 56)
    points[NOSE], points[CHIN] = (64, 80), (64, 112)
    points[list(CORNERS)] = (34, 96), (94, 96)
    return Drawn(painted(head_labels()), head_labels(), points)


def rising(nose: float, chin: float) -> np.ndarray:
    """A motion under which all above the mouth rises by `nose` pixels and all below by `chin`."""
    motion = np.zeros((SIZE, SIZE, 2), np.float32)
    motion[64:96, :, 1], motion[96:, :, 1] = nose, chin
    return motion


@pytest.mark.parametrize("way", [1, -1])
def test_a_jaw_gets_narrower_as_the_face_gets_shorter_and_wider_as_it_gets_longer(way: int) -> None:
    shaped = shape_jaw(rising(3 * way, 4 * way), face()) - rising(3 * way, 4 * way)
    left, right = shaped[100, 34, 0], shaped[100, 94, 0]
    assert right * way > 1
    assert left == pytest.approx(-right, abs=0.1)
    assert np.abs(shaped[:60]).max() == 0, "eyes and what is above stay"
    assert np.abs(shaped[:, 62:67]).max() < 0.1, "so does the middle"


@pytest.mark.parametrize(("nose", "chin"), [(0, -9), (2, 0), (2, -9)])
def test_a_mouth_that_opens_or_a_nose_that_wrinkles_leaves_the_jaw(nose: float, chin: float) -> None:
    np.testing.assert_array_equal(shape_jaw(rising(nose, chin), face()), rising(nose, chin))
