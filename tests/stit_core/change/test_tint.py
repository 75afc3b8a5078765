"""What a strong shade of skin goes by: a neck that is greyer than the face, and where skin ends."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from stit_core.change.drawn import Drawn
from stit_core.change.tint import GREYEST, Tint, hue_apart, read_tint
from stit_core.faces.labels import HAIR, NECK, SKIN
from tests.support.transfer_cases import SIZE, drawn, head_labels, painted


def scene(face: tuple[int, int, int], neck: tuple[int, int, int]) -> Drawn:
    labels = head_labels()
    labels[116:, 44:84] = NECK
    source = drawn(labels)
    picture = source.picture.copy()
    picture[labels == SKIN], picture[labels == NECK] = face, neck
    return dataclasses.replace(source, picture=picture)


def tint_of(source: Drawn) -> Tint:
    skin = (source.labels == SKIN).astype(np.float32)
    return read_tint(source, skin, np.ones((SIZE, SIZE), np.float32), hue_apart(source))


def redder(face: tuple[int, int, int], neck: tuple[int, int, int]) -> np.ndarray:
    source = scene(face, neck)
    return read_tint(
        source, (source.labels == SKIN).astype(np.float32), np.ones((SIZE, SIZE), np.float32), hue_apart(source)
    ).redder


def test_a_neck_that_is_greyer_than_the_face_gets_its_share_of_red() -> None:
    found = redder((170, 120, 105), (150, 115, 98))
    toned = np.array([150, 115, 98]) * np.exp(found)
    assert toned[0] == pytest.approx(150)
    shares = np.array([[150, 115, 98], toned, [170, 120, 105]])
    shares = shares[:, 1:] / shares[:, :1]
    assert np.all(shares[0] > shares[1] + 0.01)
    assert np.all(shares[1] > shares[2] + 0.01)


def test_one_that_is_redder_or_of_the_same_hue_stays_and_a_grey_one_is_not_painted() -> None:
    np.testing.assert_allclose(redder((170, 120, 105), (150, 95, 80)), 0)
    np.testing.assert_allclose(redder((160, 120, 100), (120, 90, 75)), 0, atol=0.01)
    np.testing.assert_allclose(redder((180, 110, 90), (150, 150, 150)), [0, -GREYEST, -GREYEST])


def test_nothing_is_said_of_a_neck_that_is_hardly_seen() -> None:
    labels = head_labels()
    source = drawn(labels)
    assert not read_tint(
        source, (labels == SKIN).astype(np.float32), np.ones((SIZE, SIZE), np.float32), hue_apart(source)
    ).redder.any()


def test_background_that_parsers_call_skin_gets_no_tone_and_a_shadow_on_a_cheek_keeps_its() -> None:
    labels = head_labels()
    labels[labels == HAIR] = 0
    source = drawn(labels, painted(labels, grain=4.0))
    beside = (slice(60, 84), slice(101, 110))  # green background at the outline of the cheek
    wrong = labels.copy()
    wrong[beside] = SKIN
    picture = source.picture.copy()
    shadow = (slice(60, 84), slice(30, 40))
    picture[shadow] = np.rint(picture[shadow] * 0.6)
    tinted = dataclasses.replace(source, picture=picture, labels=wrong)
    share = read_tint(
        tinted, (wrong == SKIN).astype(np.float32), np.ones((SIZE, SIZE), np.float32), hue_apart(tinted)
    ).share
    assert share[beside][4:-4, 2:-2].max() < 0.1
    assert share[shadow][4:-4, 3:-3].min() > 0.9
