"""The page's backend as a whole, on the tiny pack: clips, jobs, previews, results, other visitors."""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from page.studio.direction_roots import own_root
from page.studio.errors import NO_ROOM, for_visitors
from page.studio.folders import new_id
from page.studio.runs import Output
from page.studio.studio import ConsentError, Studio
from stit_core.__main__ import main
from stit_core.config import VideoConfig
from stit_core.directions.library import Card, save_direction
from stit_core.errors import ConfigError, DamagedError, DirectionError, NoRoomError, StitError, VideoError
from stit_core.media import probing
from stit_core.media.video import open_clip
from stit_core.previews import preview_frame
from stit_core.runtime import CancelToken, Runtime
from tests.support.drawn_face import write_clip
from tests.support.page_cases import PATIENCE, begin, ended, finish, make_studio, stop_at, upload, wait_for
from tests.support.tiny_pack import make_direction

pytest_plugins = ["tests.support.fixtures_pack"]

SMILE = (("smile", 2.0),)


@pytest.fixture(scope="module")
def surroundings(
    shared_pack_folder: Path, direction_root: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    root = tmp_path_factory.mktemp("page")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STIT_RUNS", str(root / "runs"))
        patch.setenv("STIT_PACKS", str(shared_pack_folder.parent))
        patch.setenv("STIT_DIRECTIONS", str(direction_root))
        yield root


@pytest.fixture(scope="module")
def studio(surroundings: Path, face_clip: Path) -> Studio:
    return make_studio(surroundings / "page", {"drawn face": face_clip})


@pytest.fixture(scope="module")
def aligned(studio: Studio, face_clip: Path) -> str:
    """A run in which the face was found."""
    run_id = begin(studio, face_clip).id
    assert finish(studio, run_id, "align").state == "done"
    return run_id


@pytest.fixture(scope="module")
def edited(studio: Studio, face_clip: Path) -> str:
    """A run with a finished video."""
    run_id = begin(studio, face_clip, edits=SMILE).id
    status = finish(studio, run_id, "edit")
    assert status.state == "done", status
    return run_id


# --- The clip -----------------------------------------------------------------------------------------------------


def test_a_clip_becomes_the_runs_own(studio: Studio, face_clip: Path) -> None:
    run = studio.arrive()
    brought = upload(studio, face_clip, "<i>my clip.mp4")
    state = studio.set_clip(run.id, brought)
    brought.unlink()
    assert state.clip is not None
    assert Path(state.clip).read_bytes() == face_clip.read_bytes()
    assert Path(state.clip).is_relative_to(studio.settings.served)
    assert "<" not in state.clip
    assert run.id not in state.clip, "a link to the clip would give the run away"
    again = studio.set_clip(run.id, upload(studio, face_clip, "other.mp4"))
    assert not Path(state.clip).exists(), "the clip before is kept for nobody"
    assert (again.clip_name, again.start) == ("other.mp4", None)


def test_only_uploads_are_taken(studio: Studio, face_clip: Path) -> None:
    run = studio.arrive()
    link = studio.settings.served / new_id() / "link.mp4"
    link.parent.mkdir(parents=True)
    link.symlink_to(face_clip)
    for path in (face_clip, link, Path("/etc/passwd"), studio.settings.served / ".." / "visitors"):
        with pytest.raises(StitError, match="not there any more"):
            studio.set_clip(run.id, path)
    assert studio.state(run.id).clip is None


def test_what_is_no_video_or_too_large_is_told_before_it_is_taken(surroundings: Path, face_clip: Path) -> None:
    small = make_studio(surroundings / "small", max_mb=0.01)
    run = small.arrive()
    with pytest.raises(VideoError, match=r"the limit is 0\.01 MB"):
        small.set_clip(run.id, upload(small, face_clip))
    tight = make_studio(surroundings / "small", max_megapixels=0.01)
    with pytest.raises(VideoError, match=r"0\.0 megapixels"):
        tight.set_clip(run.id, upload(tight, face_clip))
    text = upload(small, face_clip, "text.mp4")
    text.write_text("no video")
    with pytest.raises(VideoError, match="not a video"):
        small.set_clip(run.id, text)
    assert small.state(run.id).clip is None


def test_a_sample_is_a_clip(studio: Studio, face_clip: Path) -> None:
    run = studio.arrive()
    state = studio.set_sample(run.id, "drawn face")
    assert (state.sample, state.upload) == ("drawn face", None)
    assert Path(str(state.clip)).read_bytes() == face_clip.read_bytes()
    assert studio.clips.poster("drawn face").shape == (200, 240, 3)
    for unknown in ("../../etc/passwd", "other"):
        with pytest.raises(StitError, match="no such sample"):
            studio.set_sample(run.id, unknown)


def test_the_trim_is_judged_from_one_look(studio: Studio, face_clip: Path) -> None:
    run = begin(studio, face_clip)
    found = studio.clips.preflight(run.id)
    assert studio.clips.preflight(run.id) is found, "it is looked at once"
    facts = studio.clips.trim_facts(run.id, 0.0, 0.3)
    assert facts.frames == 3
    assert facts.face_share == 1.0
    assert not facts.too_long
    assert facts.estimates is None, "the machine was not timed yet"
    studio.networks.estimator.measure()
    estimates = studio.clips.trim_facts(run.id, None, None).estimates
    assert estimates is not None
    assert 0 < estimates["draft"] < estimates["paper"]
    assert studio.clips.frame_at(run.id, 0.2, height=100).shape == (100, 120, 3)


def test_a_clip_that_is_deleted_while_it_is_looked_into(studio: Studio, tmp_path: Path) -> None:
    """As when its run is deleted in another tab: what was seen is told, and after that words."""
    own = write_clip(tmp_path / "own.mp4", frames=5)
    run = begin(studio, own)
    clip = Path(str(studio.state(run.id).clip))
    found = studio.clips.preflight(run.id, progress=lambda *_: clip.unlink(missing_ok=True))
    assert (found.seconds, found.megabytes) == (pytest.approx(0.5), own.stat().st_size / 1e6)
    for ask in (
        lambda: studio.clips.preflight(run.id),
        lambda: studio.clips.trim_facts(run.id, None, None),
        lambda: studio.clips.look_into(clip),  # it went after the run was asked for it
        lambda: studio.clips.probe(clip, VideoConfig()),
    ):
        with pytest.raises(StitError, match=r"There is no clip yet|This clip is not there any more") as told:
            ask()
        assert str(clip.parent) not in str(told.value)
    studio.delete(run.id)


def test_a_newer_look_ends_the_older_one(studio: Studio, face_clip: Path) -> None:
    run = begin(studio, face_clip)
    older, same = CancelToken(), CancelToken()
    studio.clips._looking[run.id] = Path("another clip.mp4"), older
    studio.clips.preflight(run.id)
    assert older.is_set()
    assert run.id not in studio.clips._looking
    studio.clips._looking[run.id] = Path(str(run.clip)), same
    studio.clips.preflight(run.id)
    assert not same.is_set(), "whoever looks into the same clip waits for it still"


# --- Choices ------------------------------------------------------------------------------------------------------


def test_choices_that_cannot_be_are_refused(studio: Studio, face_clip: Path) -> None:
    run = begin(studio, face_clip)
    for wrong, told in (
        ({"preset": "fast"}, "no preset"),
        ({"scale": 9.0}, "scale"),
        ({"start": 3.0, "end": 2.0}, "not after"),
        ({"advanced": {"tuning": {"speed": 1}}}, "no setting 'speed'"),
        ({"edits": [("smile", 1), ("smile", 2)]}, "twice"),
        ({"outputs": ()}, "no choice 'outputs'"),
        ({"id": new_id()}, "no choice 'id'"),
    ):
        with pytest.raises(ConfigError, match=told):
            studio.change(run.id, **wrong)
    assert studio.state(run.id).preset == "draft"


def test_limits_cannot_be_lifted_under_advanced(studio: Studio, face_clip: Path) -> None:
    run = begin(studio, face_clip, advanced={"video": {"max_seconds": 9999.0, "crf": 20}})
    config = studio.config(studio.state(run.id))
    assert config.video.max_seconds == studio.settings.max_seconds
    assert config.video.crf == 20


def test_an_edit_that_cannot_be_made_is_told_before_it_waits(studio: Studio, face_clip: Path) -> None:
    run = begin(studio, face_clip, edits=(("smile", 0.0),))
    with pytest.raises(ConfigError, match="Nothing to change"):
        studio.start(run.id, "edit")
    studio.change(run.id, edits=(("smiel", 1.0),))
    with pytest.raises(DirectionError, match="smiel"):
        studio.start(run.id, "edit")
    empty = studio.arrive()
    with pytest.raises(StitError, match="no clip"):
        studio.start(empty.id, "align")
    assert studio.status(run.id) is None


def test_a_trim_that_is_too_long_is_told_before_it_waits(surroundings: Path, face_clip: Path) -> None:
    short = make_studio(surroundings / "short", max_seconds=0.1, max_frames=2)
    run = begin(short, face_clip)
    assert short.clips.trim_facts(run.id, None, None).too_long
    with pytest.raises(VideoError, match="too long"):
        short.start(run.id, "align")


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


# --- JobQueue ---------------------------------------------------------------------------------------------------------


def test_a_video_is_made_with_all_that_the_page_shows(studio: Studio, edited: str) -> None:
    state = studio.state(edited)
    (output,) = state.outputs
    assert state.last is not None
    assert state.last.output == dataclasses.replace(output, feed_id=state.last.output.feed_id)
    assert (output.partial, output.frames, output.of, output.edits) == (False, 6, 6, SMILE)
    facts = probing.probe(Path(output.video), VideoConfig())
    assert (facts.width, facts.height, facts.frames, facts.audio) == (240, 200, 6, "aac")
    assert json.loads(Path(str(output.manifest)).read_text())["edits"][0]["direction"] == "smile"
    assert set(output.measures or {}) == {"psnr", "lpips", "border_loss", "id_cosine", "tl_id", "tg_id"}
    assert (state.last.frames_made, state.last.frames, state.last.share) == (6, 6, 1.0)
    assert len(state.last.history) == 1, "the draft of the tiny pack tunes for one pass"
    assert state.tuned


def test_the_player_gets_every_frame_with_its_figures(studio: Studio, edited: str) -> None:
    feed = studio.feeds.get(str(studio.state(edited).outputs[0].feed_id))
    assert feed is not None
    told = feed.state("", 0)
    assert told["phase"] == "finished"
    assert set(told["frames"]) == set(range(6))
    last = {frame: position for position, frame in enumerate(told["frames"])}
    assert all(told["seam"][position] > 0 for position in last.values())
    assert all(-1 <= told["identity"][position] <= 1 for position in last.values())
    assert all(before and after for _, before, after in feed.pictures(list(range(6))))


def test_the_page_gives_the_same_as_the_command_line(
    studio: Studio, edited: str, face_clip: Path, surroundings: Path
) -> None:
    output = surroundings / "line.mp4"
    arguments = ["edit", str(face_clip), "-d", "smile=2", "--preset", "draft", "--pack", "tiny", "-o", str(output)]
    assert main([*arguments, "--device", "cpu"]) == 0
    ours = sorted(studio.folders.private(edited).glob("*/stitch-*/crops/*.png"))
    theirs = sorted((surroundings / "runs").glob("*/stitch-*/crops/*.png"))
    assert len(ours) == len(theirs) == 6
    assert [path.read_bytes() for path in ours] == [path.read_bytes() for path in theirs]
    assert Path(studio.state(edited).outputs[0].video).read_bytes() == output.read_bytes()


def test_another_factor_makes_only_what_it_must(studio: Studio, edited: str) -> None:
    studio.change(edited, edits=(("smile", -1.0),))
    try:
        finish(studio, edited, "edit")
        newest, older = studio.state(edited).outputs[:2]
        assert (newest.edits, older.edits) == ((("smile", -1.0),), SMILE)
        made = json.loads(Path(str(newest.manifest)).read_text())["result"]
        assert {"landmarks", "align", "invert", "tune", "masks"} <= set(made["cached"])
    finally:
        studio.change(edited, edits=SMILE)
        studio.runs.update(edited, lambda state: dataclasses.replace(state, outputs=state.outputs[1:]))


def test_the_mark_is_seen_and_nothing_is_stitched_again(studio: Studio, edited: str, tmp_path: Path) -> None:
    plain = studio.state(edited).outputs[0]
    shutil.copyfile(plain.video, tmp_path / "plain.mp4")
    studio.change(edited, mark=True)
    try:
        finish(studio, edited, "edit")
        marked = studio.state(edited).outputs[0]
        assert "stitch" in json.loads(Path(str(marked.manifest)).read_text())["result"]["cached"]
        before, after = (studio.clips.still(Path(o.video), 0.3, 200).astype(int) for o in (plain, marked))
        difference = np.abs(before - after).max(axis=2)
        assert difference[185:, 150:].max() > 60
        assert difference[:150, :100].max() < 20
    finally:
        studio.change(edited, mark=False)
        studio.runs.update(edited, lambda state: dataclasses.replace(state, outputs=state.outputs[1:]))


def test_a_stop_in_the_tuning_is_gone_on_from(studio: Studio, face_clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = begin(studio, face_clip, preset="balanced")
    stop_at(studio, monkeypatch, run.id, "tune", 3)
    assert finish(studio, run.id, "tune").state == "stopped"
    assert not studio.state(run.id).tuned
    assert studio.state(run.id).last.state == "stopped"
    monkeypatch.undo()
    again = finish(studio, run.id, "tune")
    assert again.state == "done"
    assert len(again.history) == 2, "the pass before the stop is told too"
    assert studio.state(run.id).tuned


def test_a_stop_in_the_stitching_leaves_a_video(
    studio: Studio, face_clip: Path, monkeypatch: pytest.MonkeyPatch, edited: str, tmp_path: Path
) -> None:
    run = begin(studio, face_clip, edits=SMILE)
    with monkeypatch.context() as patch:
        stop_at(studio, patch, run.id, "stitch", 8)
        status = finish(studio, run.id, "edit")
    assert status.state == "stopped"
    output = status.output
    assert isinstance(output, Output)
    assert output.partial
    assert 0 < output.frames < output.of == 6
    part = open_clip(Path(output.video), VideoConfig(), Runtime(), tmp_path / "frames")
    assert (len(part.frames), part.audio) == (output.frames, "aac")
    seconds = probing.probe(Path(output.video), VideoConfig()).seconds
    assert seconds == pytest.approx(output.frames / 10, abs=0.08), "the sound ends with the pictures"
    assert not list(Path(output.video).parent.glob(".*")), "nothing half-written is left"
    whole = Path(studio.state(edited).outputs[-1].video)
    for frame in range(output.frames):
        a, b = (studio.clips.still(path, frame / 10 + 0.05, 200).astype(int) for path in (Path(output.video), whole))
        assert np.abs(a - b).mean() < 2, "it shows the edited frames"
    assert finish(studio, run.id, "edit").state == "done"
    assert [made.partial for made in studio.state(run.id).outputs] == [False, True]


def test_a_stop_before_the_first_stitched_frame_leaves_none(
    studio: Studio, face_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = begin(studio, face_clip, edits=(("age", 1.0),))
    stop_at(studio, monkeypatch, run.id, "stitch", 1)
    status = finish(studio, run.id, "edit")
    assert (status.state, status.output) == ("stopped", None)
    assert studio.state(run.id).outputs == ()


def test_a_clip_without_a_face_fails_in_words(studio: Studio, tmp_path: Path) -> None:
    run = begin(studio, write_clip(tmp_path / "none.mp4", frames=3, faceless=True))
    status = finish(studio, run.id, "align")
    assert status.state == "failed"
    assert "No face was found" in status.message
    assert status.hint
    last = studio.state(run.id).last
    assert last is not None
    assert last.message == status.message


# --- The transfer -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def transferred(studio: Studio, face_clip: Path) -> str:
    """A run whose edit was transferred."""
    run_id = begin(studio, face_clip, edits=SMILE, method="transfer").id
    status = finish(studio, run_id, "edit")
    assert status.state == "done", status
    return run_id


def test_the_method_is_a_choice_that_is_kept(studio: Studio, face_clip: Path) -> None:
    run = begin(studio, face_clip, method="transfer", region="mouth")
    state = make_studio(studio.settings.root).state(run.id)
    assert (state.method, state.region) == ("transfer", "mouth")
    config = studio.config(state)
    assert (config.method, config.transfer.region) == ("transfer", "mouth")
    assert config.tuning != studio.config(dataclasses.replace(state, method="stitch")).tuning
    paper = studio.change(run.id, preset="paper")
    assert studio.config(paper).method == "stitch"
    assert studio.config(studio.change(run.id, preset="balanced")).method == "transfer", "it is kept meanwhile"
    for wrong in ({"method": "paste"}, {"method": "paste", "preset": "paper"}, {"region": "hand"}):
        with pytest.raises(ConfigError):
            studio.change(run.id, **wrong)


def test_a_new_run_has_the_packs_method_and_an_older_one_is_stitched(
    studio: Studio, face_clip: Path, edited: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = begin(studio, face_clip)
    file = studio.folders.private(edited) / "page.json"
    kept = file.read_text()
    record = json.loads(kept)
    for part in (record, *record["outputs"]):
        for name in ("method", "region"):
            part.pop(name, None)
    file.write_text(json.dumps(record))
    monkeypatch.setitem(studio.networks.pack.schedules, "method", "transfer")
    try:
        older = studio.runs.get(edited)
        assert studio.config(studio.state(new.id)).method == "transfer"
        assert studio.config(older).method == "stitch"
        assert [(output.method, output.region) for output in older.outputs] == [("stitch", "auto")]
    finally:
        file.write_text(kept)


def test_the_tuning_belongs_to_its_method(studio: Studio, transferred: str) -> None:
    assert studio.state(transferred).tuned
    assert not studio.change(transferred, method="stitch").tuned
    assert studio.change(transferred, method="transfer").tuned


def test_a_tuning_for_the_transfer_is_ready_for_edits(studio: Studio, face_clip: Path) -> None:
    run = begin(studio, face_clip, method="transfer")
    assert finish(studio, run.id, "tune").state == "done"
    opened = studio.previews.opened(run.id)
    assert all(opened.pipeline.has(opened.clip, stage) for stage in ("tune", "register", "masks"))
    shutil.rmtree(next(studio.folders.private(run.id).glob("*/register-*")))
    assert not studio.state(run.id).tuned, "a preview would have to begin with that"
    assert finish(studio, run.id, "tune").state == "done"
    assert studio.state(run.id).tuned


def test_the_preview_of_a_transfer_is_the_finished_frame(
    studio: Studio, transferred: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever was looked at before, and in whatever order."""
    monkeypatch.setattr("page.studio.edit_previews.REGION_SIDE", 10_000)
    monkeypatch.setattr("page.studio.crops.REGION", 100.0)  # the whole frame
    opened = studio.previews.opened(transferred)
    pipeline, clip = opened.pipeline.with_config(studio.config(studio.runs.get(transferred))), opened.clip
    made = pipeline.stitch(clip)
    assert "stitch" in pipeline.results.found
    for edits in (SMILE, (("age", -3.0),), SMILE):
        preview = studio.previews.edit(transferred, edits, count=3)
        assert preview is not None
        assert preview.final
        for key in preview.pictures:
            finished = preview_frame(pipeline, clip, key.frame, made.crops.read(key.frame))
            assert np.array_equal(key.before, clip.frames.read(key.frame))
            assert np.array_equal(key.after, finished) == (edits == SMILE)
    assert not np.array_equal(key.before, key.after)


def test_before_the_tuning_a_transfer_is_shown_frame_by_frame(studio: Studio, face_clip: Path) -> None:
    run = begin(studio, face_clip, method="transfer")
    finish(studio, run.id, "align")
    preview, other = (studio.previews.edit(run.id, (("smile", factor),)) for factor in (2.0, -2.0))
    assert preview is not None
    assert other is not None
    assert (preview.draft, preview.final) == (True, False)
    for a, b in zip(preview.pictures, other.pictures, strict=True):
        assert np.array_equal(a.before, b.before)
        assert not np.array_equal(a.after, b.after)
    still = studio.previews.edit(run.id, (("smile", 0.0),))
    assert still is not None
    for key in still.pictures:
        assert np.abs(key.before.astype(int) - key.after).max() <= 1, "without a change the source keeps its pixels"
    assert not list(studio.folders.private(run.id).glob("*/register-*")), "nothing was stored"


def test_a_transfer_is_watched_while_it_is_made_and_a_stop_leaves_a_part(
    studio: Studio, transferred: str, face_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = begin(studio, face_clip, edits=SMILE, method="transfer")
    with monkeypatch.context() as patch:
        stop_at(studio, patch, run.id, "stitch", 4)
        status = finish(studio, run.id, "edit")
    part = status.output
    assert isinstance(part, Output)
    assert (status.state, part.partial, part.method, part.region) == ("stopped", True, "transfer", "auto")
    assert 0 < part.frames < part.of == 6
    whole = studio.state(transferred).outputs[0]
    for frame in range(part.frames):
        a, b = (studio.clips.still(Path(made.video), frame / 10 + 0.05, 200).astype(int) for made in (part, whole))
        assert np.abs(a - b).mean() < 2, "it shows the edited frames"
    feed = studio.feeds.get(str(whole.feed_id))
    assert feed is not None
    assert set(feed.state("", 0)["frames"]) == set(range(6))
    again = make_studio(studio.settings.root)
    assert again.state(run.id).last.state == "stopped"
    assert finish(again, run.id, "edit").state == "done"
    assert [made.partial for made in again.state(run.id).outputs] == [False, True]


def test_the_time_that_is_told_is_that_of_the_method(studio: Studio, face_clip: Path) -> None:
    run = begin(studio, face_clip, method="stitch", preset="balanced")
    studio.networks.estimator.measure()
    stitch = studio.clips.trim_facts(run.id, None, None).estimates
    studio.change(run.id, method="transfer")
    transfer = studio.clips.trim_facts(run.id, None, None).estimates
    assert stitch is not None
    assert transfer is not None
    assert transfer["paper"] == stitch["paper"]
    assert transfer["balanced"] != stitch["balanced"]
    plan = studio.networks.estimator.plan("tune", studio.config(studio.state(run.id)), 6)
    assert list(plan) == ["frames", "landmarks", "align", "invert", "tune", "register", "masks"]


# --- Coming back, and other visitors ------------------------------------------------------------------------------


def test_a_run_comes_back_after_a_restart(studio: Studio, edited: str) -> None:
    again = make_studio(studio.settings.root)
    state, before = again.arrive(edited), studio.state(edited)
    assert state.id == edited
    assert (state.clip, state.edits, state.preset) == (before.clip, before.edits, "draft")
    assert (state.aligned, state.tuned) == (True, True)
    assert [output.video for output in state.outputs] == [output.video for output in before.outputs]
    feed = again.feeds.get(str(state.outputs[0].feed_id))
    assert feed is not None
    assert feed.finished is not None


def test_a_job_that_ended_with_the_server_is_called_interrupted(studio: Studio, aligned: str) -> None:
    state = studio.runs.get(aligned)
    assert state.last is not None
    running = dataclasses.replace(state, last=dataclasses.replace(state.last, state="running"))
    studio.runs.update(aligned, lambda _: running)
    last = make_studio(studio.settings.root).state(aligned).last
    assert last is not None
    assert (last.state, last.finished) == ("interrupted", True)
    assert "goes on from there" in last.hint
    studio.runs.update(aligned, lambda _: state)


@pytest.mark.parametrize("asked", [None, "", "..", "a" * 22, "../../etc/passwd", 7, {"id": 1}])
def test_an_id_from_outside_is_never_taken_over(studio: Studio, asked: object) -> None:
    state = studio.arrive(asked)
    assert state.id != asked
    assert len(state.id) == 22
    if isinstance(asked, str) and len(asked) == 22:
        assert not (studio.settings.private / asked).exists()


def test_without_the_id_there_is_nothing(studio: Studio, edited: str) -> None:
    other = studio.arrive()
    for call in (studio.previews.crops, studio.previews.faces, studio.clips.preflight, studio.previews.opened):
        with pytest.raises(StitError):
            call(other.id)
    for stranger in (new_id(), "", edited[:-1]):
        with pytest.raises(StitError, match="not there any more"):
            studio.state(stranger)
        assert not studio.stop(stranger)
        assert studio.status(stranger) is None


def test_deleting_takes_everything_and_nothing_else(studio: Studio, face_clip: Path, edited: str) -> None:
    run = studio.arrive()
    brought = upload(studio, face_clip)
    studio.set_clip(run.id, brought)
    studio.change(run.id, preset="draft", edits=SMILE)
    finish(studio, run.id, "edit")
    state = studio.state(run.id)
    feed_id = str(state.outputs[0].feed_id)
    assert studio.feeds.get(feed_id) is not None
    studio.delete(run.id)
    assert not Path(state.outputs[0].video).exists()
    assert not Path(str(state.clip)).exists()
    assert not brought.exists()
    assert not (studio.settings.private / run.id).exists()
    assert studio.feeds.get(feed_id) is None
    with pytest.raises(StitError, match="not there any more"):
        studio.state(run.id)
    assert Path(studio.state(edited).outputs[0].video).exists()


def test_deleting_ends_the_job_and_leaves_nothing_of_it(
    studio: Studio, face_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = begin(studio, face_clip, edits=SMILE)
    stopped: list[str] = []
    monkeypatch.setattr(studio, "stop", lambda run_id: stopped.append(run_id) or True)
    stop_at(studio, monkeypatch, run.id, "stitch", 6)
    studio.start(run.id, "edit")
    wait_for(lambda: bool(stopped))
    studio.delete(run.id)
    assert run.id not in studio.jobs
    assert not (studio.settings.private / run.id).exists()
    assert not [path for path in studio.settings.served.rglob("smile*") if os.stat(path).st_size == 0]


# --- Directions ---------------------------------------------------------------------------------------------------


def test_cards_are_found_by_words(studio: Studio) -> None:
    assert [card.name for card in studio.directions.cards()] == ["age", "smile"]
    assert [card.name for card in studio.directions.cards("SMI")] == ["smile"]
    assert studio.directions.cards("smile age") == []
    assert [name for name, _ in studio.directions.suggestions] == ["younger", "older", "smile", "serious"]


def test_a_direction_is_drawn_once(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    sheet = studio.directions.thumbnail("smile")
    assert sheet.ndim == 3
    assert sheet.std() > 1
    monkeypatch.setattr("page.studio.direction_library.preview_sheet", None)
    assert studio.directions.thumbnail("smile") is sheet


def test_jobs_wait_for_each_other(studio: Studio, face_clip: Path) -> None:
    runs = [begin(studio, face_clip) for _ in range(2)]
    for run in runs:
        studio.start(run.id, "align")
    assert {ended(studio, run.id).state for run in runs} == {"done"}
    studio.start(runs[0].id, "tune")
    with pytest.raises(StitError, match="at work"):
        studio.start(runs[0].id, "tune")
    job = studio.jobs.get(runs[0].id)
    assert job is not None
    assert job.wait(PATIENCE)


def test_a_run_has_directions_of_its_own(studio: Studio, aligned: str) -> None:
    vector = make_direction(9)
    save_direction(studio.networks.pack, vector, Card("mine", title="Mine"), own_root(studio.folders, aligned))
    stranger = studio.arrive().id
    assert [card.name for card in studio.directions.cards(run_id=aligned)] == ["age", "mine", "smile"]
    for cards in (studio.directions.cards(), studio.directions.cards(run_id=stranger)):
        assert [card.name for card in cards] == ["age", "smile"]
    assert studio.previews.edit(aligned, (("mine", 1.0),)) is not None
    assert studio.directions.thumbnail("mine", aligned).ndim == 3
    assert studio.directions.overlaps((("mine", 1.0), ("smile", 0.0)), aligned) == ()
    with pytest.raises(DirectionError, match="mine"):
        studio.directions.thumbnail("mine", stranger)
    studio.change(aligned, edits=(("mine", 1.0),))
    assert finish(studio, aligned, "edit").state == "done"
    with pytest.raises(DirectionError, match="of your own"):
        studio.directions.delete(aligned, "smile")
    for name in ("../mine", "mine"):
        with pytest.raises(DirectionError, match="of your own"):
            studio.directions.delete(stranger, name)
    studio.directions.delete(aligned, "mine")
    assert not studio.directions.is_own(aligned, "mine")
    with pytest.raises(DirectionError, match="mine"):
        studio.start(aligned, "edit")


def test_a_direction_of_the_runs_own_is_deleted_and_chosen_no_more(studio: Studio, aligned: str) -> None:
    root = own_root(studio.folders, aligned)
    save_direction(studio.networks.pack, make_direction(3), Card("grin"), root)
    before = studio.change(aligned, edits=(("grin", 1.0), ("smile", 2.0))).edits
    gate = threading.Event()
    studio.jobs.submit(aligned, "align", lambda job: gate.wait(PATIENCE), {})  # noqa: ARG005
    try:
        with pytest.raises(StitError, match="at work"):
            studio.delete_direction(aligned, "grin")
    finally:
        gate.set()
        ended(studio, aligned)
    with pytest.raises(DirectionError, match="of your own"):
        studio.delete_direction(aligned, "smile")
    assert studio.state(aligned).edits == before
    assert studio.delete_direction(aligned, "grin").edits == (("smile", 2.0),)
    assert not list(root.rglob("grin*"))
    assert [card.name for card in studio.directions.cards(run_id=aligned)] == ["age", "smile"]
    assert studio.previews.edit(aligned, studio.state(aligned).edits) is not None
    studio.change(aligned, edits=())


def test_directions_that_overlap_are_told(studio: Studio, aligned: str) -> None:
    root = own_root(studio.folders, aligned)
    save_direction(studio.networks.pack, make_direction(1) * 1.1, Card("grin"), root)
    told = studio.directions.overlaps((("smile", 2.0), ("grin", 2.0)), aligned)
    assert len(told) == 1
    assert "smile" in told[0]
    assert "grin" in told[0]
    studio.directions.delete(aligned, "grin")


def test_a_full_disk_is_told_as_a_visitor_can_act_on_it(
    surroundings: Path, face_clip: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    studio = make_studio(surroundings / "full")
    run = begin(studio, face_clip, edits=SMILE).id
    usage = shutil.disk_usage(surroundings)._replace(free=1 << 20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    status = finish(studio, run, "edit")
    assert (status.state, status.message) == ("failed", NO_ROOM)
    assert "Delete my data now" in status.hint
    assert "runs clean" in caplog.text, "whoever runs the page reads what they can do"
    for error in (NoRoomError(f"The disk of /runs/{run} has 1 MB free.", "`runs clean`"), DamagedError(run, "`runs`")):
        said = str(for_visitors(error))
        assert run not in said
        assert "`" not in said
    kept = StitError("There is no clip yet.")
    assert for_visitors(kept) is kept


# --- A public page ------------------------------------------------------------------------------------------------


def test_a_stranger_says_that_a_face_may_be_edited_before_anything_is_kept(surroundings: Path, face_clip: Path) -> None:
    public = make_studio(surroundings / "public", {"drawn face": face_clip}, public=True, mark="on")
    run = public.arrive()
    assert run.mark, "and what a stranger makes is marked"
    refused = upload(public, face_clip)
    for bring in (lambda: public.set_clip(run.id, refused), lambda: public.bring(run.id, [upload(public, face_clip)])):
        with pytest.raises(ConsentError, match="Tick the line"):
            bring()
    assert not refused.exists(), "what was refused is deleted at once"
    assert public.set_sample(run.id, "drawn face").sample, "a sample was drawn"
    wording = "I may edit this person's face"
    state = public.agree(run.id, wording)
    assert state.consent is not None
    assert state.consent.wording == wording
    assert datetime.datetime.fromisoformat(state.consent.given).tzinfo is not None
    assert state.provenance(None).consent is None, "which is not said of a sample"
    state = public.set_clip(run.id, upload(public, face_clip))
    assert public.runs.get(run.id).provenance(None).consent == state.consent, "it is kept with the run"
    public.agree(run.id, "")
    with pytest.raises(ConsentError):
        public.set_clip(run.id, upload(public, face_clip))


def test_the_consent_stands_in_the_manifest(surroundings: Path, face_clip: Path) -> None:
    public = make_studio(surroundings / "public", public=True, mark="always")
    run = public.arrive().id
    given = public.agree(run, "I may").consent
    public.set_clip(run, upload(public, face_clip))
    public.change(run, preset="draft", edits=SMILE, mark=False)
    assert public.config(public.state(run)).compositing.mark, "no visitor turns off what is always on"
    assert finish(public, run, "edit").state == "done"
    record = json.loads(Path(str(public.state(run).outputs[0].manifest)).read_text())
    assert given is not None
    assert record["consent"] == {"wording": "I may", "given": given.given}
    assert record["settings"]["compositing"]["mark"] is True


def test_at_a_desk_nobody_is_asked(studio: Studio, face_clip: Path) -> None:
    run = begin(studio, face_clip)
    assert (run.consent, run.mark) == (None, False)
