"""The e4e encoder: pictures to w_plus.

Source: Tov et al., "Designing an Encoder for StyleGAN Image Manipulation" (2021), section 5 (base code plus deltas), on
the feature pyramid of Richardson et al., "Encoding in Style" (2021). Parameter names follow the published checkpoint.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stit_core.models import irse
from stit_core.models.ops import EqualLinear

INPUT_SIZE = 256
COARSE_HEADS = 3  # styles 0-2 read the 16 px map
MIDDLE_HEADS = 7  # styles 3-6 read the 32 px map, the rest the 64 px map
FEATURE_UNITS = (6, 20, 23)


def resize_to(images: Tensor, size: int) -> Tensor:
    """Resize (B, 3, H, W) to (B, 3, size, size), bilinear with antialiasing; returned as it is when it fits."""
    if images.shape[-2:] == (size, size):
        return images
    return F.interpolate(images, size=(size, size), mode="bilinear", align_corners=False, antialias=True)


class StyleHead(nn.Module):
    """Map a feature map of `size` pixels to one vector by stride-2 convolutions down to 1 px and a linear layer."""

    def __init__(self, size: int, channels: int = 512) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for _ in range(int(math.log2(size))):
            layers += [nn.Conv2d(channels, channels, 3, 2, 1), nn.LeakyReLU()]
        self.convs = nn.Sequential(*layers)
        self.linear = EqualLinear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, 512, size, size) to (B, 512)."""
        out: Tensor = self.linear(self.convs(x).flatten(1))
        return out


class E4eEncoder(nn.Module):
    """The e4e encoder with num_ws style heads (18 at 1024 px); w_avg is added to what the heads say.

    Buffers: w_avg (num_ws, 512), zeros until the reader sets it (the checkpoint's latent_avg).
    """

    w_avg: Tensor

    def __init__(self, num_ws: int = 18) -> None:
        super().__init__()
        self.num_ws = num_ws
        self.input_layer = irse.stem()
        self.body = irse.body()
        self.styles = nn.ModuleList(StyleHead(self._map_size(index)) for index in range(num_ws))
        self.latlayer1 = nn.Conv2d(256, 512, 1)
        self.latlayer2 = nn.Conv2d(128, 512, 1)
        self.register_buffer("w_avg", torch.zeros(num_ws, 512), persistent=False)

    @staticmethod
    def _map_size(index: int) -> int:
        return 16 if index < COARSE_HEADS else 32 if index < MIDDLE_HEADS else 64

    def forward(self, images: Tensor) -> Tensor:
        """Map pictures (B, 3, 256, 256) in [-1, 1] to offsets from w_avg (B, num_ws, 512)."""
        x = self.input_layer(images)
        features: list[Tensor] = []
        for index, unit in enumerate(self.body):
            x = unit(x)
            if index in FEATURE_UNITS:
                features.append(x)
        fine, middle, coarse = features  # 128 channels at 64 px, 256 at 32 px, 512 at 16 px
        middle = self._add_resized(coarse, self.latlayer1(middle))
        fine = self._add_resized(middle, self.latlayer2(fine))
        maps = {16: coarse, 32: middle, 64: fine}
        codes = [head(maps[self._map_size(index)]) for index, head in enumerate(self.styles)]
        return torch.stack([codes[0], *(codes[0] + delta for delta in codes[1:])], dim=1)  # (B, num_ws, 512)

    @staticmethod
    def _add_resized(low: Tensor, high: Tensor) -> Tensor:
        return F.interpolate(low, size=high.shape[-2:], mode="bilinear", align_corners=True) + high

    def encode(self, images: Tensor) -> Tensor:
        """Map pictures (B, 3, H, W) of any size in [-1, 1] to w_plus (B, num_ws, 512)."""
        return self.forward(resize_to(images, INPUT_SIZE)) + self.w_avg
