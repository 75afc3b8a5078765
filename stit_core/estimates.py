"""How long a run will take here: one optimiser step is timed, the rest is the schedule's arithmetic. Source: ours."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from stit_core.config import RunConfig
from stit_core.fitting import own_copy
from stit_core.packs import Models
from stit_core.runtime import Runtime

TIMED_STEPS = 2
# Seconds a frame on one modern CPU core, of what the schedule does not change: decoding, landmarks, crops, inversion,
# masks, identity, compositing and encoding.
FIXED_SECONDS = 0.35
POLISHED = 0.5  # share of the per-frame stitching steps taken where a threshold stops them early


@dataclass(frozen=True)
class StepTimes:
    """Seconds for one picture: generator forward and backward (fit), the same with the perceptual distance (tune)."""

    fit: float
    tune: float


def time_steps(models: Models, runtime: Runtime, batch: int = 4) -> StepTimes:
    """Time the two kinds of optimiser step on this machine, per picture in a batch of `batch`."""
    generator = own_copy(models.generator, runtime.device)
    w_plus = generator.mapping(torch.randn(batch, generator.z_dim, generator=runtime.generator()).to(runtime.device))
    w_plus = w_plus.detach()
    perceptual = models.perceptual
    fit = _seconds(lambda: generator.synthesis(w_plus).square().mean().backward(), runtime)

    def tune() -> None:
        image = generator.synthesis(w_plus)
        features = perceptual.features(image)
        perceptual.distance(features, [feature.detach() + 0.1 for feature in features]).mean().backward()

    return StepTimes(fit / batch, _seconds(tune, runtime) / batch)


def _seconds(step: Callable[[], Any], runtime: Runtime) -> float:
    with runtime.autocast():
        step()  # the first one also allocates
    best = float("inf")
    for _ in range(TIMED_STEPS):
        started = time.perf_counter()
        with runtime.autocast():
            step()
        if runtime.device.type == "cuda":
            torch.cuda.synchronize(runtime.device)
        best = min(best, time.perf_counter() - started)
    return best


def estimate(config: RunConfig, frames: int, times: StepTimes) -> float:
    """Seconds that a first run over `frames` frames will take under `config`."""
    tuning = config.tuning.passes * times.tune
    share = POLISHED if config.stitching.threshold is not None else 1.0
    polish = share * config.stitching.steps * times.fit
    window = config.stitching.window_steps * config.stitching.batch_size / config.stitching.window * times.fit
    if config.stitching.window == 1:
        window = 0.0
    return frames * (FIXED_SECONDS + tuning + polish + window)
