"""Fit the face parser to label maps under strong augmentation, since it has to meet photographs."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recipes.training.data import MIRRORED_CLASSES, Shards
from recipes.training.loop import Phase
from stit_core.models.compact import CompactParser

EVALUATED = 128
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


def geometry(images: Tensor, labels: Tensor, random: np.random.Generator) -> tuple[Tensor, Tensor]:
    """One random similarity and shear for each picture and its labels; mirrors half of the batches."""
    count = images.shape[0]
    angle = random.normal(0, 0.25, count)
    zoom = np.exp(random.normal(0, 0.18, count))
    shift = random.normal(0, 0.12, (count, 2))
    shear = random.normal(0, 0.08, count)
    matrix = np.zeros((count, 2, 3), np.float32)
    matrix[:, 0] = np.stack([np.cos(angle) * zoom, -np.sin(angle) * zoom + shear, shift[:, 0]], 1)
    matrix[:, 1] = np.stack([np.sin(angle) * zoom, np.cos(angle) * zoom, shift[:, 1]], 1)
    mirrored = random.random() < 0.5
    if mirrored:
        matrix[:, :, 0] *= -1
    grid = F.affine_grid(torch.from_numpy(matrix).to(images.device), list(images.shape), align_corners=False)
    images = F.grid_sample(images, grid, padding_mode="border", align_corners=False)
    moved = F.grid_sample(labels[:, None].float(), grid, mode="nearest", padding_mode="border", align_corners=False)
    labels = moved[:, 0].long()
    if mirrored:
        labels = torch.tensor(MIRRORED_CLASSES, device=labels.device)[labels]
    return images, labels


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


def parser_phase(
    parser: CompactParser, train: Shards, held_out: Shards, section: dict[str, Any], seed: int, device: torch.device
) -> Phase:
    """A phase that fits the parser by cross-entropy, small classes weighted up."""
    optimiser = torch.optim.AdamW(parser.parameters(), lr=section["lr"], weight_decay=1e-4, fused=True)
    weight = class_weights(train).to(device)

    def step(number: int) -> dict[str, float]:
        random = np.random.default_rng([seed, 31, number])
        batch = train.draw(random, section["batch"], section["resolution"], device)
        images, labels = batch.images, batch.labels
        other = torch.roll(images, 1, 0) if random.random() < 0.3 else texture(random, images)
        if random.random() < 0.6:
            behind = (labels == 0)[:, None].float()
            behind = F.avg_pool2d(F.pad(behind, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
            images = images * (1 - behind) + other * behind
        images, labels = geometry(images, labels, random)
        images = photograph(images, random).contiguous(memory_format=torch.channels_last)
        with torch.autocast(device.type, torch.bfloat16):
            logits = parser.parse(images)
        loss = F.cross_entropy(logits.float(), shrink_labels(labels, logits.shape[-1]), weight)
        loss.backward()
        return {"loss": float(loss.detach())}

    @torch.no_grad()
    def evaluate(module: nn.Module) -> dict[str, float]:
        assert isinstance(module, CompactParser)
        module.eval()
        return mean_iou(module, held_out, section["resolution"], device)

    return Phase("parser", parser, optimiser, step, evaluate, section["minutes"])


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


@torch.no_grad()
def mean_iou(parser: CompactParser, held_out: Shards, resolution: int, device: torch.device) -> dict[str, float]:
    """Intersection over union, mean over the classes that appear, on clean held-out renders at full size."""
    both, either = torch.zeros(NUM_CLASSES), torch.zeros(NUM_CLASSES)
    for first in range(0, min(EVALUATED, len(held_out)), 16):
        batch = held_out.batch(np.arange(first, first + 16), resolution, device)
        logits = F.interpolate(parser.parse(batch.images), size=batch.labels.shape[-2:], mode="bilinear")
        guess = logits.argmax(1)
        for label in range(NUM_CLASSES):
            a, b = guess == label, batch.labels == label
            both[label] += float((a & b).sum())
            either[label] += float((a | b).sum())
    present = either > 0
    return {"miou": float((both[present] / either[present]).mean())}
