"""Frames to show, and parts of frames: pictures in, smaller pictures out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

REGION = 1.25  # of the quad's bounding box: what an edit's preview shows around the face
FACE_MARGIN = 0.35  # of a face's box, around it in its thumbnail
FACE_SIDE = 160  # pixels of a face's thumbnail


def spread(frames: Sequence[int], count: int) -> list[int]:
    """`count` of the frames, evenly from the first to the last; all of them if there are fewer."""
    if count <= 1:
        return [frames[len(frames) // 2]]
    return [frames[i] for i in sorted({round(p * (len(frames) - 1) / (count - 1)) for p in range(count)})]


def mouth_openness(points: np.ndarray) -> np.ndarray:
    """(T,): distance of the inner lips by that of the eyes, of landmarks (T, 68, 2)."""
    lips = np.linalg.norm(points[:, 66] - points[:, 62], axis=1)
    eyes = np.linalg.norm(points[:, 42:48].mean(axis=1) - points[:, 36:42].mean(axis=1), axis=1)
    return lips / np.maximum(eyes, 1e-6)


def shrunk(picture: np.ndarray, side: int) -> np.ndarray:
    """A picture (H, W, 3) uint8, made smaller where its longer side has more than `side` pixels."""
    if max(picture.shape[:2]) <= side:
        return picture
    image = Image.fromarray(picture)
    image.thumbnail((side, side), Image.Resampling.BICUBIC)
    return np.asarray(image)


def bounds(corners: np.ndarray, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Left, top, right, bottom in whole pixels of the box around (N, 2) points, inside a picture (H, W, ...)."""
    low, high = np.floor(corners.min(axis=0)), np.ceil(corners.max(axis=0))
    left, top = (int(v) for v in np.clip(low, 0, (shape[1] - 1, shape[0] - 1)))
    right, bottom = (int(v) for v in np.clip(high, (left + 1, top + 1), (shape[1], shape[0])))
    return left, top, right, bottom


def region(frame: np.ndarray, quad: np.ndarray) -> np.ndarray:
    """The part of a frame (H, W, 3) around a quad (4, 2)."""
    centre = quad.mean(axis=0)
    left, top, right, bottom = bounds(centre + (quad - centre) * REGION, frame.shape)
    return np.ascontiguousarray(frame[top:bottom, left:right])


def thumbnail(frame: np.ndarray, box: np.ndarray) -> np.ndarray:
    """A small picture of the face in a box left, top, right, bottom of a frame (H, W, 3)."""
    margin = FACE_MARGIN * (box[2:] - box[:2])
    left, top, right, bottom = bounds(np.array([box[:2] - margin, box[2:] + margin]), frame.shape)
    return shrunk(np.ascontiguousarray(frame[top:bottom, left:right]), FACE_SIDE)
