"""What a head's latent means, as numbers that a network reads easily.

A picture depends on its latent through cumulative distributions, shares, thresholds and choices. A network that has
to learn those from pictures spends thousands of renders on each, and a background or a hair style of an unseen latent
comes out as haze. So the generator is taught on the known parameters of each render; its own mapping network
is taught afterwards what w belongs to a latent, from as many latents as one likes and without a render.
"""

from __future__ import annotations

import dataclasses
from functools import cache
from multiprocessing import get_context

import numpy as np
import torch
from torch import Tensor, nn

from recipes.heads import parameters as heads
from recipes.heads.look import choose_look
from recipes.heads.parameters import NUM_FACTORS, HeadParameters, from_latent
from stit_core.models.generator import MAPPING_LR_MULTIPLIER, Generator
from stit_core.models.ops import EqualLinear
from stit_core.runtime import cores

SAMPLE = 4096  # heads from which mean and spread of each factor are taken
SMALLEST_SPREAD = 1e-3


def flatten(parameters: HeadParameters) -> np.ndarray:
    """All fields one after another (F,); a choice, hair_style say, as a one-hot vector over HAIR_STYLES.

    After them what the shader makes of them: colours and lights, about as bright as they will look.
    """
    parts: list[np.ndarray] = []
    for field in dataclasses.fields(parameters):
        value = getattr(parameters, field.name)
        if field.type == "int":  # the module's annotations are strings
            value = np.eye(len(getattr(heads, f"{field.name.upper()}S")))[value]
        parts.append(np.ravel(value))
    linear = [np.ravel(value) for value in choose_look(parameters, with_backdrop=False)]
    linear += [parameters.wall, parameters.floor]
    parts += [np.sign(value) * np.sqrt(np.abs(value)) for value in linear]
    return np.concatenate(parts)


@cache
def _spread() -> tuple[np.ndarray, np.ndarray]:
    latents = np.random.default_rng(0).standard_normal((SAMPLE, NUM_FACTORS)).astype(np.float32)
    values = np.stack([flatten(from_latent(latent)) for latent in latents])
    return values.mean(0), np.maximum(values.std(0), SMALLEST_SPREAD)


def known_factors(latents: np.ndarray) -> np.ndarray:
    """Latents (N, NUM_FACTORS) -> factors (N, F) float32, each with mean 0 and deviation 1 over all heads."""
    mean, spread = _spread()
    return np.stack([(flatten(from_latent(latent)) - mean) / spread for latent in latents]).astype(np.float32)


@cache
def many_heads(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Random latents (count, NUM_FACTORS) and their factors (count, F), computed once and on all cores."""
    latents = np.random.default_rng([seed, 41]).standard_normal((count, NUM_FACTORS)).astype(np.float32)
    with get_context("spawn").Pool(cores()) as pool:
        factors = np.concatenate(pool.map(known_factors, np.array_split(latents, cores())))
    return torch.from_numpy(latents), torch.from_numpy(factors)


def num_factors() -> int:
    """F of `known_factors`."""
    return len(_spread()[0])


class HeadGenerator(nn.Module):
    """A generator in training and the network that maps known factors (B, F) to its w."""

    def __init__(self, generator: Generator, factors: int, layers: int = 3) -> None:
        super().__init__()
        self.generator = generator
        widths = [factors] + [generator.w_dim] * layers
        self.layers = nn.Sequential(
            *(
                EqualLinear(widths[k], widths[k + 1], lr_multiplier=MAPPING_LR_MULTIPLIER, activate=True)
                for k in range(layers)
            )
        )

    def w_of(self, factors: Tensor) -> Tensor:
        """w (B, 512) of factors (B, F)."""
        w: Tensor = self.layers(factors)
        return w

    def forward(self, factors: Tensor, resolution: int) -> Tensor:
        """Pictures (B, 3, r, r) of factors at one of the generator's resolutions."""
        w_plus = self.w_of(factors)[:, None].expand(-1, self.generator.num_ws, -1)
        return self.generator.run_blocks(self.generator.styles(w_plus), until=resolution).image
