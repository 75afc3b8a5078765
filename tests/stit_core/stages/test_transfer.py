"""The stage transfer on the tiny pack: what it writes, that it goes on after a stop, that a preview is the result."""

from __future__ import annotations

import dataclasses
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from stit_core.artefacts import Clip
from stit_core.change.drawn import Drawn
from stit_core.change.own_teeth import OwnTeeth
from stit_core.change.reading import OpenMouth
from stit_core.change.teeth import Teeth
from stit_core.config import RunConfig, preset
from stit_core.errors import ArtefactMismatchError, Cancelled, ConfigError
from stit_core.faces.labels import LIPS, MOUTH, SKIN
from stit_core.geometry import lay_patch, patch_bounds
from stit_core.packs.loading import Models, find_pack
from stit_core.pipeline import Pipeline
from stit_core.previews import preview_frame
from stit_core.runtime import CancelToken, Runtime
from stit_core.stages.masks import make_masks
from stit_core.stages.transfer import Once, Transfer, transfer
from stit_core.store.runs import Store
from stit_core.whole_run import edit_video

pytest_plugins = ["tests.support.fixtures_pack"]


def settings(*edits: tuple[str, float], **changes: dict[str, object]) -> RunConfig:
    config = preset("balanced", find_pack("tiny").schedules, "transfer")
    quick = {"tuning": {"passes": 1}, "edit": {"directions": tuple(edits or (("smile", 2.0),))}}
    return config.with_changes({**quick, **changes})


def pipeline_of(config: RunConfig, runtime: Runtime | None = None) -> Pipeline:
    return Pipeline(Models(find_pack("tiny"), torch.device("cpu")), Store(), config, runtime or Runtime())


def crops_of(pipeline: Pipeline, clip: Clip) -> list[np.ndarray]:
    return list(pipeline.stitch(clip).crops)


@pytest.mark.usefixtures("home")
def test_patches_lie_in_their_frames_and_change_the_face_only(face_clip: Path) -> None:
    pipeline = pipeline_of(settings())
    clip = pipeline.open(face_clip)
    crops, stitched = pipeline.align(clip), pipeline.stitch(clip)
    assert stitched.frame_indices == crops.frame_indices
    for position, frame in enumerate(crops.frame_indices):
        picture, quad = clip.frames.read(frame), crops.quads[position]
        left, top, right, bottom = patch_bounds(quad, clip.width, clip.height)
        patch = stitched.crops.read(frame)
        assert patch.shape == (bottom - top, right - left, 3)
        whole = preview_frame(pipeline, clip, frame, patch)
        outside = np.ones(picture.shape[:2], bool)
        outside[top:bottom, left:right] = False
        np.testing.assert_array_equal(whole[outside], picture[outside])
        assert not np.array_equal(whole, picture)


@pytest.mark.usefixtures("home")
def test_factor_nought_leaves_the_clip_as_it_is(face_clip: Path) -> None:
    pipeline = pipeline_of(settings(("smile", 0.0)))
    clip = pipeline.open(face_clip)
    for frame, patch in zip(clip.frames.indices, crops_of(pipeline, clip), strict=True):
        shown = preview_frame(pipeline, clip, frame, patch)
        assert np.abs(shown.astype(int) - clip.frames.read(frame)).max() <= 1


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("every", [1, 2])
def test_a_stopped_run_goes_on_to_the_same_bytes(face_clip: Path, every: int, tmp_path: Path) -> None:
    config = settings(transfer={"every": every})
    pipeline = pipeline_of(config)
    clip = pipeline.open(face_clip)
    expected = crops_of(pipeline, clip)
    masks, folder = pipeline.masks(clip), tmp_path / "again"
    folder.mkdir()
    token = CancelToken()

    def stop(_stage: str, done: int, _total: int) -> None:
        if done == 3:
            token.set()

    half = pipeline.with_config(config, Runtime(progress=stop, cancel=token))
    work = half.transfer_of(clip)
    with pytest.raises(Cancelled):
        transfer(work, masks, folder)
    assert len(list((folder / "crops").glob("*.png"))) == 3
    first = (folder / "crops" / "000000.png").stat().st_mtime_ns
    found = transfer(pipeline.transfer_of(clip), masks, folder)
    assert (folder / "crops" / "000000.png").stat().st_mtime_ns == first, "a finished frame was made twice"
    for a, b in zip(expected, found.crops, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.usefixtures("home")
def test_a_frame_by_itself_is_the_frame_of_the_run(face_clip: Path) -> None:
    pipeline = pipeline_of(settings(transfer={"every": 2}))
    clip = pipeline.open(face_clip)
    rows = crops_of(pipeline, clip)
    for position in (4, 0, 3):
        np.testing.assert_array_equal(pipeline.transfer_of(clip).patch(position), rows[position])


@pytest.mark.usefixtures("home")
def test_frames_do_not_depend_on_the_number_of_threads(face_clip: Path) -> None:
    pipeline = pipeline_of(settings(transfer={"every": 2}))
    clip = pipeline.open(face_clip)
    rows = crops_of(pipeline, clip)
    for threads in (1, 7):
        found = list(pipeline.transfer_of(clip).patches(range(len(rows)), threads))
        assert [position for position, _, _ in found] == list(range(len(rows)))
        for position, frame, patch in found:
            np.testing.assert_array_equal(frame, clip.frames.read(clip.frames.indices[position]))
            np.testing.assert_array_equal(patch, rows[position])


@pytest.mark.usefixtures("home")
def test_a_frame_that_fails_ends_the_run_at_once(face_clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = pipeline_of(settings())
    work = pipeline.transfer_of(pipeline.open(face_clip))

    def fails(position: int) -> object:
        raise MemoryError(f"no room at {position}")

    monkeypatch.setattr(work, "_read", fails)
    before = set(threading.enumerate())
    with pytest.raises(MemoryError, match="no room"):
        list(work.patches(range(5), 2))
    assert set(threading.enumerate()) <= before, "a thread of the run is left"


def test_once_makes_a_value_once_for_all_who_wait() -> None:
    values: Once[str, int] = Once()
    began, go = threading.Event(), threading.Event()

    def make() -> int:
        began.set()
        assert go.wait(10)
        return 5

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(values.get, "a", make)
        assert began.wait(10)
        second = pool.submit(values.get, "a", lambda: 6)
        go.set()
        assert (first.result(), second.result()) == (5, 5)
    values.drop(lambda key: key == "a")
    with pytest.raises(ZeroDivisionError):
        values.get("a", lambda: 1 // 0)
    assert values.get("a", lambda: 7) == 7, "a value that could not be made is tried again"


@pytest.mark.usefixtures("home")
def test_crops_that_were_parsed_are_not_parsed_again_for_their_masks(
    face_clip: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pipeline = pipeline_of(settings())
    clip = pipeline.open(face_clip)
    crops, parser = pipeline.align(clip), pipeline.models.parser
    parsed = make_masks(crops, pipeline.config.masks, parser, Runtime(), tmp_path)
    pipeline.register(clip)

    def parse_again(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr("stit_core.stages.masks.foreground", parse_again)
    found = pipeline.masks(clip)
    for frame in crops.frame_indices:
        np.testing.assert_array_equal(found.pictures.read(frame), parsed.pictures.read(frame))


@pytest.mark.usefixtures("home")
def test_another_factor_finds_all_but_the_transfer(face_clip: Path) -> None:
    pipeline = pipeline_of(settings())
    clip = pipeline.open(face_clip)
    pipeline.measure(clip)
    other = pipeline_of(settings(("smile", -2.0)))
    clip = other.open(face_clip)
    other.measure(clip)
    assert {"tune", "register", "masks", "identify"} <= other.results.found
    assert "stitch" not in other.results.found


@pytest.mark.usefixtures("home")
def test_the_teeth_of_which_one_frame_shows_most_serve_all(face_clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = pipeline_of(settings())
    work = pipeline.transfer_of(pipeline.open(face_clip))
    work.config, work.classes = dataclasses.replace(work.config, anatomy=True), (*work.classes, MOUTH)
    labels = [work.registration.source_labels(frame).copy() for frame in work.alignment.frame_indices]
    for shut in labels:
        shut[shut == MOUTH] = LIPS[0]
    middle = len(labels[0]) // 2
    labels[2][middle:, middle - 20 : middle + 20], labels[4][middle:, middle - 20 : middle + 20] = MOUTH, MOUTH
    known = dict(zip(work.alignment.frame_indices, labels, strict=True))
    monkeypatch.setattr(type(work.registration), "source_labels", lambda _, frame: known[frame])
    tried = []

    def cut(frame: np.ndarray, to_crop: object, source: Drawn, light: np.ndarray) -> OwnTeeth | None:
        del to_crop
        tried.append(next(p for p in range(len(labels)) if np.array_equal(frame, work.clip.frames.read(p))))
        assert source.picture.shape[0] == work.size
        assert light.shape == (3,)
        nothing = np.zeros((1, 1), np.float32)
        return OwnTeeth(Teeth(nothing, nothing[..., None]), 0.0, 0.0, 0.0, 10.0 * tried[-1])

    monkeypatch.setattr("stit_core.stages.transfer.cut_teeth", cut)
    trial = work.under(work.edit, work.classes, work.config, None)
    for same in (work, trial, work):
        teeth = same._own_teeth()
        assert teeth is not None
        assert teeth.seen == 40
    assert tried == [2, 4], "shut mouths show none, and nobody looks twice"
    assert work.under(work.edit, [SKIN], work.config, None)._own_teeth() is None


@pytest.mark.usefixtures("home")
def test_an_open_mouth_is_drawn_in_all_of_the_frames_in_which_it_is_open_or_in_none(
    face_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = pipeline_of(settings())
    work = pipeline.transfer_of(pipeline.open(face_clip))
    work.config, work.classes = dataclasses.replace(work.config, anatomy=True), (*work.classes, MOUTH)
    count = len(work.alignment.frame_indices)
    opened = [0, 1, 3]  # shut for a blink only, and for good from the fourth frame on
    labels = {}
    for position, frame in enumerate(work.alignment.frame_indices):
        known = work.registration.source_labels(frame).copy()
        known[np.isin(known, (MOUTH, *LIPS))] = LIPS[0]
        middle = len(known) // 2
        if position in opened:
            known[middle:, middle - 20 : middle + 20] = MOUTH
        labels[frame] = known
    monkeypatch.setattr(type(work.registration), "source_labels", lambda _, frame: labels[frame])
    asked = []

    def judge(source: Drawn, *_: object) -> OpenMouth:
        asked.append(source)
        return OpenMouth(0.25, 0.75)

    monkeypatch.setattr("stit_core.stages.transfer.judge_open_mouth", judge)
    monkeypatch.setattr("stit_core.stages.transfer.JUDGED", 2)
    said = [work._open_mouth(position) for position in range(count)]
    assert said[:4] == [OpenMouth(0.25, 0.75)] * 4
    assert said[4:] == [None] * (count - 4)
    assert len(asked) == 3, "one in so many frames, and none of them twice"
    trial = work.under(work.edit, work.classes, work.config, None)
    assert trial._open_mouth(1) == OpenMouth(0.25, 0.75)
    assert len(asked) == 6, "another edit may do something else"
    assert work.under(work.edit, [SKIN], work.config, None)._open_mouth(1) is None


@pytest.mark.usefixtures("home")
def test_a_frame_whose_mouth_is_judged_is_drawn_once(face_clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = pipeline_of(settings())
    work = pipeline.transfer_of(pipeline.open(face_clip))
    work.config, work.classes = dataclasses.replace(work.config, anatomy=True), (*work.classes, MOUTH)
    monkeypatch.setattr(work, "_stretches", lambda: [(0, len(work.alignment.frame_indices))])
    drawn, draw = [], work._draw

    def counted(position: int) -> Drawn:
        drawn.append(position)
        return draw(position)

    monkeypatch.setattr(work, "_draw", counted)
    assert work._open_mouth(0) is not None
    judged = tuple(drawn)
    assert judged
    for position in judged:
        work._change(position)
    assert tuple(drawn) == judged


@pytest.mark.usefixtures("home")
def test_parts_of_other_frames_are_refused(face_clip: Path) -> None:
    pipeline = pipeline_of(settings())
    clip = pipeline.open(face_clip)
    work = pipeline.transfer_of(clip)
    fewer = dataclasses.replace(work.edit, frame_indices=work.edit.frame_indices[1:])
    with pytest.raises(ArtefactMismatchError):
        Transfer(
            clip,
            work.alignment,
            fewer,
            work.registration,
            work.generator,
            work.parser,
            work.classes,
            work.config,
            work.runtime,
        )
    with pytest.raises(ValueError, match="does not fit"):
        lay_patch(clip.frames.read(0), np.zeros((3, 3, 3), np.uint8), work.alignment.quads[0])


@pytest.mark.usefixtures("home")
def test_the_whole_run_writes_video_and_manifest(face_clip: Path, tmp_path: Path) -> None:
    report = edit_video(pipeline_of(settings()), face_clip, tmp_path / "out.mp4")
    assert report.frames == 6
    assert "register" in report.seconds
    assert '"method": "transfer"' in report.manifest.read_text()


def test_paper_always_stitches_and_a_pack_names_its_usual_method() -> None:
    own = {
        "method": "transfer",
        "balanced": {"tuning": {"passes": 7}},
        "transfer": {"balanced": {"tuning": {"passes": 3}}},
    }
    assert preset("paper", own).method == "stitch"
    assert (preset("balanced", own).method, preset("balanced", own).tuning.passes) == ("transfer", 3)
    assert (preset("balanced", own, "stitch").method, preset("balanced", own, "stitch").tuning.passes) == ("stitch", 7)
    assert preset("balanced").method == preset("balanced", {}).method == "stitch"
    with pytest.raises(ConfigError, match="stitches"):
        preset("paper", own, "transfer")
    with pytest.raises(ConfigError, match="no method 'paint'"):
        preset("balanced", own, "paint")
    with pytest.raises(ConfigError, match="may not change"):
        preset("balanced", {"transfer": {"paper": {}}})
