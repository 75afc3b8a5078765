"""Single frames as the finished video will have them, and those that are finished while others are still being made."""

from __future__ import annotations

import numpy as np

from stit_core.artefacts import Clip, Stitched, position_of
from stit_core.fitting.frame_record import read_finished
from stit_core.pasting import Pasting
from stit_core.pipeline import Pipeline


def preview_frame(pipeline: Pipeline, clip: Clip, frame: int, face: np.ndarray) -> np.ndarray:
    """The full frame (H, W, 3) uint8 with a face that `stitch` made for it, as the finished video will have it."""
    return Pasting(pipeline, clip).preview(frame, {pipeline.landmarks(clip).index: face})


def transferred_crop(pipeline: Pipeline, clip: Clip, frame: int) -> np.ndarray:
    """The edited crop (size, size, 3) uint8 of one frame by the method "transfer", of which nothing is stored.

    Raises
    ------
    ArtefactMismatchError: a frame without a face.
    """
    position = position_of(pipeline.align(clip).frame_indices, frame)
    return pipeline.finished_crop(clip, frame, pipeline.transfer_of(clip).patch(position))


def stitched_so_far(pipeline: Pipeline, clip: Clip) -> Stitched | None:
    """The frames that are stitched, from the first on, whether the stage is finished, running or stopped.

    Returns
    -------
    None where there is none.
    """
    run, name = pipeline.run_of(clip), pipeline.key("stitch", clip)
    finished = run.load("stitch", name, Stitched)
    return finished or read_finished(run.part("stitch", name), pipeline.align(clip))
