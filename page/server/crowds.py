"""How much of the server's attention one visitor may have, and all of them: uploads, previews, calls of the API.

Jobs have their own limits, in the studio's queue. All of these answer in words at once; nobody hangs.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import gradio as gr

from page.settings import PageSettings
from page.studio.allowances import MINUTE, Crowded, Rate, is_within
from page.studio.estimates import duration
from page.studio.visitors import Visitor

VISITOR = "stit.visitor"  # in the scope of a request, who sends it
AGAIN = "Try again in a minute."


class Crowd:
    """Who asks for what just now; for the event loop's thread."""

    def __init__(self, settings: PageSettings) -> None:
        self._settings = settings
        self._uploading: list[Visitor] = []
        self._calls = Rate(settings.visitor_calls, settings.address_visitors, MINUTE)

    @property
    def is_uploading(self) -> bool:
        """Whether an upload is being received."""
        return bool(self._uploading)

    @contextmanager
    def upload(self, visitor: Visitor) -> Iterator[None]:
        """Admit an upload for as long as it takes.

        Raises
        ------
        Crowded: there are as many as there may be.
        """
        limits = self._settings
        if len(self._uploading) >= limits.uploads:
            raise Crowded("Too many people are uploading just now.", AGAIN)
        if not is_within(visitor, self._uploading, limits.visitor_uploads, limits.address_visitors):
            message = f"You are uploading already; one visitor may have {limits.visitor_uploads} on the way at once."
            raise Crowded(message, "Wait until one has arrived.")
        self._uploading.append(visitor)
        try:
            yield
        finally:
            self._uploading.remove(visitor)

    def check_call(self, visitor: Visitor, index: int, blocks: gr.Blocks) -> None:
        """Count a call of one of the page's functions.

        Raises
        ------
        Crowded: it is one too many.
        """
        function, limits = blocks.fns[index], self._settings
        if function.api_visibility == "public":
            if wait := self._calls.take(visitor):
                message = f"You have called {limits.visitor_calls} functions within a minute, as many as one may."
                raise Crowded(message, f"Call again in {duration(max(1.0, wait))}.")
        elif isinstance(function.concurrency_limit, int):  # a preview; what is light has no limit
            waiting = [known for known in _unfinished(blocks) if known is not None]
            if len(waiting) >= limits.waiting_previews + limits.previews:
                raise Crowded("Too many people are looking at previews just now.", AGAIN)
            if not is_within(visitor, waiting, limits.visitor_previews, limits.address_visitors):
                message = f"{limits.visitor_previews} of your previews are waiting already, as many as may at once."
                raise Crowded(message, "Do that again in a moment.")


def visitor_of(scope: MutableMapping[str, Any]) -> Visitor | None:
    """Who sends a request that came through the guard."""
    found = scope.get(VISITOR)
    return found if isinstance(found, Visitor) else None


def _unfinished(blocks: gr.Blocks) -> list[Visitor | None]:
    """Whose previews wait or are drawn."""
    queue = blocks._queue
    events = [event for waiting in queue.event_queue_per_concurrency_id.values() for event in waiting.queue]
    events += [event for running in queue.active_jobs for event in running or ()]
    return [
        visitor_of(event.request.scope)
        for event in events
        if isinstance(event.fn.concurrency_limit, int) and event.fn.api_visibility != "public" and event.request
    ]
