"""Frames on their way to the player: shown one by one, never all in memory."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from page.studio import feed_writer
from page.studio.feed import ClipFacts, Feed
from page.studio.feed_writer import HELD, FeedWriter
from page.studio.job import Job
from page.studio.studio import Studio
from stit_core.artefacts import Clip, FrameFolder
from stit_core.pipeline import Pipeline
from stit_core.previews import preview_frame, stitched_so_far
from tests.support.page_cases import PATIENCE, begin, finish, make_studio, wait_for

pytest_plugins = ["tests.support.fixtures_pack"]

SMILE = (("smile", 2.0),)


@pytest.fixture(scope="module")
def studio(tiny_environment: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Studio:  # noqa: ARG001
    return make_studio(tmp_path_factory.mktemp("feeding"))


@pytest.fixture(scope="module")
def stitched(studio: Studio, face_clip: Path) -> tuple[Pipeline, Clip]:
    """A pipeline whose clip was stitched."""
    run = begin(studio, face_clip, edits=SMILE).id
    assert finish(studio, run, "edit").state == "done"
    opened = studio.previews.opened(run)
    return opened.pipeline.with_config(studio.config(studio.runs.get(run))), opened.clip


@pytest.fixture
def writer(stitched: tuple[Pipeline, Clip], tmp_path: Path) -> FeedWriter:
    pipeline, clip = stitched
    feed = Feed.create(tmp_path / "feed", ClipFacts(10.0, len(clip.frames), clip.width, clip.height))

    def draw(frame: int, faces: dict[int, np.ndarray]) -> np.ndarray:
        return preview_frame(pipeline, clip, frame, faces[0])

    return FeedWriter({0: pipeline}, draw, clip, feed, Job("run", "edit", lambda job: None, {}))  # noqa: ARG005


def crops_read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files of crops that are read from now on."""
    read, seen = FrameFolder.read, []

    def counted(self: FrameFolder, frame: int) -> np.ndarray:
        if self.path.name == "crops":
            seen.append(self.file(frame).name)
        return read(self, frame)

    monkeypatch.setattr(FrameFolder, "read", counted)
    return seen


def test_what_was_stitched_earlier_is_read_when_it_is_shown(
    writer: FeedWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = crops_read(monkeypatch)
    writer.offer_all()
    assert seen == [], "every crop of the clip would be held in memory"
    writer.start()
    writer.close()
    assert len(seen) == 6
    assert sorted(writer.feed.state("", 0)["frames"]) == list(range(6))
    assert writer.job.status().frames_made == 6


def test_crops_are_found_where_the_finished_stage_has_put_them(
    writer: FeedWriter, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    finished = stitched_so_far(writer.pipelines[0], writer.clip)
    assert finished is not None
    crops = FrameFolder(tmp_path / "renamed since", finished.crops.indices)
    early = type(finished)(**{**vars(finished), "crops": crops})
    answers = iter([early])
    monkeypatch.setattr(feed_writer, "stitched_so_far", lambda *_: next(answers, finished))
    writer.offer_all()
    writer.start()
    writer.close()
    assert sorted(writer.feed.state("", 0)["frames"]) == list(range(6))


@pytest.mark.parametrize("drop", [False, True])
def test_who_is_faster_than_the_player_waits(writer: FeedWriter, monkeypatch: pytest.MonkeyPatch, drop: bool) -> None:
    gate, whole = threading.Event(), writer.feed.put

    def slow(*values: object, **named: object) -> None:
        assert gate.wait(PATIENCE)
        whole(*values, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(writer.feed, "put", slow)
    crop, offered = np.zeros((64, 64, 3), np.uint8), []

    def offer() -> None:
        for number in range(3 * HELD):
            writer.offer(0, number % 6, crop)
            offered.append(number)

    writer.start()
    job = threading.Thread(target=offer, daemon=True)
    job.start()
    wait_for(lambda: len(offered) >= HELD)
    assert len(offered) <= HELD + 1
    if drop:
        writer._dropped.set()
        job.join(PATIENCE)  # Stop is not kept waiting
        gate.set()
    gate.set()
    job.join(PATIENCE)
    assert len(offered) == 3 * HELD
    writer.close(drop)
    assert not writer.is_alive()


def test_nobody_waits_for_a_feeder_that_has_ended(writer: FeedWriter) -> None:
    writer.start()
    writer.close()
    for _ in range(HELD + 2):
        writer.offer(0, 0, np.zeros((64, 64, 3), np.uint8))
