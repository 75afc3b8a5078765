"""Reading and writing: frames, exact timing, sound, colours, and nothing half-written."""

from __future__ import annotations

import re
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest

from stit_core.config import VideoConfig
from stit_core.errors import Cancelled, NoRoomError, VideoError
from stit_core.media import ffmpeg, video
from stit_core.media.video import Label, check_output, fit_rate, open_clip, probe, write_video
from stit_core.runtime import CancelToken, Runtime
from tests.support.full_disk import room_for

CONFIG = VideoConfig(crf=10, speed="ultrafast")
TITLE = Label({"title": "AI-edited"})


def sound_hash(path: Path) -> str:
    """Hash of the sound packets as they lie in the file, without their timestamps."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-i", str(path), "-map", "0:a:0", "-c", "copy"]
    return subprocess.run([*command, "-f", "streamhash", "-"], capture_output=True, check=True, text=True).stdout


def test_reading_gives_every_frame_at_the_exact_rate(synthetic_clip: Path, tmp_path: Path) -> None:
    steps: list[tuple[str, int, int]] = []
    runtime = Runtime(progress=lambda *step: steps.append(step))
    clip = open_clip(synthetic_clip, CONFIG, runtime, tmp_path / "frames")
    assert (clip.width, clip.height, len(clip.frames), clip.audio) == (128, 96, 30, "aac")
    assert clip.frame_rate == Fraction(30000, 1001)
    assert clip.timestamps == tuple(Fraction(1001 * i, 30000) for i in range(30))
    assert clip.frames[29].shape == (96, 128, 3)
    assert steps[-1] == ("frames", 30, 30)
    assert {path.name for path in tmp_path.iterdir()} == {"frames", "synthetic.mp4"}


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_what_is_written_is_the_same_clip(synthetic_clip: Path, tmp_path: Path, suffix: str) -> None:
    clip = open_clip(synthetic_clip, CONFIG, Runtime(), tmp_path / "frames")
    written = write_video(
        clip.frames, clip, tmp_path / f"out{suffix}", CONFIG, Runtime(), Label({"title": "AI-edited"})
    )
    again = open_clip(written.path, CONFIG, Runtime(), tmp_path / "again")
    assert (written.frames, written.audio) == (30, "copied")
    assert (again.width, again.height, again.frame_rate, again.timestamps) == (
        clip.width, clip.height, clip.frame_rate, clip.timestamps,
    )  # fmt: skip
    assert sound_hash(written.path) == sound_hash(synthetic_clip)
    difference = np.stack(list(again.frames)).astype(float) - np.stack(list(clip.frames))
    assert np.abs(difference).mean() < 1.5
    assert np.abs(difference.mean(axis=(0, 1, 2))).max() < 0.5
    _, log = ffmpeg.ask(ffmpeg.probe_arguments(written.path), "out", 20)
    assert "AI-edited" in log


def test_a_large_frame_keeps_the_rate_and_the_last_frames_duration(ffmpeg_make, tmp_path: Path) -> None:
    source = ffmpeg_make("large.mp4", "-f", "lavfi", "-i", "testsrc2=s=1920x1080:r=25", "-frames:v", "6")
    clip = open_clip(source, CONFIG, Runtime(), tmp_path / "frames")
    written = write_video(clip.frames, clip, tmp_path / "out.mp4", CONFIG, Runtime())
    again = open_clip(written.path, CONFIG, Runtime(), tmp_path / "again")
    assert (again.frame_rate, len(again.frames)) == (Fraction(25), 6)
    _, log = ffmpeg.ask(ffmpeg.probe_arguments(written.path), "out", 20)
    assert "Duration: 00:00:00.24" in log


def test_variable_rate_keeps_its_timestamps(ffmpeg_make, tmp_path: Path) -> None:
    odd_times = "setpts='N*1001+gt(N,3)*507+gt(N,7)*2000'"
    source = ffmpeg_make(
        "vfr.mp4", "-f", "lavfi", "-i", "testsrc2=s=64x48:r=30000/1001", "-vf", f"settb=1/30000,{odd_times}",
        "-frames:v", "12", "-fps_mode", "passthrough", "-enc_time_base", "1/30000", "-video_track_timescale", "30000",
    )  # fmt: skip
    clip = open_clip(source, CONFIG, Runtime(), tmp_path / "frames")
    expected = [Fraction(i * 1001 + (i > 3) * 507 + (i > 7) * 2000, 30000) for i in range(12)]
    assert list(clip.timestamps) == expected
    written = write_video(clip.frames, clip, tmp_path / "out.mp4", CONFIG, Runtime())
    assert list(open_clip(written.path, CONFIG, Runtime(), tmp_path / "again").timestamps) == expected


def test_rotation_is_applied(ffmpeg_make, synthetic_clip: Path, tmp_path: Path) -> None:
    turned = ffmpeg_make("turned.mp4", "-display_rotation:v", "90", "-i", str(synthetic_clip), "-c", "copy")
    assert (probe(turned, CONFIG).width, probe(turned, CONFIG).height) == (96, 128)
    clip = open_clip(turned, CONFIG, Runtime(), tmp_path / "turned")
    upright = open_clip(synthetic_clip, CONFIG, Runtime(), tmp_path / "upright")
    assert np.abs(clip.frames[0].astype(int) - np.rot90(upright.frames[0])).mean() < 3


def test_a_trimmed_part_holds_the_frames_between(synthetic_clip: Path, tmp_path: Path) -> None:
    whole = open_clip(synthetic_clip, CONFIG, Runtime(), tmp_path / "whole")
    config = VideoConfig(start=0.3, end=0.7, crf=10, speed="ultrafast")
    clip = open_clip(synthetic_clip, config, Runtime(), tmp_path / "part")
    times = [float(t) for t in whole.timestamps]
    inside = [i for i, t in enumerate(times) if 0.3 <= t < 0.7]
    assert len(clip.frames) == len(inside)
    assert clip.start == whole.timestamps[inside[0]]
    np.testing.assert_array_equal(clip.frames[0], whole.frames[inside[0]])
    assert clip.hash != whole.hash
    assert write_video(clip.frames, clip, tmp_path / "out.mp4", config, Runtime()).audio == "copied"


def test_sound_that_mp4_cannot_hold_is_encoded(ffmpeg_make, synthetic_clip: Path, tmp_path: Path) -> None:
    source = ffmpeg_make("pcm.mkv", "-i", str(synthetic_clip), "-c:v", "copy", "-c:a", "pcm_s16le")
    clip = open_clip(source, CONFIG, Runtime(), tmp_path / "frames")
    assert clip.frame_rate == Fraction(30000, 1001), "milliseconds of Matroska are rounding, not a variable rate"
    assert write_video(clip.frames, clip, tmp_path / "out.mp4", CONFIG, Runtime()).audio == "encoded"
    assert write_video(clip.frames, clip, tmp_path / "out.mkv", CONFIG, Runtime()).audio == "copied"


def test_cancel_leaves_nothing(synthetic_clip: Path, tmp_path: Path) -> None:
    token = CancelToken()
    token.set()
    with pytest.raises(Cancelled):
        open_clip(synthetic_clip, CONFIG, Runtime(cancel=token), tmp_path / "frames")
    clip = open_clip(synthetic_clip, CONFIG, Runtime(), tmp_path / "frames")
    with pytest.raises(Cancelled):
        write_video(clip.frames, clip, tmp_path / "out.mp4", CONFIG, Runtime(cancel=token))
    assert {path.name for path in tmp_path.iterdir()} == {"frames", "synthetic.mp4"}


def test_no_room_for_the_frames_leaves_nothing(synthetic_clip: Path, tmp_path: Path) -> None:
    with room_for(4096), pytest.raises(NoRoomError, match=r"no room for the frames of synthetic\.mp4"):
        open_clip(synthetic_clip, CONFIG, Runtime(), tmp_path / "frames")
    assert {path.name for path in tmp_path.iterdir()} == {"synthetic.mp4"}


def test_no_room_for_the_file_leaves_the_old_one(synthetic_clip: Path, tmp_path: Path) -> None:
    clip = open_clip(synthetic_clip, CONFIG, Runtime(), tmp_path / "frames")
    target = tmp_path / "out.mp4"
    target.write_bytes(b"old")
    with room_for(4096), pytest.raises(VideoError, match=r"out\.mp4 cannot be written"):
        write_video(clip.frames, clip, target, CONFIG, Runtime())
    assert target.read_bytes() == b"old"
    assert {path.name for path in tmp_path.iterdir()} == {"frames", "synthetic.mp4", "out.mp4"}


def test_an_encoder_that_takes_nothing_is_late_and_the_disk_not_full() -> None:
    stuck = [sys.executable, "-c", "import time; time.sleep(600)"]
    process = subprocess.Popen(stuck, stdin=subprocess.PIPE, bufsize=0)
    assert process.stdin is not None
    try:
        with (
            pytest.raises(VideoError, match=r"out\.mp4 took no picture for 0\.2 s") as caught,
            video._patience(process, 0.2, Path("out.mp4")),
        ):
            process.stdin.write(bytes(1 << 22))
    finally:
        process.kill()
        process.stdin.close()
        process.wait()
    assert "timeout" in caught.value.hint


@pytest.mark.parametrize("count", [29, 31])
def test_another_number_of_pictures_is_refused(synthetic_clip: Path, tmp_path: Path, count: int) -> None:
    clip = open_clip(synthetic_clip, CONFIG, Runtime(), tmp_path / "frames")
    with pytest.raises(VideoError, match="for the 30 frames"):
        write_video([clip.frames[0]] * count, clip, tmp_path / "out.mp4", CONFIG, Runtime())
    assert not (tmp_path / "out.mp4").exists()


def test_outputs_that_cannot_be_written_are_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "folder.mp4").mkdir()
    for name, said in [("x.avi", "suffix"), ("folder.mp4", "is a folder"), ("missing/x.mp4", "cannot be written")]:
        with pytest.raises(VideoError, match=said):
            check_output(tmp_path / name)


def test_rates_behind_rounded_ticks() -> None:
    ms = Fraction(1, 1000)
    assert fit_rate((0, 33, 67, 100, 133), ms, Fraction(30))[0] == 30
    assert fit_rate((0, 1, 3, 4), Fraction(1, 30), Fraction(30))[1][2] == Fraction(3, 30)
    assert fit_rate((5, 5, 6), ms, Fraction(25))[1] == (0, Fraction(1, 25), Fraction(2, 25))


def test_ten_bits_are_read_as_eight(ffmpeg_make, tmp_path: Path) -> None:
    lavfi = ["-f", "lavfi", "-i", "color=0x2080c0:s=64x48:r=10,format=yuv420p10le", "-frames:v", "3"]
    source = ffmpeg_make("ten.mp4", *lavfi, "-c:v", "libx264", "-qp", "1")
    clip = open_clip(source, CONFIG, Runtime(), tmp_path / "frames")
    np.testing.assert_allclose(clip.frames[2][20, 20], (0x20, 0x80, 0xC0), atol=2)
    write_video(clip.frames, clip, tmp_path / "out.mp4", CONFIG, Runtime())
    again = open_clip(tmp_path / "out.mp4", CONFIG, Runtime(), tmp_path / "again")
    np.testing.assert_allclose(again.frames[2][20, 20], (0x20, 0x80, 0xC0), atol=3)


def colour_tags(path: Path) -> str:
    """What a file says of its colours: range, matrix, primaries and transfer."""
    log = ffmpeg.ask(ffmpeg.probe_arguments(path), path.name, 30)[1]
    form = re.search(r"Video: .*?, yuv\w+\((.*?)\), \d+x\d+", log)
    assert form is not None
    return ", ".join(part for part in form[1].split(", ") if part != "progressive")


@pytest.mark.parametrize(
    ("size", "tags", "expected"),
    [
        ("320x240", "", ""),
        ("1280x720", "", ""),
        ("1280x720", "range=tv", ""),  # H.264 tags a narrow range along with a matrix only
        ("320x240", "range=tv:color_primaries=bt709:color_trc=bt709:colorspace=bt709", "tv, bt709"),
        ("1280x720", "range=tv:color_primaries=smpte170m:color_trc=smpte170m:colorspace=smpte170m", "tv, smpte170m"),
        ("320x240", "color_primaries=bt709", "tv, unknown/bt709/unknown"),
        ("320x240", "colorspace=bt470bg:color_trc=iec61966-2-1", "tv, bt470bg/unknown/iec61966-2-1"),
    ],
)
def test_what_the_source_tags_is_tagged_and_nothing_else(
    ffmpeg_make, tmp_path: Path, size: str, tags: str, expected: str
) -> None:
    form = "format=yuv420p" + (f",setparams={tags}" if tags else "")
    source = ffmpeg_make("tags.mp4", "-f", "lavfi", "-i", f"testsrc2=s={size}:r=5", "-vf", form, "-frames:v", "2")
    assert colour_tags(source) == expected
    clip = open_clip(source, CONFIG, Runtime(), tmp_path / "frames")
    written = write_video(clip.frames, clip, tmp_path / "out.mp4", CONFIG, Runtime())
    assert colour_tags(written.path) == expected
    again = open_clip(written.path, CONFIG, Runtime(), tmp_path / "again")
    difference = np.stack(list(again.frames)).astype(float) - np.stack(list(clip.frames))
    assert np.abs(difference.mean(axis=(0, 1, 2))).max() < 1


def test_colours_that_were_certain_stay_so(ffmpeg_make, tmp_path: Path) -> None:
    """RGB knows no matrix; what it is turned into says which one it has."""
    source = ffmpeg_make("rgb.mkv", "-f", "lavfi", "-i", "color=0x2080c0:s=64x48:r=5,format=gbrp", "-c:v", "ffv1",
        "-frames:v", "2")  # fmt: skip
    clip = open_clip(source, CONFIG, Runtime(), tmp_path / "frames")
    written = write_video(clip.frames, clip, tmp_path / "out.mp4", CONFIG, Runtime())
    assert colour_tags(written.path) == "tv, smpte170m/unknown/unknown"
    again = open_clip(written.path, CONFIG, Runtime(), tmp_path / "again")
    np.testing.assert_allclose(again.frames[1][20, 20], (0x20, 0x80, 0xC0), atol=3)


def test_transparency_is_dropped(ffmpeg_make, tmp_path: Path) -> None:
    box = "drawbox=16:16:32:24:color=0x20c040@1:t=fill:replace=1"
    lavfi = ["-f", "lavfi", "-i", f"color=red@0:s=64x48:r=10,format=yuva420p,{box}", "-frames:v", "3"]
    source = ffmpeg_make("alpha.webm", *lavfi, "-c:v", "libvpx-vp9", "-pix_fmt", "yuva420p")
    clip = open_clip(source, CONFIG, Runtime(), tmp_path / "frames")
    assert (len(clip.frames), clip.frames[0].shape) == (3, (48, 64, 3))
    np.testing.assert_allclose(clip.frames[0][30, 30], (0x20, 0xC0, 0x40), atol=6)
    assert write_video(clip.frames, clip, tmp_path / "out.mp4", CONFIG, Runtime()).frames == 3


def test_an_odd_size_grows_by_a_repeated_column_and_row(ffmpeg_make, tmp_path: Path) -> None:
    lavfi = ["-f", "lavfi", "-i", "testsrc2=s=98x64:r=10,format=yuv444p,crop=97:63:0:0:exact=1", "-frames:v", "2"]
    clip = open_clip(ffmpeg_make("odd.mkv", *lavfi, "-qp", "0"), CONFIG, Runtime(), tmp_path / "frames")
    assert (clip.width, clip.height) == (97, 63)
    plain = [np.full((63, 97, 3), (40, 90, 160), np.uint8)] * 2
    write_video(plain, clip, tmp_path / "out.mp4", CONFIG, Runtime())
    again = open_clip(tmp_path / "out.mp4", CONFIG, Runtime(), tmp_path / "again")
    assert (again.width, again.height) == (98, 64)
    np.testing.assert_allclose(again.frames[1], np.broadcast_to((40, 90, 160), (64, 98, 3)), atol=3)


def heard(path: Path, *options: str) -> np.ndarray:
    """The sound as a player plays it, mono float32 at 48 kHz from time 0 on."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", *options, "-i", str(path), "-map", "0:a:0"]
    form = ["-af", "aresample=48000:async=1:min_hard_comp=0.001:first_pts=0", "-ac", "1", "-f", "f32le", "-"]
    return np.frombuffer(subprocess.run([*command, *form], capture_output=True, check=True).stdout, np.float32)


@pytest.mark.parametrize("codec", ["aac", "libopus", "pcm_s16le"])
def test_the_sound_of_a_trimmed_part_stays_with_its_pictures(ffmpeg_make, tmp_path: Path, codec: str) -> None:
    """A flash and a click stand at 2 s; the key frame before the trim is at 0 s."""
    flash = "color=black:s=64x48:r=25:d=3,drawbox=c=white:t=fill:enable='eq(n,50)'"
    click = "aevalsrc='if(between(t,2,2.004),0.9*sin(2*PI*1500*t),0)':s=48000:d=3"
    source = ffmpeg_make(
        "click.mkv", "-f", "lavfi", "-i", flash, "-f", "lavfi", "-i", click, "-c:v", "libx264", "-g", "250",
        "-pix_fmt", "yuv420p", "-c:a", codec,
    )  # fmt: skip
    config = VideoConfig(start=1.03, end=2.5, crf=10, speed="ultrafast")
    clip = open_clip(source, config, Runtime(), tmp_path / "frames")
    assert [frame for frame in clip.frames.indices if clip.frames.read(frame).mean() > 128] == [24]
    for suffix in (".mp4", ".mkv", ".mov"):
        output = write_video(clip.frames, clip, tmp_path / f"out{suffix}", config, Runtime()).path
        assert open_clip(output, CONFIG, Runtime(), tmp_path / "again").start == 0, "nothing comes before the pictures"
        sound = heard(output)
        assert np.argmax(np.abs(sound) > 0.25) / 48000 == pytest.approx(float(clip.timestamps[24]), abs=0.002)
        everything = heard(output, *(["-ignore_editlist", "1"] if suffix != ".mkv" else []))
        assert len(everything) / 48000 < clip.seconds + 0.15, "sound from before the trim is not in the file"
