"""The queue of the visitors' jobs: one at a time, in order of arrival, kept by its run's id and by no session.

A job goes on when its tab is closed, can be watched from several, and is stopped by whoever knows the run's id, or when
nobody has watched it for a while.
"""

from __future__ import annotations

import dataclasses
import functools
import gc
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch

from page.studio.allowances import Crowded, JobAllowance
from page.studio.errors import for_visitors
from page.studio.job import Job, JobEnded, Kind, Status
from page.studio.torch_threads import do_in_own_thread
from stit_core.errors import Cancelled, StitError
from stit_core.memory import give_back_memory
from stit_core.store.disk import disk_errors

LOG = logging.getLogger(__name__)

REAP_SECONDS = 5.0
BEAT_SECONDS = 5.0  # between two signs of life of a worker that has nothing to do
REMEMBERED = 100  # ended jobs, whose runs are perhaps still looked at
UNEXPECTED = "Something went wrong on the server."
UNEXPECTED_HINT = "Nothing finished is lost: press the same button again."

Listener = Callable[[JobEnded], None]


@dataclasses.dataclass(frozen=True)
class WorkerState:
    """How the thread that carries out jobs is.

    Attributes
    ----------
    alive: whether it runs at all.
    working: whether it has a job; waiting: jobs that wait.
    quiet: seconds since it gave a sign of life: of a job, since its last progress.
    """

    alive: bool
    working: bool
    waiting: int
    quiet: float


class JobQueue:
    """The queue of jobs and the thread that works on it. Iterates over the ids of the runs whose job is not ended."""

    def __init__(self, longest: int = 20, patience: float = 600.0, allowance: JobAllowance | None = None) -> None:
        """`longest`: jobs that may wait; `patience`: seconds unwatched; `allowance`: of each visitor, None for any."""
        self._longest, self._patience, self._allowance = longest, patience, allowance
        self._listeners: tuple[Listener, ...] = ()
        self._threads = torch.get_num_threads()
        self._condition = threading.Condition()
        self._waiting: list[Job] = []
        self._current: Job | None = None
        self._last: dict[str, Job] = {}
        self._worker: threading.Thread | None = None
        self._beat = time.monotonic()

    def subscribe(self, *listeners: Listener) -> None:
        """Have these called at the end of each job, in this order; one that fails keeps the event from those after it.

        So what is kept is noted before what is not kept is deleted.
        """
        self._listeners += listeners

    def submit(self, run_id: str, kind: Kind, work: Callable[[Job], Any], plan: Mapping[str, float]) -> Job:
        """Put a job into the queue.

        Parameters
        ----------
        work: called with the job, in another thread, when its turn comes; what it returns becomes `job.result`.
        plan: seconds expected of each stage, in the order of the work.

        An edit may be put behind the alignment or the tuning of its own run: it begins when that is done, and is
        dropped when that fails or is stopped.

        Raises
        ------
        StitError: another job of this run is not ended, the queue is full, or the visitor has as many jobs as one may.
        """
        with self._condition:
            job, known = Job(run_id, kind, work, plan), self._last.get(run_id)
            if known is not None and not known.ended:
                if kind == "edit" and known.kind in ("align", "tune") and known.follower is None:
                    self._admit(job)
                    known.follower = job
                    return job
                raise StitError("The page is still at work for you.", "Wait until it has finished, or press Stop.")
            if len(self._waiting) >= self._longest:
                raise Crowded("Too many people are waiting just now.", "Try again in a few minutes.")
            self._admit(job)
            self._waiting.append(job)
            self._last[run_id] = job
            self._prune()
            self._begin()
            self._condition.notify_all()
            return job

    def _begin(self) -> threading.Thread:
        """The worker, begun if it is not; one that has died stays dead, for whoever looks after the server to see."""
        if self._worker is None:
            self._beat = time.monotonic()
            self._worker = threading.Thread(target=self._work, name="jobs", daemon=True)
            self._worker.start()
            threading.Thread(target=self._reap, name="reaper", daemon=True).start()
        return self._worker

    def worker_state(self) -> WorkerState:
        """How the worker is; it is begun if no job has done so yet."""
        with self._condition:
            worker, job = self._begin(), self._current
            sign = self._beat if job is None else max(self._beat, job.moved)
            return WorkerState(worker.is_alive(), job is not None, len(self._waiting), time.monotonic() - sign)

    def _admit(self, job: Job) -> None:
        """Raise Crowded for a job of a visitor who has as many as one may."""
        if self._allowance is None:
            return
        jobs = [known for known in self._last.values() if not known.ended]
        jobs += [known.follower for known in jobs if known.follower is not None]
        self._allowance.admit(job.visitor, [known.visitor for known in jobs])

    def _prune(self) -> None:
        """Remember the last ended jobs only; the record of its run says how an older one ended."""
        ended = sorted((job for job in self._last.values() if job.ended), key=lambda job: job.watched)
        for job in ended[: max(0, len(ended) - REMEMBERED)]:
            del self._last[job.run_id]

    def get(self, run_id: str) -> Job | None:
        """The job of a run, ended or not."""
        with self._condition:
            return self._last.get(run_id)

    def status(self, run_id: str) -> Status | None:
        """How a run's job is; whoever asks watches it."""
        job = self.get(run_id)
        if job is None:
            return None
        job.watched = time.monotonic()
        return job.status(self._ahead(job))

    def lend_event(self, run_id: str) -> None:
        """Let a run's job act in the name of the visitor's event that calls this, see `Job.take_event`."""
        job = self.get(run_id)
        if job is not None:
            job.lend_event()
            if job.follower is not None:
                job.follower.lend_event()

    def stop(self, run_id: str) -> bool:
        """Ask a run's job to stop, or drop it if it still waits; False where none waits or runs."""
        job = self.get(run_id)
        if job is None or job.ended:
            return False
        job.stop()
        self._drop(job)
        return True

    def forget(self, run_id: str, seconds: float = 10.0) -> None:
        """Stop a run's job, wait for its end up to `seconds`, and remember nothing of it."""
        job = self.get(run_id)
        if job is None:
            return
        job.discard()
        self._drop(job)
        job.wait(seconds)
        with self._condition:
            self._last.pop(run_id, None)

    def _busy(self) -> tuple[str, ...]:
        with self._condition:
            return tuple([run_id for run_id, job in self._last.items() if not job.ended])

    def __iter__(self) -> Iterator[str]:
        return iter(self._busy())

    def __contains__(self, run_id: object) -> bool:
        return run_id in self._busy()

    def __len__(self) -> int:
        return len(self._busy())

    # --- Threads ---

    def _ahead(self, job: Job) -> int:
        with self._condition:
            if job not in self._waiting:
                return 0
            working = self._current is not None and not self._current.ended  # what it held may still be given back
            return self._waiting.index(job) + working

    def _drop(self, job: Job) -> None:
        with self._condition:
            if job not in self._waiting:
                return
            self._waiting.remove(job)
        self._end(job, {"state": "stopped"})

    def _work(self) -> None:
        while True:
            with self._condition:
                self._current = None
                self._beat = time.monotonic()
                while not self._waiting:
                    self._condition.wait(BEAT_SECONDS)
                    self._beat = time.monotonic()
                job = self._current = self._waiting.pop(0)
            end: dict[str, Any] = {"state": "failed", "message": UNEXPECTED, "hint": UNEXPECTED_HINT}
            do_in_own_thread("job", functools.partial(_carry_out, job, end), self._threads)
            self._end(job, end)
            del job
            gc.collect()  # generators and optimisers hold cycles
            give_back_memory()

    def _end(self, job: Job, facts: dict[str, Any]) -> None:
        self._hand_over(job, facts)
        _let_go(job)
        event = JobEnded(job.run_id, dataclasses.replace(job.status(), **facts), job.result, job.discarded)
        try:
            for listener in self._listeners:
                listener(event)
        except Exception:  # the job has ended all the same
            LOG.exception("the end of a job could not be noted")
        job.set_status(**facts)

    def _hand_over(self, job: Job, facts: dict[str, Any]) -> None:
        """Let the job's follower take its place, before the others that wait, or drop it."""
        with self._condition:
            follower = job.follower
            if follower is None:
                return
            if facts["state"] != "done" or job.token.is_set():
                _let_go(follower)
                follower.set_status(state="stopped")
                return
            follower.watched = job.watched
            self._last[job.run_id] = follower
            self._waiting.insert(0, follower)

    def _reap(self) -> None:
        while True:
            time.sleep(REAP_SECONDS)
            self.stop_unwatched()

    def stop_unwatched(self) -> Sequence[str]:
        """Stop the jobs that nobody has asked about for `patience` seconds; gives their runs."""
        oldest = time.monotonic() - self._patience
        with self._condition:
            left = [job for job in self._last.values() if not job.ended and job.watched < oldest]
        left = [job for job in left if not job.token.is_set()]
        for job in left:
            LOG.info("a job that nobody watches is stopped")
            self.stop(job.run_id)
        return [job.run_id for job in left]


def _carry_out(job: Job, end: dict[str, Any]) -> None:
    """Do a job's work; `end` becomes how it ended, as fields of the status."""
    found = job.context.run(_do, job)
    end.clear()
    end.update(found)


def _do(job: Job) -> dict[str, Any]:
    job.set_status(state="running")
    try:
        with disk_errors("A file of this run"):
            job.result = job.work(job)
        return {"state": "done"}
    except Cancelled:
        return {"state": "stopped"}
    except StitError as error:
        if job.token.is_set():  # what Stop interrupted complained about it
            return {"state": "stopped"}
        said = for_visitors(error)
        if said is not error:
            LOG.warning("the job '%s' failed: %s", job.kind, error)
        return {"state": "failed", "message": said.message, "hint": said.hint}
    except Exception:  # the last boundary before the browser: logged here, in plain words there
        LOG.exception("the job '%s' failed", job.kind)
        return {"state": "failed", "message": UNEXPECTED, "hint": UNEXPECTED_HINT}


def _let_go(job: Job) -> None:
    """Keep nothing of what the work held, nor of the request that began it."""
    job.work = _nothing
    job.let_go()


def _nothing(job: Job) -> None:
    """Stands in for work that is over."""
