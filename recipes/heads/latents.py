"""Reads the numbers of a latent one after another."""

from __future__ import annotations

import math

import numpy as np


class Reader:
    """Takes factors off a normalised latent one after another."""

    def __init__(self, latent: np.ndarray) -> None:
        self.latent = latent
        self.place = 0

    def raw(self, count: int) -> np.ndarray:
        part = self.latent[self.place : self.place + count]
        self.place += count
        if len(part) != count:
            raise ValueError(f"{self.place} factors are used, {len(self.latent)} there are")
        return part

    def uniform(self, low: float, high: float) -> float:
        return low + (high - low) * normal_cdf(float(self.raw(1)[0]))

    def bell(self, mean: float, deviation: float, low: float, high: float) -> float:
        return min(max(mean + deviation * float(self.raw(1)[0]), low), high)


def normal_cdf(value: float) -> float:
    """Cumulative distribution of the standard normal."""
    return 0.5 * (1.0 + math.erf(value / math.sqrt(2.0)))
