from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from stit_core.change.drawn import Drawn
from stit_core.change.pose import AXIS, keep_head
from tests.support.transfer_cases import SIZE, drawn, head_labels, landmarks, painted

LABELS = head_labels()
HALF = 50.0  # pixels that one unit of places is wide


def turned(angle: float, shift: float = 0.0, wider: float = 1.0) -> Drawn:
    """A ball of a head, turned by `angle` radians around its axis, drawn `shift` pixels aside and `wider`."""
    rows, columns = np.indices((SIZE, SIZE), dtype=np.float64)
    x, y = (columns - 64 - shift) / (HALF * wider), (70 - rows) / HALF
    depth = np.sqrt(np.maximum(1 - x * x - y * y, 0))
    across, deep = x * np.cos(angle) - depth * np.sin(angle), x * np.sin(angle) + depth * np.cos(angle)
    places = np.dstack([across, y, deep + AXIS]).astype(np.float32)
    return Drawn(painted(LABELS), LABELS, landmarks(), places, np.ones((SIZE, SIZE), np.float32))


def test_a_head_without_places_is_handed_back() -> None:
    edited = drawn(LABELS)
    kept, turn = keep_head(edited, edited)
    assert kept is edited
    assert not turn.any()


def test_a_head_that_is_drawn_aside_and_wider_goes_back() -> None:
    pivot, edited = turned(0.0), turned(0.0, shift=-9.0, wider=1.05)
    kept, turn = keep_head(pivot, edited)
    inside = np.s_[50:90, 44:84]
    np.testing.assert_allclose(kept.places[inside], pivot.places[inside], atol=0.02)
    assert np.abs(turn[inside]).max() < 0.5
    assert kept.points[:, 0] == pytest.approx(64 + (edited.points[:, 0] - 55) / 1.05, abs=0.3)
    np.testing.assert_array_equal(kept.points[:, 1], edited.points[:, 1])


def test_a_turn_moves_what_is_in_front_and_leaves_the_outline() -> None:
    angle = 0.2
    # Aligned by its eyes, the head that turns is drawn pushed back by as much as they move.
    _, turn = keep_head(turned(0.0), turned(angle, shift=-HALF * np.sin(angle)))
    nose = turn[60:80, 70:78, 0].mean()
    assert nose == pytest.approx(-HALF * np.sin(angle), abs=2.5)
    assert abs(turn[60:80, 15:18, 0].mean()) < 0.6 * abs(nose)
    assert np.abs(turn[..., 1]).max() == 0


def test_a_head_that_should_not_turn_is_put_back_and_keeps_what_moves_in_its_face() -> None:
    pivot, edited = turned(0.0), turned(0.08)
    moved = edited.points.copy()
    moved[48:] += (0, 5)
    kept, turn = keep_head(pivot, dataclasses.replace(edited, points=moved), turning=0.0)
    inside = np.s_[50:90, 48:80]
    assert np.abs((edited.places - pivot.places)[inside][..., 0]).mean() > 0.05
    assert np.abs((kept.places - pivot.places)[inside][..., 0]).mean() < 0.012
    assert not turn.any()
    np.testing.assert_array_equal(kept.points[:, 1], moved[:, 1])
    whole, way = keep_head(pivot, edited)
    half, half_way = keep_head(pivot, edited, turning=0.5)
    np.testing.assert_allclose(half_way, 0.5 * way)
    front = 34  # a landmark below the nose; the edit is drawn to the left of the pivot
    assert half.points[front, 0] - kept.points[front, 0] == pytest.approx(
        0.5 * (whole.points[front, 0] - kept.points[front, 0]), abs=1e-3
    )
