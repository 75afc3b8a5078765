"""Make eight edits of every clip and measure from outside how each treats it.

    python -m benchmarks.edits CLIP [CLIP ...] [--end 2] [--method transfer] [--sheets docs/edits] [--json FILE]

The columns are those of benchmarks/photo_measures.py and the project's own TL-ID and TG-ID. The first row of a clip is
the source itself, moved by whole pixels: the flicker that its grain makes of any motion, however steady, since grain is
new in every frame. A sheet has a row for each of three frames: the source and its eight edits, cut along the crop.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from benchmarks.photo_measures import PhotoMeasures, mean_of, measure_pair
from stit_core.artefacts import Clip
from stit_core.config import METHODS, preset
from stit_core.faces.labels import SKIN_LIKE, is_one_of
from stit_core.geometry import frame_to_crop, warp_quad_to_square
from stit_core.memory import keep_freed_memory
from stit_core.packs.loading import find_pack, load_models
from stit_core.pipeline import Pipeline
from stit_core.previews import preview_frame
from stit_core.runtime import Runtime, pick_device, pick_dtype
from stit_core.store.runs import Store

EDITS = (
    ("smile", 2.0),
    ("mouth_open", 2.0),
    ("age", 2.0),
    ("age", -2.0),
    ("gender", 2.0),
    ("gender", -2.0),
    ("skin_tone", 1.5),
    ("yaw", 1.0),
)
AROUND = 9  # pixels, window by which skin is widened: its edge is none of what lies beside it
SHIFT = 3  # pixels by which the source is moved for a clip's first row
SHEET_FRAMES = 3
SHEET_SIDE = 256  # pixels of a face in a sheet
COLUMNS = ("sharp", "detail", "outside", "beside", "flicker", "jump", "moved", "TL-ID", "TG-ID")


@dataclasses.dataclass(frozen=True)
class Row:
    """One edit of one clip."""

    clip: str
    edit: str
    photo: PhotoMeasures
    tl_id: float
    tg_id: float

    @property
    def figures(self) -> tuple[float, ...]:
        return (*dataclasses.astuple(self.photo), self.tl_id, self.tg_id)

    def text(self) -> str:
        return "| " + " | ".join([self.clip, self.edit, *_texts(self.figures)]) + " |"


def _texts(figures: tuple[float, ...]) -> list[str]:
    digits = (2, 2, 2, 2, 2, 1, 1, 3, 3)
    return [f"{figure:.{count}f}" for figure, count in zip(figures, digits, strict=True)]


def finished_frames(pipeline: Pipeline, clip: Clip) -> Iterator[np.ndarray]:
    """The edited frames as they go into the video."""
    faces = dict(zip(pipeline.align(clip).frame_indices, pipeline.stitch(clip).crops, strict=True))
    for frame in clip.frames.indices:
        yield preview_frame(pipeline, clip, frame, faces[frame]) if frame in faces else clip.frames.read(frame)


def skin_of(pipeline: Pipeline, clip: Clip) -> Iterator[np.ndarray]:
    """Where the pack's parser sees skin in each frame, and a little around, (H, W) bool."""
    crops, known = pipeline.align(clip), pipeline.register(clip)
    quads = dict(zip(crops.frame_indices, crops.quads, strict=True))
    for frame in clip.frames.indices:
        height, width = clip.frames.read(frame).shape[:2]
        if frame not in quads:
            yield np.zeros((height, width), bool)
            continue
        skin = is_one_of(known.source_labels(frame), SKIN_LIKE)
        matrix, flags = np.column_stack(frame_to_crop(quads[frame], len(skin))), cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        found = cv2.warpAffine(skin, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
        yield cv2.dilate(found, np.ones((AROUND, AROUND), np.uint8)) > 0


def measure_shift(clip: Clip, skin: Iterator[np.ndarray]) -> PhotoMeasures:
    """What is measured of the source where it is only moved, by whole pixels and all of it."""
    return measure_pair(clip.frames, (np.roll(frame, SHIFT, axis=0) for frame in clip.frames), skin)


def edit_clip(base: Pipeline, path: Path, sheets: Path | None) -> list[Row]:
    """Make and measure all edits of a clip; prints a line for each."""
    rows: list[Row] = []
    clip = base.open(path)
    print(
        Row(path.stem, f"none, {SHIFT} px lower", measure_shift(clip, skin_of(base, clip)), 1.0, 1.0).text(), flush=True
    )
    columns: list[np.ndarray] = []
    for name, factor in EDITS:
        pipeline = base.with_config(base.config.with_changes({"edit": {"directions": ((name, factor),)}}))
        clip = pipeline.open(path)
        measured = pipeline.measure(clip)
        photo = measure_pair(clip.frames, finished_frames(pipeline, clip), skin_of(pipeline, clip))
        rows.append(Row(path.stem, f"{name}={factor:g}", photo, measured.tl_id, measured.tg_id))
        print(rows[-1].text(), flush=True)
        if sheets is not None:
            columns = columns or [_column(pipeline, clip, edited=False)]
            columns.append(_column(pipeline, clip, edited=True))
    if sheets is not None:
        sheets.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.concatenate(columns, axis=1)).save(sheets / f"{path.stem}.jpg", quality=88)
    return rows


def _column(pipeline: Pipeline, clip: Clip, edited: bool) -> np.ndarray:
    """A few frames below each other, cut along their quads."""
    crops, stitched = pipeline.align(clip), pipeline.stitch(clip)
    cells = []
    for position in np.linspace(0, len(crops.frame_indices) - 1, SHEET_FRAMES + 2).round().astype(int)[1:-1]:
        frame = crops.frame_indices[position]
        picture = clip.frames.read(frame)
        if edited:
            picture = preview_frame(pipeline, clip, frame, stitched.crops.read(frame))
        cells.append(warp_quad_to_square(picture, crops.quads[position], SHEET_SIDE))
    return np.concatenate(cells)


def summary(rows: list[Row]) -> list[str]:
    """Means and worst figures in words, yaw and the edits of mouth and eyes apart where that is said."""
    mean = mean_of(row.photo for row in rows)
    still = [row for row in rows if not row.edit.startswith("yaw")]
    shut = [row.photo.detail for row in rows if not row.edit.startswith(("mouth_open", "eyes"))]
    outside, beside = [row.photo.outside for row in still], [row.photo.beside for row in still]
    return [
        f"sharp {min(row.photo.sharp for row in rows):.2f} to {max(row.photo.sharp for row in rows):.2f}",
        f"detail, mouth_open apart: mean {np.mean(shut):.2f}, worst {min(shut):.2f}",
        f"outside, all but yaw: mean {np.mean(outside):.2f}, worst {max(outside):.2f}",
        f"beside, all but yaw: mean {np.mean(beside):.2f}, worst {max(beside):.2f}",
        f"flicker {mean.flicker:.2f}, largest jump {max(row.photo.jump for row in rows):.1f}, moved {mean.moved:.1f} %",
        f"TL-ID {np.mean([row.tl_id for row in rows]):.3f}, TG-ID {np.mean([row.tg_id for row in rows]):.3f}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path, nargs="+")
    parser.add_argument("--start", type=float, default=0.0, help="seconds into each clip")
    parser.add_argument("--end", type=float, default=2.0, help="seconds into each clip")
    parser.add_argument("--preset", default="balanced")
    parser.add_argument("--method", choices=METHODS, help="default: the pack's")
    parser.add_argument("--pack", default="heads-256")
    parser.add_argument("--sheets", type=Path, help="folder for contact sheets")
    parser.add_argument("--runs", type=Path, help="run folder to go on from; a temporary, empty one if not given")
    parser.add_argument("--json", type=Path, help="file for all figures")
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    keep_freed_memory()
    pack, device = find_pack(arguments.pack), pick_device(arguments.device)
    config = preset(arguments.preset, pack.schedules, arguments.method)
    config = config.with_changes({"video": {"start": arguments.start, "end": arguments.end}})
    runtime = Runtime(device=device, dtype=pick_dtype(config.preset, device))
    print("| clip | edit | " + " | ".join(COLUMNS) + " |\n|" + " --- |" * (len(COLUMNS) + 2))
    with tempfile.TemporaryDirectory() as scratch:
        base = Pipeline(load_models(pack, device), Store(arguments.runs or Path(scratch)), config, runtime)
        rows = [row for path in arguments.clips for row in edit_clip(base, path, arguments.sheets)]
    print("\n" + "\n".join(summary(rows)))
    if arguments.json:
        arguments.json.write_text(json.dumps([dataclasses.asdict(row) for row in rows], indent=1))


if __name__ == "__main__":
    main()
