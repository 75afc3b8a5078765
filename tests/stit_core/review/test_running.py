"""A review under way: person by person, kept, resumed after a kill, never done twice; failures are results."""

from __future__ import annotations

import dataclasses
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from stit_core.errors import Cancelled, DirectionError, StoreError
from stit_core.packs.loading import Models, find_pack
from stit_core.review import running
from stit_core.review.examining import Examination
from stit_core.review.gathering import read_results
from stit_core.review.people import People, open_people
from stit_core.review.plan import Plan, choose_columns
from stit_core.review.reading import FIGURES
from stit_core.review.results import WAITING
from stit_core.review.running import Review
from stit_core.runtime import CancelToken, Runtime
from tests.support.drawn_face import draw_face, write_clip

pytest_plugins = ["tests.support.fixtures_pack"]

PLAN = Plan((("smile", (1.0, 2.0)), ("age", (-1.0,))))


@pytest.fixture
def models(home: Path) -> Models:  # noqa: ARG001 (says where packs and directions lie)
    return Models(find_pack("tiny"), torch.device("cpu"))


def write_people(folder: Path, faces: int = 3) -> Path:
    """Groups `a` and `b` of drawn faces, and one picture without a face in `b`."""
    for k in range(faces):
        path = folder / ("a" if k % 2 else "b") / f"{k}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw_face(200, 200, (100, 100), 55 + k)).save(path)
    Image.fromarray(np.full((120, 120, 3), 90, np.uint8)).save(folder / "b" / "wall.png")
    return folder


@pytest.fixture
def people(tmp_path: Path) -> People:
    return open_people([write_people(tmp_path / "people")])


def make_review(
    people: People, models: Models, folder: Path, plan: Plan = PLAN, runtime: Runtime | None = None
) -> Review:
    return Review(
        dataclasses.replace(plan, columns=choose_columns(people)), people, models, folder, runtime or Runtime()
    )


def counted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, float]]:
    """The edits that are really made from now on."""
    made: list[tuple[str, float]] = []
    edit: Callable[..., object] = Examination.edit

    def note(self: Examination, name: str, factor: float) -> object:
        made.append((name, factor))
        return edit(self, name, factor)

    monkeypatch.setattr(Examination, "edit", note)
    return made


def test_everybody_is_looked_at_and_failures_are_results(people: People, models: Models, tmp_path: Path) -> None:
    steps: list[tuple[str, int, int]] = []
    runtime = Runtime(progress=lambda *step: steps.append(step))
    review = make_review(people, models, tmp_path / "review", runtime=runtime)
    examined = list(review.run())
    assert [one.person.name for one in examined] == ["a/1.png", "b/0.png", "b/2.png", "b/wall.png"]
    assert [bool(one.failure) for one in examined] == [False, False, False, True]
    assert "No face was found" in examined[-1].failure
    assert list(dict.fromkeys(steps)) == [("review", k, 4) for k in range(5)]
    assert steps == sorted(steps)
    assert len(steps) > 20, "a long one gives signs of life"
    results = read_results(review)
    assert results.usable.tolist() == [True, True, True, False]
    assert results.moved_figures.shape == (4, 3, len(FIGURES))
    assert np.isfinite(results.values["identity"][:3]).all()
    assert np.isfinite(results.values["lighter"][:3]).all()
    assert np.isfinite(results.values["seam"][:3]).all()
    assert np.isnan(results.values["identity"][3]).all()
    assert np.isfinite(results.source["tuned_psnr"][:3]).all()
    assert not (tmp_path / "review" / "scratch").exists() or not any((tmp_path / "review" / "scratch").iterdir())


def test_the_same_picture_is_never_looked_at_twice(
    people: People, models: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    review = make_review(people, models, tmp_path / "review")
    list(review.run())
    before = read_results(review)
    made = counted(monkeypatch)
    list(make_review(people, models, tmp_path / "review").run())
    assert made == []
    wider = dataclasses.replace(PLAN, edits=(*PLAN.edits[:1], ("age", (-1.0, 1.0))))
    again = make_review(people, models, tmp_path / "review", wider)
    list(again.run())
    assert made == [("age", 1.0)] * 3  # only what is new
    after = read_results(again)
    assert (after.moved[:, :3] == before.moved).all() or np.isnan(before.moved).any()
    np.testing.assert_array_equal(after.values["identity"][:, :3], before.values["identity"])


def test_other_settings_are_other_readings(people: People, models: Models, tmp_path: Path) -> None:
    tuned = make_review(people, models, tmp_path / "review")
    plain = make_review(people, models, tmp_path / "review", dataclasses.replace(PLAN, tuning=False))
    source = people.persons[0].sources[0]
    assert tuned.record(source).folder != plain.record(source).folder
    assert plain.still_settings.tuning.passes == 0
    list(plain.run())
    values = read_results(plain)
    assert values.source["tuned_psnr"][0] == pytest.approx(values.source["encoder_psnr"][0], abs=0.05)


def test_a_stopped_review_keeps_what_is_there(people: People, models: Models, tmp_path: Path) -> None:
    cancel = CancelToken()
    review = make_review(people, models, tmp_path / "review", runtime=Runtime(cancel=cancel))
    seen = []
    with pytest.raises(Cancelled):  # noqa: PT012 (it is the second person who is stopped)
        for examined in review.run():
            seen.append(examined.person.name)
            cancel.set()
    assert seen == ["a/1.png"]
    results = read_results(review)
    assert results.failures[0] == ""
    assert results.failures[1:] == (WAITING,) * 3
    assert results.looked_at.tolist() == [True, False, False, False]


def test_a_killed_review_goes_on_and_ends_as_one_that_was_not(
    people: People, models: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = make_review(people, models, tmp_path / "whole")
    list(whole.run())
    killed = make_review(people, models, tmp_path / "killed")
    edit: Callable[..., object] = Examination.edit
    calls = 0

    def die(self: Examination, name: str, factor: float) -> object:
        nonlocal calls
        calls += 1
        if calls == 5:  # in the middle of the second person
            raise KeyboardInterrupt
        return edit(self, name, factor)

    monkeypatch.setattr(Examination, "edit", die)
    with pytest.raises(KeyboardInterrupt):
        list(killed.run())
    half = next((tmp_path / "killed" / "files").glob("*/source.webp"))
    (half.parent / "edit-half.json.1.part").write_text("{")  # what a kill may leave behind
    made = counted(monkeypatch)
    list(killed.run())
    assert len(made) == 5  # nine edits of three faces, four were kept
    np.testing.assert_array_equal(read_results(killed).values["identity"], read_results(whole).values["identity"])


def test_a_damaged_record_is_made_again(people: People, models: Models, tmp_path: Path) -> None:
    review = make_review(people, models, tmp_path / "review")
    list(review.run())
    record = review.record(people.persons[0].sources[0])
    (record.folder / f"{review.edit_keys[0]}.json").write_text('{"attributes": [')
    assert read_results(review).edit_failures[0][0] == WAITING
    list(review.run())
    assert read_results(review).edit_failures[0][0] == ""


def test_two_processes_do_not_work_on_one_review(people: People, models: Models, tmp_path: Path) -> None:
    review = make_review(people, models, tmp_path / "review")
    first = review.run()
    next(first)
    with pytest.raises(StoreError, match="Another process"):
        next(make_review(people, models, tmp_path / "review").run())
    first.close()  # type: ignore[attr-defined]


def test_a_clip_is_one_person_and_goes_through_every_frame(models: Models, tmp_path: Path, face_clip: Path) -> None:
    people = open_people([face_clip, write_clip(tmp_path / "other.mp4", frames=4)])
    plan = Plan((("smile", (1.0,)),))
    review = make_review(people, models, tmp_path / "review", plan)
    list(review.run())
    results = read_results(review)
    assert results.usable.all()
    assert np.isfinite(results.values["tl_id"]).all()
    with Image.open(review.record(people.persons[0].sources[0]).picture(review.edit_keys[0])) as shown:
        assert shown.n_frames == 6


def test_a_clip_in_a_zip_is_looked_at_too(models: Models, tmp_path: Path, face_clip: Path) -> None:
    archive = tmp_path / "clips.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.write(face_clip, "a/clip.mp4")
        file.writestr("b/broken.mp4", b"no video")
    people = open_people([archive])
    review = make_review(people, models, tmp_path / "review", Plan((("smile", (1.0,)),)))
    failures = {one.person.name: one.failure for one in review.run()}
    assert failures["a/clip.mp4"] == ""
    assert "not a video" in failures["b/broken.mp4"]
    shutil.rmtree(tmp_path / "review")  # everything of it, clips and their runs, lay there
    assert not list(tmp_path.glob("runs/*/clip-*"))


def test_a_person_with_several_files_is_their_mean(models: Models, tmp_path: Path) -> None:
    folder = write_people(tmp_path / "people")
    (folder / "t.csv").write_text(
        "file,person,group\na/1.png,anna,x\nb/0.png,anna,x\nb/2.png,ben,y\nb/wall.png,ben,y\n"
    )
    people = open_people([folder / "t.csv"])
    review = make_review(people, models, tmp_path / "review")
    list(review.run())
    results = read_results(review)
    assert results.failures == ("", "")  # one of ben's two files has a face
    single = open_people([folder])
    each = read_results(make_review(single, models, tmp_path / "review"))
    assert results.source["lightness"][0] == pytest.approx(each.source["lightness"][:2].mean())


def test_what_is_wrong_with_the_program_ends_the_review(
    people: People, models: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DirectionError, match="no direction 'nose'"):
        make_review(people, models, tmp_path / "review", Plan((("nose", (1.0,)),)))
    review = make_review(people, models, tmp_path / "review")

    def full(*_: object) -> object:
        raise StoreError("The disk is full.", "")

    monkeypatch.setattr(running, "open_still", full)
    with pytest.raises(StoreError, match="full"):
        list(review.run())
    assert read_results(review).failures == (WAITING,) * 4
