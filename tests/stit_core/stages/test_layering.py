"""Several faces in one frame: exact where they are alone, one seam where they meet."""

from __future__ import annotations

import numpy as np
import pytest

from stit_core.geometry import patch_bounds
from stit_core.stages.layering import Layer, face_outline, lay_together, shows_first

SIDE = 80.0  # pixels of a quad
SOURCE = np.random.default_rng(0).integers(60, 160, (120, 260, 3)).astype(np.uint8)


def face_points(x: float) -> np.ndarray:
    """68 landmarks of an upright face about x, whose outline is about 40 pixels wide."""
    points = np.zeros((68, 2))
    angles = np.linspace(np.pi, 0, 17)
    points[:17] = np.stack([x + 20 * np.cos(angles), 60 + 22 * np.sin(angles)], axis=1)
    points[17:27] = np.stack([np.linspace(x - 14, x + 14, 10), np.full(10, 52.0)], axis=1)
    points[27:] = [x, 64.0]
    return points


def layer(x: float, shift: int | None, whole: bool = True) -> Layer:
    """A face at x whose edit adds `shift` grey levels inside its quad; None: it is not edited."""
    quad = np.array([[-1, -1], [-1, 1], [1, 1], [1, -1]]) * SIDE / 2 + [x, 60]
    if shift is None:
        return Layer(face_points(x), quad)
    edited = SOURCE.copy()
    left, top, right, bottom = patch_bounds(quad, SOURCE.shape[1], SOURCE.shape[0])
    edited[top:bottom, left:right] += np.uint8(shift)
    mask = np.full((64, 64), 255 if whole else 0, np.uint8)
    return Layer(face_points(x), quad, edited, mask)


def changes(*layers: Layer) -> np.ndarray:
    made = lay_together(SOURCE, layers)
    return (made.astype(int) - SOURCE)[..., 0]


def test_faces_apart_are_each_their_own_to_the_bit() -> None:
    first, second = layer(60.0, 10), layer(200.0, 20)
    made = lay_together(SOURCE, [first, second])
    assert first.edited is not None
    assert second.edited is not None
    np.testing.assert_array_equal(made[:, :130], first.edited[:, :130])
    np.testing.assert_array_equal(made[:, 130:], second.edited[:, 130:])
    np.testing.assert_array_equal(lay_together(SOURCE, [first]), first.edited)


def test_where_two_meet_the_one_in_front_has_its_face_and_nothing_is_changed_twice() -> None:
    for front, behind in ((layer(100.0, 10), layer(130.0, 20)), (layer(130.0, 20), layer(100.0, 10))):
        found = changes(front, behind)
        own = 10 if front.points[30, 0] == 100 else 20
        assert found[60, 115] == own, "both outlines hold this pixel"
        assert (found[60, 84], found[60, 146]) == (10, 20), "each has the rest of its own face"
        assert found[25:95].max() <= 20
        # Along the line between the two: from one to the other, never under or over both.
        line = found[60, 95:136]
        assert line.min() >= 10
        assert np.count_nonzero(np.diff(np.sign(line - 15))) <= 2, "there is one seam"


def test_a_face_without_an_edit_is_not_changed_by_its_neighbours() -> None:
    found = changes(layer(130.0, None), layer(100.0, 10))
    assert found[60, 118] == 0
    assert found[60, 90] == 10


def test_changes_of_what_is_nobodys_add_up() -> None:
    found = changes(layer(100.0, 10, whole=False), layer(130.0, 20, whole=False))
    assert found[22, 115] == 30
    assert found[60, 100] == 10


def test_three_faces_at_one_place() -> None:
    found = changes(layer(130.0, 20), layer(100.0, 10), layer(160.0, 30))
    assert [found[60, x] for x in (84, 130, 176)] == [10, 20, 30]


def test_who_is_seen_where_two_faces_overlap() -> None:
    first, second = face_points(100.0), face_points(118.0)
    picture = np.full((120, 260, 3), 90, np.uint8)
    picture[:, 60:115], picture[:, 115:] = (200, 150, 120), (90, 60, 40)
    assert shows_first(picture, first, second) > 0, "the light one reaches over the dark one"
    assert shows_first(picture, second, first) < 0
    assert shows_first(picture, first, face_points(220.0)) == 0
    assert shows_first(picture, first, first) == 0


def test_an_outline_holds_the_forehead() -> None:
    outline = face_outline(face_points(100.0))
    assert outline[:, 1].min() < 48
    assert outline[:, 1].max() == pytest.approx(82, abs=1)
