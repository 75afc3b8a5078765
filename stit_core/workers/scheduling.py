"""Tasks given to workers one by one: never more waiting than there are workers, retried where a worker dies.

The same for processes of this machine and for a cluster. Source: ours.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from stit_core.errors import Cancelled, StitError
from stit_core.runtime import CancelToken
from stit_core.workers.tasks import Died, Done, Failure, Outcome, Ready, Step, Task, Workers

LOOK = 0.2  # seconds between looks at the stop token
HELD_BACK = 1000  # tasks that wait because others of their group run; no more are read from the list meanwhile
STILLBORN = 3  # workers in a row that die before they are ready, after which no more are started
Watch = Callable[[Task, str, int, int], None]


@dataclass(frozen=True)
class _Given:
    task: Task
    deaths: int


class Feed:
    """Tasks in their order, but those whose group is at work later; reads its source no further than it must.

    `None` from the source means: no task yet, ask again.
    """

    def __init__(self, tasks: Iterable[Task | None]) -> None:
        self._source = iter(tasks)
        self._held: deque[_Given] = deque()
        self._busy: set[str] = set()
        self._exhausted = False
        self.has_paused = False  # whether the source had no task yet

    def fill(self, wanted: int) -> int:
        """Read until `wanted` tasks may run, or the source has none; gives how many may."""
        self.has_paused = False
        while (found := self._count()) < wanted and not self._exhausted and len(self._held) < HELD_BACK:
            try:
                task = next(self._source)
            except StopIteration:
                self._exhausted = True
                break
            if task is None:
                self.has_paused = True
                break
            self._held.append(_Given(task, 0))
        return found if found >= wanted else self._count()

    def next(self) -> _Given | None:
        """A task that may run now, marked as running; None where none is held."""
        for place, given in enumerate(self._held):
            if not given.task.groups & self._busy:
                del self._held[place]
                self._busy |= given.task.groups
                return given
        return None

    @property
    def is_empty(self) -> bool:
        """Whether every task was handed out."""
        return self._exhausted and not self._held

    def finished(self, given: _Given) -> None:
        """Its group is free again."""
        self._busy -= given.task.groups

    def again(self, given: _Given) -> None:
        """Hand it out once more, before all others."""
        self.finished(given)
        self._held.appendleft(_Given(given.task, given.deaths + 1))

    def _count(self) -> int:
        """How many of those that are held may run beside each other now."""
        busy, count = set(self._busy), 0
        for given in self._held:
            if not given.task.groups & busy:
                busy |= given.task.groups
                count += 1
        return count


class Scheduler:
    """Tasks on their way through workers.

    Parameters
    ----------
    workers: where they run; closed at the end.
    tasks: read one by one, as workers become free; None for "no task yet".
    cancel: set to stop.
    retries: how often a task is given to another worker where one dies over it.
    watch: called with (task, stage, done, total) while tasks run.
    most: workers that are started at most, such as the number of tasks where that is known.
    """

    def __init__(
        self,
        workers: Workers,
        tasks: Iterable[Task | None],
        cancel: CancelToken,
        retries: int = 2,
        watch: Watch | None = None,
        most: int | None = None,
    ) -> None:
        self._workers, self._cancel, self._retries, self._watch = workers, cancel, retries, watch
        self._slots = max(1, min(workers.slots, most or workers.slots))
        self._feed = Feed(tasks)
        self._running: dict[int, _Given] = {}
        self._idle: list[int] = []
        self._starting: set[int] = set()
        self._stillborn = 0
        self._ends: Failure | None = None
        self._stopping = False

    def run(self) -> Iterator[Outcome | None]:
        """Yields what becomes of each task, once known, and None now and then; what was stopped is not yielded.

        Raises
        ------
        Cancelled: it was stopped; at the end, after all that runs has broken off.
        StitError: no task can succeed any more, or no worker can start; after all that runs has finished.
        """
        try:
            while self._goes_on():
                for event in self._workers.events(0.0 if self._feed.has_paused else LOOK):
                    yield from self._hear(event)
                yield None
        finally:
            self._workers.close()
        if self._stopping:
            raise Cancelled("batch")
        if self._ends is not None:
            raise StitError(self._ends.message, self._ends.hint)

    def _goes_on(self) -> bool:
        """Give what can be given; whether there is anything to wait for."""
        if self._cancel.is_set() and not self._stopping:
            self._stopping = True
            for worker in self._running:
                self._workers.stop(worker)
        if self._stopping or self._ends is not None:
            return bool(self._running)
        able = self._feed.fill(self._slots - len(self._running))
        while self._idle and (given := self._feed.next()) is not None:
            worker = self._idle.pop()
            self._running[worker] = given
            self._workers.give(worker, given.task.work)
            able -= 1
        if self._feed.is_empty:
            return bool(self._running)
        alive = len(self._running) + len(self._idle) + len(self._starting)
        for _ in range(min(able - len(self._starting), self._slots - alive)):
            self._starting.add(self._workers.start())
        return True

    def _hear(self, event: Ready | Step | Done | Died) -> Iterator[Outcome]:
        if isinstance(event, Ready):
            self._starting.discard(event.worker)
            self._stillborn = 0
            self._idle.append(event.worker)
        elif isinstance(event, Step):
            given = self._running.get(event.worker)
            if self._watch is not None and given is not None:
                self._watch(given.task, event.stage, event.done, event.total)
        elif isinstance(event, Done):
            given = self._running.pop(event.worker)
            self._idle.append(event.worker)
            self._feed.finished(given)
            yield from self._settle(given, event)
        else:
            yield from self._bury(event)

    def _settle(self, given: _Given, event: Done) -> Iterator[Outcome]:
        if event.failure is not None and event.failure.stopped:
            return
        if event.failure is not None and event.failure.ends:
            self._ends = self._ends or event.failure
        yield Outcome(given.task, event.result, event.failure)

    def _bury(self, event: Died) -> Iterator[Outcome]:
        given = self._running.pop(event.worker, None)
        if event.worker in self._idle:
            self._idle.remove(event.worker)
        if event.worker in self._starting:
            self._starting.discard(event.worker)
            self._stillborn += 1
            if event.failure is not None or self._stillborn >= STILLBORN:
                told = f"No worker could be started: {event.why}."
                self._ends = self._ends or event.failure or Failure(told, "Start again with fewer --jobs.")
        if given is None:
            return
        if given.deaths < self._retries and not self._stopping:
            self._feed.again(given)
            return
        self._feed.finished(given)
        if not self._stopping:
            times = "once" if given.deaths == 0 else f"{given.deaths + 1} times"
            hint = "Memory is the usual reason: let fewer run at the same time with --jobs."
            yield Outcome(given.task, failure=Failure(f"Its worker died {times}: {event.why}.", hint))
