"""The parser's classes as label maps, and the soft places that groups of them take up."""

from __future__ import annotations

from collections.abc import Collection

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from stit_core.images import to_model
from stit_core.masks import Parser
from stit_core.runtime import Runtime

SKIN, MOUTH, NECK, HAIR = 1, 11, 14, 17
BROWS, EYES, EARS, LIPS = (2, 3), (4, 5), (7, 8), (12, 13)
NOSE = 10
SKIN_LIKE = (SKIN, NOSE, *EARS, NECK)  # what has the skin's colour
HEAD = (*SKIN_LIKE, *BROWS, *EYES, MOUTH, *LIPS, HAIR)
COVERS = (6, 9, 15, 18)  # glasses, earring, necklace, hat


@torch.inference_mode()
def parse_faces(crops: np.ndarray, parser: Parser, runtime: Runtime) -> np.ndarray:
    """The parser's class of every pixel: (B, S, S, 3) uint8 -> (B, S, S) uint8."""
    logits = parser.parse(to_model(crops).to(runtime.device))  # in float32: regions do not depend on the precision
    if logits.shape[-2:] != crops.shape[1:3]:
        logits = F.interpolate(logits, size=crops.shape[1:3], mode="bilinear", align_corners=False)
    return logits.argmax(dim=1).to(torch.uint8).cpu().numpy()


def is_one_of(labels: np.ndarray, classes: Collection[int]) -> np.ndarray:
    """1 where a label map (S, S) uint8 shows one of `classes`, else 0; float32."""
    table = np.zeros(256, dtype=np.float32)
    table[list(classes)] = 1.0
    return table[labels]


def soften(mask: np.ndarray, reach: float) -> np.ndarray:
    """A mask (S, S) in [0, 1] whose edge is `reach` pixels wide, half of it inside."""
    return cv2.GaussianBlur(mask, (0, 0), max(reach / 2, 0.3))
