"""What goes where the room of all visitors is used up, and what stays whatever happens."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path

import pytest

from page.settings import PageSettings
from page.studio.folders import RunFolders, new_id
from page.studio.quota import Quota
from page.studio.watching import SEEN_SECONDS, Watched
from stit_core.errors import StoreError
from tests.support.page_cases import bring

MEGABYTE = 10**6


class Held:
    """A few runs of a megabyte each, the oldest first, under a quota of so many megabytes."""

    def __init__(self, root: Path, megabytes: float, count: int) -> None:
        self.folders = RunFolders(PageSettings(root=root, total_gb=megabytes / 1000))
        self.runs = [self.make(count - number) for number in range(count)]
        self.quota = Quota(self.folders.settings, self.size, self.folders.delete)

    def make(self, hours: float, megabytes: float = 0.9) -> str:
        run_id = new_id()
        (self.folders.private(run_id) / "data").write_bytes(bytes(int(megabytes * MEGABYTE)))
        used = time.time() - 3600 * hours
        os.utime(self.folders.private(run_id).resolve(), (used, used))
        os.utime(self.folders.settings.private / run_id, (used, used))
        return run_id

    def size(self, run_id: str) -> int:
        return sum(path.stat().st_size for path in (self.folders.settings.private / run_id).iterdir())

    @property
    def left(self) -> set[str]:
        return {path.name for path in self.folders.settings.private.iterdir()}


def test_the_oldest_go_first_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    held = Held(tmp_path, 3, 5)
    assert held.quota.make_room(()) == held.runs[:2]
    assert held.left == set(held.runs[2:])
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 2
    assert "nobody used for 5 hours" in warnings[0]
    assert not any(run_id in text for run_id in held.runs for text in warnings)


def test_what_is_worked_on_or_looked_at_stays(tmp_path: Path) -> None:
    held = Held(tmp_path, 3, 5)
    assert held.quota.make_room(held.runs[:2]) == held.runs[2:4]
    assert held.left == {*held.runs[:2], held.runs[4]}


def test_where_all_is_in_use_whoever_wants_more_gets_words(tmp_path: Path) -> None:
    held = Held(tmp_path, 3, 5)
    with pytest.raises(StoreError, match="is used up") as refused:
        held.quota.make_room(held.runs)
    assert refused.value.hint
    assert held.left == set(held.runs)


def test_uploads_that_no_run_took_go_before_any_run(tmp_path: Path) -> None:
    held = Held(tmp_path, 3, 3)
    old, fresh = (bring(held.folders, data=bytes(MEGABYTE // 2)) for _ in range(2))
    os.utime(old.parent, (0, 0))
    assert held.quota.make_room(()) == held.runs[:1], "the fresh one may be on its way to a run"
    assert not old.exists()
    assert fresh.exists()


def test_below_the_limit_nothing_is_touched(tmp_path: Path) -> None:
    held = Held(tmp_path, 30, 5)
    assert held.quota.make_room(()) == []
    assert held.left == set(held.runs)


def test_a_run_is_looked_at_for_a_while_after_it_was_asked_for() -> None:
    now = [0.0]
    watched = Watched(lambda: now[0])
    watched.note("a")
    now[0] = SEEN_SECONDS - 1
    watched.note("b")
    assert set(watched) == {"a", "b"}
    now[0] += 2
    assert set(watched) == {"b"}
    watched.forget("b")
    assert set(watched) == set()
