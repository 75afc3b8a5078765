"""On a public page a stranger says first that a face may be edited."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import pytest

from page.studio.studio import ConsentError, Studio
from tests.support.page_cases import SMILE, begin, finish, make_studio, upload

pytest_plugins = ["tests.support.fixtures_pack", "tests.support.fixtures_studio"]


def test_a_stranger_says_that_a_face_may_be_edited_before_anything_is_kept(surroundings: Path, face_clip: Path) -> None:
    public = make_studio(surroundings / "public", {"drawn face": face_clip}, public=True, mark="on")
    run = public.arrive()
    assert run.mark, "and what a stranger makes is marked"
    refused = upload(public, face_clip)
    for bring in (lambda: public.set_clip(run.id, refused), lambda: public.bring(run.id, [upload(public, face_clip)])):
        with pytest.raises(ConsentError, match="Tick the line"):
            bring()
    assert not refused.exists(), "what was refused is deleted at once"
    assert public.set_sample(run.id, "drawn face").sample, "a sample was drawn"
    wording = "I may edit this person's face"
    state = public.agree(run.id, wording)
    assert state.consent is not None
    assert state.consent.wording == wording
    assert datetime.datetime.fromisoformat(state.consent.given).tzinfo is not None
    assert state.provenance(None).consent is None, "which is not said of a sample"
    state = public.set_clip(run.id, upload(public, face_clip))
    assert public.runs.get(run.id).provenance(None).consent == state.consent, "it is kept with the run"
    public.agree(run.id, "")
    with pytest.raises(ConsentError):
        public.set_clip(run.id, upload(public, face_clip))


def test_the_consent_stands_in_the_manifest(surroundings: Path, face_clip: Path) -> None:
    public = make_studio(surroundings / "public", public=True, mark="always")
    run = public.arrive().id
    given = public.agree(run, "I may").consent
    public.set_clip(run, upload(public, face_clip))
    public.change(run, preset="draft", edits=SMILE, mark=False)
    assert public.config(public.state(run)).compositing.mark, "no visitor turns off what is always on"
    assert finish(public, run, "edit").state == "done"
    record = json.loads(Path(str(public.state(run).outputs[0].manifest)).read_text())
    assert given is not None
    assert record["consent"] == {"wording": "I may", "given": given.given}
    assert record["settings"]["compositing"]["mark"] is True


def test_at_a_desk_nobody_is_asked(studio: Studio, face_clip: Path) -> None:
    run = begin(studio, face_clip)
    assert (run.consent, run.mark) == (None, False)
