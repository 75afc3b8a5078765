"""Attribute network of a small pack; its features serve as that pack's perceptual distance. Source: ours.

The distance follows Zhang et al. 2018 (LPIPS) without learned channel weights.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stit_core.models.compact import ConvUnit, stage
from stit_core.models.encoders import resize_to
from stit_core.models.perceptual import unit_channels

INPUT_SIZE = 256
HIDDEN = 128
GRID = 4  # cells a side in which the last map is summarised: pose and expression are matters of place


class AttributeNet(nn.Module):
    """Predict num_attributes numbers from a picture (0.5 GMAC, 1.6 M parameters)."""

    def __init__(self, num_attributes: int) -> None:
        super().__init__()
        self.num_attributes = num_attributes
        self.stages = nn.ModuleList(
            [
                nn.Sequential(ConvUnit(3, 24, 2), ConvUnit(24, 24)),  # 128 px
                stage(24, 40, 1),
                stage(40, 72, 1),
                stage(72, 112, 1),
                stage(112, 176, 1),  # 8 px
            ]
        )
        self.hidden = nn.Linear(112 + 176 * GRID * GRID, HIDDEN)
        self.predict = nn.Linear(HIDDEN, num_attributes)

    def dims(self) -> dict[str, int]:
        """The constructor's arguments."""
        return {"num_attributes": self.num_attributes}

    def features(self, images: Tensor) -> list[Tensor]:
        """Five feature maps of pictures (B, 3, H, W) in [-1, 1], at 1/2 to 1/32 of their own size.

        The picture is not resized; its sides should be multiples of 32.
        """
        found: list[Tensor] = []
        x = images
        for part in self.stages:
            x = part(x)
            found.append(x)
        return found

    def forward(self, images: Tensor) -> Tensor:
        """Map pictures (B, 3, 256, 256) in [-1, 1] to attributes (B, num_attributes), unbounded."""
        return self.attributes_of(self.features(images))

    def attributes_of(self, features: Sequence[Tensor]) -> Tensor:
        """Map the result of `features` to attributes (B, num_attributes), so that one pass gives both."""
        grid = F.adaptive_avg_pool2d(features[-1], GRID)  # (B, 176, GRID, GRID)
        means = torch.cat([features[-2].mean(dim=(2, 3)), grid.flatten(1)], dim=1)
        with torch.autocast(device_type=means.device.type, enabled=False):
            hidden = F.leaky_relu(self.hidden(means.to(self.hidden.weight.dtype)), 0.2)
            out: Tensor = self.predict(hidden)
            return out

    def attributes(self, images: Tensor) -> Tensor:
        """Map pictures (B, 3, H, W) of any size in [-1, 1] to attributes (B, num_attributes)."""
        return self.forward(resize_to(images, INPUT_SIZE))


class FeaturePerceptual(nn.Module):
    """Perceptual distance on a feature network, with the interface of Lpips."""

    def __init__(self, net: AttributeNet) -> None:
        super().__init__()
        self.net = net

    def features(self, images: Tensor) -> list[Tensor]:
        """The unit-normalised feature maps of pictures (B, 3, H, W) in [-1, 1]."""
        return [unit_channels(x) for x in self.net.features(images)]

    def distance(self, features_a: Sequence[Tensor], features_b: Sequence[Tensor]) -> Tensor:
        """The distance (B,) between two results of `features`: squared differences, spatial means, summed."""
        total = torch.zeros((), device=features_a[0].device)
        for a, b in zip(features_a, features_b, strict=True):
            total = total + (a - b).float().square().sum(dim=1).mean(dim=(1, 2))
        return total

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """The distance (B,) between pictures (B, 3, H, W) in [-1, 1]."""
        return self.distance(self.features(a), self.features(b))
