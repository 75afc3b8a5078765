"""Tests of the command line: what it prints, its exit codes, and stopping it at any time."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from stit_core.__main__ import main
from stit_core.cli import commands
from stit_core.cli.commands import parse_edits, parse_settings
from stit_core.config import RunConfig
from stit_core.errors import ConfigError
from tests.support.drawn_face import write_clip
from tests.support.tiny_pack import make_direction

pytest_plugins = ["tests.support.fixtures_pack"]

ROOT = Path(__file__).resolve().parents[3]
PATIENCE = 300.0  # seconds until a stage must have begun, on a busy machine


def command(clip: Path, output: Path, *more: str) -> list[str]:
    return ["edit", str(clip), "--pack", "tiny", "-o", str(output), "--json", *more]


def start(arguments: list[str]) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-m", "stit_core", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


def wait_for(root: Path, pattern: str, process: subprocess.Popen[str]) -> Path:
    """The first file that fits `pattern` below `root`, waited for while the process runs."""
    limit = time.monotonic() + PATIENCE
    while time.monotonic() < limit:
        found = sorted(root.glob(pattern))
        if found:
            return found[0]
        assert process.poll() is None, f"the command ended before {pattern} was there: {process.communicate()}"
        time.sleep(0.005)
    process.kill()
    raise AssertionError(f"{pattern} never appeared")


def test_a_stopped_and_a_killed_run_go_on(home: Path, face_clip: Path) -> None:
    runs, output = home / "runs", home / "out.mp4"
    arguments = command(face_clip, output, "-d", "smile=2", "--set", "tuning.passes=20", "--set", "stitching.steps=40")

    process = start(arguments)
    wait_for(runs, "*/.tune-*.part/progress.safetensors", process)
    process.send_signal(signal.SIGINT)
    told, complaints = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, complaints
    assert told == ""
    assert "goes on from there" in complaints
    assert "Traceback" not in complaints
    assert not output.exists()
    kept = {path.name: path.stat().st_mtime_ns for path in runs.glob("*/*-*") if not path.name.startswith(".")}
    assert {name.split("-")[0] for name in kept} == {"clip", "landmarks", "align", "invert"}

    process = start(arguments)
    first = wait_for(runs, "*/.stitch-*.part/*/*.png", process)
    made = first.stat().st_mtime_ns
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not output.exists()

    process = start(arguments)
    told, complaints = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, complaints
    report = json.loads(told)
    assert set(report["cached"]) == {"clip", "landmarks", "align", "invert", "tune", "masks"}
    assert output.exists()
    finished = next(runs.glob(f"*/stitch-*/*/{first.name}"))
    assert finished.stat().st_mtime_ns == made, "a stitched frame was made twice"
    for path in runs.glob("*/*-*"):
        assert kept.get(path.name, path.stat().st_mtime_ns) == path.stat().st_mtime_ns
    assert not list(runs.glob("*/.*.part"))

    assert set(report) >= {"frames", "faces", "seconds", "psnr", "lpips", "border_loss", "id_cosine", "tl_id", "tg_id"}
    assert report["output"] == str(output)


def test_a_stop_before_anything_is_made(home: Path, face_clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(commands.Bars, "__call__", interrupted)
    before = signal.getsignal(signal.SIGINT)
    assert main(command(face_clip, home / "o.mp4", "-d", "smile=2")) == 130
    assert signal.getsignal(signal.SIGINT) is before


def test_looking_at_a_clip(home: Path, face_clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(face_clip), "--pack", "tiny", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["width"], record["height"], record["frames"], record["frame_rate"]) == (240, 200, 6, "10")
    assert record["audio"] == "aac"
    assert record["faces_per_frame"] == {"1": 6}
    assert record["gaps"] == []
    times = record["estimated_seconds"]
    assert times["paper"] > times["balanced"] >= times["draft"] > 0
    assert main(["runs", "list", "--json"]) == 0
    run = json.loads(capsys.readouterr().out)["runs"][0]
    assert (run["clip"], run["stages"]) == ("face.mp4", ["clip", "landmarks"])
    assert main(["runs", "clean", run["name"]]) == 0
    assert "1 runs deleted" in capsys.readouterr().out
    assert [path for path in (home / "runs").iterdir() if path.is_dir()] == []


@pytest.mark.usefixtures("home")
def test_packs_and_directions_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["packs", "list"]) == 0
    assert "ffhq-1024" in capsys.readouterr().out
    assert main(["packs", "show", "tiny", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert [part["part"] for part in record["parts"]] == ["generator", "encoder", "parser", "perceptual", "identity"]
    assert main(["packs", "verify", "tiny"]) == 0
    assert "intact" in capsys.readouterr().out
    assert main(["directions", "list", "--pack", "tiny", "--json"]) == 0
    assert [card["name"] for card in json.loads(capsys.readouterr().out)["directions"]] == ["age", "smile"]
    assert main(["directions", "show", "smile", "--pack", "tiny"]) == 0
    assert "smile" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "told", "hint"),
    [
        (["-d", "smile=much"], "factor of 'smile' is 'much', not a number", "such as 2"),
        (["-d", "smile=nan"], "factor of 'smile' is nan", "-100 to 100"),
        (["-d", "smile=1e9"], "factor of 'smile'", "-100 to 100"),
        (["-d", "smile"], "'smile' has no factor", "-d smile=2"),
        (["-d", "smile=1", "-d", "smile=2"], "named twice", "sum"),
        (["-d", "smiel=1"], "no direction 'smiel'", "smile"),
        (["-d", "beard=1"], "belongs to the pack 'other'", "--pack other"),
        (["-d", "smile", "--range", "a", "1", "3"], "not a number", "such as 2"),
        (["-d", "smile", "--range", "0", "1", "2.5"], "2.5 steps", "whole"),
        (["-d", "smile", "--range", "0", "1", "0"], "0 steps", "1 to"),
        (["-d", "smile", "--range", "0", "1000", "2"], "factor of 'smile'", "-100 to 100"),
        (["-d", "smile=1", "--preset", "best"], "no preset 'best'", "balanced"),
        (["-d", "smile=1", "--preset", "paper", "--method", "transfer"], "which stitches", "balanced"),
        (["-d", "smile=1", "--set", "transfer.region=nose"], "region is 'nose'", "mouth"),
        (["-d", "smile=1", "--device", "abacus"], "device 'abacus'", "cpu"),
        (["-d", "smile=1", "--set", "tuning.hours=3"], "no setting 'hours'", "passes"),
        (["-d", "smile=1", "--set", "cooking.time=3"], "no stage 'cooking'", "tuning"),
        (["-d", "smile=1", "--set", "tuning.passes=many"], "'many'", "numbers"),
        (["-d", "smile=1", "--start", "3", "--end", "2"], "not after the start", "later"),
        (["-d", "smile=1", "--start", "99"], "chosen start is 99", "earlier"),
        (["-d", "smile=1", "--pack", "nothing"], "no model pack 'nothing'", "tiny"),
        (["-d", "smile=1", "-o", "nowhere/out.mp4"], "cannot be written", "folder"),
    ],
)
def test_errors_are_told_with_a_hint(
    home: Path, face_clip: Path, capsys: pytest.CaptureFixture[str], more: list[str], told: str, hint: str
) -> None:
    assert main(command(face_clip, home / "o.mp4", *more)) == 1
    out, complaints = capsys.readouterr()
    assert out == ""
    lines = complaints.splitlines()
    assert lines[-2].startswith("error: ")
    assert lines[-1].startswith("hint: ")
    assert told in lines[-2]
    assert hint in lines[-1]
    assert not (home / "o.mp4").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["edit", "clip.mp4"],
        ["edit", "clip.mp4", "-d", "smile=1", "--method", "paint"],
        ["edit", "clip.mp4", "-d", "smile=1", "--region", "nose"],
        ["dance"],
        ["runs", "clean"],
        ["runs", "clean", "--all", "--older-than", "3"],
        ["packs"],
    ],
)
def test_wrong_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_a_fault_of_ours_goes_to_a_log(
    home: Path, face_clip: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise AssertionError("a secret detail")

    monkeypatch.setattr(commands, "find_pack", broken)
    assert main(command(face_clip, home / "o.mp4", "-d", "smile=2")) == 1
    complaints = capsys.readouterr().err
    assert "Traceback" not in complaints
    assert "secret" not in complaints
    log = next((home / "runs" / "logs").glob("*.log"))
    assert log.name in complaints
    assert "a secret detail" in log.read_text()


def test_the_trim_is_part_of_the_run(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = write_clip(home / "c.mp4", frames=5)
    shutil.copy(clip, home / "d.mp4")
    assert main(["check", str(clip), "--pack", "tiny", "--end", "0.3", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["frames"] == 3


def test_a_range_and_its_overlaps_are_told_once(
    home: Path, face_clip: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = home / "directions" / "tiny"
    folder.mkdir(parents=True)
    np.save(folder / "smile.npy", make_direction(1))
    np.save(folder / "frown.npy", make_direction(2) - make_direction(1))
    monkeypatch.setenv("STIT_DIRECTIONS", str(folder.parent))
    more = ["--preset", "draft", "-d", "smile", "-d", "frown=1", "--range", "1", "2", "2"]
    assert main(command(face_clip, home / "o.mp4", *more)) == 0
    out, complaints = capsys.readouterr()
    assert complaints.count("warning: ") == 1
    assert "warning: 'smile' (+2) and 'frown' (+1) pull against each other" in complaints
    record = json.loads(out)
    assert record["grid"] == str(home / "o_smile_grid.mp4")
    assert Path(record["grid"]).exists()
    assert len(record["warnings"]) == 1
    assert [Path(made["output"]).name for made in record["outputs"]] == ["o_smile_+1.00.mp4", "o_smile_+2.00.mp4"]
    assert ["(+1)" in made["warnings"][0] for made in record["outputs"]] == [True, True]
    plain = [word for word in command(face_clip, home / "o.mp4", *more) if word != "--json"]
    assert main(plain) == 0
    assert "o_smile_grid.mp4: the source and all factors" in capsys.readouterr().out


def test_the_method_and_the_region_can_be_chosen(
    home: Path, face_clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = ["--method", "transfer", "--region", "mouth", "--set", "tuning.passes=1", "--json"]
    assert main(command(face_clip, home / "o.mp4", "-d", "smile=2", *chosen)) == 0
    report = json.loads(capsys.readouterr().out)
    settings = json.loads(Path(report["manifest"]).read_text())["settings"]
    assert (settings["method"], settings["transfer"]["region"]) == ("transfer", "mouth")
    assert report["seconds"]["register"] > 0


def test_a_range_varies_the_direction_without_a_factor() -> None:
    assert parse_edits(["smile=2", "age"], ranged=True) == ([("smile", 2.0), ("age", 0.0)], "age")
    assert parse_edits(["smile=2", "age=-3"], ranged=True) == ([("smile", 2.0), ("age", -3.0)], "smile")
    assert parse_edits(["smile=2"], ranged=False) == ([("smile", 2.0)], None)
    with pytest.raises(ConfigError, match="one direction"):
        parse_edits(["smile", "age"], ranged=True)


def test_settings_keep_their_types() -> None:
    config = parse_settings(
        [
            "tuning.lr=1e-3",
            "masks.background=[0, 18]",
            "stitching.threshold=null",
            "stitching.loss=l1",
            "edit.styles=true",
        ],
        RunConfig(),
    )
    assert config.tuning.lr == 1e-3
    assert config.masks.background == (0, 18)
    assert config.stitching.threshold is None
    assert config.stitching.loss == "l1"
    assert config.edit.styles is True


@pytest.mark.parametrize(
    "text",
    ["tuning.passes=2.5", "tuning.passes=true", "edit.styles=1", "masks.background=3", "video.speed=3", "tuning=3"],
)
def test_settings_of_a_wrong_type_are_refused(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_settings([text], RunConfig())
    assert caught.value.hint
