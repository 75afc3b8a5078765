"""How long a run will take here: one step of each kind is timed, the rest is arithmetic. Source: ours."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from stit_core.config import RunConfig, StitchConfig
from stit_core.fitting.optimising import own_copy
from stit_core.models.generator import Generator
from stit_core.packs.loading import Models
from stit_core.runtime import Runtime
from stit_core.stages.stitching import NOISE_FROM

TIMED_STEPS, MOST_STEPS = 2, 5  # of each kind; more than the first number only while they are short
SHORT_SECONDS = 0.5  # in which a kind's steps are repeated
CALM = 0.8  # share of the time that a calling thread works by itself where nothing else disturbs it
BATCH = 4  # pictures in a timed step of several
# Seconds a frame on one modern CPU core, of what the schedule does not change: decoding, landmarks, crops, inversion,
# masks, identity, compositing and encoding.
FIXED_SECONDS = 0.35
# The same for what the transfer adds, beside drawing: both pictures parsed and their landmarks found; the edit parsed,
# the change read, steadied and laid over the frame.
REGISTER_SECONDS, TRANSFER_SECONDS = 0.06, 0.15
POLISHED = 0.5  # share of the per-frame stitching steps taken where a threshold stops them early


@dataclass(frozen=True)
class StepTimes:
    """Seconds a picture.

    Attributes
    ----------
    draw: a picture of its own through the generator, without gradients.
    noise: the same with gradients to the noise planes that stitching moves.
    fit_one: the same with gradients to the weights.
    fit: a picture in a batch of four through the generator and back to the weights.
    tune: the same with the perceptual distance.
    calm: whether no other program took the processor meanwhile.
    """

    draw: float
    noise: float
    fit_one: float
    fit: float
    tune: float
    calm: bool = True

    def scaled(self, by: float) -> StepTimes:
        """The same for a precision in which every step takes `by` times as long."""
        steps = {name: by * getattr(self, name) for name in ("draw", "noise", "fit_one", "fit", "tune")}
        return StepTimes(**steps, calm=self.calm)

    def added_cost(self, batch: int) -> float:
        """Seconds that a picture costs more in a batch of `batch` than of four: a step has a price of its own."""
        step = (self.fit_one - self.fit) / (1 - 1 / BATCH)
        return step * (1 / batch - 1 / BATCH)


def time_steps(models: Models, runtime: Runtime) -> StepTimes:
    """Time every kind of step on this machine."""
    net = own_copy(models.generator, runtime.device)
    z = torch.randn(BATCH, net.z_dim, generator=runtime.generator()).to(runtime.device)
    w_plus = net.mapping(z).detach()
    perceptual = models.perceptual

    def fit(pictures: int) -> None:
        net.synthesis(w_plus[:pictures]).square().mean().backward()

    def tune() -> None:
        features = perceptual.features(net.synthesis(w_plus))
        perceptual.distance(features, [feature.detach() + 0.1 for feature in features]).mean().backward()

    def draw() -> None:
        with torch.no_grad():
            net.synthesis(w_plus[:1])

    fit_one, fit_batch = _time(lambda: fit(1), runtime), _time(lambda: fit(BATCH), runtime)
    tuned, drawn = _time(tune, runtime), _time(draw, runtime)
    noise = _time(_noise_step(net, w_plus[:1]), runtime)
    calm = all(timed.calm for timed in (fit_one, fit_batch, tuned, drawn, noise))
    per_picture = fit_batch.seconds / BATCH, tuned.seconds / BATCH
    return StepTimes(drawn.seconds, noise.seconds, fit_one.seconds, *per_picture, calm)


def time_fit(models: Models, runtime: Runtime) -> float:
    """Seconds of the one step `fit_one`, which tells how another precision compares."""
    net = own_copy(models.generator, runtime.device)
    z = torch.randn(1, net.z_dim, generator=runtime.generator()).to(runtime.device)
    w_plus = net.mapping(z).detach()
    return _time(lambda: net.synthesis(w_plus).square().mean().backward(), runtime).seconds


def _noise_step(net: Generator, w_plus: torch.Tensor) -> Callable[[], None]:
    """One step of stitching that moves noise planes only; the blocks that they do not reach have run before."""
    net.requires_grad_(False)
    above = min(NOISE_FROM, net.resolution // 4)
    planes = [plane.requires_grad_(plane.shape[-1] > above) for plane in net.noise_planes()]
    with torch.no_grad():
        styles = net.styles(w_plus)
        start = net.run_blocks(styles, "const", until=above)

    def step() -> None:
        net.run_blocks(styles, planes, state=start).image.square().mean().backward()

    return step


@dataclass(frozen=True)
class _Timed:
    seconds: float
    calm: bool


def _time(step: Callable[[], Any], runtime: Runtime) -> _Timed:
    """The shortest of a few repeats.

    On a processor the calling thread's own time counts: it does the largest part of every step itself, and other
    programs do not lengthen it.
    """
    on_processor = runtime.device.type == "cpu"
    best, whole, own, steps = float("inf"), 0.0, 0.0, 0
    with runtime.autocast():
        step()  # the first one also allocates
        while steps < TIMED_STEPS or (steps < MOST_STEPS and whole < SHORT_SECONDS):
            started, began = time.perf_counter(), time.thread_time()
            step()
            if runtime.device.type == "cuda":
                torch.cuda.synchronize(runtime.device)
            seconds, worked = time.perf_counter() - started, time.thread_time() - began
            whole, own, steps = whole + seconds, own + worked, steps + 1
            best = min(best, worked if on_processor else seconds)
    return _Timed(best, not on_processor or own >= CALM * whole)


def estimate(config: RunConfig, frames: int, times: StepTimes) -> float:
    """Seconds that a first run over `frames` frames will take under `config`."""
    fitted = min(frames, config.tuning.key_frames or frames)
    tuning = fitted * config.tuning.passes * (times.tune + times.added_cost(config.tuning.batch_size))
    if config.method == "transfer":
        changing = frames * (registering(times) + TRANSFER_SECONDS + times.draw)
    else:
        shown = 2 if config.stitching.target == "pivot" else 0  # measuring and writing draw the pivot
        changing = _windows(config.stitching, frames, times) + frames * (
            _polish(config.stitching, times) + shown * times.draw
        )
    return frames * FIXED_SECONDS + tuning + changing


def registering(times: StepTimes) -> float:
    """Seconds a frame for laying a tuned pivot beside its source."""
    return REGISTER_SECONDS + times.draw


def _windows(config: StitchConfig, frames: int, times: StepTimes) -> float:
    """Seconds for fitting every window of a clip."""
    if config.window == 1:
        return 0.0
    count = -(-frames // config.window)
    batch = min(config.batch_size, -(-frames // count))
    pictures = count * config.window_steps * batch
    return pictures * (times.fit + times.added_cost(batch)) + frames * _loaded(config) * times.draw


def _polish(config: StitchConfig, times: StepTimes) -> float:
    """Seconds for one frame's own stitching: what it starts from, its steps, and the picture after the last."""
    share = POLISHED if config.threshold is not None else 1.0
    moved = times.fit_one if config.lr > 0 else times.noise
    return (_loaded(config) + 1) * times.draw + share * config.steps * moved


def _loaded(config: StitchConfig) -> int:
    """Pictures drawn before a frame can be fitted: the edited one, and the pivot where that is the target."""
    return 2 if config.target == "pivot" else 1
