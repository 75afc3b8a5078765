"""What is around a synthetic head: the backdrop, the clothes and the neck under them."""

from __future__ import annotations

import dataclasses

import numpy as np

from recipes.heads.backdrop import GRID, draw_backdrop
from recipes.heads.cloth import cloth_depth, edge_height, jacket_depth
from recipes.heads.neck import chin_shade, relief, relief_slope
from recipes.heads.parameters import NUM_FACTORS, from_latent


def latent(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(NUM_FACTORS)


def cylinder(count: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Points and normals (N, 3) of an upright neck of radius 0.5."""
    rng = np.random.default_rng(0)
    turn, height = rng.uniform(0, 2 * np.pi, count), rng.uniform(-2.0, -0.6, count)
    normals = np.stack([np.sin(turn), np.zeros(count), np.cos(turn)], 1)
    return 0.5 * normals + np.stack([0 * height, height, 0 * height], 1), normals


def test_backdrops_are_muted_and_move_smoothly() -> None:
    for seed in range(40):
        picture = draw_backdrop(from_latent(latent(seed)))
        assert picture.shape == (GRID, GRID, 3)
        assert picture.min() > 0
        assert picture.max() < 6
        mean = picture.mean((0, 1))
        assert mean.max() / mean.min() < 5
        near = draw_backdrop(from_latent(latent(seed) + 1e-3 * latent(seed + 1000)))
        assert np.abs(near - picture).max() < 0.05
        assert np.abs(np.diff(picture, axis=1)).max() < 0.35  # nothing behind the head has an edge


def test_cloth_begins_at_the_neckline_and_is_measured_along_the_surface() -> None:
    points, normals = cylinder()
    depth = cloth_depth(points, normals, 0.0, 0.5)
    below = edge_height(points, 0.0, 0.5) - points[:, 1]
    np.testing.assert_array_equal(depth > 0, below > 0)
    # On an upright wall the edge's own slant makes the way down to it shorter than the height.
    assert (np.abs(depth) <= np.abs(below) + 1e-9).all()
    assert (cloth_depth(points, normals, 0.0, 1.0) >= depth).all()  # a higher collar covers more
    assert (cloth_depth(points, normals, 1.0, 0.5) <= 0).sum() > (depth <= 0).sum()  # a V covers less


def test_a_jacket_comes_in_from_the_sides() -> None:
    points, normals = cylinder()
    share = [(jacket_depth(points, normals, jacket) > 0).mean() for jacket in (0.0, 0.9, 1.0)]
    assert share[0] == 0
    assert share[1] < share[2]


def test_the_relief_of_the_neck_is_small_even_and_lies_in_the_surface() -> None:
    points, normals = cylinder()
    assert np.abs(relief(points)).max() < 0.1
    mirrored = points * [-1, 1, 1]
    np.testing.assert_allclose(relief(mirrored), relief(points), atol=1e-12)
    np.testing.assert_allclose((relief_slope(points, normals) * normals).sum(1), 0, atol=1e-12)
    shade = chin_shade(points)
    assert 0.4 < shade.min() < 0.9
    assert shade.max() <= 1


def test_the_surroundings_tint_the_light() -> None:
    from recipes.heads.look import choose_look

    head = from_latent(latent(1))
    blue, red = (
        choose_look(dataclasses.replace(head, wall=np.array(colour), window=np.array([0.0, 0.0, 1.0, 0.0])))
        for colour in ((0.1, 0.2, 0.4), (0.4, 0.2, 0.1))
    )
    assert blue.sky[2] > blue.sky[0]
    assert red.sky[0] > red.sky[2]
