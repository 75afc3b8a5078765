"""The player in Chromium, fed with drawn frames: while they are made, when they are lost, when they are finished."""

from __future__ import annotations

import base64
import functools
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect, sync_playwright

from page.studio.feed import ClipFacts, Feed, Feeds, Finished, News
from page.ui.components import WEB
from tests.support import player_demo as demo

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
PATIENCE = 30_000  # milliseconds
FACTS = ClipFacts(25.0, 60, 320, 180)
LOST = "ERR_INTERNET_DISCONNECTED"
HEAP_BYTES = 25_000_000  # by which the tab may grow over ten minutes of video

pytestmark = [pytest.mark.browser, pytest.mark.skipif(BROWSER is None, reason="Chromium is not installed")]


@dataclass
class Site:
    """The demonstration page, and what feeds its player."""

    address: str
    feeds: Feeds
    served: Path
    busy: threading.Event


@dataclass
class Watch:
    """A tab with the player, and what the browser complained about in it."""

    page: Page
    feed: Feed
    complaints: list[str] = field(default_factory=list)

    @property
    def root(self) -> Locator:
        return self.page.locator(".stit-player")

    def ask(self, expression: str) -> Any:
        """A JavaScript expression about `p`, the player."""
        return self.root.evaluate(f"root => {{ const p = root.player; return {expression}; }}")

    def wait(self, expression: str) -> None:
        """Until a JavaScript expression about `p` holds."""
        script = f"() => {{ const p = document.querySelector('.stit-player')?.player; return p && ({expression}); }}"
        self.page.wait_for_function(script, timeout=PATIENCE)

    def pixel(self, side: str) -> list[int]:
        """The colour in the middle of a side's picture."""
        script = """canvas => [...canvas.getContext('2d').getImageData(
            canvas.width / 2, canvas.height / 2, 1, 1).data].slice(0, 3)"""
        colour: list[int] = self.root.locator(f".{side} canvas").evaluate(script)
        return colour


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    served = tmp_path_factory.mktemp("served")
    feeds, busy = Feeds(), threading.Event()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(served))
        page, address = demo.launch(feeds, busy, served)
    yield Site(address, feeds, served, busy)
    busy.set()
    page.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=BROWSER, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def contexts(browser: Browser) -> Iterator[Callable[..., BrowserContext]]:
    opened: list[BrowserContext] = []

    def make(**options: Any) -> BrowserContext:
        opened.append(browser.new_context(**{"viewport": {"width": 1000, "height": 900}, **options}))
        return opened[-1]

    yield make
    for context in opened:
        context.close()


Show = Callable[..., Watch]


@pytest.fixture
def show(site: Site, contexts: Callable[..., BrowserContext], tmp_path: Path) -> Show:
    """Open a feed of these facts with these frames in a tab of its own."""

    def open_tab(
        facts: ClipFacts = FACTS, frames: Any = (), feed: Feed | None = None, query: str = "", **options: Any
    ) -> Watch:
        feed = feed or site.feeds.create(tmp_path / "feed", facts)
        for frame in frames:
            demo.put_frame(feed, frame)
        watch = Watch(contexts(**options).new_page(), feed)
        watch.page.on("pageerror", lambda error: watch.complaints.append(str(error)))
        watch.page.on("console", lambda m: watch.complaints.append(m.text) if m.type == "error" else None)
        watch.page.goto(f"{site.address}?feed={feed.id}{query}")
        watch.wait(f"p.feed.id.startsWith('{feed.id}') && p.feed.epoch")
        return watch

    return open_tab


@functools.cache
def make_video(folder: Path, name: str, codec: str = "libx264") -> Path:
    return demo.write_video(folder / f"{name}-{codec}.mp4", FACTS, name == "edited", codec)


def finish(site: Site, feed: Feed, edited: str = "libx264", source: str = "libx264") -> None:
    videos = make_video(site.served, "edited", edited), make_video(site.served, "source", source)
    feed.finish(Finished(*videos, sound=True))


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


# --- The finished videos ------------------------------------------------------------------------------------------


def test_the_finished_edit_goes_on_as_video_with_sound(site: Site, show: Show) -> None:
    watch = show(frames=range(60))
    replies: list[int] = []
    watch.page.on("response", lambda reply: replies.append(reply.status) if ".mp4" in reply.url else None)
    watch.wait("p.playing && p.shown > 2")
    finish(site, watch.feed)
    watch.wait("p.media === 'video' && !p.videos.after.paused && !p.videos.before.paused")
    expect(watch.root.locator(".after video")).to_be_visible()
    expect(watch.root.locator(".sound")).to_be_visible()
    assert set(replies) == {206}
    assert watch.ask("[p.videos.before.muted, p.pictures.held.size]") == [True, 0]
    watch.root.locator(".play").click()
    watch.root.locator(".scrubber").focus()
    watch.page.keyboard.press("Home")
    watch.wait("!p.videos.after.seeking && p.frame === 0")
    for _ in range(3):
        watch.page.keyboard.press(".")
    watch.wait("p.frame === 3 && !p.videos.after.seeking && !p.videos.before.seeking && p.videos.pending === null")
    assert watch.ask("p.videos.after.currentTime") == pytest.approx(3.5 / 25, abs=1e-3)
    assert watch.ask("p.videos.before.currentTime") == pytest.approx(3.5 / 25, abs=1e-3)
    watch.page.keyboard.press("s")
    expect(watch.root.locator(".sound")).to_have_attribute("aria-pressed", "false")
    watch.page.keyboard.press("End")
    watch.page.keyboard.press("Space")
    watch.wait("p.frame > 3 && p.frame < 30")  # looped
    watch.page.keyboard.press("l")
    watch.wait("!p.playing && p.videos.after.ended")
    assert watch.complaints == []


def test_a_reload_opens_the_finished_edit_and_waits(site: Site, show: Show) -> None:
    watch = show(frames=range(60))
    finish(site, watch.feed)
    watch.wait("p.media === 'video'")
    watch.page.reload()
    watch.wait("p.media === 'video' && p.videos.hasBefore")
    assert watch.ask("[p.playing, p.videos.after.paused]") == [False, True]


def test_two_results_are_compared_as_videos_under_their_names(site: Site, show: Show, tmp_path: Path) -> None:
    left = site.feeds.create(tmp_path / "left", FACTS)
    for frame in range(60):
        demo.put_frame(left, frame)
    edited, other = make_video(site.served, "edited"), make_video(site.served, "source")
    left.finish(Finished(other, sound=True))
    watch = show(frames=range(60), query=f"&beside={left.id}")
    watch.feed.finish(Finished(edited, sound=True))
    watch.wait("p.media === 'video' && p.videos.hasBefore")
    sources = watch.ask("[p.videos.before.src, p.videos.after.src].map((url) => decodeURIComponent(url))")
    assert [Path(url).name for url in sources] == [other.name, edited.name]
    expect(watch.root.locator(".before .tag")).to_have_text("One result")
    expect(watch.root.locator(".after .tag")).to_have_text("The other")
    watch.root.locator(".modes input[value=flicker]").check(force=True)
    expect(watch.root.locator(".swap-name")).to_have_text(re.compile("One result|The other"))
    assert watch.complaints == []


def test_a_source_that_cannot_be_played_is_shown_by_its_frames(site: Site, show: Show) -> None:
    watch = show(frames=range(60))
    watch.wait("p.shown >= 0")
    finish(site, watch.feed, source="mpeg4")
    watch.wait("p.media === 'video' && !p.videos.hasBefore")
    watch.root.locator(".play").click()
    watch.ask("p.move(33)")
    watch.wait("p.frame === 33 && p.shown === 33 && p.pictures.pair(33)")
    expect(watch.root.locator(".before canvas")).to_be_visible()
    expect(watch.root.locator(".after video")).to_be_visible()


def test_a_video_that_cannot_be_played_leaves_the_frames(site: Site, show: Show) -> None:
    watch = show(frames=range(60))
    finish(site, watch.feed, edited="mpeg4", source="mpeg4")
    expect(watch.root.locator(".notice")).to_contain_text("cannot play the finished video", timeout=PATIENCE)
    watch.wait("p.media === 'stills'")
    watch.ask("p.setPlaying(true)")
    watch.wait("p.shown > 20")
    expect(watch.root.locator(".sound")).to_be_hidden()


# --- By hand ------------------------------------------------------------------------------------------------------


def centre(box: Any) -> tuple[float, float]:
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_an_update_from_gradio_changes_nothing_that_is_shown(show: Show) -> None:
    watch = show(frames=range(8))
    x, y = centre(watch.root.locator(".grip").bounding_box())
    watch.page.mouse.move(x, y)
    watch.page.mouse.down()
    watch.page.mouse.move(x - 150, y, steps=4)
    watch.page.mouse.up()
    width = watch.ask("p.stage.pictures.clientWidth")
    split = watch.ask("p.stage.split")
    assert split == pytest.approx(50 - 100 * 150 / width, abs=0.5)
    expect(watch.root.locator(".divider")).to_have_attribute("aria-valuenow", str(round(split)))
    watch.ask("root.mark = 'the same element'")
    for button in ("#same", "#label"):
        with watch.page.expect_response("**/run/predict**", timeout=PATIENCE):
            watch.page.locator(button).click()
    watch.page.wait_for_timeout(300)
    watch.page.get_by_role("tab", name="Elsewhere").click()
    expect(watch.root).to_be_hidden()
    watch.page.get_by_role("tab", name="Watch").click()
    expect(watch.root).to_be_visible()
    assert watch.ask("[root.mark, p.stage.split, p.playing]") == ["the same element", split, True]
    shown = watch.ask("p.shown")
    watch.wait(f"p.shown !== {shown}")
    assert watch.complaints == []


def test_clicks_on_picture_scrubber_and_strip(show: Show) -> None:
    watch = show(frames=range(60))
    watch.wait("p.feed.count === 60 && p.playing")
    watch.root.locator(".pictures").click(position={"x": 40, "y": 60})
    assert watch.ask("p.playing") is False
    for rail in (".scrubber", ".strip"):
        target = watch.root.locator(rail)
        box = target.bounding_box()
        assert box is not None
        target.click(position={"x": box["width"] * 42.5 / 60, "y": box["height"] / 2})
        watch.wait("p.frame === 42 && p.shown === 42")
        watch.ask("p.move(0)")
    watch.root.locator(".strip").hover(position={"x": 1, "y": 4})
    tip = watch.root.locator(".tip")
    expect(tip).to_contain_text("Frame 1 of 60")
    expect(tip).to_contain_text("Seam 0.0020, fine")
    expect(tip).to_contain_text("Identity 0.950, kept")


def test_keyboard_only(show: Show) -> None:
    watch = show(frames=range(60))
    watch.wait("p.feed.count === 60 && p.playing")
    press = watch.page.keyboard.press
    press("Space")
    assert watch.ask("p.playing")  # the focus is elsewhere
    names = []
    for _ in range(30):
        press("Tab")
        names.append(
            watch.page.evaluate("document.activeElement.getAttribute('aria-label') ?? document.activeElement.value")
        )
        if names[-1] == "Full screen":
            break
    inside = names[names.index("Divider between before and after") :]
    assert inside == [
        "Divider between before and after",
        "Frame",
        "Pause",
        "One frame back",
        "One frame on",
        "Loop",
        "divider",
        "Speed",
        "Full screen",
    ]
    watch.root.locator(".divider").focus()
    for key, split in (("ArrowRight", 52), ("Shift+ArrowLeft", 42), ("Home", 0), ("End", 100)):
        press(key)
        expect(watch.root.locator(".divider")).to_have_attribute("aria-valuenow", str(split))
    press("Space")
    assert watch.ask("p.playing") is False
    watch.root.locator(".scrubber").focus()
    moves = (
        ("Home", 0),
        (".", 1),
        (".", 2),
        (",", 1),
        ("ArrowRight", 26),
        ("ArrowLeft", 1),
        ("End", 59),
        ("PageDown", 59),
    )
    for key, frame in moves:
        press(key)
        assert watch.ask("p.frame") == frame, key
    expect(watch.root.locator(".tip")).to_contain_text("Frame 60 of 60")
    expect(watch.root.locator(".scrubber")).to_have_attribute(
        "aria-valuetext", "Frame 60 of 60, 0:02.36, seam 0.0024, fine, identity 0.930, kept"
    )
    for mode in ("sides", "flicker", "divider"):
        press("m")
        assert watch.root.get_attribute("data-mode") == mode
    press("l")
    assert watch.ask("p.controls.loop") is False
    press(">")
    assert watch.ask("p.controls.speed") == 1.25
    press("f")
    watch.page.wait_for_function("document.fullscreenElement !== null")
    press("f")
    watch.page.wait_for_function("document.fullscreenElement === null")
    assert watch.complaints == []


def test_choices_outlive_a_reload(show: Show) -> None:
    watch = show(frames=range(20))
    watch.wait("p.feed.count === 20")
    watch.root.get_by_role("radio", name="Side by side").check()
    watch.root.locator(".speed").select_option("0.5")
    watch.root.locator(".play").click()
    watch.ask("p.timeline.tell.onHold(true)")
    watch.ask("p.move(11)")
    watch.ask("p.timeline.tell.onHold(false)")
    watch.page.reload()
    watch.wait("p.feed.count === 20")
    assert watch.ask("[p.stage.mode, p.controls.speed]") == ["sides", 0.5]
    assert watch.ask("p.frame") >= 11


def test_touch_moves_the_divider_and_leaves_the_page_where_it_is(show: Show) -> None:
    watch = show(frames=range(5), viewport={"width": 375, "height": 740}, has_touch=True, is_mobile=True)
    watch.wait("p.shown >= 0")
    x, y = centre(watch.root.locator(".grip").bounding_box())
    touch = watch.page.context.new_cdp_session(watch.page)
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    for step in range(1, 6):
        points = [{"x": x + 16 * step, "y": y + 3 * step}]
        touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": points})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    width = watch.ask("p.stage.pictures.clientWidth")
    assert watch.ask("p.stage.split") == pytest.approx(50 + 100 * 80 / width, abs=1)
    assert watch.page.evaluate("window.scrollY") == 0


@pytest.mark.parametrize(("width", "height"), [(375, 740), (3840, 2160)])
def test_it_fits_a_phone_and_a_large_screen(show: Show, width: int, height: int) -> None:
    watch = show(frames=range(5), viewport={"width": width, "height": height})
    watch.wait("p.shown >= 0")
    assert watch.page.evaluate("document.documentElement.scrollWidth") <= width
    outer = watch.root.bounding_box()
    assert outer is not None
    for control in watch.root.locator("button:visible, select, .modes label, .scrubber, .strip").all():
        box = control.bounding_box()
        assert box is not None
        assert outer["x"] <= box["x"]
        assert box["x"] + box["width"] <= outer["x"] + outer["width"]
        assert box["height"] >= 24


def test_flicker_takes_turns_unless_less_motion_is_wanted(show: Show) -> None:
    watch = show(frames=range(3))
    watch.ask("p.controls.setMode('flicker')")
    watch.wait("p.stage.face === 'before'")
    watch.wait("p.stage.face === 'after'")
    watch.page.emulate_media(reduced_motion="reduce")
    watch.wait("p.stage.still.matches && p.stage.face === 'after'")
    watch.page.wait_for_timeout(1500)
    assert watch.ask("p.stage.face") == "after"
    watch.root.locator(".swap").click()
    assert watch.ask("p.stage.face") == "before"
    expect(watch.root.locator(".after")).to_be_hidden()


def test_dark_has_colours_of_its_own(show: Show) -> None:
    watch = show(frames=range(3), query="&__theme=dark")
    watch.wait("document.body.classList.contains('dark')")
    assert watch.ask("getComputedStyle(root).getPropertyValue('--good')") == "#3f6f96"
    background = watch.ask("getComputedStyle(root).backgroundColor")
    assert max(int(part) for part in background.removeprefix("rgb(").removesuffix(")").split(",")) < 80


def test_the_page_holds_the_pictures_as_bytes_only(show: Show) -> None:
    watch = show(frames=range(3))
    watch.wait("p.shown >= 0")
    text = base64.b64encode((watch.feed.folder / "frames" / "000000-after.jpg").read_bytes()).decode()
    assert text[:60] not in watch.page.content()


def test_texts_take_the_form_of_their_number_and_keep_places_that_nobody_knows(browser: Browser) -> None:
    forms = {"one": "{count} klatka", "few": "{count} klatki", "other": "{count} klatek z {all}"}
    script = (WEB / "fill.js").read_text()
    page = browser.new_page()
    made = page.evaluate(
        f"forms => {{ const language = 'pl'; {script} return [1, 2, 5].map((count) => fill(forms, {{ count }})); }}",
        forms,
    )
    page.close()
    assert made == ["1 klatka", "2 klatki", "5 klatek z {all}"]
