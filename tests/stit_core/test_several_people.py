"""Several people of one clip in one video, on the tiny pack: what each costs, what is shared, what is said."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from stit_core.artefacts import Clip
from stit_core.errors import ConfigError, DirectionError, FaceError
from stit_core.pasting import Pasting
from stit_core.pipeline import Pipeline
from stit_core.several_people import EVERYBODY, GroupEdit, PersonEdit, edit_people
from stit_core.whole_run import edit_video
from tests.support.drawn_face import write_clip
from tests.support.pipeline_cases import settings, watched

pytest_plugins = ["tests.support.fixtures_pack"]

FRAMES = 4
PERSON = ("align", "invert", "tune", "masks", "stitch", "identify", "measure")
SMILE, OLDER = (("smile", 2.0),), (("age", -2.0),)


@pytest.fixture
def pair(home: Path) -> Path:
    """A clip of a large and a smaller face side by side."""
    return write_clip(home / "pair.mp4", frames=FRAMES, size=(480, 200), others=((0.8, 0.5, 0.2),))


def digests(root: Path) -> dict[str, str]:
    """sha256 of every file of results, by its place."""
    files = [path for path in root.glob("runs/*/*/**/*") if path.is_file()]
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_a_second_person_costs_that_person_only_and_changes_nothing_of_the_first(home: Path, pair: Path) -> None:
    """The first person is done as ever, without a choice; then both; the second's bytes do not depend on the order."""
    edit_video(watched(settings(*SMILE)).pipeline, pair, home / "first.mp4")
    before = digests(home)
    both = watched(settings(*SMILE))
    report = edit_people(both.pipeline, pair, home / "both.mp4", [PersonEdit(0, SMILE), PersonEdit(1, OLDER)])
    assert set(report.people[0].cached) >= set(PERSON)
    assert set(report.people[1].cached).isdisjoint(PERSON)
    assert (both.steps["landmarks"], both.steps["frames"]) == (3, 0), "found by each of the three pipelines, not made"
    assert sorted(frame for stage, frame, _ in both.shown if stage == "stitch") == list(range(FRAMES)), "one person's"
    assert sorted(frame for stage, frame, _ in both.shown if stage == "align") == list(range(FRAMES))
    after = digests(home)
    assert {name: after[name] for name in before} == before
    alone = watched(settings(*SMILE)).pipeline
    clip = alone.open(pair)
    group = GroupEdit(alone, clip, [PersonEdit(0, SMILE), PersonEdit(1, OLDER)])
    for frame in clip.frames.indices:
        picture = clip.frames.read(frame)
        first = Pasting(alone, clip).paste(frame, picture, {0: alone.stitch(clip).crops.read(frame)})
        faces = {number: own.stitch(clip).crops.read(frame) for number, own in group.pipelines.items()}
        together = group.pasting.paste(frame, picture, faces)
        np.testing.assert_array_equal(together[:, :240], first[:, :240], "to the bit what one person's video has")
        assert not np.array_equal(together[:, 330:430], picture[:, 330:430])
        assert np.array_equal(first[:, 330:430], picture[:, 330:430])
    rows = report.as_json()["people"]
    assert [row["face"] for row in rows] == [0, 1]
    assert all(
        {"psnr", "border_loss", "id_cosine", "tl_id", "faces", "gaps", "seconds", "cached"} <= set(row) for row in rows
    )
    record = json.loads(report.manifest.read_text())
    assert [person["face"] for person in record["people"]] == [0, 1]
    assert [person["edits"][0]["direction"] for person in record["people"]] == ["smile", "age"]
    assert record["result"]["people"][1]["faces"] == FRAMES
    again = watched(settings())
    found = edit_people(again.pipeline, pair, home / "again.mp4", [PersonEdit(1, OLDER), PersonEdit(0, SMILE)])
    assert (home / "again.mp4").read_bytes() == (home / "both.mp4").read_bytes(), "in whatever order they are named"
    assert set(found.people[1].cached) >= set(PERSON)


def test_what_is_wrong_is_said_before_any_network_runs(home: Path, pair: Path) -> None:
    watch = watched(settings())
    for edits, error, message in (
        ([PersonEdit(0, SMILE), PersonEdit(3, SMILE)], FaceError, "no face number 3: there are 2 people"),
        ([PersonEdit(0, SMILE), PersonEdit(1, ())], ConfigError, "Person 1 has no edit"),
        ([PersonEdit(0, SMILE), PersonEdit(0, OLDER)], ConfigError, "named twice"),
        ([PersonEdit(0, SMILE), PersonEdit(1, (("beard", 1.0),))], DirectionError, "beard"),
    ):
        with pytest.raises(error, match=message):
            edit_people(watch.pipeline, pair, home / "out.mp4", edits)
    assert not watch.steps["invert"]
    assert not list(home.glob("*out*"))


def test_everybody_and_one_who_leaves_after_two_frames(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is there for two frames only is no part of everybody, and can be named, which is warned of."""
    both = write_clip(home / "both.mp4", frames=16, size=(480, 200), others=((0.8, 0.5, 0.2),))
    watch = watched(settings(landmarks={"max_gap": 1}))
    clip = watch.pipeline.open(both)
    whole = Pipeline.people

    def leaves(self: Pipeline, opened: Clip) -> object:
        people = whole(self, opened)
        stays = (people.owner == 0) | (people.frame < 2)
        rows = {name: getattr(people, name)[stays] for name in ("owner", "frame", "boxes", "scores", "points")}
        return dataclasses.replace(people, **rows)

    monkeypatch.setattr(Pipeline, "people", leaves)
    assert list(GroupEdit(watch.pipeline, clip, [PersonEdit(EVERYBODY, SMILE)]).pipelines) == [0]
    group = GroupEdit(watch.pipeline, clip, [PersonEdit(0, SMILE), PersonEdit(1, OLDER)])
    assert group.warnings(0) == ()
    (text,) = group.warnings(1)
    assert "Person 1 is seen in only 2 of 16 frames (frame 0 to 1): 2 carry the edit" in text


def test_progress_is_counted_by_person(home: Path, pair: Path) -> None:
    watch = watched(settings())
    report = edit_people(watch.pipeline, pair, home / "all.mp4", [PersonEdit(EVERYBODY, SMILE)])
    assert list(report.people) == [0, 1]
    shown = Counter(stage for stage, _, _ in watch.shown)
    assert shown["align"] == shown["stitch"] == 2 * FRAMES
    assert report.people[0].measures.id_cosine != report.people[1].measures.id_cosine
    assert report.all_warnings == ()
