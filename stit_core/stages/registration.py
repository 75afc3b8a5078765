"""Where a tuned pivot lies beside its source: both parsed, and the way between their landmarks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter1d

from stit_core.artefacts import Alignment, FrameFolder, Registration, Tuned, check_same_frames, stretches
from stit_core.config import TransferConfig
from stit_core.faces.reading import Reading, draw_faces, landmark_finder, read_faces, to_place_picture
from stit_core.fitting.batch_record import find_by_batches
from stit_core.models.generator import Generator
from stit_core.models.interfaces import Parser, Reader
from stit_core.runtime import Runtime, made_ahead

STAGE = "register"
BATCH_SIZE = 4  # frames a call of the generator and of the parser


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

    Every batch is kept: a run that was stopped goes on from there.

    Parameters
    ----------
    alignment, tuned: of the same T frames.
    generator: as it was tuned, on the runtime's device.
    parser: on the runtime's device.
    config: how far the way from source to pivot is smoothed over time.
    runtime: gets progress at every frame.
    folder: of this result, existing, private to it.

    Returns
    -------
    Registration.

    Raises
    ------
    ArtefactMismatchError: artefacts of different frames. StoreError: the folder cannot be written.

    Source: ours. That both sets of landmarks come from one predictor in one box lets its own errors cancel.
    """
    check_same_frames(alignment, tuned)
    frames = alignment.frame_indices
    pivots, labels = FrameFolder(folder / "pivots", frames), FrameFolder(folder / "labels", frames)
    places = FrameFolder(folder / "places", frames) if isinstance(parser, Reader) else None
    points = landmark_finder()

    def keep(frame: tuple[int, np.ndarray, np.ndarray, tuple[Reading, Reading]]) -> tuple[np.ndarray, np.ndarray]:
        name, crop, picture, (own, pivot) = frame
        pivots.write(name, picture)
        labels.write(name, np.stack([own.labels, pivot.labels, np.zeros_like(own.labels)], axis=-1))
        if places is not None:
            places.write(name, to_place_picture(pivot))
        return points(crop), points(picture)

    def find(rows: range) -> dict[str, np.ndarray]:
        names = frames[rows.start : rows.stop]
        crops = np.stack([alignment.crops.read(name) for name in names])
        drawn = draw_faces(generator, tuned.w_plus[rows.start : rows.stop], runtime)
        both = zip(read_faces(crops, parser, runtime), read_faces(drawn, parser, runtime, places=True), strict=True)
        with made_ahead(keep, zip(names, crops, drawn, both, strict=True)) as marked:
            source, pivot = (np.stack(each) for each in zip(*marked, strict=True))
        return {"source": source, "pivot": pivot}

    found = find_by_batches(len(frames), BATCH_SIZE, find, STAGE, runtime, folder)
    source, pivot = found["source"], found["pivot"]
    offsets = _smooth(pivot - source, frames, config.registration_sigma)
    return Registration(alignment.clip_hash, frames, pivots, labels, source, offsets, places)


def _smooth(offsets: np.ndarray, frames: tuple[int, ...], sigma: float) -> np.ndarray:
    """Offsets (T, 68, 2) smoothed over each unbroken stretch of frames."""
    if sigma == 0:
        return offsets
    parts = [gaussian_filter1d(offsets[part], sigma, axis=0, mode="nearest") for part in stretches(frames)]
    return np.concatenate(parts)
