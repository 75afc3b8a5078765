"""Single frames are those of the finished video."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stit_core.config import preset
from stit_core.errors import ArtefactMismatchError
from stit_core.packs.loading import find_pack
from stit_core.previews import preview_frame, transferred_crop
from tests.support.pipeline_cases import open_done, watched

SMILE = {"edit": {"directions": (("smile", 2.0),)}}

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


@pytest.mark.usefixtures("done")
def test_a_transferred_crop_is_that_of_the_video_and_stores_nothing(face_clip: Path) -> None:
    pipeline = watched(preset("balanced", find_pack("tiny").schedules, "transfer").with_changes(SMILE)).pipeline
    clip = pipeline.open(face_clip)
    crop = transferred_crop(pipeline, clip, 2)
    assert not pipeline.has(clip, "stitch")
    stitched = pipeline.stitch(clip)
    assert np.array_equal(crop, pipeline.finished_crop(clip, 2, stitched.crops.read(2)))
    with pytest.raises(ArtefactMismatchError, match="Frame 99"):
        transferred_crop(pipeline, clip, 99)
