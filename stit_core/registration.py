"""Where a tuned pivot lies beside its source: both parsed, and the way between their landmarks."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from pathlib import Path

import dlib
import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d

from stit_core.artefacts import Alignment, FrameFolder, Registration, Tuned, check_same_frames
from stit_core.config import TransferConfig
from stit_core.face_labels import parse_faces
from stit_core.images import to_picture
from stit_core.landmarks import predictor_file
from stit_core.masks import Parser
from stit_core.models.generator import Generator
from stit_core.runtime import Runtime

STAGE = "register"
BATCH_SIZE = 4  # frames a call of the generator and of the parser
# Where dlib's detector puts the face in an FFHQ-framed crop: left, top, right, bottom as fractions of its side.
FACE_BOX = (0.22, 0.33, 0.78, 0.89)


def register(
    alignment: Alignment,
    tuned: Tuned,
    generator: Generator,
    parser: Parser,
    config: TransferConfig,
    runtime: Runtime,
    folder: Path,
) -> Registration:
    """Draw every pivot, parse it and its source, and find the landmarks of both in the same way.

    Parameters
    ----------
    alignment, tuned: of the same T frames.
    generator: as it was tuned, on the runtime's device.
    parser: on the runtime's device.
    config: how far the way from source to pivot is smoothed over time.
    runtime: told at every frame.
    folder: of this result, existing, private to it.

    Returns
    -------
    Registration; pictures that lie in `folder` already are taken as they are.

    Raises
    ------
    ArtefactMismatchError: artefacts of different frames. StoreError: the folder cannot be written.

    Source: ours. That both sets of landmarks come from one predictor in one box lets its own errors cancel.
    """
    check_same_frames(alignment, tuned)
    frames = alignment.frame_indices
    pivots, labels = FrameFolder(folder / "pivots", frames), FrameFolder(folder / "labels", frames)
    points = landmark_finder()
    source_points, pivot_points = [], []
    runtime.step(STAGE, 0, len(frames))
    for positions in _batches(len(frames)):
        names = [frames[p] for p in positions]
        crops = np.stack([alignment.crops.read(name) for name in names])
        drawn = draw(generator, tuned.w_plus[positions], runtime)
        known = parse_faces(np.concatenate([crops, drawn]), parser, runtime)
        for row, name in enumerate(names):
            source_points.append(points(crops[row]))
            pivot_points.append(points(drawn[row]))
            pivots.write(name, drawn[row])
            both = known[row], known[len(names) + row]
            labels.write(name, np.stack([*both, np.zeros_like(both[0])], axis=-1))
            runtime.step(STAGE, positions[0] + row + 1, len(frames))
    source, pivot = np.stack(source_points), np.stack(pivot_points)
    offsets = _smooth(pivot - source, frames, config.registration_sigma)
    return Registration(alignment.clip_hash, frames, pivots, labels, source, offsets)


def draw(generator: Generator, w_plus: torch.Tensor, runtime: Runtime) -> np.ndarray:
    """Pictures (B, S, S, 3) uint8 of latents (B, L, 512)."""
    with torch.inference_mode(), runtime.autocast():
        images = generator.synthesis(w_plus.to(runtime.device))
    return to_picture(images.float())


@functools.cache
def landmark_finder() -> Callable[[np.ndarray], np.ndarray]:
    """A function from aligned crops (S, S, 3) uint8 to landmarks (68, 2) in their pixels; it asks no detector.

    Reading its model takes a third of a second, so that there is one for the process.
    """
    predictor = dlib.shape_predictor(str(predictor_file()))

    def points(crop: np.ndarray) -> np.ndarray:
        box = dlib.rectangle(*(round(edge * crop.shape[0]) for edge in FACE_BOX))
        return np.array([(p.x, p.y) for p in predictor(crop, box).parts()], dtype=np.float64)

    return points


def _smooth(offsets: np.ndarray, frames: tuple[int, ...], sigma: float) -> np.ndarray:
    """Offsets (T, 68, 2) smoothed over each unbroken stretch of frames."""
    if sigma == 0:
        return offsets
    cuts = np.flatnonzero(np.diff(frames) > 1) + 1
    parts = (gaussian_filter1d(part, sigma, axis=0, mode="nearest") for part in np.split(offsets, cuts))
    return np.concatenate(list(parts))


def _batches(count: int) -> Iterator[list[int]]:
    for start in range(0, count, BATCH_SIZE):
        yield list(range(start, min(start + BATCH_SIZE, count)))
