"""Whom a review looks at: folders, zips, tables, clips, the pack's own; what is wrong is said, nothing is lost."""

from __future__ import annotations

import collections
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stit_core.errors import ConfigError, DirectionError
from stit_core.review import people as module
from stit_core.review.label_table import NOT_GIVEN, read_label_table
from stit_core.review.people import open_people, own_people
from stit_core.review.plan import choose_columns, choose_crossings


def picture(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((70, 70, 3), np.uint8)).save(path)
    return path


def test_the_packs_own_people_are_balanced_and_known() -> None:
    people = own_people()
    assert len(people.persons) == 120
    assert people.labels_from == "rendered"
    truth = people.persons[0].sources[0].truth
    assert truth is not None
    assert len(truth) == len(people.truth_names) == 115
    assert choose_columns(people) == ("ethnicity_shape", "gender_half", "age_band", "skin_tone_band")
    assert len(choose_crossings(people, choose_columns(people))) == 6


@pytest.mark.parametrize("count", [24, 60, 48, 12])
def test_some_of_them_are_chosen_evenly(count: int) -> None:
    people = own_people().chosen(count)
    assert len(people.persons) == count
    for column in people.columns:
        shares = collections.Counter(person.labels[column] for person in people.persons)
        assert max(shares.values()) - min(shares.values()) <= 2


def test_subfolders_are_groups_and_what_lies_beside_them_is_listed(tmp_path: Path) -> None:
    picture(tmp_path / "b" / "two.png")
    picture(tmp_path / "a" / "one.png")
    picture(tmp_path / "loose.png")
    (tmp_path / "a" / "notes.txt").write_text("x")
    (tmp_path / "a" / ".hidden.png").write_bytes(b"x")
    people = open_people([tmp_path])
    assert [(p.name, dict(p.labels)) for p in people.persons] == [
        ("a/one.png", {"group": "a"}),
        ("b/two.png", {"group": "b"}),
    ]
    assert dict(people.left_out) == {
        "loose.png": "it lies in no group's subfolder",
        "a/notes.txt": "it is no picture or clip that can be read",
    }


def test_a_folder_without_subfolders_is_one_group(tmp_path: Path) -> None:
    picture(tmp_path / "one.png")
    people = open_people([tmp_path])
    assert people.columns == ()
    assert len(people.persons) == 1


def test_a_table_names_people_and_several_columns(tmp_path: Path) -> None:
    for name in ("1.png", "2.png", "3.png"):
        picture(tmp_path / "pictures" / name)
    table = tmp_path / "labels.csv"
    table.write_text(
        "file;person;group;age band\npictures/1.png;anna;<b>x</b>;old\npictures/2.png;anna;<b>x</b>;old\n"
        "pictures/3.png;ben;y;\npictures/4.png;cem;y;young\n"
    )
    people = open_people([table], "self-reported")
    assert people.columns == ("group", "age band")
    assert people.labels_from == "self-reported"
    anna, ben, cem = people.persons
    assert (anna.name, len(anna.sources), anna.labels["group"]) == ("anna", 2, "<b>x</b>")
    assert ben.labels["age band"] == NOT_GIVEN
    assert cem.sources[0].missing == "the file is not there"


def test_a_zip_is_read_where_it_is(tmp_path: Path) -> None:
    one = picture(tmp_path / "one.png")
    archive = tmp_path / "people.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for name in ("top/a/1.png", "top/b/2.png"):
            file.write(one, name)
        file.writestr("__MACOSX/x.png", b"")
    people = open_people([archive])
    assert [dict(person.labels) for person in people.persons] == [{"group": "a"}, {"group": "b"}]
    read = people.persons[0].sources[0].read
    assert read is not None
    assert read() == one.read_bytes()


def test_a_zip_may_hold_its_table(tmp_path: Path) -> None:
    archive = tmp_path / "people.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.write(picture(tmp_path / "one.png"), "set/1.png")
        file.writestr("set/labels.csv", "file,tone\n1.png,dark\n")
    assert open_people([archive]).persons[0].labels == {"tone": "dark"}


def test_a_hostile_zip_is_refused(tmp_path: Path) -> None:
    archive = tmp_path / "people.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("../../a/1.png", b"x")
    with pytest.raises(DirectionError, match="outside of itself"):
        open_people([archive])


def test_links_out_of_a_folder_are_not_followed(tmp_path: Path) -> None:
    secret = picture(tmp_path / "secret.png")
    (tmp_path / "set" / "a").mkdir(parents=True)
    picture(tmp_path / "set" / "a" / "1.png")
    (tmp_path / "set" / "a" / "2.png").symlink_to(secret)
    people = open_people([tmp_path / "set"])
    assert len(people.persons) == 1
    assert "link" in people.left_out[0][1]


def test_several_clips_are_several_people(tmp_path: Path) -> None:
    first, second = tmp_path / "x" / "clip.mp4", tmp_path / "clip.mp4"
    for path in (first, second):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    people = open_people([first, second])
    assert [person.name for person in people.persons] == ["clip", "clip (2)"]
    assert all(source.is_clip for person in people.persons for source in person.sources)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("name,group\na.png,x\n", "no column 'file'"),
        ("file,group,group\na.png,x,y\n", "two columns of the name 'group'"),
        ("file,group\na.png,x\na.png,y\n", "names a.png twice"),
        ("file,group\na.png\n", "Row 2 of t.csv has 1 cells"),
        ("file,group\n/etc/passwd,x\n", "outside the table's folder"),
        ("file,group\n../a.png,x\n", "outside the table's folder"),
        ("file,group\nC:\\a.png,x\n", "outside the table's folder"),
        ("file,\na.png,x\n", "has no name"),
        ("file,group\n", "names no file"),
    ],
)
def test_wrong_tables_are_told_of(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message.replace("(", "\\(")) as error:
        read_label_table(text.encode(), "t.csv")
    assert error.value.hint


def test_a_table_in_another_coding_is_told_of() -> None:
    with pytest.raises(ConfigError, match="UTF-8"):
        read_label_table("file,größe\n".encode("latin-1"), "t.csv")


def test_a_person_has_one_label_in_a_column(tmp_path: Path) -> None:
    picture(tmp_path / "1.png")
    (tmp_path / "t.csv").write_text("file,person,group\n1.png,anna,x\n2.png,anna,y\n")
    with pytest.raises(ConfigError, match="'anna' has two values of 'group'"):
        open_people([tmp_path / "t.csv"])


def test_a_table_of_which_no_file_is_there_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("file,group\n1.png,x\n2.png,y\n")
    with pytest.raises(ConfigError, match="None of the 2 files"):
        open_people([tmp_path / "t.csv"])


def test_wrong_places_are_told_of(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for paths, message in (
        ([tmp_path / "nowhere"], "no file or folder"),
        ([tmp_path / "empty"], "holds no picture or clip"),
        ([tmp_path / "empty", picture(tmp_path / "1.png")], "cannot stand beside"),
    ):
        with pytest.raises(ConfigError, match=message):
            open_people(paths)
    with pytest.raises(ConfigError, match="Labels cannot be"):
        open_people([tmp_path / "1.png"], "guessed")


def test_thousands_of_people_are_looked_at_only_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_PEOPLE", 100)
    with pytest.raises(ConfigError, match="120 people") as error:
        own_people().chosen(None)
    assert "--people" in error.value.hint
    assert len(own_people().chosen(110).persons) == 110
    with pytest.raises(ConfigError, match="review of 0 people"):
        own_people().chosen(0)
