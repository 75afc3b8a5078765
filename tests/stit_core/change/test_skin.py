from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from stit_core.change.skin import GAMMA, keep_sheen, pigment_hue, read_flush, read_sheen
from tests.support.transfer_cases import SIZE, SKIN, drawn, head_labels

LABELS = head_labels()
SKIN_COLOUR = np.float32([190, 150, 130])


def test_the_hue_of_pigment_is_that_of_the_monk_scale() -> None:
    light, brown, dark = np.float32([[234, 218, 186], [160, 126, 86], [96, 65, 52]])  # its fourth, sixth and eighth
    for start, end in ((light, brown), (brown, light)):
        change = np.log((end + 10) / (start + 10))
        np.testing.assert_allclose(pigment_hue(start, change.mean()), change / change.mean(), atol=0.12)
    assert np.ptp(pigment_hue(dark, -0.3)) < np.ptp(pigment_hue(light, -0.3)), "dark skin hardly changes its hue"
    np.testing.assert_allclose(pigment_hue(light, 0.0), pigment_hue(light, 0.02), atol=1e-6)
    assert pigment_hue(light, -0.4).mean() == pytest.approx(1)


def lit(sheen: np.ndarray) -> np.ndarray:
    """A picture (S, S, 3) of a head whose skin reflects `sheen` (S, S) of white besides its colour."""
    light = (SKIN_COLOUR / 255) ** GAMMA + sheen[..., None]
    return np.clip(np.rint(255 * light ** (1 / GAMMA)), 0, 255).astype(np.uint8)


def test_a_highlight_is_found_by_its_colour_and_a_shaven_chin_is_none() -> None:
    spot = np.zeros((SIZE, SIZE), np.float32)
    spot[60:80, 56:72] = 0.2
    picture = lit(spot)
    picture[62:80, 34:48] = (110, 95, 88)  # bluer than the skin, and darker
    sheen, mean = read_sheen(dataclasses.replace(drawn(LABELS), picture=picture))
    blue = (SKIN_COLOUR[2] / 255) ** GAMMA
    assert sheen[70, 64, 2] == pytest.approx(0.2 / (blue + 0.2), abs=0.08)
    assert sheen[70, 64, 2] > sheen[70, 64, 0] > 0, "it is more of what is darker"
    assert sheen[71, 41].max() < 0.02
    assert sheen[70, 88].max() < 0.02
    assert 0 < mean.max() <= 0.12
    np.testing.assert_allclose(sheen[0, 0], mean, atol=1e-3)


def test_without_skin_nothing_shines() -> None:
    sheen, mean = read_sheen(drawn(np.where(LABELS == SKIN, 0, 0).astype(np.uint8)))
    assert not sheen.any()
    assert not mean.any()


def test_a_flush_is_what_is_redder_than_pigment_makes_skin_of_that_lightness() -> None:
    picture = np.full((SIZE, SIZE, 3), (160, 126, 86), np.uint8)  # the sixth of the Monk scale
    assert np.abs(read_flush(dataclasses.replace(drawn(LABELS), picture=picture))).max() < 0.01
    picture[62:82, 34:54] = (166, 112, 94)  # a cheek of the same lightness
    flush = read_flush(dataclasses.replace(drawn(LABELS), picture=picture))
    red, green, blue = flush[72, 44]
    assert red < -0.02 < 0.02 < green
    assert abs(red + green + blue) < 1e-6, "as light as before"
    after = picture[72, 44] * np.exp(flush[72, 44])
    assert 126 / 160 > after[1] / after[0] > 112 / 166
    assert np.abs(flush[72, 84]).max() < 0.01
    assert not read_flush(drawn(np.zeros_like(LABELS))).any()


def test_darker_skin_keeps_its_highlights_and_its_mean() -> None:
    shade = np.full((SIZE, SIZE, 3), -0.3, np.float32)
    sheen = np.zeros_like(shade)
    sheen[:, : SIZE // 4] = 0.4
    mean = np.full(3, 0.1, np.float32)
    below = keep_sheen(shade, sheen, mean)
    assert below[0, 0, 0] > -0.2
    assert below[0, -1, 0] < -0.3
    np.testing.assert_allclose(np.exp(GAMMA * below).mean(), np.exp(-0.3 * GAMMA), rtol=1e-3)
    lighter = keep_sheen(-shade, sheen, mean)
    assert 0 < lighter[0, 0, 0] < lighter[0, -1, 0], "a highlight is no lighter on lighter skin"
    np.testing.assert_allclose(keep_sheen(0 * shade, sheen, mean), 0, atol=1e-6)
