"""What is painted over heads: labels follow the paint, the same seed paints the same, pairs agree."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from recipes.heads.landmarks import NEUTRAL
from recipes.occluders import OCCLUDERS, Painter, occlude
from recipes.occluders.canvas import Canvas, filled
from recipes.occluders.glasses import wear_glasses
from recipes.occluders.hands import hold_hands
from recipes.occluders.headwear import wear_earrings, wear_fringe, wear_hat
from recipes.occluders.objects import hold_object
from recipes.occluders.surroundings import fill_background

SIZE = 128


def head(shift: float = 0.0) -> Canvas:
    """A flat grey head with hair, ears and landmarks where a render has them."""
    marks = np.stack([SIZE / 2 + 48 * NEUTRAL[:, 0] + shift, SIZE / 2 - 48 * (NEUTRAL[:, 1] - 0.15)], 1)
    labels = np.zeros((SIZE, SIZE), np.uint8)
    for label, (right, down), axes in (
        (17, (0, -14), (44, 46)),
        (7, (-36, 2), (7, 10)),
        (8, (36, 2), (7, 10)),
        (1, (0, 4), (35, 44)),
    ):
        cv2.ellipse(labels, (int(SIZE / 2 + right + shift), SIZE // 2 + down), axes, 0, 0, 360, label, -1)
    for label, eye in ((5, slice(36, 42)), (4, slice(42, 48))):
        cv2.fillPoly(labels, [np.round(marks[eye]).astype(np.int32)], label)
    image = np.where(labels[..., None] == 0, 90, 160) * np.ones(3)
    return Canvas.of(image.astype(np.uint8), labels, marks)


@pytest.mark.parametrize(
    ("painter", "label", "seeds"),
    [
        (wear_glasses, 6, 12),
        (wear_fringe, 17, 6),
        (wear_hat, 18, 8),
        (wear_earrings, 9, 6),
        (hold_hands, 0, 6),
        (hold_object, 0, 8),
    ],
)
def test_what_is_painted_gets_its_label(painter: Painter, label: int, seeds: int) -> None:
    more = 0
    for seed in range(seeds):
        canvas, plain = head(), head()
        painter(canvas, np.random.default_rng(seed))
        changed = canvas.labels != plain.labels
        assert (canvas.labels[changed] == label).all()
        more += changed.sum()
        # Labels change only where the picture does.
        assert (np.abs(canvas.image - plain.image).sum(-1)[changed] > 0).mean() > 0.9
        assert canvas.image.min() >= -1e-3
        assert canvas.image.max() <= 255.01
    assert more > 20 * seeds


def test_clear_glasses_leave_eyes_and_dark_ones_hide_them() -> None:
    eyes = np.isin(head().labels, (4, 5)).sum()
    left = []
    for seed in range(40):
        canvas = head()
        wear_glasses(canvas, np.random.default_rng(seed))
        left.append(np.isin(canvas.labels, (4, 5)).sum() / eyes)
    assert min(left) == 0
    assert 0.4 < np.mean(np.array(left) > 0.7) < 0.95


def test_backgrounds_change_the_picture_behind_the_head_only() -> None:
    for seed in range(7):
        canvas, plain = head(), head()
        fill_background(canvas, np.random.default_rng(seed))
        inside = cv2.erode((plain.labels > 0).astype(np.uint8), np.ones((7, 7))) > 0
        assert np.array_equal(canvas.labels, plain.labels)
        assert np.array_equal(canvas.image[inside], plain.image[inside])
        assert np.abs(canvas.image - plain.image)[~inside].mean() > 1


def test_the_same_seed_paints_the_same_and_follows_the_landmarks() -> None:
    for seed in range(12):
        one, same, moved = head(), head(), head(9.0)
        assert occlude(one, seed) == occlude(same, seed) == occlude(moved, seed)
        assert np.array_equal(one.image, same.image)
    glasses, shifted = head(), head(9.0)
    for canvas in (glasses, shifted):
        wear_glasses(canvas, np.random.default_rng(1))
    moved_back = np.roll(shifted.labels == 6, -9, 1)
    both = (moved_back & (glasses.labels == 6)).sum() / (moved_back | (glasses.labels == 6)).sum()
    assert both > 0.85


def test_nothing_is_worn_at_a_share_of_none() -> None:
    canvas = head()
    assert occlude(canvas, 3, 0.0) == ()
    assert np.array_equal(canvas.image, head().image)
    names = {name for seed in range(60) for name in occlude(head(), seed)}
    assert names == {painter.__name__ for painter, _ in OCCLUDERS}


def test_paint_covers_a_polygon_and_labels_its_inside() -> None:
    canvas = head()
    square = filled(np.array([[10.0, 10], [20, 10], [20, 20], [10, 20]]), canvas.size)
    canvas.paint(square, np.array([255.0, 0, 0]), 18)
    np.testing.assert_allclose(canvas.image[12:18, 12:18], np.broadcast_to([255.0, 0, 0], (6, 6, 3)))
    assert (canvas.labels[12:18, 12:18] == 18).all()
    assert (canvas.labels == 18).sum() <= 121
