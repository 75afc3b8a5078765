"""Ranges and layouts of pictures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from stit_core import images


def test_every_level_has_its_place_between_minus_one_and_one() -> None:
    picture = np.arange(256, dtype=np.uint8)[None, :, None].repeat(3, axis=2)  # (1, 256, 3)
    model = images.to_model(picture)
    assert model.shape == (1, 3, 1, 256)
    assert model.dtype == torch.float32
    np.testing.assert_allclose(model[0, 1, 0].numpy(), np.arange(256) / 127.5 - 1, atol=1e-6)


def test_pictures_survive_both_ways() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (2, 5, 7, 3), dtype=np.uint8)
    before = pictures.copy()
    np.testing.assert_array_equal(images.to_picture(images.to_model(pictures)), before)
    np.testing.assert_array_equal(pictures, before)


def test_channels_are_not_mixed_up() -> None:
    picture = np.zeros((4, 6, 3), np.uint8)
    picture[1, 5] = (255, 0, 128)
    model = images.to_model(picture)
    assert model[0, 0, 1, 5] == 1
    assert model[0, 1, 1, 5] == -1
    assert model[0, 2, 1, 5] == pytest.approx(128 / 127.5 - 1, abs=1e-6)


def test_pictures_are_rounded_and_clamped() -> None:
    model = torch.tensor([-3.0, 0.0039, 0.0040, 5.0]).reshape(1, 1, 1, 4).expand(1, 3, 1, 4)
    picture = images.to_picture(model)
    assert picture[0, 0, :, 0].tolist() == [0, 128, 128, 255]
    assert images.to_picture(torch.full((1, 3, 1, 1), 100.6 / 127.5 - 1))[0, 0, 0, 0] == 101


def test_a_mask_lies_between_zero_and_one() -> None:
    masks = np.random.default_rng(1).integers(0, 256, (3, 4, 5), dtype=np.uint8)
    tensor = images.to_mask(masks)
    assert tensor.shape == (3, 1, 4, 5)
    np.testing.assert_allclose(tensor[:, 0].numpy(), masks / 255, atol=1e-7)
    assert images.to_mask(masks[0]).shape == (1, 1, 4, 5)


@pytest.mark.parametrize(
    ("function", "value"),
    [
        (images.to_model, np.zeros((4, 4), np.uint8)),
        (images.to_model, np.zeros((4, 4, 3), np.float32)),
        (images.to_model, np.zeros((4, 4, 4), np.uint8)),
        (images.to_picture, torch.zeros(3, 4, 4)),
        (images.to_picture, torch.zeros(1, 1, 4, 4)),
        (images.to_mask, np.zeros((4, 4), bool)),
        (images.to_mask, np.zeros((1, 1, 4, 4), np.uint8)),
    ],
)
def test_wrong_shapes_and_types_are_refused(function: Callable[[Any], Any], value: Any) -> None:
    with pytest.raises(ValueError, match="must be"):
        function(value)
