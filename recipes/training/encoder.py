"""Fit the encoder to the generator: pictures -> w_plus, first by the known w, then through the picture too."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recipes.training.data import Shards, detail_weight, face_psnr
from recipes.training.factors import HeadGenerator, many_heads
from recipes.training.generator import HELD_OUT, picture_loss
from recipes.training.loop import Figures, Phase
from stit_core.models.compact import CompactEncoder

DELTA_WEIGHT = 0.02  # keeps the rows of w_plus near each other, where edits behave


def spoil(images: Tensor, random: np.random.Generator) -> Tensor:
    """Camera faults that leave the face as it is: blur and noise, on half of the batches."""
    if random.random() < 0.5:
        return images
    size = images.shape[-1]
    if random.random() < 0.5:
        small = int(size * random.uniform(0.4, 1.0))
        images = F.interpolate(images, size=(small, small), mode="bilinear", antialias=True)
        images = F.interpolate(images, size=(size, size), mode="bilinear")
    return images + torch.randn_like(images) * float(random.uniform(0.0, 0.06))


def encoder_phase(
    name: str,
    encoder: CompactEncoder,
    heads: HeadGenerator,
    w_std: Tensor,
    train: Shards,
    held_out: Shards,
    section: dict[str, Any],
    seed: int,
    device: torch.device,
) -> Phase:
    """A phase that fits the encoder; `section["picture"]` weighs the loss of the picture made again at 128 px."""
    optimiser = torch.optim.Adam(encoder.parameters(), lr=section["lr"], betas=(0.9, 0.99), fused=True)
    generator = heads.generator
    scale = w_std.clamp(min=1e-3)
    reach = section["picture_resolution"]
    others = many_heads(section["latents"], seed)[1].to(device)

    def step(number: int) -> Figures:
        random = np.random.default_rng([seed, 11, number])
        batch = train.draw(random, section["batch"], generator.resolution, device)
        images, factors = batch.images, batch.factors
        with torch.no_grad(), torch.autocast(device.type, torch.bfloat16):
            if section["samples"] > random.random():
                factors = others[torch.from_numpy(random.integers(0, len(others), len(factors))).to(device)]
                images = heads(factors, generator.resolution).clamp(-1, 1)
            target = heads.w_of(factors)[:, None]  # (B, 1, 512)
        with torch.autocast(device.type, torch.bfloat16):
            w_plus = encoder.encode(spoil(images, random))
        w_plus = w_plus.float()
        loss = ((w_plus - target) / scale).square().mean()
        delta = ((w_plus - w_plus.mean(1, keepdim=True)) / scale).square().mean()
        figures: Figures = {"w": loss.detach(), "delta": delta.detach()}
        loss = section["latent"] * loss + DELTA_WEIGHT * delta
        if section["picture"] > 0:
            with torch.autocast(device.type, torch.bfloat16):
                made = generator.run_blocks(generator.styles(w_plus), until=reach).image
            small = F.avg_pool2d(images, images.shape[-1] // reach)
            step_labels = images.shape[-1] // reach
            weight = detail_weight(batch.labels[:, ::step_labels, ::step_labels])
            if factors is not batch.factors:  # the labels are those of other pictures
                weight = torch.ones_like(weight)
            picture = picture_loss(made, small, weight)
            figures["picture"] = picture.detach()
            loss = loss + section["picture"] * picture
        loss.backward()
        torch.nn.utils.clip_grad_norm_(encoder.parameters(), 5.0)
        return figures

    @torch.no_grad()
    def evaluate(module: nn.Module) -> dict[str, float]:
        assert isinstance(module, CompactEncoder)
        module.eval()
        found = []
        for first in range(0, HELD_OUT, 16):
            batch = held_out.batch(np.arange(first, first + 16), generator.resolution, device)
            images = generator.synthesis(module.encode(batch.images))
            found.append(face_psnr(images, batch.images, batch.labels))
        return {"face_psnr": float(torch.cat(found).nanmean())}

    return Phase(name, encoder, optimiser, step, evaluate, section["minutes"])
