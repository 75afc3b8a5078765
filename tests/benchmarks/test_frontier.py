"""Measures of the tuning's frontier on shapes whose answer is known, and the plot."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks.frontier_measures import fit_similarity, jitter, outline_errors, point_errors, registered, spread
from benchmarks.frontier_plot import draw_frontier, ticks


@pytest.fixture
def points():
    found = np.random.default_rng(0).uniform(40, 200, (68, 2))
    found[36:42], found[42:48] = (80, 100), (180, 100)  # eyes 100 px apart, shut
    return found


def test_a_shift_counts_as_place_and_not_as_shape(points):
    found = point_errors(points, points + np.array([3.0, 4.0]))
    assert found["place"] == pytest.approx(5.0)
    assert found["shape"] == pytest.approx(0.0, abs=1e-9)
    assert (found["mouth"], found["lids"]) == pytest.approx((0.0, 0.0))


def test_turn_and_scale_are_taken_out_and_a_mouth_that_opens_is_not(points):
    turn = np.array([[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]])
    np.testing.assert_allclose(fit_similarity(1.4 * points @ turn.T + 7, points), points, atol=1e-9)
    shut, wide = points.copy(), points.copy()
    shut[60:68], wide[60:64], wide[64:68] = (130, 150), (130, 140), (130, 160)
    assert point_errors(shut, wide)["mouth"] == pytest.approx(20.0)


def test_a_face_that_is_not_found_counts_as_unknown(points):
    assert all(np.isnan(value) for value in point_errors(points, None).values())


def test_outlines_of_equal_masks_are_0_apart_and_of_moved_ones_as_far_as_they_moved():
    labels, moved = np.zeros((64, 64), int), np.zeros((64, 64), int)
    labels[16:48, 16:48] = moved[16:48, 18:50] = 17
    assert outline_errors(labels, labels)["outline hair"] == 0.0
    # Two sides of four stand 2 px off; the other two run along each other but for their ends.
    assert 0.9 < outline_errors(labels, moved)["outline hair"] < 1.3
    assert np.isnan(outline_errors(labels, moved)["outline lips"])


def test_registration_carries_a_spot_to_where_its_landmark_is_wanted(points):
    pictures = torch.zeros(1, 2, 3, 256, 256)
    x, y = (round(v) for v in points[30])
    pictures[..., y - 2 : y + 3, x - 2 : x + 3] = 1.0
    moved = registered(pictures, points, points + np.array([10.0, -6.0]))
    rows, columns = torch.where(moved[0, 0, 0] > 0.5)
    assert abs(float(columns.float().mean()) - (x + 10)) < 1.5
    assert abs(float(rows.float().mean()) - (y - 6)) < 1.5
    assert torch.equal(registered(pictures, None, points), pictures)


def test_jitter_is_0_for_steady_motion_and_grows_with_flicker():
    ramp = np.arange(8, dtype=np.float32)[:, None, None, None] * np.ones((1, 4, 4, 3), np.float32)
    assert jitter(ramp) == 0.0
    flicker = ramp.copy()
    flicker[::2] += 1
    assert jitter(flicker) == pytest.approx(2.0)


def test_spread_and_ticks():
    assert spread(2, 8) == [2, 6]
    assert ticks(0.0, 6.0) == [0, 1, 2, 3, 4, 5, 6]
    assert ticks(0.5, 1.0) == [0.5, 0.6, 0.7, 0.8, 0.9, 1.0]


def test_the_plot_has_a_panel_for_each_pair_of_axes(tmp_path):
    panels = [("place", "kept", {"a": (1.0, 0.9), "b": (2.0, 1.0)}), ("mouth", "kept", {"a": (3.0, 0.9)})]
    draw_frontier(panels, ("a",), "title", tmp_path / "plots" / "frontier.png")
    with Image.open(tmp_path / "plots" / "frontier.png") as picture:
        pixels = np.asarray(picture.convert("RGB"))
    assert pixels.shape[0] > pixels.shape[1]
    red = (pixels[..., 0] > 180) & (pixels[..., 1] < 90)
    assert red[: len(red) // 2].any()
    assert red[len(red) // 2 :].any()
