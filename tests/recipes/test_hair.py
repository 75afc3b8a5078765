"""Hair: styles that blend share their names, strands that recede vanish into their roots."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from recipes.heads.anatomy import hair_growth
from recipes.heads.hair import carry_strands
from recipes.heads.hair_growth import POINTS
from recipes.heads.parameters import HAIR_STYLES, NUM_FACTORS, from_latent, hair_shares


def test_styles_that_blend_share_one() -> None:
    p = from_latent(np.random.default_rng(0).standard_normal(NUM_FACTORS))
    long = dataclasses.replace(p, hair_style=HAIR_STYLES.index("bob"), hair_length=0.25, hair_wave=0.0)
    shares = dict(zip(HAIR_STYLES, hair_shares(long), strict=True))
    assert shares["bob"] == pytest.approx(0.75)
    assert shares["long"] == pytest.approx(0.25)
    assert sum(shares.values()) == pytest.approx(1.0)


def test_receding_strands_shrink_into_their_roots() -> None:
    points = np.cumsum(np.ones((2 * POINTS, 3)), 0)
    up = np.tile([0.0, 1.0, 0.0], (len(points), 1))
    growth = np.repeat([0.4, 3.0], POINTS)
    position, normal, width = carry_strands(
        points,
        up,
        np.zeros((3, *points.shape)),
        np.zeros(3),
        growth,
        1.0,
        np.full(len(points), 0.01),
        np.zeros((len(points), 1), np.int64),
        np.ones((len(points), 1)),
        np.ones(len(points)),
        np.zeros((1, 3)),
        np.tile(np.eye(3), (9, 1, 1)),
    )
    np.testing.assert_allclose(position[:POINTS], np.tile(points[0], (POINTS, 1)))
    np.testing.assert_allclose(width[:POINTS], 0)
    np.testing.assert_allclose(position[POINTS:], points[POINTS:])
    np.testing.assert_allclose(normal, up)
    assert width[-1] == pytest.approx(0.01)


def test_hair_grows_on_the_crown_and_not_on_the_brow() -> None:
    crown, brow, side = hair_growth(np.array([[0.0, 1.3, 0.0], [0.0, 0.6, 0.9], [0.72, 0.6, -0.1]]))
    assert crown == pytest.approx(3.0)
    assert brow == 0.0
    assert side > 3.5
