"""The queue of jobs: order, place, Stop, watching, and how far a job is."""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

from page.studio.job import Job, JobEnded, Progress
from page.studio.queue import REMEMBERED, JobQueue
from page.studio.torch_threads import LIGHT, compute_heavily, compute_lightly
from stit_core.errors import Cancelled, StitError, VideoError
from tests.support.page_cases import PATIENCE, wait_for

VISITOR: contextvars.ContextVar[str] = contextvars.ContextVar("visitor")
PLAN = {"tune": 2.0, "stitch": 6.0}


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """JobQueue that wait for it end with the test at the latest."""
    opened = threading.Event()
    yield opened
    opened.set()


def held(gate: threading.Event) -> Callable[[Job], None]:
    """Work that goes on until the gate opens or it is stopped."""

    def work(job: Job) -> None:
        while not gate.wait(0.005):
            if job.token.is_set():
                raise Cancelled("test")

    return work


def test_jobs_are_done_one_at_a_time_in_order_and_know_their_place(gate: threading.Event) -> None:
    jobs, done = JobQueue(), []
    first = jobs.submit("a", "align", held(gate), PLAN)
    wait_for(lambda: first.status().state == "running")
    for name in ("b", "c"):
        jobs.submit(name, "align", lambda job: done.append(job.run_id), PLAN)
    assert [jobs.status(name).ahead for name in "abc"] == [0, 1, 2]  # type: ignore[union-attr]
    assert jobs.status("c").state == "waiting"  # type: ignore[union-attr]
    assert jobs.stop("b")
    assert [jobs.status(name).ahead for name in "abc"] == [0, 0, 1]  # type: ignore[union-attr]
    gate.set()
    last = jobs.get("c")
    assert last is not None
    assert last.wait(PATIENCE)
    assert done == ["c"], "a job that was stopped while it waited never begins"
    assert len(jobs) == 0


def test_a_job_that_has_ended_is_before_nobody(gate: threading.Event, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("page.studio.queue.give_back_memory", lambda: gate.wait(PATIENCE))
    jobs = JobQueue()
    first = jobs.submit("a", "align", lambda _: None, PLAN)
    assert first.wait(PATIENCE)
    jobs.submit("b", "align", lambda _: None, PLAN)
    status = jobs.status("b")
    assert status is not None
    assert (status.state, status.ahead) == ("waiting", 0)


def test_a_run_has_one_job_at_a_time(gate: threading.Event) -> None:
    jobs = JobQueue()
    job = jobs.submit("mine", "align", held(gate), PLAN)
    with pytest.raises(StitError, match="at work"):
        jobs.submit("mine", "tune", held(gate), PLAN)
    assert list(jobs) == ["mine"]
    gate.set()
    assert job.wait(PATIENCE)
    again = jobs.submit("mine", "tune", lambda _: 42, PLAN)
    assert again.wait(PATIENCE)
    assert again.result == 42
    assert not again.token.is_set(), "tokens are not used again"


def test_one_visitor_cannot_stop_another(gate: threading.Event) -> None:
    jobs = JobQueue()
    mine, yours = (jobs.submit(name, "align", held(gate), PLAN) for name in ("mine", "yours"))
    assert not jobs.stop("nobody's")
    assert jobs.stop("mine")
    assert mine.wait(PATIENCE)
    assert mine.status().state == "stopped"
    assert not yours.token.is_set()


def test_a_full_queue_is_told(gate: threading.Event) -> None:
    jobs = JobQueue(longest=1)
    first = jobs.submit("a", "align", held(gate), PLAN)
    wait_for(lambda: first.status().state == "running")
    jobs.submit("b", "align", held(gate), PLAN)
    with pytest.raises(StitError, match="Too many"):
        jobs.submit("c", "align", held(gate), PLAN)
    assert jobs.get("c") is None


def test_what_goes_wrong_is_told_in_words(caplog: pytest.LogCaptureFixture) -> None:
    jobs = JobQueue()

    def refused(job: Job) -> None:  # noqa: ARG001
        raise VideoError("No video.", "Take another.")

    def broken(job: Job) -> None:  # noqa: ARG001
        raise KeyError("secret detail")

    def interrupted(job: Job) -> None:
        job.token.set()
        raise StitError("ffmpeg was interrupted.")

    for work, state, message in (
        (refused, "failed", "No video."),
        (broken, "failed", "Something went wrong on the server."),
        (interrupted, "stopped", ""),
    ):
        job = jobs.submit("mine", "align", work, PLAN)
        assert job.wait(PATIENCE)
        status = job.status()
        assert (status.state, status.message) == (state, message)
        assert bool(status.hint) == (state == "failed")
    assert "secret detail" in caplog.text


def test_a_job_that_nobody_watches_is_stopped(gate: threading.Event) -> None:
    jobs = JobQueue(patience=60.0)
    left, watched = (jobs.submit(name, "align", held(gate), PLAN) for name in ("left", "watched"))
    for job in (left, watched):
        job.watched -= 61
    jobs.status("watched")
    assert jobs.stop_unwatched() == ["left"]
    assert left.wait(PATIENCE)
    assert not watched.token.is_set()
    assert jobs.stop_unwatched() == []


def test_forgetting_waits_for_the_end(gate: threading.Event) -> None:
    jobs = JobQueue()
    job = jobs.submit("mine", "align", held(gate), PLAN)
    wait_for(lambda: job.status().state == "running")
    jobs.forget("mine", PATIENCE)
    assert job.ended
    assert job.discarded
    assert jobs.get("mine") is None


def test_the_end_is_noted_before_it_shows() -> None:
    noted: list[Any] = []
    jobs, held_job = JobQueue(), []
    jobs.subscribe(lambda event: noted.append((held_job[0].ended, event)))
    held_job.append(jobs.submit("mine", "align", lambda _: held_job and 7, PLAN))
    assert held_job[0].wait(PATIENCE)
    ((ended, event),) = noted
    assert (ended, event.run_id, event.kind, event.done, event.result) == (False, "mine", "align", True, 7)


def test_all_who_listen_learn_of_each_end_once_and_in_order(gate: threading.Event) -> None:
    jobs, heard = JobQueue(), []
    for name in ("first", "second"):
        jobs.subscribe(lambda event, name=name: heard.append((name, event.run_id, event.status.state)))
    running = jobs.submit("running", "align", held(gate), PLAN)
    jobs.submit("waiting", "train", held(gate), PLAN)
    jobs.stop("waiting")
    jobs.stop("running")
    assert running.wait(PATIENCE)
    ends = [(name, run, "stopped") for run in ("waiting", "running") for name in ("first", "second")]
    assert heard == ends


def test_what_cannot_be_noted_keeps_what_follows_from_being_deleted(caplog: pytest.LogCaptureFixture) -> None:
    jobs, deleted = JobQueue(), []

    def fail(event: JobEnded) -> None:
        raise StitError(f"The record of {event.run_id} cannot be written.")

    jobs.subscribe(fail, lambda event: deleted.append(event.run_id))
    job = jobs.submit("mine", "edit", lambda _: None, PLAN)
    assert job.wait(PATIENCE)
    assert (job.status().state, deleted) == ("done", [])
    assert "could not be noted" in caplog.text


def test_the_work_and_what_it_holds_are_let_go() -> None:
    jobs, held_here = JobQueue(), threading.Event()

    class Large:
        def __call__(self, job: Job) -> None:  # noqa: ARG002
            held_here.set()

    job = jobs.submit("mine", "align", Large(), PLAN)
    assert job.wait(PATIENCE)
    assert held_here.is_set()
    assert not isinstance(job.work, Large)


def test_nothing_is_kept_of_the_request_that_began_a_job(gate: threading.Event) -> None:
    request: contextvars.ContextVar[object] = contextvars.ContextVar("request")
    jobs, seen = JobQueue(), []
    request.set(large := type("Large", (), {})())
    first = jobs.submit("mine", "tune", lambda _: seen.append(request.get()), PLAN)
    assert first.wait(PATIENCE)
    assert seen == [large], "the work itself knows it"
    held_job = jobs.submit("other", "tune", held(gate), PLAN)
    dropped = jobs.submit("mine", "tune", held(gate), PLAN)
    follower = jobs.submit("mine", "edit", held(gate), PLAN)
    jobs.stop("mine")
    gate.set()
    assert held_job.wait(PATIENCE)
    assert follower.wait(PATIENCE)
    wait_for(lambda: all(request not in job.context for job in (first, held_job, dropped, follower)))


def test_only_the_last_ended_jobs_are_remembered(gate: threading.Event) -> None:
    jobs = JobQueue(longest=1000)
    kept = jobs.submit("waiting", "align", held(gate), PLAN)
    for number in range(REMEMBERED + 10):
        job = jobs.submit(str(number), "align", held(gate), PLAN)
        jobs.stop(str(number))
        assert job.ended
    assert len(jobs._last) <= REMEMBERED + 2
    assert jobs.get("waiting") is kept
    assert jobs.get("0") is None
    assert jobs.get(str(REMEMBERED + 9)) is not None
    gate.set()
    assert kept.wait(PATIENCE)


def test_how_far_a_job_is_follows_the_plan() -> None:
    progress = Progress(dict(PLAN))
    progress.report("tune", 1, 2)
    assert progress.done_seconds == 1.0
    progress.report("stitch", 1, 3)
    assert progress.done_seconds == pytest.approx(4.0), "the stage before is finished"
    assert progress.left(elapsed=1.0) == pytest.approx(4.0), "too early to judge the pace"
    assert progress.left(elapsed=8.0) == pytest.approx(8.0), "at half the pace of the plan"


def test_a_stage_that_was_found_ready_costs_nothing() -> None:
    progress = Progress(dict(PLAN))
    progress.report("tune", 1, 1)
    assert progress.plan == {"tune": 0.0, "stitch": 6.0}
    progress.report("stitch", 3, 6)
    assert progress.left(elapsed=10.0) == pytest.approx(10.0)


def test_the_status_says_what_a_page_shows(gate: threading.Event) -> None:
    jobs = JobQueue()

    def work(job: Job) -> None:
        job.progress("tune", 1, 2)
        job.progress("composite", 1, 9)
        job.set_status(history=((1.0, 2.0, 3.0, 30.0),))
        job.count("pictures")
        held(gate)(job)

    job = jobs.submit("mine", "tune", work, PLAN)
    wait_for(lambda: job.status().pictures == 1)
    status = jobs.status("mine")
    assert status is not None
    assert (status.stage, status.done, status.total, status.kind) == ("tune", 1, 2, "tune")
    assert status.share == pytest.approx(1 / 8)
    assert status.seconds_left == pytest.approx(7.0)
    assert status.history[0][3] == 30.0
    version = status.version
    gate.set()
    assert job.wait(PATIENCE)
    ended = job.status()
    assert (ended.state, ended.share, ended.seconds_left, ended.finished) == ("done", 1.0, None, True)
    assert ended.version > version
    time.sleep(0.01)
    assert job.status().elapsed == ended.elapsed, "the clock stands still"


def test_an_edit_follows_the_tuning_of_its_own_run(gate: threading.Event) -> None:
    jobs, order = JobQueue(), []
    tuning = jobs.submit("mine", "tune", held(gate), PLAN)
    other = jobs.submit("yours", "align", lambda job: order.append(job.run_id), PLAN)
    edit = jobs.submit("mine", "edit", lambda job: order.append(job.run_id), PLAN)
    assert jobs.get("mine") is tuning
    with pytest.raises(StitError, match="at work"):
        jobs.submit("mine", "edit", held(gate), PLAN)
    gate.set()
    assert other.wait(PATIENCE)
    assert edit.ended
    assert order == ["mine", "yours"]
    assert jobs.get("mine") is edit


def test_stop_drops_what_was_to_follow(gate: threading.Event) -> None:
    jobs, begun = JobQueue(), []
    tuning = jobs.submit("mine", "tune", held(gate), PLAN)
    edit = jobs.submit("mine", "edit", lambda job: begun.append(job), PLAN)
    assert jobs.stop("mine")
    assert tuning.wait(PATIENCE)
    assert edit.wait(PATIENCE)
    assert (tuning.status().state, edit.status().state, begun) == ("stopped", "stopped", [])
    assert len(jobs) == 0
    assert jobs.get("mine") is tuning


# --- Beside the work ----------------------------------------------------------------------------------------------


def test_stages_that_were_found_ready_promise_nothing_about_the_rest() -> None:
    progress = Progress({"landmarks": 10.0, "tune": 30.0, "stitch": 60.0})
    progress.report("stitch", 1, 60)
    assert progress.done_seconds == pytest.approx(1.0)
    assert progress.left(elapsed=4.0) == pytest.approx(4.0 * 59)


def test_a_stage_that_is_not_planned_changes_no_other() -> None:
    progress = Progress(dict(PLAN))
    for stage in ("clip", "clip", "tune", "clip"):
        progress.report(stage, 1, 1 if stage == "clip" else 2)
    assert progress.plan == PLAN
    assert progress.done_seconds == pytest.approx(1.0)


def test_a_job_computes_with_the_threads_of_those_who_built_the_page() -> None:
    before, found = torch.get_num_threads(), []
    try:
        torch.set_num_threads(2)
        jobs = JobQueue()
        torch.set_num_threads(1)  # as a preview does meanwhile
        job = jobs.submit("mine", "align", lambda job: found.append(torch.get_num_threads()), PLAN)  # noqa: ARG005
        assert job.wait(PATIENCE)
        assert found == [2]
    finally:
        torch.set_num_threads(before)


def test_previews_leave_the_cores_to_the_heavy_work() -> None:
    before = torch.get_num_threads()
    try:
        compute_heavily(LIGHT + 1)
        with compute_lightly():
            assert torch.get_num_threads() == LIGHT
        assert torch.get_num_threads() == LIGHT + 1
    finally:
        torch.set_num_threads(before)


# --- Events of the visitor ---


def in_an_event(name: str, act: Callable[[], object]) -> None:
    """Act in a context of its own, as an event of gradio's does."""

    def event() -> None:
        VISITOR.set(name)
        act()

    contextvars.copy_context().run(event)


def test_an_event_serves_once_and_another_is_asked_for() -> None:
    jobs, seen = JobQueue(), []

    def work(job: Job) -> None:
        for _ in range(2):
            event = job.take_event(PATIENCE, PATIENCE)
            assert event is not None
            seen.append(event[VISITOR])

    in_an_event("button", lambda: jobs.submit("mine", "tune", work, PLAN))
    job = jobs.get("mine")
    assert job is not None
    wait_for(lambda: job.status().asks == 1)
    in_an_event("answer", lambda: jobs.lend_event("mine"))
    assert job.wait(PATIENCE)
    assert seen == ["button", "answer"]
    jobs.lend_event("mine")
    assert job._event is None, "nothing is kept of a request that comes after the end"


def test_an_event_that_is_too_old_is_none_and_a_stop_ends_the_waiting() -> None:
    jobs, seen = JobQueue(), []

    def work(job: Job) -> None:
        seen.append(job.take_event(-1.0, 0.0))
        seen.append(job.take_event(-1.0, PATIENCE))

    job = jobs.submit("mine", "tune", work, PLAN)
    wait_for(lambda: job.status().asks == 2)
    job.stop()
    assert job.wait(PATIENCE)
    assert seen == [None, None]
