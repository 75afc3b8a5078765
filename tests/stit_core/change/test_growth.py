"""The shape of a face that gets younger or older: cheeks, eyes and the skin between nose and lip."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from stit_core.change.drawn import Drawn, moved_point
from stit_core.change.growth import CUPID, NOSE, grow
from stit_core.warps import warp, warp_between
from tests.support.transfer_cases import SIZE, drawn, face_landmarks, head_labels

MARKS = 2, 3, 8, 13, 14, 33, 51, 57


def face() -> Drawn:
    return dataclasses.replace(drawn(head_labels()), points=face_landmarks())


def motion_of(ways: dict[int, tuple[float, float]]) -> np.ndarray:
    """A motion that takes landmarks along by x and y, and leaves eyes and chin."""
    wanted = {mark: ways.get(mark, (0.0, 0.0)) for mark in (*MARKS, 36, 39, 42, 45)}
    points, offsets = face().points[list(wanted)], np.array(list(wanted.values()))
    return -warp_between(points + offsets, offsets, SIZE)


def grown(motion: np.ndarray, ageing: float) -> np.ndarray:
    """The motion and then that of growth."""
    growth = grow(face(), motion, ageing)
    return growth + warp(motion, growth)


def way(mark: int, motion: np.ndarray) -> np.ndarray:
    return moved_point(face().points[mark], motion) - face().points[mark]


SHORT_NOSE = motion_of({33: (0, -5), 51: (0, -2), 57: (0, -2)})
LONG_NOSE = motion_of({33: (0, 5), 51: (0, 2), 57: (0, 2)})
THIN = motion_of({mark: (3.0 if mark < 8 else -3.0, 0) for mark in (2, 3, 13, 14)})


@pytest.mark.parametrize(("motion", "ageing"), [(SHORT_NOSE, -1.0), (LONG_NOSE, 1.0)], ids=["younger", "older"])
def test_the_lip_below_a_nose_keeps_its_length(motion: np.ndarray, ageing: float) -> None:
    before = way(CUPID, motion)[1] - way(NOSE, motion)[1]
    after = way(CUPID, grown(motion, ageing))[1] - way(NOSE, grown(motion, ageing))[1]
    assert abs(after) < 0.4 * abs(before)
    assert abs(way(8, grown(motion, ageing))[1] - way(8, motion)[1]) < 0.6, "the chin stays"
    aside = np.array([64.0, 40.0])
    np.testing.assert_allclose(moved_point(aside, grown(motion, ageing)), moved_point(aside, motion), atol=0.3)


def test_cheeks_of_a_younger_face_get_no_thinner() -> None:
    for mark, inwards in ((3, 1), (13, -1)):
        assert inwards * way(mark, THIN)[0] > 2
        assert inwards * way(mark, grown(THIN, -1.0))[0] < 1
        np.testing.assert_allclose(way(mark, grown(THIN, 1.0)), way(mark, THIN), atol=0.3)


def test_eyes_of_a_younger_face_are_larger() -> None:
    still = np.zeros((SIZE, SIZE, 2), np.float32)
    for outer, inner in ((36, 39), (45, 42)):
        width = np.abs(face().points[outer] - face().points[inner])[0]
        larger = abs(way(outer, grown(still, -1.0))[0] - way(inner, grown(still, -1.0))[0]) / width
        assert 0.01 < larger < 0.1
    np.testing.assert_array_equal(grow(face(), still, 0.0), still)
