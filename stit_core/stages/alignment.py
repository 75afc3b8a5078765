"""Landmarks to smoothed quads to aligned crops."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from stit_core.artefacts import Alignment, Clip, FrameFolder, Landmarks, check_clip, stretches
from stit_core.config import AlignmentConfig
from stit_core.errors import FaceError
from stit_core.geometry import quad_axes, smooth_quads, warp_quad_to_square
from stit_core.runtime import Runtime, made_ahead

STAGE = "align"
MIN_REACH = 1.0  # pixels, half side of the smallest quad that can be cut out


def align(
    clip: Clip, landmarks: Landmarks, config: AlignmentConfig, size: int, runtime: Runtime, folder: Path
) -> Alignment:
    """Fit a smooth square to the face in every frame and cut it out.

    Parameters
    ----------
    clip: the frames.
    landmarks: (T, 68, 2) points of the chosen face.
    config: smoothing in frames, scale of the quad.
    size: side of a crop in pixels.
    runtime: progress and stop, one step a frame.
    folder: where the crops go, one PNG a frame.

    Returns
    -------
    Alignment of T frames. Where a face reaches out of its frame the crop is black there, as in STIT.

    Raises
    ------
    FaceError: no frame has a face, or the points of a frame do not form one.
    ArtefactMismatchError: landmarks of another clip.
    StoreError: the folder cannot be written.
    Cancelled: the run was stopped; crops written so far are whole.

    Source: STIT, section 4.1.
    """
    check_clip(landmarks, clip)
    frames = landmarks.frame_indices
    quads = fit_quads(landmarks, config)
    crops = FrameFolder(folder, frames)

    def cut(position: int) -> np.ndarray:
        crop = warp_quad_to_square(clip.frames.read(frames[position]), quads[position], size)
        crops.write(frames[position], crop)
        return crop

    with made_ahead(cut, range(len(frames))) as made:
        for done, (frame, crop) in enumerate(zip(frames, made, strict=True), start=1):
            runtime.show(STAGE, frame, crop)
            runtime.step(STAGE, done, len(frames))
    return Alignment(clip.hash, frames, quads, crops, size)


def fit_quads(landmarks: Landmarks, config: AlignmentConfig) -> np.ndarray:
    """Smoothed and scaled quads, (T, 4, 2) float64 in source pixels; smoothing never reaches across a gap.

    Raises
    ------
    FaceError: no frame has a face, or the points of a frame do not form one.
    """
    frames = landmarks.frame_indices
    if not frames:
        raise FaceError("No frame of the clip shows a face.", "Choose a clip or a trim in which the face is visible.")
    center, x, y = quad_axes(landmarks.points)
    x, y = x * config.scale, y * config.scale
    usable = np.isfinite(center).all(axis=1) & (np.hypot(x[:, 0], x[:, 1]) >= MIN_REACH)
    if not usable.all():
        raise FaceError(
            f"The points found in frame {frames[int(np.argmin(usable))]} do not form a face.",
            "Trim that frame away or choose another face.",
        )
    quads = [
        smooth_quads(center[part], x[part], y[part], config.center_sigma, config.xy_sigma) for part in stretches(frames)
    ]
    return np.concatenate(quads)  # (T, 4, 2)


def jitter_by_frame(quads: np.ndarray, frames: tuple[int, ...]) -> np.ndarray:
    """Acceleration of the quads' centre at each frame, (T,) pixels per frame squared; 0 at the ends of a stretch.

    Parameters
    ----------
    quads: (T, 4, 2), of the frames with these numbers, ascending; a gap in them begins a new stretch.
    """
    found = np.zeros(len(frames))
    for part in stretches(frames):
        if part.stop - part.start >= 3:
            found[part.start + 1 : part.stop - 1] = _accelerations(quads[part])
    return found


def _accelerations(quads: np.ndarray) -> np.ndarray:
    acceleration = np.diff(quads.mean(axis=1), n=2, axis=0)  # (T - 2, 2)
    return np.hypot(acceleration[:, 0], acceleration[:, 1])
