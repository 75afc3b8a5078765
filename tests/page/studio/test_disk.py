"""The folders of the visitors: closed to others, and without what an upload left."""

from __future__ import annotations

import os
import time
from pathlib import Path

from page.settings import PageSettings
from page.studio.disk import make_private, remove_strays
from page.studio.folders import RunFolders, new_id


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
