"""Teach the mapping network what a latent means before any picture is seen.

A latent's parameters are known without rendering it, so the mapping network can be fitted to any number of latents:
w becomes an orthogonal image of the normalised latent and its attributes. The synthesis network then has every factor
at hand, linearly and apart from the others, and a few thousand renders suffice to learn what each looks like.
"""

from __future__ import annotations

import math
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from recipes.heads.parameters import MEASURES, NUM_FACTORS, attributes, from_latent
from recipes.training.loop import Phase
from stit_core.models.generator import Generator

CHUNK = 2000  # latents that a process works out at once
W_SPREAD = 1.0  # standard deviation of a component of w


def known_attributes(latents: np.ndarray) -> np.ndarray:
    """Attributes (N, A) of latents (N, K), without those that are measured on landmarks."""
    nowhere = np.ones((68, 3)) * np.arange(1, 69)[:, None]  # the measured ones, dropped below, must only be finite
    return np.stack([attributes(from_latent(z), nowhere)[: -len(MEASURES)] for z in latents])


def features(latents: np.ndarray) -> np.ndarray:
    """What w shall hold, (N, K + A): the latent divided by its root mean square, and its attributes."""
    chunks = np.array_split(latents, max(len(latents) // CHUNK, 1))
    with ProcessPoolExecutor(max_workers=2) as pool:
        found = np.concatenate(list(pool.map(known_attributes, chunks)))
    normalised = latents / np.sqrt(np.square(latents).mean(1, keepdims=True))
    return np.concatenate([normalised, found], axis=1).astype(np.float32)


def mapping_phase(generator: Generator, section: dict[str, Any], seed: int, device: torch.device) -> Phase:
    """A phase that regresses w = Q f on latents without pictures; Q has orthonormal columns, f unit variance."""
    random = np.random.default_rng([seed, 41])
    count = section["latents"]
    latents = random.standard_normal((count, NUM_FACTORS)).astype(np.float32)
    wanted = features(latents)
    wanted = (wanted - wanted.mean(0)) / np.maximum(wanted.std(0), 1e-3)
    basis, _ = np.linalg.qr(random.standard_normal((generator.w_dim, wanted.shape[1])))
    scale = W_SPREAD * math.sqrt(generator.w_dim / wanted.shape[1])
    targets = torch.from_numpy((scale * wanted @ basis.T).astype(np.float32)).to(device)  # (N, 512)
    inputs = torch.from_numpy(latents).to(device)
    held_out = count // 20
    optimiser = torch.optim.Adam(generator.mapping_network.parameters(), lr=section["lr"], fused=True)

    def error(network: nn.Module, rows: Tensor) -> Tensor:
        return (network(inputs[rows]) - targets[rows]).square().mean()

    def step(number: int) -> dict[str, float]:
        draw = np.random.default_rng([seed, 42, number])
        rows = torch.from_numpy(draw.integers(held_out, count, section["batch"])).to(device)
        loss = error(generator.mapping_network, rows)
        loss.backward()
        return {"loss": float(loss.detach())}

    @torch.no_grad()
    def evaluate(module: nn.Module) -> dict[str, float]:
        assert isinstance(module, Generator)
        return {"explained": 1 - float(error(module.mapping_network, torch.arange(held_out)) / targets.var())}

    return Phase("mapping", generator, optimiser, step, evaluate, section["minutes"], average=0.99)
