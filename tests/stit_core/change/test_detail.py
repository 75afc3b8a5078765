"""Detail of the source that an edit gets back."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from stit_core.change.detail import transfer_detail, zoom_of

SIZE = 128


def smooth_face(seed: int = 0) -> np.ndarray:
    """A smooth random picture (SIZE, SIZE, 3) uint8, as a pivot is."""
    field = gaussian_filter(np.random.default_rng(seed).normal(size=(SIZE, SIZE, 3)), (5, 5, 0), mode="nearest")
    return np.clip(128 + 40 * field / field.std(), 20, 235).astype(np.uint8)


def speckled(picture: np.ndarray) -> np.ndarray:
    """The picture with fine dark dots, what a generator leaves out."""
    dots = np.random.default_rng(1).random(picture.shape[:2]) < 0.03
    return np.where(dots[..., None], np.maximum(picture, 20) - 20, picture).astype(np.uint8)


def inner(picture: np.ndarray) -> np.ndarray:
    """The middle of a picture, away from its edges, as whole numbers with a sign."""
    edge = picture.shape[0] // 6
    return picture[edge:-edge, edge:-edge].astype(int)


def test_an_edit_that_changes_nothing_gives_the_source_back() -> None:
    pivot = smooth_face()
    assert np.array_equal(transfer_detail(pivot, pivot, speckled(pivot)), speckled(pivot))


def test_detail_moves_with_the_face() -> None:
    pivot = smooth_face()
    source = speckled(pivot)
    moved, wanted = (np.roll(picture, 3, axis=1) for picture in (pivot, source))
    result = transfer_detail(moved, pivot, source)
    left_alone = np.abs(inner(source) - inner(wanted)).mean()  # were the detail added where it was
    assert np.abs(inner(result) - inner(wanted)).mean() < 0.35 * left_alone


def test_detail_survives_a_change_of_colour() -> None:
    pivot = smooth_face()
    source = speckled(pivot)
    darker = (0.6 * pivot).astype(np.uint8)
    added = inner(transfer_detail(darker, pivot, source)) - inner(darker)
    missing = inner(source) - inner(pivot)
    assert np.corrcoef(added.ravel(), missing.ravel())[0, 1] > 0.8
    assert 0.4 < np.abs(added).sum() / np.abs(missing).sum() < 0.9  # weaker on a darker face


def test_detail_of_something_else_is_left_out() -> None:
    pivot = smooth_face()
    source, other = speckled(pivot), smooth_face(seed=9)
    added = inner(transfer_detail(other, pivot, source)) - inner(other)
    assert np.abs(added).mean() < 0.5 * np.abs(inner(source) - inner(pivot)).mean()


def test_a_larger_source_gives_a_sharper_result() -> None:
    pivot = smooth_face()
    source = np.repeat(np.repeat(pivot, 2, axis=0), 2, axis=1)
    source[::4, ::4] = 0
    assert np.array_equal(transfer_detail(pivot, pivot, source), source)


def test_crops_that_do_not_fit_are_refused() -> None:
    pivot = smooth_face()
    with pytest.raises(ValueError, match="do not fit together"):
        transfer_detail(pivot, pivot[:64], pivot)
    with pytest.raises(ValueError, match="do not fit together"):
        transfer_detail(pivot, pivot, np.zeros((200, 200, 3), np.uint8))


@pytest.mark.parametrize(("side", "zoom"), [(100, 1), (300, 1), (330, 2), (700, 3), (5000, 4)])
def test_zoom_follows_the_quad(side: float, zoom: int) -> None:
    assert zoom_of(np.array([[0, 0], [0, side], [side, side], [side, 0]], float), 256) == zoom
