"""The player's demonstration page, a tab that shows it, and finished videos for it."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page

from page.studio.feed import ClipFacts, Feed, Feeds, Finished
from tests.support import player_demo as demo

PATIENCE = 30_000  # milliseconds
FACTS = ClipFacts(25.0, 60, 320, 180)
LOST = "ERR_INTERNET_DISCONNECTED"


@dataclass
class Site:
    """The demonstration page, and what feeds its player."""

    address: str
    feeds: Feeds
    served: Path
    busy: threading.Event


@dataclass
class Watch:
    """A tab with the player, and what the browser complained about in it."""

    page: Page
    feed: Feed
    complaints: list[str] = field(default_factory=list)

    @property
    def root(self) -> Locator:
        return self.page.locator(".stit-player")

    def ask(self, expression: str) -> Any:
        """A JavaScript expression about `p`, the player."""
        return self.root.evaluate(f"root => {{ const p = root.player; return {expression}; }}")

    def wait(self, expression: str) -> None:
        """Until a JavaScript expression about `p` holds."""
        script = f"() => {{ const p = document.querySelector('.stit-player')?.player; return p && ({expression}); }}"
        self.page.wait_for_function(script, timeout=PATIENCE)

    def pixel(self, side: str) -> list[int]:
        """The colour in the middle of a side's picture."""
        script = """canvas => [...canvas.getContext('2d').getImageData(
            canvas.width / 2, canvas.height / 2, 1, 1).data].slice(0, 3)"""
        colour: list[int] = self.root.locator(f".{side} canvas").evaluate(script)
        return colour


Show = Callable[..., Watch]


@functools.cache
def make_video(folder: Path, name: str, codec: str = "libx264") -> Path:
    return demo.write_video(folder / f"{name}-{codec}.mp4", FACTS, name == "edited", codec)


def finish(site: Site, feed: Feed, edited: str = "libx264", source: str = "libx264") -> None:
    videos = make_video(site.served, "edited", edited), make_video(site.served, "source", source)
    feed.finish(Finished(*videos, sound=True))
