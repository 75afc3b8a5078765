"""What a finished run says of itself: its report, the edit manifest beside its video, and the video's own comment."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from stit_core.artefacts import Clip, Measured
from stit_core.config import RunConfig
from stit_core.directions.library import Direction
from stit_core.packs.manifest import Pack
from stit_core.runtime import Runtime
from stit_core.store.disk import disk_errors, write_json

MANIFEST_FORMAT = 1
VERSIONED_PACKAGES = ("torch", "numpy", "dlib-bin", "imageio-ffmpeg")


@dataclass(frozen=True)
class Report:
    """One finished run.

    Attributes
    ----------
    output, manifest: the files written.
    frames: of the video; faces: frames in which the face was found or bridged.
    gaps: first and last frame of each stretch left untouched.
    audio: whether, or how, sound was carried over.
    seconds: by stage; cached: stages whose results were found.
    measures: figures of the result.
    warnings: what to know of the chosen directions, in plain words.
    """

    output: Path
    manifest: Path
    frames: int
    faces: int
    gaps: tuple[tuple[int, int], ...]
    audio: object
    seconds: Mapping[str, float]
    cached: tuple[str, ...]
    measures: Measured
    warnings: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The report as one flat JSON object."""
        return {
            "frames": self.frames,
            "faces": self.faces,
            "gaps": [list(gap) for gap in self.gaps],
            "audio": self.audio,
            "seconds": dict(self.seconds),
            "seconds_total": round(sum(self.seconds.values()), 3),
            "cached": list(self.cached),
            **{name: round(value, 6) for name, value in self.measures.figures.items()},
            "warnings": list(self.warnings),
            "output": str(self.output),
            "manifest": str(self.manifest),
        }


def manifest_path(output: Path) -> Path:
    """Where the edit manifest of a video lies: out.mp4 -> out.edit.json."""
    return output.with_name(f"{output.stem}.edit.json")


def write_manifest(
    report: Report,
    clip: Clip,
    pack: Pack,
    directions: Mapping[str, Direction],
    config: RunConfig,
    runtime: Runtime,
) -> None:
    """Write down how the video was made, so that it can be shown and made again. Raises StoreError."""
    edits = {"edits": edits_as_json(config, directions)}
    _write(report.manifest, edits, report.as_json(), clip, pack, config, runtime)


def write_people_manifest(
    manifest: Path,
    result: Mapping[str, Any],
    edits: Mapping[int, Sequence[Mapping[str, Any]]],
    clip: Clip,
    pack: Pack,
    config: RunConfig,
    runtime: Runtime,
) -> None:
    """The same for a video of several people, with their edits by number. Raises StoreError."""
    people = [{"face": number, "edits": own} for number, own in edits.items()]
    _write(manifest, {"people": people}, result, clip, pack, config, runtime)


def edits_as_json(config: RunConfig, directions: Mapping[str, Direction]) -> list[dict[str, Any]]:
    """What is changed, and by which directions."""
    return [
        {"direction": name, "factor": factor, "sha256": directions[name].hash, "source": directions[name].card.source}
        for name, factor in config.edit.directions
    ]


def _write(
    manifest: Path,
    edits: Mapping[str, Any],
    result: Mapping[str, Any],
    clip: Clip,
    pack: Pack,
    config: RunConfig,
    runtime: Runtime,
) -> None:
    record = {
        "format": MANIFEST_FORMAT,
        "made_with": "STIT Studio",
        "edited": True,
        "clip": {
            "name": clip.source.name,
            "hash": clip.hash,
            "frames": len(clip.frames),
            "frame_rate": str(clip.frame_rate),
            "start": float(clip.start),
            "size": [clip.width, clip.height],
        },
        "pack": {"name": pack.name, "hash": pack.hash, "licence": pack.licence},
        **edits,
        "settings": dataclasses.asdict(config),
        "seed": runtime.seed,
        "device": str(runtime.device),
        "versions": _versions(),
        "result": {**result, "output": Path(str(result["output"])).name, "manifest": manifest.name},
    }
    with disk_errors(f"The edit manifest {manifest.name}"):
        write_json(manifest, json.loads(json.dumps(record, default=str)))


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "torch": torch.__version__}
    for name in VERSIONED_PACKAGES[1:]:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def edit_text(config: RunConfig) -> str:
    """What was changed, in a line: "smile=2, age=-1"."""
    return ", ".join(f"{name}={factor:g}" for name, factor in config.edit.directions) or "no direction"


def container_comment(pack: Pack, edit: str) -> dict[str, str]:
    """What a video's container says of itself, `edit` being what was changed."""
    return {"comment": f"edited with STIT Studio, pack {pack.name}, {edit}"}
