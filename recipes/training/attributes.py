"""Fit the attribute network to the known parameters of renders."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from recipes.training.data import Shards
from recipes.training.encoder import spoil
from recipes.training.generator import HELD_OUT
from recipes.training.loop import Phase
from stit_core.models.attributes import AttributeNet


def attribute_phase(
    net: AttributeNet, train: Shards, held_out: Shards, section: dict[str, Any], seed: int, device: torch.device
) -> Phase:
    """A phase that regresses the attributes, each in units of its own spread."""
    optimiser = torch.optim.AdamW(net.parameters(), lr=section["lr"], weight_decay=1e-4, fused=True)
    mean = torch.from_numpy(train.attributes.mean(0)).to(device)
    std = torch.from_numpy(train.attributes.std(0)).to(device).clamp(min=1e-3)

    def step(number: int) -> dict[str, float]:
        random = np.random.default_rng([seed, 21, number])
        if number % 100 == 0:
            train.refresh()
        batch = train.draw(random, section["batch"], section["resolution"], device)
        with torch.autocast(device.type, torch.bfloat16):
            guess = net(spoil(batch.images, random))
        loss = nn.functional.smooth_l1_loss((guess.float() - mean) / std, (batch.attributes - mean) / std)
        loss.backward()
        return {"loss": float(loss.detach())}

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

    return Phase(section["name"], net, optimiser, step, evaluate, section["minutes"])
