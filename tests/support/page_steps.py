"""Steps through the page that several tests in the browser take."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page


def wait_until(page: Page, true: Callable[[], bool]) -> None:
    """Let the browser work until something is so."""
    for _ in range(600):
        if true():
            return
        page.wait_for_timeout(100)
    raise AssertionError("it does not become so")


def choose_person(page: Page, place: str, name: str) -> None:
    """Pick somebody of those who are offered; again where they were just being offered anew, which picks nobody."""
    one = page.locator(f"{place} label", has_text=name)

    def chosen() -> bool:
        if not one.locator("input").is_checked():
            one.click()
        page.wait_for_timeout(300)
        return one.locator("input").is_checked()

    wait_until(page, chosen)


def download(page: Page, selector: str, path: Path) -> Path:
    """Click a download button; the file."""
    with page.expect_download() as started:
        page.locator(selector).click()
    started.value.save_as(path)
    return path


def go_to_edit(page: Page) -> None:
    """From the crops to the edit, past the tuning."""
    page.locator("#to-tune").click()
    page.locator("#to-edit").click()


def pick_change(page: Page, suggestion: str) -> None:
    """A ready-made change and its preview."""
    page.locator("#dials .chip", has_text=suggestion).click()
    page.locator("#wipe .wipe-after").first.wait_for()
