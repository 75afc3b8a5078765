"""The folders of the visitors: closed to others, and without what an upload left."""

from __future__ import annotations

import builtins
import errno
import io
import logging
import os
import time
from pathlib import Path
from typing import Any

import pytest

from page.settings import PageSettings
from page.studio.disk import check_disk, last_used, make_private, remove_strays
from page.studio.folders import RunFolders, new_id
from page.studio.sweeper import sweep
from stit_core.errors import StoreError
from tests.support.drawn_face import write_clip
from tests.support.page_cases import begin, finish, make_studio
from tests.support.poor_disk import poor_disk

pytest_plugins = ["tests.support.fixtures_pack"]


def mode(folder: Path) -> int:
    return folder.stat().st_mode & 0o777


def test_folders_are_made_for_their_owner_alone(tmp_path: Path) -> None:
    make_private(tmp_path / "a" / "b" / "c")
    assert [mode(tmp_path / path) for path in ("a", "a/b", "a/b/c")] == [0o700] * 3


def test_an_open_folder_is_closed_and_those_above_are_left(tmp_path: Path) -> None:
    open_folder = tmp_path / "above" / "runs"
    open_folder.mkdir(parents=True)
    for folder in (open_folder.parent, open_folder):
        folder.chmod(0o755)
    make_private(open_folder)
    assert (mode(open_folder.parent), mode(open_folder)) == (0o755, 0o700)


def test_all_that_lists_ids_is_closed(tmp_path: Path) -> None:
    root = tmp_path / "runs"
    root.mkdir(mode=0o755)
    folders, run_id = RunFolders(PageSettings(root=root)), new_id()
    (clip := tmp_path / "clip.mp4").write_bytes(b"video")
    folders.sample(clip)
    folders.store(run_id)
    folders.outputs(run_id)
    for folder in (root, *(path for path in root.rglob("*") if path.is_dir())):
        assert mode(folder) == 0o700, folder


def test_strays_go_and_folders_stay(tmp_path: Path) -> None:
    old, fresh, folder = tmp_path / "tmpold", tmp_path / "tmpnew", tmp_path / "upload"
    folder.mkdir()
    (folder / "clip.mp4").write_bytes(b"x")
    for path in (old, fresh):
        path.write_bytes(b"x")
    os.utime(old, (time.time() - 100,) * 2)
    (tmp_path / "link").symlink_to(folder)
    os.utime(tmp_path / "link", (time.time() - 100,) * 2, follow_symlinks=False)
    assert set(remove_strays(tmp_path, 50)) == {old, tmp_path / "link"}
    assert remove_strays(tmp_path) == [fresh]
    assert (folder / "clip.mp4").is_file()
    assert remove_strays(tmp_path / "none") == []


# --- Mounted object storage ---------------------------------------------------------------------------------------


@pytest.mark.usefixtures("home")
def test_a_visitor_edits_comes_back_and_deletes_on_a_poor_disk(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clip = write_clip(tmp_path / "face.mp4")
    with poor_disk() as refused, caplog.at_level(logging.WARNING):
        studio = make_studio(tmp_path / "page")
        run = begin(studio, clip, edits=(("smile", 2.0),)).id
        assert finish(studio, run, "edit").state == "done"
        assert studio.sweep() == []
        after = make_studio(tmp_path / "page")  # as on a restart, with the same disk
        state = after.arrive(run)
        assert (state.id, len(state.outputs), state.tuned) == (run, 1, True)
        after.delete(run)
    assert {"link", "flock", "fsync", "utime", "rename"} <= set(refused)
    left = [path for path in (tmp_path / "page").rglob("*") if path.is_file()]
    assert left == []
    assert caplog.text.count("can be read by other users") <= 4, "said once for each place"


def test_a_disk_that_forgets_the_times_of_folders_loses_no_run(tmp_path: Path) -> None:
    folders = RunFolders(PageSettings(root=tmp_path, keep_hours=2.0))
    fresh, old = new_id(), new_id()
    long_ago = time.time() - 3 * 3600
    for run_id in (fresh, old):
        (folders.private(run_id) / "page.json").write_text("{}")
        (clip := folders.outputs(run_id) / "clip" / "face.mp4").parent.mkdir()
        clip.write_bytes(b"video")
        os.utime(clip, (long_ago, long_ago))
    os.utime(folders.private(old) / "page.json", (long_ago, long_ago))
    of_old = {folders.private(old), folders.outputs(old)}
    for folder in (path for path in tmp_path.rglob("*") if path.is_dir()):
        os.utime(folder, (0, 0))
    assert set(sweep(folders.settings)) == of_old
    assert (folders.outputs(fresh) / "clip" / "face.mp4").is_file(), "the clip of a run that is used"
    assert last_used(folders.private(fresh)) > long_ago


def test_a_disk_on_which_files_can_be_changed_is_taken(tmp_path: Path) -> None:
    check_disk(tmp_path / "runs")
    assert list((tmp_path / "runs").iterdir()) == []


@pytest.mark.parametrize("mode", ["ab", "r+b"])
def test_a_disk_on_which_files_are_written_once_is_told(
    tmp_path: Path, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = io.open

    def write_once(path: Any, how: str = "r", *more: Any, **named: Any) -> Any:
        if how == mode:
            raise OSError(errno.EPERM, os.strerror(errno.EPERM), str(path))
        return real(path, how, *more, **named)

    monkeypatch.setattr(io, "open", write_once)
    monkeypatch.setattr(builtins, "open", write_once)
    with pytest.raises(StoreError, match="cannot hold runs: Operation not permitted") as raised:
        check_disk(tmp_path / "runs")
    assert "STIT_RUNS" in raised.value.hint
    assert list((tmp_path / "runs").iterdir()) == []
