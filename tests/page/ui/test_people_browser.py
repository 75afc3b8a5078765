"""Who is in a clip, in Chromium: two, several, nobody."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
from playwright.sync_api import Page, Route, expect

from benchmarks.page_server import Server, come_back, find_face, start_tuning
from tests.support.drawn_face import write_clip
from tests.support.page_steps import choose_person, download, wait_until

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


def hold_messages(page: Page, held: list[Route], of: Callable[[str], bool]) -> None:
    """Keep back what the page sends to its functions, where the text of a message says so."""
    page.route(
        "**/queue/join*",
        lambda route: held.append(route) if of(route.request.post_data or "") else route.continue_(),
    )


def test_two_people_have_edits_of_their_own_in_one_video(page: Page, server: Server, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "pair.mp4", frames=8, size=(480, 200), others=((0.8, 0.5, 0.2),))
    page.locator("#clip input[type=file]").first.set_input_files(clip)
    expect(page.locator("#trim .key")).to_have_text("several faces")
    find_face(page)
    start_tuning(page)
    page.locator("#status .job.done", has_text="The generator fits").wait_for()
    page.locator("#to-edit").click()
    people = page.locator("#whose .choice")
    expect(people).to_have_count(2)
    expect(people.locator("img")).to_have_count(2)
    expect(people.nth(0)).to_have_attribute("aria-pressed", "true")

    # Whoever is turned to while a message is on its way: it changes the person of whom it was sent, and nobody else.
    held: list[Route] = []
    hold_messages(page, held, lambda sent: '"smile":1.5' in sent and not held)
    page.locator("#dials .card", has_text="Smile").first.click()
    wait_until(page, lambda: bool(held))
    people.nth(1).click()
    expect(people.nth(0)).to_contain_text("smile +1.5")  # which the turn itself brought
    expect(page.locator(".dial")).to_have_count(0)
    held[0].continue_()
    page.unroute_all()
    page.locator("#status .job.done", has_text="The generator fits").wait_for()
    expect(people.nth(1)).to_have_attribute("aria-pressed", "true")
    expect(people.nth(1)).to_contain_text("no change")

    # While a person's edit is fetched nothing can be moved, so that nothing that was moved is overwritten.
    held.clear()
    hold_messages(page, held, lambda sent: '"id":0' in sent)
    people.nth(0).click()
    wait_until(page, lambda: bool(held))
    expect(page.locator("#dials")).to_have_attribute("inert", "")
    card = page.locator("#dials .card", has_text="Age").first
    card.scroll_into_view_if_needed()
    box = card.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(page.locator("#dials .card[aria-pressed=true]")).to_have_count(0)
    held[0].continue_()
    page.unroute_all()
    card.click()  # waits until it can
    expect(people.nth(0)).to_contain_text("smile +1.5, age +1.5")
    page.locator("#status .job.done", has_text="The generator fits").wait_for()

    people.nth(1).click()
    page.locator("#dials:not([inert]) .card", has_text="Age").first.click()
    page.locator("#to-all").click()
    expect(people.nth(0)).to_contain_text("age +1.5")
    expect(people.nth(0)).not_to_contain_text("smile")
    expect(people.nth(1)).to_contain_text("age +1.5")
    page.locator("#status .job.done", has_text="The generator fits").wait_for()
    people.nth(0).click()
    page.locator("#dials:not([inert]) .card", has_text="Smile").first.click()
    page.locator("#make").click()  # with the message of that still to come
    page.locator("#status .job.done", has_text="The video is finished.").wait_for()
    expect(page.locator("#measures")).to_contain_text("Person 0: age +1.5, smile +1.5; Person 1: age +1.5")
    video = download(page, "#get-video", tmp_path / "both.mp4")
    assert changed_sides(clip, video) == [True, True]

    come_back(page, server)
    expect(page.locator("#measures")).to_contain_text("Person 0: age +1.5, smile +1.5; Person 1: age +1.5")
    page.locator("#another").click()
    expect(people.nth(0)).to_contain_text("age +1.5, smile +1.5")
    expect(page.locator("#dial-smile")).to_have_value("1.5")


def changed_sides(source: Path, video: Path) -> list[bool]:
    """Whether the left and the right half of a video differ from its source."""
    first, second = (np.stack(list(video_frames(path))).astype(int) for path in (source, video))
    change = np.abs(first - second).max(axis=(0, -1))
    middle = change.shape[1] * 5 // 8  # between the two faces
    return [bool((half > 60).any()) for half in (change[:, :middle], change[:, middle:])]


def video_frames(path: Path) -> Iterator[np.ndarray]:
    """All frames of a video, (H, W, 3) uint8."""
    frames = imageio_ffmpeg.read_frames(str(path))
    width, height = next(frames)["size"]
    yield from (np.frombuffer(frame, np.uint8).reshape(height, width, 3) for frame in frames)


def test_a_clip_without_a_face_is_told_before_and_after(page: Page, tmp_path: Path) -> None:
    clip = tmp_path / "nobody.mp4"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-loglevel", "error", "-f", "lavfi"]
    source = "gradients=s=256x256:r=25:duration=1"
    subprocess.run([*command, "-i", source, "-pix_fmt", "yuv420p", str(clip)], check=True, timeout=60)
    page.locator("#clip input[type=file]").first.set_input_files(clip)
    expect(page.locator("#clip-notice")).to_contain_text("face")
    page.locator("#find").click()
    expect(page.locator("#status .failed")).to_contain_text("face")
