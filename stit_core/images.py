"""Ranges and layouts of pictures: uint8 arrays as they lie in files, float tensors as the networks take them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def to_model(pictures: np.ndarray) -> Tensor:
    """Turn pictures into model images.

    Parameters
    ----------
    pictures: (H, W, 3) or (B, H, W, 3) uint8 RGB.

    Returns
    -------
    (B, 3, H, W) float32 in [-1, 1]: x / 127.5 - 1.

    Raises
    ------
    ValueError: another shape or dtype.
    """
    if pictures.ndim == 3:
        pictures = pictures[None]
    if pictures.dtype != np.uint8 or pictures.ndim != 4 or pictures.shape[-1] != 3:
        raise ValueError(f"Pictures must be (H, W, 3) or (B, H, W, 3) uint8, not {pictures.shape} {pictures.dtype}.")
    planes = np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))  # (B, 3, H, W)
    return torch.from_numpy(planes).float().div_(127.5).sub_(1.0)


def to_picture(images: Tensor) -> np.ndarray:
    """Turn model images into pictures, the inverse of `to_model`.

    Parameters
    ----------
    images: (B, 3, H, W) in [-1, 1]; values outside are clamped.

    Returns
    -------
    (B, H, W, 3) uint8 RGB, rounded to the nearest level.

    Raises
    ------
    ValueError: another shape.
    """
    if images.ndim != 4 or images.shape[1] != 3:
        raise ValueError(f"Images must be (B, 3, H, W), not {tuple(images.shape)}.")
    levels = images.detach().float().add(1.0).mul(127.5).round().clamp(0, 255).to(torch.uint8)
    return np.ascontiguousarray(levels.permute(0, 2, 3, 1).cpu().numpy())  # (B, H, W, 3)


def to_mask(masks: np.ndarray) -> Tensor:
    """Turn mask pictures, (H, W) or (B, H, W) uint8 0..255, into (B, 1, H, W) float32 in [0, 1].

    Raises
    ------
    ValueError: another shape or dtype.
    """
    if masks.ndim == 2:
        masks = masks[None]
    if masks.dtype != np.uint8 or masks.ndim != 3:
        raise ValueError(f"Masks must be (H, W) or (B, H, W) uint8, not {masks.shape} {masks.dtype}.")
    return torch.from_numpy(np.ascontiguousarray(masks[:, None])).float().div_(255.0)  # (B, 1, H, W)
