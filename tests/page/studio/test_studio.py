"""The page's backend as a whole, on the tiny pack: choices, jobs and results, other visitors."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from page.studio.errors import NO_ROOM, for_visitors
from page.studio.folders import new_id
from page.studio.runs import Output
from page.studio.studio import Studio
from stit_core.__main__ import main
from stit_core.config import VideoConfig
from stit_core.errors import ConfigError, DamagedError, DirectionError, NoRoomError, StitError, VideoError
from stit_core.media import probing
from stit_core.media.video import open_clip
from stit_core.runtime import Runtime
from tests.support.drawn_face import write_clip
from tests.support.page_cases import PATIENCE, SMILE, begin, ended, finish, make_studio, stop_at, upload, wait_for

pytest_plugins = ["tests.support.fixtures_pack", "tests.support.fixtures_studio"]


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


# --- Jobs ---------------------------------------------------------------------------------------------------------


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
