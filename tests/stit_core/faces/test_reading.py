from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from stit_core.faces.correspondence import PLACES_A_SIDE
from stit_core.faces.reading import (
    PLACES_WITHIN,
    draw_faces,
    from_place_picture,
    landmark_finder,
    landmark_predictor,
    read_faces,
    to_place_picture,
)
from stit_core.models.reader import CompactReader
from stit_core.runtime import Runtime
from tests.support.stage_cases import LeftRight, tiny_generator

PICTURES = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3)).astype(np.uint8)


def test_a_plain_parser_gives_labels_at_the_picture_s_size_and_no_places() -> None:
    for found in read_faces(PICTURES, LeftRight(), Runtime(), places=True):
        assert found.labels.shape == (64, 64)
        assert found.labels.dtype == np.uint8
        assert (found.labels[:, :30] == 1).all()
        assert (found.labels[:, 34:] == 17).all()
        assert found.places is None


def test_a_reader_gives_places_where_they_are_asked_for() -> None:
    torch.manual_seed(0)
    reader = CompactReader().eval()
    plain = read_faces(PICTURES, reader, Runtime())
    told = read_faces(PICTURES, reader, Runtime(), places=True)
    for a, b in zip(plain, told, strict=True):
        np.testing.assert_array_equal(a.labels, b.labels)
        assert a.places is None
        assert b.places is not None
        assert b.head is not None
        assert b.places.shape == (128, 128, 3)
        assert b.head.shape == (128, 128)
        assert 0 <= b.head.min() <= b.head.max() <= 1


def test_places_survive_as_a_picture_to_a_fiftieth_of_a_pixel() -> None:
    torch.manual_seed(0)
    reading = read_faces(PICTURES[:1], CompactReader().eval(), Runtime(), places=True)[0]
    assert reading.places is not None
    assert reading.head is not None
    reading.places[0, 0] = (PLACES_WITHIN, -PLACES_WITHIN, 0)
    places, head = from_place_picture(to_place_picture(reading))
    pixel = PLACES_A_SIDE / 256
    assert np.abs(places - reading.places).max() < pixel / 50
    assert np.abs(head - reading.head).max() <= 0.5 / 255 + 1e-6
    with pytest.raises(ValueError, match="no places"):
        to_place_picture(dataclasses.replace(reading, places=None))


def test_latents_are_drawn_one_by_one_as_together() -> None:
    net = tiny_generator()
    w_plus = net.mapping(torch.randn(3, net.z_dim, generator=torch.Generator().manual_seed(1))).detach()
    together = draw_faces(net, w_plus, Runtime())
    assert together.shape == (3, 16, 16, 3)
    alone = np.concatenate([draw_faces(net, w_plus[i : i + 1], Runtime()) for i in range(3)])
    assert np.abs(together.astype(int) - alone).max() <= 1


@pytest.mark.parametrize("size", [128, 256])
def test_landmarks_need_no_detector_and_one_model_serves_all(size: int) -> None:
    points = landmark_finder()(np.full((size, size, 3), 127, np.uint8))
    assert points.shape == (68, 2)
    assert 0 < points.min() < points.max() < size
    assert landmark_predictor() is landmark_predictor()
