"""The IR-SE50 residual body that the e4e encoder and the ArcFace identity network share.

Source: Deng et al., "ArcFace" (2019), section 3.1 (improved residual units, 50 layers); the channel gate is
Hu et al., "Squeeze-and-Excitation Networks" (2018). Parameter names follow the published checkpoints.
"""

from __future__ import annotations

from torch import Tensor, nn

# (in_channels, out_channels, number of units); the first unit of a group halves the resolution.
GROUPS = ((64, 64, 3), (64, 128, 4), (128, 256, 14), (256, 512, 3))
SQUEEZE = 16


class ChannelGate(nn.Module):
    """Scale each channel by a gate in (0, 1) computed from all channels' means."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.avg_pool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(channels, channels // SQUEEZE, 1, bias=False)
        self.relu = nn.ReLU()
        self.fc2 = nn.Conv2d(channels // SQUEEZE, channels, 1, bias=False)
        self.sigmoid = nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to the same shape."""
        gate: Tensor = self.sigmoid(self.fc2(self.relu(self.fc1(self.avg_pool(x)))))
        return x * gate


class ResidualUnit(nn.Module):
    """BN, 3 x 3 convolution, PReLU, 3 x 3 convolution of the given stride, BN and gate, added to the shortcut."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.shortcut_layer: nn.Module
        if in_channels == out_channels:
            self.shortcut_layer = nn.MaxPool2d(1, stride)
        else:
            self.shortcut_layer = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, stride, bias=False), nn.BatchNorm2d(out_channels)
            )
        self.res_layer = nn.Sequential(
            nn.BatchNorm2d(in_channels),
            nn.Conv2d(in_channels, out_channels, 3, 1, 1, bias=False),
            nn.PReLU(out_channels),
            nn.Conv2d(out_channels, out_channels, 3, stride, 1, bias=False),
            nn.BatchNorm2d(out_channels),
            ChannelGate(out_channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, I, H, W) to (B, O, H / stride, W / stride)."""
        shortcut: Tensor = self.shortcut_layer(x)
        return shortcut + self.res_layer(x)


def stem() -> nn.Sequential:
    """The layers before the body: 3 -> 64 channels at full resolution."""
    return nn.Sequential(nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.PReLU(64))


def body() -> nn.Sequential:
    """The 24 residual units; units 3, 7 and 21 start the groups of 128, 256 and 512 channels."""
    units: list[nn.Module] = []
    for in_channels, out_channels, count in GROUPS:
        units.append(ResidualUnit(in_channels, out_channels, 2))
        units += [ResidualUnit(out_channels, out_channels, 1) for _ in range(count - 1)]
    return nn.Sequential(*units)
