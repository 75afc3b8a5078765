"""The heavy stages on a card that a ZeroGPU Space lends: the real package spaces, as far as it goes without a card."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from page.studio.lending import KEPT, QUOTA, TAKEN_BACK, card_error
from tests.support.zero_gpu import PASSES

pytest_plugins = ["tests.support.fixtures_pack"]
ROOT = Path(__file__).resolve().parents[3]
MOST_SECONDS = 1800  # of a subprocess that hangs


@pytest.fixture(scope="module")
def scenes(
    tmp_path_factory: pytest.TempPathFactory, face_clip: Path, shared_pack_folder: Path, direction_root: Path
) -> dict[str, dict[str, Any]]:
    """What came of each scene of tests/support/zero_gpu.py."""
    folder = tmp_path_factory.mktemp("zero")
    environment = os.environ | {
        "HOME": str(folder),
        "STIT_PACKS": str(shared_pack_folder.parent),
        "STIT_DIRECTIONS": str(direction_root),
        "XDG_CACHE_HOME": str(folder / "cache"),
    }
    names = ("no_hardware", "alike", "refusals", "endings", "waiting", "review", "page")
    command = [sys.executable, "-W", "ignore", "-m", "tests.support.zero_gpu", str(folder), str(face_clip), *names]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=MOST_SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return {name: json.loads((folder / f"{name}.json").read_text()) for name in names}


def test_networks_are_placed_on_the_card_at_the_start_and_this_process_uses_none(scenes: dict[str, Any]) -> None:
    found = scenes["no_hardware"]
    assert found["lent"]
    assert found["on_card"] == ["cuda:0"]
    assert found["here"] == "cpu"


def test_a_fork_that_finds_no_card_is_told_in_words(scenes: dict[str, Any]) -> None:
    refused = scenes["no_hardware"]["refused"]
    assert (refused["state"], refused["message"], refused["hint"]) == ("failed", TAKEN_BACK, KEPT)
    assert refused["forks"] == 1
    assert refused["released"] == ["true"]


def test_without_a_card_the_job_goes_on_on_the_processor_where_it_may(scenes: dict[str, Any]) -> None:
    found = scenes["no_hardware"]["here_instead"]
    assert found["state"] == "done"
    assert len(found["tuned"]) == 1
    assert [text for text in found["warnings"] if "without the graphics card" in text]
    assert scenes["no_hardware"]["too_long_here"]["state"] == "failed", "it would take longer than a job may"


def test_an_edit_on_the_card_is_that_of_the_processor_to_the_byte(scenes: dict[str, Any]) -> None:
    here, there = scenes["alike"]["without"], scenes["alike"]["slices"]
    assert here["tokens"] == [], "nobody was asked"
    assert here["state"] == there["state"] == "done"
    assert there["video"] == here["video"] != []
    assert there["tuned"] == here["tuned"] != []
    assert there["frames_made"] == here["frames_made"]
    assert there["passes"] == here["passes"] == PASSES, "no pass is told twice"
    assert there["taken"] > 0, "what slices took is counted"


def test_each_slice_acts_in_the_name_of_an_event_of_its_own(scenes: dict[str, Any]) -> None:
    found = scenes["alike"]["slices"]
    slices = len(found["tokens"])
    assert slices > PASSES
    assert found["tokens"] == ["button", *(f"answer {number}" for number in range(1, slices))]
    assert found["asks"] == slices - 1
    assert found["released"] == ["false"] * slices
    assert all(8 < seconds < 60 for seconds in found["seconds"])


def test_a_refusal_is_told_in_words_and_nothing_is_lost(scenes: dict[str, Any]) -> None:
    found = scenes["refusals"]
    assert [found[name]["state"] for name in ("quota", "expired", "busy", "broken")] == ["failed"] * 4
    assert found["quota"]["message"] == QUOTA
    assert "3:00:00" in found["quota"]["hint"]
    assert "expired" in found["expired"]["message"]
    assert "free" in found["busy"]["message"]
    assert all("goes on from there" in found[name]["hint"] for name in ("quota", "expired", "busy", "broken"))


def test_an_old_token_is_tried_again_with_a_fresh_one(scenes: dict[str, Any]) -> None:
    once, twice = scenes["refusals"]["expired once"], scenes["refusals"]["expired"]
    assert once["state"] == "done"
    assert once["tokens"][:2] == twice["tokens"] == ["button", "answer 1"]


def test_a_fork_that_dies_costs_a_press_of_the_button(scenes: dict[str, Any]) -> None:
    found = scenes["endings"]
    assert (found["killed"]["state"], found["killed"]["message"]) == ("failed", TAKEN_BACK)
    assert found["killed"]["tuned"] == []
    assert found["killed, again"]["state"] == "done"
    assert found["killed, again"]["tuned"] == scenes["alike"]["without"]["tuned"]
    assert found["killed, all there"]["state"] == "done"
    assert found["killed, all there"]["tokens"] == [], "what is there is not asked for"


def test_stop_closes_the_slice_and_the_next_one_goes_on(scenes: dict[str, Any]) -> None:
    found = scenes["endings"]
    assert found["stopped"]["state"] == "stopped"
    assert 2 <= found["stopped"]["passes"] < PASSES
    assert set(found["stopped"]["released"]) == {"false"}, "the card is given back, by a fork that ended as it should"
    assert found["stopped, again"]["tuned"] == scenes["alike"]["without"]["tuned"]


def test_a_job_that_waited_asks_for_an_event_and_one_whose_visitor_left_ends(scenes: dict[str, Any]) -> None:
    waited, gone = scenes["waiting"]["waited"], scenes["waiting"]["gone"]
    assert waited["state"] == "done"
    assert waited["tokens"][0] == "answer 1", "the button's own is too old"
    assert gone["state"] == "failed"
    assert gone["tokens"] == []
    assert "Nobody was there" in gone["message"]


def test_a_review_has_its_clips_made_on_the_card_and_reads_the_same_in_them(scenes: dict[str, Any]) -> None:
    found = scenes["review"]
    assert found["without"]["state"] == found["slices"]["state"] == "done"
    assert found["without"]["tokens"] == []
    assert len(found["slices"]["tokens"]) > PASSES / 2
    assert found["slices"]["kept"] == found["without"]["kept"]
    assert len(found["slices"]["kept"]) == 4, "a picture and a clip, each as it is and edited"
    assert not [record for record in found["slices"]["kept"].values() if "failure" in record]


def test_a_review_whose_card_is_refused_ends_in_words_and_is_resumed(scenes: dict[str, Any]) -> None:
    refused = scenes["review"]["refused"]
    assert (refused["state"], refused["message"]) == ("failed", QUOTA)
    assert len(refused["tokens"]) == 4


def test_the_page_reports_its_function_and_its_tabs_bring_tokens(scenes: dict[str, Any]) -> None:
    found = scenes["page"]
    assert found["reported"] == 1
    assert found["joined"] == 200
    assert found["state"] == "done"
    assert found["tokens"][0] == "tab"
    assert found["told"] == [True, True], "what does not use the card says so"


@pytest.mark.parametrize(
    ("title", "text", "words", "stale"),
    [
        ("ZeroGPU quota exceeded", "You have exceeded your quota. Try again in 1:02:03. ", "1:02:03", False),
        ("ZeroGPU pending credits exceeded", "You have too many ZeroGPU credits allocated", "used up", False),
        ("ZeroGPU illegal duration", "The requested GPU duration (200s) is larger than", "quicker preset", False),
        ("ZeroGPU client error", "Expired ZeroGPU proxy token", "expired", True),
        ("ZeroGPU client error", "No GPU was available", "free", False),
        ("ZeroGPU queue timeout", "No GPU was available after 60s", "free", False),
        ("ZeroGPU worker error", "GPU task aborted", "taken back", False),
    ],
)
def test_what_the_package_raises_is_known_by_its_title(title: str, text: str, words: str, stale: bool) -> None:
    found = card_error(gr.Error(text, title=title))
    assert words in str(found)
    assert KEPT in found.hint
    assert found.stale == stale


def test_what_nobody_knows_is_told_as_such() -> None:
    found = card_error(RuntimeError("Unexpected end of stream"))
    assert "could not be had" in found.message
    assert "stream" not in str(found)
