"""A public page behind a password, in Chromium: who gets in, and what is taken of whom; the policy lets it all be."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from benchmarks.page_server import Server, run_of, visit
from tests.support.drawn_face import write_clip
from tests.support.labelled_sets import apart, write_set

PASSWORD = "correct horse"
SETTINGS = {"STIT_PUBLIC": "on", "STIT_PASSWORD": PASSWORD}
REFUSED = "You have not said yet that you may edit this, so it was not kept. Tick the line above the upload"

pytest_plugins = ["tests.support.fixtures_browser"]
pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def known(browser: Browser, server: Server) -> Any:
    """The cookies of somebody who has given the password."""
    context = browser.new_context()
    assert context.request.post(f"{server.address}login", form={"password": PASSWORD}).ok
    state = context.storage_state()
    context.close()
    return state


def kept(server: Server, name: str) -> list[Path]:
    """Files of that name that the server has."""
    return list(server.runs.rglob(name))


def test_the_password_alone_opens_the_page(browser: Browser, server: Server) -> None:
    context = browser.new_context()
    page, complaints = context.new_page(), list[str]()
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(server.address)
    expect(page).to_have_title("STIT Studio")
    password = page.get_by_label("password")
    expect(page.locator("input:visible")).to_have_count(1)
    expect(page.get_by_text("This page asks for a password.")).to_be_visible()
    password.fill("wrong horse")
    password.press("Enter")
    expect(page.get_by_text("Incorrect Credentials")).to_be_visible()
    (said,) = complaints
    assert "400" in said, "and nothing about the policy"
    password.fill(PASSWORD)
    password.press("Enter")
    page.wait_for_url("**/?run=*")
    expect(page.locator("#clip")).to_be_visible()
    assert complaints == [said]
    context.close()


def test_nothing_is_taken_before_somebody_says_that_it_may_be_edited(
    browser: Browser, server: Server, known: Any, tmp_path: Path
) -> None:
    clip = write_clip(tmp_path / "stranger.mp4")
    with visit(browser, server, storage_state=known) as tab:
        page = tab.page
        line = page.get_by_role("checkbox", name="I may edit the face of everybody").first
        expect(line).not_to_be_checked()
        page.locator("#clip input[type=file]").first.set_input_files(clip)
        expect(page.get_by_text(REFUSED)).to_be_visible()
        expect(page.locator("#clip video")).to_have_count(0)
        assert kept(server, "stranger.mp4") == []
        # Its player may have asked for the refused clip when that was gone already.
        tab.complaints[:] = [each for each in tab.complaints if "403" not in each]

        line.check()
        page.locator("#clip input[type=file]").first.set_input_files(clip)
        page.locator("#trim .trim-first").wait_for()
        expect(page.get_by_text(REFUSED)).to_have_count(0)
        assert kept(server, "stranger.mp4") != []
        page.wait_for_timeout(1000)
        page.goto(f"{server.address}?run={run_of(page)}")
        expect(line).to_be_checked()
        expect(page.locator("#clip video")).to_be_visible()


def test_pictures_to_learn_from_and_people_to_review_need_it_too(
    browser: Browser, server: Server, known: Any, tmp_path: Path
) -> None:
    pictures = write_set(tmp_path / "faces", {"serious": 0.0, "smiling": 1.0}, apart(24))
    archive = Path(shutil.make_archive(str(tmp_path / "faces"), "zip", pictures))
    person = shutil.copyfile(next(pictures.rglob("*.png")), tmp_path / "person.png")
    with visit(browser, server, storage_state=known) as tab:
        page = tab.page
        open_lesson(page)
        page.locator("#zip input[type=file]").set_input_files(archive)
        expect(page.locator("#train-notice")).to_contain_text(REFUSED)
        expect(page.locator("#zip").get_by_label("faces.zip")).to_have_count(0)
        open_own_people(page)
        page.locator("#people input[type=file]").set_input_files(person)
        expect(page.locator("#review-people")).to_contain_text(REFUSED)
        expect(page.locator("#people").get_by_text("person")).to_have_count(0)
        assert kept(server, "faces.zip") == kept(server, "person.png") == []

        page.get_by_role("checkbox", name="I may edit the face of everybody").locator("visible=true").check()
        page.locator("#people input[type=file]").set_input_files(person)
        expect(page.locator("#review-people")).to_contain_text("1 person in your upload")
        open_lesson(page)
        page.locator("#zip input[type=file]").set_input_files(archive)
        page.locator("#zip").get_by_label("faces.zip").wait_for()
        expect(page.locator("#train-notice")).not_to_contain_text(REFUSED)


def open_lesson(page: Page) -> None:
    """The form of a training."""
    page.get_by_role("tab", name="Directions").click()
    page.locator("#library .direction").first.wait_for()
    if not page.locator("#zip").is_visible():
        page.get_by_role("button", name="Train one from your own pictures").click()


def open_own_people(page: Page) -> None:
    """The form of a review of one's own pictures."""
    page.get_by_role("tab", name="Review").click()
    page.locator("#review-whose label", has_text="Your own").click()
    page.locator("#people").wait_for()
