"""Single frames are those of the finished video."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stit_core.config import preset
from stit_core.errors import ArtefactMismatchError
from stit_core.packs.loading import find_pack
from stit_core.pasting import Pasting
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
    frames = list(Pasting(pipeline, clip).composited({0: stitched}))
    for frame in (0, 4):
        shown = preview_frame(pipeline, clip, frame, stitched.crops.read(frame))
        assert np.array_equal(shown, frames[frame])
        assert not np.array_equal(shown, clip.frames.read(frame))


@pytest.mark.usefixtures("done")
def test_the_mark_is_in_previews_and_video_alike_and_in_nothing_that_is_stored_or_measured(face_clip: Path) -> None:
    watch, clip = open_done(face_clip)
    plain = watch.pipeline
    marked = plain.with_config(plain.config.with_changes({"compositing": {"mark": True}}))
    for stage in ("stitch", "measure"):
        assert marked.key(stage, clip) == plain.key(stage, clip), "measured and stored unmarked"
    stitched = marked.stitch(clip)
    frames = list(Pasting(marked, clip).composited({0: stitched}))
    unmarked = Pasting(plain, clip).composited({0: stitched})
    for frame, before in zip(clip.frames.indices, unmarked, strict=True):
        face = stitched.crops.read(frame)
        assert np.array_equal(preview_frame(marked, clip, frame, face), frames[frame])
        assert 0 < (frames[frame] != before).any(axis=2).mean() < 0.05


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
