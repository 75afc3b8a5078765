from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from stit_core.change.joining import join_lips, opens_nothing
from tests.support.mouth_cases import LIPS_MEET, face, meeting, opened_by, parted
from tests.support.transfer_cases import SIZE


def test_a_smile_that_shows_dark_under_its_teeth_laughs_and_one_whose_teeth_are_together_may_be_shut() -> None:
    smiling = opened_by(5, teeth=1.0)
    lip = smiling.bottom[smiling.centre]
    assert opens_nothing(dataclasses.replace(smiling, edge=lip)) == 1
    assert opens_nothing(dataclasses.replace(smiling, edge=lip - 4)) == 0
    assert 0 < opens_nothing(dataclasses.replace(smiling, edge=lip - 2)) < 1


@pytest.mark.parametrize(("up", "down"), [(1.0, 4.0), (3.0, 2.0), (0.0, 3.0)])
def test_lips_that_a_smile_parts_are_joined_where_they_met(up: float, down: float) -> None:
    source, motion = meeting(), parted(up, down)
    opening, joined = join_lips(opened_by(5, teeth=1.0), source, motion, 1.0)
    assert np.abs(opening.bottom - opening.top).max() < 1e-6
    came = np.arange(SIZE)[:, None] + joined[..., 1]
    for column in (60, 64, 68):
        meets = np.flatnonzero(np.abs(came[:, column] - LIPS_MEET) < 0.75)
        assert 1 <= len(meets) <= 3, "the line is there, and no wider than it was"
        assert LIPS_MEET - up - 1.5 <= meets.mean() <= LIPS_MEET + down + 1.5
        assert (np.diff(came[:, column]) > -0.01).all(), "nothing is seen twice"
    upper, seam, lower = np.interp(
        [source.points[51, 1], LIPS_MEET, source.points[57, 1]], came[:, 64], np.arange(SIZE)
    )
    assert 0.8 <= (seam - upper) / (LIPS_MEET - source.points[51, 1]) <= 1.05
    assert 0.8 <= (lower - seam) / (source.points[57, 1] - LIPS_MEET) <= 1.05
    np.testing.assert_allclose(joined[:70], motion[:70], atol=0.2)
    np.testing.assert_allclose(joined[-4:], motion[-4:], atol=0.7)


@pytest.mark.parametrize("share", [0.5, 0.6, 0.75])
def test_lips_that_are_joined_in_part_lie_where_the_opening_ends(share: float) -> None:
    source, drawn = meeting(), opened_by(5, teeth=1.0)
    high = float((drawn.bottom - drawn.top)[drawn.centre]) * drawn.millimetre
    opening, joined = join_lips(drawn, source, parted(0.2 * high, 0.8 * high), share)
    left = float((opening.bottom - opening.top)[opening.centre]) * drawn.millimetre
    came = np.arange(SIZE) + joined[:, 64, 1]
    upper, lower = np.interp([LIPS_MEET - 1.5, LIPS_MEET + 1.5], came, np.arange(SIZE))
    assert lower - upper - 3 == pytest.approx(left, abs=1.0)


def test_lips_that_no_motion_parts_are_hardly_brought_together() -> None:
    source = meeting()
    _, joined = join_lips(opened_by(5, teeth=1.0), source, parted(0.0, 0.0), 1.0)
    came = np.arange(SIZE) + joined[:, 64, 1]
    seam, lower = np.interp([LIPS_MEET, source.points[57, 1]], came, np.arange(SIZE))
    assert 0.8 <= (lower - seam) / (source.points[57, 1] - LIPS_MEET) <= 1.05


def test_lips_are_joined_by_a_share_and_left_alone_by_none() -> None:
    source, motion, drawn = face(), parted(2.0, 3.0), opened_by(5, teeth=1.0)
    assert join_lips(drawn, source, motion, 0.0) == (drawn, motion)
    half, between = join_lips(drawn, source, motion, 0.5)
    np.testing.assert_allclose(half.bottom - half.top, (drawn.bottom - drawn.top) / 2, atol=1e-6)
    assert half.edge <= half.bottom[half.centre] + 1e-6, "the lip meets the teeth"
    chin = int(LIPS_MEET) + 10
    assert motion[chin, 64, 1] < between[chin, 64, 1] < 0, "it comes up half of the way"
