"""Who is counted as one visitor, and how much one may have."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from page.studio.allowances import Crowded, JobAllowance, Rate, is_within
from page.studio.folders import new_id
from page.studio.job import Job
from page.studio.queue import JobQueue
from page.studio.visitors import CURRENT, Visitor

HOME, AWAY = "198.51.100.7", "203.0.113.9"


@pytest.fixture
def as_visitor() -> Iterator[None]:
    """Whoever was asking asks again afterwards."""
    token = CURRENT.set(None)
    yield
    CURRENT.reset(token)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (Visitor("a", HOME), Visitor("a", AWAY), True),  # a browser on the move
        (Visitor("a", HOME), Visitor("b", HOME), True),  # up to what an address may have
        (Visitor("a", HOME), Visitor("b", AWAY), False),
        (Visitor("a", "127.0.0.1"), Visitor("b", "127.0.0.1"), False),  # a proxy that nobody named
        (Visitor("a", ""), Visitor("b", ""), False),
        (Visitor("", HOME), Visitor("", HOME), True),
        (Visitor("", HOME), Visitor("", AWAY), False),
        (Visitor("a", "2001:db8::1"), Visitor("b", "2001:db8::2"), True),  # of one household
        (Visitor("a", "2001:db8::1"), Visitor("b", "2001:db8:0:1::1"), False),
        (Visitor("a", f"::ffff:{HOME}"), Visitor("b", HOME), True),
    ],
)
def test_what_is_counted_together(one: Visitor, other: Visitor, same: bool) -> None:
    shared = one.allowances(2, 4).keys() & other.allowances(2, 4).keys()
    assert bool(shared) == same


def test_an_address_has_the_allowance_of_a_few_visitors() -> None:
    held = [Visitor("a", HOME)] * 2
    assert not is_within(Visitor("a", HOME), held, 2, 3)
    assert is_within(Visitor("b", HOME), held, 2, 3)
    held += [Visitor(str(number), HOME) for number in range(4)]
    assert not is_within(Visitor("fresh", HOME), held, 2, 3), "however many cookies it makes up"
    assert is_within(Visitor("fresh", AWAY), held, 2, 3)


def test_a_rate_lets_go_of_what_is_long_past() -> None:
    now = [0.0]
    rate, visitor = Rate(2, 4, 60.0, lambda: now[0]), Visitor("a", HOME)
    assert rate.take(visitor) == 0
    now[0] = 10.0
    assert rate.take(visitor) == 0
    now[0] = 20.0
    assert rate.take(visitor) == pytest.approx(40.0), "until the first is a minute old"
    assert rate.take(Visitor("b", AWAY)) == 0
    now[0] = 60.0
    assert rate.take(visitor) == 0
    assert rate.take(visitor) == pytest.approx(10.0)


def test_the_ninth_job_of_a_visitor_gets_words() -> None:
    allowance, visitor = JobAllowance(8, 60, 4), Visitor("a", HOME)
    for count in range(8):
        allowance.admit(visitor, [visitor] * count)
    with pytest.raises(Crowded, match="8 jobs waiting or running") as refused:
        allowance.admit(visitor, [visitor] * 8)
    assert refused.value.hint
    allowance.admit(None, [visitor] * 8)


def test_jobs_within_an_hour_end_in_words_that_say_when() -> None:
    allowance, visitor = JobAllowance(8, 3, 4), Visitor("a", HOME)
    for _ in range(3):
        allowance.admit(visitor, [])
    with pytest.raises(Crowded, match="3 jobs within an hour") as refused:
        allowance.admit(visitor, [])
    assert "60 min" in refused.value.hint


@pytest.mark.usefixtures("as_visitor")
def test_the_21st_in_the_queue_and_the_ninth_of_a_visitor_are_refused_at_once() -> None:
    """Jobs that wait, that run, and that are put behind another one of their run all count."""
    go_on, begun = threading.Event(), threading.Event()

    def work(job: Job) -> None:
        begun.set()
        assert go_on.wait(60) or job

    jobs = JobQueue(20, allowance=JobAllowance(8, 60, 4))
    try:
        CURRENT.set(Visitor("a", HOME))
        jobs.submit(run := new_id(), "align", work, {})
        assert begun.wait(60)
        jobs.submit(run, "edit", work, {})
        for _ in range(6):
            jobs.submit(new_id(), "edit", work, {})
        with pytest.raises(Crowded, match="as many as one visitor may have"):
            jobs.submit(new_id(), "edit", work, {})
        for number in range(14):
            CURRENT.set(Visitor(f"b{number}", f"203.0.113.{number}"))
            jobs.submit(new_id(), "edit", work, {})
        CURRENT.set(Visitor("c", AWAY))
        with pytest.raises(Crowded, match="Too many people are waiting"):
            jobs.submit(new_id(), "edit", work, {})
    finally:
        go_on.set()
        for run_id in tuple(jobs):
            jobs.forget(run_id)
