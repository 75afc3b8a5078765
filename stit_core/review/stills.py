"""A single picture as a clip of one frame, so that it goes the same way as a video's frames."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image

from stit_core.artefacts import Clip, FrameFolder

LONGEST = 8  # of the pack's resolution: the longer side of a picture, beyond which it is shrunk first


def open_still(picture: np.ndarray, digest: str, folder: Path, resolution: int) -> Clip:
    """Lay a picture (H, W, 3) uint8 into `folder` as a clip of one frame.

    Parameters
    ----------
    digest: sha256 of its file, which names the clip.
    resolution: of the pack in pixels; a picture LONGEST times as large shows no more.

    Raises StoreError when the folder cannot be written.
    """
    longest = LONGEST * resolution
    if max(picture.shape[:2]) > longest:
        image = Image.fromarray(picture)
        image.thumbnail((longest, longest), Image.Resampling.LANCZOS)
        picture = np.asarray(image)
    frames = FrameFolder(folder, (0,))
    frames.write(0, picture)
    height, width = picture.shape[:2]
    return Clip(digest, frames.file(0), frames, width, height, Fraction(1), (Fraction(0),), Fraction(0), None)
