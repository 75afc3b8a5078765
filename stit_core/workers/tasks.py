"""What is to be done, who does it, and what comes back: the contracts between a list of tasks and where they run.

A task is small and its result is smaller: pictures and videos are written by the worker, to folders that all workers
share. Source: ours.
"""

from __future__ import annotations

import importlib
import threading
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from stit_core.errors import Cancelled, StitError
from stit_core.runtime import CancelToken, Progress, torch_threads

Doing = Callable[[Any, Progress, CancelToken], Any]


class CannotGoOn(StitError):
    """What keeps every other task from succeeding too, such as a full disk."""


@dataclass(frozen=True)
class Task:
    """One thing to do.

    Attributes
    ----------
    number: its place among the tasks.
    work: what the role is given; it can be pickled, and is small.
    groups: two tasks that share one never run at the same time, because they would write the same files.
    """

    number: int
    work: Any
    groups: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Role:
    """What a worker does with each task, made once in every worker.

    Attributes
    ----------
    factory: "module:name" of what is called with (setup, device) and gives a function of (work, progress, cancel).
    setup: for all tasks; it can be pickled.
    """

    factory: str
    setup: Any

    def make(self, device: str) -> Doing:
        """The function that does a task, with everything loaded that it needs. Raises StitError."""
        module, _, name = self.factory.partition(":")
        made: Doing = getattr(importlib.import_module(module), name)(self.setup, device)
        return made


@dataclass(frozen=True)
class Failure:
    """Why there is no result.

    Attributes
    ----------
    message, hint: as of a StitError.
    ends: whether no other task can succeed either.
    stopped: whether it was only stopped.
    details: for whoever mends the program; empty where the message says it all.
    """

    message: str
    hint: str = ""
    ends: bool = False
    stopped: bool = False
    details: str = ""


@dataclass(frozen=True)
class Outcome:
    """What became of a task: its result, or why there is none."""

    task: Task
    result: Any = None
    failure: Failure | None = None


@dataclass(frozen=True)
class Ready:
    """A worker has loaded what it needs, and waits for its first task."""

    worker: int


@dataclass(frozen=True)
class Step:
    """How far a worker is with its task."""

    worker: int
    stage: str
    done: int
    total: int


@dataclass(frozen=True)
class Done:
    """A worker has finished its task, with a result or a failure, and waits for the next."""

    worker: int
    result: Any = None
    failure: Failure | None = None


@dataclass(frozen=True)
class Died:
    """A worker is no longer there; its task, if it had one, is undone. `failure` says that it could not even start."""

    worker: int
    why: str
    failure: Failure | None = None


Event = Ready | Step | Done | Died


class Workers(Protocol):
    """Processes that do one task at a time each, here or elsewhere."""

    @property
    def slots(self) -> int:
        """How many may be at the same time."""

    def start(self) -> int:
        """Begin one more; gives the number by which it is known. It is `Ready` later."""

    def give(self, worker: int, work: Any) -> None:
        """Hand a task to a worker that is ready or done."""

    def events(self, seconds: float) -> Sequence[Event]:
        """What has happened since; waits up to `seconds` for something."""

    def stop(self, worker: int) -> None:
        """Ask a worker to break its task off at the next step; it is `Done` with a failure that says so."""

    def close(self) -> None:
        """End all of them now, whatever they do."""


class Worker:
    """The inside of a worker: does one task at a time; other threads may ask how far it is, and stop it."""

    def __init__(self, role: Role, device: str, threads: int) -> None:
        self._do, self._threads = role.make(device), threads
        self._lock = threading.Lock()
        self._cancel = CancelToken()
        self.state: tuple[str, int, int] = ("", 0, 0)

    def do(self, work: Any, progress: Progress | None = None) -> Done:
        """Do a task. What goes wrong is part of the answer; nothing is raised."""
        with self._lock:
            self._cancel = cancel = CancelToken()

        def note(stage: str, done: int, total: int) -> None:
            self.state = (stage, done, total)
            if progress is not None:
                progress(stage, done, total)

        try:
            with torch_threads(self._threads):
                return Done(0, self._do(work, note, cancel))
        except Exception as error:
            return Done(0, failure=failure_of(error, cancel.is_set()))

    def stop(self) -> None:
        """Break the task off at its next step."""
        with self._lock:
            self._cancel.set()


def failure_of(error: Exception, stopped: bool = False) -> Failure:
    """An error in words; one that a stop has caused counts as the stop."""
    if isinstance(error, Cancelled) or (stopped and isinstance(error, StitError)):
        return Failure("It was stopped.", stopped=True)
    if isinstance(error, StitError):
        return Failure(error.message, error.hint, ends=isinstance(error, CannotGoOn))
    details = "".join(traceback.format_exception(error))
    if isinstance(error, torch.OutOfMemoryError):
        hint = "Let fewer work on a device at the same time with --jobs, or choose shorter clips."
        return Failure("The memory of the device was not enough.", hint, details=details)
    return Failure(f"Something went wrong that should not ({type(error).__name__}).", "", details=details)


def begin(role: Role, device: str, threads: int) -> tuple[Worker | None, Failure | None]:
    """A worker, or why there can be none."""
    try:
        return Worker(role, device, threads), None
    except Exception as error:
        told = failure_of(error)
        return None, Failure(told.message, told.hint, ends=True, details=told.details)
