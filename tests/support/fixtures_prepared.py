"""Tabs on runs that were taken to a step without a browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from benchmarks.page_server import Server, visit
from tests.support.prepared_runs import SAMPLE, SECONDS, PreparedRuns, prepare_runs


@pytest.fixture(scope="module")
def prepared(server: Server, tiny: dict[str, str]) -> Iterator[PreparedRuns]:
    with prepare_runs(server.runs, tiny, SAMPLE, SECONDS) as runs:
        yield runs


@pytest.fixture
def aligned_page(browser: Browser, server: Server, prepared: PreparedRuns) -> Iterator[Page]:
    """A tab with a run whose crops are shown."""
    with visit(browser, server, run=prepared.copy("aligned")) as tab:
        tab.page.locator("#crops img").first.wait_for()
        yield tab.page


@pytest.fixture
def tuned_page(browser: Browser, server: Server, prepared: PreparedRuns) -> Iterator[Page]:
    """A tab with a run to which the generator is tuned."""
    with visit(browser, server, run=prepared.copy("tuned")) as tab:
        tab.page.locator("#dials .card").first.wait_for()
        yield tab.page


@pytest.fixture
def edited_page(browser: Browser, server: Server, prepared: PreparedRuns) -> Iterator[Page]:
    """A tab with a run that has a video, "Age -2"."""
    with visit(browser, server, run=prepared.copy("edited")) as tab:
        tab.page.locator("#measures .measures").wait_for()
        yield tab.page
