"""How the server is: of a worker that waits, works, has died or hangs, and of a disk."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from page.settings import PageSettings
from page.studio import health
from page.studio.health import read_health
from page.studio.job import Job
from page.studio.queue import JobQueue
from tests.support.page_cases import wait_for


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    opened = threading.Event()
    yield opened
    opened.set()


@pytest.fixture
def settings(tmp_path: Path) -> PageSettings:
    return PageSettings(root=tmp_path)


def test_a_worker_that_has_nothing_to_do_answers(settings: PageSettings) -> None:
    found = read_health(JobQueue(), settings)
    assert (found.problems, found.alive, found.working, found.waiting) == ((), True, False, 0)
    told = found.as_json()
    assert told["status"] == "ok"
    assert told["disk_free_gb"] > 0


def test_a_job_with_progress_is_well_and_one_without_is_stuck(
    settings: PageSettings, gate: threading.Event, tmp_path: Path
) -> None:
    jobs, moved = JobQueue(), threading.Event()

    def work(job: Job) -> None:
        job.progress("tune", 1, 10)
        moved.set()
        gate.wait()

    jobs.submit("a", "tune", work, {"tune": 1.0})
    jobs.submit("b", "tune", work, {"tune": 1.0})
    assert moved.wait(60)
    found = read_health(jobs, settings)
    assert (found.problems, found.working, found.waiting) == ((), True, 1)
    stuck = read_health(jobs, PageSettings(root=tmp_path, stuck_minutes=1e-12))
    assert "no progress" in stuck.problems[0]
    assert stuck.as_json()["status"] == "failing"


def test_a_worker_that_has_died_is_seen(settings: PageSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "excepthook", lambda _: None)

    def end() -> None:
        raise SystemExit

    monkeypatch.setattr("page.studio.queue.give_back_memory", end)  # between two jobs, which have threads of their own
    jobs = JobQueue()
    jobs.submit("a", "tune", lambda job: job.progress("tune", 1, 1), {})
    wait_for(lambda: not jobs.worker_state().alive)
    assert "died" in read_health(jobs, settings).problems[0]


def test_an_idle_worker_that_gives_no_sign_is_seen(
    settings: PageSettings, monkeypatch: pytest.MonkeyPatch, gate: threading.Event
) -> None:
    held = threading.Event()

    def hang() -> None:
        held.set()
        gate.wait()

    monkeypatch.setattr("page.studio.queue.give_back_memory", hang)  # between two jobs
    monkeypatch.setattr(health, "IDLE_SECONDS", 0.0)
    jobs = JobQueue()
    jobs.submit("a", "tune", lambda job: job.progress("tune", 1, 1), {}).wait(60)
    assert held.wait(60)
    found = read_health(jobs, PageSettings(root=settings.root, stuck_minutes=1e-12))
    assert "no progress" in found.problems[0]


def test_a_full_disk_and_one_that_has_gone_are_told(settings: PageSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "LEAST_FREE_GB", 1e9)
    assert "is full" in read_health(JobQueue(), settings).problems[0]
    gone = read_health(JobQueue(), PageSettings(root=settings.root / "none"))
    assert gone.disk_free_gb is None
    assert "cannot be read" in gone.problems[0]
