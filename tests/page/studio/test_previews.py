"""Pictures of a run that are shown beside its jobs: crops, faces, smoothing, fits, key frames of an edit."""

from __future__ import annotations

import threading
from pathlib import Path

import cv2
import numpy as np
import pytest

from page.studio.edit_previews import TransferredFrames
from page.studio.studio import Studio
from stit_core.errors import ConfigError, DirectionError, StitError
from stit_core.faces.reading import draw_faces
from stit_core.geometry import patch_bounds
from stit_core.pasting import Pasting
from stit_core.previews import preview_frame
from stit_core.stages.layering import face_outline
from tests.support.drawn_face import write_clip
from tests.support.page_cases import PATIENCE, SMILE, begin, ended, finish, make_studio, stop_at

pytest_plugins = ["tests.support.fixtures_pack", "tests.support.fixtures_studio"]


# --- Align and its previews ---------------------------------------------------------------------------------------


def test_before_the_alignment_previews_say_what_to_do(studio: Studio, face_clip: Path) -> None:
    run = begin(studio, face_clip)
    for call in (studio.previews.crops, studio.previews.faces, lambda i: studio.previews.edit(i, SMILE)):
        with pytest.raises(StitError, match="Align"):
            call(run.id)
    assert studio.previews.fit(run.id) is None
    assert not (studio.folders.private(run.id) / "frames").exists()
    assert (studio.state(run.id).aligned, studio.state(run.id).tuned) == (False, False)


def test_crops_are_spread_over_the_clip(studio: Studio, aligned: str) -> None:
    crops = studio.previews.crops(aligned, count=3, size=32)
    assert [caption for _, caption in crops] == ["0.0 s", "0.2 s", "0.5 s"]
    assert {picture.shape for picture, _ in crops} == {(32, 32, 3)}
    state = studio.state(aligned)
    assert (state.aligned, state.tuned) == (True, False)


def test_other_smoothing_is_shown_without_doing_the_stage_again(studio: Studio, aligned: str) -> None:
    rough, smooth = (
        studio.previews.smoothing(aligned, 0.0, 0.0, 1.0),
        studio.previews.smoothing(aligned, 4.0, 4.0, 1.0, count=2),
    )
    assert len(rough.crops) == 6
    assert np.array_equal(rough.before, rough.after)
    assert smooth.before.shape == smooth.after.shape == smooth.frames.shape == (6,)
    assert smooth.mean_after < smooth.mean_before
    wide = studio.previews.smoothing(aligned, 4.0, 4.0, 1.4, count=2)
    assert not np.array_equal(wide.crops[0][0], smooth.crops[0][0])
    assert len(list(studio.folders.private(aligned).glob("*/align-*"))) == 1, "nothing was stored"


def test_a_previewed_crop_is_nearly_the_crop(studio: Studio, aligned: str) -> None:
    state = studio.state(aligned)
    shown = studio.previews.smoothing(aligned, state.center_sigma, state.xy_sigma, state.scale, count=2, size=64).crops
    stored = studio.previews.crops(aligned, count=2, size=64)
    for (a, _), (b, _) in zip(shown, stored, strict=True):
        assert np.abs(a.astype(int) - b).mean() < 3


def test_several_faces_can_be_picked_from(studio: Studio, two_faces: Path) -> None:
    run = begin(studio, two_faces)
    finish(studio, run.id, "align")
    faces = studio.previews.faces(run.id)
    assert [face.chosen for face in faces] == [True, False]
    assert [face.face for face in faces] == [0, 1]
    assert all(face.share == 1.0 for face in faces)
    other = faces[1]
    before = studio.previews.crops(run.id, count=1)[0][0]
    studio.change(run.id, face=None, point=other.point, point_frame=other.point_frame)
    assert not studio.state(run.id).aligned
    finish(studio, run.id, "align")
    assert [face.chosen for face in studio.previews.faces(run.id)] == [False, True]
    assert not np.array_equal(studio.previews.crops(run.id, count=1)[0][0], before)


@pytest.fixture
def two_faces(tmp_path: Path) -> Path:
    """A clip of a large and a smaller face side by side."""
    return write_clip(tmp_path / "two.mp4", frames=4, size=(480, 200), others=((0.8, 0.5, 0.2),))


# --- Edit previews ------------------------------------------------------------------------------------------------


def test_an_edit_is_shown_before_the_tuning(studio: Studio, aligned: str) -> None:
    preview, other = studio.previews.edit(aligned, SMILE), studio.previews.edit(aligned, (("smile", -2.0),))
    assert preview is not None
    assert other is not None
    assert preview.draft
    assert len(preview.pictures) == 2
    for a, b in zip(preview.pictures, other.pictures, strict=True):
        assert a.before.shape == a.after.shape
        assert np.array_equal(a.before, b.before)
        assert not np.array_equal(a.after, b.after)
    assert not studio.state(aligned).tuned


def test_without_a_factor_the_preview_is_the_source(studio: Studio, aligned: str) -> None:
    preview = studio.previews.edit(aligned, (("smile", 0.0),), count=1)
    assert preview is not None
    (key,) = preview.pictures
    assert np.abs(key.before.astype(int) - key.after).mean() < 2, "the detail that the generator lacks was not added"


def test_a_newer_preview_ends_the_older_one(studio: Studio, aligned: str, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = studio.previews.opened(aligned)
    frames = opened._frames()
    whole = frames.show

    def overtaken(*values: object) -> list:
        opened._ticket += 1  # as a newer request does, while this one is at work
        return whole(*values)

    monkeypatch.setattr(frames, "show", overtaken)
    assert studio.previews.edit(aligned, SMILE) is None


def test_an_unknown_direction_is_told(studio: Studio, aligned: str) -> None:
    with pytest.raises(DirectionError, match="smiel"):
        studio.previews.edit(aligned, (("smiel", 1.0),))


def test_after_the_tuning_previews_come_from_the_tuned_generator(studio: Studio, edited: str) -> None:
    preview = studio.previews.edit(edited, SMILE)
    assert preview is not None
    assert not preview.draft
    fit = studio.previews.fit(edited)
    assert fit is not None
    assert fit.tuned is not None
    assert not np.array_equal(fit.tuned, fit.pivot)


@pytest.fixture
def close_faces(tmp_path: Path) -> Path:
    """A clip of two faces whose crops overlap."""
    return write_clip(tmp_path / "close.mp4", frames=4, size=(200, 200), others=((0.75, 0.5, 0.22),))


@pytest.fixture
def whole_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have previews show all of a frame."""
    monkeypatch.setattr("page.studio.edit_previews.REGION_SIDE", 10_000)
    monkeypatch.setattr("page.studio.crops.REGION", 100.0)


@pytest.mark.usefixtures("whole_frames")
def test_the_preview_of_a_stitching_is_pasted_and_marked_as_its_finished_frame(
    studio: Studio, close_faces: Path
) -> None:
    run = begin(studio, close_faces, method="stitch", edits=SMILE, mark=True)
    assert finish(studio, run.id, "tune").state == "done"
    preview = studio.previews.edit(run.id, SMILE)
    assert preview is not None
    opened = studio.previews.opened(run.id)
    pipeline, clip = opened.pipeline.with_config(studio.config(studio.runs.get(run.id))), opened.clip
    pasting = Pasting(pipeline, clip)
    assert pasting.scene.neighbours(*pasting.pipelines, preview.pictures[0].frame)
    edited = pipeline.edit(clip)
    for key in preview.pictures:
        row = edited.frame_indices.index(key.frame)
        face = draw_faces(pipeline.tuned_generator(clip), edited.w_plus[row : row + 1], pipeline.runtime)[0]
        assert np.array_equal(key.after, preview_frame(pipeline, clip, key.frame, face))
        assert not np.array_equal(key.after, key.before)


@pytest.mark.usefixtures("whole_frames")
@pytest.mark.parametrize("method", ["stitch", "transfer"])
def test_before_the_tuning_nobody_elses_face_changes_and_nothing_is_stored(
    studio: Studio, close_faces: Path, method: str
) -> None:
    run = begin(studio, close_faces, method=method)
    assert finish(studio, run.id, "align").state == "done"
    opened = studio.previews.opened(run.id)
    preview = studio.previews.edit(run.id, (("smile", 4.0),))
    assert preview is not None
    pasting = Pasting(opened.pipeline, opened.clip)
    (shown,) = pasting.pipelines
    for key in preview.pictures:
        (other,) = pasting.scene.neighbours(shown, key.frame)
        theirs = np.zeros(key.before.shape[:2], np.uint8)
        cv2.fillConvexPoly(theirs, np.rint(face_outline(pasting.scene.places[other].at(key.frame)[0])).astype(int), 1)
        inner = cv2.erode(theirs, np.ones((9, 9))) > 0
        left, top, right, bottom = patch_bounds(opened.align().quad(key.frame), 200, 200)
        assert inner[top:bottom, left:right].any(), "the edit would reach the other's face"
        assert np.array_equal(key.after[inner], key.before[inner])
        assert not np.array_equal(key.after, key.before)
    assert not list(studio.folders.private(run.id).glob("*/masks-*"))


def test_a_frame_before_the_tuning_is_registered_by_itself_whatever_was_shown_before(
    studio: Studio, face_clip: Path
) -> None:
    run = begin(studio, face_clip, edits=SMILE, method="transfer")
    assert finish(studio, run.id, "align").state == "done"
    opened = studio.previews.opened(run.id)
    frames = opened.align().frame_indices
    first, last = frames[0], frames[-1]
    work = TransferredFrames(opened.pipeline, opened.clip)
    registered = [work._untuned(opened.pipeline, frame).registration for frame in (first, last)]
    alone = TransferredFrames(opened.pipeline, opened.clip)._untuned(opened.pipeline, last).registration
    np.testing.assert_array_equal(registered[1].points, alone.points)
    assert not np.array_equal(registered[0].points, registered[1].points), "they are different frames"


def test_a_tuning_is_shown_under_its_own_settings_only(studio: Studio, two_faces: Path) -> None:
    run = begin(studio, two_faces)
    finish(studio, run.id, "align")
    other = studio.previews.faces(run.id)[1]
    assert finish(studio, run.id, "tune").state == "done"
    fit, tuning = studio.previews.fit(run.id), studio.tuning(run.id)
    assert fit is not None
    assert fit.tuned is not None
    assert tuning is not None
    assert tuning.history
    studio.change(run.id, preset="balanced")
    changed = studio.previews.fit(run.id)
    assert changed is not None
    assert (changed.tuned, len(changed.history), studio.tuning(run.id)) == (None, 0, None)
    studio.change(run.id, preset="draft")
    assert studio.tuning(run.id) is not None
    studio.change(run.id, point=other.point, point_frame=other.point_frame)
    assert studio.tuning(run.id) is None
    finish(studio, run.id, "align")
    assert studio.previews.fit(run.id).tuned is None
    studio.start(run.id, "tune")
    assert studio.tuning(run.id) is not None
    ended(studio, run.id)
    studio.change(run.id, point=None, point_frame=None)
    assert studio.previews.fit(run.id).tuned is not None, "it is found again"


def test_after_a_restart_a_tuning_is_told_under_its_own_settings_only(
    studio: Studio, face_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = begin(studio, face_clip, preset="balanced")
    stop_at(studio, monkeypatch, run.id, "tune", 3)
    assert finish(studio, run.id, "tune").state == "stopped"
    again = make_studio(studio.settings.root)
    tuning = again.tuning(run.id)
    assert tuning is not None
    assert (tuning.state, len(tuning.history)) == ("stopped", 1)
    again.change(run.id, preset="draft")
    assert again.tuning(run.id) is None


def test_choices_that_come_with_a_job_are_kept_only_if_it_begins(studio: Studio, aligned: str) -> None:
    gate, before = threading.Event(), studio.state(aligned)
    studio.jobs.submit(aligned, "tune", lambda job: gate.wait(PATIENCE), {})  # noqa: ARG005
    try:
        with pytest.raises(StitError, match="at work"):
            studio.start(aligned, "align", point=(1.0, 2.0), point_frame=0, scale=1.2)
    finally:
        gate.set()
        ended(studio, aligned)
    after = studio.state(aligned)
    assert (after.point, after.scale, after.aligned) == (before.point, before.scale, True)
    with pytest.raises(ConfigError, match="scale"):
        studio.start(aligned, "align", scale=9.0)
    studio.start(aligned, "align", scale=1.2)
    ended(studio, aligned)
    assert studio.state(aligned).scale == 1.2
    studio.change(aligned, scale=before.scale)
