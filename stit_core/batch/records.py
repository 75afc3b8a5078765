"""What a batch keeps in its folder: a record a job, a picture a job, and the names of the videos. Source: ours."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stit_core.store.disk import disk_errors, read_json, write_json, write_synced
from stit_core.store.locks import alone

INSIDE = ".batch"
STEM = 60  # characters of a clip's name that its video keeps
_PLAIN = re.compile(r"[^A-Za-z0-9._-]+")
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # names that Windows keeps for itself


@dataclass(frozen=True)
class Records:
    """The folder of a batch.

    Videos lie in `folder`; `folder/.batch/jobs/<two digits>/<key>.json` says what became of a job, and the `.jpg`
    beside it shows a frame before and after. Workers write them; whoever leads the batch only reads them.
    """

    folder: Path

    def place(self, key: str, suffix: str) -> Path:
        """Where something of a job lies."""
        return self.folder / INSIDE / "jobs" / key[:2] / f"{key}{suffix}"

    def read(self, key: str) -> dict[str, Any] | None:
        """What became of a job; None where nothing did, or its record is damaged."""
        found = read_json(self.place(key, ".json"))
        return found if found is not None and found.get("key") == key else None

    def finished(self, key: str) -> dict[str, Any] | None:
        """The record of a job whose video is there, whole; else None."""
        found = self.read(key)
        if found is None or "output" not in found:
            return None
        try:
            whole = (self.folder / str(found["output"])).stat().st_size == found.get("bytes")
        except (OSError, ValueError):
            return None
        return found if whole else None

    def write(self, key: str, record: dict[str, Any], picture: bytes | None = None) -> None:
        """Keep what became of a job. Raises StoreError."""
        path = self.place(key, ".json")
        with disk_errors(f"The folder of the batch ({self.folder})"):
            path.parent.mkdir(parents=True, exist_ok=True)
            if picture is not None:
                write_synced(path.with_suffix(".jpg"), picture)
            write_json(path, {"key": key, **record})

    def picture(self, key: str) -> bytes:
        """The frames before and after, as a JPEG; empty where there is none."""
        with contextlib.suppress(OSError):
            return self.place(key, ".jpg").read_bytes()
        return b""

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the folder for one batch. Raises StoreError where it cannot be written, or another batch works in it."""
        inside = self.folder / INSIDE
        with contextlib.ExitStack() as held:
            with disk_errors(f"The folder of the batch ({self.folder})"):
                inside.mkdir(parents=True, exist_ok=True)
                held.enter_context(alone(inside / "lock", f"Another batch is working in {self.folder}."))
            yield


def video_name(clip: Path, key: str) -> str:
    """The name of a job's video: the clip's own, made safe, and the job's key, so that no two are the same."""
    stem = _PLAIN.sub("_", clip.stem).strip("._-")[:STEM].strip("._-")
    if not stem or _DEVICES.fullmatch(stem):
        stem = f"clip_{stem}".rstrip("_")
    return f"{stem}-{key[:10]}.mp4"
