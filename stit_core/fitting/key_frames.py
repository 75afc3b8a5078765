"""Which frames stand for a clip, and how what is known of them is carried to the others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d
from torch import Tensor

from stit_core.artefacts import stretches


def key_rows(frames: int, count: int | None) -> np.ndarray:
    """Positions of at most `count` of `frames` frames, ascending: the middles of equal stretches of the clip.

    The frame in the middle of the clip, which previews show, is always among them. None: every position.
    """
    if count is None or count >= frames:
        return np.arange(frames)
    rows = (2 * np.arange(count) + 1) * frames // (2 * count)
    rows[np.abs(rows - frames // 2).argmin()] = frames // 2
    return rows


def between(values: Tensor, keys: Sequence[int], frames: Sequence[int]) -> Tensor:
    """Values (K, ...) at the frames `keys`, ascending, carried to `frames`: (T, ...), linear in time, held outside."""
    place = torch.from_numpy(np.interp(frames, keys, np.arange(len(keys), dtype=np.float64)))
    low = place.long()
    high = (low + 1).clamp_max(len(keys) - 1)
    share = (place - low).to(values).reshape(-1, *[1] * (values.ndim - 1))
    return torch.lerp(values[low], values[high], share)


def steady(values: Tensor, frames: tuple[int, ...], sigma: float) -> Tensor:
    """Gaussian smoothing of values (T, ...) over frames, never across a gap; sigma 0 gives them back as they are."""
    if sigma == 0:
        return values
    rows = values.numpy()
    parts = [gaussian_filter1d(rows[part], sigma, axis=0, mode="nearest") for part in stretches(frames)]
    return torch.from_numpy(np.concatenate(parts))
