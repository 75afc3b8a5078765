"""The ArcFace IR-SE50 identity network.

Source: Deng et al., "ArcFace: Additive Angular Margin Loss for Deep Face Recognition" (2019). Parameter names follow
the published checkpoint.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from stit_core.models import irse
from stit_core.models.encoders import resize_to

ALIGNED_SIZE = 256
FACE_ROWS = slice(35, 223)
FACE_COLUMNS = slice(32, 220)
INPUT_SIZE = 112
DROPOUT = 0.6  # no effect outside training; it takes place 1 in the published parameter names


class ArcFace(nn.Module):
    """IR-SE50 body and linear embedding of 512 numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.input_layer = irse.stem()
        self.body = irse.body()
        self.output_layer = nn.Sequential(
            nn.BatchNorm2d(512), nn.Dropout(DROPOUT), nn.Flatten(), nn.Linear(512 * 7 * 7, 512), nn.BatchNorm1d(512)
        )

    def forward(self, faces: Tensor) -> Tensor:
        """Map faces (B, 3, 112, 112) in [-1, 1] to unit embeddings (B, 512)."""
        return F.normalize(self.output_layer(self.body(self.input_layer(faces))), dim=1)

    def embed(self, images: Tensor) -> Tensor:
        """Map aligned crops (B, 3, H, W) in [-1, 1] to unit embeddings (B, 512): resize, cut to the face, pool."""
        face = resize_to(images, ALIGNED_SIZE)[:, :, FACE_ROWS, FACE_COLUMNS]
        return self.forward(F.adaptive_avg_pool2d(face, INPUT_SIZE))
