"""Folds of skin learned from pairs of pictures: what all of them show is found, what is noise is not."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from stit_core.directions.relief import FEWEST, SIDE, is_expression, learn_relief
from stit_core.faces.labels import SKIN
from stit_core.faces.relief import AXIS
from stit_core.runtime import Runtime

FOLD = slice(150, 153), slice(100, 156)  # of a crop, darker in the second picture of a pair
DARKER = 0.8


class CylinderReader:
    """Sees a head of skin in every picture, whose places are those of a cylinder."""

    def read(self, images: Tensor) -> tuple[Tensor, Tensor]:
        y, x = torch.meshgrid(torch.arange(128.0), torch.arange(128.0), indexing="ij")
        x, y = (x - 63.5) / 53, (63.5 - y) / 53
        angle = torch.arcsin(torch.clamp(x / 0.6, -1, 1))
        places = torch.stack([0.6 * torch.sin(angle), y, AXIS + 0.6 * torch.cos(angle)])
        logits = torch.zeros(len(images), 19, 128, 128)
        logits[:, SKIN] = torch.where((x.abs() < 0.5) & (y.abs() < 0.8), 5.0, -5.0)
        return logits, places.expand(len(images), -1, -1, -1)

    def parse(self, images: Tensor) -> Tensor:
        return self.read(images)[0]


def models(parser: Any) -> Any:
    return SimpleNamespace(parser=parser, device=torch.device("cpu"))


def pairs(count: int, fold: bool, gap: int = -1) -> Iterator[tuple[np.ndarray, np.ndarray] | None]:
    """Grainy faces, each twice, with a fold that all share in the second picture or with none; `gap` is left out."""
    rng = np.random.default_rng(0)
    for number in range(count):
        face = 150 + 15 * cv2.GaussianBlur(rng.standard_normal((SIDE, SIDE, 3)), (0, 0), 4) * 8
        after = face + 4 * rng.standard_normal(face.shape)
        before = face + 4 * rng.standard_normal(face.shape)
        if fold:
            after[FOLD] *= DARKER
        sides = [np.clip(side, 0, 255).astype(np.uint8) for side in (before, after)]
        yield None if number == gap else (sides[0], sides[1])


def test_a_fold_that_all_pairs_share_is_found_and_little_else() -> None:
    found = learn_relief(pairs(16, fold=True, gap=3), models(CylinderReader()), Runtime())
    assert found is not None
    row, column = np.unravel_index(found.argmin(), found.shape)
    assert abs(row - (0.95 - (63.5 - 75.5) / 53) / 1.8 * found.shape[0]) < 3
    assert 76 < column < 148
    assert found.min() == pytest.approx(np.log(DARKER), rel=0.4)
    far = found.copy()
    far[row - 12 : row + 12] = 0
    assert np.abs(far).max() < -found.min() / 4


def test_noise_is_no_relief() -> None:
    assert learn_relief(pairs(16, fold=False), models(CylinderReader()), Runtime()) is None


def test_few_pairs_show_nothing() -> None:
    assert learn_relief(pairs(FEWEST - 1, fold=True), models(CylinderReader()), Runtime()) is None
    assert learn_relief(iter(()), models(CylinderReader()), Runtime()) is None


def test_a_parser_that_knows_no_places_gives_none() -> None:
    plain = SimpleNamespace(parse=CylinderReader().parse)
    assert learn_relief(pairs(12, fold=True), models(plain), Runtime()) is None


def test_an_expression_is_what_changes_the_mouth_most() -> None:
    assert is_expression({"skin": 7.8, "mouth": 14.4})
    assert not is_expression({"skin": 9.1, "neck": 16.8, "mouth": 4.1})
    assert not is_expression({})
