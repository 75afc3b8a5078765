"""What gradio keeps in memory of every page that is open, and its end.

Gradio makes a copy of the page's settings for each session's hash that a request names, holds the messages that nobody
has fetched, and forgets both late or never; whoever makes hashes up fills the memory. A session is kept here while its
page is connected or something of it is being worked on, for a while after that, and never more than so many. What a
visitor needs lies on the disk under the run's id, so that whoever comes back finds it.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import Counter, OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gradio.routes import App, file_upload_statuses

KEY = "stit-key"  # cookie
# Set before gradio names its session. A browser that refuses cookies in frames sets none, and is not asked for one.
KEY_SCRIPT = f"""<script>
try {{
  if (!document.cookie.includes("{KEY}=")) {{
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    const key = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    const kind = location.protocol === "https:" ? "Secure; SameSite=None; Partitioned" : "SameSite=Strict";
    document.cookie = "{KEY}=" + key + "; path=/; " + kind;
  }}
}} catch {{}}
</script>"""
MOST = 500  # sessions whose page is connected
MOST_LEFT = 50  # whose page is not
KEPT_SECONDS = 300.0  # without a connection
TIDY_SECONDS = 10.0
MOST_UNREAD = 60  # messages of a session that nobody fetches; a page that has just opened gets about twenty
MOST_ANSWERS = 200  # of all sessions, that nobody fetches; with pictures an answer has half a megabyte
MOST_UPLOADS = 200  # whose progress is remembered


class Sessions:
    """The sessions of one page; for the event loop's thread."""

    def __init__(self) -> None:
        self._used: OrderedDict[str, float] = OrderedDict()  # the least recently used first
        self._connected: Counter[str] = Counter()
        self._keys: dict[str, str] = {}
        self._tidying: asyncio.TimerHandle | None = None

    def belongs(self, session: str, key: str) -> bool:
        """Whether a session is open to the browser with this key: that which used it first, or any where that has none.

        Hashes stand in addresses, and so in logs; whoever finds one shall not listen to what the page receives.
        """
        known = self._keys.get(session)
        if known is None and key:
            self._keys[session] = key
        return known is None or secrets.compare_digest(known, key)

    def use(self, app: App, session: str) -> None:
        """Note that a request names a session, and forget others where there are too many."""
        self._used[session] = time.monotonic()
        self._used.move_to_end(session)
        if len(self._used) > MOST_LEFT:
            self.tidy(app)
        if self._tidying is None:
            self._tidying = asyncio.get_running_loop().call_later(TIDY_SECONDS, self._tidy_again, app)

    @contextmanager
    def connect(self, app: App, session: str) -> Iterator[None]:
        """Keep a session for as long as its page listens."""
        self._connected[session] += 1
        self.use(app, session)
        try:
            yield
        finally:
            self._connected[session] -= 1
            if not self._connected[session]:
                del self._connected[session]
            self.use(app, session)

    def is_full(self, app: App, session: str) -> bool:
        """Whether so many messages wait to be fetched that no more may be made, of this session or of all."""
        messages = app.get_blocks()._queue.pending_messages_per_session
        if session in messages and messages[session].qsize() > MOST_UNREAD:
            return True
        return sum(map(_answers, messages.values())) > 2 * MOST_ANSWERS

    def tidy(self, app: App) -> None:
        """Forget what was left long ago, and what is too much."""
        blocks = app.get_blocks()
        queue, now = blocks._queue, time.monotonic()
        for kept in (app.state_holder.session_data, queue.pending_messages_per_session):
            for session in kept:  # calls of the API are in sessions that gradio names
                self._used.setdefault(session, now)
        running = {event.session_hash for event in list(queue.event_ids_to_events.values())}
        left = [name for name in self._used if name not in self._connected and name not in running]
        old = [name for name in left if self._used[name] < now - KEPT_SECONDS]
        for name in dict.fromkeys((*old, *left[: max(0, len(left) - MOST_LEFT)])):
            self._forget(app, name)
        for name in list(self._used)[: max(0, len(self._used) - MOST - MOST_LEFT)]:
            self._forget(app, name)
        answers = {name: _answers(messages) for name, messages in queue.pending_messages_per_session.items()}
        for name in left:
            if sum(answers.values()) <= MOST_ANSWERS:
                break
            if answers.pop(name, 0):
                self._forget(app, name)
        for known in (file_upload_statuses._statuses, file_upload_statuses._signals):
            while len(known) > MOST_UPLOADS:
                known.pop(next(iter(known)))

    def _forget(self, app: App, session: str) -> None:
        blocks = app.get_blocks()
        queue = blocks._queue
        stores: tuple[Any, ...] = (
            self._used,
            self._keys,
            app.state_holder.session_data,
            app.state_holder.time_last_used,
            queue.pending_messages_per_session,
            queue.pending_event_ids_session,
            blocks.pending_streams,
            blocks.pending_diff_streams,
        )
        for store in stores:
            store.pop(session, None)

    def _tidy_again(self, app: App) -> None:
        self._tidying = None
        self.tidy(app)
        if self._used:
            self._tidying = asyncio.get_running_loop().call_later(TIDY_SECONDS, self._tidy_again, app)


def _answers(messages: asyncio.Queue[Any]) -> int:
    """Messages of a session that hold what a function gave, which are the large ones."""
    return sum(hasattr(message, "output") for message in messages._queue)  # type: ignore[attr-defined]
