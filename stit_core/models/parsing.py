"""BiSeNet face parser with 19 classes.

Source: Yu et al., "BiSeNet: Bilateral Segmentation Network" (2018), in the variant that the published face-parsing
weights have: a ResNet18 (He et al. 2016) context path whose 1/8 features stand in for the spatial path.
Parameter names follow the published checkpoint.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stit_core.models.encoders import resize_to

INPUT_SIZE = 512
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class BasicBlock(nn.Module):
    """ResNet's two 3 x 3 convolutions with a shortcut."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.downsample: nn.Module | None = None
        if in_channels != out_channels or stride != 1:
            self.downsample = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, stride, bias=False), nn.BatchNorm2d(out_channels)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, I, H, W) to (B, O, H / stride, W / stride)."""
        residual = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        shortcut = x if self.downsample is None else self.downsample(x)
        return F.relu(shortcut + residual)


class ResNet18(nn.Module):
    """The context path's trunk; gives features at 1/8, 1/16 and 1/32."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.layer1 = nn.Sequential(BasicBlock(64, 64, 1), BasicBlock(64, 64, 1))
        self.layer2 = nn.Sequential(BasicBlock(64, 128, 2), BasicBlock(128, 128, 1))
        self.layer3 = nn.Sequential(BasicBlock(128, 256, 2), BasicBlock(256, 256, 1))
        self.layer4 = nn.Sequential(BasicBlock(256, 512, 2), BasicBlock(512, 512, 1))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Map (B, 3, H, W) to features of 128, 256 and 512 channels at 1/8, 1/16 and 1/32."""
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        eighth = self.layer2(self.layer1(x))
        sixteenth = self.layer3(eighth)
        return eighth, sixteenth, self.layer4(sixteenth)


class ConvBNReLU(nn.Module):
    """Convolution without bias, batch normalisation, ReLU."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel, 1, kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, I, H, W) to (B, O, H, W)."""
        return F.relu(self.bn(self.conv(x)))


class AttentionRefinement(nn.Module):
    """BiSeNet's attention refinement: features scaled by a gate from their own means."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = ConvBNReLU(in_channels, out_channels)
        self.conv_atten = nn.Conv2d(out_channels, out_channels, 1, bias=False)
        self.bn_atten = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, I, H, W) to (B, O, H, W)."""
        features: Tensor = self.conv(x)
        gate = torch.sigmoid(self.bn_atten(self.conv_atten(features.mean(dim=(2, 3), keepdim=True))))
        return features * gate


class ContextPath(nn.Module):
    """ResNet18 with refinement of its two deepest maps and the global mean."""

    def __init__(self) -> None:
        super().__init__()
        self.resnet = ResNet18()
        self.arm16 = AttentionRefinement(256, 128)
        self.arm32 = AttentionRefinement(512, 128)
        self.conv_head32 = ConvBNReLU(128, 128)
        self.conv_head16 = ConvBNReLU(128, 128)
        self.conv_avg = ConvBNReLU(512, 128, kernel=1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map (B, 3, H, W) to the trunk's and the context's features, both (B, 128, H / 8, W / 8)."""
        eighth, sixteenth, deepest = self.resnet(x)
        mean = self.conv_avg(deepest.mean(dim=(2, 3), keepdim=True))
        context = self.arm32(deepest) + mean
        context = self.conv_head32(F.interpolate(context, size=sixteenth.shape[-2:], mode="nearest"))
        context = self.arm16(sixteenth) + context
        context = self.conv_head16(F.interpolate(context, size=eighth.shape[-2:], mode="nearest"))
        return eighth, context


class FeatureFusion(nn.Module):
    """BiSeNet's feature fusion: joined maps, plus themselves scaled by a gate."""

    def __init__(self) -> None:
        super().__init__()
        self.convblk = ConvBNReLU(256, 256, kernel=1)
        self.conv1 = nn.Conv2d(256, 64, 1, bias=False)
        self.conv2 = nn.Conv2d(64, 256, 1, bias=False)

    def forward(self, spatial: Tensor, context: Tensor) -> Tensor:
        """Map two (B, 128, h, w) to (B, 256, h, w)."""
        features: Tensor = self.convblk(torch.cat([spatial, context], dim=1))
        gate = torch.sigmoid(self.conv2(F.relu(self.conv1(features.mean(dim=(2, 3), keepdim=True)))))
        return features * gate + features


class Output(nn.Module):
    """3 x 3 convolution and 1 x 1 convolution to the classes."""

    def __init__(self, in_channels: int, mid_channels: int, num_classes: int) -> None:
        super().__init__()
        self.conv = ConvBNReLU(in_channels, mid_channels)
        self.conv_out = nn.Conv2d(mid_channels, num_classes, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, I, h, w) to logits (B, num_classes, h, w)."""
        logits: Tensor = self.conv_out(self.conv(x))
        return logits


class BiSeNet(nn.Module):
    """The face parser; only the first of the three published outputs is computed.

    The two auxiliary outputs keep their places so that a checkpoint can be checked in full.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, num_classes: int = 19) -> None:
        super().__init__()
        self.cp = ContextPath()
        self.ffm = FeatureFusion()
        self.conv_out = Output(256, 256, num_classes)
        self.conv_out16 = Output(128, 64, num_classes)
        self.conv_out32 = Output(128, 64, num_classes)
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN)[None, :, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD)[None, :, None, None], persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map normalised pictures (B, 3, H, W) to logits (B, num_classes, H, W)."""
        logits: Tensor = self.conv_out(self.ffm(*self.cp(x)))
        return F.interpolate(logits, size=x.shape[-2:], mode="bilinear", align_corners=True)

    def parse(self, images: Tensor) -> Tensor:
        """Map pictures (B, 3, H, W) of any size in [-1, 1] to logits (B, num_classes, 512, 512)."""
        x = (resize_to(images, INPUT_SIZE) * 0.5 + 0.5 - self.mean) / self.std
        return self.forward(x)
