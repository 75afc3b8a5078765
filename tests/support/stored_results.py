"""A small result for tests of the store."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from stit_core.artefacts import Alignment, FrameFolder

HASH = "ab" * 32


def make_alignment(folder: Path) -> Alignment:
    """An alignment of two frames with its pictures in `folder`."""
    pictures = FrameFolder(folder / "pictures", (1, 2))
    pictures.path.mkdir(exist_ok=True)
    for frame in pictures.indices:
        pictures.write(frame, np.full((4, 4, 3), frame, np.uint8))
    return Alignment(HASH, (1, 2), np.random.default_rng(0).random((2, 4, 2)), pictures, 4)
