"""Batches of short clips on the tiny pack, and what they leave."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from stit_core.batch.rows import Row
from stit_core.batch.running import Batch
from stit_core.batch.treatments import Treatments
from stit_core.batch.working import Setup
from stit_core.packs.loading import find_pack
from tests.support.drawn_face import write_clip


def write_clips(folder: Path, count: int, frames: int = 3) -> list[Path]:
    """Clips that all differ, c00.mp4 and so on."""
    folder.mkdir(parents=True, exist_ok=True)
    sizes = [(200 + 8 * k, 200) for k in range(count)]
    return [write_clip(folder / f"c{k:02d}.mp4", frames, size) for k, size in enumerate(sizes)]


def batch_of(clips: Sequence[Path], folder: Path, store: Path, **setup: object) -> Batch:
    """A batch with the edit smile=2, as a draft."""
    folder.mkdir(parents=True, exist_ok=True)
    pack = find_pack("tiny")
    treatments = Treatments(pack)
    treatment = treatments.of(treatments.preset("draft", None), (("smile", 2.0),), 0)
    rows = [Row(str(clip), treatment) for clip in clips]
    return Batch(rows, Setup(str(pack.folders[0]), folder, store, **setup))  # type: ignore[arg-type]


def videos(folder: Path) -> dict[str, bytes]:
    """Every finished video by its name."""
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.mp4"))}
