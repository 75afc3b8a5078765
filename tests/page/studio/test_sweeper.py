"""What the sweeper deletes, and what it leaves."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from page.settings import PageSettings
from page.studio.folders import RunFolders, new_id
from page.studio.sweeper import STRAY_SECONDS, sweep
from tests.support.page_cases import bring

HOURS = 3600


@pytest.fixture
def folders(tmp_path: Path) -> RunFolders:
    return RunFolders(PageSettings(root=tmp_path, keep_hours=2.0))


def test_sweeping_deletes_what_nobody_uses(folders: RunFolders) -> None:
    old, busy, fresh = new_id(), new_id(), new_id()
    for run_id in (old, busy, fresh):
        (folders.outputs(run_id) / "video.mp4").write_bytes(b"x")
        folders.store(run_id)
    upload = bring(folders)
    long_ago = time.time() - 3 * HOURS
    for folder in (*folders.settings.served.iterdir(), *folders.settings.private.iterdir()):
        if folder not in (folders.settings.private / fresh, folders.outputs(fresh)):
            os.utime(folder, (long_ago, long_ago))
    gone = set(sweep(folders.settings, busy=[busy]))
    assert len(gone) == 3
    assert upload.parent in gone
    assert {folder.name for folder in folders.settings.private.iterdir()} == {busy, fresh}
    assert (folders.outputs(busy) / "video.mp4").is_file()
    assert (folders.outputs(fresh) / "video.mp4").is_file()
    assert not (folders.outputs(old) / "video.mp4").exists()


def test_using_a_run_keeps_it(folders: RunFolders) -> None:
    run_id = new_id()
    for folder in (folders.private(run_id), folders.outputs(run_id)):
        os.utime(folder, (0, 0))
    folders.touch(run_id)
    assert sweep(folders.settings) == []


def test_the_sweep_takes_files_that_nobody_writes_any_more(tmp_path: Path) -> None:
    folders = RunFolders(PageSettings(root=tmp_path))
    served = folders.settings.served
    served.mkdir()
    old, fresh = served / "tmpold", served / "tmpnew"
    for path in (old, fresh):
        path.write_bytes(b"x")
    os.utime(old, (time.time() - 2 * STRAY_SECONDS,) * 2)
    assert sweep(folders.settings) == [old]
    assert fresh.exists()
