"""A map of relief over a source: lines where a mean of faces has bands, for skin that ages, and none for the other."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest

from stit_core.change.drawn import Drawn
from stit_core.change.reading import Anatomy, read_change
from stit_core.change.relief import FINER, FOREHEAD, FULL, FURROWS, Folds, read_folds, relief_shade
from stit_core.faces.relief import AXIS, SHAPE
from tests.support.transfer_cases import SIZE, STILL, WHOLE_FACE, drawn, face_landmarks, head_labels

CHEEK, BROW = 110, 52  # rows of a map where a band of `bands` may lie


def scene() -> Drawn:
    """The drawn head, with the places of a cylinder."""
    found = drawn(head_labels(eyes=False))
    y, x = np.indices((SIZE, SIZE), dtype=np.float32)
    angle = np.arcsin(np.clip((x - 64) / 60, -1, 1))
    places = np.stack([0.6 * np.sin(angle), (64 - y) / 53, AXIS + 0.6 * np.cos(angle)], axis=-1)
    head = np.ones((SIZE, SIZE), np.float32)
    return dataclasses.replace(found, points=face_landmarks(), places=places, head=head)


def bands(depth: float = 0.1, row: int = CHEEK) -> np.ndarray:
    """A map with a soft dark band across the head and light on both sides, as the mean over many people has it."""
    rows, columns = np.indices(SHAPE, dtype=np.float32)
    across = np.exp(-0.5 * ((rows - row) / 2.5) ** 2) - 0.5 * np.exp(-0.5 * ((rows - row) / 5.0) ** 2)
    return (-depth * across * np.exp(-0.5 * ((columns - 112) / 20) ** 2)).astype(np.float32)


def everywhere(value: float) -> Folds:
    return Folds(1.0, np.full((SHAPE[0] * FINER, SHAPE[1] * FINER), value, np.float32))


def folds_of(relief: np.ndarray) -> Folds:
    found = read_folds(relief)
    assert found is not None
    return found


def width(profile: np.ndarray) -> float:
    """Rows of a map over which a dark profile is at least half as deep as at its deepest."""
    return float((profile < 0.5 * profile.min()).sum())


def test_a_map_says_whether_skin_gets_older_and_how_far() -> None:
    full = bands() * FULL / np.sqrt(np.square(bands()).mean())
    assert folds_of(full).ageing == pytest.approx(1)
    assert folds_of(3 * full).ageing == 1
    assert folds_of(0.5 * full).ageing == pytest.approx(0.5, abs=1e-3)
    assert folds_of(-0.5 * full).ageing == pytest.approx(-0.5, abs=1e-3)
    assert read_folds(None) is None
    assert read_folds(np.zeros(SHAPE, np.float32)) is None


def test_bands_become_lines_that_are_narrower_broken_and_lit_below() -> None:
    relief, lines = bands(), folds_of(bands()).lines
    middle = lines[:, 90 * FINER : 134 * FINER]
    narrow = np.median([width(column) for column in middle.T]) / FINER
    assert narrow < 0.7 * width(relief[:, 112])
    deepest = middle.min(axis=0)
    assert deepest.std() > 0.1 * abs(deepest.mean()), "no line is as deep all along"
    assert np.abs(lines - lines[:, ::-1]).max() > 0.02, "no two sides are alike"
    places = middle.argmin(axis=0)
    below = np.mean([middle[place + 2 * FINER, i] for i, place in enumerate(places)])
    above = np.mean([middle[place - 2 * FINER, i] for i, place in enumerate(places)])
    assert below > above, "light falls on the lower side of a fold"
    np.testing.assert_array_equal(lines, folds_of(bands()).lines)


def test_a_forehead_folds_from_one_side_to_the_other_where_the_mean_has_short_bands() -> None:
    lines = folds_of(bands(row=BROW)).lines

    def reaches(relief: np.ndarray, finer: int) -> float:
        """How far from side to side there is something dark on the forehead, columns of a map."""
        dark = (relief[FOREHEAD.start * finer : FOREHEAD.stop * finer] < -0.02).any(axis=0)
        return float(np.ptp(np.flatnonzero(dark))) / finer

    assert reaches(lines, FINER) > 1.3 * reaches(bands(row=BROW), 1)
    for row, _ in FURROWS:
        near = lines[round((row - 3) * FINER) : round((row + 3) * FINER), 100 * FINER : 124 * FINER]
        assert near.min(axis=0).mean() < -0.01
    elsewhere = folds_of(bands()).lines[FOREHEAD.start * FINER : FOREHEAD.stop * FINER]
    assert np.abs(elsewhere).max() < 1e-3, "it is told of none"


def test_nothing_is_laid_over_skin_that_gets_younger() -> None:
    folds = folds_of(-bands())
    assert folds.ageing < 0
    assert np.abs(relief_shade(folds, scene(), scene(), STILL, STILL)).max() == 0


def test_lines_keep_clear_of_features_and_are_warm() -> None:
    shade = relief_shade(everywhere(-0.1), scene(), scene(), STILL, STILL)
    np.testing.assert_allclose(shade[35:55, 50:78].mean(axis=-1), -0.1, atol=1e-2)
    assert shade[45, 64, 0] > shade[45, 64, 2], "a fold in skin is warm"
    assert np.abs(shade[92:94, 60:68]).max() < 1e-3, "the lips have none"


def test_it_is_part_of_the_change_where_anatomy_is_believed() -> None:
    face = scene()
    changes = [
        read_change(face, face, face, STILL, WHOLE_FACE, anatomy)
        for anatomy in (Anatomy(everywhere(-0.1)), Anatomy(), None)
    ]
    forehead = cv2.erode((face.labels == 1).astype(np.uint8), np.ones((9, 9), np.uint8))[:60] > 0
    means = [change.skin[:60].mean(axis=-1)[forehead].mean() for change in changes]
    np.testing.assert_allclose(means, [-0.1, 0, 0], atol=0.02)
