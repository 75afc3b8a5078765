"""The command line's review: what it writes and prints, its exit codes, and going on after a stop."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stit_core.__main__ import build_parser, main
from stit_core.cli import review
from tests.support.drawn_face import draw_face

pytest_plugins = ["tests.support.fixtures_pack"]

ROOT = Path(__file__).resolve().parents[3]
PATIENCE = 300.0  # seconds until a person must have been finished, on a busy machine


@pytest.fixture
def folder(home: Path) -> Path:
    """Two groups of drawn faces, and a picture without one."""
    for k in range(3):
        path = home / "people" / "ab"[k % 2] / f"{k}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw_face(160, 160, (80, 80), 48 + k)).save(path)
    Image.fromarray(np.zeros((100, 100, 3), np.uint8)).save(home / "people" / "b" / "black.png")
    return home / "people"


def arguments(folder: Path, output: Path, *more: str) -> list[str]:
    return ["review", str(folder), "--pack", "tiny", "-d", "smile=-1,1", "-o", str(output), *more]


def test_a_review_is_written_and_told(folder: Path, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = home / "review.html"
    assert main(arguments(folder, output, "--json", "--labels-from", "perceived")) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["people"], record["looked_at"], record["failed"]) == (4, 4, 1)
    assert [Path(record[name]).is_file() for name in ("html", "csv", "json")] == [True] * 3
    text = output.read_text()
    assert "python -m stit_core review people --pack tiny" not in text  # options stand in their own order
    assert "review people -d smile=-1,1 --pack tiny --labels-from perceived -o review.html" in text
    assert str(home) not in text  # nor in the other files: a report is sent to others
    assert str(home) not in (home / "review.json").read_text() + (home / "review.csv").read_text()


def test_a_review_is_one_of_the_runs(folder: Path, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments(folder, home / "review.html")) == 0
    capsys.readouterr()
    assert main(["runs", "list", "--json"]) == 0
    runs = json.loads(capsys.readouterr().out)["runs"]
    assert [run["clip"] for run in runs] == ["review of people"]
    assert main(["runs", "clean", "--all", "--json"]) == 0
    assert not list((home / "runs").glob("*/review"))


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--groups", "tone"], "There is no label column 'tone'"),
        (["--people", "0"], "review of 0 people"),
        (["-d", "nose=1"], "no direction 'nose'"),
        (["-d", "age=big"], "not numbers"),
        (["--seed", "-1"], "The seed is -1"),
        (["--preset", "best"], "no preset 'best'"),
        (["-o", "report.pdf"], "Choose one that ends with .html"),
    ],
)
def test_wrong_input_is_told_before_any_work(
    folder: Path, home: Path, more: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments(folder, home / "review.html", *more)) == 1
    told = capsys.readouterr().err
    assert message in told
    assert "hint: " in told
    assert not (home / "review.html").exists()


def test_nothing_to_look_at_is_told(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "empty").mkdir()
    assert main(arguments(home / "empty", home / "review.html")) == 1
    assert "holds no picture or clip" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [("2\n", "self-reported"), ("perceived\n", "perceived"), ("\n", "not stated"), ("9\n", "not stated")],
)
def test_a_terminal_is_asked_where_labels_come_from(
    folder: Path, answer: str, wanted: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    options = build_parser().parse_args(arguments(folder, folder / "review.html"))
    assert review._labels_from(options) == wanted
    assert "Where do the labels of these people come from?" in capsys.readouterr().err


def test_a_stopped_review_reports_and_goes_on(folder: Path, home: Path) -> None:
    output = home / "review.html"
    command = [sys.executable, "-m", "stit_core", *arguments(folder, output, "--json")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=home
    )
    limit = time.monotonic() + PATIENCE
    while not list((home / "runs").glob("*/review/files/*/edit-*.json")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < limit
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    out, told = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, told
    assert "the same command goes on from there" in told
    assert json.loads(out)["looked_at"] < 4
    assert "Stopped half-way" in output.read_text()
    kept = len(list((home / "runs").glob("*/review/files/*/edit-*.json")))
    assert kept >= 1
    assert main(arguments(folder, output)) == 0
    assert "Stopped half-way" not in output.read_text()
