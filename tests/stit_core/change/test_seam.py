from __future__ import annotations

import numpy as np
import pytest

from stit_core.change.seam import open_along_seam, open_over_own
from tests.support.mouth_cases import LIPS_MEET, face, meeting, opened_by, parted
from tests.support.transfer_cases import STILL


def test_a_mouth_that_gapes_covers_no_lip_that_has_not_gone_away() -> None:
    source = meeting()
    opening = opened_by(12)
    centre = opening.centre
    lip_begins = opening.millimetres(np.array([64.0, LIPS_MEET + 4.0]))[1]
    assert opening.bottom[centre] > lip_begins + 1
    yielding = open_along_seam(opening, source, parted(6.0, 4.0))
    assert abs(yielding.bottom[centre] - lip_begins) < 0.6 * (opening.bottom[centre] - lip_begins)
    assert (yielding.bottom >= yielding.top).all()
    smile = opened_by(5, teeth=1.0)
    kept = open_along_seam(smile, source, parted(2.0, 1.0))
    assert (kept.bottom >= smile.bottom - 1e-6).all(), "teeth that are together keep the place that they have"


def test_a_mouth_opens_over_all_of_the_source_s_own() -> None:
    opening, source = opened_by(7), face(10)
    over = open_over_own(opening, source, STILL)
    own = opening.millimetres(np.array([[64.0, LIPS_MEET - 5.0], [64.0, LIPS_MEET + 5.0]]))[:, 1]
    assert opening.top[opening.centre] > own[0]
    assert over.top[opening.centre] < own[0] + 0.3
    assert over.bottom[opening.centre] > own[1] - 0.3
    ends = opening.bottom <= opening.top + 1e-3
    np.testing.assert_array_equal(over.bottom[ends], opening.bottom[ends])
    assert open_over_own(opening, face(), STILL) is opening, "a mouth that is shut has none"


@pytest.mark.parametrize("pixels", [6, 14])
def test_an_opening_that_is_wider_than_the_source_s_own_stays(pixels: int) -> None:
    opening = opened_by(pixels)
    over = open_over_own(opening, face(2), STILL)
    middle = slice(opening.centre - 20, opening.centre + 20)
    np.testing.assert_allclose(over.top[middle], opening.top[middle], atol=0.2)
    np.testing.assert_allclose(over.bottom[middle], opening.bottom[middle], atol=0.2)
