"""One job of a run: what it does, how far it is, how it ended."""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from page.studio.visitors import CURRENT
from stit_core.runtime import CancelToken

Kind = Literal["align", "tune", "edit", "train", "review"]
State = Literal["waiting", "running", "saving", "done", "stopped", "failed", "interrupted"]
ENDED = ("done", "stopped", "failed", "interrupted")
INNER_STAGES = ("composite",)  # goes along with the stage "video", frame by frame
TURN = "@"  # between a stage's name and whose turn it is, where it is done once a person
TRUSTED_SECONDS = 3.0  # of work, after which its own pace is believed rather than the plan
LOOK_SECONDS = 0.2  # between two looks whether a job that waits for its visitor was stopped


@dataclass(frozen=True)
class Status:
    """A job as the page shows it.

    Attributes
    ----------
    kind, state: what it does and how far it is.
    ahead: jobs before it while it waits.
    stage, done, total: of the running stage.
    share: of the whole job, 0 to 1; seconds_left: of the whole job, None while unknown; elapsed: seconds so far.
    message, hint: why it failed, as plain text.
    warnings: what to know, in plain words.
    history: of the tuning, a row for each pass: L2, LPIPS, loss, PSNR in dB.
    version: grows with every change; pictures: grows when there is another picture to look at.
    frames_made, frames: stitched so far, and of the clip.
    feed_id: of the player's feed; output: what came of it.
    asks: how often it has asked for an event of its visitor, see `Job.take_event`.
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
    asks: int = 0

    @property
    def finished(self) -> bool:
        return self.state in ENDED


def stage_of_turn(stage: str, turn: int) -> str:
    """The name of a stage in the plan of a job that does it once a person, 0 being the first."""
    return f"{stage}{TURN}{turn}" if turn else stage


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
        self.stage, self.done, self.total = stage.partition(TURN)[0], done, total

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
    """One job of a run; written by the worker, read by the page, from any thread."""

    def __init__(self, run_id: str, kind: Kind, work: Callable[[Job], Any], plan: Mapping[str, float]) -> None:
        self.run_id, self.kind, self.work = run_id, kind, work
        self.token, self.saving_token = CancelToken(), CancelToken()
        self.discarded = False
        self.follower: Job | None = None  # of the same run; begins when this one is done
        self.result: Any = None
        self.context, self.visitor = contextvars.copy_context(), CURRENT.get()
        self._lock = threading.Lock()
        self._ended, self._arrived = threading.Event(), threading.Event()
        self._progress = Progress(dict(plan))
        self._facts: dict[str, Any] = {"state": "waiting"}
        self._version = 0
        self._started: float | None = None
        self._elapsed = 0.0
        self.watched = self.moved = time.monotonic()
        self._event: tuple[float, contextvars.Context] | None = (self.watched, self.context)

    # --- For the worker ---

    def progress(self, stage: str, done: int, total: int) -> None:
        """For Runtime.progress."""
        if stage in INNER_STAGES:
            return
        with self._lock:
            self._progress.report(stage, done, total)
            self._move()

    def set_status(self, **facts: Any) -> None:
        """Set fields of the status."""
        with self._lock:
            self._facts.update(facts)
            self._move()
            if facts.get("state") == "running":
                self._started = time.monotonic()
            if facts.get("state") in ENDED:
                self._elapsed = 0.0 if self._started is None else time.monotonic() - self._started
                self._ended.set()

    def count(self, name: str) -> None:
        """Add one to a number of the status."""
        with self._lock:
            self._facts[name] = self._facts.get(name, 0) + 1
            self._move()

    def _move(self) -> None:
        self._version += 1
        self.moved = time.monotonic()

    def warn(self, text: str) -> None:
        """Add something to know, once."""
        with self._lock:
            self._facts["warnings"] = (*dict.fromkeys((*self._facts.get("warnings", ()), text)),)
            self._version += 1

    @property
    def progressed(self) -> float:
        """Seconds of the plan that lie behind, without stages that were found ready."""
        with self._lock:
            return self._progress.done_seconds

    def expected(self, stages: Collection[str]) -> float:
        """Seconds of the plan that are still expected of stages."""
        with self._lock:
            known = self._progress
            return sum(known.plan.get(name, 0.0) * (1.0 - known.shares.get(name, 0.0)) for name in stages)

    def take_event(self, newest: float, patience: float) -> contextvars.Context | None:
        """The context of an event of the visitor's that serves once: what it carries ages, and is used up.

        Parameters
        ----------
        newest: seconds that it may be old.
        patience: seconds for which another is waited for, where there is none: its page is asked for it.

        Returns
        -------
        None where none came, or the job was stopped.
        """
        asked = False
        until = time.monotonic() + patience
        while not self.token.is_set():
            with self._lock:
                event, self._event = self._event, None
            if event is not None and (asked or time.monotonic() - event[0] <= newest):
                return event[1]
            if not asked:
                asked = True
                self.count("asks")
            if time.monotonic() >= until:
                return None
            self._arrived.wait(LOOK_SECONDS)
            self._arrived.clear()
        return None

    # --- For the page ---

    def lend_event(self) -> None:
        """Let the job act in the name of the event that calls this: what it takes from ZeroGPU is its visitor's."""
        if not self.ended:
            with self._lock:
                self._event = time.monotonic(), contextvars.copy_context()
            self._arrived.set()

    def let_go(self) -> None:
        """Keep nothing of the requests that began it and came since."""
        with self._lock:
            self.context, self._event = contextvars.Context(), None

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


@dataclass(frozen=True)
class JobEnded:
    """A job came to its end. Who listens to the queue gets one for each job, before the job itself shows its end.

    Attributes
    ----------
    run_id: the job's run.
    status: as the page shows it from now on.
    result: what the work returned; an Output for an edit.
    discarded: nobody wants what it made: its run is being deleted.
    """

    run_id: str
    status: Status
    result: Any = None
    discarded: bool = False

    @property
    def kind(self) -> Kind:
        return self.status.kind

    @property
    def done(self) -> bool:
        """Whether all of the work was done: it was not stopped and has not failed."""
        return self.status.state == "done"
