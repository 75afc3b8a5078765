"""The page in a frame of the Hub, in Chromium: its address, its visitors, and a disk that does not last."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Frame, Page, expect

from benchmarks.page_server import ARGUMENTS, CHROMIUM, PATIENCE, Server, choose_sample, open_browser
from page.server.origins import HUB as KNOWN_HUB
from page.server.sessions import KEY as COOKIE
from page.studio.folders import public_name
from page.ui.address import RUN
from page.ui.components import WEB
from tests.support.hub import AT_HUB, HUB, KEY, SPACE, SPACE_HOST, browser_arguments, serve_hub, settings_of_a_space

SETTINGS = settings_of_a_space()

pytest_plugins = ["tests.support.fixtures_browser"]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
    pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed"),
]


@pytest.fixture(scope="module")
def hub(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with serve_hub(tmp_path_factory.mktemp("hub"), server.port) as port:
        yield port


@pytest.fixture(scope="module")
def hub_browser(hub: int) -> Iterator[Browser]:
    """A private window, which keeps nothing for a frame of somebody else's but cookies that are partitioned."""
    with open_browser(*browser_arguments(hub)) as browser:
        yield browser


@contextmanager
def visitor(browser: Browser) -> Iterator[Page]:
    """A tab of a visitor of their own."""
    context = browser.new_context(ignore_https_errors=True, viewport={"width": 1280, "height": 1000})
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    try:
        yield page
    finally:
        context.close()


def space_in(page: Page) -> Frame:
    """The Space's frame, once it has a run, which the Hub's address names too unless it is deaf."""
    frame = page.locator("#space").element_handle().content_frame()
    assert frame is not None
    frame.wait_for_url(lambda url: "run=" in url)
    if not page.url.endswith("#deaf"):
        page.wait_for_url(lambda url: "run=" in url)
    frame.locator("#samples button").first.wait_for()
    return frame


def run_in(address: str) -> str:
    return parse_qs(urlsplit(address).query)["run"][0]


def listens(frame: Frame, session: str) -> int:
    """The status with which the page's server meets a request for what a session receives."""
    script = """async (session) => {
      const stop = new AbortController();
      const answer = await fetch(`/gradio_api/queue/data?session_hash=${session}`, {signal: stop.signal});
      stop.abort();
      return answer.status;
    }"""
    return int(frame.evaluate(script, session))


def test_the_hub_is_the_same_for_the_page_and_for_its_server() -> None:
    named = re.search(r'const HUB = "([^"]+)"', (WEB / "address.js").read_text())
    assert named is not None
    assert named[1] == KNOWN_HUB == HUB
    assert f'const RUN = "{RUN}"' in (WEB / "address.js").read_text()


def test_a_reload_of_the_hub_finds_the_run_and_so_does_its_address(hub_browser: Browser) -> None:
    with visitor(hub_browser) as page:
        page.goto(AT_HUB)
        frame = space_in(page)
        run = run_in(page.url)
        assert run == run_in(frame.url)
        assert page.url == f"{AT_HUB}?run={run}", "the Hub's own keys stay out of its address"
        choose_sample(frame, 1.0)
        page.reload()
        frame = space_in(page)
        expect(frame.locator("#facts")).to_contain_text("512 × 512")
        assert run_in(page.url) == run_in(frame.url) == run

        frame.locator(".visit-copy").click()
        expect(frame.locator(".visit-copy")).to_have_text("Copied")
        copied = paste(page)
        assert copied == f"{SPACE}/?run={run}"
        assert KEY not in copied
        with visitor(hub_browser) as elsewhere:
            elsewhere.goto(copied)
            expect(elsewhere.locator("#facts")).to_contain_text("512 × 512")
            assert elsewhere.url == copied

        page.on("dialog", lambda dialog: dialog.accept())
        frame.locator("#delete").click()
        page.wait_for_url(lambda url: "run=" in url and run not in url)
        assert KEY in (space := space_in(page)).url, "a private Space would not answer without it"
        assert run_in(space.url) == run_in(page.url)


def test_a_hub_that_takes_no_query_finds_the_run_as_well(hub_browser: Browser, hub: int, tmp_path: Path) -> None:
    """In a window that keeps something for a frame as long as its tab is open, as most do."""
    (tmp_path / "Default").mkdir()
    (tmp_path / "Default" / "Preferences").write_text('{"profile": {"cookie_controls_mode": 0}}')
    usual = hub_browser.browser_type.launch_persistent_context(
        tmp_path, executable_path=CHROMIUM, args=[*ARGUMENTS, *browser_arguments(hub)], ignore_https_errors=True
    )
    with closing(usual):
        page = usual.new_page()
        page.set_default_timeout(PATIENCE)
        page.goto(f"{AT_HUB}#deaf")
        frame = space_in(page)
        choose_sample(frame, 1.0)
        run = run_in(frame.url)
        page.reload()
        frame = space_in(page)
        expect(frame.locator("#facts")).to_contain_text("512 × 512")
        assert run_in(frame.url) == run
        assert run not in page.url


def paste(page: Page) -> str:
    """What the clipboard holds, in a tab of the same visitor."""
    other = page.context.new_page()
    other.set_content("<input>")
    other.locator("input").focus()
    other.keyboard.press("Control+V")
    text = other.locator("input").input_value()
    other.close()
    return text


def test_two_visitors_of_the_hub_are_apart(hub_browser: Browser) -> None:
    with visitor(hub_browser) as one, visitor(hub_browser) as other:
        sessions: list[str] = []
        one.on("request", lambda request: sessions.extend(re.findall(r"session_hash=(\w+)", request.url)))
        for page in (one, other):
            page.goto(AT_HUB)
        first, second = space_in(one), space_in(other)
        assert run_in(one.url) != run_in(other.url)
        choose_sample(first, 1.0)
        expect(second.locator("#clip video")).to_have_count(0)
        keys = [cookie for cookie in one.context.cookies() if cookie["name"] == COOKIE]
        assert [(key["domain"], key["secure"], key["sameSite"]) for key in keys] == [(SPACE_HOST, True, "None")]
        assert keys[0].get("partitionKey") == HUB
        assert sessions, "the page's own requests were not seen"
        assert listens(first, sessions[-1]) == 200
        assert listens(second, sessions[-1]) == 403


def test_a_run_that_a_restart_took_is_told_and_another_begins(hub_browser: Browser, server: Server) -> None:
    with visitor(hub_browser) as page:
        page.goto(AT_HUB)
        frame = space_in(page)
        run = run_in(page.url)
        choose_sample(frame, 1.0)
        frame.locator("#facts").get_by_text("512 × 512").wait_for()
        for folder in (server.runs / "visitors" / run, server.runs / "page" / public_name(run)):
            while folder.exists():  # as on a disk that does not last; the server may still be writing
                shutil.rmtree(folder, ignore_errors=True)
        frame.locator("#find").click()
        expect(frame.locator(".toast-body")).to_contain_text("Load the page again to begin a new one.")
        page.reload()
        page.wait_for_url(lambda url: "run=" in url and run not in url)
        frame = space_in(page)
        expect(frame.locator(".toast-body")).to_contain_text("a disk that does not last")
        expect(frame.locator(".toast-body")).to_contain_text("choose a clip to begin again")
        choose_sample(frame, 1.0)
        expect(frame.locator("#facts")).to_contain_text("512 × 512")
        assert run_in(frame.url) == run_in(page.url)
        assert "Traceback" not in server.log.read_text()
