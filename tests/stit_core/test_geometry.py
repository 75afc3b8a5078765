from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from stit_core.geometry import (
    perspective_coefficients,
    quad_axes,
    smooth_quads,
    warp_quad_to_square,
    warp_square_to_frame,
)
from tests.support.geometry_cases import KEPT_EVERY, REFERENCE, levels_apart, reference_frame

SQUARE = np.array([[0, 0], [0, 256], [256, 256], [256, 0]], dtype=np.float64)


def test_axes_and_quads_agree_with_the_reference() -> None:
    landmarks = REFERENCE["landmarks"].copy()
    center, x, y = quad_axes(landmarks)
    for ours, name in ((center, "center_raw"), (x, "x_raw"), (y, "y_raw")):
        np.testing.assert_allclose(ours, REFERENCE[name], atol=1e-6, rtol=0)
    np.testing.assert_allclose(smooth_quads(center, x, y, 1.0, 3.0), REFERENCE["quads_default"], atol=1e-6, rtol=0)
    np.testing.assert_allclose(smooth_quads(center, x, y, 0.0, 0.0), REFERENCE["quads_none"], atol=1e-6, rtol=0)
    np.testing.assert_array_equal(landmarks, REFERENCE["landmarks"])


def test_a_quad_turns_and_grows_with_its_face() -> None:
    landmarks = REFERENCE["landmarks"][:1]
    angle, factor, shift = 0.7, 1.9, np.array([11.0, -5.0])
    turn = factor * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    before = smooth_quads(*quad_axes(landmarks), 0.0, 0.0)
    after = smooth_quads(*quad_axes(landmarks @ turn.T + shift), 0.0, 0.0)
    np.testing.assert_allclose(after, before @ turn.T + shift, atol=1e-9)


def test_smoothing_equals_a_loop_over_frames() -> None:
    rng = np.random.default_rng(0)
    center, zero = rng.normal(size=(7, 2)), np.zeros((7, 2))
    sigma, reach = 1.5, 6
    expected = np.zeros_like(center)
    for frame in range(7):
        weights = 0.0
        for step in range(-reach, reach + 1):
            weight = np.exp(-0.5 * (step / sigma) ** 2)
            position = (frame + step) % 14
            expected[frame] += weight * center[min(position, 13 - position)]
            weights += weight
        expected[frame] /= weights
    quads = smooth_quads(center, zero, zero, sigma, 0.0)
    np.testing.assert_allclose(quads[:, 0], expected, atol=1e-12)


@pytest.mark.parametrize("shape", [(68, 2), (3, 5, 2), (3, 68, 3)])
def test_landmarks_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"\(T, 68, 2\)"):
        quad_axes(np.zeros(shape))


def test_a_face_of_one_point_has_no_axes() -> None:
    _, x, _ = quad_axes(np.full((1, 68, 2), 7.0))
    assert np.isnan(x).all()


def test_perspective_coefficients_agree_with_the_reference() -> None:
    for quad, expected in zip(REFERENCE["quads_default"], REFERENCE["inverse_coefficients"], strict=True):
        np.testing.assert_allclose(perspective_coefficients(SQUARE, quad + 0.5), expected, atol=1e-6, rtol=0)


def test_perspective_coefficients_take_target_corners_to_source_corners() -> None:
    source = np.array([[1, 2], [0, 9], [11, 8], [9, 1]], dtype=np.float64)
    target = np.array([[-3, 0], [1, 7], [6, 6], [5, -2]], dtype=np.float64)
    a, b, c, d, e, f, g, h = perspective_coefficients(source, target)
    for (x, y), (u, v) in zip(source, target, strict=True):
        w = g * u + h * v + 1
        np.testing.assert_allclose([(a * u + b * v + c) / w, (d * u + e * v + f) / w], [x, y], atol=1e-9)


def test_corners_on_one_line_are_refused() -> None:
    with pytest.raises(ValueError, match="one line"):
        perspective_coefficients(SQUARE, np.array([[0, 0], [1, 1], [2, 2], [3, 3]], dtype=np.float64))


@pytest.mark.parametrize(("name", "t", "size"), [("crop_0", 0, 256), ("crop_7", 7, 256), ("crop_3_64", 3, 64)])
def test_crops_agree_with_the_reference(name: str, t: int, size: int) -> None:
    quad = REFERENCE["quads_default"][t]
    step = KEPT_EVERY.get(name, 1)
    crop = warp_quad_to_square(reference_frame(t), quad, size)
    assert crop.shape == (size, size, 3)
    assert levels_apart(crop[::step, ::step], REFERENCE[name]) <= 1


def test_a_crop_over_the_edge_agrees_with_the_reference() -> None:
    step = KEPT_EVERY["crop_edge"]
    crop = warp_quad_to_square(reference_frame(5), REFERENCE["quad_edge"], 256)
    assert levels_apart(crop[::step, ::step], REFERENCE["crop_edge"]) <= 1
    assert (crop[0, 0] == 0).all()


def test_a_crop_equals_a_bilinear_loop() -> None:
    frame, quad = reference_frame(2), REFERENCE["quads_default"][2]
    crop = warp_quad_to_square(frame, quad, 128)
    for row, column in ((0, 0), (3, 100), (64, 64), (127, 90), (99, 7)):
        across, down = (column + 0.5) / 128, (row + 0.5) / 128
        # `quad + 0.5` is in coordinates where pixel (0, 0) spans 0 to 1: back to pixel centres by subtracting 0.5.
        x, y = quad[0] + across * (quad[3] - quad[0]) + down * (quad[1] - quad[0])
        x0, y0 = int(np.floor(x)), int(np.floor(y))
        part = frame[y0 : y0 + 2, x0 : x0 + 2].astype(np.float64)
        top = part[0, 0] * (1 - (x - x0)) + part[0, 1] * (x - x0)
        low = part[1, 0] * (1 - (x - x0)) + part[1, 1] * (x - x0)
        assert np.abs(crop[row, column] - (top * (1 - (y - y0)) + low * (y - y0))).max() <= 1


def test_laying_back_touches_the_quad_alone_and_equals_a_warp_of_the_whole_frame() -> None:
    quad, square = REFERENCE["quads_default"][7], np.dstack([REFERENCE["crop_7"], np.full((256, 256), 255, np.uint8)])
    patch, (left, top) = warp_square_to_frame(square, quad, 640, 480)
    data = tuple(REFERENCE["inverse_coefficients"][7].tolist())
    whole = np.asarray(
        Image.fromarray(square).transform((640, 480), Image.Transform.PERSPECTIVE, data, Image.Resampling.BILINEAR)
    )
    inside = np.zeros((480, 640), dtype=bool)
    inside[top : top + patch.shape[0], left : left + patch.shape[1]] = True
    assert levels_apart(patch, whole[inside].reshape(patch.shape)) <= 1
    assert (whole[~inside] == 0).all()
    assert patch.shape[0] < 480
    assert patch.shape[1] < 640


def test_a_quad_beside_the_frame_gives_an_empty_patch() -> None:
    quad = np.array([[700, 10], [700, 60], [750, 60], [750, 10]], dtype=np.float64)
    patch, _ = warp_square_to_frame(np.zeros((8, 8, 4), np.uint8), quad, 640, 480)
    assert patch.size == 0


def test_a_crop_much_wider_than_its_quad_is_averaged() -> None:
    rows, columns = np.mgrid[:256, :256]
    board = np.where((rows // 2 + columns // 2) % 2 == 0, 255, 0).astype(np.uint8)
    square = np.dstack([board, board, board, np.full_like(board, 255)])
    quad = np.array([[10.3, 10.6], [10.3, 42.6], [42.3, 42.6], [42.3, 10.6]])
    patch, _ = warp_square_to_frame(square, quad, 64, 64)
    core = patch[8:-8, 8:-8, 0].astype(int)
    assert np.abs(core - 127.5).max() < 2
