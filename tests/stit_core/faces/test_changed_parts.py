"""Tests of which parts of the head are said to differ between two crops."""

from __future__ import annotations

import numpy as np
import pytest

from stit_core.faces.changed_parts import ENOUGH, LEAST, ORDER, SHARE, changed_parts, part_changes, typical_changes
from stit_core.regions import PARTS
from tests.support.labelled_heads import draw_head, tinted, with_noise


def changes_of(first: np.ndarray, second: np.ndarray, labels: np.ndarray, others: np.ndarray) -> dict[str, float]:
    return dict(zip(PARTS, part_changes(first, second, labels, others), strict=True))


def test_every_part_has_its_place_in_the_order() -> None:
    assert sorted(ORDER) == sorted(PARTS)


@pytest.mark.parametrize("part", list(PARTS))
def test_a_change_painted_into_one_part_is_that_parts_alone(part: str) -> None:
    first, labels = draw_head(1)
    second = with_noise(tinted(first, np.isin(labels, PARTS[part])), 7)
    found = changes_of(first, second, labels, labels)
    assert found[part] > 8
    assert changed_parts(found) == (part,)


def test_grain_and_small_shifts_are_no_change() -> None:
    first, labels = draw_head(2)
    second, moved = draw_head(2, shift=(1.0, 1.0))
    assert changed_parts(changes_of(first, with_noise(second, 3), labels, moved)) == ()


def test_another_framing_is_no_change_but_what_is_painted_is() -> None:
    first, labels = draw_head(3)
    second, moved = draw_head(3, zoom=0.9, shift=(2.0, -2.0))
    painted = tinted(second, np.isin(moved, PARTS["mouth"]), -50)
    found = changes_of(first, painted, labels, moved)
    assert changed_parts(found) == ("mouth",)


def test_what_a_part_covers_is_its_own_change() -> None:
    """A larger mouth over skin of the same look leaves the skin as it is."""
    first, labels = draw_head(4)
    rows, columns = np.mgrid[: len(labels), : len(labels)]
    wide = ((columns - 128) / 36) ** 2 + ((rows - 183) / 22) ** 2 < 1
    second, others = first.copy(), labels.copy()
    second[wide], others[wide] = (110, 30, 30), 11
    assert changed_parts(changes_of(first, second, labels, others)) == ("mouth",)


def test_an_outline_of_hair_that_moves_is_no_change_of_the_hair() -> None:
    first, labels = draw_head(5)
    edge = (labels == 17) & (np.abs(np.mgrid[: len(labels), : len(labels)][1] - 128) > 78)
    assert 100 < edge.sum() < 0.2 * (labels == 17).sum()
    assert changed_parts(changes_of(first, tinted(first, edge, 60), labels, labels)) == ()
    assert changed_parts(changes_of(first, tinted(first, labels == 17, 60), labels, labels)) == ("hair",)


def test_nothing_is_changed_in_place_and_the_same_comes_out_again() -> None:
    first, labels = draw_head(6)
    second = tinted(first, labels == 1)
    given = [picture.copy() for picture in (first, second, labels)]
    found = part_changes(first, second, labels, labels)
    assert np.array_equal(found, part_changes(first, second, labels, labels))
    assert all(np.array_equal(a, b) for a, b in zip(given, (first, second, labels), strict=True))


def test_a_part_that_nobody_sees_has_no_change() -> None:
    first, labels = draw_head(7)
    bald = np.where(labels == 17, 0, labels)
    found = part_changes(first, first, bald, bald)
    assert np.isnan(found[list(PARTS).index("hair")])
    assert "hair" not in typical_changes(np.stack([found, found]))


def test_another_shape_is_refused() -> None:
    first, labels = draw_head(1)
    with pytest.raises(ValueError, match="256 x 256"):
        part_changes(first[:128], first, labels, labels)


def test_typical_is_the_median_of_the_pairs_that_show_the_part() -> None:
    values = np.full((4, len(PARTS)), np.nan)
    values[:, 0] = 1.0, 2.0, 3.0, np.nan
    values[0, 3] = 0.126
    assert typical_changes(values) == {"skin": 2.0, "nose": 0.13}
    assert typical_changes(values[3:]) == {}


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({}, ()),
        ({"skin": LEAST - 0.1}, ()),
        ({"mouth": 15.0, "skin": LEAST, "nose": LEAST - 0.1}, ("skin", "mouth")),
        ({"mouth": 20.0, "skin": SHARE * 20, "nose": SHARE * 20 - 0.1}, ("skin", "mouth")),
        ({"hair": 60.0, "brows": ENOUGH, "skin": ENOUGH - 0.1}, ("brows", "hair")),
    ],
)
def test_the_rule(changes: dict[str, float], parts: tuple[str, ...]) -> None:
    assert changed_parts(changes) == parts
