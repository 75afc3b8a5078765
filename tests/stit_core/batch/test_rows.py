"""What a batch makes of folders, patterns and tables; tables may be hostile."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from stit_core.batch import table
from stit_core.batch.records import Records, video_name
from stit_core.batch.rows import list_rows
from stit_core.batch.table import read_table
from stit_core.batch.treatments import Treatment, Treatments
from stit_core.errors import ConfigError, DirectionError
from stit_core.packs.loading import find_pack
from stit_core.store.disk import write_json

pytest_plugins = ["tests.support.fixtures_pack"]

USUAL = Treatment(None, 0, "smile=2", "0")  # type: ignore[arg-type]


def settle(cells: Mapping[str, str]) -> Treatment:
    if "bad" in cells:
        raise DirectionError("There is no 'bad'.", "Choose another.")
    return Treatment(None, 0, repr(dict(cells)), "1")  # type: ignore[arg-type]


def names(folder: Path, *sources: str, usual: Treatment | None = USUAL) -> list[str]:
    rows, _ = list_rows(sources, usual, settle, folder / "out")
    return [row.path.name for row in rows]


@pytest.fixture
def takes(tmp_path: Path) -> Path:
    """Clips, some of which are none, and results of an earlier batch."""
    for name in ("b.mp4", "a.MOV", "deep/c.webm", "notes.txt", ".hidden.mp4", ".trash/d.mp4", "out/a-1.mp4"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


def test_a_folder_is_walked_without_results_and_hidden_files(takes: Path) -> None:
    rows, left_out = list_rows([str(takes)], USUAL, settle, takes / "out")
    assert [str(row.path.relative_to(takes)) for row in rows] == ["a.MOV", "b.mp4", "deep/c.webm"]
    assert left_out == [("notes.txt", "it is no video file by its name")]
    assert {row.treatment for row in rows} == {USUAL}


def test_patterns_names_and_tables_stand_side_by_side(takes: Path) -> None:
    (takes / "list.csv").write_text("clip;smile\nb.mp4;1.5\n\n;2\nabsent.mp4;\n")
    assert names(takes, f"{takes}/*.mp4", f"{takes}/deep", "gone.mp4") == ["b.mp4", "c.webm", "gone.mp4"]
    with pytest.raises(ConfigError, match=r"Row 4 of list\.csv names no clip"):
        names(takes, str(takes / "list.csv"))
    (takes / "list.csv").write_text("\ufeffclip\tsmile\nb.mp4\t1.5\n\n/else/where.mp4\t\n", encoding="utf-8")
    rows, _ = list_rows([str(takes / "list.csv")], None, settle, takes / "out")
    assert [(row.clip, row.treatment.text) for row in rows] == [
        (str(takes / "b.mp4"), "{'smile': '1.5'}"),
        ("/else/where.mp4", "{}"),
    ]


def test_nothing_to_do_is_said(takes: Path) -> None:
    for source in (f"{takes}/*.mkv", str(takes / "out")):
        with pytest.raises(ConfigError, match="There is nothing at"):
            names(takes, source)
    (takes / "texts").mkdir()
    (takes / "texts" / "a.txt").touch()
    with pytest.raises(ConfigError, match=r"No clip was found\. Left out: a\.txt"):
        names(takes, str(takes / "texts"))
    with pytest.raises(ConfigError, match="No edit is given"):
        names(takes, str(takes), usual=None)


BAD: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is empty"),
    "blank": (b"  \n\n", "is empty"),
    "no column": (b"file,smile\na.mp4,1\n", "has no column 'clip'"),
    "two columns": (b"clip,smile,smile\na.mp4,1,2\n", "two columns of the name 'smile'"),
    "nameless": (b"clip,\na.mp4,1\n", "has no name"),
    "another length": (b"clip,smile\na.mp4,1\nb.mp4\n", "Row 3 of list.csv has 1 cells, the first row 2"),
    "not UTF-8": ("clip\nä.mp4\n".encode("latin-1"), "no table in UTF-8"),
    "UTF-16": ("clip\na.mp4\n".encode("utf-16"), "no table"),
    "zeros": (b"clip\na\0.mp4\n", "bytes that are no text"),
    "open quote": (b'clip\n"a.mp4\n', "cannot be read as a table"),
    "endless name": (b"clip\n" + b"x" * 5000 + b"\n", "has a cell of 5,000 characters"),
    "endless line": (b"clip\n" + b"x" * (table.LARGEST_LINE + 1), "longer than 1 MB"),
    "many columns": (b"clip," + b",".join(b"c%d" % k for k in range(70)) + b"\n", "has 71 columns"),
    "cannot be": (b"clip,bad\na.mp4,\nb.mp4,1\n", "Row 3 of list.csv: There is no 'bad'"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_table_is_refused_in_words(case: str, tmp_path: Path) -> None:
    content, told = BAD[case]
    path = tmp_path / "list.csv"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=told) as error:
        list(read_table(path, settle))
    assert error.value.hint
    assert len(error.value.message) < 300


def test_a_table_that_is_not_there_or_too_long_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"none.csv cannot be read"):
        list(read_table(tmp_path / "none.csv", settle))
    monkeypatch.setattr(table, "MOST_ROWS", 3)
    (tmp_path / "list.csv").write_text("clip\n" + "a.mp4\n" * 3)
    with pytest.raises(ConfigError, match="over 3 rows"):
        list(read_table(tmp_path / "list.csv", settle))


@pytest.mark.usefixtures("home")
def test_the_same_job_has_the_same_key_and_another_one_another() -> None:
    treatments = Treatments(find_pack("tiny"))
    draft, usual = treatments.preset("draft", None), treatments.preset("balanced", None)
    one = treatments.of(draft, (("smile", 2.0),), 0)
    assert treatments.of(draft, (("smile", 2.0),), 0) is one
    again = Treatments(find_pack("tiny"))
    assert again.of(again.preset("draft", None), (("smile", 2.0),), 0).key("a") == one.key("a")
    others = [
        treatments.of(draft, (("smile", 1.0),), 0),
        treatments.of(draft, (("age", 2.0),), 0),
        treatments.of(draft, (("smile", 2.0),), 1),
        treatments.of(usual, (("smile", 2.0),), 0),
    ]
    assert len({one.key("a"), one.key("b"), *(other.key("a") for other in others)}) == 6
    with pytest.raises(DirectionError, match="no direction 'smiel'"):
        treatments.of(draft, (("smiel", 2.0),), 0)
    with pytest.raises(ConfigError, match="No edit is given"):
        treatments.of(draft, (), 0)


@pytest.mark.parametrize(
    ("clip", "stem"),
    [
        ("take 1.mov", "take_1"),
        ("../../etc/passwd", "passwd"),
        ("-rf.mp4", "rf"),
        ("con.mp4", "clip_con"),
        ("日本.mp4", "clip"),
        ("x" * 300 + ".mp4", "x" * 60),
        ("a\nb$(reboot).mp4", "a_b_reboot"),
    ],
)
def test_names_of_videos_are_safe_and_unique(clip: str, stem: str) -> None:
    assert video_name(Path(clip), "0123456789abcdef") == f"{stem}-0123456789.mp4"
    assert video_name(Path(clip), "1123456789abcdef") != video_name(Path(clip), "0123456789abcdef")


def test_a_damaged_record_counts_as_none(tmp_path: Path) -> None:
    records = Records(tmp_path)
    (tmp_path / "a.mp4").write_bytes(b"four")
    records.write("abc", {"output": "a.mp4", "bytes": 4})
    assert records.finished("abc") is not None
    records.write("abd", {"output": "a.mp4", "bytes": 5})
    assert records.finished("abd") is None
    write_json(records.place("abd", ".json"), {"key": "other", "output": "a.mp4", "bytes": 4})
    assert records.finished("abd") is None
    records.place("abc", ".json").write_text("{half")
    assert records.finished("abc") is None
    records.write("abe", {"output": "a\0.mp4", "bytes": 4})
    assert records.finished("abe") is None
