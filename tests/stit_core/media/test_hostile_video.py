"""Files that are not what they seem: each is refused in words, and none is followed elsewhere."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stit_core.config import VideoConfig
from stit_core.errors import VideoError
from stit_core.media.preflight import frame_at
from stit_core.media.video import open_clip, probe, write_video
from stit_core.runtime import Runtime


def refuse(path: Path, said: str, folder: Path, **limits: float) -> None:
    with pytest.raises(VideoError, match=said) as caught:
        open_clip(path, VideoConfig(**limits), Runtime(), folder / "frames")  # type: ignore[arg-type]
    assert caught.value.hint
    assert not (folder / "frames").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"hello, this is a text\n" * 50, "not a video"),
        (b"#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\nsynthetic.mp4\n", "names other files"),
        (b"ffconcat version 1.0\nfile synthetic.mp4\n", "names other files"),
    ],
)
def test_not_a_video(content: bytes, said: str, synthetic_clip: Path) -> None:
    path = synthetic_clip.with_name("bad.mp4")
    path.write_bytes(content)
    refuse(path, said, path.parent)


def test_missing_files_and_folders(tmp_path: Path) -> None:
    refuse(tmp_path / "none.mp4", "does not exist", tmp_path)
    refuse(tmp_path, "is a folder", tmp_path)


def test_a_pipe_is_refused_without_waiting_for_who_writes_into_it(tmp_path: Path) -> None:
    path = tmp_path / "pipe.mp4"
    os.mkfifo(path)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(refuse, path, "not an ordinary file", tmp_path)
        try:
            asked.result(timeout=30)
        finally:
            if not asked.done():  # let it go on, or the pool would wait for ever
                os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF"])
def test_a_picture_that_is_called_a_video(kind: str, tmp_path: Path) -> None:
    Image.new("RGB", (32, 32), (200, 10, 10)).save(tmp_path / "picture.mp4", format=kind)
    refuse(tmp_path / "picture.mp4", "single picture", tmp_path)


def test_sound_only(ffmpeg_make, tmp_path: Path) -> None:
    refuse(ffmpeg_make("sound.m4a", "-f", "lavfi", "-i", "sine=d=0.2"), "sound only", tmp_path)


def test_an_index_that_is_cut_off(synthetic_clip: Path) -> None:
    path = synthetic_clip.with_name("cut.mp4")
    path.write_bytes(synthetic_clip.read_bytes()[: synthetic_clip.stat().st_size // 2])
    refuse(path, "is cut off", path.parent)


def test_a_cut_off_stream_gives_the_frames_it_has(ffmpeg_make, synthetic_clip: Path, tmp_path: Path) -> None:
    whole = ffmpeg_make("whole.mkv", "-i", str(synthetic_clip), "-c", "copy")
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    clip = open_clip(cut, VideoConfig(), Runtime(), tmp_path / "frames")
    assert 0 < len(clip.frames) < 30


def two_streams(ffmpeg_make, first: str, second: str) -> Path:
    """A file of two streams of pictures, the second smaller, with sound."""
    sources = [f"{first}:s=128x96:r=10", f"{second}:s=64x48:r=10"]
    inputs = [part for source in sources for part in ("-f", "lavfi", "-i", source)]
    maps = ["-map", "0", "-map", "1", "-map", "2", "-t", "1", "-pix_fmt", "yuv420p"]
    return ffmpeg_make("two.mkv", *inputs, "-f", "lavfi", "-i", "sine", *maps)


@pytest.mark.parametrize(
    ("first", "second", "chosen"),
    [("color=gray", "testsrc2", 1), ("testsrc2", "testsrc", 0), ("color=gray", "color=red", 0)],
)
def test_of_two_streams_one_that_shows_something_is_taken(
    ffmpeg_make, tmp_path: Path, first: str, second: str, chosen: int
) -> None:
    first, second = (text if text.startswith("color") else f"{text}=d=1" for text in (first, second))
    path = two_streams(ffmpeg_make, first, second)
    info = probe(path, VideoConfig())
    assert (info.stream, info.streams, info.audio is None) == (chosen, 2, False)
    assert len(info.warnings) == chosen
    assert "number 2 of its 2 video streams" in "".join(info.warnings) or not chosen
    clip = open_clip(path, VideoConfig(), Runtime(), tmp_path / "frames")
    assert (clip.width, clip.height) == (info.width, info.height) == ((64, 48) if chosen else (128, 96))
    assert (np.ptp(clip.frames[4]) > 100) == (chosen == 1 or first.startswith("testsrc"))
    assert np.ptp(frame_at(path, 0.5, VideoConfig())) == pytest.approx(int(np.ptp(clip.frames[4])), abs=60)
    written = write_video(clip.frames, clip, tmp_path / "out.mp4", VideoConfig(), Runtime())
    assert (written.frames, written.audio) == (10, "encoded")


def test_limits(synthetic_clip: Path) -> None:
    folder = synthetic_clip.parent
    refuse(synthetic_clip, "limit is 0.0 megapixels", folder, max_pixels=128 * 96 - 1)
    refuse(synthetic_clip, "limit is 0.01 MB", folder, max_megabytes=0.01)
    refuse(synthetic_clip, "too long", folder, max_frames=20)
    refuse(synthetic_clip, "too long", folder, max_seconds=0.4)
    refuse(synthetic_clip, "the chosen start", folder, start=60.0)


def test_two_hours_are_refused_before_decoding(ffmpeg_make, tmp_path: Path) -> None:
    lavfi = ["-f", "lavfi", "-i", "color=s=16x16:r=1/10:d=7200", "-preset", "ultrafast"]
    refuse(ffmpeg_make("long.mp4", *lavfi), "too long: 7200 s", tmp_path)


def test_8k_is_refused(ffmpeg_make, tmp_path: Path) -> None:
    lavfi = ["-f", "lavfi", "-i", "color=s=7680x4320:r=1", "-frames:v", "1", "-preset", "ultrafast"]
    refuse(ffmpeg_make("8k.mp4", *lavfi), "7680 x 4320", tmp_path)


@pytest.mark.parametrize("name", ["-y.mp4", "a b'c\"d.mp4", "%03d;$(x).mp4"])
def test_names_are_only_names(name: str, synthetic_clip: Path) -> None:
    path = synthetic_clip.rename(synthetic_clip.with_name(name))
    assert len(open_clip(path, VideoConfig(), Runtime(), path.parent / "fr%03d ames").frames) == 30
