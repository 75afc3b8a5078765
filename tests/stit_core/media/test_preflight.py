"""The look into a clip before any heavy work: what it finds, what it proposes, what it refuses."""

from __future__ import annotations

import dataclasses
import itertools
import json
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image

from stit_core.config import LandmarkConfig, VideoConfig
from stit_core.errors import Cancelled, VideoError
from stit_core.faces.detectors import Face
from stit_core.media import ffmpeg, preflight
from stit_core.media.preflight import Preflight, Stretch, frame_at, judge, look_into
from stit_core.media.probing import probe
from stit_core.media.trimming import trim_facts
from stit_core.runtime import CancelToken, Runtime
from tests.support.drawn_face import draw_face, write_clip

pytest_plugins = ["tests.support.fixtures_pack"]

RATE = 8  # frames a second of the drawn clips
SIZE = (320, 240)


def write(path: Path, pictures: list[np.ndarray]) -> Path:
    """A clip of these pictures, RATE a second."""
    height, width = pictures[0].shape[:2]
    command = [
        imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "rgb24",
        "-s", f"{width}x{height}", "-r", str(RATE), "-i", "-", "-c:v", "libx264", "-crf", "12",
        "-pix_fmt", "yuv420p", str(path),
    ]  # fmt: skip
    subprocess.run(command, input=b"".join(picture.tobytes() for picture in pictures), check=True)
    return path


def scene(seconds: float, x: float = 0.5, radius: float = 0.25, ground: int | None = None) -> list[np.ndarray]:
    """A face at `x` widths for some seconds, or none for radius 0; on the drawn ground or one of another level."""
    width, height = SIZE
    if radius:
        picture = draw_face(width, height, (x * width, height / 2), radius * height)
    else:
        picture = np.full((height, width, 3), (90, 110, 130), np.uint8)
    if ground is not None:
        picture = picture.copy()
        picture[np.abs(picture.astype(int) - (90, 110, 130)).max(axis=2) < 4] = (ground, 20, 255 - ground)
    return [picture] * round(seconds * RATE)


def look(path: Path, **config: float) -> Preflight:
    return look_into(path, VideoConfig(**config), LandmarkConfig(), Runtime())


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Preflight:
    """Two seconds of a face, one and a half of none, then a face elsewhere, cut to one on another ground."""
    pictures = scene(2) + scene(1.5, radius=0) + scene(1.5, x=0.3) + scene(2.5, x=0.7, ground=230)
    return look(write(tmp_path_factory.mktemp("mixed") / "mixed.mp4", pictures))


def test_the_facts_of_a_file_are_told(face_clip: Path) -> None:
    found = look(face_clip)
    assert (found.width, found.height, found.frames, found.frame_rate, found.sound) == (240, 200, 6, 10.0, "aac")
    assert found.seconds == pytest.approx(0.6, abs=0.05)
    assert found.megabytes == pytest.approx(face_clip.stat().st_size / 1e6)
    assert set(found.states) == {"face"}
    assert not found.damaged
    left, top, right, bottom = found.boxes[0][0]
    assert left < 120 < right
    assert top < 100 < bottom


def test_stretches_cover_the_clip_and_say_what_is_there(mixed: Preflight) -> None:
    stretches = mixed.stretches
    assert stretches[0].start == 0.0
    assert stretches[-1].end == mixed.seconds
    assert all(a.end == b.start for a, b in itertools.pairwise(stretches))
    assert [stretch.state for stretch in stretches] == ["face", "none", "face", "cut", "face"]
    assert stretches[1].start == pytest.approx(2, abs=0.3)
    assert stretches[2].start == pytest.approx(3.5, abs=0.3)
    assert mixed.cuts == (pytest.approx(5.0, abs=0.26),)


def test_the_best_stretch_has_one_face_and_no_cut(mixed: Preflight) -> None:
    start, end = mixed.best(10.0) or (0.0, 0.0)
    assert start >= 5.0 - 0.01
    assert end == pytest.approx(7.5, abs=0.1)
    start, end = mixed.best(1.0) or (0.0, 0.0)
    assert end - start <= 1.0
    assert mixed.share("face", start, end) == 1.0


def test_a_clip_without_a_face_has_no_best_stretch(tmp_path: Path) -> None:
    found = look(write(tmp_path / "none.mp4", scene(2, radius=0)))
    assert set(found.states) == {"none"}
    assert found.best(5.0) is None
    facts = trim_facts(found, VideoConfig())
    assert facts.face_share == 0.0
    assert facts.best is None
    assert "No face was found" in facts.warnings[0]


def test_moving_and_turning_bright_is_no_cut(tmp_path: Path) -> None:
    moving = [scene(1 / RATE, x=0.35 + 0.3 * i / 16)[0] for i in range(16)]
    brighter = [np.minimum(255, picture.astype(int) + 3 * i).astype(np.uint8) for i, picture in enumerate(moving)]
    assert look(write(tmp_path / "moving.mp4", brighter)).cuts == ()


def test_several_faces_are_told(tmp_path: Path) -> None:
    found = look(write_clip(tmp_path / "two.mp4", frames=10, size=(480, 200), others=((0.8, 0.5, 0.22),)))
    assert set(found.states) == {"several"}
    assert len(found.boxes[0]) == 2
    assert any("several faces" in warning for warning in trim_facts(found, VideoConfig()).warnings)


def test_how_a_moment_is_judged() -> None:
    large, small = Face((0, 0, 100, 100), 1.0, "dlib"), Face((0, 0, 30, 30), 1.0, "dlib")
    assert judge([], 40) == "none"
    assert judge([large], 40) == "face"
    assert judge([small], 40) == "small"
    assert judge([large, large], 40) == "several"
    assert judge([large, small], 40) == "face", "somebody far in the background does not count"


def made(states: str, cuts: tuple[float, ...] = (), side: float = 100.0) -> Preflight:
    """A pre-flight of a second a sample: f face, n none, s several, t too small."""
    names = {"f": "face", "n": "none", "s": "several", "t": "small"}
    box = ((0.0, 0.0, side, side),)
    return Preflight(
        width=640, height=480, frame_rate=25.0, frames=25 * len(states), seconds=float(len(states)), sound=None,
        megabytes=1.0, damaged=False, times=tuple(float(i) for i in range(len(states))),
        states=tuple(names[state] for state in states),  # type: ignore[misc]
        boxes=tuple(() if state == "n" else box for state in states), cuts=cuts, thumbnails=(),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("states", "cuts", "seconds", "best"),
    [
        ("ffffffff", (), 3.0, (0.0, 3.0)),
        ("nnffffnn", (), 9.0, (2.0, 6.0)),
        ("fffnnnff", (), 9.0, (0.0, 3.0)),
        ("ssssffff", (), 4.0, (4.0, 8.0)),
        ("ttffffff", (), 4.0, (2.0, 6.0)),
        ("ffffffff", (2.5,), 4.0, (3.0, 7.0)),
        ("ffffffff", (4.5,), 9.0, (0.0, 4.0)),
        ("nnnn", (), 4.0, None),
    ],
)
def test_the_best_stretch_of_known_states(
    states: str, cuts: tuple[float, ...], seconds: float, best: tuple[float, float] | None
) -> None:
    assert made(states, cuts).best(seconds) == best


def test_a_trim_is_judged_by_what_lies_in_it() -> None:
    found = made("ffffnnnnffff", cuts=(9.5,))
    good = trim_facts(found, VideoConfig(start=0.0, end=3.0))
    assert (good.face_share, good.frames, good.best, good.warnings) == (1.0, 75, None, ())
    worse = trim_facts(found, VideoConfig(start=2.0, end=11.0))
    assert worse.face_share == pytest.approx(0.6)
    assert worse.states["none"] == pytest.approx(0.4)
    assert worse.best == (0.0, 4.0)
    assert any("no face was found" in warning for warning in worse.warnings)
    assert any("9.5 s" in warning for warning in worse.warnings)
    long = trim_facts(found, VideoConfig(max_seconds=4.0))
    assert long.too_long
    assert long.best == (0.0, 4.0)
    assert "up to 4 s can be edited" in long.warnings[0]
    assert trim_facts(found, VideoConfig(max_frames=50)).too_long
    small = trim_facts(made("ffff", side=60.0), VideoConfig())
    assert "60 pixels wide" in small.warnings[0]


def test_stretches_of_known_states() -> None:
    assert made("ffnn", cuts=(1.5,)).stretches == (
        Stretch(0.0, 1.25, "face"),
        Stretch(1.25, 1.75, "cut"),
        Stretch(1.75, 4.0, "none"),
    )


def test_it_can_be_written_as_json(mixed: Preflight) -> None:
    record = json.loads(json.dumps(mixed.as_dict()))
    assert len(record["states"]) == len(record["times"]) == len(record["boxes"])
    assert "thumbnails" not in record
    assert {picture.shape for _, picture in mixed.thumbnails} == {(96, 128, 3)}
    assert 6 <= len(mixed.thumbnails) <= preflight.THUMBNAILS


def test_a_long_clip_is_sampled_more_thinly(tmp_path: Path) -> None:
    found = look(write(tmp_path / "long.mp4", scene(0.25, radius=0) * (4 * 90)))
    assert found.seconds == pytest.approx(90, abs=0.5)
    assert len(found.times) <= preflight.MAX_SAMPLES + 1
    assert found.spacing == pytest.approx(90 / 240, rel=0.05)


def test_limits_come_before_decoding(face_clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ffmpeg, "Pictures", None)
    for limit, told in (({"max_megabytes": 0.01}, "MB"), ({"max_pixels": 100}, "megapixels")):
        with pytest.raises(VideoError, match=told):
            look(face_clip, **limit)  # type: ignore[arg-type]
    with pytest.raises(VideoError, match="does not exist"):
        look(face_clip.with_name("none.mp4"))


def test_a_file_that_is_cut_off_is_called_damaged(tmp_path: Path, ffmpeg_make: Callable[..., Path]) -> None:
    whole = ffmpeg_make("whole.mkv", "-f", "lavfi", "-i", "testsrc2=s=160x120:r=10:d=4", "-c:v", "libx264")
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    found = look(cut)
    assert 1 <= len(found.times) < 15
    assert found.seconds == pytest.approx(4, abs=0.2)


class Clock:
    """The real clock, which can be put forward."""

    def __init__(self) -> None:
        self.ahead = 0.0
        self.sleep = time.sleep

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead


ENDLESS = ["-loglevel", "error", "-f", "lavfi", "-i", "color=s=320x240:r=25,format=rgb24", "-f", "rawvideo", "pipe:1"]


def test_the_time_of_whoever_takes_the_pictures_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(ffmpeg, "time", clock)
    asked = threading.Semaphore(0)

    def looked_at() -> bool:
        asked.release()
        return False

    arguments = [*ENDLESS[:-3], "-frames:v", "20", *ENDLESS[-3:]]
    with ffmpeg.Pictures(arguments, 320 * 240 * 3, 60.0, looked_at) as pictures:
        stream = iter(pictures)
        next(stream)
        clock.ahead += 1000.0  # seconds, with the picture
        for _ in range(3):
            asked.acquire(timeout=10)  # the guard has looked at the clock meanwhile
        assert 1 + sum(1 for _ in stream) == 20
    assert not pictures.damaged
    assert not pictures.late


def test_a_call_that_takes_too_long_is_late_and_not_damaged(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(ffmpeg, "time", clock)

    def put_forward() -> bool:
        clock.ahead += 100.0
        return False

    waiting = ["-re", *ENDLESS[2:5], "color=s=320x240:r=1/60,format=rgb24", *ENDLESS[-3:]]
    with ffmpeg.Pictures(waiting, 2 * 320 * 240 * 3, 60.0, put_forward) as pictures:
        assert list(pictures) == []
    assert pictures.late
    assert not pictures.damaged


def test_a_look_that_takes_too_long_says_nothing_of_the_file(face_clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "TIMEOUT", 0.0)
    monkeypatch.setattr(ffmpeg, "_POLL_SECONDS", 0.0)
    with pytest.raises(VideoError, match="took over 0 s") as caught:
        look(face_clip)
    assert "less to do" in caught.value.hint
    with pytest.raises(VideoError, match="took over 0 s"):
        frame_at(face_clip, 0.2, VideoConfig())


def test_a_clip_that_lies_on_its_head_is_told_as_such(tmp_path: Path) -> None:
    with Image.open(Path(__file__).parents[2] / "data" / "head_a.jpg") as head:
        picture = np.asarray(head.convert("RGB").resize((256, 256)))
    found = look(write(tmp_path / "head.mp4", [np.ascontiguousarray(picture[::-1, ::-1])] * 8))
    assert set(found.states) == {"face"}
    assert found.turn == 2
    warnings = trim_facts(found, VideoConfig()).warnings
    assert [text for text in warnings if "on its head" in text]


def test_what_was_not_looked_through_in_time_is_told() -> None:
    found = dataclasses.replace(made("ffff"), seconds=20.0, late=True)
    assert any("Only the first 3 s were looked through" in text for text in trim_facts(found, VideoConfig()).warnings)
    early = trim_facts(found, VideoConfig(end=2.0)).warnings
    assert not any("looked through" in text or "damaged" in text for text in early)


@pytest.mark.parametrize("at", [1, 3])
def test_it_stops_at_once(tmp_path: Path, at: int) -> None:
    token = CancelToken()
    seen: list[int] = []

    def progress(stage: str, done: int, total: int) -> None:
        assert (stage, done <= total) == ("preflight", True)
        seen.append(done)
        if done == at:
            token.set()

    clip = write(tmp_path / "clip.mp4", scene(3))
    with pytest.raises(Cancelled):
        look_into(clip, VideoConfig(), LandmarkConfig(), Runtime(progress=progress, cancel=token))
    assert seen == list(range(1, at + 1))


def test_a_frame_at_a_moment(tmp_path: Path) -> None:
    levels = [np.full((120, 160, 3), 10 + 10 * i, np.uint8) for i in range(2 * RATE)]
    clip = write(tmp_path / "levels.mp4", levels)
    for seconds, level in ((0.0, 10), (0.5, 50), (0.6, 50), (1.0, 90), (99.0, 160)):
        picture = frame_at(clip, seconds, VideoConfig(), height=60)
        assert picture.shape == (60, 80, 3)
        assert float(picture.mean()) == pytest.approx(level, abs=6)
    assert frame_at(clip, 0.5, VideoConfig(), height=999).shape == (120, 160, 3), "it is not enlarged"


def test_a_recording_that_does_not_tell_its_length_is_looked_through(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", frames=50)
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-loglevel", "error", "-i", str(clip)]
    command += [
        "-g",
        "9999",
        "-f",
        "matroska",
        "pipe:1",
    ]  # to a pipe: no length, no index, one key frame, as a browser's
    recording = tmp_path / "recording.mkv"
    recording.write_bytes(subprocess.run(command, capture_output=True, check=True, timeout=60).stdout)
    assert probe(recording, VideoConfig()).seconds is None
    found, whole = look(recording), look(clip)
    assert found.states == whole.states
    assert found.seconds == pytest.approx(whole.seconds, abs=found.spacing)
