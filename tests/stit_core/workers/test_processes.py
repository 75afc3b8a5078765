"""Tasks in processes of this machine: results, failures, deaths, stops and what is left of them."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from stit_core.errors import Cancelled, StitError
from stit_core.runtime import CancelToken
from stit_core.workers.processes import LocalProcesses
from stit_core.workers.scheduling import Scheduler
from stit_core.workers.tasks import Outcome, Role, Task
from tests.support.worker_roles import ROLE


def run(works: Iterable[tuple[str, ...]], jobs: int = 2, retries: int = 1, setup: object = None) -> list[Outcome]:
    workers = LocalProcesses(Role(ROLE, setup), ("cpu",), jobs, 1)
    tasks = [Task(number, work) for number, work in enumerate(works)]
    return [outcome for outcome in Scheduler(workers, tasks, CancelToken(), retries).run() if outcome is not None]


def numbers(scheduler: Scheduler) -> Iterator[int]:
    """Of the tasks, as they are settled."""
    yield from (outcome.task.number for outcome in scheduler.run() if outcome is not None)


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_failures_and_deaths_leave_the_other_tasks_alone(tmp_path: Path) -> None:
    never = str(tmp_path / "no" / "folder")
    works = [("echo", "a"), ("fail",), ("bug",), ("die", str(tmp_path / "died")), ("die", never), ("echo", "b")]
    found = {outcome.task.number: outcome for outcome in run(works)}
    assert sorted(found) == list(range(6))
    assert [found[k].result[1] for k in (0, 5)] == ["a", "b"]
    assert found[3].result is not None, "a task whose worker died is given to another"
    failures = [found[k].failure for k in (1, 2, 4)]
    assert all(failures)
    told = [failure.message for failure in failures if failure]
    assert told[0] == "No face was found."
    assert "ZeroDivisionError" in told[1]
    assert failures[1] is not None
    assert "Traceback" in failures[1].details
    assert told[2] == "Its worker died 2 times: killed by SIGKILL."
    pids = {outcome.result[2] for outcome in found.values() if outcome.result}
    assert os.getpid() not in pids
    assert all(is_gone(pid) for pid in pids)


def test_a_worker_that_cannot_begin_ends_all_with_its_words() -> None:
    with pytest.raises(StitError, match="The pack lacks a file"):
        run([("echo", "a")] * 3, setup="broken")


def test_what_no_other_task_can_survive_ends_the_list() -> None:
    seen: list[int] = []
    workers = LocalProcesses(Role(ROLE, None), ("cpu",), 1, 1)
    tasks = [Task(0, ("echo", "a")), Task(1, ("end",)), *(Task(k, ("echo", "b")) for k in range(2, 50))]
    with pytest.raises(StitError, match="The disk is full") as error:
        seen.extend(numbers(Scheduler(workers, tasks, CancelToken())))
    assert seen == [0, 1]
    assert error.value.hint == "Free some space."


def test_a_stop_breaks_off_what_runs_and_begins_nothing(tmp_path: Path) -> None:
    cancel = CancelToken()
    waiting = tmp_path / "waiting"
    workers = LocalProcesses(Role(ROLE, None), ("cpu",), 1, 1)
    tasks = [Task(0, ("echo", "a")), Task(1, ("wait", str(waiting))), Task(2, ("echo", "b"))]
    steps: list[tuple[int, str]] = []
    found: list[int] = []

    def stop() -> None:
        limit = time.monotonic() + 60
        while not waiting.exists() and time.monotonic() < limit:
            time.sleep(0.01)
        cancel.set()

    threading.Thread(target=stop).start()
    scheduler = Scheduler(workers, tasks, cancel, watch=lambda task, stage, *_: steps.append((task.number, stage)))
    with pytest.raises(Cancelled):
        found.extend(numbers(scheduler))
    assert found == [0]
    assert set(steps) <= {(1, "waiting")}


def test_devices_are_shared_out_evenly() -> None:
    workers = LocalProcesses(Role(ROLE, None), ("one", "two"), 3, 1)
    try:
        for _ in range(3):
            workers.start()
        used = sorted(each.device for each in workers._alive.values())
    finally:
        workers.close()
    assert used == ["one", "one", "two"]
