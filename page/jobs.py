"""The heavy work of the visitors: at most one job each, watched from the page, stopped by its owner only."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Generic, TypeVar

import numpy as np

from stit_core.errors import Cancelled, StitError
from stit_core.runtime import CancelToken

INNER_STAGES = ("composite",)  # goes along with the stage "video", frame by frame

T = TypeVar("T")


class Jobs:
    """Who is at work: one stop token for each id whose job waits or runs. Iterates over those ids."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tokens: dict[str, CancelToken] = {}
        self._running: set[str] = set()

    def reserve(self, run_id: str) -> None:
        """Announce a job before it waits in the queue, so that Stop reaches it there too.

        Raises: StitError while another job of this visitor waits or runs.
        """
        with self._lock:
            if run_id in self._tokens:
                raise StitError("The page is still at work for you.", "Wait until it has finished, or press Stop.")
            self._tokens[run_id] = CancelToken()

    def start(self, run_id: str) -> CancelToken:
        """The token of a reserved job whose turn has come. Raises: Cancelled if it was dropped meanwhile."""
        with self._lock:
            if run_id not in self._tokens:
                raise Cancelled("queue")
            self._running.add(run_id)
            return self._tokens[run_id]

    def finish(self, run_id: str) -> None:
        """Forget a job that has ended."""
        with self._lock:
            self._tokens.pop(run_id, None)
            self._running.discard(run_id)

    def stop(self, run_id: str) -> bool:
        """Ask the visitor's job to stop, or drop it if it still waits; False where there is none."""
        with self._lock:
            token = self._tokens.get(run_id)
            if token is None:
                return False
            token.set()
            if run_id not in self._running:
                del self._tokens[run_id]
            return True

    def __iter__(self) -> Iterator[str]:
        with self._lock:
            return iter(tuple(self._tokens))

    def __contains__(self, run_id: object) -> bool:
        with self._lock:
            return run_id in self._tokens

    def __len__(self) -> int:
        with self._lock:
            return len(self._tokens)


class Watch:
    """The latest that a running job has told; older news is dropped, so that a slow browser holds nothing up."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._picture: tuple[int, np.ndarray] | None = None
        self.stage, self.done, self.total = "", 0, 0
        self.stage_started = time.monotonic()

    def progress(self, stage: str, done: int, total: int) -> None:
        """For Runtime.progress."""
        if stage in INNER_STAGES:
            return
        with self._lock:
            if stage != self.stage:
                self.stage_started = time.monotonic()
            self.stage, self.done, self.total = stage, done, total

    def put(self, frame: int, picture: np.ndarray) -> None:
        """Leave the picture (H, W, 3) uint8 of a frame."""
        with self._lock:
            self._picture = (frame, picture)

    @property
    def wants_picture(self) -> bool:
        """Whether the last picture was taken, so that it is worth making another."""
        return self._picture is None

    def take(self) -> tuple[int, np.ndarray] | None:
        """The latest frame number and picture that were not taken yet."""
        with self._lock:
            picture, self._picture = self._picture, None
            return picture

    @property
    def seconds_left(self) -> float | None:
        """Estimated for the stage that runs; None while too little of it is done."""
        elapsed = time.monotonic() - self.stage_started
        if self.done <= 0 or elapsed < 2.0:
            return None
        return elapsed / self.done * (self.total - self.done)


class Work(Generic[T]):
    """A function that runs in a thread of its own while the page reports on it; leaving the block stops it."""

    def __init__(self, function: Callable[[], T], token: CancelToken) -> None:
        self._function, self._token = function, token
        self._results: list[T] = []
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="work", daemon=True)

    def __enter__(self) -> Work[T]:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._thread.is_alive():
            self._token.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            self._results.append(self._function())
        except BaseException as error:  # handed to whoever asks for the result
            self._error = error

    def running(self, wait: float) -> bool:
        """Wait up to `wait` seconds for the end; True if the function still runs."""
        self._thread.join(wait)
        return self._thread.is_alive()

    def result(self) -> T:
        """What the function returned; raises what it raised."""
        if self._error is not None:
            raise self._error
        return self._results[0]
