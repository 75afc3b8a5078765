"""Several people of a run: whose edit is shown, what is kept of the others, and the video of all of them."""

from __future__ import annotations

import dataclasses
import io
import json
import re
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from page.studio.feed_writer import FeedWriter
from page.studio.people import (
    Cast,
    copy_to_all,
    edits_of,
    keep,
    label,
    numbers_of,
    plan_of_people,
    shown_first,
    turn_to,
)
from page.studio.planning import seconds_left
from page.studio.runs import EVERYONE, RunState
from page.studio.studio import Studio
from stit_core.errors import ConfigError
from stit_core.pasting import Pasting
from stit_core.several_people import EVERYBODY, PersonEdit
from tests.support.drawn_face import write_clip
from tests.support.page_cases import begin, finish, make_studio

pytest_plugins = ["tests.support.fixtures_pack"]

SMILE, OLDER, STILL = (("smile", 2.0),), (("age", -1.0),), (("smile", 0.0),)


def test_each_keeps_what_was_chosen_when_another_is_turned_to() -> None:
    state, cast = RunState("x", edits=SMILE), Cast(0, (0, 1, 2))
    turned = dataclasses.replace(state, **turn_to(state, cast, 1))
    assert (turned.face, turned.edits, turned.others) == (1, (), ((0, SMILE),))
    changed = dataclasses.replace(turned, edits=OLDER)
    assert turn_to(changed, cast, 1) == {"face": 1, "point": None, "point_frame": None}, "turned to already"
    back = dataclasses.replace(changed, **turn_to(changed, cast, 0))
    assert (back.face, back.edits, back.others) == (0, SMILE, ((1, OLDER),))
    assert edits_of(back) == [PersonEdit(0, SMILE), PersonEdit(1, OLDER)]
    alike = dataclasses.replace(back, **copy_to_all(back, cast, label(back, 0)))
    assert edits_of(alike) == [PersonEdit(0, SMILE), PersonEdit(1, SMILE), PersonEdit(2, SMILE)]
    assert numbers_of(dataclasses.replace(state, face=0), None) == [0]
    assert (numbers_of(back, None), numbers_of(alike, None)) == ([0, 1], [0, 1, 2])


def test_an_edit_is_kept_of_the_person_of_whom_it_was_shown() -> None:
    """Whatever was turned to while its message was on its way, here or in another tab."""
    cast = Cast(1, (0, 1, 2))
    state = RunState("x", clip="pair.mp4", face=1, edits=OLDER, others=((0, SMILE),))
    late = dataclasses.replace(state, **keep(state, cast, STILL, label(state, 0)))
    assert (late.face, late.edits, late.others) == (1, OLDER, ((0, STILL),))
    own = dataclasses.replace(state, **keep(state, cast, STILL, label(state, 1)))
    assert (own.edits, own.others) == (STILL, ((0, SMILE),))
    third = dataclasses.replace(state, **keep(state, cast, STILL, label(state, 2)))
    assert third.others == ((0, SMILE), (2, STILL))
    for whose in ("", "0", "9 " + label(state, 9), label(dataclasses.replace(state, clip="other.mp4"), 0), None, 0):
        unknown = dataclasses.replace(state, **keep(state, cast, STILL, whose))
        assert (unknown.edits, unknown.others) == (STILL, ((0, SMILE),)), whose
    from_other = dataclasses.replace(state, **copy_to_all(state, cast, label(state, 0)))
    assert edits_of(from_other) == [PersonEdit(1, SMILE), PersonEdit(0, SMILE), PersonEdit(2, SMILE)]


def test_an_edit_of_everyone_is_spelled_out_when_one_changes() -> None:
    cast, state = Cast(1, (0, 1, 2)), RunState("x", edits=SMILE, others=((EVERYONE, SMILE),))
    changed = dataclasses.replace(state, **keep(state, cast, OLDER, label(state, 1)))
    assert edits_of(changed) == [PersonEdit(1, OLDER), PersonEdit(0, SMILE), PersonEdit(2, SMILE)]
    turned = dataclasses.replace(state, **turn_to(state, cast, 2))
    assert edits_of(turned) == [PersonEdit(2, SMILE), PersonEdit(0, SMILE), PersonEdit(1, SMILE)]
    early = dataclasses.replace(state, **keep(state, Cast(), OLDER, ""))
    assert (early.edits, early.others) == (OLDER, state.others), "before anybody is known"


def test_who_has_no_edit_is_left_out() -> None:
    assert edits_of(RunState("x", face=0, edits=SMILE, others=((1, STILL),))) is None
    state = RunState("x", face=0, edits=STILL, others=((1, OLDER), (2, SMILE)))
    first = shown_first(state)
    assert (first.face, first.edits, first.others) == (1, OLDER, ((2, SMILE),))
    assert edits_of(RunState("x", edits=SMILE, others=((EVERYONE, SMILE),))) == [PersonEdit(EVERYBODY, SMILE)]


@pytest.mark.usefixtures("home")
def test_two_people_are_edited_in_one_video(tmp_path: Path) -> None:
    studio: Studio = make_studio(tmp_path / "studio")
    clip = write_clip(tmp_path / "pair.mp4", frames=3, size=(480, 200), others=((0.8, 0.5, 0.2),))
    run = begin(studio, clip, face=0, edits=SMILE, others=((1, OLDER),))
    status = finish(studio, run.id, "edit")
    assert status.state == "done", status.message
    (output,) = studio.state(run.id).outputs
    assert (output.face, output.edits, output.others) == (0, SMILE, ((1, OLDER),))
    assert [number for number, _ in output.people_measures] == [0, 1]
    assert output.measures == dict(output.people_measures)[0]
    people = json.loads(Path(str(output.manifest)).read_text())["people"]
    assert [(person["face"], person["edits"][0]["direction"]) for person in people] == [(0, "smile"), (1, "age")]
    again = make_studio(tmp_path / "studio").state(run.id)
    assert (again.others, again.outputs[0].others) == (((1, OLDER),), ((1, OLDER),)), "a restart forgets nothing"
    assert again.outputs[0].people_measures == output.people_measures
    with pytest.raises(ConfigError, match="chosen twice"):
        studio.change(run.id, others=((1, (*OLDER, *OLDER)),))


def pair_of(tmp_path: Path, frames: int = 4) -> Path:
    return write_clip(tmp_path / "pair.mp4", frames=frames, size=(480, 200), others=((0.8, 0.5, 0.2),))


def changed_at(pictures: tuple[bytes | None, bytes | None]) -> list[bool]:
    """Whether the left and the right face of a frame differ from the source, by the JPEGs of the player."""
    before, after = (np.asarray(Image.open(io.BytesIO(picture or b"")), int) for picture in pictures)
    change = np.abs(after - before).max(axis=-1)
    return [bool((part > 60).any()) for part in (change[:, :240], change[:, 280:])]


@pytest.mark.usefixtures("home")
def test_the_player_shows_everybody_as_they_are_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    studio: Studio = make_studio(tmp_path / "studio")
    run = begin(studio, pair_of(tmp_path), face=0, edits=SMILE, others=((1, OLDER),), method="stitch")
    shown: list[tuple[int, list[int]]] = []
    whole = Pasting.preview

    def watched(self: Pasting, frame: int, faces: dict[int, np.ndarray]) -> np.ndarray:
        if threading.current_thread().name == "writer":
            shown.append((frame, sorted(faces)))
        return whole(self, frame, faces)

    monkeypatch.setattr(Pasting, "preview", watched)
    status = finish(studio, run.id, "edit")
    assert status.state == "done", status.message
    assert shown == [(frame, [0]) for frame in range(4)] + [(frame, [0, 1]) for frame in range(4)]
    assert status.frames_made == 4, "a frame that is shown again is no other frame"
    (output,) = studio.state(run.id).outputs
    feed = studio.feeds.get(str(output.feed_id))
    assert feed is not None
    assert [changed_at((before, after)) for _, before, after in feed.pictures([0, 3])] == [[True, True]] * 2
    shown.clear()
    studio.change(run.id, edits=OLDER)
    assert finish(studio, run.id, "edit").state == "done"
    assert shown == [(frame, [1]) for frame in range(4)] + [(frame, [0, 1]) for frame in range(4)], (
        "what is there first"
    )


@pytest.mark.usefixtures("home")
def test_a_stopped_run_keeps_a_part_with_everybody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped while the second of two people is made: the first is there to the end, the second as far as it went."""
    studio: Studio = make_studio(tmp_path / "studio")
    run = begin(studio, pair_of(tmp_path, 6), face=0, edits=SMILE, others=((1, OLDER),), method="transfer")
    whole = FeedWriter.offer

    def offer(self: FeedWriter, number: int, frame: int, *rest: object) -> None:
        whole(self, number, frame, *rest)  # type: ignore[arg-type]
        if (number, frame) == (1, 2):
            studio.stop(run.id)

    monkeypatch.setattr(FeedWriter, "offer", offer)
    status = finish(studio, run.id, "edit")
    assert status.state == "stopped", status.message
    (part,) = studio.state(run.id).outputs
    assert (part.partial, part.frames, part.edits, part.others) == (True, 6, SMILE, ((1, OLDER),))
    (warning,) = part.warnings
    assert re.fullmatch(r"Person 1 carries the edit up to frame \d of this part, which ends with frame 5\.", warning)


@pytest.mark.usefixtures("home")
def test_what_another_person_has_ready_is_not_counted(tmp_path: Path) -> None:
    studio: Studio = make_studio(tmp_path / "studio")
    run = begin(studio, pair_of(tmp_path, 3), face=0, edits=SMILE, others=((1, OLDER),))
    config = studio.config(studio.state(run.id))
    plan = plan_of_people(studio.networks.estimator.plan("edit", config, 3), 2)
    assert (plan["tune@1"], list(plan)[-1]) == (plan["tune"], "video")
    times = [seconds_left(plan, studio.previews.tuned_people(studio.state(run.id)))]
    assert times == [sum(plan.values())]
    for face, tuned in ((1, [False, True]), (0, [True, True])):
        studio.change(run.id, face=face, others=())
        assert finish(studio, run.id, "tune").state == "done"
        studio.change(run.id, face=0, edits=SMILE, others=((1, OLDER),))
        assert studio.previews.tuned_people(studio.state(run.id)) == tuned
        times.append(seconds_left(plan, tuned))
    assert times[0] - times[1] >= plan["tune"]
    assert times[1] - times[2] >= plan["tune"]
    everyone = studio.change(run.id, face=None, others=((EVERYONE, SMILE),))
    assert studio.previews.tuned_people(everyone) == [True, True]
