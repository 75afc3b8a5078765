"""The order in which tasks are given out, and how little of their list is read."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import pytest

from stit_core.errors import StitError
from stit_core.runtime import CancelToken
from stit_core.workers.scheduling import HELD_BACK, STILLBORN, Feed, Scheduler
from stit_core.workers.tasks import Died, Done, Event, Failure, Ready, Task


class Script:
    """Workers that finish whatever they are given at the next look, and write down what was at the same time."""

    def __init__(self, slots: int, stillborn: int = 0) -> None:
        self.slots, self.stillborn = slots, stillborn
        self.given: list[object] = []
        self.most = self.started = 0
        self.closed = False
        self._news: deque[Event] = deque()
        self._busy: dict[int, object] = {}

    def start(self) -> int:
        self.started += 1
        self._news.append(Died(self.started, "no room") if self.started <= self.stillborn else Ready(self.started))
        return self.started

    def give(self, worker: int, work: object) -> None:
        self.given.append(work)
        self._busy[worker] = work
        self.most = max(self.most, len(self._busy))

    def stop(self, worker: int) -> None:
        self._busy.pop(worker)
        self._news.append(Done(worker, failure=Failure("stopped", stopped=True)))

    def events(self, seconds: float) -> list[Event]:  # noqa: ARG002 (the signature of workers)
        if self._news:
            return [self._news.popleft()]
        if not self._busy:
            return []
        worker = next(iter(self._busy))
        return [Done(worker, self._busy.pop(worker))]

    def close(self) -> None:
        self.closed = True


def outcomes(workers: Script, tasks: Iterator[Task | None] | list[Task], **more: int) -> list[object]:
    scheduler = Scheduler(workers, tasks, CancelToken(), **more)  # type: ignore[arg-type]
    return [outcome.result for outcome in scheduler.run() if outcome is not None]


def test_every_task_is_done_once_and_never_more_than_there_are_workers() -> None:
    workers = Script(3)
    assert sorted(outcomes(workers, [Task(k, k) for k in range(20)])) == list(range(20))  # type: ignore[type-var]
    assert workers.most == workers.started == 3
    assert workers.closed


def test_no_more_workers_are_started_than_there_are_tasks() -> None:
    workers = Script(8)
    outcomes(workers, [Task(k, k) for k in range(2)])
    assert workers.started == 2
    idle = Script(8)
    assert outcomes(idle, iter([None, None])) == []
    assert idle.started == 0, "where there is nothing to do, nothing is started"


def test_the_list_is_read_no_further_than_it_must_be() -> None:
    read = 0
    workers = Script(2)

    def tasks() -> Iterator[Task | None]:
        nonlocal read
        for number in range(100):
            read += 1
            yield Task(number, number)
            assert read - len(workers.given) <= 3
            yield None

    assert len(outcomes(workers, tasks())) == 100


def test_tasks_of_a_group_follow_each_other() -> None:
    feed = Feed(Task(k, k, frozenset({"same"} if k < 5 else {str(k)})) for k in range(8))
    assert feed.fill(3) == 3
    first, second = feed.next(), feed.next()
    assert first is not None
    assert second is not None
    assert (first.task.number, second.task.number) == (0, 5)
    feed.finished(first)
    third = feed.next()
    assert third is not None
    assert third.task.number == 1


def test_what_is_held_back_has_a_bound() -> None:
    read = []

    def tasks() -> Iterator[Task]:
        for number in range(10 * HELD_BACK):
            read.append(number)
            yield Task(number, number, frozenset({"same"}))

    feed = Feed(tasks())
    assert feed.fill(4) == 1
    assert len(read) == HELD_BACK


def test_workers_that_never_begin_end_the_list_in_words() -> None:
    workers = Script(1, stillborn=STILLBORN)
    with pytest.raises(StitError, match="No worker could be started: no room"):
        outcomes(workers, [Task(0, 0)])
    assert workers.closed
    assert outcomes(Script(1, stillborn=STILLBORN - 1), [Task(0, 0)]) == [0]
