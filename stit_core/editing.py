"""Pivots, directions and factors to edited latents."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from stit_core.artefacts import Edit, Tuned
from stit_core.config import EditConfig
from stit_core.errors import ConfigError, DirectionError
from stit_core.fitting import own_copy
from stit_core.models.generator import Generator
from stit_core.runtime import Runtime

MAX_RANGE_STEPS = 1000


def factor_range(start: float, stop: float, steps: int) -> list[float]:
    """The factors of an edit series: `steps` numbers, evenly spaced, both ends included; one step gives `start`.

    Raises
    ------
    ConfigError: a bound that is no finite number, or a count outside 1 ... 1000.
    """
    if not (math.isfinite(start) and math.isfinite(stop)):
        raise ConfigError(f"The range from {start} to {stop} is not finite.", "Give two numbers.")
    if not 1 <= steps <= MAX_RANGE_STEPS:
        raise ConfigError(f"A range of {steps} steps cannot be made.", f"Choose 1 to {MAX_RANGE_STEPS} steps.")
    return [float(value) for value in np.linspace(start, stop, steps)]


def edit(
    tuned: Tuned,
    directions: Mapping[str, np.ndarray],
    generator: Generator,
    config: EditConfig,
    runtime: Runtime,
) -> Edit:
    """Move every pivot along the chosen directions: w_edit = w + sum(factor * direction).

    Parameters
    ----------
    tuned: pivots (T, L, 512) and the weights that belong to them.
    directions: name -> (L, 512); those that config.directions names must be there.
    generator: gives the shape, and the affine layers for an edit in style space; not changed.
    config: (name, factor) pairs, all of which add up; freeze_from: style layers from this one on take their mean over
        the clip before the direction is added, which steadies fine texture; styles: see `Edit.styles`.
    runtime: told once per direction.

    Returns
    -------
    Edit with w_plus (T, L, 512). With config.styles also the styles: those of the pivots, plus the change that the
    directions make to the styles of the clip's mean pivot. The affine layers being affine, the pictures equal those of
    w_plus; what differs is stitching, which then holds the styles and fits the convolutions only.

    Raises
    ------
    DirectionError: unknown direction, another shape, or values that are not finite.
    ConfigError: freeze_from beyond the last layer.

    Source: STIT, section 4.3; the S space of Wu et al., "StyleSpace Analysis" (2021).
    """
    layers, width = tuned.w_plus.shape[1:]
    offset = torch.zeros(layers, width)
    runtime.step("edit", 0, len(config.directions))
    for done, (name, factor) in enumerate(config.directions, start=1):
        offset += factor * _checked(name, directions, (layers, width))
        runtime.step("edit", done, len(config.directions))
    base = _frozen(tuned.w_plus, config.freeze_from)
    styles = _edited_styles(base, offset, tuned, generator, runtime) if config.styles else None
    return Edit(tuned.clip_hash, tuned.frame_indices, base + offset, styles, config.directions)


def _checked(name: str, directions: Mapping[str, np.ndarray], shape: tuple[int, int]) -> Tensor:
    """The direction `name` as a tensor (L, 512)."""
    if name not in directions:
        known = ", ".join(sorted(directions)) or "none"
        raise DirectionError(f"There is no direction '{name}'.", f"Directions at hand: {known}.")
    direction = np.asarray(directions[name])
    if direction.shape != shape:
        raise DirectionError(
            f"The direction '{name}' has the shape {direction.shape}, but this generator takes {shape}.",
            "Choose a direction that was made for this model pack.",
        )
    if not np.issubdtype(direction.dtype, np.floating) or not np.isfinite(direction).all():
        raise DirectionError(f"The direction '{name}' holds values that are not finite numbers.", "Train it again.")
    return torch.from_numpy(direction.astype(np.float32))


def _frozen(w_plus: Tensor, freeze_from: int | None) -> Tensor:
    """The pivots with the layers from freeze_from on replaced by their mean over the clip, a new tensor."""
    if freeze_from is None:
        return w_plus.clone()
    if freeze_from >= w_plus.shape[1]:
        raise ConfigError(
            f"freeze_from is {freeze_from}, but the generator has {w_plus.shape[1]} layers.",
            f"Choose a layer from 0 to {w_plus.shape[1] - 1}.",
        )
    frozen = w_plus.clone()
    frozen[:, freeze_from:] = w_plus[:, freeze_from:].mean(dim=0)
    return frozen


def _edited_styles(
    base: Tensor, offset: Tensor, tuned: Tuned, generator: Generator, runtime: Runtime
) -> tuple[Tensor, ...]:
    """One (T, C) tensor a layer on the CPU: the pivots' styles plus the directions' change at the mean pivot."""
    net = own_copy(generator, runtime.device, tuned.state)
    with torch.no_grad():  # not inference_mode: stitching differentiates through these tensors
        pivots = net.styles(base.to(runtime.device))
        mean = base.mean(dim=0, keepdim=True)
        before = net.styles(mean.to(runtime.device))
        after = net.styles((mean + offset).to(runtime.device))
        return tuple((styles + b - a).cpu() for styles, a, b in zip(pivots, before, after, strict=True))
