"""The tab "Clips" in Chromium, with a tiny pack: three clips, one of them broken, from the upload to the archive."""

from __future__ import annotations

import re
import shutil
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from benchmarks.page_server import Server, come_back, run_of, visit
from tests.support.drawn_face import write_clip

SETTINGS = {"STIT_PUBLIC": "on"}
HOSTILE = "<img src=x onerror=alert(1)>.mp4"

pytest_plugins = ["tests.support.fixtures_browser"]
pytestmark = pytest.mark.browser


def write_clips(folder: Path) -> list[Path]:
    """Two clips, the first of them a second time under a hostile name, and a file that is no video."""
    first = write_clip(folder / "first.mp4", frames=3)
    shutil.copyfile(first, folder / HOSTILE)
    (folder / "broken.mp4").write_text("no video")
    return [first, folder / "broken.mp4", write_clip(folder / "second.mp4", frames=2), folder / HOSTILE]


def open_tab(page: Page) -> None:
    page.get_by_role("tab", name="Clips").click()
    page.locator("#clip-dials .chip").first.wait_for()


def test_clips_are_brought_edited_reloaded_packed_opened_and_deleted(
    browser: Browser, server: Server, tmp_path: Path
) -> None:
    clips = write_clips(tmp_path)
    with visit(browser, server) as tab:
        page, cards = tab.page, tab.page.locator(".clip-card")
        page.on("dialog", lambda dialog: dialog.accept() if "Delete" in dialog.message else tab.complaints.append("?"))
        open_tab(page)
        page.locator("#clips input[type=file]").set_input_files(clips[:1])
        expect(page.locator("#clips-notice")).to_contain_text("You have not said yet")
        expect(cards).to_have_count(0)
        page.locator(".consent input:visible").check()
        page.locator("#clips input[type=file]").set_input_files(clips)
        expect(cards).to_have_count(4)
        expect(page.locator(".clips-title")).to_have_text("4 clips: 2 ready, 1 not done, 1 done once")
        expect(cards.nth(1)).to_contain_text("broken.mp4 is not a video")
        page.locator("#clips-start").click()
        expect(page.locator(".toast-body")).to_contain_text("Nothing to change was chosen")
        page.locator(".toast-close").click()
        page.locator("#clip-dials .chip", has_text="Smile").click()
        page.locator("#clip-presets button", has_text="Draft").click()
        expect(page.locator("#clips-cost")).to_contain_text(re.compile(r"2 clips to edit, up to \d+ MB on .* disk\."))
        page.locator("#clips-start").click()
        expect(page.locator("#clips-notice")).to_contain_text("2 clips are edited now")
        page.locator(".clip-card[data-state=running]").first.wait_for()
        page.locator(".clips-stop").click()
        expect(page.locator(".clip-card[data-state=stopped]")).to_have_count(2)
        expect(page.locator(".clips-stop")).to_be_hidden()
        page.locator("#clips-start").click()
        page.locator(".clip-card[data-state=running]").first.wait_for()

        come_back(page, server)
        open_tab(page)
        expect(page.locator("#clip-dial-smile")).to_have_value("2")
        expect(page.locator("#clip-presets [aria-pressed=true]")).to_contain_text("Draft")
        page.get_by_role("tab", name="About").click()  # the list goes on whichever tab is shown
        page.wait_for_timeout(500)
        open_tab(page)
        expect(page.locator(".clip-card[data-state=done]")).to_have_count(2, timeout=240_000)
        cards.nth(2).locator("img[src^='data:image/jpeg']").last.wait_for()
        expect(cards.nth(0)).to_contain_text("Smile +2")

        with page.expect_download() as started:
            page.locator("#pack-clips").click()
        started.value.save_as(tmp_path / "all.zip")
        with zipfile.ZipFile(tmp_path / "all.zip") as packed:
            assert {"first.mp4", "second.mp4", "clips.csv"} < set(packed.namelist())

        address = cards.nth(0).locator(".clip-open").get_attribute("href") or ""
        own = address.split("run=")[1]
        with visit(browser, server, own) as other:  # as whoever has its address
            other.page.locator(".stit-player").wait_for()
            other.page.wait_for_timeout(5000)  # the clip is looked through, which nobody may delete meanwhile
        cards.nth(0).locator(".clip-drop").click()
        expect(cards).to_have_count(2)  # the one that is the same went along
        assert not (server.runs / "visitors" / own).exists()

        run = run_of(page)
        page.locator("#delete").click()
        page.wait_for_url(lambda address: run not in address)
        assert not [path for path in server.runs.rglob("*.mp4") if "samples" not in path.parts]
