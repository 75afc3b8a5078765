"""A visitor's review: whom it looks at, what it costs, what is there while it runs, after a stop and a restart."""

from __future__ import annotations

import dataclasses
import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from page.studio.folders import new_id
from page.studio.holdings import KEPT, REVIEW
from page.studio.review_requests import (
    PEOPLE,
    ReviewRequest,
    bring_people,
    find_people,
    keep_request,
    load_request,
    usual_request,
    want_edit,
)
from page.studio.reviews import (
    ROWS_AT_ONCE,
    cost_of,
    last_review,
    read_rows,
    report_text,
    start_review,
)
from page.studio.studio import Studio
from stit_core.errors import ConfigError, StitError
from stit_core.review.examining import Examination
from stit_core.review.running import Review
from tests.support.drawn_face import draw_face
from tests.support.page_cases import ended, make_studio, upload

pytest_plugins = ["tests.support.fixtures_pack"]

EDITS = (("smile", (1.0,)),)
HOSTILE = "<script>alert(1)</script>"
LABELS = ("file,group,tone", "face0.png,a,light", "face1.png,b,dark", f"face2.png,{HOSTILE},dark", "wall.png,a,light")


@pytest.fixture
def studio(home: Path) -> Studio:
    return make_studio(home / "runs")


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Three drawn faces, a wall, and a table of labels, one of them hostile."""
    folder = tmp_path / "people"
    folder.mkdir()
    for k in range(3):
        Image.fromarray(draw_face(200, 200, (100, 100), 55 + k)).save(folder / f"face{k}.png")
    Image.fromarray(np.full((120, 120, 3), 90, np.uint8)).save(folder / "wall.png")
    (folder / "my labels.csv").write_text("\n".join(LABELS))
    return folder


def bring(studio: Studio, run: str, *paths: Path) -> ReviewRequest:
    return bring_people(studio, run, [(upload(studio, path), path.name) for path in paths])


def small(studio: Studio, run: str, pictures: Path) -> ReviewRequest:
    """A request for the four people of `pictures` and one edit."""
    request = bring(studio, run, *sorted(pictures.iterdir()))
    return dataclasses.replace(request, edits=EDITS, labels_from="perceived", tuning=False)


def stop_after(
    studio: Studio, run: str, count: int, monkeypatch: pytest.MonkeyPatch, act: str = "stop", times: int = 1
) -> None:
    """Stop the run's job so many times, or discard it, when so many people have been looked at."""
    whole, seen = Review._look_at, []

    def watched(self: Review, source: object) -> str:
        found = whole(self, source)  # type: ignore[arg-type]
        seen.append(found)
        job = studio.jobs.get(run)
        assert job is not None
        for _ in range(times if len(seen) == count else 0):
            getattr(job, act)()
        return found

    monkeypatch.setattr(Review, "_look_at", watched)


# --- Whom ---------------------------------------------------------------------------------------------------------


def test_a_form_that_nobody_touched_asks_for_the_packs_own_people(studio: Studio) -> None:
    run = studio.arrive().id
    request = load_request(studio, run)
    assert request == usual_request(studio, run)
    assert request.own
    assert request.edits == (("age", (-2.0, 2.0)), ("smile", (-2.0, 2.0)))
    people = find_people(studio, run, request)
    assert len(people.persons) == 120
    assert people.labels_from == "rendered"
    assert cost_of(studio, run, request, people) > cost_of(studio, run, request, people.chosen(10)) > 0


def test_what_the_form_says_outlives_a_reload(studio: Studio) -> None:
    run = studio.arrive().id
    request = ReviewRequest(True, "", "perceived", 7, (("smile", (0.5, 2.0)),), ("tone",), False, HOSTILE)
    keep_request(studio, run, request)
    assert load_request(studio, run) == request
    assert want_edit(studio, run, [("age", -1.5), ("smile", 0.0)]).edits == (("age", (-1.5,)),)
    assert load_request(studio, run).count == 7
    (studio.folders.private(run) / REVIEW / "wanted.json").write_text('{"edits": 7}')
    assert load_request(studio, run) == usual_request(studio, run)


def test_a_table_beside_pictures_gives_labels(studio: Studio, pictures: Path) -> None:
    run = studio.arrive().id
    request = bring(studio, run, *sorted(pictures.iterdir()))
    people = find_people(studio, run, request)
    assert (request.own, request.count, people.columns) == (False, 4, ("group", "tone"))
    assert [person.labels["tone"] for person in people.persons] == ["light", "dark", "dark", "light"]
    assert str(pictures) not in repr(people.title)


def test_a_zip_of_subfolders_gives_groups(studio: Studio, pictures: Path, tmp_path: Path) -> None:
    run = studio.arrive().id
    with zipfile.ZipFile(tmp_path / "faces.zip", "w") as archive:
        for k, group in enumerate("aab"):
            archive.write(pictures / f"face{k}.png", f"{group}/{k}.png")
    people = find_people(studio, run, bring(studio, run, tmp_path / "faces.zip"))
    assert [person.labels for person in people.persons] == [{"group": "a"}, {"group": "a"}, {"group": "b"}]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("my labels.csv", "faces.zip"), "A zip cannot stand beside"),
        (("my labels.csv", "other.csv"), "several tables"),
        (("notes.txt",), "no picture, clip, zip or CSV"),
        (("my labels.csv",), "None of the 4 files"),
        (("faces.zip",), "zip"),
    ],
)
def test_what_cannot_be_looked_at_is_said_and_what_was_there_stays(
    studio: Studio, pictures: Path, names: tuple[str, ...], message: str
) -> None:
    run = studio.arrive().id
    before = bring(studio, run, pictures / "face0.png")
    for name in ("faces.zip", "other.csv", "notes.txt"):
        shutil.copyfile(pictures / "my labels.csv", pictures / name)
    with pytest.raises(StitError, match=message):
        bring(studio, run, *(pictures / name for name in names))
    assert load_request(studio, run) == before
    assert len(find_people(studio, run, before).persons) == 1
    assert [path.name for path in (studio.folders.private(run) / REVIEW / PEOPLE).iterdir()] == [before.uploaded]


def test_names_of_files_are_no_paths_and_two_of_one_name_are_two_people(studio: Studio, pictures: Path) -> None:
    run = studio.arrive().id
    face = pictures / "face0.png"
    names = ["../../../up.png", "/etc/x.png", "a.png", "a.png", "<img src=x>.png"]
    request = bring_people(studio, run, [(upload(studio, face), name) for name in names])
    people = find_people(studio, run, request)
    folder = studio.folders.private(run) / REVIEW
    assert len(people.persons) == 5
    for person in people.persons:
        path = person.sources[0].path
        assert path is not None
        assert path.resolve().is_relative_to(folder.resolve())
    assert not [path for path in studio.settings.root.rglob("up.png") if not path.is_relative_to(folder)]


def test_an_upload_that_is_taken_away_leaves_nobody(studio: Studio, pictures: Path) -> None:
    run = studio.arrive().id
    bring(studio, run, pictures / "face0.png")
    request = bring_people(studio, run, [])
    assert (request.own, request.uploaded) == (False, "")
    with pytest.raises(ConfigError, match="no people of yours"):
        find_people(studio, run, request)
    assert not any((studio.folders.private(run) / REVIEW / PEOPLE).iterdir())


def test_people_who_were_not_uploaded_here_are_refused(studio: Studio, pictures: Path) -> None:
    run = studio.arrive().id
    with pytest.raises(StitError, match="not there any more"):
        bring_people(studio, run, [(pictures / "face0.png", "face0.png")])
    for uploaded in ("", "..", "../../x", new_id()):
        with pytest.raises(ConfigError, match="no people of yours"):
            find_people(studio, run, ReviewRequest(own=False, uploaded=uploaded, edits=EDITS))


# --- The job ------------------------------------------------------------------------------------------------------


def test_a_review_fills_its_sheet_and_reports(studio: Studio, pictures: Path) -> None:
    run = studio.arrive().id
    start_review(studio, run, small(studio, run, pictures))
    status = ended(studio, run)
    assert (status.kind, status.state, status.message) == ("review", "done", "")
    record = last_review(studio, run)
    assert record is not None
    assert (record.people, record.seen, record.failed, record.partial) == (4, 4, 1, False)
    assert record.edits == ("smile=1",)
    assert record.filters == (("group", (HOSTILE, "a", "b")), ("tone", ("dark", "light")))
    rows = read_rows(studio, run, record.id, 0)
    assert [row["name"] for row in rows] == ["face0.png", "face1.png", "face2.png", "wall.png"]
    assert [bool(cell["picture"]) for row in rows for cell in row["cells"]] == [True] * 6 + [False] * 2
    assert "No face was found" in rows[3]["cells"][0]["failure"]
    assert rows[2]["labels"] == [["group", HOSTILE], ["tone", "dark"]]
    assert read_rows(studio, run, record.id, 3) == rows[3:]
    assert read_rows(studio, run, record.id, -1) == read_rows(studio, run, "../..", 0) == []
    text = report_text(studio, run)
    assert HOSTILE not in text
    assert "face0.png" in text
    assert str(studio.settings.root) not in text
    assert [path.suffix for path in record.files] == [".html", ".csv", ".json"]
    assert json.loads(record.files[2].read_bytes())["people"]["labels_from"] == "perceived"


def test_a_stopped_review_reports_on_what_is_there_and_goes_on(
    studio: Studio, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = studio.arrive().id
    request = small(studio, run, pictures)
    with monkeypatch.context() as patch:
        stop_after(studio, run, 2, patch)
        start_review(studio, run, request)
        assert ended(studio, run).state == "stopped"
    first = last_review(studio, run)
    assert first is not None
    assert (first.seen, first.partial, len(first.files)) == (2, True, 3)
    assert "2 people have not been looked at" in report_text(studio, run)
    made: list[str] = []
    edit = Examination.edit
    monkeypatch.setattr(Examination, "edit", lambda self, name, factor: made.append(name) or edit(self, name, factor))
    restarted = make_studio(studio.settings.root)  # what is kept is known after a restart too
    start_review(restarted, run, load_request(restarted, run))
    assert ended(restarted, run).state == "done"
    second = last_review(restarted, run)
    assert second is not None
    assert (second.seen, second.partial, made) == (4, False, ["smile"])
    assert len(read_rows(studio, run, second.id, 0)) == 4
    assert read_rows(studio, run, first.id, 0) == []
    assert not first.files, "the second took its place"


def test_whoever_presses_stop_twice_gets_no_report(
    studio: Studio, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = studio.arrive().id
    request = small(studio, run, pictures)
    stop_after(studio, run, 1, monkeypatch, times=2)
    start_review(studio, run, request)
    assert ended(studio, run).state == "stopped"
    record = last_review(studio, run)
    assert record is not None
    assert (record.files, report_text(studio, run)) == ((), "")
    assert len(read_rows(studio, run, record.id, 0)) <= 1


def test_a_run_that_is_deleted_in_the_middle_of_its_review_stays_deleted(
    studio: Studio, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = studio.arrive().id
    request = small(studio, run, pictures)
    stop_after(studio, run, 1, monkeypatch, act="discard")
    start_review(studio, run, request)
    assert ended(studio, run).state == "stopped"
    assert not studio.folders.known(run)
    assert last_review(studio, run) is None
    assert report_text(studio, run) == ""


def test_what_cannot_begin_leaves_the_review_that_is_there(studio: Studio, pictures: Path) -> None:
    run = studio.arrive().id
    request = small(studio, run, pictures)
    start_review(studio, run, request)
    assert ended(studio, run).state == "done"
    record = last_review(studio, run)
    for wrong, message in (
        (dataclasses.replace(request, edits=()), "no edit"),
        (dataclasses.replace(request, edits=(("smile", (0.0,)),)), "factors of 'smile'"),
        (dataclasses.replace(request, edits=(("nobody", (1.0,)),)), "nobody"),
        (dataclasses.replace(request, labels_from=""), "where the labels come from"),
        (dataclasses.replace(request, columns=("nothing",)), "no label column"),
        (dataclasses.replace(request, count=0), "review of 0 people"),
    ):
        with pytest.raises(StitError, match=message):
            start_review(studio, run, wrong)
    with pytest.raises(StitError, match="a job may take"):
        start_review(make_studio(studio.settings.root, job_minutes=0.001), run, request)
    assert last_review(studio, run) == record
    folders = {path.name for path in (studio.folders.private(run) / REVIEW).iterdir() if path.is_dir()}
    assert record is not None
    assert folders == {KEPT, PEOPLE, record.id}


def test_one_visitor_does_not_see_the_review_of_another(studio: Studio, pictures: Path) -> None:
    mine, yours = studio.arrive().id, studio.arrive().id
    start_review(studio, yours, small(studio, yours, pictures))
    assert ended(studio, yours).state == "done"
    theirs = last_review(studio, yours)
    assert theirs is not None
    assert last_review(studio, mine) is None
    assert read_rows(studio, mine, theirs.id, 0) == []
    assert last_review(studio, new_id()) is None
    assert last_review(studio, "..") is None
    assert ROWS_AT_ONCE > 4


def test_clips_keep_to_the_limits_of_the_page(studio: Studio, pictures: Path, face_clip: Path) -> None:
    strict = make_studio(studio.settings.root, max_frames=2)
    run = strict.arrive().id
    request = bring(strict, run, pictures / "face0.png", face_clip)
    start_review(strict, run, dataclasses.replace(request, edits=EDITS, tuning=False))
    assert ended(strict, run).state == "done"
    record = last_review(strict, run)
    assert record is not None
    rows = {row["name"]: row for row in read_rows(strict, run, record.id, 0)}
    assert rows["face0.png"]["cells"][0]["picture"]
    assert "frames" in rows["face.mp4"]["cells"][0]["failure"]
