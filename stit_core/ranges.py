"""One clip under a range of factors of one direction: a video for each factor, and one grid video of them all."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stit_core.artefacts import Clip, FrameFolder
from stit_core.errors import ConfigError
from stit_core.marks import add_mark, place_mark
from stit_core.media import grids as range_grid
from stit_core.media import video
from stit_core.media.grids import Grid
from stit_core.pasting import Pasting
from stit_core.pipeline import Pipeline
from stit_core.provenance import UNKNOWN, Provenance, label_video
from stit_core.report import Report
from stit_core.runtime import Runtime
from stit_core.stages import compositing
from stit_core.whole_run import clip_warnings, edit_warnings, finish, prepare

GRID_STAGE = "grid"


@dataclass(frozen=True)
class RangeReport:
    """A finished range.

    Attributes
    ----------
    reports: one a factor, in order.
    grid: the grid video; None where its pictures would be too small, which `warnings` then says.
    warnings: what to know of the directions at the ends of the range, and of the grid.
    """

    reports: tuple[Report, ...]
    grid: Path | None
    warnings: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """The report as one JSON object."""
        return {
            "outputs": [report.as_json() for report in self.reports],
            "grid": None if self.grid is None else str(self.grid),
            "warnings": list(self.warnings),
        }


def range_warnings(pipeline: Pipeline, name: str, factors: Sequence[float]) -> tuple[str, ...]:
    """What to know of the directions where the factor of `name` is furthest from 0 on each side of it."""
    ends = min(0.0, *factors), max(0.0, *factors)
    warnings = [text for factor in ends for text in edit_warnings(_at(pipeline, name, factor))]
    return tuple(dict.fromkeys(warnings))


def run_range(
    pipeline: Pipeline,
    path: Path,
    output: Path,
    name: str,
    factors: Sequence[float],
    provenance: Provenance = UNKNOWN,
) -> RangeReport:
    """Write one video for each factor of the direction `name`, and a grid of the source and all of them.

    The files are called like `output` with the direction and the factor added, or "grid". The settings of `pipeline`
    name the direction; its factor there does not count. All names are checked, and the clip is opened, once.

    Raises
    ------
    StitError: of the stage that cannot be finished.
    Cancelled: the run was stopped; finished videos stay.
    """
    labels = _labels(factors)
    targets = [output.with_name(f"{output.stem}_{name}_{label}{output.suffix}") for label in labels]
    grid_path = output.with_name(f"{output.stem}_{name}_grid{output.suffix}")
    warnings = range_warnings(pipeline, name, factors)
    parts = [_at(pipeline, name, factor) for factor in factors]
    clip = prepare(parts[0], path, [*targets, grid_path], provenance)
    reports = tuple(finish(part, clip, target, provenance) for part, target in zip(parts, targets, strict=True))
    warnings = (*warnings, *clip_warnings(pipeline, clip))
    try:
        grid = range_grid.plan_grid(1 + len(factors), clip.width, clip.height)
    except ConfigError as error:
        return RangeReport(reports, None, (*warnings, f"There is no grid video. {error}"))
    ground = range_grid.draw_labels(grid, [("source", ""), *((name, label) for label in labels)])
    pictures = _grid_pictures(pipeline, clip, [part.stitch(clip).crops for part in parts], grid, ground)
    edit = f"{name}={labels[0]} to {labels[-1]}"
    others = [f"{other}={factor:g}" for other, factor in pipeline.config.edit.directions if other != name]
    record = pipeline.describe(clip, provenance.consent)
    label = label_video(record, ", ".join([edit, *others]), provenance.signer, grid={name: list(factors)})
    width, height = grid.size
    video.write_video(
        pictures,
        dataclasses.replace(clip, width=width, height=height),
        grid_path,
        pipeline.config.video,
        _as_grid(pipeline.runtime),
        label,
    )
    return RangeReport(reports, grid_path, warnings)


def _at(pipeline: Pipeline, name: str, factor: float) -> Pipeline:
    """The same pipeline with another factor of the direction `name`."""
    pairs = tuple((other, factor if other == name else own) for other, own in pipeline.config.edit.directions)
    return pipeline.with_config(pipeline.config.with_changes({"edit": {"directions": pairs}}))


def _labels(factors: Sequence[float]) -> list[str]:
    """What names the factors in file names: two decimals, more where two factors would share a name."""
    for decimals in range(2, 12):
        labels = [f"{factor:+.{decimals}f}" for factor in factors]
        if len(set(labels)) >= len(set(factors)):
            break
    return labels


def _as_grid(runtime: Runtime) -> Runtime:
    """The runtime with its own name for the writing of this video, which follows upon that of another."""

    def progress(stage: str, done: int, total: int) -> None:
        runtime.progress(GRID_STAGE if stage == "video" else stage, done, total)

    return dataclasses.replace(runtime, progress=progress)


def _grid_pictures(
    pipeline: Pipeline, clip: Clip, stitched: Sequence[FrameFolder], grid: Grid, ground: np.ndarray
) -> Iterator[np.ndarray]:
    """Every frame of the grid; one picture of one factor is in memory at a time."""
    crops, pasting = pipeline.align(clip), Pasting(pipeline, clip)
    number = pipeline.landmarks(clip).index
    zoom = grid.width / clip.width, grid.height / clip.height
    # Of a cell's own, so that it is as legible there as in a video of that size.
    mark = place_mark(grid.width, grid.height, crops.quads * zoom) if pipeline.config.compositing.mark else None

    def cells(frame: int) -> Iterator[np.ndarray]:
        source = clip.frames.read(frame)
        yield source
        for done, faces in enumerate(stitched, start=1):
            pipeline.runtime.step(compositing.STAGE, done, len(stitched))  # a row of many factors can be stopped
            found = frame in crops.frame_indices
            picture = pasting.paste(frame, source, {number: faces.read(frame)}) if found else source
            yield picture if mark is None else add_mark(range_grid.shrink(picture, grid), mark)

    for frame in clip.frames.indices:
        yield range_grid.fill(ground, grid, cells(frame))
