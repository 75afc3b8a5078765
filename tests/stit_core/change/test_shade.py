"""What an edit shades: a beard that is meant is believed, any other and a faint veil over a part of a face are not."""

from __future__ import annotations

import dataclasses

import numpy as np

from stit_core.change.shade import read_shade
from tests.support.transfer_cases import SIZE, SKIN, STILL, drawn, head_labels

CHIN, BROW = np.s_[92:112, 48:80], np.s_[40:50, 44:84]


def shaded(factor: float, beards: bool = True) -> np.ndarray:
    """Logarithm of the ratio (h,) down a face, held against its forehead's, whose chin is drawn darker by a factor."""
    labels = head_labels()
    pivot = drawn(labels)
    pivot = dataclasses.replace(pivot, picture=np.full((SIZE, SIZE, 3), (180, 140, 120), np.uint8))
    picture = pivot.picture.copy()
    picture[CHIN] = np.rint(picture[CHIN] * factor).astype(np.uint8)
    edited = dataclasses.replace(pivot, picture=picture)
    skin = read_shade(pivot, pivot, edited, STILL, anatomy=True, folds=False, beards=beards).skin
    return skin[:, 56:72].mean(axis=(1, 2)) - skin[50:60, 56:72].mean()  # type: ignore[no-any-return]


def test_a_beard_that_is_meant_is_believed_and_a_faint_veil_is_not() -> None:
    veil, beard = (shaded(factor)[97:107].mean() for factor in (0.92, 0.6))
    assert beard < -0.08
    assert -0.02 < veil <= 0


def test_a_beard_that_comes_along_with_another_face_leaves_the_chin_as_it_is_and_no_edge() -> None:
    assert np.abs(shaded(0.6, beards=False)[60:120]).max() < 0.01


def test_the_light_of_a_head_whose_nose_goes_aside_stays_where_it_is() -> None:
    """Where places are known there are no landmarks of the edit: the motion tells how far it turns."""
    scene = drawn(head_labels())
    points = scene.points.copy()
    points[[0, 16, 36, 45, 30]] = (28, 70), (100, 70), (48, 60), (80, 60), (64, 75)
    pivot = dataclasses.replace(scene, points=points)
    side = scene.picture.astype(np.float32)
    side[:, :64][scene.labels[:, :64] == SKIN] *= 0.75  # one cheek in shadow
    edited = dataclasses.replace(scene, picture=side.astype(np.uint8), points=np.zeros((0, 2)))
    rows, columns = np.indices((SIZE, SIZE), dtype=np.float32)
    aside = STILL.copy()
    aside[..., 0] = -8 * np.exp(-0.5 * (np.square((columns - 70) / 12) + np.square((rows - 75) / 12)))
    ranges = []
    for flow in (STILL, aside):
        skin = read_shade(pivot, pivot, edited, flow, anatomy=True, folds=False).skin
        ranges.append(np.ptp(skin.mean(axis=-1)[BROW]))
    assert ranges[0] > 0.05
    assert ranges[1] < 0.01
