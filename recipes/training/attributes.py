"""Fit the attribute network to the known parameters of renders.

A map of the 19 classes is read off its features at the same time by layers that are thrown away afterwards: what is
where teaches a network faster than 110 numbers a picture, and makes its features a better perceptual measure.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recipes.training.data import Shards
from recipes.training.encoder import spoil
from recipes.training.generator import HELD_OUT
from recipes.training.looks import NUM_CLASSES, class_weights, shrink_labels
from recipes.training.loop import Figures, Phase
from stit_core.models.attributes import AttributeNet

MAP_SIZE = 64  # pixels of the class map that is learned beside the attributes


class MapReader(nn.Module):
    """Class logits (B, 19, 64, 64) from feature maps, by a 1 x 1 convolution each."""

    def __init__(self, channels: list[int]) -> None:
        super().__init__()
        self.readers = nn.ModuleList(nn.Conv2d(count, NUM_CLASSES, 1) for count in channels)

    def forward(self, features: list[Tensor]) -> Tensor:
        """Sum of what each map says, (B, 19, 64, 64)."""
        size = (MAP_SIZE, MAP_SIZE)
        parts = [F.interpolate(read(x), size, mode="bilinear") for read, x in zip(self.readers, features, strict=True)]
        return torch.stack(parts).sum(0)


def attribute_phase(
    net: AttributeNet, train: Shards, held_out: Shards, section: dict[str, Any], seed: int, device: torch.device
) -> Phase:
    """A phase that regresses the attributes, each in units of its own spread."""
    with torch.no_grad():
        channels = [x.shape[1] for x in net.features(torch.zeros(1, 3, 64, 64, device=device))]
    reader = MapReader(channels).to(device)
    weights = class_weights(train).to(device)
    parameters = [*net.parameters(), *reader.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=section["lr"], weight_decay=1e-4, fused=True)
    mean = torch.from_numpy(train.attributes.mean(0)).to(device)
    std = torch.from_numpy(train.attributes.std(0)).to(device).clamp(min=1e-3)

    def step(number: int) -> Figures:
        random = np.random.default_rng([seed, 21, number])
        if number % 100 == 0:
            train.refresh()
        batch = train.draw(random, section["batch"], section["resolution"], device)
        with torch.autocast(device.type, torch.bfloat16):
            features = net.features(spoil(batch.images, random))
            guess, logits = net.attributes_of(features), reader(features)
        loss = F.smooth_l1_loss((guess.float() - mean) / std, (batch.attributes - mean) / std)
        classes = F.cross_entropy(logits.float(), shrink_labels(batch.labels, MAP_SIZE), weights)
        (loss + 0.5 * classes).backward()
        return {"loss": loss.detach(), "classes": classes.detach()}

    @torch.no_grad()
    def evaluate(module: nn.Module) -> dict[str, float]:
        module.eval()
        guesses, truths = [], []
        for first in range(0, HELD_OUT, 16):
            batch = held_out.batch(np.arange(first, first + 16), section["resolution"], device)
            guesses.append(module(batch.images))
            truths.append(batch.attributes)
        truth = torch.cat(truths)
        error = (torch.cat(guesses) - truth).square().mean(0)
        explained = 1 - error / truth.var(0).clamp(min=1e-4)
        return {"median_r2": float(explained.median())}

    return Phase(section["name"], net, optimiser, step, evaluate, section["minutes"], partners={"reader": reader})
