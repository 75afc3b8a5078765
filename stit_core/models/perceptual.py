"""LPIPS, the learned perceptual distance on AlexNet's features, in two steps so that targets are seen once.

Source: Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric" (2018); the trunk is
Krizhevsky 2014, "One weird trick" (torchvision's `features`). Parameter names follow the published checkpoints.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

CHANNELS = (64, 192, 384, 256, 256)
FEATURE_LAYERS = (1, 4, 7, 9, 11)  # the ReLU layers of the trunk
SHIFT = (-0.030, -0.088, -0.188)
SCALE = (0.458, 0.448, 0.450)
NORM_EPSILON = 1e-10


def unit_channels(features: Tensor) -> Tensor:
    """Divide (B, C, H, W) by its length over the channels; a pixel of zeros stays zero, with gradient zero."""
    energy = features.float().square().sum(dim=1, keepdim=True).clamp_min(NORM_EPSILON**2)
    return features / (energy.sqrt() + NORM_EPSILON).to(features.dtype)


def alexnet_trunk() -> nn.Sequential:
    """AlexNet's convolutional layers, up to the last ReLU."""
    return nn.Sequential(
        nn.Conv2d(3, 64, 11, stride=4, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(3, 2),
        nn.Conv2d(64, 192, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(3, 2),
        nn.Conv2d(192, 384, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(384, 256, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(256, 256, 3, padding=1),
        nn.ReLU(),
    )


class LinearHead(nn.Module):
    """A 1 x 1 convolution to one channel without bias, at the place it has in the published names."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.model = nn.Sequential(nn.Dropout(), nn.Conv2d(channels, 1, 1, bias=False))

    def weights(self) -> Tensor:
        """The channel weights (C,)."""
        convolution = self.model[1]
        assert isinstance(convolution, nn.Conv2d)
        return convolution.weight.flatten()


class Lpips(nn.Module):
    """LPIPS v0.1 with the AlexNet trunk."""

    shift: Tensor
    scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.ModuleDict({"features": alexnet_trunk()})
        self.heads = nn.ModuleDict({f"lin{index}": LinearHead(c) for index, c in enumerate(CHANNELS)})
        self.register_buffer("shift", torch.tensor(SHIFT)[None, :, None, None], persistent=False)
        self.register_buffer("scale", torch.tensor(SCALE)[None, :, None, None], persistent=False)

    def features(self, images: Tensor) -> list[Tensor]:
        """The five unit-normalised feature maps of pictures (B, 3, H, W) in [-1, 1]."""
        x = (images - self.shift) / self.scale
        found: list[Tensor] = []
        layers = self.trunk["features"]
        assert isinstance(layers, nn.Sequential)
        for index, layer in enumerate(layers):
            x = layer(x)
            if index in FEATURE_LAYERS:
                found.append(unit_channels(x))
        return found

    def distance(self, features_a: Sequence[Tensor], features_b: Sequence[Tensor]) -> Tensor:
        """The distance (B,) between two results of `features`."""
        total = torch.zeros((), device=features_a[0].device)
        for head, a, b in zip(self.heads.values(), features_a, features_b, strict=True):
            assert isinstance(head, LinearHead)
            energy = (a - b).float().square().mean(dim=(2, 3))  # (B, C)
            total = total + energy @ head.weights()
        return total

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """The distance (B,) between pictures (B, 3, H, W) in [-1, 1]."""
        return self.distance(self.features(a), self.features(b))
