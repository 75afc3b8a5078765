"""The runs that are on somebody's screen: a page asks every half a minute how its run is, a caller of the API too."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

SEEN_SECONDS = 180.0  # of a tab in the background the browser slows the clock down to a question a minute


class Watched:
    """Iterates over the ids of the runs that were asked for a moment ago; for several threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._seen: dict[str, float] = {}

    def note(self, run_id: str) -> None:
        """Note that a run is looked at."""
        with self._lock:
            self._seen[run_id] = self._clock()

    def forget(self, run_id: str) -> None:
        """A run is there no more."""
        with self._lock:
            self._seen.pop(run_id, None)

    def __iter__(self) -> Iterator[str]:
        oldest = self._clock() - SEEN_SECONDS
        with self._lock:
            self._seen = {run_id: seen for run_id, seen in self._seen.items() if seen > oldest}
            return iter(tuple(self._seen))
