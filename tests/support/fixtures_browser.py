"""Chromium, and the settings of a page with a tiny pack, for tests that drive the page."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import pytest
from playwright.sync_api import Browser, Page

from benchmarks.page_server import CHROMIUM, Server, open_browser, serve, visit
from tests.support.tiny_page import tiny_settings

FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep whether a test itself failed, for fixtures that say then what was on the screen."""
    report = yield
    if call.when == "call":
        item.stash[FAILED] = report.failed
    return report


def failed(item: pytest.Item) -> bool:
    """Whether a test has run and failed."""
    return item.stash.get(FAILED, False)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    with open_browser() as chromium:
        yield chromium


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return tiny_settings(tmp_path_factory.mktemp("pack"))


@pytest.fixture(scope="module")
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, tiny: dict[str, str]
) -> Iterator[Server]:
    """A page with a tiny pack, the settings that the test's file has as SETTINGS, and places for temporary files."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "tmp").mkdir()
    places = {"TMPDIR": str(folder / "tmp"), "XDG_CACHE_HOME": str(folder / "cache")}
    with serve(folder, {**tiny, **places, **getattr(request.module, "SETTINGS", {})}) as served:
        yield served


@pytest.fixture
def page(request: pytest.FixtureRequest, browser: Browser, server: Server) -> Iterator[Page]:
    with visit(browser, server) as tab:
        yield tab.page
        if failed(request.node):
            tab.print_screen(server)
