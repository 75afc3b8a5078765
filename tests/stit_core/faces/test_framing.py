"""Tests of the framing between two crops of one head."""

from __future__ import annotations

import numpy as np
import pytest

from stit_core.faces.framing import framing
from tests.support.labelled_heads import draw_head, tinted, with_noise


def corner_error(found: np.ndarray, zoom: float, shift: tuple[float, float]) -> float:
    """How far the corners of the head's middle lie from where they ought to, pixels."""
    points = np.array([[60.0, 60, 1], [196, 60, 1], [60, 196, 1], [196, 196, 1]])
    truth = np.array([[zoom, 0, 128 * (1 - zoom) + shift[0]], [0, zoom, 128 * (1 - zoom) + shift[1]]])
    return float(np.abs(points @ found.T - points @ truth.T).max())


@pytest.mark.parametrize(
    ("zoom", "shift"), [(1.0, (0.0, 0.0)), (1.1, (0.0, 0.0)), (0.9, (3.0, -4.0)), (1.0, (5.0, 6.0))]
)
def test_scale_and_shift_are_found(zoom: float, shift: tuple[float, float]) -> None:
    first, labels = draw_head(1)
    second, moved = draw_head(1, zoom, shift)
    found = framing(first, with_noise(second, 5), (labels > 0) | (moved > 0))
    assert corner_error(found, zoom, shift) < 1.5


def test_darker_skin_is_no_framing() -> None:
    first, labels = draw_head(2)
    second = tinted(first, np.isin(labels, (1, 7, 8, 10, 14)), -60)
    assert corner_error(framing(first, second, labels > 0), 1.0, (0.0, 0.0)) < 1.0


def test_other_pictures_are_left_as_they_are() -> None:
    first, labels = draw_head(3)
    noise = np.random.default_rng(0).integers(0, 255, first.shape).astype(np.uint8)
    found = framing(first, noise, labels > 0)
    assert np.abs(found[:, :2] - np.eye(2)).max() < 0.35
    assert np.array_equal(framing(first, first, labels > 99), np.eye(2, 3, dtype=np.float32))  # no head
