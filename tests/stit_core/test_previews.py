"""Single frames are those of the finished video."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stit_core.previews import preview_frame
from tests.support.pipeline_cases import open_done

pytest_plugins = ["tests.support.fixtures_pack", "tests.support.fixtures_pipeline"]

HEAVY = ("clip", "landmarks", "align", "invert", "tune", "masks", "identify")


@pytest.mark.usefixtures("done")
def test_a_previewed_frame_is_the_frame_of_the_video(face_clip: Path) -> None:
    watch, clip = open_done(face_clip)
    pipeline = watch.pipeline
    stitched = pipeline.stitch(clip)
    frames = list(pipeline.composited(clip, pipeline.align(clip), stitched))
    for frame in (0, 4):
        shown = preview_frame(pipeline, clip, frame, stitched.crops.read(frame))
        assert np.array_equal(shown, frames[frame])
        assert not np.array_equal(shown, clip.frames.read(frame))
