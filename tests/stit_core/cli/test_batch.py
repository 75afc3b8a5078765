"""`batch` on the command line: what it prints, what it refuses, what a table may say."""

from __future__ import annotations

import csv
import json
import socket
import sys
from pathlib import Path

import pytest

from stit_core.__main__ import main
from stit_core.batch import working
from tests.support.batch_cases import write_clips
from tests.support.drawn_face import write_clip

pytest_plugins = ["tests.support.fixtures_pack"]


def batch(*arguments: str) -> int:
    return main(["batch", "--pack", "tiny", "--preset", "draft", "--jobs", "1", *arguments])


def test_a_table_says_what_is_done_with_each_clip(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = write_clips(home / "takes", 2)
    table = home / "takes" / "list.csv"
    table.write_text(
        "clip,edit,smile,end,tuning.passes,seed\n"
        f'{first.name},"smile=1, age=-1",,,,\n'
        f"{second.name},,,,,\n"
        f"{second.name},,1.5,0.25,2,7\n"
        "gone.mp4,,,,,\n"
    )
    assert batch(str(table), "-d", "smile=2", "-o", str(home / "out"), "--json") == 1
    out, complaints = capsys.readouterr()
    told = json.loads(out)
    assert [row["state"] for row in told["rows"]] == ["done", "done", "done", "failed"]
    assert "1 of 4 clips failed." in complaints
    manifests = [
        json.loads((home / "out" / row["output"]).with_suffix(".edit.json").read_text()) for row in told["rows"][:3]
    ]
    edits = [{edit["direction"]: edit["factor"] for edit in manifest["edits"]} for manifest in manifests]
    assert edits == [{"smile": 1.0, "age": -1.0}, {"smile": 2.0}, {"smile": 1.5}]
    assert [manifest["settings"]["tuning"]["passes"] for manifest in manifests] == [1, 1, 2]
    assert [manifest["seed"] for manifest in manifests] == [0, 0, 7]
    assert [manifest["clip"]["frames"] for manifest in manifests] == [3, 3, 3]
    assert len({row["output"] for row in told["rows"]}) == 4
    assert batch(str(table), "-d", "smile=2", "-o", str(home / "out")) == 1
    out, _ = capsys.readouterr()
    lines = out.splitlines()
    assert sum("there already" in line for line in lines) == 3 + 1, "three clips, and their sum"
    assert any("gone.mp4: failed: gone.mp4 can no longer be read" in line for line in lines)


def test_several_people_have_edits_of_their_own(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In a table's cell, and on the command line; what is said of a clip is the worst of its people."""
    clip = write_clip(home / "pair.mp4", frames=3, size=(480, 200), others=((0.8, 0.5, 0.2),))
    table = home / "list.csv"
    table.write_text(f'clip,edit\n{clip.name},"0: smile=2; 1: age=-2"\n{clip.name},\n{clip.name},1: smile=1\n')
    command = [
        str(table),
        "-d",
        "smile=1",
        "--face",
        "1",
        "--face",
        "0",
        "-d",
        "age=1",
        "-o",
        str(home / "out"),
        "--json",
    ]
    assert batch(*command) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    manifests = [json.loads((home / "out" / row["output"]).with_suffix(".edit.json").read_text()) for row in rows]
    edits = [[(e.get("face"), e["direction"], e["factor"]) for e in manifest["edits"]] for manifest in manifests]
    assert edits == [
        [(0, "smile", 2.0), (1, "age", -2.0)],
        [(0, "smile", 1.0), (0, "age", 1.0), (1, "smile", 1.0)],
        [(None, "smile", 1.0)],
    ]
    assert manifests[2]["settings"]["landmarks"]["face"] == 1
    with (home / "out" / "batch.csv").open() as file:
        told = list(csv.DictReader(file))
    assert [row["edit"] for row in told] == ["0: smile=2; 1: age=-2", "1: smile=1; 0: smile=1, age=1", "smile=1"]
    own = [person["id_cosine"] for person in manifests[0]["result"]["people"]]
    assert float(told[0]["id_cosine"]) == pytest.approx(min(own))


def test_a_dry_run_makes_nothing(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_clips(home / "takes", 2)
    (home / "takes" / "text.mp4").write_text("no video")
    out = home / "out"
    assert batch(str(home / "takes"), "-d", "smile=2", "-o", str(out), "--dry-run", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["clips"], told["unreadable"], told["jobs"]) == (3, 1, 1)
    assert [row["frames"] for row in told["rows"]] == [3, 3, 0]
    assert told["seconds"] > 0
    assert told["stage_bytes"] > told["video_bytes"] > 0
    assert not out.exists()
    assert not list((home / "runs").glob("*/*"))
    assert batch(str(home / "takes"), "-d", "smile=2", "-o", str(out), "--dry-run", "--discard-stages") == 0
    text = capsys.readouterr().out
    assert "3 frames, about" in text
    assert "text.mp4 is not a video" in text
    assert "together" in text


REFUSED: dict[str, tuple[list[str], str, str]] = {
    "no edit": ([], "No edit is given", "-d"),
    "unknown direction": (["-d", "smiel=2"], "no direction 'smiel'", "smile"),
    "no factor": (["-d", "smile"], "has no factor", "smile=2"),
    "no place": (["-d", "smile=2", "--on", "moon"], "'moon' is no place", "ray://HOST:PORT"),
    "no port": (["-d", "smile=2", "--on", "ray://somewhere"], "no address of Ray", "10001"),
    "no jobs": (["-d", "smile=2", "--jobs", "0"], "jobs is 0", "from 1"),
    "no device": (["-d", "smile=2", "--device", "meta"], "device 'meta'", "cpu"),
    "folder is a file": (["-d", "smile=2", "-o", "takes/c00.mp4"], "cannot be written", "folder"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_is_refused_before_any_work(
    case: str, home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home)
    (home / "takes").mkdir()
    (home / "takes" / "c00.mp4").touch()
    arguments, told, hint = REFUSED[case]
    assert batch("takes", "-o", "out", *arguments) == 1
    complaints = capsys.readouterr().err
    assert told in complaints
    assert hint in complaints
    assert "Traceback" not in complaints


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("smiel\na.mp4,1", "column 'smiel' is neither a setting nor a direction"),
        ("smile\na.mp4,big", "'big', not a number"),
        ("smile\na.mp4,1e9", "factor of 'smile'"),
        ("preset\na.mp4,fast", "preset"),
        ("face\na.mp4,-1", "face is -1"),
        ("seed\na.mp4,one", "seed is 'one'"),
        ("tuning.speed\na.mp4,1", "speed"),
        ("edit\na.mp4,smile", "has no factor"),
        ("region\na.mp4,feet", "region"),
        ("edit\na.mp4,nobody: smile=2", "'nobody' names no person"),
        ("edit\na.mp4,0: smile=1; 0: age=1", "Face 0 is named twice"),
        ("edit,face\na.mp4,0: smile=1; 1: age=1,1", "One face is chosen beside an edit of several people"),
        ("edit,age\na.mp4,0: smile=1; 1: smile=2,1", "column 'age' says nothing of whom"),
    ],
)
def test_a_row_that_cannot_be_is_named(row: str, told: str, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "list.csv").write_text(f"clip,{row}\n")
    assert batch(str(home / "list.csv"), "-d", "smile=2", "-o", str(home / "out")) == 1
    complaints = capsys.readouterr().err
    assert "error: Row 2 of list.csv: " in complaints
    assert told in complaints
    assert not (home / "out").exists()


@pytest.mark.parametrize("listens", [False, True])
def test_an_address_where_no_ray_answers_is_told_soon(
    listens: bool, home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(
        "HOME", str(home)
    )  # a token that lies there would be asked for by a Ray that a later test begins
    if listens:
        pytest.importorskip("ray", reason="Ray is not installed (requirements-cluster.txt)")
    (home / "a.mp4").touch()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        if not listens:
            server.close()
        assert (
            batch(str(home / "a.mp4"), "-d", "smile=2", "-o", str(home / "o"), "--on", f"ray://127.0.0.1:{port}") == 1
        )
    complaints = capsys.readouterr().err
    expected = "is not Ray" if listens else f"Nobody answers at ray://127.0.0.1:{port}"
    assert expected in complaints
    assert "10001" in complaints


def test_ray_that_is_not_installed_is_told(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "a.mp4").touch()
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setitem(sys.modules, "ray", None)
    assert batch(str(home / "a.mp4"), "-d", "smile=2", "-o", str(home / "o"), "--on", "ray") == 1
    complaints = capsys.readouterr().err
    assert "Ray is not installed here." in complaints
    assert "requirements-cluster.txt" in complaints


def test_a_trial_of_a_folder_leaves_nothing(tmp_path: Path) -> None:
    assert working.takes_bytes(tmp_path)
    assert not list(tmp_path.iterdir())
    file = tmp_path / "file"
    file.write_text("a")
    assert not working.takes_bytes(file)
