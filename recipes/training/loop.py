"""A training loop that may be stopped at any time and taken up anywhere."""

from __future__ import annotations

import csv
import json
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

CHECKPOINT_SECONDS = 60.0
LOG_STEPS = 25
WARM_UP = 0.02  # of a phase
FINAL_RATE = 0.15  # of the learning rate, at a phase's end


Figures = dict[str, float | Tensor]


class Stateful(Protocol):
    """What a checkpoint can hold: modules and optimisers."""

    def state_dict(self) -> dict[str, Any]:
        """All that is needed to go on."""

    def load_state_dict(self, state: dict[str, Any]) -> Any:
        """Go on from a state."""


@dataclass
class Phase:
    """One stretch of training.

    Attributes
    ----------
    name: of its files in the output folder.
    module: what is trained; its exponential moving average is what later phases and the export read.
    optimiser: of the module.
    step: takes a number counted from 0, leaves gradients behind, returns figures to log, as scalars of any kind: a
        tensor need not be waited for.
    evaluate: takes the averaged module, returns held-out figures.
    minutes: length; rates follow the share of it that is over, so that a stop in between changes nothing.
    partners: what is trained beside the module and thrown away at the end, kept in the checkpoints.
    """

    name: str
    module: nn.Module
    optimiser: torch.optim.Optimizer
    step: Callable[[int], Figures]
    evaluate: Callable[[nn.Module], dict[str, float]]
    minutes: float
    average: float = 0.998
    partners: dict[str, Stateful] = field(default_factory=dict)


def learning_rate(share: float) -> float:
    """Factor on the rate when `share` of a phase is over: linear warm-up, then a cosine down to FINAL_RATE."""
    warm = min(share / WARM_UP, 1.0)
    return warm * (FINAL_RATE + (1 - FINAL_RATE) * 0.5 * (1 + math.cos(math.pi * min(share, 1.0))))


def save(path: Path, content: dict[str, object]) -> None:
    """torch.save under a temporary name first."""
    part = path.with_suffix(".part")
    torch.save(content, part)
    os.replace(part, path)


def load_phase(name: str, folder: Path, module: nn.Module, averaged: nn.Module) -> None:
    """Take over what a phase has trained, its moving average for both; nothing where it left no checkpoint."""
    path = folder / f"{name}.pt"
    if path.exists():
        state = torch.load(path, weights_only=True, map_location=next(module.parameters()).device)["averaged"]
        for network in (module, averaged):
            network.load_state_dict(state)


def run_phase(phase: Phase, folder: Path, averaged: nn.Module) -> None:
    """Train until the phase's minutes are used up, going on from its checkpoint if there is one.

    `averaged`, a module like `phase.module`, receives the moving average of its state.
    """
    path = folder / f"{phase.name}.pt"
    step, elapsed = 0, 0.0
    averaged.load_state_dict(phase.module.state_dict())
    if path.exists():
        state = torch.load(path, weights_only=True, map_location=next(phase.module.parameters()).device)
        phase.module.load_state_dict(state["module"])
        averaged.load_state_dict(state["averaged"])
        step, elapsed = state["step"], state["elapsed"]
        if elapsed >= phase.minutes * 60:
            return
        phase.optimiser.load_state_dict(state["optimiser"])
        for name, partner in phase.partners.items():
            partner.load_state_dict(state["partners"][name])
    rates = [group["lr"] for group in phase.optimiser.param_groups]
    base = [group.setdefault("base_lr", rate) for group, rate in zip(phase.optimiser.param_groups, rates, strict=True)]
    sums: Figures = {}
    average = _pairs(averaged, phase.module)
    saved = last = time.monotonic()
    phase.module.train()
    while elapsed < phase.minutes * 60:
        factor = learning_rate(elapsed / (phase.minutes * 60))
        for group, rate in zip(phase.optimiser.param_groups, base, strict=True):
            group["lr"] = rate * factor
        phase.optimiser.zero_grad(set_to_none=True)
        for name, value in phase.step(step).items():
            sums[name] = sums.get(name, 0.0) + value
        phase.optimiser.step()
        _average(average, min(phase.average, (1 + step) / (10 + step)))
        step += 1
        now = time.monotonic()
        elapsed += now - last
        last = now
        if step % LOG_STEPS == 0:
            means = {name: float(value) / LOG_STEPS for name, value in sums.items()}
            print(f"{phase.name} step {step} {elapsed / 60:.1f} min " + _words(means), flush=True)
            _log(folder / f"{phase.name}_loss.csv", {"step": step, "minutes": elapsed / 60, **means})
            sums = {}
        if now - saved > CHECKPOINT_SECONDS or elapsed >= phase.minutes * 60:
            figures = phase.evaluate(averaged)
            _log(folder / f"{phase.name}.csv", {"step": step, "minutes": elapsed / 60, **figures})
            print(f"{phase.name} held out: " + _words(figures), flush=True)
            save(
                path,
                {
                    "module": phase.module.state_dict(),
                    "averaged": averaged.state_dict(),
                    "optimiser": phase.optimiser.state_dict(),
                    "partners": {name: partner.state_dict() for name, partner in phase.partners.items()},
                    "step": step,
                    "elapsed": elapsed,
                },
            )
            phase.module.train()
            saved = last = time.monotonic()


def _words(figures: dict[str, float]) -> str:
    return " ".join(f"{name} {value:.4g}" for name, value in figures.items())


@dataclass(frozen=True)
class _Pairs:
    """The tensors of an average and of what it follows: those that move bit by bit, and counters."""

    moving: tuple[list[Tensor], list[Tensor]]
    copied: list[tuple[Tensor, Tensor]]


def _pairs(target: nn.Module, source: nn.Module) -> _Pairs:
    both = list(zip(target.state_dict().values(), source.state_dict().values(), strict=True))
    moving = [pair for pair in both if pair[0].is_floating_point()]
    return _Pairs(([a for a, _ in moving], [b for _, b in moving]), [p for p in both if not p[0].is_floating_point()])


@torch.no_grad()
def _average(pairs: _Pairs, keep: float) -> None:
    torch._foreach_lerp_(*pairs.moving, 1 - keep)  # one launch for all, which a card waits for
    for a, b in pairs.copied:
        a.copy_(b)


def _log(path: Path, row: dict[str, float]) -> None:
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, list(row))
        if new:
            writer.writeheader()
        writer.writerow({name: f"{value:.6g}" for name, value in row.items()})


def read_config(path: Path) -> dict[str, object]:
    """The recipe's settings."""
    content: dict[str, object] = json.loads(path.read_text())
    return content
