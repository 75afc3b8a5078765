"""Skin colour against published figures."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.color import lab2rgb

from stit_core.review.colour import (
    SkinColour,
    colour_difference,
    hue_turn,
    ita_name,
    same_skin,
    skin_colour,
)


@pytest.mark.parametrize(  # Sharma, Wu and Dalal 2005, table 1, pairs 1, 7, 13, 17, 24 and 31
    ("first", "second", "wanted"),
    [
        ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
        ((50.0, 0.0, 0.0), (50.0, -1.0, 2.0), 2.3669),
        ((50.0, -0.001, 2.49), (50.0, 0.0011, -2.49), 4.7461),
        ((50.0, 2.5, 0.0), (73.0, 25.0, -18.0), 27.1492),
        ((50.0, 2.5, 0.0), (50.0, 3.2592, 0.335), 1.0),
        ((22.7233, 20.0904, -46.694), (23.0331, 14.973, -42.5619), 2.0373),
    ],
)
def test_colour_difference_is_that_of_the_paper(
    first: tuple[float, float, float], second: tuple[float, float, float], wanted: float
) -> None:
    assert colour_difference(SkinColour(*first), SkinColour(*second)) == pytest.approx(wanted, abs=1e-4)


def test_ita_has_its_usual_names() -> None:
    assert SkinColour(70.0, 10.0, 10.0).ita == pytest.approx(63.435, abs=1e-3)
    assert [ita_name(ita) for ita in (60, 50, 30, 20, 0, -40)] == [
        "very light", "light", "intermediate", "tan", "brown", "dark",
    ]  # fmt: skip


def test_the_colour_of_a_patch_is_read_back() -> None:
    picture = np.round(255 * lab2rgb(np.full((40, 40, 3), [60.0, 18.0, 20.0]))).astype(np.uint8)
    found = skin_colour(picture, np.ones((40, 40), bool))
    assert found is not None
    assert (found.lightness, found.a, found.b) == pytest.approx((60, 18, 20), abs=0.4)
    assert found.hue == pytest.approx(np.degrees(np.arctan2(20, 18)), abs=1)
    assert skin_colour(picture, np.zeros((40, 40), bool)) is None


def test_a_hue_turns_the_short_way() -> None:
    assert hue_turn(SkinColour(50, 1, 1), SkinColour(50, 0, 1)) == pytest.approx(45)
    assert hue_turn(SkinColour(50, -1, 0.1), SkinColour(50, -1, -0.1)) == pytest.approx(11.42, abs=0.01)


def test_only_skin_that_both_show_counts() -> None:
    before, after = np.zeros((30, 30), np.uint8), np.zeros((30, 30), np.uint8)
    before[:, :20], after[:, 10:] = 1, 10  # skin, nose
    mask = same_skin(before, after)
    assert mask[15, 12:18].all()
    assert not mask[:, :12].any()
    assert not mask[:, 18:].any()
