"""Locks and moves on mounted object storage: without locks and links, folders renamed slowly or not at all."""

from __future__ import annotations

import multiprocessing
import threading
from pathlib import Path

import pytest

from stit_core.artefacts import Alignment
from stit_core.errors import StoreError
from stit_core.report import manifest_path
from stit_core.store.artefact_files import RESULT_FILE, save_artefact
from stit_core.store.disk import move_folder
from stit_core.store.locks import in_use, locked
from stit_core.store.runs import Store
from stit_core.whole_run import edit_video
from tests.support.pipeline_cases import watched
from tests.support.poor_disk import poor_disk, rename_slowly
from tests.support.stored_results import HASH, make_alignment

PATIENCE = 60.0  # seconds for a process

pytest_plugins = ["tests.support.fixtures_pack"]


@pytest.mark.usefixtures("home")
def test_a_clip_is_edited_and_found_again_on_a_poor_disk(face_clip: Path, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch, poor_disk() as refused:
        patch.setenv("STIT_RUNS", str(tmp_path / "poor"))
        report = edit_video(watched().pipeline, face_clip, tmp_path / "poor.mp4")
        assert not report.cached
        again = edit_video(watched().pipeline, face_clip, tmp_path / "again.mp4")
        assert "tune" in again.cached
        assert len(Store().clean()) == 1
    assert {"flock", "fsync", "rename"} <= set(refused)
    assert (tmp_path / "again.mp4").read_bytes() == (tmp_path / "poor.mp4").read_bytes()
    assert manifest_path(tmp_path / "poor.mp4").is_file()
    assert not list((tmp_path / "poor").iterdir())


def test_threads_are_kept_apart_without_locks_on_the_disk(tmp_path: Path) -> None:
    path = tmp_path / ".tune-k.lock"
    said: list[str] = []

    def enter() -> None:
        try:
            with locked(path, "tune"):
                said.append("in")
        except StoreError as error:
            said.append(error.message)

    with poor_disk():
        with locked(path, "tune"):
            assert in_use(tmp_path)
            other = threading.Thread(target=enter)
            other.start()
            other.join()
        assert not in_use(tmp_path)
        enter()
    assert said == ["Another process is working on the stage 'tune' of this clip.", "in"]


def test_a_result_that_is_moved_slowly_is_not_there_until_it_is_whole(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = Store(tmp_path).run(HASH, "clip.mp4")
    seen: list[bool] = []

    def look() -> None:
        seen.append(run.load("align", "k", Alignment) is None)

    with poor_disk(rename_slowly(look)), run.make("align", "k") as folder:
        save_artefact(make_alignment(folder), folder)
    assert len(seen) == 4, "two pictures, tensors and the record"
    assert any(seen), "it was looked at half-way"
    assert "made again" not in caplog.text
    assert run.load("align", "k", Alignment) is not None


def test_a_folder_that_cannot_be_renamed_is_copied_and_its_record_last(tmp_path: Path) -> None:
    (tmp_path / "part" / "inner").mkdir(parents=True)
    for name in ("inner/a", "z", RESULT_FILE):
        (tmp_path / "part" / name).write_text(name)
    with poor_disk():
        move_folder(tmp_path / "part", tmp_path / "final", last=RESULT_FILE)
    assert not (tmp_path / "part").exists()
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "final").rglob("*") if path.is_file()}
    assert {path.relative_to(tmp_path / "final").as_posix() for path in files} == {"inner/a", "z", RESULT_FILE}
    assert all(path.read_text() == path.relative_to(tmp_path / "final").as_posix() for path in files)
    assert max(files.values()) == files[tmp_path / "final" / RESULT_FILE]


def test_a_move_onto_what_is_there_is_an_error_of_the_disk(tmp_path: Path) -> None:
    for name in ("part", "final"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a").write_text(name)
    with pytest.raises(OSError, match="not empty"):
        move_folder(tmp_path / "part", tmp_path / "final")
    assert (tmp_path / "final" / "a").read_text() == "final"


def test_a_fork_keeps_no_lock_of_its_parents_and_knows_of_none(tmp_path: Path) -> None:
    file, context = tmp_path / ".stage.lock", multiprocessing.get_context("fork")
    free, done, told = context.Event(), context.Event(), context.SimpleQueue()

    def live_on() -> None:
        told.put(_can_lock(file))  # its parent holds it
        free.wait(PATIENCE)
        told.put(_can_lock(file))  # nobody does
        done.wait(PATIENCE)

    with locked(file, "stage"):
        fork = context.Process(target=live_on, daemon=True)
        fork.start()
        assert told.get() is False
    assert _can_lock(file), "the fork has the file open, and yet does not hold it"
    free.set()
    assert told.get() is True
    done.set()
    fork.join(PATIENCE)
    assert fork.exitcode == 0


def _can_lock(file: Path) -> bool:
    try:
        with locked(file, "stage"):
            return True
    except StoreError:
        return False
