"""Regress a StyleGAN2 on renders whose latents are known.

Every render is a function of known factors (factors.py), so synthesis and a mapping of those factors are fitted to
(factors, picture) pairs directly: L1 and gradient losses at several scales, more weight on eyes and mouth, and a
perceptual term from the attribute network once the pictures are large enough for it to see. Last, the generator's own
mapping network learns the w of every latent.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recipes.training.data import Batch, Shards, detail_weight, face_psnr, psnr
from recipes.training.factors import HeadGenerator, many_heads, num_factors
from recipes.training.loop import Figures, Phase
from stit_core.models.attributes import FeaturePerceptual
from stit_core.models.generator import Generator

HELD_OUT = 64  # pictures of an evaluation
NAMING = ("mapping", "factors")  # phases in which a w gets another name
SPREAD_SAMPLE = 4096  # heads from which the spread of w is taken
# Styles that hardly depend on w at first: regression then has no random dependence to unlearn.
AFFINE_START = 0.1
PERCEPTUAL_SIZE = 128  # pixels; larger pictures are shrunk for the perceptual term, which costs as much as the rest


def new_generator(config: dict[str, Any]) -> HeadGenerator:
    """The generator that the recipe's `generator` section describes, with its mapping of factors, channels_last."""
    channels = {int(size): count for size, count in config["channels"].items()}
    generator = Generator(
        config["resolution"], z_dim=config["z_dim"], mapping_layers=config["mapping_layers"], channels=channels
    )
    for block in generator.blocks.values():
        for affine in block.affines():  # type: ignore[operator]
            affine.weight.data *= AFFINE_START
    made = HeadGenerator(generator, num_factors())
    return made.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def picture_loss(images: Tensor, targets: Tensor, weight: Tensor) -> Tensor:
    """Weighted L1 plus L1 of the finite differences, over three scales; a scalar."""
    total = images.new_zeros(())
    for scale in range(3):
        difference = images - targets
        total = total + (difference.abs() * weight).mean() / (2.0**scale)
        for axis in (2, 3):
            edge = difference.diff(dim=axis).abs() * weight.narrow(axis, 1, weight.shape[axis] - 1)
            total = total + edge.mean()
        images, targets, weight = (F.avg_pool2d(x, 2) for x in (images, targets, weight))
    return total


def parameter_groups(heads: HeadGenerator, lr: float) -> list[dict[str, Any]]:
    """Synthesis at `lr`; the mapping of factors, whose stored weights are 100 times their effect, at 100 times `lr`."""
    return [
        {"params": list(heads.generator.synthesis_parameters()), "lr": lr},
        {"params": list(heads.layers.parameters()), "lr": lr * 100},
    ]


def generator_phase(
    heads: HeadGenerator,
    perceptual: FeaturePerceptual | None,
    train: Shards,
    held_out: Shards,
    section: dict[str, Any],
    seed: int,
    device: torch.device,
) -> Phase:
    """A phase that fits the generator up to `section["resolution"]`."""
    resolution: int = section["resolution"]
    salt = zlib.crc32(section["name"].encode())
    optimiser = torch.optim.Adam(parameter_groups(heads, section["lr"]), betas=(0.9, 0.99), fused=True)

    def step(number: int) -> Figures:
        random = np.random.default_rng([seed, salt, number])
        if number % 200 == 0:
            train.refresh()
        batch = train.draw(random, section["batch"], resolution, device)
        with torch.autocast(device.type, torch.bfloat16):
            images = heads(batch.factors, resolution)
        loss = picture_loss(images, batch.images, detail_weight(batch.labels))
        figures: Figures = {"l1": (images.detach() - batch.images).abs().mean()}
        if perceptual is not None and section["perceptual"] > 0:
            shrink = max(resolution // PERCEPTUAL_SIZE, 1)
            with torch.no_grad():
                features = perceptual.features(F.avg_pool2d(batch.images, shrink))
            distance = perceptual.distance(perceptual.features(F.avg_pool2d(images, shrink)), features).mean()
            loss = loss + section["perceptual"] * distance
            figures["perceptual"] = distance.detach()
        loss.backward()
        return {"loss": loss.detach(), **figures}

    def evaluate(module: nn.Module) -> dict[str, float]:
        assert isinstance(module, HeadGenerator)
        return held_out_figures(module, held_out, resolution, device)

    return Phase(section["name"], heads, optimiser, step, evaluate, section["minutes"])


@torch.no_grad()
def held_out_figures(heads: HeadGenerator, held_out: Shards, resolution: int, device: torch.device) -> dict[str, float]:
    """Mean PSNR of held-out renders from their factors: whole picture and face."""
    whole, face = [], []
    for first in range(0, HELD_OUT, 16):
        batch: Batch = held_out.batch(np.arange(first, first + 16), resolution, device)
        with torch.autocast(device.type, torch.bfloat16):
            images = heads(batch.factors, resolution)
        whole.append(psnr(images, batch.images))
        face.append(face_psnr(images, batch.images, batch.labels))
    return {"psnr": float(torch.cat(whole).mean()), "face_psnr": float(torch.cat(face).nanmean())}


def naming_phase(
    heads: HeadGenerator, held_out: Shards, section: dict[str, Any], seed: int, device: torch.device
) -> Phase:
    """A phase in which one of the two names of w learns from the other; no picture is needed.

    "mapping": the generator's own mapping network learns the w of random latents from that of their known factors.
    "factors": the other way round, for a generator that is taken up from a pack, which has no mapping of factors.
    """
    latents, factors = (part.to(device) for part in many_heads(section["latents"], seed))
    network, by_factors = heads.generator.mapping_network, section["phase"] == "mapping"
    taught = network if by_factors else heads.layers
    with torch.no_grad():
        known = heads.w_of(factors) if by_factors else network(latents)
        spread = known[:SPREAD_SAMPLE].std(0).mean()
    optimiser = torch.optim.Adam(taught.parameters(), lr=section["lr"], betas=(0.9, 0.99), fused=True)

    def step(number: int) -> Figures:
        rows = np.random.default_rng([seed, 42, number]).integers(0, len(latents), section["batch"])
        place = torch.from_numpy(rows).to(device)
        guess = network(latents[place]) if by_factors else heads.w_of(factors[place])
        loss = F.smooth_l1_loss(guess / spread, known[place] / spread)
        loss.backward()
        return {"w": loss.detach()}

    @torch.no_grad()
    def evaluate(module: nn.Module) -> dict[str, float]:
        assert isinstance(module, HeadGenerator)
        w = module.w_of(torch.from_numpy(held_out.factors).to(device))
        other = module.generator.mapping_network(torch.from_numpy(held_out.latents).to(device))
        w, other = (w, other) if by_factors else (other, w)
        error = (other - w).square().mean()
        return {"w_r2": float(1 - error / (w - w.mean(0)).square().mean())}

    return Phase(section["name"], heads, optimiser, step, evaluate, section["minutes"])


@torch.no_grad()
def set_mean_w(generator: Generator, seed: int, count: int = 10_000) -> Tensor:
    """Set w_avg from `count` random latents; returns the standard deviation of w, (512,)."""
    draw = torch.Generator().manual_seed(seed)
    z = torch.randn(count, generator.z_dim, generator=draw).to(generator.w_avg.device)
    w = generator.mapping_network(z)
    generator.w_avg.copy_(w.mean(0))
    return w.std(0)
