"""Chromium, and the settings of a page with a tiny pack, for tests that drive the page."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from benchmarks.page_server import CHROMIUM, Server, open_browser, serve, visit
from tests.support.tiny_page import tiny_settings


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
def page(browser: Browser, server: Server) -> Iterator[Page]:
    with visit(browser, server) as tab:
        yield tab.page
