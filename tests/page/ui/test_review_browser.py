"""The tab "Review" in Chromium, with a tiny pack: the whole way, a stop, a reload, an upload, a deletion."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from benchmarks.page_server import Server, come_back, run_of, serve, visit
from tests.support.drawn_face import draw_face
from tests.support.prepared_runs import SAMPLE, prepare_runs

HOSTILE = "<img src=x onerror=alert(1)>"

pytest_plugins = ["tests.support.fixtures_browser"]
pytestmark = pytest.mark.browser


def open_tab(page: Page) -> None:
    page.get_by_role("tab", name="Review").click()
    page.locator("#review-edits .factors-row").first.wait_for()


def download(page: Page, selector: str, path: Path) -> str:
    with page.expect_download() as started:
        page.locator(selector).click()
    started.value.save_as(path)
    return path.read_text(encoding="utf-8")


def test_a_review_of_the_packs_people_is_stopped_reloaded_read_and_deleted(
    browser: Browser, server: Server, tmp_path: Path
) -> None:
    with visit(browser, server) as tab:
        page = tab.page
        open_tab(page)
        expect(page.locator("#review-cost")).to_contain_text("60 people × 2 edits × 2 factors: 240 edited faces")
        page.locator("#review-edits .chip[aria-label='Age −2']").click()
        expect(page.locator("#review-cost")).to_contain_text("60 people × 3 edits: 180 edited faces")
        page.locator("#review-start").click()
        page.locator(".sheet-person").nth(1).wait_for()
        expect(page.locator("#status")).to_contain_text("of 60 people")
        page.locator("#stop").click()
        expect(page.locator("#reviewed")).to_contain_text("Stopped: ")

        come_back(page, server)
        open_tab(page)
        expect(page.locator("#reviewed")).to_contain_text("of 60 people looked at")
        expect(page.locator("#review-cost")).to_contain_text("180 edited faces")
        page.locator(".sheet-person img").first.wait_for()
        frame = page.frame_locator("#report iframe")
        page.locator("#report").scroll_into_view_if_needed()
        expect(frame.locator(".notice").first).to_contain_text("Stopped half-way")
        frame.locator("nav a", has_text="Limits").click()
        expect(frame.locator("#limits h2")).to_be_in_viewport()
        expect(frame.locator("#tabs")).to_have_count(0)  # the page itself did not come into the frame
        shown, everybody = page.locator(".sheet-person:visible"), page.locator(".sheet-person").count()
        page.locator(".sheet-filter select").select_option(label="ethnicity_shape: caucasian")
        expect(shown).to_have_count(0)  # they come last
        page.locator(".sheet-filter select").select_option(label="ethnicity_shape: african")
        expect(shown).to_have_count(everybody)

        assert "<!doctype html>" in download(page, "#get-html", tmp_path / "review.html")
        assert download(page, "#get-csv", tmp_path / "review.csv").startswith("person,files,")
        assert json.loads(download(page, "#get-json", tmp_path / "review.json"))["people"]["labels_from"] == "rendered"
        run = run_of(page)
        page.on("dialog", lambda dialog: dialog.accept())
        page.locator("#delete").click()
        page.wait_for_url(lambda address: run not in address)
        assert not [path for path in server.runs.rglob("*") if run in str(path) or path.name == "review.html"]


def write_people(folder: Path) -> list[Path]:
    """Two faces, a wall, and labels, one of which is markup."""
    folder.mkdir()
    for k in range(2):
        Image.fromarray(draw_face(200, 200, (100, 100), 55 + k)).save(folder / f"face{k}.png")
    Image.fromarray(np.full((120, 120, 3), 90, np.uint8)).save(folder / "wall.png")
    (folder / "labels.csv").write_text(f"file,group\nface0.png,{HOSTILE}\nface1.png,b\nwall.png,b\n")
    return sorted(folder.iterdir())


def test_a_review_of_the_visitors_people_asks_where_labels_come_from_and_shows_them_as_text(
    browser: Browser, server: Server, tmp_path: Path
) -> None:
    with visit(browser, server) as tab:
        page = tab.page
        page.on("dialog", lambda dialog: tab.complaints.append(dialog.message))
        open_tab(page)
        page.locator("#review-whose label", has_text="Your own").click()
        page.locator("#people input[type=file]").set_input_files(write_people(tmp_path / "people"))
        expect(page.locator("#review-people")).to_contain_text(f"3 people in your upload. Labels: group ({HOSTILE}, b)")
        page.locator("#review-start").click()
        expect(page.locator(".toast-body")).to_contain_text("Nobody said where the labels come from")
        page.locator(".toast-close").click()
        page.locator("#labels-from label", has_text="Somebody looked").click()
        page.locator("#review-tuning input").uncheck()
        page.locator("#review-start").click()
        expect(page.locator("#reviewed")).to_contain_text("3 of 3 people looked at; 1 of them could not be used")
        wall = page.locator(".sheet-person", has_text="wall.png")
        expect(wall).to_contain_text("No face was found")
        expect(wall.locator(".sheet-empty")).to_have_count(5)
        expect(page.locator(".sheet-person", has_text="face0.png").locator(".sheet-labels")).to_have_text(HOSTILE)
        page.locator("#report").scroll_into_view_if_needed()
        frame = page.frame_locator("#report iframe")
        expect(frame.locator("#who")).to_contain_text("perceived")
        expect(frame.locator("img[onerror]")).to_have_count(0)
        expect(page.locator("#sheet img[onerror]")).to_have_count(0)


def test_the_edit_that_one_has_made_is_reviewed(browser: Browser, server: Server, tiny: dict[str, str]) -> None:
    with (
        prepare_runs(server.runs, tiny, SAMPLE, 0.3) as prepared,
        visit(browser, server, run=prepared.copy("edited")) as tab,
    ):
        page = tab.page
        page.locator("#measures .measures").wait_for()
        page.locator("#review-this").click()
        expect(page.locator("#review-edits .factors-row")).to_have_count(1)
        expect(page.locator("#review-edits .chip[aria-pressed=true]")).to_have_text("−2")
        expect(page.locator("#review-cost")).to_contain_text("60 people × 1 edit × 1 factor")


def test_a_review_goes_on_after_a_restart_of_the_server(browser: Browser, tiny: dict[str, str], tmp_path: Path) -> None:
    with serve(tmp_path, tiny) as first, visit(browser, first) as tab:
        page = tab.page
        open_tab(page)
        page.locator("#review-start").click()
        page.locator(".sheet-person").nth(1).wait_for()
        first.stop()
        with serve(tmp_path, tiny, first.port) as second:
            come_back(page, second)
            open_tab(page)
            tab.complaints.clear()  # of the seconds without a server
            page.locator(".sheet-person").nth(1).wait_for()
            expect(page.locator("#reviewed .result-head")).to_have_count(0)
            page.locator("#review-start").click()
            page.locator(".sheet-person").nth(2).wait_for()
            page.locator("#stop").click()
            expect(page.locator("#reviewed")).to_contain_text("Stopped: ")
