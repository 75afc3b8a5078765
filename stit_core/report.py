"""What a finished run says of itself: its report, and the edit manifest beside its video."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stit_core.artefacts import Measured
from stit_core.store.disk import disk_errors, write_json


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


def write_manifest(report: Report, record: Mapping[str, Any]) -> None:
    """Write down how the video was made, so that it can be shown and made again.

    Parameters
    ----------
    record: as `describe_edit` gives it.

    Raises
    ------
    StoreError: it cannot be written.
    """
    result = report.as_json() | {"output": report.output.name, "manifest": report.manifest.name}
    with disk_errors(f"The edit manifest {report.manifest.name}"):
        write_json(report.manifest, json.loads(json.dumps({**record, "result": result}, default=str)))
