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

from page.studio.job import Job, JobEnded, Kind, Status
from page.studio.torch_threads import do_in_own_thread
from stit_core.errors import Cancelled, StitError
from stit_core.memory import give_back_memory
from stit_core.store.disk import disk_errors

LOG = logging.getLogger(__name__)

REAP_SECONDS = 5.0
REMEMBERED = 100  # ended jobs, whose runs are perhaps still looked at
UNEXPECTED = "Something went wrong on the server."
UNEXPECTED_HINT = "Nothing finished is lost: press the same button again."

Listener = Callable[[JobEnded], None]


class JobQueue:
    """The queue of jobs and the thread that works on it. Iterates over the ids of the runs whose job is not ended."""

    def __init__(self, longest: int = 20, patience: float = 600.0) -> None:
        """`longest`: jobs that may wait; `patience`: seconds unwatched."""
        self._longest, self._patience = longest, patience
        self._listeners: tuple[Listener, ...] = ()
        self._threads = torch.get_num_threads()
        self._condition = threading.Condition()
        self._waiting: list[Job] = []
        self._current: Job | None = None
        self._last: dict[str, Job] = {}
        self._begun = False

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
        StitError: another job of this run is not ended, or the queue is full.
        """
        with self._condition:
            known = self._last.get(run_id)
            if known is not None and not known.ended:
                if kind == "edit" and known.kind in ("align", "tune") and known.follower is None:
                    known.follower = Job(run_id, kind, work, plan)
                    return known.follower
                raise StitError("The page is still at work for you.", "Wait until it has finished, or press Stop.")
            if len(self._waiting) >= self._longest:
                raise StitError("Too many people are waiting just now.", "Try again in a few minutes.")
            job = Job(run_id, kind, work, plan)
            self._waiting.append(job)
            self._last[run_id] = job
            self._prune()
            if not self._begun:
                self._begun = True
                threading.Thread(target=self._work, name="jobs", daemon=True).start()
                threading.Thread(target=self._reap, name="reaper", daemon=True).start()
            self._condition.notify_all()
            return job

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
                while not self._waiting:
                    self._condition.wait()
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
        return {"state": "failed", "message": error.message, "hint": error.hint}
    except Exception:  # the last boundary before the browser: logged here, in plain words there
        LOG.exception("the job '%s' failed", job.kind)
        return {"state": "failed", "message": UNEXPECTED, "hint": UNEXPECTED_HINT}


def _let_go(job: Job) -> None:
    """Keep nothing of what the work held, nor of the request that began it."""
    job.work = _nothing
    job.let_go()


def _nothing(job: Job) -> None:
    """Stands in for work that is over."""
