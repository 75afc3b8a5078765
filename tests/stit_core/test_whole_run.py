"""A whole run: its video, its manifest and its warnings."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from stit_core.config import VideoConfig
from stit_core.media import probing
from stit_core.packs.loading import find_pack
from stit_core.report import manifest_path
from stit_core.whole_run import edit_video, edit_warnings
from tests.support.drawn_face import write_clip
from tests.support.pipeline_cases import STAGES, settings, watched

pytest_plugins = ["tests.support.fixtures_pack", "tests.support.fixtures_pipeline"]

HEAVY = ("clip", "landmarks", "align", "invert", "tune", "masks", "identify")


def test_a_run_writes_video_and_manifest(done: Path, face_clip: Path) -> None:
    source = probing.probe(face_clip, VideoConfig())
    result = probing.probe(done / "out.mp4", VideoConfig())
    assert (result.width, result.height, result.frames, result.frame_rate, result.audio) == (
        source.width,
        source.height,
        source.frames,
        source.frame_rate,
        "aac",
    )
    record = json.loads(manifest_path(done / "out.mp4").read_text())
    assert record["pack"]["hash"] == find_pack("tiny").hash
    assert record["edits"][0]["direction"] == "smile"
    assert record["edits"][0]["factor"] == 2.0
    assert record["clip"]["name"] == "face.mp4"
    assert record["settings"]["tuning"]["passes"] == 2
    told = record["result"]
    assert (told["frames"], told["faces"], told["gaps"], told["audio"]) == (6, 6, [], "copied")
    assert set(told["seconds"]) == set(STAGES)
    idle = [stage for stage in STAGES if told["seconds"][stage] <= 0]
    assert set(idle) <= {"edit"}, "adding a direction may take less than the half millisecond that is written down"
    assert -1 <= told["id_cosine"] <= 1
    assert all(np.isfinite(told[name]) for name in ("psnr", "lpips", "border_loss", "tl_id", "tg_id"))
    text = json.dumps(record)
    assert str(face_clip.parent) not in text, "a manifest must not tell where files lay"
    assert str(done) not in text


def test_the_same_run_again_finds_everything(done: Path, face_clip: Path) -> None:
    before = json.loads((done / "out.edit.json").read_text())["result"]
    again = watched()
    report = edit_video(again.pipeline, face_clip, done / "again.mp4")
    assert set(report.cached) == set(STAGES) - {"edit", "write"}
    assert report.seconds["tune"] == 0.0
    for name in ("psnr", "lpips", "border_loss", "id_cosine", "tl_id", "tg_id"):
        assert report.as_json()[name] == before[name]
    assert (done / "again.mp4").read_bytes() == (done / "out.mp4").read_bytes()


def test_directions_that_overlap_are_told_of_and_written_down(
    done: Path, face_clip: Path, direction_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(direction_root, done / "directions")
    monkeypatch.setenv("STIT_DIRECTIONS", str(done / "directions"))
    smile = np.load(done / "directions" / "tiny" / "smile.npy")
    other = np.load(done / "directions" / "tiny" / "age.npy")
    np.save(done / "directions" / "tiny" / "frown.npy", other - smile)
    pipeline = watched(settings(("smile", 2.0), ("frown", 1.0), ("age", 0.0))).pipeline
    (told,) = edit_warnings(pipeline)
    assert "'smile' (+2) and 'frown' (+1) pull against each other" in told
    report = edit_video(pipeline, face_clip, done / "b.mp4")
    assert report.warnings == (told,)
    assert json.loads(report.manifest.read_text())["result"]["warnings"] == [told]
    assert edit_warnings(watched(settings(("smile", 2.0), ("age", 1.0))).pipeline) == ()


def test_a_style_space_edit_runs_through(done: Path, face_clip: Path) -> None:
    report = edit_video(
        watched(settings(edit={"directions": (("smile", 1.0),), "styles": True})).pipeline, face_clip, done / "s.mp4"
    )
    assert report.frames == 6


def test_a_clip_that_lies_on_its_side_is_edited_as_it_lies(home: Path, ffmpeg_make: Callable[..., Path]) -> None:
    upright = write_clip(home / "upright.mp4", sound=True)
    lying = ffmpeg_make("lying.mp4", "-i", str(upright), "-vf", "transpose=clock", "-crf", "8", "-c:a", "copy")
    watch = watched()
    report = edit_video(watch.pipeline, lying, home / "o.mp4")
    assert report.faces == 6
    (told,) = report.warnings
    assert "quarter turn to the left" in told
    clip = watch.pipeline.open(lying)
    assert watch.pipeline.people(clip).turn == 1
    crop = watch.pipeline.align(clip).crops.read(0)
    assert crop[40:].mean() != pytest.approx(crop[:24].mean(), abs=1)
    straight = watched().pipeline
    other = straight.open(upright)
    expected = straight.align(other).crops.read(0)
    assert np.abs(crop.astype(int) - expected).mean() < 6, "the crop stands upright"
    result = straight.open(home / "o.mp4")
    assert (result.width, result.height) == (clip.width, clip.height)
    changed = np.abs(result.frames.read(2).astype(int) - clip.frames.read(2)).max(axis=2) > 24
    centre = watch.pipeline.align(clip).quads[2].mean(axis=0)
    ys, xs = np.nonzero(changed)
    assert np.hypot(xs.mean() - centre[0], ys.mean() - centre[1]) < 20


# --- Bad input ----------------------------------------------------------------------------------------------------
