"""Bad input through the command line: each kind is told in words, and nothing half-written or finished is touched."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import imageio_ffmpeg
import pytest
from PIL import Image

from stit_core import pipeline as pipelines
from stit_core.__main__ import main
from stit_core.media import opening
from tests.support.full_disk import room_for

pytest_plugins = ["tests.support.fixtures_pack"]

DATA = Path(__file__).parents[2] / "data"
FFMPEG = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-loglevel", "error", "-y"]
CLUSTER = b"\x1f\x43\xb6\x75"  # where the pictures of a Matroska file begin
OLD = b"an older video"

Made = Callable[[Path, Path], list[str]]  # (folder, good clip) -> clip and further arguments


def ffmpeg(*arguments: str) -> None:
    subprocess.run([*FFMPEG, *arguments], check=True, timeout=120, stdin=subprocess.DEVNULL)


def lavfi(path: Path, source: str, *more: str) -> list[str]:
    ffmpeg("-f", "lavfi", "-i", source, *more, str(path))
    return [str(path)]


def clip_of(path: Path, pictures: list[Image.Image]) -> Path:
    size = "x".join(map(str, pictures[0].size))
    source = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", size, "-r", "10", "-i", "-"]
    data = b"".join(picture.tobytes() for picture in pictures)
    subprocess.run([*FFMPEG[:1], "-loglevel", "error", "-y", *source, "-crf", "8", str(path)], input=data, check=True)
    return path


def test_a_missing_ffmpeg_is_told_as_such(
    home: Path, face_clip: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(home / "gone" / "ffmpeg"))
    assert main(["check", str(face_clip), "--pack", "tiny"]) == 1
    told = capsys.readouterr().err
    assert "ffmpeg cannot be run" in told
    assert "IMAGEIO_FFMPEG_EXE" in told
    monkeypatch.delenv("IMAGEIO_FFMPEG_EXE")
    decode = opening.video.open_clip

    def open_clip(*arguments: object) -> object:  # it is there when the file is looked into, and gone for the decoding
        monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(home / "gone" / "ffmpeg"))
        return decode(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(opening.video, "open_clip", open_clip)
    assert main(["check", str(face_clip), "--pack", "tiny"]) == 1
    assert "ffmpeg cannot be run" in capsys.readouterr().err


# --- What is wrong with the file ----------------------------------------------------------------------------------


def text(folder: Path, _: Path) -> list[str]:
    (folder / "text.mp4").write_text("no video\n" * 100)
    return [str(folder / "text.mp4")]


def renamed_picture(folder: Path, _: Path) -> list[str]:
    Image.new("RGB", (64, 64), (200, 10, 10)).save(folder / "picture.mp4", format="PNG")
    return [str(folder / "picture.mp4")]


def cut_off(folder: Path, good: Path) -> list[str]:
    (folder / "half.mp4").write_bytes(good.read_bytes()[: good.stat().st_size // 2])
    return [str(folder / "half.mp4")]


def no_frames(folder: Path, _: Path) -> list[str]:
    return lavfi(folder / "none.mp4", "color=s=64x64", "-t", "0")


def only_a_header(folder: Path, good: Path) -> list[str]:
    ffmpeg("-i", str(good), "-c", "copy", str(folder / "whole.mkv"))
    content = (folder / "whole.mkv").read_bytes()
    (folder / "whole.mkv").unlink()
    (folder / "head.mkv").write_bytes(content[: content.index(CLUSTER)])
    return [str(folder / "head.mkv")]


def blank_pictures(folder: Path, good: Path) -> list[str]:
    content = bytearray(good.read_bytes())
    start = content.index(b"mdat") + 4
    size = int.from_bytes(content[start - 8 : start - 4]) - 8
    content[start : start + size] = bytes(size)
    (folder / "blank.mp4").write_bytes(content)
    return [str(folder / "blank.mp4")]


def no_face(folder: Path, _: Path) -> list[str]:
    return [str(clip_of(folder / "plain.mp4", [Image.new("RGB", (128, 96), (90, 110, 130))] * 3))]


def sound_only(folder: Path, _: Path) -> list[str]:
    return lavfi(folder / "sound.m4a", "sine=d=0.2")


def huge(folder: Path, _: Path) -> list[str]:
    return lavfi(folder / "8k.mp4", "color=s=7680x4320:r=1", "-frames:v", "1", "-preset", "ultrafast")


def two_hours(folder: Path, _: Path) -> list[str]:
    return lavfi(folder / "long.mp4", "color=s=16x16:r=1/10:d=7200", "-preset", "ultrafast")


def options(*more: str) -> Made:
    """A good clip with options that do not suit it."""
    return lambda _, good: [str(good), *more]


CASES: dict[str, tuple[Made, str, str]] = {  # case -> (input, the error says, the hint says)
    "no video": (text, "text.mp4 is not a video", "MP4"),
    "absent": (lambda folder, _: [str(folder / "none.mp4")], "none.mp4 does not exist", "name"),
    "an address": (lambda *_: ["https://127.0.0.1:9/a.mp4"], "is an address, not a file", "Download"),
    "an endless name": (lambda *_: ["x" * 300 + ".mp4", "-o", "o.mp4"], "cannot be opened", "name"),
    "sound only": (sound_only, "sound.m4a holds sound only", "video stream"),
    "a picture renamed": (renamed_picture, "picture.mp4 is a single picture", "MP4"),
    "cut off half-way": (cut_off, "half.mp4 is cut off", "again"),
    "zero frames": (no_frames, "none.mp4 holds no pictures", "video stream"),
    "only a header": (only_a_header, "head.mkv is cut off", "again"),
    "nothing to decode": (blank_pictures, "No frame of blank.mp4", "get the file again"),
    "8K": (huge, "8k.mp4 is 7680 x 4320", "Scale"),
    "two hours": (two_hours, "long.mp4 is too long: 7200 s", "shorter"),
    "no face": (no_face, "No face was found in any of the 3 frames of plain.mp4", "face looks"),
    "unknown direction": (options("-d", "smiel=1"), "no direction 'smiel'", "smile"),
    "nameless direction": (options("-d", "=1"), "'=1' names no direction", "NAME=FACTOR"),
    "another pack's direction": (options("-d", "beard=1"), "belongs to the pack 'other'", "--pack other"),
    "factor no number": (options("-d", "smile=big"), "'big', not a number", "such as 2"),
    "factor nan": (options("-d", "smile=nan"), "factor of 'smile'", "-100 to 100"),
    "endless range": (options("--range", "0", "1", "inf"), "inf steps", "whole"),
    "unwritable output": (options("-o", "/proc/o.mp4"), "/proc/o.mp4 cannot be written", "folder"),
    "output without suffix": (options("-o", "o"), "no known video suffix", ".mp4"),
    "output of another kind": (options("-o", "o.webm"), "no known video suffix", ".mkv"),
    "output's name too long": (options("-o", "x" * 300 + ".mp4"), "cannot be written", "folder"),
    "manifest's name too long": (options("-o", "x" * 248 + ".mp4"), "too long", "shorter"),
    "start beyond the end": (options("--start", "99"), "chosen start is 99", "earlier"),
    "start after the last frame": (options("--start", "0.59"), "no frame after 0.59", "earlier"),
    "no such face": (options("--face", "5"), "no face number 5: there is 1 person", "0 is the largest"),
    "face below zero": (options("--face", "-1"), "no face '-1'", "such as 0"),
    "face named twice": (options("--face", "0", "--face", "0"), "Face 0 is named twice", "behind one --face"),
    "all beside others": (options("--face", "all", "--face", "1"), "named beside one of them", "all of them"),
    "second person not there": (
        options("-d", "smile=2", "--face", "0", "--face", "7"),
        "no face number 7",
        "Numbers: 0",
    ),
    "a range of two people": (
        options("-d", "age=1", "--face", "0", "--face", "1", "--range", "0", "1", "2"),
        "one person's edit",
        "--range",
    ),
    "a point beside people": (options("--face", "all", "--point", "1", "2"), "'--point' chooses one", "one of the two"),
    "no correction": (options("--set", 'landmarks.corrections=[["merge", 0, 1]]'), "no correction of who", "join"),
    "point nowhere": (options("--point", "nan", "1"), "point of the face", "two numbers"),
    "point of three": (options("--set", "landmarks.point=[1, 2, 3]"), "point of the face", "two numbers"),
    "seed below zero": (options("--seed", "-1"), "seed is -1", "from 0"),
    "no parser class": (options("--set", 'masks.background=["sky"]'), "classes of the background", "0 to 18"),
    "no encoder speed": (options("--set", "video.speed=sluggish"), "speed is 'sluggish'", "medium"),
    "weight nan": (options("--set", "tuning.locality_l2_weight=NaN"), "locality_l2_weight is nan", "from 0"),
    "endless brackets": (options("--set", f"tuning.passes={'[' * 100_000}"), "TuningConfig.passes is '[[[", "numbers"),
    "brackets for no setting": (options("--set", f"a.b={'[' * 100_000}"), "no stage 'a'", "tuning"),
    "no truth": (options("--set", "edit.styles=maybe"), "styles is 'maybe'", "true or false"),
    "directions as a setting": (options("--set", "edit.directions=[1]"), "not set with --set", "-d"),
    "device without numbers": (options("--device", "meta"), "device 'meta'", "cpu"),
}


def refuse(arguments: list[str], told: str, hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Run `edit` and see that it ends with this error, in words."""
    chosen = [] if "-d" in arguments else ["-d", "smile=2"]
    assert main(["edit", *arguments, *chosen, "--pack", "tiny"]) == 1
    out, complaints = capsys.readouterr()
    lines = complaints.splitlines()
    assert out == ""
    assert lines[-2].startswith("error: "), complaints
    assert lines[-1].startswith("hint: "), complaints
    assert told in lines[-2]
    assert hint in lines[-1]
    assert "Traceback" not in complaints


@pytest.fixture
def place(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with nothing in it but a finished video of an earlier run."""
    folder = home / "place"
    folder.mkdir()
    (folder / "face_edited.mp4").write_bytes(OLD)
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize("case", CASES)
def test_bad_input_is_told_and_leaves_nothing(
    case: str, home: Path, place: Path, face_clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make, told, hint = CASES[case]
    inputs = home / "in"
    inputs.mkdir()
    arguments = make(inputs, face_clip)
    given = {path.name: path.read_bytes() for path in inputs.iterdir()}
    refuse(arguments, told, hint, capsys)
    assert {path.name: path.read_bytes() for path in inputs.iterdir()} == given
    assert [path.name for path in place.iterdir()] == ["face_edited.mp4"]
    assert (place / "face_edited.mp4").read_bytes() == OLD
    assert not list(home.glob("runs/*/.*.part"))


def test_an_output_in_the_place_of_its_source_is_refused(
    place: Path, face_clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = place / "own.mp4"
    shutil.copyfile(face_clip, own)
    os.link(own, place / "same.mp4")
    for output in ("own.mp4", "../place/own.mp4", "same.mp4"):
        refuse(["own.mp4", "-o", output], "overwrite the source", "-o", capsys)
    assert own.read_bytes() == face_clip.read_bytes()


@pytest.mark.parametrize(("damage", "told"), [("missing", "lacks the file"), ("altered", "was altered")])
@pytest.mark.usefixtures("place")
def test_a_pack_with_a_bad_file_is_told(
    damage: str,
    told: str,
    home: Path,
    face_clip: Path,
    shared_pack_folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STIT_PACKS", str(home / "packs"))
    shutil.copytree(shared_pack_folder, home / "packs" / "tiny")
    path = home / "packs" / "tiny" / "encoder.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.unlink()
    if damage == "altered":
        path.write_bytes(content)
    refuse([str(face_clip)], told, "Restore it", capsys)
    assert not (home / "runs").exists(), "no work may be done with it"


@pytest.mark.parametrize("root", ["file/runs", "file"])
@pytest.mark.usefixtures("place")
def test_a_runs_folder_that_cannot_be_written_is_told(
    root: str, home: Path, face_clip: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "file").write_text("a file")
    monkeypatch.setenv("STIT_RUNS", str(home / root))
    refuse([str(face_clip)], "cannot be written", "STIT_RUNS", capsys)
    assert (home / "file").read_text() == "a file"


@pytest.mark.usefixtures("home")
def test_runs_younger_than_nothing_are_not_deleted(capsys: pytest.CaptureFixture[str]) -> None:
    for days in ("-3", "nan"):
        assert main(["runs", "clean", "--older-than", days]) == 1
        assert "--older-than" in capsys.readouterr().err


# --- What goes wrong on the way -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def finished_run(
    face_clip: Path, shared_pack_folder: Path, direction_root: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A folder of runs in which the clip was edited once."""
    root = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STIT_RUNS", str(root / "runs"))
        patch.setenv("STIT_PACKS", str(shared_pack_folder.parent))
        patch.setenv("STIT_DIRECTIONS", str(direction_root))
        assert main(["edit", str(face_clip), "-d", "smile=2", "--pack", "tiny", "-o", str(root / "o.mp4")]) == 0
    return root / "runs"


@pytest.fixture
def runs(finished_run: Path, home: Path) -> Path:
    """A test's own copy of it, in use."""
    return Path(shutil.copytree(finished_run, home / "runs"))


@pytest.mark.parametrize(
    ("gone", "room", "told", "hint"),
    [
        ("[a-z]*", 4096, "no room for the frames of face.mp4", "Free some"),
        ("align", 2048, "picture of frame 0 cannot be stored", "finished is kept"),
        ("tune", 50_000, "disk is full: the result of 'tune'", "finished work is kept"),
        ("none", 1024, "face_edited.mp4 cannot be written", "has room"),
    ],
)
def test_a_full_disk_costs_nothing_that_is_finished(
    gone: str,
    room: int,
    told: str,
    hint: str,
    runs: Path,
    place: Path,
    face_clip: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for folder in runs.glob(f"*/{gone}-*"):
        shutil.rmtree(folder)
    kept = {path.name for path in runs.glob("*/[a-z]*-*")}
    with room_for(room):
        refuse([str(face_clip)], told, hint, capsys)
    assert [path.name for path in place.iterdir()] == ["face_edited.mp4"]
    assert (place / "face_edited.mp4").read_bytes() == OLD
    assert kept <= {path.name for path in runs.glob("*/[a-z]*-*")}
    assert main(["edit", str(face_clip), "-d", "smile=2", "--pack", "tiny", "--json"]) == 0, "the same command goes on"
    assert set(json.loads(capsys.readouterr().out)["cached"]) >= {name.split("-")[0] for name in kept}


@pytest.mark.parametrize("change", ["deleted", "changed"])
@pytest.mark.usefixtures("runs")
def test_a_source_that_does_not_stay_is_told_at_the_end(
    change: str, place: Path, face_clip: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = place / "mine.mp4"
    shutil.copyfile(face_clip, clip)
    measure = pipelines.Pipeline.measure

    def meanwhile(self: pipelines.Pipeline, opened: pipelines.Clip) -> pipelines.Measured:
        measures = measure(self, opened)
        clip.unlink() if change == "deleted" else clip.write_bytes(clip.read_bytes() + b"more")
        return measures

    with monkeypatch.context() as patch:
        patch.setattr(pipelines.Pipeline, "measure", meanwhile)
        told = "mine.mp4 can no longer be read" if change == "deleted" else "mine.mp4 was changed"
        refuse([str(clip)], told, "tart again", capsys)
    assert not (place / "mine_edited.mp4").exists()
    shutil.copyfile(face_clip, clip)
    assert main(["edit", str(clip), "-d", "smile=2", "--pack", "tiny", "--json"]) == 0
    assert "measure" in json.loads(capsys.readouterr().out)["cached"]


@pytest.mark.parametrize(("stage", "field"), [("measure", "psnr"), ("stitch", "crops"), ("clip", "width")])
@pytest.mark.usefixtures("place")
def test_a_stored_result_of_another_make_is_made_again(
    stage: str, field: str, runs: Path, face_clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = next(runs.glob(f"*/{stage}-*/result.json"))
    record = json.loads(path.read_text())
    record["values"][field] = "something else"
    path.write_text(json.dumps(record))
    assert main(["edit", str(face_clip), "-d", "smile=2", "--pack", "tiny", "--json"]) == 0
    cached = json.loads(capsys.readouterr().out)["cached"]
    assert stage not in cached
    assert {"landmarks", "tune"} <= set(cached)


def test_a_range_of_close_factors_keeps_every_video(place: Path, runs: Path, face_clip: Path) -> None:
    assert runs.exists()
    close = ["-d", "smile", "--range", "2", "2.001", "2", "--pack", "tiny"]
    assert main(["edit", str(face_clip), *close]) == 0
    videos = sorted(path.name for path in place.glob("*_smile_*.mp4"))
    made = ["face_edited_smile_+2.000.mp4", "face_edited_smile_+2.001.mp4", "face_edited_smile_grid.mp4"]
    assert videos == made


# --- What looks bad and is not ------------------------------------------------------------------------------------


def test_a_small_face_at_the_edge_gone_for_a_frame_beside_another_one_works(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small, large = (Image.open(DATA / f"head_{name}.jpg").convert("RGB") for name in "ab")
    pictures = []
    for _ in range(5):
        picture = Image.new("RGB", (360, 160), (90, 110, 130))
        picture.paste(small.resize((80, 80), Image.Resampling.LANCZOS), (-12, 40))
        pictures.append(picture)
    pictures[2] = Image.new("RGB", (360, 160), (90, 110, 130))
    alone = clip_of(home / "small.mp4", pictures)
    for i in (0, 1, 3, 4):
        pictures[i].paste(large.resize((156, 156), Image.Resampling.LANCZOS), (190, 2))
    together = clip_of(home / "two.mp4", pictures)
    for clip, faces in ((alone, 1), (together, 2)):
        assert main(["check", str(clip), "--pack", "tiny", "--face", str(faces - 1), "--end", "99", "--json"]) == 0
        record = json.loads(capsys.readouterr().out)
        assert record["faces_per_frame"] == {"0": 1, str(faces): 4}
        assert (record["face_frames"], record["bridged"], record["gaps"]) == (5, 1, [])
