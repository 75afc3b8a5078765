"""Compact encoder and face parser for packs that run on two CPU cores. Source: ours, of ResNet units (He et al. 2016).

Both take pictures in [-1, 1] and work at 256 px. Their batch normalisations fold into the convolutions for use.
"""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from stit_core.models.encoders import resize_to

INPUT_SIZE = 256
HIDDEN = 384  # width of the encoder's summary of a picture
DELTA_RANK = 24  # directions in which one layer may leave the base w

Network = TypeVar("Network", bound=nn.Module)


class ConvUnit(nn.Module):
    """Convolution, batch normalisation and, unless switched off, ReLU."""

    def __init__(
        self, in_channels: int, out_channels: int, stride: int = 1, kernel: int = 3, relu: bool = True
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2, bias=False)
        self.bn: nn.Module = nn.BatchNorm2d(out_channels)
        self.relu = relu

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, I, H, W) to (B, O, H / stride, W / stride)."""
        x = self.bn(self.conv(x))
        return F.relu(x, inplace=True) if self.relu else x

    def fold(self) -> None:
        """Put the normalisation into the convolution, for evaluation only."""
        if isinstance(self.bn, nn.BatchNorm2d):
            self.conv = fuse_conv_bn_eval(self.conv.eval(), self.bn.eval())
            self.bn = nn.Identity()


class Residual(nn.Module):
    """Two 3 x 3 convolution units added to their input, then ReLU."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = ConvUnit(channels, channels)
        self.second = ConvUnit(channels, channels, relu=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to the same shape."""
        return F.relu(x + self.second(self.first(x)), inplace=True)


def stage(in_channels: int, out_channels: int, residuals: int) -> nn.Sequential:
    """A halving convolution unit followed by residual units."""
    return nn.Sequential(ConvUnit(in_channels, out_channels, 2), *(Residual(out_channels) for _ in range(residuals)))


def folded(network: Network) -> Network:
    """A copy in evaluation mode whose batch normalisations are folded into the convolutions before them.

    The copy gives the same results with fewer passes over memory; save and train the original.
    """
    twin = copy.deepcopy(network).eval()
    for module in list(twin.modules()):
        if isinstance(module, ConvUnit):
            module.fold()
    return twin


class CompactEncoder(nn.Module):
    """Pictures to w_plus: one base w for all layers plus a low-rank delta for each (0.9 GMAC, 3.8 M parameters).

    Parameters
    ----------
    num_ws, w_dim: of the generator.

    Attributes
    ----------
    w_avg: (w_dim,), a buffer: the mean that the base is added to.
    """

    w_avg: Tensor

    def __init__(self, num_ws: int, w_dim: int = 512) -> None:
        super().__init__()
        self.num_ws, self.w_dim = num_ws, w_dim
        self.stem = ConvUnit(3, 24, 2)  # 128 px
        self.stage64 = stage(24, 48, 1)
        self.stage32 = stage(48, 96, 2)
        self.stage16 = stage(96, 144, 2)
        self.stage8 = stage(144, 192, 1)
        self.stage4 = ConvUnit(192, 128, 2)
        self.summary = nn.Linear(128 * 4 * 4 + 96 + 144, HIDDEN)
        self.base = nn.Linear(HIDDEN, w_dim)
        self.delta = nn.Linear(HIDDEN, num_ws * DELTA_RANK)
        self.delta_basis = nn.Parameter(0.01 * torch.randn(num_ws, DELTA_RANK, w_dim))
        self.register_buffer("w_avg", torch.zeros(w_dim))

    def dims(self) -> dict[str, int]:
        """The constructor's arguments."""
        return {"num_ws": self.num_ws, "w_dim": self.w_dim}

    def forward(self, images: Tensor) -> Tensor:
        """Map pictures (B, 3, 256, 256) in [-1, 1] to w_plus (B, num_ws, w_dim)."""
        at32 = self.stage32(self.stage64(self.stem(images)))
        at16 = self.stage16(at32)
        at4 = self.stage4(self.stage8(at16))
        facts = torch.cat([at4.flatten(1), at32.mean(dim=(2, 3)), at16.mean(dim=(2, 3))], dim=1)
        with torch.autocast(device_type=images.device.type, enabled=False):
            hidden = F.leaky_relu(self.summary(facts.to(self.summary.weight.dtype)), 0.2)
            base = self.w_avg + self.base(hidden)
            amounts = self.delta(hidden).unflatten(1, (self.num_ws, DELTA_RANK))
            deltas = torch.einsum("blr,lrw->blw", amounts, self.delta_basis)
            return base[:, None] + deltas  # (B, num_ws, w_dim)

    def encode(self, images: Tensor) -> Tensor:
        """Map pictures (B, 3, H, W) of any size in [-1, 1] to w_plus (B, num_ws, w_dim)."""
        return self.forward(resize_to(images, INPUT_SIZE))


class CompactParser(nn.Module):
    """Face parser shaped like a U-Net whose decoder ends at 128 px (1.4 GMAC, 2 M parameters).

    Argument: num_classes, 19 in the order of the CelebAMask labels.
    """

    def __init__(self, num_classes: int = 19) -> None:
        super().__init__()
        self.stem = ConvUnit(3, 24, 2)  # 128 px
        self.stage64 = stage(24, 48, 1)
        self.stage32 = stage(48, 80, 2)
        self.stage16 = stage(80, 128, 2)
        self.stage8 = stage(128, 160, 1)
        self.context = nn.Conv2d(160, 96, 1)
        self.top = ConvUnit(160, 96, kernel=1)
        self.lateral16, self.merge16 = ConvUnit(128, 96, kernel=1), ConvUnit(96, 64)
        self.lateral32, self.merge32 = ConvUnit(80, 64, kernel=1), ConvUnit(64, 64)
        self.lateral64, self.merge64 = ConvUnit(48, 64, kernel=1), Residual(64)
        self.lateral128, self.merge128 = ConvUnit(24, 64, kernel=1), ConvUnit(64, 32)
        self.classify = nn.Conv2d(32, num_classes, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Map pictures (B, 3, 256, 256) in [-1, 1] to logits (B, num_classes, 256, 256)."""
        return self._doubled(self.classify(self.features(images)[1]))

    def features(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Map pictures (B, 3, 256, 256) in [-1, 1] to the decoder's maps (B, 64, 64, 64) and (B, 32, 128, 128)."""
        at128 = self.stem(images)
        at64 = self.stage64(at128)
        at32 = self.stage32(at64)
        at16 = self.stage16(at32)
        at8 = self.stage8(at16)
        x = self.top(at8) + self.context(at8.mean(dim=(2, 3), keepdim=True))
        x = self.merge16(self._doubled(x) + self.lateral16(at16))
        x = self.merge32(self._doubled(x) + self.lateral32(at32))
        x = self.merge64(self._doubled(x) + self.lateral64(at64))
        return x, self.merge128(self._doubled(x) + self.lateral128(at128))

    @staticmethod
    def _doubled(x: Tensor) -> Tensor:
        return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)

    def parse(self, images: Tensor) -> Tensor:
        """Map pictures (B, 3, H, W) of any size in [-1, 1] to logits (B, num_classes, 256, 256)."""
        return self.forward(resize_to(images, INPUT_SIZE))
