"""Pictures and clips with rendered heads in them, which stand for people."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image

from stit_core.artefacts import Clip, FrameFolder, Landmarks
from stit_core.config import LandmarkConfig
from stit_core.runtime import Runtime
from stit_core.stages import choosing
from stit_core.stages.landmarks import find_people

DATA = Path(__file__).parents[1] / "data"
BACKGROUND = (90, 110, 130)


def head(name: str, size: int) -> Image.Image:
    with Image.open(DATA / f"head_{name}.jpg") as picture:
        return picture.convert("RGB").resize((size, size), Image.Resampling.LANCZOS)


def scene(*heads: tuple[str, int, tuple[int, int]], size: tuple[int, int] = (480, 256)) -> np.ndarray:
    """A picture with heads: (name, side, left-top corner), which may lie partly outside."""
    picture = Image.new("RGB", size, BACKGROUND)
    for name, side, corner in heads:
        picture.paste(head(name, side), corner)
    return np.asarray(picture)


def clip_of(pictures: list[np.ndarray], folder: Path) -> Clip:
    frames = FrameFolder(folder, tuple(range(len(pictures))))
    for i, picture in enumerate(pictures):
        frames.write(i, picture)
    height, width = pictures[0].shape[:2]
    times = tuple(Fraction(i, 25) for i in range(len(pictures)))
    return Clip("h", folder / "clip.mp4", frames, width, height, Fraction(25), times, Fraction(0), None)


def followed(clip: Clip, config: LandmarkConfig) -> Landmarks:
    """The landmarks of whoever the settings choose."""
    people = find_people(clip, config, Runtime())
    return choosing.follow(people, choosing.choose(people, config), config, clip.source.name)
