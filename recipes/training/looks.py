"""What the training of all networks that read pictures shares: the looks of photographs, and weights of classes."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from recipes.training.data import Shards

NUM_CLASSES = 19


def texture(random: np.random.Generator, like: Tensor) -> Tensor:
    """Random colour noise with the falling spectrum of photographs, (B, 3, R, R) in [-1, 1]."""
    count, size = like.shape[0], like.shape[-1]
    total = torch.zeros_like(like)
    roughness = random.uniform(0.35, 0.8)
    level, amplitude = 2, 1.0
    while level <= size:
        cells = torch.from_numpy(random.standard_normal((count, 3, level, level)).astype(np.float32)).to(like.device)
        mode = "nearest" if random.random() < 0.3 else "bilinear"
        total = total + amplitude * F.interpolate(cells, size=(size, size), mode=mode)
        level, amplitude = level * 2, amplitude * roughness
    shift = torch.from_numpy(random.uniform(-0.8, 0.8, (count, 3, 1, 1)).astype(np.float32)).to(like.device)
    return (0.5 * total + shift).clamp(-1, 1)


def photograph(images: Tensor, random: np.random.Generator) -> Tensor:
    """Colour cast, gamma, contrast, local light, blur and noise, drawn for each picture."""
    count = images.shape[0]

    def draw(low: float, high: float, channels: int = 1) -> Tensor:
        values = random.uniform(low, high, (count, channels, 1, 1)).astype(np.float32)
        return torch.from_numpy(values).to(images.device)

    x = ((images + 1) / 2).clamp(1e-3, 1)
    x = x ** torch.exp(draw(-0.6, 0.6)) * torch.exp(draw(-0.25, 0.25, 3) + draw(-0.3, 0.3))
    grey = x.mean(1, keepdim=True)
    x = grey + (x - grey) * draw(0.1, 1.6)
    light = F.interpolate(draw(-1, 1, 9).reshape(count, 1, 3, 3), size=images.shape[-2:], mode="bicubic")
    x = x * torch.exp(0.5 * draw(0, 1) * light)
    if random.random() < 0.5:
        small = int(images.shape[-1] * random.uniform(0.2, 0.9))
        x = F.interpolate(x, size=(small, small), mode="bilinear", antialias=True)
        x = F.interpolate(x, size=images.shape[-2:], mode="bilinear")
    if random.random() < 0.5:
        x = x + 0.15 * draw(0, 1) * texture(random, images)
    x = x + torch.randn_like(x) * 0.08 * draw(0, 1)
    return x.clamp(0, 1) * 2 - 1


def shrink_labels(labels: Tensor, size: int) -> Tensor:
    """Nearest labels on a grid of `size`, (B, R, R) -> (B, size, size)."""
    step = labels.shape[-1] // size
    return labels[:, step // 2 :: step, step // 2 :: step] if step > 1 else labels


def class_weights(shards: Shards) -> Tensor:
    """Inverse square root of each class's frequency over 200 pictures, mean 1 where present, (19,)."""
    sample = np.concatenate([np.asarray(shards.labels[s][i]).ravel() for s, i in shards.index[:200]])
    counts = np.bincount(sample, minlength=NUM_CLASSES)[:NUM_CLASSES].astype(np.float64)
    present = counts > 0
    weights = np.where(present, 1 / np.sqrt(np.maximum(counts / counts.sum(), 1e-4)), 0.0)
    return torch.from_numpy((weights / weights[present].mean()).astype(np.float32))
