"""The player in Chromium once its videos are finished."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from page.studio.feed import Finished
from tests.support import player_demo as demo
from tests.support.player_page import FACTS, PATIENCE, Show, Site, finish, make_video

pytest_plugins = ["tests.support.fixtures_browser", "tests.support.fixtures_player"]
pytestmark = pytest.mark.browser


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
