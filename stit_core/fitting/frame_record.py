"""The frames that a stage has finished, one line each, so that a stopped run is resumed where it was."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from stit_core.artefacts import Alignment, FrameFolder, Stitched

PICTURES = "crops"
RECORD = "frames.jsonl"
Row = dict[str, float | int]


class FrameRecord:
    """Finished frames of one stage's work in a folder private to it.

    Attributes
    ----------
    crops: their pictures.
    rows: by position, what is known of each: border, content, steps.
    """

    def __init__(self, folder: Path, alignment: Alignment, fingerprint: str) -> None:
        """Resume what an earlier run of the same work, by its fingerprint, finished in `folder`."""
        self.alignment = alignment
        self.crops = FrameFolder(folder / PICTURES, alignment.frame_indices)
        self.crops.path.mkdir(exist_ok=True)
        self._file = folder / RECORD
        head = json.dumps({"fingerprint": fingerprint})
        begun, found = _read_rows(self._file, self.crops)
        self.rows = found if begun == head else {}
        self._file.write_text("\n".join([head, *map(json.dumps, self.rows.values())]) + "\n")

    def __len__(self) -> int:
        return len(self.rows)

    def add(self, position: int, picture: np.ndarray, border: float, content: float, steps: int) -> None:
        """Write a frame's picture, then its line."""
        self.crops.write(self.alignment.frame_indices[position], picture)
        row: Row = {"position": position, "border": border, "content": content, "steps": steps}
        with self._file.open("a") as handle:
            handle.write(json.dumps(row) + "\n")
        self.rows[position] = row

    def result(self) -> Stitched:
        """All frames, every one being finished."""
        return _stitched(self.alignment, self.crops, self.rows, len(self.alignment.frame_indices))


def read_finished(folder: Path, alignment: Alignment) -> Stitched | None:
    """The frames that a run which is running in `folder`, or was stopped there, has finished; None for none.

    They are the first ones of the alignment; a later frame whose predecessors are missing is left out.
    """
    crops = FrameFolder(folder / PICTURES, alignment.frame_indices)
    found = _read_rows(folder / RECORD, crops)[1]
    count = next((i for i in range(len(alignment.frame_indices)) if i not in found), len(alignment.frame_indices))
    return _stitched(alignment, crops, found, count) if count else None


def _stitched(alignment: Alignment, crops: FrameFolder, found: dict[int, Row], count: int) -> Stitched:
    rows = [found[position] for position in range(count)]
    border, content, steps = (np.asarray([row[name] for row in rows]) for name in ("border", "content", "steps"))
    frames = alignment.frame_indices[:count]
    return Stitched(alignment.clip_hash, frames, FrameFolder(crops.path, frames), border, content, steps)


def _read_rows(file: Path, crops: FrameFolder) -> tuple[str, dict[int, Row]]:
    """Head of a record, and by position the rows whose pictures lie there; a line cut off half-way is left out."""
    lines = file.read_text().splitlines() if file.is_file() else []
    found: dict[int, Row] = {}
    for line in lines[1:]:
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            continue
        if crops.file(crops.indices[row["position"]]).is_file():
            found[row["position"]] = row
    return lines[0] if lines else "", found
