"""Tests of the whole way of a clip, on the tiny pack: results, caching, resuming, previews, manifest, bad input."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from stit_core import pipeline as pipelines
from stit_core.config import VideoConfig, preset
from stit_core.errors import Cancelled, DirectionError, VideoError
from stit_core.images import to_picture
from stit_core.media import ffmpeg, probing
from stit_core.packs.loading import find_pack
from stit_core.pipeline import EYES_MEANT, Pipeline
from stit_core.ranges import run_range
from stit_core.runtime import Runtime
from stit_core.stages import editing
from stit_core.store.runs import Store
from stit_core.whole_run import edit_video
from tests.support.drawn_face import write_clip
from tests.support.pipeline_cases import open_done, settings, watched

pytest_plugins = ["tests.support.fixtures_pack", "tests.support.fixtures_pipeline"]

HEAVY = ("clip", "landmarks", "align", "invert", "tune", "masks", "identify")
AFTER_THE_SEARCH = ("clip", "align", "invert", "tune", "masks", "identify", "stitch", "measure")


def test_another_factor_repeats_neither_alignment_inversion_tuning_nor_masks(done: Path, face_clip: Path) -> None:
    other = watched(settings(("smile", -1.0)))
    report = edit_video(other.pipeline, face_clip, done / "other.mp4")
    assert set(HEAVY) <= set(report.cached)
    assert {"stitch", "measure"}.isdisjoint(report.cached)
    assert other.steps["tune"] == 1, "the one report that it was found"
    assert report.seconds["stitch"] > 0


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        ({"tuning": {"passes": 1}}, ("clip", "landmarks", "align", "invert", "masks", "identify")),
        ({"masks": {"outer_dilation": 80}}, ("clip", "landmarks", "align", "invert", "tune", "identify")),
        ({"alignment": {"xy_sigma": 1.0}}, ("clip", "landmarks")),
        ({"landmarks": {"max_gap": 3}}, AFTER_THE_SEARCH),  # which finds the same face
        ({"landmarks": {"face": 0}}, (*HEAVY, "stitch", "measure")),  # the one who is largest anyway
        ({"video": {"end": 0.4}}, ()),
        ({"video": {"crf": 30}, "compositing": {"feather": 1.0}}, (*HEAVY, "stitch", "measure")),
        ({"video": {"max_seconds": 30.0, "max_frames": 90, "max_megabytes": 5.0}}, (*HEAVY, "stitch", "measure")),
        ({"stitching": {"steps": 1}}, HEAVY),
    ],
)
def test_a_stage_is_made_again_only_when_something_before_it_changed(
    done: Path, face_clip: Path, change: dict, kept: tuple[str, ...]
) -> None:
    report = edit_video(watched(settings(**change)).pipeline, face_clip, done / "b.mp4")
    assert set(report.cached) == set(kept)


@pytest.mark.parametrize("method", ["stitch", "transfer"])
def test_what_was_stitched_before_is_not_edited_again(
    home: Path, face_clip: Path, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = preset("draft", find_pack("tiny").schedules, method)
    config = config.with_changes({"tuning": {"passes": 0}, "edit": {"directions": (("smile", 1.0),)}})
    edit_video(watched(config).pipeline, face_clip, home / "a.mp4")
    monkeypatch.setattr(editing, "edit", None)
    report = edit_video(watched(config).pipeline, face_clip, home / "b.mp4")
    assert "stitch" in report.cached
    assert report.seconds["edit"] == 0.0
    assert (home / "b.mp4").read_bytes() == (home / "a.mp4").read_bytes()


def test_one_edit_looks_into_its_file_once(home: Path, face_clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = home / "own.mp4"
    shutil.copyfile(face_clip, own)
    asked = []
    ask = ffmpeg.ask
    monkeypatch.setattr(ffmpeg, "ask", lambda *arguments: asked.append(1) or ask(*arguments))
    edit_video(watched().pipeline, own, home / "o.mp4")
    assert len(asked) == 2, "its streams and its first frame"
    shutil.copyfile(write_clip(home / "other.mp4", frames=3), own)
    assert probing.probe(own, VideoConfig()).frames == 3, "another file of this name is looked into anew"


@pytest.mark.usefixtures("done")
def test_landmarks_depend_on_whether_the_second_detector_was_there(
    face_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch, clip = open_done(face_clip)
    alone = watch.pipeline.with_config(settings(landmarks={"second_detector": False}))
    monkeypatch.setattr(pipelines, "second_detector_at_hand", lambda: False)
    assert watch.pipeline.has(clip, "landmarks")
    assert alone.has(clip, "landmarks"), "asking for one that is not there changes nothing"
    monkeypatch.setattr(pipelines, "second_detector_at_hand", lambda: True)
    assert not watch.pipeline.has(clip, "landmarks")
    assert alone.has(clip, "landmarks")


def test_a_stored_clip_is_held_to_the_limits_of_today(
    home: Path, face_clip: Path, ffmpeg_make: Callable[..., Path]
) -> None:
    endless = home / "endless.mkv"
    whole = ffmpeg_make("whole.mkv", "-i", str(face_clip), "-c", "copy", "-live", "1")
    whole.rename(endless)
    assert probing.probe(endless, VideoConfig()).seconds is None, "it does not tell its length"
    watched().pipeline.open(endless)
    with pytest.raises(VideoError, match="over 4 frames"):
        watched(settings(video={"max_frames": 4})).pipeline.open(endless)


def test_a_changed_direction_under_the_same_name_is_stitched_again(
    done: Path, face_clip: Path, direction_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(direction_root, done / "directions")
    monkeypatch.setenv("STIT_DIRECTIONS", str(done / "directions"))
    path = done / "directions" / "tiny" / "smile.npy"
    np.save(path, np.load(path) * 1.5)
    report = edit_video(watched().pipeline, face_clip, done / "b.mp4")
    assert set(report.cached) == set(HEAVY)


@pytest.mark.usefixtures("done")
def test_a_renamed_clip_finds_its_results(done: Path, face_clip: Path) -> None:
    moved = done / "another name.mp4"
    shutil.copyfile(face_clip, moved)
    report = edit_video(watched().pipeline, moved, done / "b.mp4")
    assert "tune" in report.cached
    assert json.loads(report.manifest.read_text())["clip"]["name"] == "another name.mp4"


def test_a_run_is_the_same_wherever_it_was_stopped(
    done: Path, face_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped in every stage in turn, the run ends with the file that an unbroken run gives."""
    monkeypatch.setenv("STIT_RUNS", str(done / "broken-runs"))
    output = done / "broken.mp4"
    for stop_at in (
        ("frames", 2),
        ("landmarks", 2),
        ("align", 3),
        ("invert", 2),
        ("tune", 3),
        ("masks", 2),
        ("stitch", 2),
        ("identify", 1),
        ("measure", 1),
        ("video", 3),
    ):
        with pytest.raises(Cancelled):
            edit_video(watched(stop_at=stop_at).pipeline, face_clip, output)
        assert not output.exists()
        assert not list(done.glob(".broken*")), "nothing half-written is left"
    last = watched()
    report = edit_video(last.pipeline, face_clip, output)
    assert set(report.cached) >= {*HEAVY, "stitch"}
    assert output.read_bytes() == (done / "out.mp4").read_bytes()


def test_a_damaged_result_is_made_again(done: Path, face_clip: Path, caplog: pytest.LogCaptureFixture) -> None:
    tensors = next((done / "runs").glob("*/tune-*/tensors.safetensors"))
    os.truncate(tensors, tensors.stat().st_size // 2)
    report = edit_video(watched().pipeline, face_clip, done / "b.mp4")
    assert "damaged" in caplog.text
    assert "tune" not in report.cached
    assert {"clip", "stitch"} <= set(report.cached)


def test_a_range_finds_what_was_made_before(done: Path, face_clip: Path) -> None:
    made = run_range(watched(settings(("smile", 0.0))).pipeline, face_clip, done / "r.mp4", "smile", [-1.0, 2.0])
    assert [report.output.name for report in made.reports] == ["r_smile_-1.00.mp4", "r_smile_+2.00.mp4"]
    assert "stitch" in made.reports[1].cached, "smile=2 was made before"
    factors = [json.loads(report.manifest.read_text())["edits"][0]["factor"] for report in made.reports]
    assert factors == [-1.0, 2.0]


@pytest.mark.usefixtures("done")
def test_an_edit_in_style_space_equals_the_one_in_w(face_clip: Path) -> None:
    watch, clip = open_done(face_clip)
    in_styles = watch.pipeline.with_config(watch.pipeline.config.with_changes({"edit": {"styles": True}}))
    net, styles = watch.pipeline.tuned_generator(clip), in_styles.edit(clip).styles
    with torch.inference_mode():
        a = to_picture(net.synthesis(watch.pipeline.edit(clip).w_plus[:1]))
        b = to_picture(net.synthesis_from_styles([layer[:1] for layer in styles]))
    assert np.abs(a.astype(int) - b).max() <= 1


def test_stitched_crops_are_shown_as_they_are_made(done: Path, face_clip: Path) -> None:
    watch = watched(settings(("age", 1.0)))
    edit_video(watch.pipeline, face_clip, done / "b.mp4")
    assert sorted({frame for stage, frame, _ in watch.shown if stage == "stitch"}) == list(range(6))
    assert {shape for stage, _, shape in watch.shown if stage == "stitch"} == {(64, 64, 3)}


@pytest.mark.usefixtures("done")
def test_the_figures_of_each_frame_are_kept(face_clip: Path) -> None:
    watch, clip = open_done(face_clip)
    found = watch.pipeline.measure(clip)
    assert watch.steps["measure"] == 1, "they are found, not made again"
    assert found.frame_indices == tuple(range(6))
    assert found.identity.shape == found.seam.shape == (6,)
    assert found.identity.mean() == pytest.approx(found.id_cosine)
    assert (found.seam > 0).all()
    assert watch.pipeline.clips.knows(face_clip)
    assert watch.pipeline.has(clip, "tune")
    other = watch.pipeline.with_config(settings(("smile", 1.0)))
    assert other.has(clip, "masks")
    assert not other.has(clip, "stitch")
    assert not other.with_config(settings(video={"end": 0.3})).clips.knows(face_clip)


def test_directions_are_looked_for_where_it_is_told(done: Path, face_clip: Path) -> None:
    shutil.copytree(os.environ["STIT_DIRECTIONS"], done / "own")
    (done / "own" / "tiny" / "smile.npy").rename(done / "own" / "tiny" / "mine.npy")
    whole = watched(settings(("mine", 1.0))).pipeline
    with pytest.raises(DirectionError, match="mine"):
        whole.directions()
    own = Pipeline(whole.models, whole.store, whole.config, whole.runtime, [done / "own"])
    assert list(own.with_config(whole.config).directions()) == ["mine"]
    with pytest.raises(DirectionError, match="smile"):
        own.with_config(settings(("smile", 1.0))).directions()
    assert own.open(face_clip).hash


def test_only_what_its_directions_move_does_so_in_an_edit(
    done: Path, direction_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(direction_root, done / "directions")
    monkeypatch.setenv("STIT_DIRECTIONS", str(done / "directions"))
    own = done / "directions" / "tiny"
    for name, moves in ("tan", "nothing"), ("nose", "features"), ("nod", "head"), ("stare", "features"):
        shutil.copyfile(own / "smile.npy", own / f"{name}.npy")
        parts = ["eyes"] if name == "stare" else []
        (own / f"{name}.json").write_text(json.dumps({"moves": moves, "parts": parts}))
    base = watched(settings(("tan", 1.0))).pipeline
    for names, changes in (
        (("tan",), {"motion": 0.0, "turning": 0.0}),
        (("nose",), {"turning": 0.0}),
        (("tan", "nose"), {"turning": 0.0}),
        (("tan", "nod"), {}),
        (("stare", "nod"), {"eye_growth": EYES_MEANT}),
    ):
        directions = tuple((name, 1.0) for name in names)
        pipeline = base.with_config(base.config.with_changes({"edit": {"directions": directions}}))
        assert pipeline.changing_settings() == dataclasses.replace(base.config.transfer, **changes), names


def test_two_seeds_share_all_but_the_fits(done: Path, face_clip: Path) -> None:
    watch = watched()
    pipeline = Pipeline(watch.pipeline.models, Store(), settings(), Runtime(seed=7))
    report = edit_video(pipeline, face_clip, done / "b.mp4")
    assert {"clip", "align", "invert", "masks", "identify"} == set(report.cached) - {"landmarks"}


def test_clips_do_not_mix(done: Path, face_clip: Path) -> None:
    other = write_clip(done / "other.mp4", frames=3, size=(200, 200))
    pipeline = watched().pipeline
    first, second = pipeline.open(face_clip), pipeline.open(other)
    assert first.hash != second.hash
    assert len(pipeline.align(second).frame_indices) == 3
    assert len(pipeline.align(first).frame_indices) == 6
    assert len(Store().list_runs()) == 2
