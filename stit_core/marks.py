"""The visible mark: which corner it stands in, and how it is laid over a frame."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

Corner = Literal["lower right", "lower left", "upper right", "upper left"]
CORNERS: tuple[Corner, ...] = ("lower right", "lower left", "upper right", "upper left")  # the first that is free

TEXT = "AI-edited"
_FONT_SHARE = 1 / 30  # of the frame's shorter side
_SMALLEST_FONT = 11  # pixels, the smallest that is read with ease
_WIDEST = 0.8  # of the frame's width, which only tiny frames come near
_PLATE = (16, 16, 16, 190)  # RGBA: text with an edge alone is lost on stripes and foliage
_TEXT = (255, 255, 255, 240)
_FACE = (0.2, 0.12, 0.8, 0.95)  # left, top, right, bottom of forehead to chin within an aligned crop


@dataclass(frozen=True)
class Mark:
    """Where a clip's mark stands."""

    corner: Corner = CORNERS[0]


def place_mark(width: int, height: int, quads: np.ndarray) -> Mark:
    """The mark of a clip, in one corner throughout, so that it does not jump.

    That is the first of `CORNERS` in which it covers no part of any crop; where there is none, that in which it covers
    least of the faces, and then of the crops.

    Parameters
    ----------
    width, height: pixels of the frames.
    quads: (T, 4, 2), frame pixels, as `Alignment` has them.

    Source: ours.
    """
    left, top, right, bottom = _FACE
    inner = np.array([[left, top], [left, bottom], [right, bottom], [right, top]])
    origin, across, down = quads[:, :1], quads[:, 3:] - quads[:, :1], quads[:, 1:2] - quads[:, :1]
    faces = origin + inner[None, :, :1] * across + inner[None, :, 1:] * down  # (T, 4, 2)

    def covered(corner: Corner) -> tuple[float, float]:
        place = _rectangle(width, height, corner)
        return tuple(sum(_overlap(place, quad) for quad in zone) for zone in (faces, quads))  # type: ignore[return-value]

    return Mark(min(CORNERS, key=covered))


def add_mark(frame: np.ndarray, mark: Mark) -> np.ndarray:
    """A copy of a frame (H, W, 3) uint8 that says "AI-edited" in the mark's corner."""
    height, width = frame.shape[:2]
    stamp = _stamp(_font_size(width, height))
    left, top = (int(value) for value in _rectangle(width, height, mark.corner)[0])
    marked = frame.copy()
    part = marked[top : top + stamp.shape[0], left : left + stamp.shape[1]]
    stamp = stamp[: part.shape[0], : part.shape[1]].astype(np.uint16)
    colour, alpha = stamp[..., :3], stamp[..., 3:]
    part[...] = (part * (255 - alpha) + colour * alpha + 127) // 255
    return marked


def _font_size(width: int, height: int) -> int:
    """Pixels; what fits into a frame that is narrower than the smallest legible mark."""
    size = max(_SMALLEST_FONT, round(min(width, height) * _FONT_SHARE))
    fitting = (size for size in range(size, 4, -1) if _stamp(size).shape[1] <= _WIDEST * width)
    return next(fitting, 4)


def _rectangle(width: int, height: int, corner: Corner) -> np.ndarray:
    """The mark's corners (4, 2) in frame pixels, the left upper one first, in the order of a quad."""
    size = _font_size(width, height)
    tall, wide = _stamp(size).shape[:2]
    gap = size // 2
    left = gap if corner.endswith("left") else max(0, width - gap - wide)
    top = gap if corner.startswith("upper") else max(0, height - gap - tall)
    return np.array([[left, top], [left, top + tall], [left + wide, top + tall], [left + wide, top]], np.float32)


@functools.lru_cache(maxsize=64)
def _stamp(size: int) -> np.ndarray:
    """The mark in letters of so many pixels, (h, w, 4) uint8 RGBA, not premultiplied."""
    font = ImageFont.load_default(size)
    left, top, right, bottom = font.getbbox(TEXT)
    margin = max(2, round(0.35 * size))
    wide, tall = round(right - left) + 2 * margin, round(bottom - top) + 2 * margin
    plate = Image.new("RGBA", (wide, tall), (*_PLATE[:3], 0))
    ImageDraw.Draw(plate).rounded_rectangle((0, 0, wide - 1, tall - 1), max(2, size // 4), _PLATE)
    letters = Image.new("RGBA", (wide, tall), (*_TEXT[:3], 0))
    ImageDraw.Draw(letters).text((margin - left, margin - top), TEXT, _TEXT, font)
    plate.alpha_composite(letters)
    return np.asarray(plate)


def _overlap(first: np.ndarray, second: np.ndarray) -> float:
    """Pixels that two convex quadrilaterals share."""
    return float(cv2.intersectConvexConvex(first, np.ascontiguousarray(second, np.float32))[0])
