"""Figures of quality: of reconstruction, of stitching, of identity over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from scipy.ndimage import minimum_filter
from torch import Tensor

PEAK = 2.0  # of images in [-1, 1]
MIN_ERROR = 1e-10  # mean squared error below which PSNR (106 dB) grows no further


def psnr(a: Tensor, b: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of each image.

    Parameters
    ----------
    a, b: (B, C, H, W) in [-1, 1].

    Returns
    -------
    (B,) in dB, at most 106.

    Raises
    ------
    ValueError: different shapes.
    """
    _check_shapes(a, b)
    error = (a.float() - b.float()).square().mean(dim=(1, 2, 3))
    return 10.0 * torch.log10(PEAK**2 / error.clamp_min(MIN_ERROR))


def masked_loss(a: Tensor, b: Tensor, mask: Tensor, kind: Literal["l2", "l1"] = "l2") -> Tensor:
    """Error inside a mask in STIT's units: the sum over channels and pixels by the sum of the mask's pixels.

    Parameters
    ----------
    a, b: (B, C, H, W) in [-1, 1].
    mask: (B, 1, H, W) or (1, 1, H, W) in [0, 1].
    kind: squared or absolute error.

    Returns
    -------
    (B,), differentiable; 0 where the mask is empty.

    Raises
    ------
    ValueError: different shapes, or another kind.

    Source: STIT, section 4.4.
    """
    _check_shapes(a, b)
    if kind not in ("l2", "l1"):
        raise ValueError(f"The kind of loss must be 'l2' or 'l1', not {kind!r}.")
    difference = a - b
    error = difference.square() if kind == "l2" else difference.abs()
    return (error * mask).sum(dim=(1, 2, 3)) / mask.sum(dim=(1, 2, 3)).clamp_min(torch.finfo(torch.float32).tiny)


def identity_cosine(a: Tensor, b: Tensor) -> Tensor:
    """Cosine between the identity embeddings of each pair of frames, (T, D) and (T, D) -> (T,).

    Raises
    ------
    ValueError: different shapes.
    """
    _check_shapes(a, b)
    return (_unit(a) * _unit(b)).sum(dim=1)


def temporal_identity(source: Tensor, edited: Tensor, positions: Sequence[int] | None = None) -> tuple[float, float]:
    """How well identity holds over time: locally (TL-ID) and globally (TG-ID), relative to the source's own.

    Parameters
    ----------
    source, edited: (T, D) identity embeddings of the frames, of any length.
    positions: of the frames in their clip, ascending, where not every frame is given; only neighbours in the clip count
        for TL-ID.

    Returns
    -------
    tl_id: mean over i of S_edited[i, i + 1] / S_source[i, i + 1], S the cosines between all frames.
    tg_id: the mean of S_edited / S_source over all pairs of different frames. 1 for the source itself, and for a clip
        of one frame.

    Raises
    ------
    ValueError: different shapes.

    Source: STIT, section 5.2.
    """
    _check_shapes(source, edited)
    frames = len(source)
    if frames < 2:
        return 1.0, 1.0
    unit_source, unit_edited = _unit(source), _unit(edited)
    ratio = (unit_edited @ unit_edited.T) / (unit_source @ unit_source.T)  # (T, T)
    pairs = ~torch.eye(frames, dtype=torch.bool, device=ratio.device)
    follows = torch.ones(frames - 1) if positions is None else torch.tensor(positions).diff() == 1
    near = ratio.diagonal(1)[follows.bool()]
    return float(near.mean()) if len(near) else 1.0, float(ratio[pairs].mean())


def seam_error(source: np.ndarray, edited: np.ndarray, mask: np.ndarray, width: int = 2) -> float:
    """Step that a hard paste would leave at the mask's outline.

    Outside the mask the edited frame is the source, so the step is the difference between the two just inside it.

    Parameters
    ----------
    source, edited: (H, W, 3) uint8, crops or frames.
    mask: (H, W) uint8, inside where above 127.
    width: pixels, of the ring inside the outline; the picture's edge counts as outline.

    Returns
    -------
    Mean absolute difference over the ring in grey levels; 0 where the mask is empty.

    Raises
    ------
    ValueError: shapes that do not fit.
    """
    if source.shape != edited.shape or mask.shape != source.shape[:2]:
        raise ValueError(f"Pictures {source.shape}, {edited.shape} and mask {mask.shape} do not fit.")
    inside = (mask > 127).astype(np.uint8)
    core = minimum_filter(inside, 2 * width + 1, mode="constant", cval=0)
    ring = inside.astype(bool) & ~core.astype(bool)
    if not ring.any():
        return 0.0
    return float(np.abs(source[ring].astype(np.float64) - edited[ring]).mean())


def _unit(embeddings: Tensor) -> Tensor:
    return F.normalize(embeddings.double(), dim=1)


def _check_shapes(a: Tensor, b: Tensor) -> None:
    if a.shape != b.shape:
        raise ValueError(f"Shapes must be equal, not {tuple(a.shape)} and {tuple(b.shape)}.")
