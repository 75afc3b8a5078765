"""The player in Chromium, fed with drawn frames: while they are made, when they are lost, odd clips."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import expect

from page.studio.feed import ClipFacts, Feed, News
from tests.support import player_demo as demo
from tests.support.player_page import FACTS, LOST, PATIENCE, Show, Site

HEAP_BYTES = 25_000_000  # by which the tab may grow over ten minutes of video

pytest_plugins = ["tests.support.fixtures_browser", "tests.support.fixtures_player"]
pytestmark = pytest.mark.browser


# --- While frames are made ----------------------------------------------------------------------------------------


def test_frames_play_while_they_are_made(show: Show) -> None:
    watch = show(frames=range(6))
    expect(watch.root.locator(".count")).to_have_text("6 of 60 frames")
    watch.wait("p.playing && p.shown >= 3")
    watch.wait("p.shown < 3")  # round again over what there is
    for frame in range(6, 12):
        demo.put_frame(watch.feed, frame)
    watch.wait("p.shown >= 9")
    assert watch.ask("p.shown") < 12
    assert watch.pixel("before") != watch.pixel("after")
    assert watch.complaints == []


def test_without_loop_it_waits_for_the_next_frame(show: Show) -> None:
    watch = show(frames=range(4))
    watch.root.locator(".loop").click()
    watch.wait("p.shown === 3")
    watch.page.wait_for_timeout(400)
    assert watch.ask("[p.shown, p.playing]") == [3, True]
    for frame in range(4, 8):
        demo.put_frame(watch.feed, frame)
    watch.wait("p.shown === 7")
    watch.feed.set_phase("stopped")
    watch.wait("!p.playing")
    expect(watch.root.locator(".count")).to_have_text("Stopped after 8 of 60 frames")


def test_frames_out_of_order_and_dropped_ones(show: Show) -> None:
    watch = show(frames=[20, 4, 0, 5])
    watch.wait("p.feed.count === 4")
    watch.root.locator(".play").click()
    watch.root.locator(".scrubber").focus()
    watch.page.keyboard.press("Home")
    seen = [watch.ask("p.frame")]
    for _ in range(4):
        watch.page.keyboard.press(".")
        seen.append(watch.ask("p.frame"))
    assert seen == [0, 4, 5, 20, 20]
    demo.put_frame(watch.feed, 2)
    watch.wait("p.feed.count === 5")
    watch.page.keyboard.press("Home")
    watch.page.keyboard.press(".")
    watch.wait("p.frame === 2 && p.shown === 2")
    watch.page.keyboard.press("Space")
    watch.wait("p.shown === 20")  # over the gap that is too long to wait through


def test_a_frame_that_is_made_anew_replaces_the_old_picture(show: Show) -> None:
    watch = show(frames=[0])
    watch.wait("p.shown === 0")
    before = watch.pixel("after")
    white = np.full((FACTS.height, FACTS.width, 3), 255, np.uint8)
    watch.feed.put(0, white, white)
    watch.wait("p.pictures.fetched === 2 && p.shown === 0")
    assert watch.pixel("after") == [255, 255, 255] != before


def test_a_frame_whose_picture_is_lost_is_passed_over(show: Show) -> None:
    watch = show()
    for frame in range(6):
        demo.put_frame(watch.feed, frame)
        if frame == 3:
            (watch.feed.folder / "frames" / "000003-after.jpg").write_bytes(b"no picture")
        if frame == 4:
            (watch.feed.folder / "frames" / "000004-after.jpg").unlink()
    watch.wait("p.shown === 5")
    assert {3, 4}.isdisjoint(watch.ask("[...p.pictures.decoded.keys()]"))
    assert watch.complaints == []


def test_frames_do_not_wait_behind_the_heavy_job(site: Site, show: Show) -> None:
    watch = show(frames=[0])
    watch.page.locator("#work").click()
    expect(watch.page.locator("#said textarea")).to_have_value("at work", timeout=PATIENCE)
    demo.put_frame(watch.feed, 1)
    watch.wait("p.feed.count === 2 && p.pictures.fetched === 2")
    expect(watch.page.locator("#said textarea")).to_have_value("at work")
    site.busy.set()
    expect(watch.page.locator("#said textarea")).to_have_value("done", timeout=PATIENCE)


def test_a_lost_connection_is_told_and_comes_back(show: Show) -> None:
    watch = show(frames=range(5))
    watch.wait("p.shown >= 0")
    watch.page.context.set_offline(True)
    notice = watch.root.locator(".notice")
    expect(notice).to_contain_text("connection was lost", timeout=PATIENCE)
    demo.put_frame(watch.feed, 5)
    watch.wait("p.link.failures >= 3")
    assert watch.ask("p.feed.count") == 5
    watch.page.context.set_offline(False)
    expect(notice).to_be_hidden(timeout=PATIENCE)
    watch.wait("p.feed.count === 6 && p.shown === 5")
    assert [text for text in watch.complaints if LOST not in text] == []


def test_try_now_does_not_wait(show: Show) -> None:
    watch = show(frames=range(3))
    watch.wait("p.shown >= 0")
    refused = "**/component_server/"
    watch.page.route(refused, lambda route: route.abort())
    expect(watch.root.locator(".retry")).to_be_visible(timeout=PATIENCE)
    watch.page.unroute(refused)
    watch.ask("p.link.retryAt = Date.now() + 1e7")
    watch.root.locator(".retry").click()
    expect(watch.root.locator(".notice")).to_be_hidden(timeout=PATIENCE)


def test_nobody_else_s_id_shows_anything(site: Site, show: Show, tmp_path: Path) -> None:
    watch = show(frames=[0])
    watch.page.locator("#other textarea, #other input").fill("A" * 22)
    watch.page.keyboard.press("Enter")
    expect(watch.root.locator(".notice")).to_contain_text("no longer on the server", timeout=PATIENCE)
    assert watch.ask("[p.feed.count, p.pictures.held.size]") == [0, 0]
    other = site.feeds.create(tmp_path / "other", FACTS)
    demo.put_frame(other, 7)
    watch.page.locator("#other textarea, #other input").fill(other.id)
    watch.page.keyboard.press("Enter")
    watch.wait("p.shown === 7")
    expect(watch.root.locator(".notice")).to_be_hidden()


# --- Odd clips ----------------------------------------------------------------------------------------------------


def test_nothing_yet(site: Site, show: Show) -> None:
    watch = show()
    expect(watch.root.locator(".empty-title")).to_have_text("The first frame is on its way")
    expect(watch.root.locator(".play")).to_be_disabled()
    watch.page.goto(site.address)
    expect(watch.root.locator(".empty-title")).to_have_text("Nothing to play yet")
    watch.root.locator(".scrubber").focus()
    for key in ("Space", "ArrowRight", "End", ".", ",", "m", "l"):
        watch.page.keyboard.press(key)
    assert watch.complaints == []


@pytest.mark.parametrize(("width", "height", "total"), [(180, 320, 3), (321, 179, 1), (64, 512, 2)])
def test_portrait_odd_and_single(show: Show, width: int, height: int, total: int) -> None:
    watch = show(ClipFacts(25.0, total, width, height), range(total))
    watch.wait(f"p.feed.count === {total} && p.shown >= 0")
    for mode in ("divider", "sides"):
        watch.ask(f"p.controls.setMode('{mode}')")
        box = watch.root.locator(".before").bounding_box()
        assert box is not None
        assert box["width"] / box["height"] == pytest.approx(width / height, rel=0.03)
        assert box["height"] <= 0.69 * 900
    watch.page.keyboard.press("End")
    assert watch.complaints == []


class EndlessFeed(Feed):
    """A feed of a long clip whose frames all show the same picture, as heavy as one of a large frame."""

    weight = 60_000  # bytes

    def _read_picture(self, frame: int, side: str) -> bytes | None:
        del frame
        picture = super()._read_picture(0, side)
        return picture and picture.ljust(self.weight, b"\0")


def make_endless(site: Site, folder: Path, total: int) -> Feed:
    template = Feed.create(folder, ClipFacts(30.0, total, 320, 180))
    feed = EndlessFeed(folder, template.id, template.facts)
    demo.put_frame(feed, 0)
    feed._log += [News(frame, *demo.measures(frame, total)) for frame in range(1, total)]
    return site.feeds._add(feed)


def test_ten_minutes_do_not_make_the_tab_grow(site: Site, show: Show, tmp_path: Path) -> None:
    total = 18_000
    watch = show(feed=make_endless(site, tmp_path / "long", total))
    watch.wait(f"p.feed.count === {total} && p.shown >= 0")
    expect(watch.root.locator(".scrubber")).to_have_attribute("aria-valuemax", str(total))
    session = watch.page.context.new_cdp_session(watch.page)

    def heap() -> int:
        session.send("HeapProfiler.collectGarbage")
        usage = session.send("Runtime.getHeapUsage")
        return int(usage["usedSize"] + usage["embedderHeapUsedSize"] + usage["backingStorageSize"])

    def scrub(steps: int) -> None:
        for step in range(steps):
            frame = (step * total) // steps
            watch.ask(f"p.move({frame})")
            watch.wait(f"p.shown === {frame}")

    watch.ask("p.setPlaying(false)")
    scrub(12)
    start = heap()
    scrub(120)
    watch.ask("p.setPlaying(true)")
    watch.wait("p.pictures.fetched > 700")
    held = watch.ask("({bytes: p.pictures.bytes, frames: p.pictures.held.size, decoded: p.pictures.decoded.size})")
    assert held["bytes"] <= 48e6
    assert held["frames"] < 500 < watch.ask("p.pictures.fetched")
    assert held["decoded"] <= 8
    assert heap() - start < HEAP_BYTES
    kept = "[...p.pictures.held.values()].reduce((sum, pair) => sum + pair.before.size + pair.after.size, 0)"
    assert watch.ask(f"p.pictures.bytes - {kept}") == 0  # in one question, for pictures go on coming
    assert watch.complaints == []
