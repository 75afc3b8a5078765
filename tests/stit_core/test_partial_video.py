"""The video of a run that was stopped."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from stit_core.errors import Cancelled, VideoError
from stit_core.partial_video import write_part
from stit_core.whole_run import edit_video
from tests.support.drawn_face import write_clip
from tests.support.pipeline_cases import watched

pytest_plugins = ["tests.support.fixtures_pack", "tests.support.fixtures_pipeline"]

HEAVY = ("clip", "landmarks", "align", "invert", "tune", "masks", "identify")


def test_a_part_is_not_written_with_the_sound_of_another_file(home: Path, face_clip: Path) -> None:
    own = home / "own.mp4"
    shutil.copyfile(face_clip, own)
    with pytest.raises(Cancelled):
        edit_video(watched(stop_at=("stitch", 20)).pipeline, own, home / "o.mp4")
    pipeline = watched().pipeline
    clip = pipeline.open(own)
    written = write_part(pipeline, clip, home / "part.mp4")
    assert written is not None
    assert 0 < written.frames < 6
    shutil.copyfile(write_clip(home / "other.mp4", frames=3), own)
    with pytest.raises(VideoError, match=r"own\.mp4 was changed"):
        write_part(pipeline, clip, home / "late.mp4")
    assert not (home / "late.mp4").exists()
