"""Reference figures, and clips on disk, for the tests of the geometric and photometric stages."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np

from stit_core.artefacts import Clip, FrameFolder, Landmarks
from stit_core.runtime import CancelToken, Runtime

CLIP_HASH = "a" * 64
_FILE = Path(__file__).parents[1] / "reference" / "algorithms_small.npz"

# Figures of the original method. To keep the file small, some pictures are kept at every n-th pixel only.
REFERENCE: dict[str, np.ndarray] = dict(np.load(_FILE))
KEPT_EVERY = {"crop_0": 3, "crop_edge": 2, "paste_plain": 4, "paste_mask_r0": 4, "paste_mask_r12": 4}


def reference_frame(t: int) -> np.ndarray:
    """The picture that the reference figures were made from, (480, 640, 3) uint8."""
    y, x = np.mgrid[:480, :640].astype(np.float64)
    red = 127.5 + 100 * np.sin(x / 23 + 0.3 * t) * np.cos(y / 31)
    green = 127.5 + 100 * np.cos(x / 17) * np.sin(y / 19 + 0.2 * t)
    blue = 127.5 + 100 * np.sin((x + y) / 29 + 0.1 * t)
    return np.round(np.stack([red, green, blue], axis=-1)).astype(np.uint8)


def levels_apart(a: np.ndarray, b: np.ndarray) -> int:
    """Largest difference between two pictures in grey levels."""
    return int(np.abs(a.astype(int) - b.astype(int)).max())


def clip_of(pictures: list[np.ndarray], folder: Path, clip_hash: str = CLIP_HASH) -> Clip:
    """A clip whose frames are `pictures`, written to `folder`."""
    frames = FrameFolder(folder, tuple(range(len(pictures))))
    for frame, picture in enumerate(pictures):
        frames.write(frame, picture)
    height, width = pictures[0].shape[:2]
    times = tuple(Fraction(i, 25) for i in range(len(pictures)))
    return Clip(clip_hash, Path("clip.mp4"), frames, width, height, Fraction(25), times, Fraction(0), None)


def stopping_at(step: int) -> Runtime:
    """A runtime whose user stops it when `step` steps are done."""
    token = CancelToken()

    def progress(_stage: str, done: int, _total: int) -> None:
        if done == step:
            token.set()

    return Runtime(progress=progress, cancel=token)


def landmarks_of(frames: tuple[int, ...], points: np.ndarray, total: int, clip_hash: str = CLIP_HASH) -> Landmarks:
    """A tracked face in `frames` of a clip of `total` frames."""
    faces = np.zeros(total, dtype=int)
    faces[list(frames)] = 1
    return Landmarks(clip_hash, frames, points, np.ones(len(frames), dtype=bool), ())
