"""Building blocks of the StyleGAN2 generator that are fast on a CPU and differentiable.

The original modulates the weights per sample, which needs one grouped convolution per batch. The same sums come out
of scaling the activations by the style, one convolution shared by the batch, and scaling by the demodulation
coefficients; it is two to five times faster on a CPU. Tests hold a per-sample twin as oracle.

Source: Karras et al., "Analyzing and Improving the Image Quality of StyleGAN" (2020), section 2.2 and appendix B.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx, once_differentiable

LEAK = 0.2
ACTIVATION_GAIN = math.sqrt(2.0)
FIR_TAPS = (1.0, 3.0, 3.0, 1.0)
UPSAMPLING_GAIN = 4.0  # the FIR's sum, which makes up for the zeros between samples
DEMODULATION_EPSILON = 1e-8


def fir_kernel() -> Tensor:
    """The 4 x 4 outer product of [1, 3, 3, 1] with sum 4; every value is exact in bf16."""
    taps = torch.tensor(FIR_TAPS)
    return torch.outer(taps, taps) * (UPSAMPLING_GAIN / sum(FIR_TAPS) ** 2)


def blur_after_upsampling(x: Tensor, kernel: Tensor) -> Tensor:
    """Filter the output of a stride-2 transposed 3 x 3 convolution.

    Parameters
    ----------
    x: (B, C, 2H + 1, 2W + 1).
    kernel: (4, 4).

    Returns
    -------
    (B, C, 2H, 2W).
    """
    channels = x.shape[1]
    depthwise = kernel.to(x.dtype).expand(channels, 1, 4, 4).contiguous(memory_format=torch.channels_last)
    return F.conv2d(x, depthwise, padding=1, groups=channels)


def upsample_2x(x: Tensor) -> Tensor:
    """Double the size of (B, C, H, W) by zero insertion and the [1, 3, 3, 1] filter, with zeros outside.

    Bilinear interpolation without aligned corners has the same weights; only its edges differ, hence the zero frame.
    """
    padded = F.pad(x, (1, 1, 1, 1))
    doubled = F.interpolate(padded, scale_factor=2.0, mode="bilinear", align_corners=False)
    return doubled[:, :, 2:-2, 2:-2]


def demodulation_coefficients(weight: Tensor, style: Tensor) -> Tensor:
    """1 / |weight * style| per sample and output channel.

    Parameters
    ----------
    weight: (O, I, k, k).
    style: (B, I).

    Returns
    -------
    (B, O).
    """
    energy = weight.square().sum(dim=(2, 3))  # (O, I)
    return torch.rsqrt(style.square() @ energy.t() + DEMODULATION_EPSILON)


class _ScaleShiftLeak(torch.autograd.Function):
    """leaky_relu(x * scale + offset) that keeps one tensor less and reads memory fewer times than autograd's own."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: FunctionCtx, x: Tensor, scale: Tensor, bias: Tensor, plane: Tensor | None, strength: Tensor | None
    ) -> Tensor:
        bias = bias.to(x.dtype)
        y = x * scale.to(x.dtype)[:, :, None, None]
        if plane is None or strength is None:
            y += bias[None, :, None, None]
        else:
            # One number a pixel for all channels: torch adds that slowly in half precision, and multiplies it fast.
            column = (plane * strength).to(x.dtype).reshape(-1, 1)
            offset = torch.addmm(bias, column, bias.new_ones(1, len(bias)))  # (B * H * W, C)
            y += offset.reshape(len(plane), *x.shape[2:], -1).permute(0, 3, 1, 2)
        y = F.leaky_relu(y, LEAK, inplace=True)
        ctx.save_for_backward(x, scale, y, plane, strength)  # type: ignore[arg-type]  # None is allowed
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        x, scale, y, plane, strength = ctx.saved_tensors
        wants_x, wants_scale, wants_bias, wants_plane, wants_strength = ctx.needs_input_grad
        # The sign of the result equals the sign before it, so the result alone tells the slope.
        grad = torch.ops.aten.leaky_relu_backward(grad, y, LEAK, True)
        grad_x = grad * scale.to(grad.dtype)[:, :, None, None] if wants_x else None
        grad_scale = (grad * x).sum(dim=(2, 3)).to(scale.dtype) if wants_scale else None
        grad_bias = grad.sum(dim=(2, 3)).to(scale.dtype).sum(dim=0) if wants_bias else None
        grad_plane = grad_strength = None
        if plane is not None and (wants_plane or wants_strength):
            summed = grad.sum(dim=1, keepdim=True).to(scale.dtype)  # (B, 1, H, W)
            grad_strength = (summed * plane).sum() if wants_strength else None
            grad_plane = (summed * strength).sum_to_size(plane.shape) if wants_plane else None
        return grad_x, grad_scale, grad_bias, grad_plane, grad_strength


def scale_shift_leak(
    x: Tensor, scale: Tensor, bias: Tensor, plane: Tensor | None = None, strength: Tensor | None = None
) -> Tensor:
    """leaky_relu(x * scale + bias + plane * strength) with slope 0.2, in the type of x.

    Differentiable once.

    Parameters
    ----------
    x: (B, C, H, W).
    scale: (B, C).
    bias: (C,).
    plane, strength: (1 or B, 1, H, W) and (), the noise.
    """
    out: Tensor = _ScaleShiftLeak.apply(x, scale, bias, plane, strength)
    return out


class EqualLinear(nn.Module):
    """Linear layer with equalised learning rate: the stored weight is scaled at run time.

    Parameters
    ----------
    in_features, out_features: of the layer.
    bias_init: the initial effective bias.
    lr_multiplier: scales weight and bias alike.
    activate: whether the output goes through a leaky ReLU with gain sqrt(2).

    Source: Karras et al. 2018 (progressive growing), section 4.1.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias_init: float = 0.0,
        lr_multiplier: float = 1.0,
        activate: bool = False,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_features, in_features) / lr_multiplier)
        self.bias = nn.Parameter(torch.full((out_features,), bias_init / lr_multiplier))
        self.weight_gain = lr_multiplier / math.sqrt(in_features)
        self.bias_gain = lr_multiplier
        self.activate = activate

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., in_features) to (..., out_features), in float32 even under autocast: styles need the digits."""
        with torch.autocast(device_type=x.device.type, enabled=False):
            out = F.linear(x.to(self.weight.dtype) * self.weight_gain, self.weight, self.bias * self.bias_gain)
            return F.leaky_relu(out, LEAK) * ACTIVATION_GAIN if self.activate else out


class StyledConv(nn.Module):
    """Modulated and demodulated 3 x 3 convolution, optional doubling, noise, bias and leaky ReLU.

    Parameters
    ----------
    in_channels, out_channels, w_dim: of the layer.
    resolution: of the output in pixels.
    upsample: whether it doubles the size.
    """

    kernel: Tensor
    noise_const: Tensor

    def __init__(self, in_channels: int, out_channels: int, w_dim: int, resolution: int, upsample: bool) -> None:
        super().__init__()
        self.resolution = resolution
        self.upsample = upsample
        self.affine = EqualLinear(w_dim, in_channels, bias_init=1.0)
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 3, 3))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.noise_strength = nn.Parameter(torch.zeros(()))
        self.register_buffer("noise_const", torch.randn(resolution, resolution))
        self.register_buffer("kernel", fir_kernel(), persistent=False)
        self.fan_in_gain = 1.0 / math.sqrt(in_channels * 9)

    def forward(self, x: Tensor, style: Tensor, noise: str | Tensor) -> Tensor:
        """Map (B, I, r, r) and style (B, I) to (B, O, resolution, resolution).

        noise: "const", "none", "random", or a plane (1 or B, 1, resolution, resolution) added as it is.
        """
        # The gains cancel; they keep the convolution's result near unit size, which half precision needs.
        scale = demodulation_coefficients(self.weight, style) * (ACTIVATION_GAIN / self.fan_in_gain)
        x = x * (style * self.fan_in_gain).to(x.dtype)[:, :, None, None]
        if self.upsample:
            x = F.conv_transpose2d(x, self.weight.transpose(0, 1), stride=2)
            x = blur_after_upsampling(x, self.kernel)
        else:
            x = F.conv2d(x, self.weight, padding=1)
        bias = self.bias * ACTIVATION_GAIN
        if isinstance(noise, Tensor):
            return scale_shift_leak(x, scale, bias, noise, noise.new_tensor(ACTIVATION_GAIN))
        if noise == "none":
            return scale_shift_leak(x, scale, bias)
        if noise == "const":
            plane = self.noise_const[None, None]
        else:
            plane = torch.randn(x.shape[0], 1, *x.shape[2:], device=x.device, dtype=self.bias.dtype)
        return scale_shift_leak(x, scale, bias, plane, self.noise_strength * ACTIVATION_GAIN)


class ToRGB(nn.Module):
    """Modulated 1 x 1 convolution to three channels, without demodulation.

    Its style is the plain affine output; the scale by 1 / sqrt(in_channels) is applied inside.
    """

    def __init__(self, in_channels: int, w_dim: int) -> None:
        super().__init__()
        self.affine = EqualLinear(w_dim, in_channels, bias_init=1.0)
        self.weight = nn.Parameter(torch.randn(3, in_channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(3))
        self.fan_in_gain = 1.0 / math.sqrt(in_channels)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """Map (B, I, r, r) and style (B, I) to a float32 picture (B, 3, r, r)."""
        # Three output channels: weights per sample are cheaper than another pass over the activations.
        weight = self.weight[None, :, :, 0, 0] * (style * self.fan_in_gain)[:, None]  # (B, 3, I)
        with torch.autocast(device_type=x.device.type, enabled=False):
            rgb = torch.bmm(weight.to(x.dtype), x.flatten(2)).to(self.bias.dtype)  # (B, 3, r * r)
        return rgb.unflatten(2, x.shape[2:]) + self.bias[None, :, None, None]
