"""Aligned faces drawn, parsed and marked: what several stages ask of the networks."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import dlib
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stit_core.errors import StitError
from stit_core.images import to_model, to_picture
from stit_core.models.generator import Generator
from stit_core.runtime import Runtime

_PREDICTOR = "shape_predictor_68_face_landmarks.dat"
# Where dlib's detector puts the face in an FFHQ-framed crop: left, top, right, bottom as fractions of its side.
FACE_BOX = (0.22, 0.33, 0.78, 0.89)


class Parser(Protocol):
    """A face parser with BiSeNet's 19 classes."""

    def parse(self, images: Tensor) -> Tensor:
        """Images (B, 3, S, S) in [-1, 1] -> logits (B, 19, h, w)."""
        ...


@torch.inference_mode()
def parse_faces(crops: np.ndarray, parser: Parser, runtime: Runtime) -> np.ndarray:
    """The parser's class of every pixel: (B, S, S, 3) uint8 -> (B, S, S) uint8."""
    logits = parser.parse(to_model(crops).to(runtime.device))  # in float32: regions do not depend on the precision
    if logits.shape[-2:] != crops.shape[1:3]:
        logits = F.interpolate(logits, size=crops.shape[1:3], mode="bilinear", align_corners=False)
    return logits.argmax(dim=1).to(torch.uint8).cpu().numpy()


def draw_faces(generator: Generator, w_plus: torch.Tensor, runtime: Runtime) -> np.ndarray:
    """Pictures (B, S, S, 3) uint8 of latents (B, L, 512)."""
    with torch.inference_mode(), runtime.autocast():
        images = generator.synthesis(w_plus.to(runtime.device))
    return to_picture(images.float())


def landmark_finder() -> Callable[[np.ndarray], np.ndarray]:
    """A function from aligned crops (S, S, 3) uint8 to landmarks (68, 2) in their pixels; it asks no detector."""
    predictor = dlib.shape_predictor(str(predictor_file()))

    def points(crop: np.ndarray) -> np.ndarray:
        box = dlib.rectangle(*(round(edge * crop.shape[0]) for edge in FACE_BOX))
        return np.array([(p.x, p.y) for p in predictor(crop, box).parts()], dtype=np.float64)

    return points


def predictor_file() -> Path:
    """dlib's 68-point model in the installed distribution `face-recognition-models`, which is not imported.

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
        if file.name == _PREDICTOR and Path(str(file.locate())).is_file():
            return Path(str(file.locate()))
    raise StitError(f"{_PREDICTOR} is missing from the package face-recognition-models.", hint)
