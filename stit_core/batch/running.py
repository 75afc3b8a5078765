"""A batch under way: row by row to workers, each job once, resumed after a stop or a kill. Source: ours."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from stit_core.batch.records import Records
from stit_core.batch.rows import Row
from stit_core.batch.working import Setup, Work
from stit_core.errors import StitError, StoreError
from stit_core.media.sources import source_digest
from stit_core.runtime import CancelToken
from stit_core.workers.scheduling import Scheduler, Watch
from stit_core.workers.tasks import Failure, Outcome, Role, Task, Workers

FACTORY = "stit_core.batch.working:ClipEditor"
TURN = 0.1  # seconds for which rows are looked through at a time
DONE, FOUND, SAME, FAILED, WAITING = "done", "found", "same", "failed", "waiting"


@dataclass(frozen=True)
class Settled:
    """What became of a row.

    Attributes
    ----------
    number: of the row, from 0.
    state: DONE now, FOUND from an earlier batch, SAME as an earlier row, FAILED, or WAITING where it was stopped.
    record: of the video, as `working.ClipEditor` made it; empty where there is none.
    failure: why there is none.
    same_as: the number of the row whose video it shares.
    """

    number: int
    row: Row
    state: str
    record: dict[str, Any]
    failure: Failure | None = None
    same_as: int | None = None


class Batch:
    """Rows, and what becomes of them.

    Parameters
    ----------
    rows: in the order of the summary.
    setup: what all share; its folder holds results and records.
    """

    def __init__(self, rows: Sequence[Row], setup: Setup) -> None:
        self.rows, self.setup, self.records = rows, setup, Records(setup.folder)
        self.counts: Counter[str] = Counter()
        self._keys: dict[int, str] = {}  # of the rows that have been looked at
        self._first: dict[str, int] = {}  # the first row of each job
        self._failures: dict[int, Failure] = {}  # of rows that could not even be read, and of jobs by their first row
        self._shared: dict[int, list[int]] = {}  # rows that wait for the job of an earlier one
        self._ready: deque[Settled] = deque()

    @property
    def role(self) -> Role:
        """What a worker does with a clip."""
        return Role(FACTORY, self.setup)

    def run(
        self, workers: Workers, cancel: CancelToken, retries: int = 2, watch: Watch | None = None
    ) -> Iterator[Settled]:
        """Do what is missing; yields each row once, when its fate is known.

        Raises
        ------
        Cancelled: it was stopped. StitError: no further clip can be finished. What is finished stays in both cases.
        """
        scheduler = Scheduler(workers, self._tasks(), cancel, retries, watch, most=len(self.rows))
        with self.records.alone():
            for outcome in scheduler.run():
                yield from self._drain()
                if outcome is not None:
                    yield from self._settle(outcome)
            yield from self._drain()

    def settled(self) -> Iterator[Settled]:
        """Every row in its order, as it stands now, for a summary; read from the records again."""
        for number, row in enumerate(self.rows):
            key = self._keys.get(number)
            first = number if key is None else self._first[key]
            failure = self._failures.get(first)
            record = None if key is None or failure is not None else self.records.finished(key)
            same = first if first != number else None
            state = FAILED if failure is not None else WAITING if record is None else SAME if same is not None else DONE
            yield Settled(number, row, state, record or {}, failure, same)

    def key_of(self, number: int) -> str:
        """The key of a row's job; empty where its clip could not be read, or not yet."""
        return self._keys.get(number, "")

    def _tasks(self) -> Iterator[Task | None]:
        """A task a job that is not finished; None now and then between others, so that something else gets its turn."""
        turn = time.monotonic()
        for number, row in enumerate(self.rows):
            if time.monotonic() - turn > TURN:
                yield None
                turn = time.monotonic()
            try:
                digest = source_digest(row.path)
            except StitError as error:
                self._fail(number, Failure(error.message, error.hint))
                continue
            key = self._keys[number] = row.treatment.key(digest)
            first = self._first.setdefault(key, number)
            if first != number:
                self._share(number, first)
                continue
            record = self.records.finished(key)
            if record is None:
                self._shared[number] = []
                yield Task(number, Work(row, digest, key), frozenset({digest}))
            else:
                self._ready.append(Settled(number, row, FOUND, record))

    def _share(self, number: int, first: int) -> None:
        """A row whose job is that of an earlier one: it waits for it, or has its result at once."""
        if first in self._shared:
            self._shared[first].append(number)
        else:
            self._ready.append(self._like(number, first, self.records.finished(self._keys[first])))

    def _like(self, number: int, first: int, record: dict[str, Any] | None) -> Settled:
        failure = self._failures.get(first)
        state = SAME if failure is None else FAILED
        return Settled(number, self.rows[number], state, record or {}, failure, first)

    def _fail(self, number: int, failure: Failure) -> None:
        self._failures[number] = failure
        self._ready.append(Settled(number, self.rows[number], FAILED, {}, failure))

    def _settle(self, outcome: Outcome) -> Iterator[Settled]:
        number = outcome.task.number
        record = outcome.result or {}
        if outcome.failure is None:
            self._ready.append(Settled(number, self.rows[number], DONE, record))
        else:
            self._fail(number, outcome.failure)
            self._keep_failure(number, outcome.failure)
        for other in self._shared.pop(number):
            self._ready.append(self._like(other, number, record))
        yield from self._drain()

    def _keep_failure(self, number: int, failure: Failure) -> None:
        """Write down why, for whoever looks later; a disk that is full has no room for it."""
        told = {"clip": self.rows[number].path.name, "failure": failure.message, "details": failure.details}
        try:
            self.records.write(self._keys[number], told)
        except StoreError:
            return

    def _drain(self) -> Iterator[Settled]:
        while self._ready:
            settled = self._ready.popleft()
            self.counts[settled.state] += 1
            yield settled
