"""Who is in a clip, in Chromium: two, several, nobody."""

from __future__ import annotations

import subprocess
from pathlib import Path

import imageio_ffmpeg
import pytest
from playwright.sync_api import Page, expect

from benchmarks.page_server import find_face
from tests.support.drawn_face import write_clip
from tests.support.page_steps import choose_person

pytest_plugins = ["tests.support.fixtures_browser"]
pytestmark = pytest.mark.browser


def test_of_two_faces_the_other_can_be_picked(page: Page, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "two.mp4", frames=8, size=(480, 200), others=((0.8, 0.5, 0.2),))
    page.locator("#clip input[type=file]").first.set_input_files(clip)
    expect(page.locator("#trim .key")).to_have_text("several faces")
    find_face(page)
    faces, first = page.locator("#faces .choice"), page.locator("#crops img").first
    expect(faces).to_have_count(2)
    expect(faces.nth(0)).to_have_attribute("aria-pressed", "true")
    before = first.get_attribute("src")
    faces.nth(1).click()
    expect(first).not_to_have_attribute("src", str(before))
    expect(faces.nth(1)).to_have_attribute("aria-pressed", "true")


def test_people_are_told_apart_joined_and_split(page: Page, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "pair.mp4", frames=8, size=(480, 200), others=((0.8, 0.5, 0.2),))
    page.locator("#clip input[type=file]").first.set_input_files(clip)
    expect(page.locator("#trim .key")).to_have_text("several faces")
    find_face(page)
    rows = page.locator("#tracks .track")
    expect(rows).to_have_count(2)
    expect(rows.nth(1)).to_contain_text("0.0 to 0.8 s")
    page.locator("#who-is-who button").first.click()
    undo = page.locator("#tracks-undo")
    expect(undo).to_be_disabled()
    page.locator("#tracks-split").click()
    expect(page.get_by_text("Choose whom first.")).to_be_visible()
    choose_person(page, "#track-split", "Person 1")
    page.locator("#track-from input").fill("0.4")
    page.locator("#tracks-split").click()
    expect(rows).to_have_count(3)
    expect(rows.nth(1)).to_contain_text("0.0 to 0.4 s")
    expect(rows.nth(2)).to_contain_text("0.4 to 0.8 s")
    expect(undo).to_be_enabled()
    choose_person(page, "#track-one", "Person 0")
    choose_person(page, "#track-other", "Person 2")
    page.locator("#tracks-join").click()
    expect(page.get_by_text("are both seen in frame 4")).to_be_visible()
    choose_person(page, "#track-one", "Person 1")
    page.locator("#tracks-join").click()
    expect(rows).to_have_count(2)
    expect(rows.nth(1)).to_contain_text("0.0 to 0.8 s")
    undo.click()
    expect(undo).to_be_disabled()
    expect(rows).to_have_count(2)


def test_a_clip_without_a_face_is_told_before_and_after(page: Page, tmp_path: Path) -> None:
    clip = tmp_path / "nobody.mp4"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-loglevel", "error", "-f", "lavfi"]
    source = "gradients=s=256x256:r=25:duration=1"
    subprocess.run([*command, "-i", source, "-pix_fmt", "yuv420p", str(clip)], check=True, timeout=60)
    page.locator("#clip input[type=file]").first.set_input_files(clip)
    expect(page.locator("#clip-notice")).to_contain_text("face")
    page.locator("#find").click()
    expect(page.locator("#status .failed")).to_contain_text("face")
