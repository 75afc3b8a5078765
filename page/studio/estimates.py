"""How long this machine takes: its optimiser steps are timed once for the whole process. Source: ours."""

from __future__ import annotations

import threading
from collections.abc import Mapping

import torch

from page.studio.job import Kind
from stit_core.config import PRESETS, RunConfig
from stit_core.estimates import FIXED_SECONDS, StepTimes, estimate, registering, time_fit, time_steps
from stit_core.packs.loading import Models
from stit_core.runtime import Runtime, pick_dtype

# Shares of FIXED_SECONDS, in the order of the work; the stages that the schedule changes stand between them.
_FIXED = {
    "frames": 0.1,
    "landmarks": 0.28,
    "align": 0.08,
    "invert": 0.12,
    "masks": 0.12,
    "identify": 0.1,
    "measure": 0.1,
    "video": 0.1,
}
_ORDER = (
    "frames",
    "landmarks",
    "align",
    "invert",
    "tune",
    "register",
    "masks",
    "edit",
    "stitch",
    "identify",
    "measure",
    "video",
)
_LAST: dict[Kind, str] = {
    "align": "invert",
    "tune": "tune",
    "edit": "video",
}  # others have plans of their own
# Of heads-256 on two cores of a Xeon, for a machine of which nothing is known yet.
_UNTIMED = StepTimes(draw=0.035, noise=0.05, fit_one=0.17, fit=0.15, tune=0.2)
# A guess for a card that a ZeroGPU Space lends, which can only be timed at a visitor's cost: the first slices correct
# it, see `learn`. There a step lasts as long as its kernels take to be started, whatever the card.
_LENT = StepTimes(draw=0.008, noise=0.015, fit_one=0.03, fit=0.008, tune=0.012)
_LEARNED = 0.5  # weight of the newest slice in the pace
_PACES = (0.1, 10.0)  # between which a pace is believed


def card_times() -> Mapping[torch.dtype, StepTimes]:
    """The steps of a lent card, before anything of it is known."""
    return {torch.bfloat16: _LENT, torch.float32: _LENT.scaled(1.5)}


class Estimator:
    """Estimates for this machine and pack. For several threads.

    Parameters
    ----------
    times: of what is not to be timed, by precision; None for this machine.

    Attributes
    ----------
    pace: seconds that a slice took for each second that was expected, of the last ones.
    """

    def __init__(self, models: Models, times: Mapping[torch.dtype, StepTimes] | None = None) -> None:
        self._models = models
        self._times = dict(times or {})
        self._given = times is not None
        self._lock = threading.Lock()
        self.pace = 1.0

    @property
    def calm(self) -> bool:
        """Whether nothing disturbed the timing; False before it."""
        return self._given or (bool(self._times) and all(times.calm for times in self._times.values()))

    def measure(self) -> None:
        """Time the steps of the quickest preset, and one of each other precision, unless that was done calmly before.

        Takes seconds.
        """
        device = self._models.device
        first, *others = dict.fromkeys(pick_dtype(name, device) for name in reversed(PRESETS))  # the quick ones first
        with self._lock:
            if self.calm:
                return
            times = time_steps(self._models, Runtime(device, first))
            made = {first: times}
            for dtype in others:
                made[dtype] = times.scaled(time_fit(self._models, Runtime(device, dtype)) / times.fit_one)
            self._times = made

    def learn(self, expected: float, taken: float) -> None:
        """Correct the pace by a slice that took `taken` seconds for what was expected to take `expected`."""
        if expected > 0 and taken > 0:
            low, high = _PACES
            with self._lock:
                self.pace = min(high, max(low, (1 - _LEARNED) * self.pace + _LEARNED * taken / expected))

    def seconds(self, config: RunConfig, frames: int) -> float | None:
        """Seconds that a first run over `frames` frames takes; None where this precision was not timed yet."""
        times = self._times.get(pick_dtype(config.preset, self._models.device))
        return None if times is None else estimate(config, frames, times)

    def plan(self, kind: Kind, config: RunConfig, frames: int) -> dict[str, float]:
        """Seconds expected of each stage of a job, in the order of the work."""
        times = self._times.get(pick_dtype(config.preset, self._models.device), _UNTIMED)
        fixed, whole = frames * FIXED_SECONDS, estimate(config, frames, times)
        tune = whole - estimate(config.with_changes({"tuning": {"passes": 0}}), frames, times)
        seconds = {stage: share * fixed for stage, share in _FIXED.items()}
        last = _LAST[kind]
        if config.method == "transfer":
            seconds["register"] = frames * registering(times)
            last = "masks" if kind == "tune" else last
        stitch = whole - fixed - tune - seconds.get("register", 0.0)
        seconds |= {"edit": 0.0, "tune": max(0.0, tune), "stitch": max(0.0, stitch)}
        return {stage: seconds[stage] for stage in _ORDER[: _ORDER.index(last) + 1] if stage in seconds}


def too_long(seconds: float, limit: float) -> str:
    """That a job takes longer than one may."""
    return f"This would take about {duration(seconds)} here, and a job may take {duration(limit)}."


def duration(seconds: float) -> str:
    """`3.5 s`, `40 s`, `4 min`, `2.5 hours`, `5 days`."""
    if seconds < 10:
        return f"{seconds:.2g} s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    hours = seconds / 3600
    if hours < 9.75:
        return f"{round(2 * hours) / 2:g} hours"
    if hours < 47.5:
        return f"{hours:.0f} hours"
    return f"{hours / 24:.0f} days" if hours < 365 * 24 else "more than a year"
