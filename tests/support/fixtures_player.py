"""The player's demonstration page, and tabs that show a feed in it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext

from page.studio.feed import ClipFacts, Feed, Feeds
from tests.support import player_demo as demo
from tests.support.player_page import FACTS, Show, Site, Watch


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    served = tmp_path_factory.mktemp("served")
    feeds, busy = Feeds(), threading.Event()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(served))
        page, address = demo.launch(feeds, busy, served)
    yield Site(address, feeds, served, busy)
    busy.set()
    page.close()


@pytest.fixture
def contexts(browser: Browser) -> Iterator[Callable[..., BrowserContext]]:
    opened: list[BrowserContext] = []

    def make(**options: Any) -> BrowserContext:
        opened.append(browser.new_context(**{"viewport": {"width": 1000, "height": 900}, **options}))
        return opened[-1]

    yield make
    for context in opened:
        context.close()


@pytest.fixture
def show(site: Site, contexts: Callable[..., BrowserContext], tmp_path: Path) -> Show:
    """Open a feed of these facts with these frames in a tab of its own."""

    def open_tab(
        facts: ClipFacts = FACTS, frames: Any = (), feed: Feed | None = None, query: str = "", **options: Any
    ) -> Watch:
        feed = feed or site.feeds.create(tmp_path / "feed", facts)
        for frame in frames:
            demo.put_frame(feed, frame)
        watch = Watch(contexts(**options).new_page(), feed)
        watch.page.on("pageerror", lambda error: watch.complaints.append(str(error)))
        watch.page.on("console", lambda m: watch.complaints.append(m.text) if m.type == "error" else None)
        watch.page.goto(f"{site.address}?feed={feed.id}{query}")
        watch.wait(f"p.feed.id.startsWith('{feed.id}') && p.feed.epoch")
        return watch

    return open_tab
