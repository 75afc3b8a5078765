"""The ways to give a change of skin colour: each is exact where its own law holds."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.color import lab2rgb, rgb2lab

from benchmarks.shade import OFFSET, errors, tone_of


def skin(after: np.ndarray, before: np.ndarray) -> np.ndarray:
    return np.stack([before, after], axis=1)


def test_a_change_by_a_ratio_is_given_without_error_by_a_ratio_only() -> None:
    before = np.random.default_rng(0).uniform(0.3, 0.7, (50, 3))
    offset = OFFSET / 255
    own = np.array([0.6, 0.45, 0.4])
    ratio = np.array([0.6, 0.5, 0.45])
    found = errors(skin((before + offset) * ratio - offset, before), own, (own + offset) * ratio - offset)
    assert found[0] == pytest.approx(0, abs=1e-6)
    assert min(found[1:]) > 0.1


def test_a_change_by_a_difference_is_given_without_error_by_a_difference_only() -> None:
    before = np.random.default_rng(1).uniform(0.4, 0.7, (50, 3))
    shift = np.array([-15.0, 3.0, 4.0])
    own = np.array([0.6, 0.45, 0.4])
    found = errors(skin(lab2rgb(rgb2lab(before) + shift), before), own, lab2rgb(rgb2lab(own) + shift))
    assert found[2] == pytest.approx(0, abs=0.2)
    assert min(found[:2]) > 0.5


@pytest.mark.parametrize(("colour", "name"), [((0.96, 0.93, 0.89), "light"), ((0.23, 0.19, 0.16), "dark")])
def test_tones_have_names(colour: tuple[float, float, float], name: str) -> None:
    assert tone_of(np.array(colour)) == name
