"""What stands in the way of a run is said before any work is done."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest
from PIL import Image

from stit_core import checks
from stit_core.config import RunConfig, VideoConfig
from stit_core.errors import DirectionError, NoRoomError, PackError, StoreError, VideoError
from stit_core.media import probing
from stit_core.whole_run import edit_video
from tests.support.pipeline_cases import settings, watched

pytest_plugins = ["tests.support.fixtures_pack", "tests.support.fixtures_pipeline"]

HEAVY = ("clip", "landmarks", "align", "invert", "tune", "masks", "identify")


def refused(kind: type[Exception], told: str, config: RunConfig, clip: Path, output: Path) -> str:
    """The hint of the error with which a run is refused before any stage has begun."""
    watch = watched(config)
    with pytest.raises(kind, match=told) as caught:
        edit_video(watch.pipeline, clip, output)
    assert not watch.steps, "it must be told before any work is done"
    return caught.value.hint  # type: ignore[attr-defined]


def test_an_output_that_cannot_be_written_is_told_first(home: Path, face_clip: Path) -> None:
    assert refused(VideoError, "cannot be written", settings(), face_clip, home / "nowhere" / "o.mp4")
    assert refused(VideoError, "suffix", settings(), face_clip, home / "o.txt")
    (home / "o.mp4").mkdir()
    assert refused(VideoError, "is a folder", settings(), face_clip, home / "o.mp4")
    own = home / "own.mp4"
    shutil.copyfile(face_clip, own)
    assert refused(VideoError, "overwrite the source", settings(), own, own)


def test_directions_that_do_not_fit_are_told_first(home: Path, face_clip: Path) -> None:
    hint = refused(DirectionError, "no direction 'smiel'", settings(("smiel", 1.0)), face_clip, home / "o.mp4")
    assert "smile" in hint
    refused(DirectionError, "belongs to the pack 'other'", settings(("beard", 1.0)), face_clip, home / "o.mp4")


def test_a_broken_pack_is_told_first(
    home: Path, face_clip: Path, shared_pack_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STIT_PACKS", str(home / "packs"))
    shutil.copytree(shared_pack_folder, home / "packs" / "tiny")
    (home / "packs" / "tiny" / "parser.safetensors").write_bytes(b"short")
    refused(PackError, r"parser\.safetensors", settings(), face_clip, home / "o.mp4")
    (home / "packs" / "tiny" / "parser.safetensors").unlink()
    refused(PackError, r"lacks the file parser\.safetensors", settings(), face_clip, home / "o.mp4")


def test_a_disk_without_room_is_told_first(home: Path, face_clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(home)._replace(free=1 << 20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    hint = refused(NoRoomError, "1 MB free", settings(), face_clip, home / "o.mp4")
    assert "runs clean" in hint


def test_only_the_chosen_part_needs_room(home: Path, synthetic_clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Thirty frames need more than their part of six: with room for twelve the part is let through."""
    facts = probing.probe(synthetic_clip, VideoConfig())
    pixels = facts.width * facts.height + checks.CROPS_PER_FRAME * 64 * 64
    free = checks.SPARE_BYTES + int(12 * pixels * checks.PNG_BYTES_PER_PIXEL)
    usage = shutil.disk_usage(home)._replace(free=free)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    for trim in ({"end": 0.2}, {"start": 0.5, "end": 0.7}, {"start": 0.85}):
        checks.check_space(facts, VideoConfig(**trim), 64, home, home / "o.mp4")
    with pytest.raises(StoreError, match="may need") as caught:
        checks.check_space(facts, VideoConfig(start=0.1), 64, home, home / "o.mp4")
    assert "shorter part" in caught.value.hint
    untold = dataclasses.replace(facts, seconds=None, frames=None)
    checks.check_space(untold, VideoConfig(end=0.2), 64, home, home / "o.mp4")
    with pytest.raises(StoreError, match="may need"):
        checks.check_space(untold, VideoConfig(), 64, home, home / "o.mp4")


def test_a_runs_folder_that_cannot_be_written_is_told(
    home: Path, face_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "file").write_text("")
    monkeypatch.setenv("STIT_RUNS", str(home / "file" / "runs"))
    refused(StoreError, "cannot be written", settings(), face_clip, home / "o.mp4")


def test_what_is_no_video_is_told(home: Path) -> None:
    refused(VideoError, "does not exist", settings(), home / "none.mp4", home / "o.mp4")
    (home / "text.mp4").write_text("no video")
    refused(VideoError, "not a video", settings(), home / "text.mp4", home / "o.mp4")
    Image.new("RGB", (64, 64)).save(home / "picture.png")
    (home / "picture.png").rename(home / "picture.mp4")
    refused(VideoError, "single picture", settings(), home / "picture.mp4", home / "o.mp4")


def test_a_clip_over_a_limit_is_told_also_when_it_is_known(done: Path, face_clip: Path) -> None:
    short = settings(video={"max_seconds": 0.1, "max_frames": 2})
    refused(VideoError, "too long", short, face_clip, done / "b.mp4")
