"""The player's side on the server: feeds on disk, and what the component's functions answer."""

from __future__ import annotations

import base64
import inspect
import io
import json
import re
import threading
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest
from PIL import Image

from page.studio.feed import LONGEST_SIDE, MAX_BYTES, MAX_FRAMES, MAX_NEWS, ClipFacts, Feed, Feeds, Finished
from page.ui import html
from page.ui.player import ASSETS, SCRIPTS, answer, beside, build_player
from page.ui.words.widgets import PLAYER
from stit_core.errors import StoreError

FACTS = ClipFacts(25.0, 40, 64, 36)


def picture(shade: int, facts: ClipFacts = FACTS) -> np.ndarray:
    return np.full((facts.height, facts.width, 3), shade, np.uint8)


@pytest.fixture
def feeds() -> Feeds:
    return Feeds()


@pytest.fixture
def feed(feeds: Feeds, tmp_path: Path) -> Feed:
    return feeds.create(tmp_path / "feed", FACTS)


def ask_state(feeds: Feeds, **asked: Any) -> dict[str, Any]:
    return answer(feeds)[0](asked)


def ask_frames(feeds: Feeds, **asked: Any) -> dict[str, Any]:
    return answer(feeds)[1](asked)


def decode(text: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(text))))


def test_news_come_once_and_in_the_order_in_which_they_were_put(feeds: Feeds, feed: Feed) -> None:
    for frame in (3, 1, 2):
        feed.put(frame, picture(10), picture(200), seam=0.001 * frame, identity=0.9)
    first = ask_state(feeds, id=feed.id, epoch="", since=0)
    assert (first["frames"], first["start"], first["since"]) == ([3, 1, 2], 0, 3)
    assert first["seam"] == pytest.approx([0.003, 0.001, 0.002])
    assert (first["total"], first["frame_rate"], first["width"], first["height"]) == (40, 25.0, 64, 36)
    feed.put(0, picture(10), picture(200))
    second = ask_state(feeds, id=feed.id, epoch=first["epoch"], since=3)
    assert (second["frames"], second["seam"], second["identity"], second["start"]) == ([0], [None], [None], 3)
    assert not second["more"]


def test_a_long_log_is_told_in_parts(feeds: Feeds, tmp_path: Path) -> None:
    feed = feeds.create(tmp_path / "long", ClipFacts(30.0, 18_000, 64, 36))
    for frame in range(MAX_NEWS + 7):
        feed.measure(frame, 0.001, 0.9)
    first = ask_state(feeds, id=feed.id, epoch="", since=0)
    rest = ask_state(feeds, id=feed.id, epoch=first["epoch"], since=first["since"])
    assert (len(first["frames"]), first["more"], len(rest["frames"]), rest["more"]) == (MAX_NEWS, True, 7, False)


def test_what_is_no_figure_is_told_as_unknown(feeds: Feeds, feed: Feed) -> None:
    feed.put(0, picture(1), picture(2), seam=float("nan"), identity=float("inf"))
    told = ask_state(feeds, id=feed.id, epoch="", since=0)
    assert (told["seam"], told["identity"]) == ([None], [None])
    json.dumps(told, allow_nan=False)


def test_pictures_are_the_ones_that_were_put(feeds: Feeds, feed: Feed) -> None:
    feed.put(5, picture(10), picture(200))
    told = ask_frames(feeds, id=feed.id, frames=[5, 6])
    (frame, before, after), missing = told["pictures"]
    assert frame == 5
    assert np.abs(decode(before).astype(int) - 10).max() <= 2
    assert np.abs(decode(after).astype(int) - 200).max() <= 2
    assert missing == (6, None, None)


def test_large_pictures_are_made_smaller_and_keep_their_shape(feeds: Feeds, tmp_path: Path) -> None:
    facts = ClipFacts(25.0, 1, 1440, 2560)
    feed = feeds.create(tmp_path / "tall", facts)
    feed.put(0, picture(10, facts), picture(20, facts))
    _, before, _ = ask_frames(feeds, id=feed.id, frames=[0])["pictures"][0]
    assert decode(before).shape == (LONGEST_SIDE, LONGEST_SIDE * 9 // 16, 3)


def test_a_reply_holds_no_more_than_it_should(feeds: Feeds, tmp_path: Path) -> None:
    facts = ClipFacts(25.0, 60, 1280, 720)
    feed = feeds.create(tmp_path / "noise", facts)
    noise = np.random.default_rng(0).integers(0, 256, (720, 1280, 3), np.uint8)
    for frame in range(3):
        feed.put(frame, noise, noise)
    single = sum(path.stat().st_size for path in (feed.folder / "frames").glob("000000-*.jpg"))
    told = ask_frames(feeds, id=feed.id, frames=[0, 1, 2])["pictures"]
    assert len(told) == max(1, MAX_BYTES // single) < 3
    assert len(ask_frames(feeds, id=feed.id, frames=list(range(60)))["pictures"]) <= MAX_FRAMES


@pytest.mark.parametrize("frame", [-1, 40])
def test_frames_that_the_clip_does_not_have_are_refused(feed: Feed, frame: int) -> None:
    with pytest.raises(ValueError, match="frames 0 to 39"):
        feed.put(frame, picture(1), picture(2))


@pytest.mark.parametrize(
    "asked",
    [None, [], "text", {}, {"id": 7}, {"id": "../../etc/passwd"}, {"id": "A" * 22}, {"id": ["A" * 22]}, {"id": None}],
)
def test_whoever_does_not_know_the_id_learns_nothing(feeds: Feeds, feed: Feed, asked: Any) -> None:
    feed.put(0, picture(1), picture(2))
    for function in answer(feeds):
        assert function(asked) == {"known": False}


@pytest.mark.parametrize("frames", [None, "0", 0, {"0": 1}])
def test_what_is_no_list_of_frames_is_refused(feeds: Feeds, feed: Feed, frames: Any) -> None:
    assert ask_frames(feeds, id=feed.id, frames=frames) == {"known": False}


def test_limits_and_words_are_sent_and_not_repeated_in_the_script(feeds: Feeds, feed: Feed) -> None:
    told = ask_state(feeds, id=feed.id, epoch="", since=0)
    assert told["batch"] == MAX_FRAMES
    scales = told["scales"]
    assert scales["seam"]["best"] < scales["seam"]["good"] < scales["seam"]["fair"]
    assert scales["identity"]["best"] > scales["identity"]["good"] > scales["identity"]["fair"]
    script = "".join((ASSETS / name).read_text() for name in SCRIPTS)
    assert all(len(scale["words"]) == 3 for scale in scales.values())
    spoken = [word for scale in scales.values() for word in scale["words"][1:]]
    assert not [word for word in spoken if f'"{word}"' in script]
    assert not [scale for scale in scales.values() if f"[{scale['good']}, {scale['fair']}]" in script]


def test_numbers_that_are_no_frames_are_left_out(feeds: Feeds, feed: Feed) -> None:
    feed.put(0, picture(1), picture(2))
    told = ask_frames(feeds, id=feed.id, frames=[-1, "0", None, True, 1e9, 40, "../0", [0], 0])
    assert [frame for frame, *_ in told["pictures"]] == [0]


@pytest.mark.parametrize("since", [-5, "1", None, 1.5, True, 10**12])
def test_a_position_that_is_none_does_no_harm(feeds: Feeds, feed: Feed, since: Any) -> None:
    feed.put(0, picture(1), picture(2))
    epoch = ask_state(feeds, id=feed.id, epoch="", since=0)["epoch"]
    told = ask_state(feeds, id=feed.id, epoch=epoch, since=since)
    assert told["frames"] == ([] if since == 10**12 else [0])


def test_ids_are_long_and_differ(feeds: Feeds, tmp_path: Path) -> None:
    ids = {feeds.create(tmp_path / str(i), FACTS).id for i in range(20)}
    assert len(ids) == 20
    assert all(len(base64.urlsafe_b64decode(feed_id + "==")) == 16 for feed_id in ids)


def test_a_feed_is_found_again_as_it_was(feeds: Feeds, feed: Feed, tmp_path: Path) -> None:
    feed.put(7, picture(10), picture(200), seam=0.004, identity=0.8)
    feed.finish(Finished(tmp_path / "edited.mp4", tmp_path / "source.mp4", start=1.5, sound=True))
    with (feed.folder / "log.jsonl").open("a") as log:
        log.write('{"frame": 8, "se')  # cut off while it was written
    assert feeds.open(feed.folder) is feed
    later = Feeds()
    again = later.open(feed.folder)
    told = ask_state(later, id=feed.id, epoch="of the other opening", since=1)
    assert (told["frames"], told["seam"], told["start"], told["phase"]) == ([7], [0.004], 0, "finished")
    assert again.finished == feed.finished
    assert len(ask_frames(later, id=feed.id, frames=[7])["pictures"]) == 1


def test_an_unfinished_feed_is_found_again_as_stopped(feed: Feed) -> None:
    feed.put(0, picture(1), picture(2))
    assert Feeds().open(feed.folder).phase == "stopped"


def test_a_folder_without_a_feed_is_told_in_words(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        Feeds().open(tmp_path)


def test_a_deleted_feed_is_gone(feeds: Feeds, feed: Feed, tmp_path: Path) -> None:
    feed.folder.rename(tmp_path / "elsewhere")
    assert ask_state(feeds, id=feed.id, epoch="", since=0) == {"known": False}
    assert feeds.get(feed.id) is None


def test_a_forgotten_feed_is_gone(feeds: Feeds, feed: Feed) -> None:
    feeds.forget(feed.id)
    assert ask_frames(feeds, id=feed.id, frames=[0]) == {"known": False}


def test_videos_are_linked_for_gradio(feeds: Feeds, feed: Feed) -> None:
    assert ask_state(feeds, id=feed.id, epoch="", since=0)["finished"] is None
    feed.finish(Finished(Path("/served/an edit#1.mp4"), None, sound=True))
    told = ask_state(feeds, id=feed.id, epoch="", since=0)
    assert told["phase"] == "finished"
    assert told["finished"]["source"] is None
    assert told["finished"]["edited"]["url"] == "gradio_api/file=/served/an%20edit%231.mp4"
    assert told["finished"]["edited"]["meta"] == {"_type": "gradio.FileData"}


def test_one_result_stands_in_the_place_of_the_others_source(feeds: Feeds, feed: Feed, tmp_path: Path) -> None:
    other = feeds.create(tmp_path / "other", FACTS)
    for made, shade in ((feed, 100), (other, 200)):
        made.put(3, picture(10), picture(shade), seam=0.001 * shade)
        made.finish(Finished(Path(f"/served/{shade}.mp4"), Path("/served/source.mp4"), start=2.0, sound=True))
    value = beside(feed.id, other.id, ("Smile +2", "Age +1"))
    assert value["names"] == ["Smile +2", "Age +1"]
    told = ask_state(feeds, id=value["id"], epoch="", since=0)
    assert told["seam"] == pytest.approx([0.1]), "the figures are those of the result on the right"
    finished = told["finished"]
    assert (finished["edited"]["path"], finished["source"]["path"]) == ("/served/100.mp4", "/served/200.mp4")
    assert finished["start"] == 0.0
    ((_, left, right),) = ask_frames(feeds, id=value["id"], frames=[3])["pictures"]
    assert [round(float(decode(text).mean())) for text in (left, right)] == [200, 100]


def test_what_cannot_stand_beside_a_result_is_not_shown(feeds: Feeds, feed: Feed, tmp_path: Path) -> None:
    shorter = feeds.create(tmp_path / "shorter", ClipFacts(25.0, 39, 64, 36))
    for left in (shorter.id, "A" * 22, "", f"{feed.id} {feed.id}"):
        assert ask_state(feeds, id=f"{feed.id} {left}", epoch="", since=0) == {"known": False}
        assert ask_frames(feeds, id=f"{feed.id} {left}", frames=[0]) == {"known": False}


def test_many_threads_put_and_ask_at_once(feeds: Feeds, feed: Feed) -> None:
    def put(offset: int) -> None:
        for frame in range(offset, 40, 4):
            feed.put(frame, picture(frame), picture(frame))

    threads = [threading.Thread(target=put, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    seen: list[int] = []
    epoch, since = "", 0
    while len(seen) < 40:
        told = ask_state(feeds, id=feed.id, epoch=epoch, since=since)
        epoch, since = told["epoch"], told["since"]
        seen += told["frames"]
        if not any(thread.is_alive() for thread in threads) and not told["frames"]:
            break
    assert sorted(seen) == list(range(40))
    assert sorted(news.frame for news in Feed.open(feed.folder)._log) == list(range(40))


def test_the_component_offers_the_two_functions_and_no_other(feeds: Feeds) -> None:
    with gr.Blocks():
        player = build_player(feeds)
    assert player.get_config()["server_fns"] == ["player_state", "player_frames"]
    for function in (player.player_state, player.player_frames):
        assert len(inspect.signature(function).parameters) == 1
    json.dumps(player.get_config())


@pytest.mark.parametrize("name", ["player.html", "player.css"])
def test_templates_hold_nothing_that_gradio_would_fill_in(name: str) -> None:
    text = html.fill(ASSETS / name, PLAYER)
    assert not re.search(r"[`\\]|\$\{|\{\{|@children|<script|@keyframes", text)


def test_scripts_put_no_data_into_markup() -> None:
    scripts = sorted(path.name for path in ASSETS.glob("*.js"))
    assert scripts == sorted(SCRIPTS)
    for name in scripts:
        text = (ASSETS / name).read_text()
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|createObjectURL", text
        ), name
        assert len(text.splitlines()) < 400


def test_every_control_has_a_name() -> None:
    markup = html.fill(ASSETS / "player.html", PLAYER)
    for tag in re.findall(r"<(?:button|select|canvas)\b[^>]*>|<[^>]* role=\"slider\"[^>]*>", markup):
        assert re.search(r'aria-label="[^"]+"|aria-hidden="true"|class="retry"', tag), tag
