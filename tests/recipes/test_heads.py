"""The synthetic heads: parameters from latents, the rasteriser against a slow oracle, renders that repeat."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest

from recipes.heads.landmarks import align_quad
from recipes.heads.parameters import ATTRIBUTE_NAMES, NUM_FACTORS, attributes, from_latent
from recipes.heads.raster import raster_triangles
from recipes.heads.shape import subdivide, turn

MAKEHUMAN = os.environ.get("STIT_MAKEHUMAN")


def latent(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(NUM_FACTORS).astype(np.float32)


def test_parameters_ignore_the_latent_length_and_repeat() -> None:
    one, same = from_latent(latent(3)), from_latent(2.5 * latent(3))
    for field in dataclasses.fields(one):
        np.testing.assert_allclose(getattr(one, field.name), getattr(same, field.name), atol=1e-5)


def test_parameters_stay_in_their_ranges() -> None:
    heads = [from_latent(latent(k)) for k in range(300)]
    ages = np.array([p.age for p in heads])
    tones = np.array([p.skin_tone for p in heads])
    african = np.array([p.ethnicity[0] for p in heads])
    assert 18 <= ages.min() < 25
    assert 68 < ages.max() <= 75
    assert tones.min() < 0.08
    assert tones.max() > 0.92
    assert abs(np.corrcoef(tones, african)[0, 1]) < 0.15  # every combination as frequent as any other
    assert {p.hair_style for p in heads} == set(range(8))
    assert all(abs(p.yaw) <= 35 and abs(p.pitch) <= 18 and abs(p.roll) <= 12 for p in heads)


def test_attributes_have_one_value_a_name() -> None:
    marks = np.random.default_rng(0).normal(size=(68, 3))
    values = attributes(from_latent(latent(1)), marks)
    assert values.shape == (len(ATTRIBUTE_NAMES),)
    assert len(set(ATTRIBUTE_NAMES)) == len(ATTRIBUTE_NAMES)
    assert values[ATTRIBUTE_NAMES.index("age")] == pytest.approx((from_latent(latent(1)).age - 18) / 57)


def test_latent_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(7,\)"):
        from_latent(np.zeros(7))


def test_rasteriser_agrees_with_a_slow_oracle() -> None:
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.uniform(0, 24, (30, 2)), rng.uniform(0.1, 1, (30, 1))], 1)
    faces = rng.permutation(30).reshape(10, 3).astype(np.int32)
    depth, owner = np.zeros((24, 24), np.float32), np.full((24, 24), -1, np.int32)
    raster_triangles(points, faces, 0, depth, owner, np.zeros((24, 24, 2), np.float32), False)
    for y in range(24):
        for x in range(24):
            best, who = 0.0, -1
            for f, face in enumerate(faces):
                system = np.concatenate([points[face, :2].T, np.ones((1, 3))])
                share = np.linalg.solve(system, [x + 0.5, y + 0.5, 1.0])
                near = float(share @ points[face, 2])
                if share.min() >= 0 and near > best:
                    best, who = near, f
            assert owner[y, x] == who
            assert depth[y, x] == pytest.approx(best, abs=1e-5)


def test_subdivision_of_a_cube_keeps_its_middle_and_rounds_it() -> None:
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
    quads = np.array([[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]])
    matrix, fine = subdivide(quads, 8)
    points = matrix @ corners
    assert points.shape == (8 + 12 + 6, 3)
    assert fine.shape == (24, 4)
    np.testing.assert_allclose(points.mean(0), 0, atol=1e-12)
    # Catmull-Clark by hand: a cube's corner goes to 5/9, an edge point to 3/4 of its middle.
    np.testing.assert_allclose(np.abs(points[:8]), 5 / 9, atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(points[8:20], axis=1), 0.75 * np.sqrt(2), atol=1e-12)


def test_yaw_turns_the_nose_to_the_left_and_spares_the_shoulders() -> None:
    nose, shoulder = turn(np.array([[0.0, 0, 1], [2, -1, 0]]), np.array([1.0, 0.0]), 30, 0, 0)
    np.testing.assert_allclose(nose, [0.5, 0, np.sqrt(3) / 2], atol=1e-12)
    np.testing.assert_allclose(shoulder, [2, -1, 0], atol=1e-12)


def test_quad_of_a_level_face_is_an_upright_square() -> None:
    marks = np.zeros((68, 2))
    marks[36:42], marks[42:48], marks[48], marks[54] = [-1, 0], [1, 0], [-0.8, 2.0], [0.8, 2.0]
    # Half a side is max(2 * 2, 1.8 * 2) = 4, the centre 0.1 * 2 below the eyes.
    np.testing.assert_allclose(align_quad(marks), [[-4, -3.8], [-4, 4.2], [4, 4.2], [4, -3.8]], atol=1e-12)


@pytest.mark.skipif(MAKEHUMAN is None, reason="STIT_MAKEHUMAN does not name the MakeHuman data folder")
def test_render_repeats_and_labels_the_face() -> None:
    from recipes.heads.renderer import Renderer

    renderer = Renderer(Path(str(MAKEHUMAN)))
    first, second = renderer.render_latent(latent(1), 128), renderer.render_latent(latent(1), 128)
    np.testing.assert_array_equal(first.image, second.image)
    assert {1, 4, 5, 10}.issubset(np.unique(first.labels))
    assert abs(first.landmarks[36:48].mean(0)[0] - 64) < 8
