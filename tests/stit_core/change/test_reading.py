from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest

from stit_core.change.reading import Anatomy, Change, read_change
from tests.support.transfer_cases import (
    HAIR,
    SIZE,
    SKIN,
    STILL,
    WHOLE_FACE,
    drawn,
    face_landmarks,
    head_labels,
    painted,
)

LABELS = head_labels()


def darker(picture: np.ndarray, labels: np.ndarray, by: float) -> np.ndarray:
    share = cv2.GaussianBlur(np.isin(labels, (SKIN,)).astype(np.float32), (0, 0), 0.7)[..., None]
    return np.clip(picture * (1 - share * (1 - by)), 0, 255).astype(np.uint8)


def test_no_change_is_read_as_none() -> None:
    scene = drawn(LABELS)
    change = read_change(scene, scene, scene, STILL, WHOLE_FACE)
    assert np.abs(change.motion).max() < 1e-3
    assert np.abs(change.skin).max() < 1e-3
    assert np.abs(change.features).max() < 1e-3
    assert change.novelty.max() == 0


def test_skin_that_gets_darker_is_read_as_its_ratio_without_hair_and_background() -> None:
    pivot = drawn(LABELS)
    edited = drawn(LABELS, darker(pivot.picture, LABELS, 0.6))
    change = read_change(drawn(LABELS), pivot, edited, STILL, WHOLE_FACE)
    skin = LABELS == SKIN
    assert change.skin[skin].mean() == pytest.approx(np.log(0.6), abs=0.06)
    # Beyond the skin it goes on as it is there, so that no outline of the drawing shows.
    assert change.skin[LABELS == HAIR].mean() == pytest.approx(np.log(0.6), abs=0.1)


def test_a_hue_that_changes_without_lightness_is_hardly_believed() -> None:
    pivot = drawn(LABELS)
    cold = np.clip(pivot.picture * np.array([0.93, 1.0, 1.07]), 0, 255).astype(np.uint8)
    change = read_change(drawn(LABELS), pivot, drawn(LABELS, cold), STILL, WHOLE_FACE)
    inside = change.skin[LABELS == SKIN].mean(axis=0)
    assert np.ptp(inside) < 0.3 * (np.log(1.07) - np.log(0.93))


def test_a_mouth_that_opens_is_new_and_dark_and_one_that_was_open_is_not() -> None:
    closed, opened = head_labels(0), head_labels(10)
    change = read_change(drawn(closed), drawn(closed), drawn(opened), STILL, WHOLE_FACE)
    inside = opened == 11
    assert change.novelty[inside].mean() > 0.8
    assert change.novelty[opened == SKIN].mean() < 0.02
    assert change.fresh[inside].mean() < 60
    kept = read_change(drawn(opened), drawn(opened), drawn(opened), STILL, WHOLE_FACE)
    assert kept.novelty.max() == 0
    elsewhere = read_change(drawn(closed), drawn(closed), drawn(opened), STILL, (SKIN,))
    assert elsewhere.novelty.max() == 0, "what may not change brings nothing new"


def test_lids_that_close_are_new_skin_in_the_light_of_the_source() -> None:
    awake, asleep = head_labels(), head_labels(eyes=False)
    source = drawn(awake, np.clip(painted(awake) * 0.7, 0, 255).astype(np.uint8))
    change = read_change(source, drawn(awake), drawn(asleep), STILL, WHOLE_FACE)
    eyes = cv2.erode((awake == 4).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    assert change.novelty[eyes].mean() > 0.9
    np.testing.assert_allclose(change.fresh[eyes].mean(axis=0), 0.7 * np.array([190, 150, 130]), rtol=0.08)


def test_the_light_of_a_head_that_turns_stays_where_it_is() -> None:
    scene = drawn(LABELS)
    side = scene.picture.astype(np.float32)
    side[:, :64][LABELS[:, :64] == SKIN] *= 0.75  # one cheek in shadow, as the generator draws a turned head
    points = scene.points.copy()
    points[[0, 16, 36, 45, 30]] = (28, 70), (100, 70), (48, 60), (80, 60), (64, 75)
    turned = points.copy()
    turned[30, 0] += 8
    shades = []
    for after in (points, turned):
        pivot, edited = (dataclasses.replace(scene, points=marks) for marks in (points, after))
        edited = dataclasses.replace(edited, picture=side.astype(np.uint8))
        change = read_change(pivot, pivot, edited, STILL, WHOLE_FACE, anatomy=Anatomy())
        skin = cv2.erode((LABELS == SKIN).astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
        shades.append(np.ptp(change.skin.mean(axis=-1)[skin]))
    assert shades[0] > 0.05
    assert shades[1] < 0.01


def test_fields_stack_and_unstack() -> None:
    scene = drawn(LABELS)
    change = read_change(scene, scene, drawn(LABELS, darker(scene.picture, LABELS, 0.8)), STILL, WHOLE_FACE)
    stacked = change.stacked()
    assert stacked.shape == (SIZE, SIZE, Change.CHANNELS)
    back = Change.unstacked(stacked)
    for name in ("motion", "skin", "features", "fresh", "novelty", "hidden"):
        np.testing.assert_array_equal(getattr(back, name), getattr(change, name))


def test_a_grin_goes_along_with_a_head_that_turns() -> None:
    grin, points = head_labels(10), face_landmarks()
    points[48, 0], points[54, 0] = 44, 84
    source = dataclasses.replace(drawn(grin), points=points)
    rows, columns = np.indices((SIZE, SIZE), dtype=np.float64)
    x, y = (columns - 64) / 50, (70 - rows) / 50
    depth = np.sqrt(np.maximum(1 - x * x - y * y, 0))
    heads = []
    for angle in (0.0, 0.2):  # a ball
        across, deep = x * np.cos(angle) - depth * np.sin(angle), x * np.sin(angle) + depth * np.cos(angle)
        places = np.dstack([across, y, deep]).astype(np.float32)
        heads.append(dataclasses.replace(source, places=places, head=np.ones((SIZE, SIZE), np.float32)))
    change = read_change(source, *heads, STILL, WHOLE_FACE, anatomy=Anatomy())
    nose, mouth = change.motion[76, 64, 0], change.motion[92, 50:79, 0]
    assert abs(nose) > 4
    assert (np.abs(mouth) > 0.5 * abs(nose)).all()
    assert (np.sign(mouth) == np.sign(nose)).all()
