"""Whether the server can still make videos: what the health check of a container asks.

A page that answers says little: jobs are carried out by one thread, which may have died or hang in a call that does not
return, and a full disk ends every job.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import Any

from page.settings import PageSettings
from page.studio.queue import BEAT_SECONDS, JobQueue

IDLE_SECONDS = 12 * BEAT_SECONDS  # without a sign of life of a worker that has nothing to do
LEAST_FREE_GB = 0.2
GIGABYTE = 1e9


@dataclass(frozen=True)
class Health:
    """How the server is.

    Attributes
    ----------
    problems: in words; none where all is well.
    alive, working, waiting, quiet: of the worker, as WorkerState has them.
    disk_free_gb: where runs lie; None where it does not answer.
    """

    problems: tuple[str, ...]
    alive: bool
    working: bool
    waiting: int
    quiet: float
    disk_free_gb: float | None

    def as_json(self) -> dict[str, Any]:
        """The same as one JSON object."""
        return {
            "status": "failing" if self.problems else "ok",
            "problems": list(self.problems),
            "worker": {
                "alive": self.alive,
                "working": self.working,
                "waiting": self.waiting,
                "seconds_since_progress": round(self.quiet, 1),
            },
            "disk_free_gb": self.disk_free_gb,
        }


def read_health(jobs: JobQueue, settings: PageSettings) -> Health:
    """How the worker and the disk are."""
    worker, free = jobs.worker_state(), _free(settings)
    longest = 60 * settings.stuck_minutes if worker.working else IDLE_SECONDS
    problems = []
    if not worker.alive:
        problems.append("The worker has died: start the server again.")
    elif worker.quiet > longest:
        problems.append(f"The worker has made no progress for {worker.quiet:.0f} s: start the server again.")
    if free is None:
        problems.append("The folder of runs cannot be read.")
    elif free < LEAST_FREE_GB:
        problems.append(f"The disk of the runs is full: {free:.2f} GB are free.")
    return Health(tuple(problems), worker.alive, worker.working, worker.waiting, worker.quiet, free)


def _free(settings: PageSettings) -> float | None:
    try:
        return round(shutil.disk_usage(settings.root).free / GIGABYTE, 3)
    except OSError:
        return None
