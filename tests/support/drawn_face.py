"""A drawn face that dlib's detector takes for one, and clips of it: pictures that belong to nobody."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import imageio_ffmpeg
import numpy as np
from PIL import Image, ImageDraw, ImageFilter

OVERSAMPLING = 4
SKIN, SHADE, HAIR, LIPS = (215, 170, 140), (180, 130, 105), (60, 40, 30), (175, 90, 85)


def draw_face(width: int, height: int, centre: tuple[float, float], radius: float, smile: float = 0.0) -> np.ndarray:
    """A frontal face on a plain ground, (height, width, 3) uint8; `radius` is about half its width in pixels."""
    scale = OVERSAMPLING
    picture = Image.new("RGB", (width * scale, height * scale), (90, 110, 130))
    pen = ImageDraw.Draw(picture)

    def at(x: float, y: float) -> tuple[float, float]:
        return (centre[0] + x * radius) * scale, (centre[1] + y * radius) * scale

    def oval(x: float, y: float, half_width: float, half_height: float, colour: tuple[int, int, int]) -> None:
        pen.ellipse([*at(x - half_width, y - half_height), *at(x + half_width, y + half_height)], fill=colour)

    def line(points: list[tuple[float, float]], colour: tuple[int, int, int], thickness: float) -> None:
        pen.line([at(*point) for point in points], fill=colour, width=round(thickness * radius * scale), joint="curve")

    pen.polygon([at(-0.45, 0.8), at(0.45, 0.8), at(0.5, 1.6), at(-0.5, 1.6)], fill=SHADE)
    oval(0, -0.15, 0.95, 1.2, HAIR)
    oval(0, 0.1, 0.8, 1.08, SKIN)
    oval(0, -0.75, 0.78, 0.35, HAIR)
    for side in (-1, 1):
        oval(side * 0.36, -0.12, 0.24, 0.16, SHADE)
        oval(side * 0.36, -0.1, 0.19, 0.085, (245, 240, 235))
        oval(side * 0.36, -0.1, 0.085, 0.085, (50, 35, 30))
        line([(side * 0.17, -0.12), (side * 0.26, -0.19), (side * 0.4, -0.2), (side * 0.55, -0.1)], HAIR, 0.04)
        line([(side * 0.14, -0.34), (side * 0.3, -0.42), (side * 0.58, -0.34)], HAIR, 0.08)
        line([(side * 0.06, -0.1), (side * 0.1, 0.2), (side * 0.17, 0.33)], (190, 145, 118), 0.05)
        oval(side * 0.1, 0.36, 0.06, 0.04, (120, 80, 65))
    line([(-0.16, 0.36), (0, 0.42), (0.16, 0.36)], SHADE, 0.04)
    oval(0, 0.66, 0.3, 0.1, LIPS)
    line([(-0.3, 0.66 - 0.1 * smile), (0, 0.67 + 0.05 * smile), (0.3, 0.66 - 0.1 * smile)], (100, 50, 50), 0.045)
    small = picture.resize((width, height), Image.Resampling.LANCZOS)
    return np.asarray(small.filter(ImageFilter.GaussianBlur(0.6)))


def write_clip(
    path: Path,
    frames: int = 6,
    size: tuple[int, int] = (240, 200),
    sound: bool = False,
    others: Sequence[tuple[float, float, float]] = (),
    faceless: bool = False,
) -> Path:
    """Write a clip, 10 frames a second, of a drawn face that moves and starts to smile; `sound` adds a tone.

    `others` are more faces, each x and y of its centre in widths and heights and its radius in heights, right of the
    middle of a wide clip; `faceless` leaves the first one out.
    """
    width, height = size
    radius = min(size) * 0.24
    centre = width / (4 if others else 2)
    pictures = []
    for i in range(frames):
        picture = draw_face(width, height, (centre + 2 * i, height / 2 + i), radius, smile=i / max(1, frames - 1))
        if faceless:
            picture = np.full_like(picture, 90)
        for x, y, other in others:
            whole = draw_face(width, height, (x * width, y * height), other * height)
            picture = np.concatenate([picture[:, : width // 2], whole[:, width // 2 :]], axis=1)
        pictures.append(picture)
    tone = ["-f", "lavfi", "-i", f"sine=frequency=440:duration={frames / 10}"] if sound else []
    command = [
        imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-loglevel", "error",
        "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", "10", "-i", "-",
        *tone, "-c:v", "libx264", "-crf", "12", "-pix_fmt", "yuv420p", "-c:a", "aac", str(path),
    ]  # fmt: skip
    subprocess.run(command, input=b"".join(p.tobytes() for p in pictures), check=True)
    return path
