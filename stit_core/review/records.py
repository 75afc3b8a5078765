"""What is kept of each picture or clip: readings as JSON and small pictures, written whole or not at all.

A record's folder is named by the content that it was made from, so the same picture is never looked at twice under the
same settings, and a review that was killed goes on where it was.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from stit_core.store.disk import disk_errors, read_json, write_json

BASE, SOURCE = "source.json", "source.webp"
FAILURE = "failure"  # why there are no readings
PICTURE_SIDE = 256  # pixels at most, of a kept crop
QUALITY = 82  # of WebP
FRAME_SECONDS = 0.08  # that a frame of a clip's animation is shown


@dataclass(frozen=True)
class Record:
    """The readings of one file, in a folder of its own."""

    folder: Path

    def base(self) -> dict[str, Any] | None:
        """What is known of the source, or {"failure": why}; None where nothing is."""
        return read_json(self.folder / BASE)

    def edit(self, name: str) -> dict[str, Any] | None:
        """What is known of an edit by its key, or {"failure": why}; None where nothing is."""
        return read_json(self.folder / f"{name}.json")

    def picture(self, name: str = "") -> Path:
        """The picture of an edit by its key, or of the source; it may not be there."""
        return self.folder / (f"{name}.webp" if name else SOURCE)

    def keep_base(self, values: Mapping[str, Any], frames: list[np.ndarray]) -> None:
        """Store the source's readings and its crops (S, S, 3) uint8, one or several of a clip. Raises StoreError."""
        self._keep(BASE, SOURCE, values, frames)

    def keep_edit(self, name: str, values: Mapping[str, Any], frames: list[np.ndarray]) -> None:
        """Store an edit's readings and crops. Raises StoreError."""
        self._keep(f"{name}.json", f"{name}.webp", values, frames)

    def _keep(self, file: str, picture: str, values: Mapping[str, Any], frames: list[np.ndarray]) -> None:
        with disk_errors("What the review found"):
            self.folder.mkdir(parents=True, exist_ok=True)
            if frames:
                part = self.folder / f"{picture}.{os.getpid()}.part"
                _save_frames(frames, part)
                part.replace(self.folder / picture)
            write_json(self.folder / file, _plain(values))  # last: a record with readings is whole

    def forget(self) -> None:
        """Delete everything."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _save_frames(frames: list[np.ndarray], path: Path) -> None:
    pictures = [Image.fromarray(frame) for frame in frames]
    for picture in pictures:
        picture.thumbnail((PICTURE_SIDE, PICTURE_SIDE), Image.Resampling.LANCZOS)
    more: dict[str, Any] = {}
    if len(pictures) > 1:
        more = {"save_all": True, "append_images": pictures[1:], "duration": round(1000 * FRAME_SECONDS), "loop": 0}
    pictures[0].save(path, "WEBP", quality=QUALITY, method=4, **more)


def _plain(value: Any) -> Any:
    """Arrays and numpy's numbers as JSON has them; NaN becomes null."""
    if isinstance(value, Mapping):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    if isinstance(value, (float, np.floating)):
        return float(f"{value:.7g}") if np.isfinite(value) else None
    return value
