"""Tasks on a Ray of this machine, and what of a cluster a worker takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stit_core.errors import Cancelled, StitError
from stit_core.runtime import CancelToken
from stit_core.workers import ray_cluster
from stit_core.workers.ray_cluster import RayActors, Share, share_of, slots_of
from stit_core.workers.scheduling import Scheduler
from stit_core.workers.tasks import Outcome, Role, Task
from tests.support.worker_roles import ROLE

pytest_plugins = ["tests.support.fixtures_ray"]


def machine(cpus: float, gpus: float = 0.0, alive: bool = True) -> dict[str, Any]:
    return {"Alive": alive, "Resources": {"CPU": cpus, "GPU": gpus, "memory": 1e9}}


@pytest.mark.parametrize(
    ("machines", "threads", "gpus", "share", "slots"),
    [
        ([machine(4), machine(2), machine(8, alive=False)], None, None, Share(1, 0.0), 6),
        ([machine(16, 2), machine(4)], None, None, Share(4, 1.0), 2),
        ([machine(16, 2), machine(4)], None, 0.5, Share(4, 0.5), 4),
        ([machine(2, 1)], None, None, Share(2, 1.0), 1),
        ([machine(16, 8)], 3, 1.0, Share(3, 1.0), 5),
        ([machine(16, 8)], 3, 0.0, Share(3, 0.0), 5),
        ([machine(4)], 8, None, Share(8, 0.0), 0),
        ([{"Alive": True}], None, None, Share(1, 0.0), 0),
    ],
)
def test_a_worker_takes_a_gpu_or_a_core(
    machines: list[dict[str, Any]], threads: int | None, gpus: float | None, share: Share, slots: int
) -> None:
    assert share_of(machines, threads, gpus) == share
    assert slots_of(machines, share) == slots


def test_tasks_on_ray_end_as_they_do_here(ray: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_cluster, "TELL", 0.0)  # so that answers on progress and results cross each other
    never = str(tmp_path / "no" / "folder")
    works = [("steps", 8)] * 20 + [("fail",), ("die", str(tmp_path / "died")), ("die", never), ("echo", "b")]
    steps: list[str] = []
    role = Role(ROLE, None)
    with pytest.raises(StitError, match="No machine of the cluster has 2 cores and 1 GPUs"):
        RayActors(Absent(ray), role, "cpu", None, 2, 1.0)
    workers = RayActors(ray, role, "cpu", None, None, None)
    assert (workers.slots, workers.share) == (2, Share(1, 0.0))
    monkeypatch.setattr(ray, "shutdown", lambda: None)  # the same Ray serves once more below
    tasks = [Task(number, work) for number, work in enumerate(works)]
    scheduler = Scheduler(workers, tasks, CancelToken(), 1, lambda _, stage, *__: steps.append(stage))
    found: dict[int, Outcome] = {outcome.task.number: outcome for outcome in scheduler.run() if outcome is not None}
    assert sorted(found) == list(range(len(works)))
    failures = {number: outcome.failure.message for number, outcome in found.items() if outcome.failure}
    assert failures[20] == "No face was found."
    assert failures[22].startswith("Its worker died 2 times: ")
    assert sorted(failures) == [20, 22]
    assert found[21].result is not None
    assert set(steps) <= {"", "stepping"}
    assert "stepping" in steps

    cancel = CancelToken()
    tasks = [Task(0, ("echo", "a")), Task(1, ("wait", str(tmp_path / "waiting"))), Task(2, ("echo", "b"))]

    def stop(task: Task, stage: str, *_: int) -> None:
        if (task.number, stage) == (1, "waiting"):
            cancel.set()

    workers = RayActors(ray, role, "cpu", 1, None, None)
    seen: list[int] = []
    with pytest.raises(Cancelled):
        seen.extend(o.task.number for o in Scheduler(workers, tasks, cancel, 1, stop).run() if o is not None)
    assert seen == [0]

    monkeypatch.undo()
    broken = Scheduler(RayActors(ray, Role(ROLE, "broken"), "cpu", 1, None, None), tasks, CancelToken())
    with pytest.raises(StitError, match="The pack lacks a file"):
        list(broken.run())


class Absent:
    """The same Ray, left connected where it would be disconnected."""

    def __init__(self, ray: Any) -> None:
        self.nodes = ray.nodes

    def shutdown(self) -> None:
        pass
