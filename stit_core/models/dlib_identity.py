"""Identity embedding by dlib's face recognition network, for aligned crops.

Source: King, "High Quality Face Recognition with Deep Metric Learning" (2017), dlib's ResNet of 29 layers; both model
files are in the public domain.
"""

from __future__ import annotations

from typing import Any

import dlib
import numpy as np
import torch
from torch import Tensor

# Where dlib's detector puts the face in an FFHQ-framed crop: left, top, right, bottom as fractions of its side.
FACE_BOX = (0.22, 0.33, 0.78, 0.89)
CHIP_SIZE = 150  # pixels, the network's input
CHIP_PADDING = 0.25  # of the face, as the network was trained
EMBEDDING_SIZE = 128


class DlibIdentity:
    """Embeds aligned crops; takes dlib's ready shape predictor (5 or 68 points) and recognition network.

    The face's place in an aligned crop is known, so no detector is asked: an edited or blurred face that a detector
    would miss still has an embedding.
    """

    def __init__(self, predictor: Any, recogniser: Any) -> None:
        self._predictor = predictor
        self._recogniser = recogniser

    def embed(self, images: Tensor) -> Tensor:
        """Map crops (B, 3, H, W) in [-1, 1] to unit embeddings (B, 128) float32 on the CPU."""
        pictures = (images.detach().float().cpu().clamp(-1, 1) * 127.5 + 127.5).round().to(torch.uint8)
        chips = [self._chip(picture) for picture in pictures.permute(0, 2, 3, 1).contiguous().numpy()]
        found = np.array(self._recogniser.compute_face_descriptor(chips), dtype=np.float32)
        embeddings = torch.from_numpy(found.reshape(len(chips), EMBEDDING_SIZE))
        return torch.nn.functional.normalize(embeddings, dim=1)

    def _chip(self, picture: np.ndarray) -> np.ndarray:
        height, width = picture.shape[:2]
        left, top, right, bottom = FACE_BOX
        box = dlib.rectangle(round(left * width), round(top * height), round(right * width), round(bottom * height))
        shape = self._predictor(picture, box)
        chip: np.ndarray = dlib.get_face_chip(picture, shape, size=CHIP_SIZE, padding=CHIP_PADDING)
        return chip
