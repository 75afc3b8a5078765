"""The heavy work of the visitors: one job at a time, in order of arrival, kept by its run's id and by no session.

A job goes on when its tab is closed, can be watched from several, and is stopped by whoever knows the run's id, or when
nobody has watched it for a while.
"""

from __future__ import annotations

import contextvars
import gc
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch

from page.studio.torch_threads import compute_heavily
from stit_core.errors import Cancelled, StitError
from stit_core.memory import give_back_memory
from stit_core.runtime import CancelToken
from stit_core.store.runs import disk_errors

LOG = logging.getLogger(__name__)

Kind = Literal["align", "tune", "edit", "train"]
State = Literal["waiting", "running", "saving", "done", "stopped", "failed", "interrupted"]
ENDED = ("done", "stopped", "failed", "interrupted")
INNER_STAGES = ("composite",)  # goes along with the stage "video", frame by frame
TRUSTED_SECONDS = 3.0  # of work, after which its own pace is believed rather than the plan
REAP_SECONDS = 5.0
REMEMBERED = 100  # ended jobs, whose runs are perhaps still looked at
UNEXPECTED = "Something went wrong on the server."
UNEXPECTED_HINT = "Nothing finished is lost: press the same button again."
INTERRUPTED = "The server was started anew while it worked."
INTERRUPTED_HINT = "Press the same button again: it goes on from there."


@dataclass(frozen=True)
class Status:
    """A job as the page shows it.

    Attributes
    ----------
    kind, state: what it does and how far it is.
    ahead: jobs before it while it waits.
    stage, done, total: of the stage at work.
    share: of the whole job, 0 to 1; seconds_left: of the whole job, None while unknown; elapsed: seconds at work.
    message, hint: why it failed, as plain text.
    warnings: what to know, in plain words.
    history: of the tuning, a row for each pass: L2, LPIPS, loss, PSNR in dB.
    version: grows with every change; pictures: grows when there is another picture to look at.
    frames_made, frames: stitched so far, and of the clip.
    feed_id: of the player's feed; output: what came of it.
    """

    kind: Kind
    state: State
    ahead: int = 0
    stage: str = ""
    done: int = 0
    total: int = 0
    share: float = 0.0
    seconds_left: float | None = None
    elapsed: float = 0.0
    message: str = ""
    hint: str = ""
    warnings: tuple[str, ...] = ()
    history: tuple[tuple[float, ...], ...] = ()
    version: int = 0
    pictures: int = 0
    frames_made: int = 0
    frames: int = 0
    feed_id: str | None = None
    output: Any = None

    @property
    def finished(self) -> bool:
        return self.state in ENDED


@dataclass
class Progress:
    """How far a job is, by the seconds that each of its stages is expected to take."""

    plan: dict[str, float]
    shares: dict[str, float] = field(default_factory=dict)
    stage: str = ""
    done: int = 0
    total: int = 0

    def report(self, stage: str, done: int, total: int) -> None:
        """Note a step. A stage whose first word is that all of it is done was found ready and costs nothing."""
        if stage in self.plan:
            if stage not in self.shares and done >= total:
                self.plan[stage] = 0.0
            names = list(self.plan)
            for name in names[: names.index(stage)]:  # those before it are finished, whether or not they said so
                if name not in self.shares:  # and those that never did were found ready
                    self.plan[name] = 0.0
                self.shares[name] = 1.0
        self.shares[stage] = min(1.0, done / total) if total > 0 else 0.0
        self.stage, self.done, self.total = stage, done, total

    @property
    def done_seconds(self) -> float:
        """Of the plan, what lies behind."""
        return sum(seconds * self.shares.get(name, 0.0) for name, seconds in self.plan.items())

    def left(self, elapsed: float) -> float:
        """Seconds that the rest will take, at the pace so far."""
        behind = self.done_seconds
        ahead = max(0.0, sum(self.plan.values()) - behind)
        pace = elapsed / behind if elapsed > TRUSTED_SECONDS and behind > 0 else 1.0
        return ahead * pace


class Job:
    """One piece of heavy work of a run; written by the worker, read by the page, from any thread."""

    def __init__(self, run_id: str, kind: Kind, work: Callable[[Job], Any], plan: Mapping[str, float]) -> None:
        self.run_id, self.kind, self.work = run_id, kind, work
        self.token, self.saving_token = CancelToken(), CancelToken()
        self.discarded = False
        self.follower: Job | None = None  # of the same run; begins when this one is done
        self.result: Any = None
        self.context = contextvars.copy_context()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._progress = Progress(dict(plan))
        self._facts: dict[str, Any] = {"state": "waiting"}
        self._version = 0
        self._started: float | None = None
        self._elapsed = 0.0
        self.watched = time.monotonic()

    # --- For the worker ---

    def progress(self, stage: str, done: int, total: int) -> None:
        """For Runtime.progress."""
        if stage in INNER_STAGES:
            return
        with self._lock:
            self._progress.report(stage, done, total)
            self._version += 1

    def set_status(self, **facts: Any) -> None:
        """Set fields of the status."""
        with self._lock:
            self._facts.update(facts)
            self._version += 1
            if facts.get("state") == "running":
                self._started = time.monotonic()
            if facts.get("state") in ENDED:
                self._elapsed = 0.0 if self._started is None else time.monotonic() - self._started
                self._ended.set()

    def count(self, name: str) -> None:
        """Add one to a number of the status."""
        with self._lock:
            self._facts[name] = self._facts.get(name, 0) + 1
            self._version += 1

    # --- For the page ---

    @property
    def ended(self) -> bool:
        return self._ended.is_set()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for the end; False where it did not come in time."""
        return self._ended.wait(seconds)

    def stop(self) -> None:
        """Ask it to stop; the second time, also to leave what there is unsaved."""
        if self.token.is_set():
            self.saving_token.set()
        self.token.set()

    def discard(self) -> None:
        """Stop it at once: nobody wants what it makes."""
        self.discarded = True
        self.token.set()
        self.saving_token.set()

    def status(self, ahead: int = 0) -> Status:
        """The job as it is now."""
        with self._lock:
            facts, progress = dict(self._facts), self._progress
            elapsed = self._elapsed or (0.0 if self._started is None else time.monotonic() - self._started)
            total = sum(progress.plan.values())
            state = facts["state"]
            return Status(
                kind=self.kind,
                ahead=ahead,
                stage=progress.stage,
                done=min(progress.done, progress.total),
                total=progress.total,
                share=1.0 if state == "done" else min(1.0, progress.done_seconds / total) if total > 0 else 0.0,
                seconds_left=progress.left(elapsed) if state == "running" and total > 0 else None,
                elapsed=elapsed,
                version=self._version,
                **facts,
            )


Ended = Callable[[Job, Mapping[str, Any]], None]


class JobQueue:
    """The queue of jobs and the thread that works on it. Iterates over the ids of the runs whose job is not ended."""

    def __init__(self, longest: int = 20, patience: float = 600.0, ended: Ended | None = None) -> None:
        """`longest`: jobs that may wait; `patience`: seconds unwatched; `ended`: told of each end before it shows."""
        self._longest, self._patience, self._tell_ended = longest, patience, ended
        self._threads = torch.get_num_threads()
        self._condition = threading.Condition()
        self._waiting: list[Job] = []
        self._current: Job | None = None
        self._last: dict[str, Job] = {}
        self._begun = False

    def submit(self, run_id: str, kind: Kind, work: Callable[[Job], Any], plan: Mapping[str, float]) -> Job:
        """Put a job into the queue.

        Parameters
        ----------
        work: called with the job, in another thread, when its turn comes; what it returns becomes `job.result`.
        plan: seconds expected of each stage, in the order of the work.

        An edit may be put behind the alignment or the tuning of its own run: it begins when that is done, and is
        dropped when that fails or is stopped.
        Raises: StitError while another job of this run is not ended, or when the queue is full.
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
        compute_heavily(self._threads)
        while True:
            with self._condition:
                self._current = None
                while not self._waiting:
                    self._condition.wait()
                job = self._current = self._waiting.pop(0)
            self._end(job, job.context.run(_carry_out, job))
            del job
            gc.collect()  # generators and optimisers hold cycles
            give_back_memory()

    def _end(self, job: Job, facts: dict[str, Any]) -> None:
        self._hand_over(job, facts)
        _let_go(job)
        if self._tell_ended is not None:
            try:
                self._tell_ended(job, facts)
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


def _carry_out(job: Job) -> dict[str, Any]:
    """Do a job's work; how it ended, as fields of the status."""
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
    except Exception:  # the last boundary before the browser: logged here, told in plain words there
        LOG.exception("the job '%s' failed", job.kind)
        return {"state": "failed", "message": UNEXPECTED, "hint": UNEXPECTED_HINT}


def _let_go(job: Job) -> None:
    """Keep nothing of what the work held, nor of the request that began it."""
    job.work, job.context = _nothing, contextvars.Context()


def _nothing(job: Job) -> None:
    """Stands in for work that is over."""
