"""StyleGAN2 generator in plain PyTorch: mapping network, synthesis network and style input.

Source: Karras et al., "Analyzing and Improving the Image Quality of StyleGAN" (2020); the style input is the
S space of Wu et al., "StyleSpace Analysis" (2021). Written from the papers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

from stit_core.models.ops import EqualLinear, StyledConv, ToRGB, upsample_2x

MAPPING_LR_MULTIPLIER = 0.01
NOISE_MODES = ("const", "none", "random")


def channel_plan(resolution: int, channel_base: int = 32768, channel_max: int = 512) -> dict[int, int]:
    """Resolution -> channels by StyleGAN2's rule min(channel_base / resolution, channel_max)."""
    return {size: min(channel_base // size, channel_max) for size in block_resolutions(resolution)}


def block_resolutions(resolution: int) -> list[int]:
    """Return [4, 8, ..., resolution]; raises ValueError unless resolution is a power of two from 8 up."""
    if resolution < 8 or resolution & (resolution - 1):
        raise ValueError(f"resolution must be a power of two from 8 up, got {resolution}")
    return [2**power for power in range(2, resolution.bit_length())]


class BlockState(NamedTuple):
    """Where synthesis stands after a block: its resolution, features (B, C, r, r) and picture so far (B, 3, r, r)."""

    resolution: int
    features: Tensor
    image: Tensor


class SynthesisBlock(nn.Module):
    """The layers of one resolution: conv0 (doubles, absent at 4 px), conv1 and the skip to RGB."""

    def __init__(self, in_channels: int, out_channels: int, w_dim: int, resolution: int) -> None:
        super().__init__()
        self.resolution = resolution
        first = resolution == 4
        self.const = nn.Parameter(torch.randn(out_channels, 4, 4)) if first else None
        self.conv0 = None if first else StyledConv(in_channels, out_channels, w_dim, resolution, upsample=True)
        self.conv1 = StyledConv(out_channels, out_channels, w_dim, resolution, upsample=False)
        self.torgb = ToRGB(out_channels, w_dim)

    def affines(self) -> list[EqualLinear]:
        """The block's affine layers in the order in which their styles are used."""
        return [*(conv.affine for conv in self.convs()), self.torgb.affine]

    def convs(self) -> list[StyledConv]:
        """The block's styled convolutions in order."""
        return [self.conv1] if self.conv0 is None else [self.conv0, self.conv1]

    def forward(
        self, state: BlockState | None, styles: Sequence[Tensor], noise: Sequence[str] | Sequence[Tensor]
    ) -> BlockState:
        """Run the block on the state before it (None at 4 px), with a style and a noise for each convolution."""
        if self.conv0 is None or state is None:
            assert self.const is not None, "only the 4 px block starts without a state"
            x = self.const.expand(styles[0].shape[0], -1, -1, -1).contiguous(memory_format=torch.channels_last)
        else:
            x = self.conv0(state.features, styles[0], noise[0])
        x = self.conv1(x, styles[-2], noise[-1])
        rgb = self.torgb(x, styles[-1])
        image = rgb if state is None else upsample_2x(state.image) + rgb
        return BlockState(self.resolution, x, image)


class MappingNetwork(nn.Module):
    """Map z to w by fully connected layers on the normalised z; holds the running mean w_avg."""

    w_avg: Tensor

    def __init__(self, z_dim: int, w_dim: int, layers: int) -> None:
        super().__init__()
        widths = [z_dim] + [w_dim] * layers
        self.layers = nn.ModuleList(
            EqualLinear(a, b, lr_multiplier=MAPPING_LR_MULTIPLIER, activate=True) for a, b in pairwise(widths)
        )
        self.register_buffer("w_avg", torch.zeros(w_dim))

    def forward(self, z: Tensor) -> Tensor:
        """Map (B, z_dim) to (B, w_dim), untruncated."""
        x = z.float()
        x = x * torch.rsqrt(x.square().mean(dim=1, keepdim=True) + 1e-8)
        for layer in self.layers:
            x = layer(x)
        return x


class Generator(nn.Module):
    """StyleGAN2 generator.

    Fast when converted with `.to(memory_format=torch.channels_last)`; bf16 autocast works on CPU and GPU.

    Parameters
    ----------
    resolution: of the picture in pixels, a power of two.
    z_dim, w_dim: lengths of the latents.
    mapping_layers: of the mapping network.
    channels: a plan resolution -> channels, or None for the rule min(channel_base / resolution, channel_max).

    Attributes
    ----------
    resolution, z_dim, w_dim, mapping_layers, channels: as given.
    num_ws: styles that a picture takes.

    Raises
    ------
    ValueError: a resolution that is no power of two or a plan that does not fit it.
    """

    def __init__(
        self,
        resolution: int,
        z_dim: int = 512,
        w_dim: int = 512,
        mapping_layers: int = 8,
        channels: Mapping[int, int] | None = None,
        channel_base: int = 32768,
        channel_max: int = 512,
    ) -> None:
        super().__init__()
        sizes = block_resolutions(resolution)
        plan = channel_plan(resolution, channel_base, channel_max) if channels is None else dict(channels)
        if sorted(plan) != sizes:
            raise ValueError(f"channels must name the resolutions {sizes}, got {sorted(plan)}")
        self.resolution, self.z_dim, self.w_dim, self.mapping_layers = resolution, z_dim, w_dim, mapping_layers
        self.channels = plan
        self.num_ws = 2 * len(sizes)
        self.mapping_network = MappingNetwork(z_dim, w_dim, mapping_layers)
        self.blocks = nn.ModuleDict()
        for size in sizes:
            self.blocks[f"b{size}"] = SynthesisBlock(plan.get(size // 2, 0), plan[size], w_dim, size)

    @property
    def w_avg(self) -> Tensor:
        """The mean w (w_dim,) towards which truncation goes."""
        return self.mapping_network.w_avg

    def dims(self) -> dict[str, object]:
        """The constructor's arguments, JSON-friendly but for the integer keys of `channels`."""
        return {
            "resolution": self.resolution,
            "z_dim": self.z_dim,
            "w_dim": self.w_dim,
            "mapping_layers": self.mapping_layers,
            "channels": dict(self.channels),
        }

    def synthesis_parameters(self) -> Iterator[nn.Parameter]:
        """What tuning optimises: everything but the mapping network (noise planes are buffers)."""
        return self.blocks.parameters()

    def mapping(self, z: Tensor, truncation_psi: float = 1.0) -> Tensor:
        """Map z (B, z_dim) to w_plus (B, num_ws, w_dim), every row the same; psi 0 gives w_avg, 1 no truncation."""
        w = self.mapping_network(z)
        if truncation_psi != 1.0:
            w = self.w_avg.lerp(w, truncation_psi)
        return w[:, None].expand(-1, self.num_ws, -1)

    def styles(self, w_plus: Tensor) -> list[Tensor]:
        """Every affine output (B, C) of w_plus (B, num_ws, w_dim) in layer order, toRGB layers included.

        The order is b4.conv1, b4.torgb, then conv0, conv1, torgb of each block; a block's torgb shares its row of
        w_plus with the next block's conv0. Raises ValueError for another shape.
        """
        if w_plus.ndim != 3 or w_plus.shape[1:] != (self.num_ws, self.w_dim):
            raise ValueError(f"w_plus must be (B, {self.num_ws}, {self.w_dim}), got {tuple(w_plus.shape)}")
        found: list[Tensor] = []
        row = 0
        for block in self._blocks():
            affines = block.affines()
            found += [affine(w_plus[:, row + index]) for index, affine in enumerate(affines)]
            row += len(affines) - 1
        return found

    def synthesis(self, w_plus: Tensor, noise: str = "const") -> Tensor:
        """Make pictures (B, 3, R, R), about [-1, 1], from w_plus (B, num_ws, w_dim); see synthesis_from_styles."""
        return self.synthesis_from_styles(self.styles(w_plus), noise)

    def synthesis_from_styles(self, styles: Sequence[Tensor], noise: str = "const") -> Tensor:
        """Make pictures (B, 3, R, R) from styles in the order of `styles`.

        noise: "const" adds the stored noise planes, "none" adds nothing, "random" draws new ones.

        Raises
        ------
        ValueError: an unknown noise mode or another number of styles.
        """
        return self.run_blocks(styles, noise).image

    def run_blocks(
        self,
        styles: Sequence[Tensor],
        noise: str | Sequence[Tensor] = "const",
        state: BlockState | None = None,
        until: int | None = None,
    ) -> BlockState:
        """Run synthesis from a state (None: from the start) to the end of the block of resolution `until`.

        Whoever keeps low blocks frozen runs them once without gradients, keeps the state and goes on from it:
        `run_blocks(styles, state=run_blocks(styles, until=32)).image` equals `synthesis_from_styles(styles)`.
        `styles` is always the full list. `noise` may be planes of one's own in the form of `noise_planes`, for
        optimising them (Abdal et al., "Image2StyleGAN++", 2020).

        Raises
        ------
        ValueError: as synthesis_from_styles, or when nothing is left to run.
        """
        count = 2 * len(self.blocks) - 1
        if isinstance(noise, str) and noise not in NOISE_MODES:
            raise ValueError(f"noise must be one of {NOISE_MODES}, got {noise!r}")
        if not isinstance(noise, str) and len(noise) != count:
            raise ValueError(f"expected {count} noise planes, got {len(noise)}")
        if len(styles) != 3 * len(self.blocks) - 1:
            raise ValueError(f"expected {3 * len(self.blocks) - 1} styles, got {len(styles)}")
        noises = [noise] * count if isinstance(noise, str) else list(noise)
        position = layer = 0
        for block in self._blocks():
            convs = len(block.convs())
            due = state is None or block.resolution > state.resolution
            if due and (until is None or block.resolution <= until):
                state = block(state, styles[position : position + convs + 1], noises[layer : layer + convs])
            position += convs + 1
            layer += convs
        if state is None:
            raise ValueError(f"until must be one of {sorted(self.channels)}, got {until}")
        return state

    @torch.no_grad()
    def noise_planes(self) -> list[Tensor]:
        """What noise "const" adds, a plane (1, 1, r, r) for each styled convolution in order."""
        convs = [conv for block in self._blocks() for conv in block.convs()]
        return [(conv.noise_const * conv.noise_strength)[None, None].clone() for conv in convs]

    def _blocks(self) -> Iterator[SynthesisBlock]:
        for block in self.blocks.values():
            assert isinstance(block, SynthesisBlock)
            yield block

    def forward(self, z: Tensor, truncation_psi: float = 1.0, noise: str = "const") -> Tensor:
        """Make pictures (B, 3, R, R) from z (B, z_dim)."""
        return self.synthesis(self.mapping(z, truncation_psi), noise)
