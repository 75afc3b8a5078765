"""The real app in a process of its own and a browser, for the tests that drive the page."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Frame, Page, expect, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
START_SECONDS = 180
PATIENCE = 300_000  # milliseconds for a heavy step, on a machine that is busy
expect.set_options(timeout=60_000)


@dataclass
class Server:
    """A page that is served: its address, the folder of its runs, and what it wrote."""

    address: str
    runs: Path
    log: Path
    process: subprocess.Popen[bytes]

    @property
    def port(self) -> int:
        return int(self.address.rstrip("/").rsplit(":", 1)[1])

    def stop(self) -> None:
        """End the page's process."""
        self.process.terminate()
        self.process.wait(timeout=60)


OF_LEAVING = ("AbortError: signal is aborted", "Unexpected error Connection errored out")  # as gradio's script says it


@dataclass
class Visit:
    """A tab, and what the browser complained about in it."""

    page: Page
    complaints: list[str] = field(default_factory=list)

    def print_screen(self, server: Server) -> None:
        """Print what is on the screen, what the browser complained about, and the end of the server's log."""
        shown = self.page.locator("body").inner_text(timeout=5000)[:3000]
        print(f"{self.page.url}\n{shown}\n{self.complaints}\n{server.log.read_text()[-3000:]}")


_TABS: dict[Page, Visit] = {}  # that are open


@contextmanager
def serve(folder: Path, settings: Mapping[str, str], port: int = 0, root: Path = ROOT) -> Iterator[Server]:
    """Serve the page with these settings, its files in `folder`, on a free port or on one that is named.

    Parameters
    ----------
    root: the folder of app.py.
    """
    port = port or free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("STIT_", "GRADIO_"))}
    environment |= {"STIT_RUNS": str(folder / "runs"), "GRADIO_SERVER_PORT": str(port), **settings}
    log = folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "app.py"], cwd=root, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            address = f"http://127.0.0.1:{port}/"
            _wait_for(address, process, log)
            yield Server(address, folder / "runs", log, process)
        finally:
            process.terminate()
            process.wait(timeout=60)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _wait_for(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            urllib.request.urlopen(address, timeout=5).close()
        except OSError:
            time.sleep(0.3)
        else:
            return
    raise AssertionError(f"The page did not open: {log.read_text()}")


@contextmanager
def open_browser(*arguments: str) -> Iterator[Browser]:
    """The system's Chromium, started with further arguments."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=[*ARGUMENTS, *arguments])
        yield chromium
        chromium.close()


@contextmanager
def visit(browser: Browser, server: Server, run: str = "", **context: Any) -> Iterator[Visit]:
    """A tab of a visitor of their own, on the run of that id if one is named; fails if the browser complained."""
    opened = browser.new_context(**{"viewport": {"width": 1280, "height": 900}} | context)
    tab = Visit(opened.new_page())
    _TABS[tab.page] = tab
    tab.page.set_default_timeout(PATIENCE)
    tab.page.on("pageerror", lambda error: tab.complaints.append(str(error)))
    tab.page.on("console", lambda m: tab.complaints.append(m.text) if m.type == "error" else None)
    tab.page.goto(f"{server.address}?run={run}" if run else server.address)
    tab.page.wait_for_url("**/?run=*")
    try:
        try:
            yield tab
        except Exception:  # whatever failed in the test; it is raised again
            tab.print_screen(server)
            raise
        assert tab.complaints == [], tab.complaints
        assert "Traceback" not in tab.page.content()
        assert "Traceback" not in server.log.read_text()
    finally:
        del _TABS[tab.page]
        opened.close()


def run_of(page: Page) -> str:
    """The id of the run that a tab shows."""
    return page.url.split("run=")[1]


def choose_sample(page: Page | Frame, end: float, name: str = "Young woman turning") -> None:
    """Pick a sample and trim it to its first seconds."""
    page.locator("#samples button", has_text=name).click()
    page.locator("#trim .trim-first").wait_for()
    page.locator(".trim-last-number").fill(str(end))
    page.locator(".trim-last-number").press("Enter")


def find_face(page: Page) -> None:
    """From the step "Clip" to the crops."""
    page.locator("#find").click()
    page.locator("#crops img").first.wait_for()


def start_tuning(page: Page, preset: str = "Draft") -> None:
    """From the crops to the tuning."""
    page.locator("#to-tune").click()
    page.locator("#presets button", has_text=preset).click()
    page.locator("#tune").click()


def choose_edit(page: Page, suggestion: str) -> None:
    """From the tuning to an edit's first preview."""
    page.locator("#to-edit").click()
    page.locator("#dials .chip", has_text=suggestion).click()
    page.locator("#wipe .wipe-after").first.wait_for()


def come_back(page: Page, server: Server) -> None:
    """Load the run's address anew; what gradio says of the streams that a page cuts which leaves is no complaint."""
    page.wait_for_timeout(1500)
    complaints = _TABS[page].complaints
    before = len(complaints)
    page.goto(f"{server.address}?run={run_of(page)}")
    complaints[before:] = [text for text in complaints[before:] if not text.startswith(OF_LEAVING)]
