"""What a run leaves on the disk: nothing after a deletion and after the sweep, and never more than its quota."""

from __future__ import annotations

import dataclasses
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from page.studio.holdings import FEEDS, GIGABYTE, KEPT, LATENTS, REVIEW, STAGES_OF_CLIPS, TRAININGS, UPLOADS
from page.studio.job import JobEnded, Status
from page.studio.review_requests import bring_people
from page.studio.reviews import last_review, start_review
from page.studio.runs import MOST_OUTPUTS
from page.studio.studio import Studio
from page.studio.training import TrainingRequest, start_training
from stit_core.errors import StitError, StoreError
from tests.support.drawn_face import write_clip
from tests.support.labelled_sets import apart, write_set
from tests.support.page_cases import begin, ended, finish, make_studio, stop_at, upload

pytest_plugins = ["tests.support.fixtures_pack"]

SMILE = (("smile", 2.0),)
PICTURES = 20  # a group, the fewest that are learned from
HOURS = 3600


@pytest.fixture(scope="module")
def disk(tiny_environment: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all places that are written to: that of the runs, the user's cache, temporary files."""
    top = tmp_path_factory.mktemp("disk")
    (top / "tmp").mkdir()
    tiny_environment.setenv("STIT_RUNS", str(top / "runs"))
    tiny_environment.setenv("XDG_CACHE_HOME", str(top / "cache"))
    tiny_environment.setattr(tempfile, "tempdir", str(top / "tmp"))
    return top


@pytest.fixture
def studio(disk: Path, face_clip: Path) -> Studio:
    made = make_studio(disk / "runs", {"drawn face": face_clip})
    assert made.clips.samples, "their copies belong to nobody"
    return made


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Labelled pictures of two classes."""
    return write_set(tmp_path_factory.mktemp("faces"), {"serious": 0.0, "smiling": 1.0}, apart(PICTURES))


def files_below(top: Path) -> set[str]:
    return {str(path.relative_to(top)) for path in top.rglob("*") if not path.is_dir()}


def request_of(studio: Studio, pictures: Path) -> TrainingRequest:
    """What the page sends of two uploaded folders."""
    below, above = (
        tuple(upload(studio, path) for path in sorted((pictures / label).iterdir())) for label in ("serious", "smiling")
    )
    return TrainingRequest("grin", "serious", "smiling", None, below, above)


def review(studio: Studio, run_id: str, clip: Path, pictures: Path) -> None:
    """Review a clip and a picture that the visitor brought, to the report."""
    brought = [(upload(studio, path), path.name) for path in (clip, next(pictures.glob("*/*0_0.png")))]
    request = bring_people(studio, run_id, brought)
    start_review(studio, run_id, dataclasses.replace(request, edits=(("smile", (1.0,)),), tuning=False))
    assert ended(studio, run_id).state == "done"


def delete(studio: Studio, run_id: str) -> None:
    studio.delete(run_id)


def let_time_pass_and_sweep(studio: Studio, run_id: str) -> None:
    """As after the hours that a run is kept; the samples' copies are in use."""
    long_ago = time.time() - (studio.settings.keep_hours + 1) * HOURS
    for root in (studio.settings.served, studio.settings.private):
        for folder in root.iterdir():
            if folder.name != "samples":
                os.utime(folder, (long_ago, long_ago))
    studio.watched.forget(run_id)
    studio.sweep()


@pytest.mark.parametrize("end", [delete, let_time_pass_and_sweep])
def test_nothing_that_was_made_from_what_a_visitor_brought_outlives_the_run(
    disk: Path,
    studio: Studio,
    face_clip: Path,
    pictures: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    end: Callable[[Studio, str], None],
) -> None:
    before = files_below(disk)
    run = begin(studio, face_clip, edits=SMILE, method="transfer").id
    with pytest.raises(StitError):  # what was refused was brought all the same
        studio.set_clip(run, upload(studio, pictures / "serious" / os.listdir(pictures / "serious")[0]))
    finish(studio, run, "align")
    assert studio.previews.edit(run, SMILE) is not None
    assert finish(studio, run, "edit").state == "done"
    with monkeypatch.context() as patch:
        stop_at(studio, patch, run, "stitch", 1)
        studio.change(run, edits=(("age", 1.0),))
        assert finish(studio, run, "edit").state == "stopped"
    studio.bring(run, [upload(studio, path) for path in sorted(pictures.glob("*/*0_0.png"))])  # nothing comes of these
    start_training(studio, run, request_of(studio, pictures))
    assert ended(studio, run).state == "done"
    archive = shutil.make_archive(str(tmp_path / "faces"), "zip", pictures)
    start_training(studio, run, TrainingRequest("smirk", "serious", "smiling", upload(studio, Path(archive))))
    assert ended(studio, run).state == "done"
    studio.set_clip(run, upload(studio, write_clip(tmp_path / "other.mp4", frames=3)))
    assert any((studio.settings.private / run / LATENTS).rglob("*.npz"))
    review(studio, run, face_clip, pictures)
    assert len(last_review(studio, run).files) == 3
    assert {name for name in files_below(disk) - before if name.startswith(("cache", "tmp"))} == set()

    end(studio, run)
    assert files_below(disk) == before


def test_a_later_clip_and_a_training_leave_no_copies_of_what_they_need_no_more(
    studio: Studio, face_clip: Path, pictures: Path, tmp_path: Path
) -> None:
    run = begin(studio, face_clip).id
    first = Path(str(studio.runs.get(run).upload))
    refused = upload(studio, next((pictures / "serious").iterdir()))
    with pytest.raises(StitError):
        studio.set_clip(run, refused)
    assert not first.exists()
    studio.set_clip(run, upload(studio, write_clip(tmp_path / "other.mp4", frames=3)))
    assert not refused.exists()
    request = request_of(studio, pictures)
    start_training(studio, run, request)
    for path in (*request.below, *request.above):
        path.unlink()  # the job has its own
    assert ended(studio, run).state == "done"
    assert not any((studio.settings.private / run / TRAININGS).iterdir())
    studio.delete(run)


def test_a_run_that_was_deleted_in_the_middle_of_its_job_stays_deleted(
    disk: Path, studio: Studio, face_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = files_below(disk)
    run = begin(studio, face_clip, edits=SMILE).id
    monkeypatch.setattr(studio.jobs, "forget", lambda run_id: studio.jobs.get(run_id).discard())  # as if it took long
    stop_at(studio, monkeypatch, run, "landmarks", 1, lambda: studio.delete(run) or True)
    studio.start(run, "edit")
    assert ended(studio, run).state == "stopped"
    assert files_below(disk) == before


def test_a_run_keeps_what_belongs_to_its_outputs_and_no_more(
    studio: Studio, face_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = begin(studio, face_clip, edits=SMILE).id
    assert finish(studio, run, "edit").state == "done"
    (first,) = studio.state(run).outputs
    feeds, made = studio.folders.private(run) / FEEDS, studio.folders.outputs(run)
    for number in range(MOST_OUTPUTS + 2):
        copied = feeds / f"copy{number}"
        shutil.copytree(str(first.feed), copied)
        video, manifest = made / f"copy{number}.mp4", made / f"copy{number}.edit.json"
        shutil.copyfile(first.video, video)
        shutil.copyfile(str(first.manifest), manifest)
        output = dataclasses.replace(first, id=str(number), video=str(video), manifest=str(manifest), feed=str(copied))
        studio.runs.note_end(JobEnded(run, Status("edit", "done"), output))
    studio.change(run, edits=(("age", 1.0),))
    with monkeypatch.context() as patch:
        stop_at(studio, patch, run, "stitch", 1)
        assert finish(studio, run, "edit").state == "stopped"
    kept = studio.state(run).outputs
    assert len(kept) == len(list(made.glob("*.mp4"))) == len(list(made.glob("*.json"))) == MOST_OUTPUTS
    assert {Path(str(output.feed)) for output in kept} == set(feeds.iterdir()), "the stopped edit's feed went too"
    assert all(output.feed_id is not None for output in kept)
    studio.delete(run)
    assert studio.feeds.forget_deleted() is None
    assert not studio.feeds._feeds


def test_a_run_over_its_quota_lets_go_of_its_earlier_clips_and_then_says_so(
    studio: Studio, face_clip: Path, tmp_path: Path
) -> None:
    run = begin(studio, face_clip).id
    finish(studio, run, "align")
    studio.set_clip(run, upload(studio, write_clip(tmp_path / "other.mp4", frames=3)))
    finish(studio, run, "align")
    store = studio.folders.store(run)
    assert len(store.list_runs()) == 2
    size = studio.holdings.size(run)
    tight = make_studio(studio.settings.root, run_gb=(size - 1) / 1e9)
    assert finish(tight, run, "tune").state == "done"
    assert [found.clip for found in store.list_runs()] == ["other.mp4"]
    with pytest.raises(StoreError, match="the limit"):
        make_studio(studio.settings.root, run_gb=1e-6).start(run, "tune")
    studio.delete(run)


def test_a_run_over_its_quota_lets_go_of_what_a_review_made_of_clips_but_not_of_what_it_found(
    studio: Studio, face_clip: Path, pictures: Path
) -> None:
    run = studio.arrive().id
    review(studio, run, face_clip, pictures)
    kept = studio.folders.private(run) / REVIEW / KEPT
    assert (kept / STAGES_OF_CLIPS[0]).is_dir()
    found = files_below(kept / "files")
    tight = make_studio(studio.settings.root, run_gb=(studio.holdings.size(run) - 1) / 1e9)
    tight.holdings.make_room(tight.runs.get(run))
    assert not (kept / STAGES_OF_CLIPS[0]).exists()
    assert files_below(kept / "files") == found != set()
    assert len(last_review(studio, run).files) == 3
    studio.delete(run)


def test_a_folder_of_runs_that_is_a_link_is_no_way_out_and_no_hiding_place(
    disk: Path, face_clip: Path, tmp_path: Path, studio: Studio
) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "runs").symlink_to(tmp_path / "real")
    linked = make_studio(tmp_path / "runs")
    for path in (tmp_path / "real", tmp_path / "runs"):
        run = linked.arrive().id
        brought = upload(linked, face_clip)
        linked.set_clip(run, path / brought.relative_to(tmp_path / "runs"))
        linked.delete(run)
        assert files_below(tmp_path / "real") == set()
    outside = upload(studio, face_clip)  # of another page
    for path in (outside, linked.settings.served / ".." / ".." / "secret.mp4", Path("/etc/hostname")):
        with pytest.raises(StitError, match="not there any more"):
            linked.set_clip(linked.arrive().id, path)
    assert outside.exists()
    outside.unlink()
    assert (disk / "runs").is_dir()


def test_nobody_deletes_what_another_run_made_or_a_sample(studio: Studio, face_clip: Path) -> None:
    mine, yours = studio.arrive().id, begin(studio, face_clip).id
    clip, sample = Path(str(studio.runs.get(yours).clip)), studio.clips.samples["drawn face"]
    shared = upload(studio, face_clip)
    other = shared.with_name("other name of the same.mp4")
    shutil.copyfile(shared, other)
    studio.bring(mine, [clip, sample, shared])
    studio.delete(mine)
    assert clip.exists()
    assert sample.exists()
    assert (shared.exists(), other.exists()) == (False, True), "the same content under another name is somebody else's"
    studio.bring(yours, [other])
    studio.delete(yours)
    assert not other.parent.exists()


@pytest.mark.parametrize("text", ["", "{", "7", '["../../secret", "samples/drawn face.mp4"]'])
def test_a_damaged_list_of_uploads_harms_nothing(studio: Studio, face_clip: Path, text: str) -> None:
    run = begin(studio, face_clip).id
    secret = studio.settings.root.parent / "secret"
    secret.write_text("x")
    (studio.folders.private(run) / UPLOADS).write_text(text)
    studio.delete(run)
    assert not studio.folders.known(run)
    assert secret.exists()
    secret.unlink()
    assert (studio.settings.served / "samples").is_dir()
    for folder in studio.settings.served.iterdir():
        if folder.name != "samples":
            shutil.rmtree(folder)  # what the list did not name any more


def test_where_all_runs_are_over_their_room_the_oldest_goes_and_one_on_a_screen_stays(
    disk: Path, studio: Studio, face_clip: Path
) -> None:
    left, looked_at = begin(studio, face_clip).id, begin(studio, face_clip).id
    for run_id in (left, looked_at):
        for folder in (studio.folders.private(run_id), studio.folders.outputs(run_id)):
            os.utime(folder, (0, 0))
    held = {path.stat().st_ino: path.stat().st_size for path in (disk / "runs").rglob("*") if path.is_file()}
    crowded = make_studio(disk / "runs", total_gb=(sum(held.values()) - 1) / GIGABYTE)
    crowded.watched.note(looked_at)
    state = begin(crowded, face_clip)
    assert not studio.folders.known(left)
    assert studio.folders.known(looked_at)
    full = make_studio(disk / "runs", total_gb=1 / GIGABYTE)
    full.watched.note(looked_at)
    with pytest.raises(StoreError, match="is used up"):
        full.start(state.id, "align")
    for run_id in (looked_at, state.id):
        studio.delete(run_id)
