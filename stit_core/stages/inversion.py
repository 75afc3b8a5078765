"""Crops to pivots: the encoder's w_plus of every frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from stit_core.artefacts import Alignment, Inversion
from stit_core.config import InversionConfig
from stit_core.errors import StitError
from stit_core.fitting.batch_record import find_by_batches
from stit_core.images import to_model
from stit_core.models.interfaces import Encoder
from stit_core.runtime import Runtime

STAGE = "invert"


def invert(
    alignment: Alignment, encoder: Encoder, config: InversionConfig, runtime: Runtime, folder: Path
) -> Inversion:
    """Encode every crop to its pivot. Every batch is kept: a run that was stopped goes on from there.

    Parameters
    ----------
    alignment: the crops, T of them.
    encoder: on runtime.device, in eval mode.
    config: frames a batch; it changes the speed, not the pivots.
    runtime: device, progress and stop, one step a frame.
    folder: of this result, existing, private to it.

    Returns
    -------
    Inversion with w_plus (T, L, 512) float32 on the CPU.

    Raises
    ------
    StitError: the encoder's answer to a frame is not finite.

    Source: Tov et al., "Designing an Encoder for StyleGAN Image Manipulation" (2021); STIT, section 4.1.
    """
    frames = alignment.frame_indices

    def encode(rows: range) -> dict[str, np.ndarray]:
        batch = frames[rows.start : rows.stop]
        images = to_model(np.stack([alignment.crops.read(frame) for frame in batch]))
        with torch.inference_mode():
            w_plus = encoder.encode(images.to(runtime.device)).float().cpu().contiguous()
        for frame, pivot in zip(batch, w_plus, strict=True):
            if not torch.isfinite(pivot).all():
                raise StitError(
                    f"The encoder found no usable latent for frame {frame}.",
                    "Check the model pack with `packs verify`.",
                )
        return {"w_plus": w_plus.numpy()}

    found = find_by_batches(len(frames), config.batch_size, encode, STAGE, runtime, folder)
    return Inversion(alignment.clip_hash, frames, torch.from_numpy(found["w_plus"]))
