from __future__ import annotations

import cv2
import numpy as np
import pytest

from stit_core.warps import fill, warp, warp_between, warp_labels


def test_a_warp_takes_points_along_and_leaves_the_rim() -> None:
    random = np.random.default_rng(0)
    points = random.uniform(60, 190, (30, 2))
    offsets = np.stack([4 * np.sin(points[:, 1] / 40), 3 * np.cos(points[:, 0] / 50)], axis=1)
    field = warp_between(points, offsets, 256)
    x, y = points.T.astype(np.float32)
    found = cv2.remap(field, x[:, None], y[:, None], cv2.INTER_LINEAR)[:, 0]
    assert np.abs(found - offsets).mean() < 0.6
    assert np.abs(field[0]).max() < 1.0
    assert np.abs(field[:, -1]).max() < 1.0


def test_no_offsets_are_no_warp() -> None:
    points = np.random.default_rng(1).uniform(10, 50, (20, 2))
    assert np.abs(warp_between(points, np.zeros((20, 2)), 64)).max() < 1e-6


@pytest.mark.parametrize("channels", [None, 1, 3, 12])
def test_values_are_looked_up_where_the_offset_points(channels: int | None) -> None:
    shape = (20, 20) if channels is None else (20, 20, channels)
    values = np.random.default_rng(2).random(shape).astype(np.float32)
    moved = warp(values, np.full((20, 20, 2), (2.0, 3.0), np.float32))
    expected = values[3:, 2:]
    np.testing.assert_allclose(moved[:17, :18].reshape(expected.shape), expected, atol=1e-5)


def test_labels_stay_labels() -> None:
    labels = np.random.default_rng(3).integers(0, 19, (20, 20)).astype(np.uint8)
    moved = warp_labels(labels, np.full((20, 20, 2), (0.6, 0.0), np.float32))
    np.testing.assert_array_equal(moved[:, :19], labels[:, 1:])


def test_filling_keeps_what_is_known_and_goes_on_smoothly() -> None:
    values = np.zeros((32, 32, 2), np.float32)
    known = np.zeros((32, 32), np.float32)
    known[8:24, 8:24] = 1
    values[8:24, 8:24] = (1.0, -2.0)
    filled = fill(values, known)
    np.testing.assert_allclose(filled, np.broadcast_to((1.0, -2.0), (32, 32, 2)), atol=0.02)
