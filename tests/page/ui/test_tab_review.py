"""What the tab "Review" says, reads from the browser, and answers to its widgets."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from types import ModuleType
from typing import Any

import gradio as gr
import pytest

from page.studio.folders import new_id
from page.studio.job import JobEnded, Status
from page.studio.review_requests import load_request
from page.studio.reviews import ReviewRecord
from page.ui import words
from page.ui.components import read_pairs, read_uploads_by_name
from page.ui.shell import REVIEW_TAB
from page.ui.words import review as review_words
from stit_core.review.people import LABELS_FROM, People, Person, Source
from tests.support.page_cases import make_output

pytest_plugins = ["tests.support.fixtures_app"]

CHOICES = ("perceived", 5, ["skin_tone_band"], {"chosen": [["smile", [1, -2.0]]]}, False, "why?")
RECORD = ReviewRecord("x", "the pack's own people", 60, ("age=2",), seen=60, failed=1)


@pytest.fixture
def tab(app: ModuleType) -> Any:
    owners = (getattr(fn.fn, "__self__", None) for fn in app.demo.fns.values())
    return next(owner for owner in owners if type(owner).__name__ == "ReviewTab")


# --- What comes from the browser ----------------------------------------------------------------------------------


def test_edits_are_names_with_numbers() -> None:
    sent = [["age", [-2, 1.5, "3", math.nan, True]], ["smile", []], [7, [1]], ["gender"], "x", None]
    assert read_pairs({"chosen": sent}) == (("age", (-2.0, 1.5)), ("smile", ()))
    for nothing in (None, [], {"chosen": "age"}, {"chosen": {"age": [1]}}):
        assert read_pairs(nothing) == ()


def test_uploads_keep_the_names_that_the_visitor_gave() -> None:
    sent = [{"path": "/x/a.png", "orig_name": "ä b.png"}, {"path": "/x/c.png"}, {"orig_name": "d"}, "e", None]
    assert read_uploads_by_name(sent) == ((Path("/x/a.png"), "ä b.png"), (Path("/x/c.png"), "c.png"))


def test_a_choice_is_kept_and_its_cost_said(tab: Any) -> None:
    run = tab.studio.arrive().id
    told = tab.choose(run, *CHOICES)
    assert "5 people × 1 edit × 2 factors: 10 edited faces" in told[tab.cost]
    kept = load_request(tab.studio, run)
    assert (kept.labels_from, kept.count, kept.columns, kept.tuning, kept.question) == (
        *CHOICES[:2],
        ("skin_tone_band",),
        *CHOICES[4:],
    )
    assert kept.edits == (("smile", (1.0, -2.0)),)
    shown = tab.show(run)
    assert shown[tab.factors]["chosen"] == [["smile", [1.0, -2.0]]]
    assert shown[tab.question] == "why?"


@pytest.mark.parametrize("odd", [None, 7, "x", [], {}, math.nan, ["x", 3], {"chosen": 3}])
def test_what_no_form_sends_breaks_nothing(tab: Any, odd: Any) -> None:
    run = tab.studio.arrive().id
    tab.choose(run, *[odd] * 6)
    tab.pick_people(run, odd, *[odd] * 6)
    assert load_request(tab.studio, run).labels_from == ""
    for answer in (tab.sheet.sheet_rows, tab.report.report_page):
        for asked in (odd, {"run": odd, "review": odd, "first": odd}, {"run": run, "review": "../..", "first": -1}):
            assert answer(asked) == {"known": False}


def test_an_edit_that_cannot_be_is_said_before_anybody_starts(tab: Any) -> None:
    run = tab.studio.arrive().id
    assert review_words.NO_EDIT in tab.choose(run, "", 5, [], {"chosen": []}, True, "")[tab.cost]
    assert "factors" in tab.choose(run, "", 5, [], {"chosen": [["smile", [0]]]}, True, "")[tab.cost]
    too_long = tab.choose(run, "", 120, [], {"chosen": [["age", [k / 10 for k in range(1, 41)]]]}, True, "")
    assert "120 people" in too_long[tab.cost]
    with pytest.raises(gr.Error, match="no edit"):
        tab.start(run, "", 5, [], {"chosen": []}, True, "")


def test_the_visitors_own_people_are_asked_for(tab: Any) -> None:
    run = tab.studio.arrive().id
    told = tab.pick_people(run, "yours", *CHOICES)
    assert (told[tab.upload].visible, told[tab.people], told[tab.cost]) == (True, "", "")
    with pytest.raises(gr.Error, match="no people of yours"):
        tab.start(run, *CHOICES)
    back = tab.pick_people(run, "pack", *CHOICES)
    assert (back[tab.upload].visible, back[tab.count].value) == (False, 60)
    assert load_request(tab.studio, run).columns is None


def test_an_upload_that_was_taken_away_is_forgotten(tab: Any) -> None:
    run = tab.studio.arrive().id
    for sent in (None, [], [{"no": "file"}]):
        told = tab.bring(run, sent)
        assert (told[tab.whose], told[tab.people], told[tab.columns].visible) == ("yours", "", False)
    with pytest.raises(gr.Error, match="not there any more"):
        tab.bring(run, [{"path": "/etc/hostname", "orig_name": "a.png"}])


def test_the_edit_that_was_just_made_is_reviewed(tab: Any, tmp_path: Path) -> None:
    run = tab.studio.arrive().id
    with pytest.raises(gr.Error, match="no video"):
        tab.take_edit(run, None)
    for name, edits in (("a", (("age", -1.5),)), ("b", (("smile", 2.0), ("age", 1.0)))):
        (tmp_path / f"{name}.mp4").touch()
        made = make_output(id=name, video=str(tmp_path / f"{name}.mp4"), edits=edits)
        tab.studio.runs.note_end(JobEnded(run, Status("edit", "done"), made))
    told = tab.take_edit(run, {"chosen": "nobody's"})
    assert told[tab.factors]["chosen"] == [["smile", [2.0]], ["age", [1.0]]]
    assert told[tab.shell.tabs].selected == REVIEW_TAB
    assert tab.take_edit(run, {"chosen": "a"})[tab.factors]["chosen"] == [["age", [-1.5]]]


def test_a_run_that_is_gone_has_nothing_to_show(tab: Any) -> None:
    assert tab.sheet.sheet_rows({"run": new_id()}) == {"known": False}
    assert tab.report.report_page({"run": new_id()}) == {"known": False}
    assert list(tab.fill("")) == [tab.notice]
    assert list(tab.after("", "train done 3")) == [tab.notice]


def test_columns_are_named_as_a_person_would() -> None:
    assert [review_words.column_title(name) for name in ("age_band", "group", "Skin tone", "_")] == [
        "Age band",
        "Group",
        "Skin tone",
        "_",
    ]


# --- What is said -------------------------------------------------------------------------------------------------


def test_every_origin_of_labels_can_be_answered() -> None:
    assert set(review_words.ANSWERS) == set(LABELS_FROM)


@pytest.mark.parametrize(
    ("people", "factors", "said"),
    [
        (60, [2, 2], "60 people × 2 edits × 2 factors: 240 edited faces, about 4 min."),
        (1, [1], "1 person × 1 edit × 1 factor: 1 edited face, about 4 min."),
        (1200, [2, 1], "1,200 people × 3 edits: 3,600 edited faces, about 4 min."),
    ],
)
def test_the_cost_is_said_in_people_edits_and_factors(people: int, factors: list[int], said: str) -> None:
    assert review_words.cost(people, factors, 240.0).startswith(said)


def test_what_came_of_a_review_is_said() -> None:
    assert review_words.result(RECORD) == "60 of 60 people looked at; 1 of them could not be used."
    stopped = dataclasses.replace(RECORD, seen=3, failed=0, partial=True)
    assert review_words.result(stopped) == "Stopped: 3 of 60 people looked at."
    assert "beyond chance" in review_words.findings(RECORD)[0]
    told = review_words.findings(dataclasses.replace(RECORD, findings=tuple("abcdefg")))
    assert told == [*"abcde", "2 more in the report."]


def test_an_upload_is_described_with_its_labels() -> None:
    people = tuple(Person(str(k), {"group": f"g{k}"}, (Source(f"{k}.png"),)) for k in range(8))
    found = People("faces.zip", ("group",), people, (("notes.txt", "it is no picture"), ("b", "no")))
    labels = "g0, g1, g2, g3, g4, g5 and 2 more"
    assert review_words.uploaded_people(found) == f"8 people in faces.zip. Labels: group ({labels})."
    assert review_words.left_out(found) == ["2 files are left out, such as notes.txt: it is no picture."]
    alone = dataclasses.replace(found, columns=(), persons=people[:1], left_out=())
    assert review_words.uploaded_people(alone).startswith("1 person in faces.zip. Without labels")
    assert review_words.left_out(alone) == []


def test_the_line_above_says_how_many_people_were_looked_at() -> None:
    running = Status("review", "running", stage="review", done=12, total=60, seconds_left=125.0)
    line = words.job(running)
    assert line is not None
    assert (line["text"], line["detail"]) == ("Looking at the people", "12 of 60 people, about 2 min left")
    saving = words.job(dataclasses.replace(running, state="saving"))
    assert saving is not None
    assert "report" in saving["text"]
