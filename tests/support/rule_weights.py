"""Weights by rule: every parameter's value follows from its name, so that figures can be compared without weights."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

REFERENCE = Path(__file__).parents[1] / "reference" / "networks_small.npz"
TAPS = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8


def draw(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return the normal draw that belongs to a name; a scalar takes the draw of shape (1,)."""
    generator = np.random.default_rng(zlib.crc32(f"open-{name}".encode()))
    return generator.standard_normal(shape or (1,), dtype=np.float32).reshape(shape)


def drawn_input(name: str, shape: tuple[int, ...], clip: bool = False) -> Tensor:
    """Return the draw for an input, clipped to [-1, 1] where it is a picture."""
    values = torch.from_numpy(draw(f"input:{name}", shape))
    return values.clamp(-1, 1) if clip else values


def weights_by_rule(shapes: Mapping[str, tuple[int, ...]], stylegan: bool) -> dict[str, Tensor]:
    """Return the rule's value for every parameter name."""
    return {name: _value(name, shape, stylegan) for name, shape in shapes.items()}


def _value(name: str, shape: tuple[int, ...], stylegan: bool) -> Tensor:
    if name.endswith("resample_filter"):
        return torch.outer(TAPS, TAPS)
    if name.endswith(".kernel"):
        return torch.outer(TAPS, TAPS) * 4
    if name.endswith("num_batches_tracked"):
        return torch.zeros((), dtype=torch.int64)
    n = torch.from_numpy(draw(name, shape))
    if name.endswith("running_var"):
        return 0.5 + n.abs()
    if len(shape) >= 2:
        fully_connected = name.startswith("mapping.fc") and len(shape) == 2
        return n * (100.0 if fully_connected else 1.0) if stylegan else n / float(np.sqrt(np.prod(shape[1:])))
    if stylegan and name.endswith(("affine.bias", "modulation.bias")):
        return 1 + 0.1 * n
    if not stylegan and len(shape) == 1 and name.endswith(".weight"):
        return 0.6 + 0.2 * n
    return 0.1 * n


def layout_digest(shapes: Mapping[str, tuple[int, ...]]) -> bytes:
    """Return a digest of names and shapes, the form in which the official layouts are kept."""
    lines = "\n".join(f"{name} {list(shape)}" for name, shape in sorted(shapes.items()))
    return hashlib.sha256(lines.encode()).digest()


def deviation(found: Tensor, wanted: np.ndarray) -> float:
    """Return the largest difference in units of the wanted values' standard deviation."""
    assert tuple(found.shape) == wanted.shape
    return float(np.abs(found.detach().numpy() - wanted).max() / wanted.std())
