"""How much each visitor may have at once, and begin within a span of time."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable

from page.studio.estimates import duration
from page.studio.visitors import Visitor
from stit_core.errors import StitError

MOST_NAMES = 20_000  # whose counts are remembered
HOUR, MINUTE = 3600.0, 60.0  # seconds


class Crowded(StitError):
    """A visitor, or all of them, have asked for as much as they may."""


def is_within(visitor: Visitor, others: Iterable[Visitor], each: int, address_visitors: int) -> bool:
    """Whether a visitor may have one thing more beside those that these visitors have now."""
    allowed = visitor.allowances(each, address_visitors)
    held = dict.fromkeys(allowed, 0)
    for other in others:
        for name in other.allowances(each, address_visitors):
            if name in held:
                held[name] += 1
    return all(held[name] < allowed[name] for name in allowed)


class Rate:
    """How many things each visitor has begun within a span of time; for several threads."""

    def __init__(
        self, each: int, address_visitors: int, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._each, self._address_visitors, self._seconds, self._clock = each, address_visitors, seconds, clock
        self._lock = threading.Lock()
        self._times: OrderedDict[str, deque[float]] = OrderedDict()  # the least recently counted first

    def take(self, visitor: Visitor) -> float:
        """Count one thing more; gives 0, or, where it would be one too many, the seconds until there may be another."""
        now = self._clock()
        with self._lock:
            allowed = visitor.allowances(self._each, self._address_visitors)
            wait = max((self._wait(name, most, now) for name, most in allowed.items()), default=0.0)
            if not wait:
                for name in allowed:
                    self._times.setdefault(name, deque()).append(now)
                    self._times.move_to_end(name)
                while len(self._times) > MOST_NAMES:
                    self._times.popitem(last=False)
            return wait

    def _wait(self, name: str, most: int, now: float) -> float:
        times = self._times.get(name)
        while times and times[0] <= now - self._seconds:
            times.popleft()
        if times is not None and not times:
            del self._times[name]
        return times[-most] + self._seconds - now if times and len(times) >= most else 0.0


class JobAllowance:
    """How many jobs a visitor may have in the queue, and begin within an hour."""

    def __init__(self, at_once: int, per_hour: int, address_visitors: int) -> None:
        self._at_once, self._per_hour, self._address_visitors = at_once, per_hour, address_visitors
        self._begun = Rate(per_hour, address_visitors, HOUR)

    def admit(self, visitor: Visitor | None, unfinished: Iterable[Visitor | None]) -> None:
        """Count another job of a visitor beside those that wait or run; the program's own are not counted.

        Raises
        ------
        Crowded: it is one too many.
        """
        if visitor is None:
            return
        others = (other for other in unfinished if other is not None)
        if not is_within(visitor, others, self._at_once, self._address_visitors):
            message = f"You have {self._at_once} jobs waiting or running already, as many as one visitor may have."
            raise Crowded(message, "Wait until one has finished, or stop one.")
        if wait := self._begun.take(visitor):
            message = f"You have begun {self._per_hour} jobs within an hour, as many as one visitor may begin."
            raise Crowded(message, f"Press the same button again in {duration(max(MINUTE, wait))}.")
