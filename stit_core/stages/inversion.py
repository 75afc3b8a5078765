"""Crops to pivots: the encoder's w_plus of every frame."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from stit_core.artefacts import Alignment, Inversion
from stit_core.config import InversionConfig
from stit_core.errors import StitError
from stit_core.images import to_model
from stit_core.models.interfaces import Encoder
from stit_core.runtime import Runtime


def invert(alignment: Alignment, encoder: Encoder, config: InversionConfig, runtime: Runtime) -> Inversion:
    """Encode every crop to its pivot.

    Parameters
    ----------
    alignment: the crops, T of them.
    encoder: on runtime.device, in eval mode.
    config: frames a batch; it changes the speed, not the pivots.
    runtime: device, progress and stop, one step a frame.

    Returns
    -------
    Inversion with w_plus (T, L, 512) float32 on the CPU.

    Raises
    ------
    StitError: the encoder's answer to a frame is not finite.

    Source: Tov et al., "Designing an Encoder for StyleGAN Image Manipulation" (2021); STIT, section 4.1.
    """
    frames = alignment.frame_indices
    pivots: list[Tensor] = []
    runtime.step("invert", 0, len(frames))
    for start in range(0, len(frames), config.batch_size):
        batch = frames[start : start + config.batch_size]
        images = to_model(np.stack([alignment.crops.read(frame) for frame in batch]))
        with torch.inference_mode():
            w_plus = encoder.encode(images.to(runtime.device)).float().cpu()
        for position, frame in enumerate(batch):
            if not torch.isfinite(w_plus[position]).all():
                raise StitError(
                    f"The encoder found no usable latent for frame {frame}.",
                    "Check the model pack with `packs verify`.",
                )
            pivots.append(w_plus[position].clone())
            runtime.step("invert", start + position + 1, len(frames))
    return Inversion(alignment.clip_hash, frames, torch.stack(pivots))
