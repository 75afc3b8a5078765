"""Fixtures that several tests share."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import imageio_ffmpeg
import pytest

FfmpegCall = Callable[..., Path]
# Tests run on every core already; threads of torch would wait for each other. Processes that tests start inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture
def ffmpeg_make(tmp_path: Path) -> FfmpegCall:
    """Make a file in the test's folder with plain ffmpeg, independent of the code under test."""

    def make(name: str, *arguments: str) -> Path:
        path = tmp_path / name
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-loglevel", "error", "-y", *arguments]
        subprocess.run([*command, f"file:{path}"], check=True, timeout=120, stdin=subprocess.DEVNULL)
        return path

    return make


@pytest.fixture
def synthetic_clip(ffmpeg_make: FfmpegCall) -> Path:
    """A 128 x 96 clip of 30 frames at 30000/1001 a second with a second of AAC sound."""
    picture = [
        "-f",
        "lavfi",
        "-i",
        "mandelbrot=s=32x24:r=30000/1001,scale=128:96",
        "-f",
        "lavfi",
        "-i",
        "sine=440:d=1.001",
    ]
    codecs = ["-frames:v", "30", "-c:v", "libx264", "-crf", "12", "-pix_fmt", "yuv420p", "-c:a", "aac"]
    return ffmpeg_make("synthetic.mp4", *picture, *codecs)
