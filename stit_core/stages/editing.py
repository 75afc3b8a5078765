"""Pivots, directions and factors to edited latents."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from stit_core.artefacts import Edit, Tuned
from stit_core.config import EditConfig
from stit_core.errors import ConfigError, DirectionError
from stit_core.fitting.optimising import own_copy
from stit_core.models.generator import Generator
from stit_core.runtime import Runtime

MAX_RANGE_STEPS = 1000
PULLS_AGAINST = 0.3  # cosine from which two directions noticeably undo each other
NEARLY_SAME = 0.5  # cosine from which two directions noticeably add to each other


def factor_range(start: float, stop: float, steps: int) -> list[float]:
    """The factors of an edit series: `steps` numbers, evenly spaced, both ends included; one step gives `start`.

    A factor stands there once, however many steps fall on it: a video of it is written once.

    Raises
    ------
    ConfigError: a bound that is no finite number, or a count outside 1 ... 1000.
    """
    if not (math.isfinite(start) and math.isfinite(stop)):
        raise ConfigError(f"The range from {start} to {stop} is not finite.", "Give two numbers.")
    if not 1 <= steps <= MAX_RANGE_STEPS:
        raise ConfigError(f"A range of {steps} steps cannot be made.", f"Choose 1 to {MAX_RANGE_STEPS} steps.")
    return list(dict.fromkeys(float(value) for value in np.linspace(start, stop, steps)))


def tell_overlaps(edits: Sequence[tuple[str, float]], vectors: Mapping[str, np.ndarray]) -> tuple[str, ...]:
    """Say in plain words which of the chosen directions pull against each other, and which add to each other.

    The effect of a direction is what the sum of all edits moves along it, so that of two edits fa * a and fb * b the
    second changes the effect of the first by (fb |b|) / (fa |a|) * cos(a, b) of what its factor says.

    Parameters
    ----------
    edits: (name, factor) pairs; the order of the names is kept.
    vectors: name -> (L, 512), all of one shape; those that `edits` names must be there.

    Returns
    -------
    One sentence or two for each pair that needs them, the strongest overlap first. The cosines are those that a card
    shows, computed here because a card may be older than the direction that it speaks of.

    Source: ours.
    """
    found = []
    for (first, factor), (second, other) in itertools.combinations(edits, 2):
        a, b = vectors[first].astype(np.float64), vectors[second].astype(np.float64)
        reach, other_reach = abs(factor) * float(np.linalg.norm(a)), abs(other) * float(np.linalg.norm(b))
        if first == second or reach == 0 or other_reach == 0:
            continue
        cosine = float(np.vdot(a, b)) * abs(factor * other) / (reach * other_reach)
        shares = abs(cosine) * other_reach / reach, abs(cosine) * reach / other_reach
        named = f"'{first}' ({factor:+g}) and '{second}' ({other:+g})"
        if factor * other * cosine < 0 and abs(cosine) >= PULLS_AGAINST:
            text = _opposed(named, first, second, cosine, shares)
        elif factor * other * cosine > 0 and abs(cosine) >= NEARLY_SAME:
            text = _alike(named, first, second, cosine, shares)
        else:
            continue
        found.append((abs(cosine), text))
    return tuple(text for _, text in sorted(found, key=lambda pair: -pair[0]))


def _opposed(named: str, first: str, second: str, cosine: float, shares: tuple[float, float]) -> str:
    lost = [f"{_percent(share)} of '{name}'" for share, name in zip(shares, (first, second), strict=True)]
    return (
        f"{named} pull against each other (cosine {cosine:+.2f}): {lost[0]} is undone by '{second}', "
        f"{lost[1]} by '{first}'. Lower one factor, or train one of the two with --hold and the name of the other."
    )


def _alike(named: str, first: str, second: str, cosine: float, shares: tuple[float, float]) -> str:
    more = [f"{_percent(share)} more of '{name}'" for share, name in zip(shares, (first, second), strict=True)]
    return (
        f"{named} are nearly the same change (cosine {cosine:+.2f}) and add up: the result has {more[0]} and {more[1]} "
        "than the factors say. Lower one factor, or leave one of the two out."
    )


def _percent(share: float) -> str:
    """A share in words: "about 45 %", and for one beyond all "over 100 %"."""
    percent = round(100 * share)
    return "over 100 %" if percent > 100 else f"about {max(1, percent)} %"


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
    runtime: progress and stop, one step a direction.

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
