"""What an edit shades: a beard is believed, a faint veil over a part of a face is not."""

from __future__ import annotations

import dataclasses

import numpy as np

from stit_core.change.shade import read_shade
from tests.support.transfer_cases import SIZE, STILL, drawn, head_labels

CHIN = np.s_[92:112, 48:80]


def shaded(factor: float) -> float:
    """Logarithm of the ratio by which a chin is shaded that the generator draws darker by a factor."""
    labels = head_labels()
    pivot = drawn(labels)
    pivot = dataclasses.replace(pivot, picture=np.full((SIZE, SIZE, 3), (180, 140, 120), np.uint8))
    picture = pivot.picture.copy()
    picture[CHIN] = np.rint(picture[CHIN] * factor).astype(np.uint8)
    edited = dataclasses.replace(pivot, picture=picture)
    skin = read_shade(pivot, pivot, edited, STILL, anatomy=True, folds=False).skin
    return float(skin[97:107, 56:72].mean() - skin[50:60, 56:72].mean())


def test_a_beard_that_is_drawn_is_believed_and_a_faint_veil_is_not() -> None:
    veil, beard = shaded(0.92), shaded(0.6)
    assert beard < -0.08
    assert -0.02 < veil <= 0
