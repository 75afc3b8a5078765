"""Several people of a run: whose edit is shown, what is kept of the others, and the video of all of them."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from page.studio.people import copy_to, edits_of, numbers_of, shown_first, turn_to
from page.studio.runs import EVERYONE, RunState
from page.studio.studio import Studio
from stit_core.errors import ConfigError
from stit_core.several_people import EVERYBODY, PersonEdit
from tests.support.drawn_face import write_clip
from tests.support.page_cases import begin, finish, make_studio

pytest_plugins = ["tests.support.fixtures_pack"]

SMILE, OLDER, STILL = (("smile", 2.0),), (("age", -1.0),), (("smile", 0.0),)


def test_each_keeps_what_was_chosen_when_another_is_turned_to() -> None:
    state = RunState("x", face=0, edits=SMILE)
    turned = dataclasses.replace(state, **turn_to(state, 0, 1))
    assert (turned.face, turned.edits, turned.others) == (1, (), ((0, SMILE),))
    changed = dataclasses.replace(turned, edits=OLDER)
    back = dataclasses.replace(changed, **turn_to(changed, 1, 0))
    assert (back.face, back.edits, back.others) == (0, SMILE, ((1, OLDER),))
    assert edits_of(back) == [PersonEdit(0, SMILE), PersonEdit(1, OLDER)]
    alike = dataclasses.replace(back, **copy_to(back, 0, [0, 1, 2]))
    assert edits_of(alike) == [PersonEdit(0, SMILE), PersonEdit(1, SMILE), PersonEdit(2, SMILE)]
    assert (numbers_of(state, None), numbers_of(back, None), numbers_of(alike, None)) == ([0], [0, 1], [0, 1, 2])


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
    assert (output.edits, output.others) == (SMILE, ((1, OLDER),))
    people = json.loads(Path(str(output.manifest)).read_text())["people"]
    assert [(person["face"], person["edits"][0]["direction"]) for person in people] == [(0, "smile"), (1, "age")]
    again = make_studio(tmp_path / "studio").state(run.id)
    assert (again.others, again.outputs[0].others) == (((1, OLDER),), ((1, OLDER),)), "a restart forgets nothing"
    with pytest.raises(ConfigError, match="chosen twice"):
        studio.change(run.id, others=((1, (*OLDER, *OLDER)),))
