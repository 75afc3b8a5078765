"""Tests of the whole way of a clip, on the tiny pack: results, caching, resuming, previews, manifest, bad input."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from PIL import Image

from stit_core import checks, whole_run
from stit_core import pipeline as pipelines
from stit_core.artefacts import Clip
from stit_core.config import RunConfig, VideoConfig, preset
from stit_core.errors import ArtefactMismatchError, Cancelled, DirectionError, PackError, StoreError, VideoError
from stit_core.fitting import pivots
from stit_core.images import to_picture
from stit_core.media import ffmpeg, probing
from stit_core.models.generator import Generator
from stit_core.packs.loading import Models, find_pack
from stit_core.partial_video import write_part
from stit_core.pipeline import Pipeline
from stit_core.previews import preview_frame
from stit_core.ranges import run_range
from stit_core.report import manifest_path
from stit_core.runtime import CancelToken, Runtime
from stit_core.stages import editing
from stit_core.store.runs import Store
from stit_core.whole_run import edit_video, edit_warnings
from tests.support.drawn_face import write_clip

pytest_plugins = ["tests.support.fixtures_pack"]

HEAVY = ("clip", "landmarks", "align", "invert", "tune", "masks", "identify")
STAGES = tuple(stage for stage in whole_run.REPORTED if stage != "register")  # of stitching


class Watched(NamedTuple):
    """A pipeline and what its runtime reported."""

    pipeline: Pipeline
    steps: Counter[str]
    shown: list[tuple[str, int, tuple[int, ...]]]


def settings(*edits: tuple[str, float], **changes: dict[str, object]) -> RunConfig:
    config = preset("balanced", find_pack("tiny").schedules)
    return config.with_changes({"edit": {"directions": tuple(edits or (("smile", 2.0),))}, **changes})


def watched(
    config: RunConfig | None = None, token: CancelToken | None = None, stop_at: tuple[str, int] | None = None
) -> Watched:
    """A fresh pipeline on the tiny pack; `stop_at` = (stage, n) cancels at the n-th step of that stage."""
    token = token or CancelToken()
    steps: Counter[str] = Counter()
    shown: list[tuple[str, int, tuple[int, ...]]] = []

    def progress(stage: str, done: int, total: int) -> None:
        assert 0 <= done <= total
        steps[stage] += 1
        if stop_at and stage == stop_at[0] and steps[stage] >= stop_at[1]:
            token.set()

    runtime = Runtime(
        progress=progress,
        preview=lambda stage, frame, picture: shown.append((stage, frame, picture.shape)),
        cancel=token,
    )
    models = Models(find_pack("tiny"), torch.device("cpu"))
    return Watched(Pipeline(models, Store(), config or settings(), runtime), steps, shown)


@pytest.fixture(scope="module")
def done_runs(
    face_clip: Path, shared_pack_folder: Path, direction_root: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A runs folder in which the clip was edited once with smile=2, and the video beside it."""
    root = tmp_path_factory.mktemp("done")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STIT_RUNS", str(root / "runs"))
        patch.setenv("STIT_PACKS", str(shared_pack_folder.parent))
        patch.setenv("STIT_DIRECTIONS", str(direction_root))
        edit_video(watched().pipeline, face_clip, root / "out.mp4")
    return root


@pytest.fixture
def done(done_runs: Path, home: Path) -> Path:
    """A test's own copy of that folder, in use as the store."""
    shutil.copytree(done_runs, home, dirs_exist_ok=True)
    return home


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
        ({"landmarks": {"max_gap": 3}}, ("clip",)),
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


def open_done(face_clip: Path, *edits: tuple[str, float]) -> tuple[Watched, Clip]:
    watch = watched(settings(*edits))
    return watch, watch.pipeline.open(face_clip)


@pytest.mark.usefixtures("done")
def test_the_pivot_of_a_frame_is_drawn_once_for_all_factors(face_clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watch, clip = open_done(face_clip)
    drawn = []
    synthesis = Generator.synthesis
    monkeypatch.setattr(Generator, "synthesis", lambda self, w: drawn.append(1) or synthesis(self, w))
    first = watch.pipeline.pivot(clip, 1)
    other = watch.pipeline.with_config(settings(("age", 1.0))).pivot(clip, 1)
    assert np.array_equal(first, other)
    assert len(drawn) == 1
    assert not np.array_equal(watch.pipeline.pivot(clip, 4), first)
    with pytest.raises(ArtefactMismatchError, match="Frame 99"):
        watch.pipeline.pivot(clip, 99)
    assert np.array_equal(watch.pipeline.pivot(clip, 1), first)
    assert len(drawn) == 2
    monkeypatch.setattr(pivots, "PIVOT_MEMORY", first.nbytes)
    assert np.array_equal(watch.pipeline.pivot(clip, 2), watch.pipeline.pivot(clip, 2))
    assert len(drawn) == 4, "where there is no room, a picture is drawn again"


@pytest.mark.usefixtures("done")
def test_an_edit_in_style_space_equals_the_one_in_w(face_clip: Path) -> None:
    watch, clip = open_done(face_clip)
    in_styles = watch.pipeline.with_config(watch.pipeline.config.with_changes({"edit": {"styles": True}}))
    net, styles = watch.pipeline.tuned_generator(clip), in_styles.edit(clip).styles
    with torch.inference_mode():
        a = to_picture(net.synthesis(watch.pipeline.edit(clip).w_plus[:1]))
        b = to_picture(net.synthesis_from_styles([layer[:1] for layer in styles]))
    assert np.abs(a.astype(int) - b).max() <= 1


def test_a_style_space_edit_runs_through(done: Path, face_clip: Path) -> None:
    report = edit_video(
        watched(settings(edit={"directions": (("smile", 1.0),), "styles": True})).pipeline, face_clip, done / "s.mp4"
    )
    assert report.frames == 6


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
    assert watch.pipeline.knows(face_clip)
    assert watch.pipeline.has(clip, "tune")
    other = watch.pipeline.with_config(settings(("smile", 1.0)))
    assert other.has(clip, "masks")
    assert not other.has(clip, "stitch")
    assert not other.with_config(settings(video={"end": 0.3})).knows(face_clip)


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


def test_a_clip_that_lies_on_its_side_is_edited_as_it_lies(home: Path, ffmpeg_make: Callable[..., Path]) -> None:
    upright = write_clip(home / "upright.mp4", sound=True)
    lying = ffmpeg_make("lying.mp4", "-i", str(upright), "-vf", "transpose=clock", "-crf", "8", "-c:a", "copy")
    watch = watched()
    report = edit_video(watch.pipeline, lying, home / "o.mp4")
    assert report.faces == 6
    (told,) = report.warnings
    assert "quarter turn to the left" in told
    clip = watch.pipeline.open(lying)
    assert watch.pipeline.landmarks(clip).turn == 1
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
    hint = refused(StoreError, "1 MB free", settings(), face_clip, home / "o.mp4")
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
