"""Motion read off places: against motions that are known, with hidden parts, and wrong input."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from stit_core.faces.correspondence import HEAD_CLASSES, Motion, head_weight, read_motion

SIZE = 64
Warp = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def places_at(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Places (h, w, 3) of a ball-like head at pixels x, y."""
    u, v = (x - SIZE / 2) * 2.4 / SIZE, (y - SIZE / 2) * 2.4 / SIZE
    return np.stack([u, -v, 1 - 0.3 * (u**2 + v**2)], -1).astype(np.float32)


def maps(warp: Warp) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Places of A, places of B that shows at each pixel what A has at `warp` of it, and that motion (h, w, 2)."""
    y, x = np.mgrid[:SIZE, :SIZE].astype(np.float64)
    there = warp(x, y)
    return places_at(x, y), places_at(*there), np.stack([there[0] - x, there[1] - y], -1)


@pytest.mark.parametrize(
    "warp",
    [
        lambda x, y: (x + 3.3, y - 1.7),
        lambda x, y: (x + 0.06 * (y - 30), y + 0.05 * (x - 30)),
        lambda x, y: (x, y + 4 * np.exp(-((x - 32) ** 2 + (y - 40) ** 2) / 150)),
    ],
    ids=["shift", "shear", "bump"],
)
def test_known_motions_are_read(warp: Warp) -> None:
    a, b, truth = maps(warp)
    motion = read_motion(a, b, size=SIZE)
    inner = slice(8, -8)
    error = np.linalg.norm(motion.flow - truth, axis=-1)[inner, inner]
    assert np.median(error) < 0.05
    assert error.max() < 0.5
    assert motion.confidence[inner, inner].min() > 0.8


def test_texture_settles_what_places_leave_open() -> None:
    """Places that are a pixel off everywhere, and pictures that have moved by 3.3 and -1.7 pixels."""
    a, b, truth = maps(lambda x, y: (x + 3.3, y - 1.7))
    _, off, _ = maps(lambda x, y: (x + 4.0, y - 2.4))
    noise = np.random.default_rng(0).normal(size=(4 * SIZE, 4 * SIZE, 3)).astype(np.float32)
    fine = cv2.GaussianBlur(noise, (0, 0), 6)
    fine = 128 + 40 * fine / fine.std()
    y, x = np.mgrid[:SIZE, :SIZE].astype(np.float32)
    first, second = (
        cv2.remap(fine, 4 * (x + dx) + 1.5, 4 * (y + dy) + 1.5, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        for dx, dy in ((0, 0), (3.3, -1.7))
    )
    pictures = tuple(np.clip(picture, 0, 255).astype(np.uint8) for picture in (first, second))
    inner = slice(12, -12)

    def error(motion: Motion) -> float:
        return float(np.median(np.linalg.norm(motion.flow - truth, axis=-1)[inner, inner]))

    by_places = error(read_motion(a, off, size=SIZE))
    by_both = error(read_motion(a, off, pictures=(pictures[0], pictures[1]), size=SIZE))
    assert by_places == pytest.approx(0.99, abs=0.05)
    assert by_both < 0.5  # a map of 64 px, whose pixels places claim to know to 0.4
    assert error(read_motion(a, b, pictures=(pictures[0], pictures[1]), size=SIZE)) < 0.15


def test_motion_is_enlarged_with_the_map() -> None:
    a, b, _ = maps(lambda x, y: (x + 2.0, y))
    motion = read_motion(a, b, size=4 * SIZE)
    assert motion.flow.shape == (4 * SIZE, 4 * SIZE, 2)
    assert np.allclose(motion.flow[64:-64, 64:-64], [8.0, 0.0], atol=0.1)


def test_what_the_other_picture_hides_is_doubted_and_past_the_head_nothing_is_believed() -> None:
    a, b, _ = maps(lambda x, y: (x + 2.0, y))
    b[30:36, 28:36] = (0.0, -0.2, -1.0)  # a tooth
    weight = np.zeros((SIZE, SIZE), np.float32)
    weight[8:56, 8:56] = 1
    motion = read_motion(a, b, weight, weight, size=SIZE)
    assert motion.confidence[31:35, 29:35].max() < 0.1
    assert motion.confidence[16:24, 16:48].min() > 0.8
    assert motion.confidence[:4].max() == pytest.approx(0, abs=1e-6)
    assert np.abs(motion.flow).max() < 4


def test_equal_maps_do_not_move_and_stay_as_they_are() -> None:
    a, _, _ = maps(lambda x, y: (x, y))
    before = a.copy()
    motion = read_motion(a, a, size=SIZE)
    assert np.abs(motion.flow).max() < 1e-4
    assert np.array_equal(a, before)


def test_shapes_that_do_not_fit_are_refused() -> None:
    a, b, _ = maps(lambda x, y: (x, y))
    with pytest.raises(ValueError, match="Places"):
        read_motion(a, b[:-1])
    with pytest.raises(ValueError, match="Weights"):
        read_motion(a, b, np.ones((3, 3)))


def test_head_weight_sums_the_classes_of_the_head() -> None:
    logits = np.zeros((19, 2, 2), np.float32)
    assert np.allclose(head_weight(logits), len(HEAD_CLASSES) / 19)
    logits[17] = 20
    assert np.allclose(head_weight(logits), 1, atol=1e-5)
    logits[6] = 40
    assert np.allclose(head_weight(logits), 0, atol=1e-5)
