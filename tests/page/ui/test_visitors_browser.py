"""Visitors of one page, in Chromium: what they bring is refused or deleted, and nobody else's."""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from benchmarks.page_server import ROOT, Server, choose_sample, find_face, run_of, visit
from tests.support.drawn_face import write_clip
from tests.support.labelled_sets import apart, write_set
from tests.support.prepared_runs import SECONDS

pytest_plugins = ["tests.support.fixtures_browser"]
pytestmark = pytest.mark.browser


def test_two_visitors_share_nothing(browser: Browser, page: Page, server: Server) -> None:
    choose_sample(page, SECONDS)
    source = page.locator("#clip video").get_attribute("src") or ""
    with visit(browser, server) as other:
        assert run_of(other.page) != run_of(page)
        other.page.locator("#samples button").first.wait_for()
        expect(other.page.locator("#find")).to_be_disabled()
        expect(other.page.locator("#clip video")).to_have_count(0)
        expect(other.page.locator("#stop")).to_be_hidden()
    with visit(browser, server, run="A" * 22) as guessing:
        guessing.page.wait_for_url(lambda url: "A" * 22 not in url)
        assert run_of(guessing.page) != run_of(page)
    assert not (server.runs / "visitors" / ("A" * 22)).exists()
    assert run_of(page) not in source, "links would give the id away"
    stored = server.runs / "visitors" / run_of(page) / "page.json"
    assert stored.is_file()
    for path in (stored, ROOT / "app.py", Path("/etc/hostname")):
        with pytest.raises(urllib.error.HTTPError) as refusal:
            urllib.request.urlopen(f"{server.address}gradio_api/file={path}", timeout=30)
        assert refusal.value.code in (403, 404)


def test_nobody_can_look_at_the_traffic(server: Server) -> None:
    for path in ("monitoring", "monitoring/summary"):
        with pytest.raises(urllib.error.HTTPError) as refusal:
            urllib.request.urlopen(f"{server.address}{path}", timeout=30)
        assert refusal.value.code == 403


def test_deleting_leaves_nothing(page: Page, server: Server, tmp_path: Path) -> None:
    """Nor of what was uploaded and never used."""

    def files() -> set[Path]:
        records = {"page.json", "server.log"}  # of this run, and of the next one that the page begins
        return {path for path in server.log.parent.rglob("*") if path.is_file() and path.name not in records}

    before = files()
    run = run_of(page)
    clip = write_clip(tmp_path / "mine.mp4", frames=7)
    page.locator("#clip input[type=file]").first.set_input_files(clip)
    page.locator("#trim .trim-first").wait_for()
    find_face(page)
    page.get_by_role("tab", name="Directions").click()
    page.get_by_role("button", name="Train one from your own pictures").click()
    pictures = write_set(tmp_path / "faces", {"serious": 0.0, "smiling": 1.0}, apart(2))
    page.locator("#below input[type=file]").set_input_files(pictures / "serious")
    page.locator("#below").get_by_text("p00_0").wait_for()
    expect(page.locator("#library .direction")).to_have_count(3)
    page.wait_for_timeout(1500)  # until nothing is on its way, as in `come_back`
    assert len(files()) > len(before)
    page.get_by_role("tab", name="Studio").click()
    page.on("dialog", lambda dialog: dialog.accept())
    page.locator("#delete").click()
    page.wait_for_url(lambda url: "run=" in url and run not in url)
    assert files() == before


def test_a_tab_is_not_listened_to(browser: Browser, server: Server) -> None:
    streams: list[str] = []
    with visit(browser, server) as tab:
        tab.page.on("request", lambda request: streams.append(request.url) if "queue/data" in request.url else None)
        choose_sample(tab.page, SECONDS)
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(streams[-1], timeout=30)


def test_text_instead_of_a_video_is_told(page: Page, tmp_path: Path) -> None:
    false = tmp_path / "holiday.mp4"
    false.write_text("This is no video.\n" * 100)
    page.locator("#clip input[type=file]").first.set_input_files(false)
    told = page.locator(".toast-body")
    expect(told).to_contain_text("is not a video that can be read")
    expect(page.locator("#find")).to_be_disabled()


def test_a_zip_that_is_none_is_told(page: Page, tmp_path: Path) -> None:
    false = tmp_path / "faces.zip"
    false.write_bytes(b"no archive" * 100)
    page.get_by_role("tab", name="Directions").click()
    page.get_by_role("button", name="Train one from your own pictures").click()
    page.locator("#zip input[type=file]").set_input_files(false)
    page.locator("#zip").get_by_label("faces.zip").wait_for()
    page.get_by_label("Name").fill("grin")
    page.locator("#train").click()
    expect(page.locator("#status .job.failed")).to_contain_text("faces.zip")
